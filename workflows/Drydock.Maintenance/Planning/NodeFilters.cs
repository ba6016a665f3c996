using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>
/// The filters of the scheduler that look at a node alone, in their order and words: NodeUnschedulable, TaintToleration, NodeAffinity. A node
/// that is not Ready takes nothing either: it carries a taint soon.
/// </summary>
internal static class NodeFilters
{
    // KubeVirt's label of the target pod of a migration.
    private const string MigrationTarget = "kubevirt.io/migrationJobUID";

    private const string HostName = "kubernetes.io/hostname";

    /// <summary>The uid of the migration that the launcher was made for, or null. It is kept when the migration is over.</summary>
    public static string? MigrationOf(PodSnapshot pod) => pod.IsVirtLauncher ? pod.Labels.GetValueOrDefault(MigrationTarget) : null;

    /// <summary>Why the node does not take the pod, or null.</summary>
    public static string? WhyNot(PodPlacement asks, NodeSnapshot node) =>
        asks.IsKeptOffByCordon(node) ? "node(s) were unschedulable"
        : asks.FirstUntolerated(node) is not null ? "node(s) had untolerated taint(s)"
        : !node.IsReady ? "node(s) were not ready"
        : !asks.Selects(node) ? "node(s) didn't match Pod's node affinity/selector"
        : null;

    /// <summary>What its replacement asks: the target of a migration may have been pinned to its node, the next one is not.</summary>
    public static PodPlacement AsksOf(PodSnapshot pod) => MigrationOf(pod) is not null
        ? pod.Placement with
        {
            NodeSelector = pod.Placement.NodeSelector.Where(pair => pair.Key != HostName).ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal),
        }
        : pod.Placement;
}
