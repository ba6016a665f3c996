using System.CommandLine;
using System.CommandLine.Parsing;
using Drydock.Api;

namespace Drydock.Cli.CommandLine;

/// <summary>Which nodes a rollout is about and how it goes through them, as options of <c>rollout start</c> and <c>window create</c>.</summary>
internal sealed class RolloutOptions
{
    private readonly Option<string?> _selector = new("--selector", "-l") { Description = "Nodes by label, as in kubectl; looked up before each node.", HelpName = "labels" };
    private readonly Option<string?> _kubelet = new("--kubelet-below") { Description = "Only nodes with an older kubelet.", HelpName = "version" };
    private readonly Option<string?> _unavailable = new("--max-unavailable")
    {
        Description = "Nodes that may be unavailable at a time, those that are down included; or per cent of them. Default 1.",
        HelpName = "n|n%",
        Validators = { IsNumberOrPercent },
    };

    private readonly Option<string?> _zones = new("--zones") { Description = "Zones one after the other, in this order.", HelpName = "a,b" };
    private readonly Option<int?> _perZone = new("--max-per-zone") { Description = "Nodes of one zone that may be unavailable at a time.", HelpName = "n" };
    private readonly Option<int?> _canary = new("--canary") { Description = "Nodes that go first; the first that fails pauses the rollout. Default 0.", HelpName = "n" };
    private readonly Option<string?> _soak = CommonOptions.Duration("--soak", "How long the canary nodes are watched before the others follow. Default 0.");
    private readonly Option<string?> _pause = CommonOptions.Duration("--pause-between", "How long no node is taken after one is done. Default 0.");
    private readonly Option<string?> _order = CommonOptions.Choice(
        "--order", "Which goes first. Default as-given; selected nodes by name.", ("as-given", "AsGiven"), ("name", "Name"), ("load", "Load"));

    private readonly Option<int?> _failures = new("--failure-budget") { Description = "Nodes that may fail before --on-failures decides. Default 1: the first.", HelpName = "n" };
    private readonly Option<string?> _onFailures = CommonOptions.Choice("--on-failures", "When that many failed. Default pause.", ("pause", "Pause"), ("stop", "Stop"));
    private readonly Option<string?> _expected = CommonOptions.Duration("--expect-per-node", "How long a node takes, for windows, until one was seen to end.");
    private readonly PolicyOptions _policy = new();

    /// <summary>Gives a command all of these options.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_selector, _kubelet, _unavailable, _zones, _perZone, _canary, _soak, _pause, _order, _failures, _onFailures, _expected])
        {
            command.Options.Add(option);
        }

        _policy.AddTo(command);
    }

    /// <summary>The rollout these options ask for; what was not said stays out of it.</summary>
    public RolloutCreate Create(ParseResult result, IReadOnlyList<string> nodes)
    {
        var settings = _policy.Create(result, "");
        var unavailable = result.GetValue(_unavailable);
        var percent = unavailable?.EndsWith('%') == true;
        return new RolloutCreate
        {
            Nodes = nodes.Count == 0 ? null : nodes,
            Selector = result.GetValue(_selector),
            KubeletBelow = result.GetValue(_kubelet),
            MaxUnavailable = unavailable is null || percent ? null : int.Parse(unavailable),
            MaxUnavailablePercent = percent ? int.Parse(unavailable!.TrimEnd('%')) : null,
            Zones = Words(result.GetValue(_zones)),
            MaxPerZone = result.GetValue(_perZone),
            Canary = result.GetValue(_canary),
            Soak = result.GetValue(_soak),
            PauseBetween = result.GetValue(_pause),
            Order = result.GetValue(_order),
            FailureBudget = result.GetValue(_failures),
            OnFailures = result.GetValue(_onFailures),
            ExpectedPerNode = result.GetValue(_expected),
            Reason = settings.Reason,
            Maintenance = new MaintenanceSettings
            {
                Action = settings.Action,
                Drain = settings.Drain,
                VirtualMachines = settings.VirtualMachines,
                Health = settings.Health,
                OnFailure = settings.OnFailure,
                LeaseWait = settings.LeaseWait,
            },
        };
    }

    /// <summary>The words of a list with commas, or null.</summary>
    public static IReadOnlyList<string>? Words(string? list) => list?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static void IsNumberOrPercent(OptionResult result)
    {
        var text = result.Tokens is [var token] ? token.Value : "";
        if (!int.TryParse(text.EndsWith('%') ? text[..^1] : text, out var number) || number is < 1 or > 100)
        {
            result.AddError($"'{text}' is not allowed for --max-unavailable; give 1 to 100, or 1% to 100%.");
        }
    }
}
