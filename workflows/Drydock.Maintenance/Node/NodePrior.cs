using Drydock.Kubernetes;

namespace Drydock.Maintenance.Node;

/// <summary>What a node was before a maintenance changed it: the ledger of design D8, in the history and in the mark.</summary>
/// <param name="Unschedulable">It was cordoned.</param>
/// <param name="Taints">Those of our taints that were there before.</param>
/// <param name="ExcludeFromRemediation">The value of that label, or null.</param>
internal sealed record NodePrior(bool Unschedulable, IReadOnlyList<NodeTaint> Taints, string? ExcludeFromRemediation)
{
    /// <summary>The label that keeps node remediation away (facts 2.5: the value must be exactly this).</summary>
    public const string ExcludeLabel = "remediation.medik8s.io/exclude-from-remediation";

    /// <summary>The taints of a maintenance, as the Node Maintenance Operator sets them (facts 2.1).</summary>
    public static IReadOnlyList<NodeTaint> OurTaints { get; } =
        [new("node.kubernetes.io/unschedulable", null, "NoSchedule"), new("medik8s.io/drain", null, "NoSchedule")];

    /// <summary>Reads it off a node that is not marked.</summary>
    public static NodePrior Of(NodeSnapshot node) => new(
        node.Unschedulable,
        [.. OurTaints.Where(ours => node.Taints.Any(taint => IsSame(taint, ours)))],
        node.Labels.GetValueOrDefault(ExcludeLabel));

    /// <summary>The change that marks the node as under maintenance.</summary>
    public NodeChange Mark(string holder) => new()
    {
        Unschedulable = true,
        AddTaints = OurTaints,
        Labels = new Dictionary<string, string?>(StringComparer.Ordinal) { [ExcludeLabel] = "true" },
        SetMark = new HoldMark(holder, LedgerJson.Write(this)),
    };

    /// <summary>The change that puts the node back: what was there before stays, what we added goes.</summary>
    public NodeChange Undo() => new()
    {
        Unschedulable = Unschedulable,
        RemoveTaints = [.. OurTaints.Where(ours => !Taints.Any(taint => IsSame(taint, ours)))],
        Labels = new Dictionary<string, string?>(StringComparer.Ordinal) { [ExcludeLabel] = ExcludeFromRemediation },
        ClearMark = true,
    };

    private static bool IsSame(NodeTaint one, NodeTaint other) => one.Key == other.Key && one.Effect == other.Effect;
}
