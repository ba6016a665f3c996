using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using Drydock.Api;
using Drydock.Server;

namespace Drydock.Cli.CommandLine;

/// <summary>What is done between drain and uncordon, as options: action, hooks, approvals, what health means.</summary>
internal sealed class ActionFlags
{
    private readonly Option<bool> _hold = new("--hold") { Description = "Hold the drained node until 'drydock complete' (or Ctrl-C and --complete) says to go on. If nobody does within --action-timeout, the node stays cordoned." };
    private readonly Option<bool> _reboot = new("--reboot") { Description = "Reboot the drained node by a Job on it; done when its boot ID has changed." };
    private readonly Option<bool> _powerCycle = new("--power-cycle") { Description = "Switch the machine off and on again by its BareMetalHost (metal3)." };
    private readonly Option<string?> _job = new("--job") { Description = "Run this Job of the policy on the drained node.", HelpName = "name" };
    private readonly Option<JsonElement?> _jobManifest = new("--job-manifest")
    {
        Description = "Run this Job on the drained node: YAML or JSON with metadata.namespace, where you must be allowed to create Jobs yourself.",
        HelpName = "file",
        CustomParser = Manifest,
    };

    private readonly Option<string?> _webhook = new("--webhook") { Description = "Call this webhook of the policy and wait until it calls back.", HelpName = "name" };
    private readonly Option<string?> _timeout = CommonOptions.Duration("--action-timeout", "How long the action may take. Default: what the policy says, 30m for a reboot or a power-cycle, no limit for --hold. A node that is still held then, or whose machine is not back, stays cordoned.");
    private readonly Option<string?> _offFor = CommonOptions.Duration("--power-off-for", "With --power-cycle: how long the machine stays off. Default 0.");
    private readonly Option<bool> _offUntilComplete = new("--power-off-until-complete") { Description = "With --power-cycle: the machine stays off until 'drydock complete'." };
    private readonly Option<string[]> _hooks = new("--hook")
    {
        Description = "An action at another point: before-drain, after-drain or before-uncordon, and job:NAME, webhook:NAME, hold, reboot or power-cycle. May be given again.",
        HelpName = "point=action",
        AllowMultipleArgumentsPerToken = false,
    };

    private readonly Option<string?> _policy = new("--policy") { Description = "The policy that jobs, webhooks and probes are taken from.", HelpName = "name" };
    private readonly Option<string[]> _approval = new("--approval") { Description = "Wait there until somebody approves. May be given again.", HelpName = "start|action|uncordon" };
    private readonly Option<string?> _approvalTimeout = CommonOptions.Duration("--approval-timeout", "How long somebody has to decide. Default 1d.");
    private readonly Option<string?> _kubelet = new("--kubelet-version") { Description = "The least version of the kubelet afterwards, such as v1.36.0.", HelpName = "version" };
    private readonly Option<bool> _mustReboot = new("--must-reboot") { Description = "The node must have rebooted, by whomever: its boot ID must be another." };
    private readonly Option<string[]> _probes = new("--probe") { Description = "A probe of the policy that must pass before the node takes work. May be given again.", HelpName = "name" };
    private readonly Option<bool> _leaveRemediation = new("--leave-remediation") { Description = "Do not pause the health checks that look after the node or its machine." };

    /// <summary>Gives a command all of these options.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_hold, _reboot, _powerCycle, _job, _jobManifest, _webhook, _timeout, _offFor, _offUntilComplete, _hooks, _policy,
            _approval, _approvalTimeout, _kubelet, _mustReboot, _probes, _leaveRemediation])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            var actions = new Option[] { _hold, _reboot, _powerCycle, _job, _jobManifest, _webhook }.Count(option => result.GetResult(option) is { Implicit: false });
            if (actions > 1)
            {
                result.AddError("Give one of --hold, --reboot, --power-cycle, --job, --job-manifest and --webhook; others can be a --hook.");
            }

            foreach (var hook in result.GetValue(_hooks) ?? [])
            {
                if (Hook(hook) is null)
                {
                    result.AddError($"'{hook}' is not allowed for --hook; give such as before-drain=job:NAME, after-drain=webhook:NAME or before-uncordon=hold.");
                }
            }
        });
    }

    /// <summary>The request with what these options say; what was not said stays out of it.</summary>
    public MaintenanceCreate Add(MaintenanceCreate request, ParseResult result)
    {
        var approval = result.GetValue(_approval) is { Length: > 0 } gates || result.GetValue(_approvalTimeout) is not null;
        return request with
        {
            Action = result.GetValue(_hold) ? "Hold"
                : result.GetValue(_reboot) ? "Reboot"
                : result.GetValue(_powerCycle) ? "PowerCycle"
                : result.GetValue(_job) is not null || result.GetValue(_jobManifest) is not null ? "Job"
                : result.GetValue(_webhook) is not null ? "Webhook"
                : null,
            ActionOptions = new ActionSettings
            {
                Template = result.GetValue(_job) ?? result.GetValue(_webhook),
                Manifest = result.GetValue(_jobManifest),
                Timeout = result.GetValue(_timeout),
                PowerOffFor = result.GetValue(_offFor),
                PowerOffUntilComplete = result.GetValue(_offUntilComplete) ? true : null,
            },
            Hooks = Hooks(result.GetValue(_hooks) ?? []),
            Policy = result.GetValue(_policy),
            Approval = approval ? new ApprovalSettings { Gates = result.GetValue(_approval), Timeout = result.GetValue(_approvalTimeout) } : null,
            Remediation = result.GetValue(_leaveRemediation) ? "LabelOnly" : null,
            Health = (request.Health ?? new HealthSettings()) with
            {
                KubeletVersion = result.GetValue(_kubelet),
                MustReboot = result.GetValue(_mustReboot) ? true : null,
                Probes = result.GetValue(_probes) is { Length: > 0 } probes ? probes : null,
            },
        };
    }

    private static JsonElement? Manifest(ArgumentResult argument)
    {
        var path = argument.Tokens[0].Value;
        try
        {
            return ManifestText.Parse(File.ReadAllText(path));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or FormatException)
        {
            argument.AddError($"'{path}' is not allowed for --job-manifest; give a file with one Job as YAML or JSON: {exception.Message}");
            return null;
        }
    }

    private static HookSettings? Hooks(IReadOnlyList<string> hooks)
    {
        var read = hooks.Select(Hook).OfType<(string Point, HookAction Action)>().ToLookup(hook => hook.Point, hook => hook.Action, StringComparer.Ordinal);
        return hooks.Count == 0 ? null : new HookSettings
        {
            BeforeDrain = [.. read["before-drain"]], AfterDrain = [.. read["after-drain"]], BeforeUncordon = [.. read["before-uncordon"]],
        };
    }

    private static (string Point, HookAction Action)? Hook(string text)
    {
        if (text.Split('=', 2) is not [("before-drain" or "after-drain" or "before-uncordon") and var point, var action])
        {
            return null;
        }

        return action.Split(':', 2) switch
        {
            ["job", { Length: > 0 } name] => (point, new HookAction { Kind = "Job", Template = name }),
            ["webhook", { Length: > 0 } name] => (point, new HookAction { Kind = "Webhook", Template = name }),
            ["hold"] => (point, new HookAction { Kind = "Hold" }),
            ["reboot"] => (point, new HookAction { Kind = "Reboot" }),
            ["power-cycle"] => (point, new HookAction { Kind = "PowerCycle" }),
            _ => null,
        };
    }
}

/// <summary>Where an admin's policies and secrets are, for verbs that run without a server or are one.</summary>
internal sealed class PolicyFileOptions
{
    private readonly Option<string?> _policies = new("--policies") { Description = "YAML or JSON file with the policies that requests may name.", HelpName = "file" };
    private readonly Option<string?> _secrets = new("--secrets") { Description = "Folder with the secrets that policies name, one file each.", HelpName = "folder" };

    /// <summary>Gives a command these options.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_policies);
        command.Options.Add(_secrets);
    }

    /// <summary>File and folder, or null.</summary>
    public (string? Policies, string? Secrets) Read(ParseResult result) => (result.GetValue(_policies), result.GetValue(_secrets));
}
