using Drydock.Kubernetes;

namespace Drydock.Maintenance.Node;

/// <summary>What a node was before a maintenance changed it: the ledger of design D8, in the history and in the mark.</summary>
/// <param name="Unschedulable">It was cordoned.</param>
/// <param name="Taints">Those of our taints that were there before, with the value they had.</param>
/// <param name="ExcludeFromRemediation">The value of that label, or null.</param>
internal sealed record NodePrior(bool Unschedulable, IReadOnlyList<NodeTaint> Taints, string? ExcludeFromRemediation)
{
    /// <summary>The label that keeps node remediation away (facts 2.5: the value must be exactly this).</summary>
    public const string ExcludeLabel = "remediation.medik8s.io/exclude-from-remediation";

    /// <summary>The annotation that keeps the cluster autoscaler from removing a node that looks unused (facts 2.5).</summary>
    public const string ScaleDownAnnotation = "cluster-autoscaler.kubernetes.io/scale-down-disabled";

    /// <summary>The taint by which the Node Maintenance Operator, and so we, tell a node under maintenance (facts 2.1).</summary>
    public const string DrainTaint = "medik8s.io/drain";

    private const string Ours = "true";

    /// <summary>The mark holds <see cref="ScaleDownAnnotation"/> too; false in marks of older versions.</summary>
    public bool HoldsScaleDown { get; init; }

    /// <summary>The value of <see cref="ScaleDownAnnotation"/>, or null.</summary>
    public string? ScaleDownDisabled { get; init; }

    /// <summary>The taints of a maintenance, as the Node Maintenance Operator sets them (facts 2.1).</summary>
    public static IReadOnlyList<NodeTaint> OurTaints { get; } =
        [new("node.kubernetes.io/unschedulable", null, "NoSchedule"), new(DrainTaint, null, "NoSchedule")];

    /// <summary>Reads it off a node that is not marked.</summary>
    public static NodePrior Of(NodeSnapshot node) => new(
        node.Unschedulable,
        [.. node.Taints.Where(taint => OurTaints.Any(ours => IsSame(taint, ours)))],
        node.Labels.GetValueOrDefault(ExcludeLabel))
    {
        HoldsScaleDown = true,
        ScaleDownDisabled = node.Annotations.GetValueOrDefault(ScaleDownAnnotation),
    };

    /// <summary>The node, which is not marked, is still as it was read.</summary>
    public bool IsStill(NodeSnapshot node)
    {
        var now = Of(node) with { HoldsScaleDown = HoldsScaleDown };
        return LedgerJson.Write(HoldsScaleDown ? now : now with { ScaleDownDisabled = ScaleDownDisabled }) == LedgerJson.Write(this);
    }

    /// <summary>The change that marks the node as under maintenance.</summary>
    public NodeChange Mark(string holder) => new()
    {
        Unschedulable = true,
        AddTaints = [.. OurTaints.Select(ours => Taints.FirstOrDefault(taint => IsSame(taint, ours)) ?? ours)],
        Labels = One(ExcludeLabel, Ours),
        Annotations = HoldsScaleDown ? One(ScaleDownAnnotation, Ours) : new Dictionary<string, string?>(StringComparer.Ordinal),
        SetMark = new HoldMark(holder, LedgerJson.Write(this)),
    };

    /// <summary>The change that puts the node back: what was there before stays, what we added goes, what somebody changed since is theirs.</summary>
    public NodeChange Undo(NodeSnapshot node) => new()
    {
        Unschedulable = node.Unschedulable ? Unschedulable : null,
        RemoveTaints = [.. OurTaints.Where(ours => !Taints.Any(taint => IsSame(taint, ours)))],
        Labels = node.Labels.GetValueOrDefault(ExcludeLabel) == Ours
            ? One(ExcludeLabel, ExcludeFromRemediation)
            : new Dictionary<string, string?>(StringComparer.Ordinal),
        Annotations = HoldsScaleDown && node.Annotations.GetValueOrDefault(ScaleDownAnnotation) == Ours
            ? One(ScaleDownAnnotation, ScaleDownDisabled)
            : new Dictionary<string, string?>(StringComparer.Ordinal),
        ClearMark = true,
    };

    /// <summary>What of a maintenance is no longer on the node, in words; empty: all is there.</summary>
    public IReadOnlyList<string> Missing(NodeSnapshot node, string holder)
    {
        var missing = new List<string>();
        if (node.Mark?.HeldBy != holder)
        {
            missing.Add("our mark");
        }

        if (!node.Unschedulable)
        {
            missing.Add("the cordon");
        }

        missing.AddRange(OurTaints.Where(ours => !node.Taints.Any(taint => IsSame(taint, ours))).Select(ours => $"taint {ours.Key}"));
        if (node.Labels.GetValueOrDefault(ExcludeLabel) != Ours)
        {
            missing.Add($"label {ExcludeLabel}");
        }

        if (HoldsScaleDown && node.Annotations.GetValueOrDefault(ScaleDownAnnotation) != Ours)
        {
            missing.Add($"annotation {ScaleDownAnnotation}");
        }

        return missing;
    }

    /// <summary>
    /// Something stands on the node that only a maintenance of ours can have written. A cordon is no such thing: anybody may have made it.
    /// </summary>
    public bool HasTraces(NodeSnapshot node) =>
        OurTaints.Skip(1).Any(ours => !Taints.Any(taint => IsSame(taint, ours)) && node.Taints.Any(taint => IsSame(taint, ours)))
        || (ExcludeFromRemediation != Ours && node.Labels.GetValueOrDefault(ExcludeLabel) == Ours)
        || (HoldsScaleDown && ScaleDownDisabled != Ours && node.Annotations.GetValueOrDefault(ScaleDownAnnotation) == Ours);

    /// <summary>What the undo leaves as it is since it is not as we set it any more, in words; empty: nothing.</summary>
    public IReadOnlyList<string> Theirs(NodeSnapshot node)
    {
        var theirs = new List<string>();
        if (Unschedulable && !node.Unschedulable)
        {
            theirs.Add("it was cordoned before and is not any more");
        }

        theirs.AddRange(Taints.Where(prior => !node.Taints.Contains(prior)).Select(prior =>
            node.Taints.FirstOrDefault(taint => IsSame(taint, prior)) is { } now
                ? $"taint {prior.Key} has the value '{now.Value}'"
                : $"taint {prior.Key}, which was there before, is gone"));
        AddIfTheirs(theirs, "label", ExcludeLabel, node.Labels, ExcludeFromRemediation);
        if (HoldsScaleDown)
        {
            AddIfTheirs(theirs, "annotation", ScaleDownAnnotation, node.Annotations, ScaleDownDisabled);
        }

        return theirs;
    }

    private static void AddIfTheirs(List<string> theirs, string what, string key, IReadOnlyDictionary<string, string> values, string? prior)
    {
        var now = values.GetValueOrDefault(key);
        if (now != Ours && now != prior)
        {
            theirs.Add(now is null ? $"{what} {key}, which was '{prior}' before, is gone" : $"{what} {key} is '{now}'");
        }
    }

    private static Dictionary<string, string?> One(string key, string? value) => new(StringComparer.Ordinal) { [key] = value };

    private static bool IsSame(NodeTaint one, NodeTaint other) => one.Key == other.Key && one.Effect == other.Effect;
}
