using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Watching;

/// <summary>Whom a change concerns.</summary>
/// <param name="Everyone">All who wait.</param>
/// <param name="Nodes">Else those who wait for one of these nodes.</param>
internal sealed record Concern(bool Everyone, IReadOnlyCollection<string> Nodes)
{
    /// <summary>Pods alone changed, and none of them is that of a machine.</summary>
    public bool IsOfPodsOnly { get; init; }

    /// <summary>A budget alone changed: who waits for a machine is concerned only by those that cover one of its <see cref="Nodes"/>.</summary>
    public bool IsOfBudget { get; init; }

    /// <summary>It may be anybody's, but hardly is that of a machine of another node than <see cref="Nodes"/>: who waits for one has time.</summary>
    public bool IsElsewhere { get; init; }

    public static readonly Concern Nobody = new(Everyone: false, []);
    public static readonly Concern All = new(Everyone: true, []);

    /// <summary>These nodes at once, and everyone in a while.</summary>
    public static Concern Elsewhere(params IEnumerable<string?> nodes) => Of(nodes) with { Everyone = true, IsElsewhere = true };

    public static Concern Of(params IEnumerable<string?> nodes) =>
        new(Everyone: false, [.. nodes.Where(node => !string.IsNullOrEmpty(node)).Select(node => node!).Distinct(StringComparer.Ordinal)]);
}

/// <summary>What of a node can matter: everything but the heartbeat, which the kubelet writes every few seconds, and images.</summary>
internal sealed record NodeState(string Name, bool TakesPods, ulong Rest)
{
    public static NodeState From(JsonElement node)
    {
        var snapshot = NodeSnapshots.From(node);
        return new NodeState(
            snapshot.Name,
            snapshot is { Unschedulable: false, IsReady: true } && snapshot.KubeVirtSchedulable != false
                && !snapshot.Taints.Any(taint => taint.Effect is "NoSchedule" or "NoExecute"),
            Fingerprint.Of(
            [
                snapshot.Uid,
                snapshot.BootId,
                snapshot.KubeletVersion,
                node.Text("metadata", "deletionTimestamp"),
                Raw(node.At("spec")),
                Raw(node.At("metadata", "labels")),
                Raw(node.At("metadata", "annotations")),
                Raw(node.At("status", "allocatable")),
                .. snapshot.Conditions.Select(condition => $"{condition.Type}={condition.Status} {condition.Reason}"),
            ]));
    }

    /// <summary>A node's own maintenance wants every change; the others only that it takes pods again.</summary>
    public static Concern Concerns(NodeState? before, NodeState? after) =>
        before == after ? Concern.Nobody
        : after is { TakesPods: true } && before is not { TakesPods: true } ? Concern.Elsewhere(after.Name)
        : Concern.Of((after ?? before)!.Name);

    private static string Raw(JsonElement element) => element.ValueKind == JsonValueKind.Undefined ? "" : element.GetRawText();
}

/// <summary>What of a pod can matter: that it ends, is gone, or becomes ready.</summary>
/// <param name="IsLauncher">It is that of a machine.</param>
/// <param name="IsGoing">It terminates.</param>
/// <param name="Life">What only another life, its end or a hand at it changes.</param>
/// <param name="Rest">What else.</param>
internal sealed record PodState(bool IsLauncher, bool IsGoing, ulong Life, ulong Rest)
{
    /// <summary>The pod as it was seen, if it is that of a machine: whether a budget covers it can matter. It makes no difference between two states.</summary>
    public PodSnapshot? Launcher { get; init; }

    public static PodState From(JsonElement pod)
    {
        var snapshot = PodSnapshots.From(pod);
        return new PodState(
            snapshot.IsVirtLauncher,
            snapshot.GoneBy is not null,
            Fingerprint.Of(
            [
                snapshot.Uid,
                snapshot.Node,
                snapshot.Phase,
                string.Join(',', snapshot.Finalizers),
                string.Join(',', snapshot.Labels.Select(label => $"{label.Key}={label.Value}")),
            ]),
            Fingerprint.Of(
            [
                snapshot.IsReady ? "ready" : "",
                pod.Text("metadata", "deletionTimestamp"),
                snapshot.UnschedulableMessage is null ? "" : "unschedulable",
            ]))
        {
            Launcher = snapshot.IsVirtLauncher ? snapshot : null,
        };
    }

    public bool Equals(PodState? other) =>
        other is not null && (IsLauncher, IsGoing, Life, Rest) == (other.IsLauncher, other.IsGoing, other.Life, other.Rest);

    public override int GetHashCode() => HashCode.Combine(IsLauncher, IsGoing, Life, Rest);

    /// <summary>Concerns its node; but that it begins to go, or is not ready while it goes, is no news: that it is gone will be.</summary>
    public static Concern Concerns(string node, PodState? before, PodState? after) =>
        before is not null && after is { IsGoing: true, IsLauncher: false } && before.Life == after.Life
            ? Concern.Nobody
            : Concern.Of(node) with { IsOfPodsOnly = before is not { IsLauncher: true } && after is not { IsLauncher: true } };
}

/// <summary>What of a budget can matter: it allows more, it is another one, it goes, its controller caught up.</summary>
internal sealed record BudgetState(int Allowed, bool IsObserved, ulong Spec)
{
    /// <summary>The budget as it was seen.</summary>
    public BudgetSnapshot? Snapshot { get; init; }

    public static BudgetState From(JsonElement budget)
    {
        var snapshot = BudgetSnapshots.From(budget);
        var spec = budget.At("spec");
        return new BudgetState(
            snapshot.DisruptionsAllowed,
            snapshot.IsObserved,
            Fingerprint.Of([budget.Uid(), spec.ValueKind == JsonValueKind.Undefined ? "" : spec.GetRawText()]))
        {
            Snapshot = snapshot,
        };
    }

    /// <summary>A budget that allows less wakes nobody: nothing can be done that could not be done before.</summary>
    /// <param name="before">What it was.</param>
    /// <param name="after">What it is.</param>
    /// <param name="machinesOn">The nodes with a machine whose pod it covers.</param>
    public static Concern Concerns(BudgetState? before, BudgetState? after, IEnumerable<string> machinesOn) =>
        before is null || after is null
        || after.Spec != before.Spec
        || after.Allowed > before.Allowed
        || (after.IsObserved && !before.IsObserved)
            ? Concern.Of(machinesOn) with { Everyone = true, IsOfBudget = true }
            : Concern.Nobody;
}

/// <summary>What of a virtual machine instance can matter.</summary>
internal sealed record VmiState(ObjectRef Ref, string? Node, bool IsUp, ulong Rest)
{
    private static readonly string[] MigrationFields =
        ["migrationUid", "sourceNode", "targetNode", "completed", "failed", "abortRequested", "abortStatus", "failureReason"];

    public static VmiState From(JsonElement vmi)
    {
        var snapshot = KubeVirtSnapshots.Vmi(vmi);
        var migration = vmi.At("status", "migrationState");
        return new VmiState(
            snapshot.Ref,
            snapshot.Node,
            snapshot.Phase == "Running" && snapshot.Ready?.Status == "True",
            Fingerprint.Of(
            [
                snapshot.Uid,
                snapshot.Phase,
                snapshot.EvictionStrategy,
                snapshot.EvacuationNode,
                vmi.Text("metadata", "deletionTimestamp"),
                snapshot.LiveMigratable?.Status + snapshot.LiveMigratable?.Reason,
                snapshot.Ready?.Status + snapshot.Ready?.Reason,
                .. MigrationFields.Select(field => migration.Text(field) ?? migration.Flag(field)?.ToString()),
            ]));
    }

    /// <summary>A machine without a node, or one that came up, may be anybody's; else it concerns the nodes it was on.</summary>
    /// <param name="before">What it was.</param>
    /// <param name="after">What it is.</param>
    /// <param name="seenOn">The nodes on which an instance of this name was seen: a machine that restarts elsewhere concerns the node it left.</param>
    public static Concern Concerns(VmiState? before, VmiState? after, IEnumerable<string> seenOn) =>
        before == after ? Concern.Nobody
        : after is not null && (after.Node is null || (after.IsUp && before is not { IsUp: true })) ? Concern.Elsewhere([before?.Node, after?.Node, .. seenOn])
        : Concern.Of([before?.Node, after?.Node, .. seenOn]);
}

/// <summary>What of a migration can matter.</summary>
internal sealed record MigrationState(ObjectRef Vmi, string? Source, string? Target, ulong Rest)
{
    /// <summary>The migration as it was seen, until it has finished. It makes no difference between two states.</summary>
    public MigrationSnapshot? Snapshot { get; init; }

    public static MigrationState From(JsonElement migration)
    {
        var snapshot = KubeVirtSnapshots.Migration(migration);
        return new MigrationState(
            snapshot.Vmi,
            snapshot.SourceNode,
            snapshot.TargetNode,
            Fingerprint.Of(
            [
                snapshot.Uid,
                snapshot.Phase,
                snapshot.FailureReason,
                snapshot.IsBeingDeleted ? "deleting" : "",
                .. migration.Conditions().Select(condition => $"{condition.Type}={condition.Status}"),
            ]))
        {
            Snapshot = snapshot.IsFinished ? null : snapshot,
        };
    }

    public bool Equals(MigrationState? other) =>
        other is not null && (Vmi, Source, Target, Rest) == (other.Vmi, other.Source, other.Target, other.Rest);

    public override int GetHashCode() => HashCode.Combine(Vmi, Source, Target, Rest);

    /// <summary>Concerns the nodes of the instance; everyone if none is known.</summary>
    public static Concern Concerns(MigrationState? before, MigrationState? after, IEnumerable<string> seenOn)
    {
        if (before == after)
        {
            return Concern.Nobody;
        }

        var nodes = Concern.Of([before?.Source, before?.Target, after?.Source, after?.Target, .. seenOn]);
        return nodes.Nodes.Count == 0 ? Concern.Elsewhere() : nodes;
    }
}

/// <summary>Eight bytes that differ when the texts do.</summary>
internal static class Fingerprint
{
    public static ulong Of(IEnumerable<string?> texts) =>
        BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', texts))));
}
