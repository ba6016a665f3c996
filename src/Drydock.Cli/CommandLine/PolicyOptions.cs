using System.CommandLine;
using System.CommandLine.Parsing;
using Drydock.Api;

namespace Drydock.Cli.CommandLine;

/// <summary>How a node is maintained, as options: kubectl drain's names and defaults where it has them.</summary>
internal sealed class PolicyOptions
{
    private readonly Option<string?> _reason = new("--reason") { Description = "Why, in your words; shown to everybody who looks at it.", HelpName = "text" };
    private readonly ActionFlags _actions = new();
    private readonly Option<string?> _timeout = CommonOptions.Duration("--timeout", "How long until the node must be empty. Default 1h.");
    private readonly Option<string?> _onTimeout = CommonOptions.Choice("--on-timeout", "When that time is over; 'force' deletes what is left past every budget, in the order of the rules, and needs the permission to delete pods; what is left after as long again, and does not shut down in its time, fails the maintenance. Default fail.", ("fail", "Fail"), ("wait", "Wait"), ("force", "Force"));
    private readonly Option<string?> _gracePeriod = new("--grace-period")
    {
        Description = "Seconds, or a duration, for every pod to end; -1: the pod's own. Default -1.",
        HelpName = "seconds",
        CustomParser = GracePeriod,
    };

    private readonly Option<bool> _ignoreDaemonSets = new("--ignore-daemonsets")
    {
        Description = "Leave the pods of DaemonSets where they are; 'false' refuses a node that has any.",
        HelpName = "true|false",
        DefaultValueFactory = _ => true,
    };

    private readonly Option<bool> _deleteEmptyDir = new("--delete-emptydir-data") { Description = "Evict pods although the data in their emptyDir volumes is lost." };
    private readonly Option<bool> _force = new("--force") { Description = "Evict pods too that no controller will bring back." };
    private readonly Option<string?> _skipTerminating = CommonOptions.Duration(
        "--skip-wait-for-delete-timeout", "Pods whose grace period ended longer ago than this do not hold the drain.");

    private readonly Option<string?> _podSelector = new("--pod-selector") { Description = "Only pods that match leave; the others stay and hold nothing up.", HelpName = "selector" };
    private readonly Option<string[]> _skip = Selectors("--skip-pods", "Pods that match stay where they are. May be given several times.");
    private readonly Option<string[]> _wait = Selectors("--wait-for-pods", "Pods that match are not evicted; the drain waits until they have finished. May be given several times.");
    private readonly Option<string[]> _last = Selectors("--last", "Pods that match are evicted when all others and the VMs are gone; a VM goes by its launcher pod (kubevirt.io=virt-launcher). May be given several times, each later than the one before.");
    private readonly Option<string?> _podTimeout = CommonOptions.Duration("--pod-timeout", "How long one pod may hold the drain, from when its order has its turn, before --on-timeout decides about it.");
    private readonly Option<int?> _parallel = new("--max-parallel-evictions") { Description = "Evictions under way at once. Default 10.", HelpName = "1-50" };
    private readonly Option<bool> _detach = new("--wait-for-volume-detach") { Description = "The node is empty only when the volumes of its pods are detached." };
    private readonly Option<bool> _keepFinished = new("--keep-finished") { Description = "Leave pods that have finished where they are." };

    private readonly Option<string?> _vmStuck = VmChoice("--vm-stuck", "A VM whose migrations do not succeed: wait, shut it down and start it again afterwards, fail, or skip: leave it on the node. Default wait.");
    private readonly Option<string?> _vmNotMigratable = VmChoice("--vm-not-migratable", "A VM that cannot be migrated. Default wait.");
    private readonly Option<int?> _vmAttempts = new("--vm-attempts") { Description = "Migrations to try before --vm-stuck decides. Default 3.", HelpName = "1-20" };
    private readonly Option<string?> _vmScheduling = CommonOptions.Duration("--vm-scheduling-timeout", "How long a migration may be in Scheduling. Default 4m.");
    private readonly Option<string?> _vmPending = CommonOptions.Duration("--vm-pending-timeout", "How long a migration may be Pending although slots are free. Default 5m.");
    private readonly Option<int?> _vmInbound = new("--vm-max-inbound") { Description = "Migrations towards one node at a time. Default: KubeVirt's limits alone.", HelpName = "n" };
    private readonly Option<bool> _vmAnnotations = new("--vm-annotations") { Description = "Let drydock.dev/on-stuck and drydock.dev/on-not-migratable on a VM count, where allowedVmAnnotations of --policy names them." };
    private readonly Option<string?> _vmOnCancel = CommonOptions.Choice(
        "--vm-on-cancel", "If it is cancelled: leave migrations that run to finish, or abort them. Default finish.", ("finish", "Finish"), ("abort", "Abort"));

    private readonly Option<VirtualMachineOverrideSettings[]> _vmOverrides = new("--vm")
    {
        Description = "What holds for one VM instead of --vm-stuck and --vm-not-migratable; can be repeated.",
        HelpName = "namespace/name=wait|shutdown|fail|skip",
        CustomParser = Overrides,
        AllowMultipleArgumentsPerToken = false,
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _healthTimeout = CommonOptions.Duration("--health-timeout", "How long to wait until the node is healthy. Default 15m.");
    private readonly Option<string?> _stableFor = CommonOptions.Duration("--stable-for", "How long the node must have been Ready without a break. Default 10s.");
    private readonly Option<string?> _onFailure = CommonOptions.Choice(
        "--on-failure", "If it fails: put everything back, or keep the node cordoned. Default restore. A node that is not healthy, whose machine may be down, or of which a hook before the uncordon failed stays cordoned in any case.", ("restore", "Restore"), ("keep-cordoned", "KeepCordoned"));

    private readonly Option<string?> _leaseWait = CommonOptions.Duration("--lease-wait", "How long to wait for a node that somebody else maintains, or for another control-plane node to be back. Default 0: refuse at once.");

    /// <summary>Gives a command all of these options.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_reason, _timeout, _onTimeout, _gracePeriod, _ignoreDaemonSets, _deleteEmptyDir, _force, _skipTerminating,
            _podSelector, _skip, _wait, _last, _podTimeout, _parallel, _detach, _keepFinished,
            _vmStuck, _vmNotMigratable, _vmAttempts, _vmScheduling, _vmPending, _vmInbound, _vmAnnotations, _vmOnCancel, _vmOverrides, _healthTimeout, _stableFor, _onFailure, _leaseWait])
        {
            command.Options.Add(option);
        }

        _actions.AddTo(command);
    }

    /// <summary>The request these options make; what was not said stays out of it.</summary>
    public MaintenanceCreate Create(ParseResult result, string node) => _actions.Add(CreateDrain(result, node), result);

    private MaintenanceCreate CreateDrain(ParseResult result, string node) => new()
    {
        Node = node,
        Reason = result.GetValue(_reason),
        OnFailure = result.GetValue(_onFailure),
        LeaseWait = result.GetValue(_leaseWait),
        Drain = new DrainSettings
        {
            Timeout = result.GetValue(_timeout),
            OnTimeout = result.GetValue(_onTimeout),
            GracePeriod = result.GetValue(_gracePeriod),
            IgnoreDaemonSets = result.GetValue(_ignoreDaemonSets) ? null : false,
            DeleteEmptyDirData = result.GetValue(_deleteEmptyDir) ? true : null,
            EvictUnmanaged = result.GetValue(_force) ? true : null,
            SkipTerminatingAfter = result.GetValue(_skipTerminating),
            PodSelector = result.GetValue(_podSelector),
            Rules = Rules(result) is { Count: > 0 } rules ? rules : null,
            PodTimeout = result.GetValue(_podTimeout),
            MaxParallelEvictions = result.GetValue(_parallel),
            WaitForVolumeDetach = result.GetValue(_detach) ? true : null,
            KeepFinished = result.GetValue(_keepFinished) ? true : null,
        },
        VirtualMachines = new VirtualMachineSettings
        {
            OnStuck = result.GetValue(_vmStuck),
            OnNotMigratable = result.GetValue(_vmNotMigratable),
            MaxAttempts = result.GetValue(_vmAttempts),
            SchedulingTimeout = result.GetValue(_vmScheduling),
            PendingTimeout = result.GetValue(_vmPending),
            MaxInboundPerNode = result.GetValue(_vmInbound),
            AllowAnnotations = result.GetValue(_vmAnnotations) ? true : null,
            OnCancel = result.GetValue(_vmOnCancel),
            Overrides = result.GetValue(_vmOverrides) is { Length: > 0 } overrides ? overrides : null,
        },
        Health = new HealthSettings { Timeout = result.GetValue(_healthTimeout), StableFor = result.GetValue(_stableFor) },
    };

    private List<DrainRuleSettings> Rules(ParseResult result) =>
    [
        .. (result.GetValue(_skip) ?? []).Select(selector => new DrainRuleSettings { Behavior = "Skip", PodSelector = selector }),
        .. (result.GetValue(_wait) ?? []).Select(selector => new DrainRuleSettings { Behavior = "WaitForCompletion", PodSelector = selector }),
        .. (result.GetValue(_last) ?? []).Select((selector, index) => new DrainRuleSettings { Behavior = "Evict", PodSelector = selector, Order = index + 1 }),
    ];

    private static Option<string[]> Selectors(string name, string description) => new(name) { Description = description, HelpName = "selector" };

    private static Option<string?> VmChoice(string name, string description) =>
        CommonOptions.Choice(name, description, VmWords);

    private static readonly (string Word, string? Value)[] VmWords = [("wait", "Wait"), ("shutdown", "ShutDown"), ("fail", "Fail"), ("skip", "Skip")];

    private static VirtualMachineOverrideSettings[] Overrides(ArgumentResult result)
    {
        var overrides = new List<VirtualMachineOverrideSettings>();
        foreach (var text in result.Tokens.Select(token => token.Value))
        {
            var word = text.Split('=') is [_, var given] ? VmWords.FirstOrDefault(one => one.Word.Equals(given, StringComparison.OrdinalIgnoreCase)).Value : null;
            if (word is null)
            {
                result.AddError($"'{text}' is not allowed for --vm; give NAMESPACE/NAME=wait, shutdown, fail or skip.");
                return [];
            }

            overrides.Add(new() { Vm = text.Split('=')[0], OnStuck = word, OnNotMigratable = word });
        }

        return [.. overrides];
    }

    private static string? GracePeriod(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (text == "-1")
        {
            return null;
        }

        var duration = int.TryParse(text, out var seconds) && seconds >= 0 ? $"{seconds}s" : text;
        if (!DurationText.TryParse(duration, out _))
        {
            result.AddError($"'{text}' is not allowed for --grace-period; give seconds, -1, or {DurationText.Allowed}.");
        }

        return duration;
    }
}
