using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>
/// What is free on the nodes that are left, by the filters of the scheduler in their order, in its words: NodeUnschedulable, TaintToleration,
/// NodeAffinity, NodeResourcesFit. It knows nothing of volumes, host ports and rules between pods.
/// </summary>
internal sealed class Room
{
    // KubeVirt's label of the target pod of a migration.
    private const string MigrationTarget = "kubevirt.io/migrationJobUID";

    private readonly List<Free> _free;

    /// <summary>What is free beside the pods that stay.</summary>
    /// <param name="nodes">The nodes that are left.</param>
    /// <param name="pods">All pods of the cluster; those that have finished take nothing.</param>
    public Room(IEnumerable<NodeSnapshot> nodes, IEnumerable<PodSnapshot> pods)
    {
        var used = pods.Where(pod => pod is { Node: not null, IsFinished: false }).ToLookup(pod => pod.Node!, StringComparer.Ordinal);
        _free = [.. nodes.Select(node => new Free(node, used[node.Name]))];
    }

    /// <summary>Places a pod on the node with the most free memory that can take it. Null, or why none can, as the scheduler says it.</summary>
    public string? Take(PodSnapshot pod)
    {
        var needs = Wants(pod);
        var asks = Asks(pod);
        var answers = _free.Select(node => (Node: node, Misfit: node.Misfit(asks, needs))).ToList();
        if (answers.Where(answer => answer.Misfit.Count == 0).Select(answer => answer.Node).MaxBy(node => node.Memory) is { } best)
        {
            best.Take(needs);
            return null;
        }

        var reasons = answers.SelectMany(answer => answer.Misfit).CountBy(reason => reason, StringComparer.Ordinal)
            .Select(reason => $"{reason.Value} {reason.Key}").Order(StringComparer.Ordinal).ToList();
        return $"0/{_free.Count} nodes are available{(reasons.Count == 0 ? "" : ": " + string.Join(", ", reasons))}.";
    }

    // The target of a migration may have been pinned to its node: the next one is not.
    private static PodPlacement Asks(PodSnapshot pod) => pod.IsVirtLauncher && pod.Labels.ContainsKey(MigrationTarget)
        ? pod.Placement with
        {
            NodeSelector = pod.Placement.NodeSelector.Where(pair => pair.Key != "kubernetes.io/hostname")
                .ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal),
        }
        : pod.Placement;

    private static Dictionary<string, long> Wants(PodSnapshot pod) => new(pod.OtherRequests, StringComparer.Ordinal)
    {
        ["cpu"] = pod.RequestedMilliCpu,
        ["memory"] = pod.RequestedMemory,
    };

    /// <summary>One node.</summary>
    private sealed class Free
    {
        private readonly NodeSnapshot _node;
        private readonly Dictionary<string, long> _amounts;
        private long? _pods;

        public Free(NodeSnapshot node, IEnumerable<PodSnapshot> pods)
        {
            _node = node;
            _pods = node.AllocatablePods;
            _amounts = new(node.OtherAllocatable, StringComparer.Ordinal) { ["cpu"] = node.AllocatableMilliCpu, ["memory"] = node.AllocatableMemory };
            foreach (var pod in pods)
            {
                Take(Wants(pod));
            }
        }

        public long Memory => Amount("memory");

        public void Take(Dictionary<string, long> needs)
        {
            _pods--;
            foreach (var (name, amount) in needs)
            {
                _amounts[name] = Amount(name) - amount;
            }
        }

        /// <summary>Why it cannot take it: the first filter that says no, and every resource that is short; nothing if it can.</summary>
        public IReadOnlyList<string> Misfit(PodPlacement asks, Dictionary<string, long> needs) =>
            asks.IsKeptOffByCordon(_node) ? ["node(s) were unschedulable"]
            : asks.FirstUntolerated(_node) is not null ? ["node(s) had untolerated taint(s)"]
            : !_node.IsReady ? ["node(s) were not ready"]
            : !asks.Selects(_node) ? ["node(s) didn't match Pod's node affinity/selector"]
            : [
                .. _pods < 1 ? ["Too many pods"] : (string[])[],
                .. needs.Where(need => need.Value > 0 && need.Value > Amount(need.Key)).Select(need => $"Insufficient {need.Key}"),
            ];

        private long Amount(string name) => _amounts.GetValueOrDefault(name);
    }
}
