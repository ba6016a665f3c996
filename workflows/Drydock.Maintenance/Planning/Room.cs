using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>
/// What is free on the nodes that are left, by the filters of the scheduler in their order, in its words: those of <see cref="NodeFilters"/>,
/// NodePorts, NodeResourcesFit, VolumeBinding and those of <see cref="PodFilters"/>. It knows nothing of limits of volumes, claims of devices
/// and preemption.
/// </summary>
internal sealed class Room
{
    private readonly List<Free> _free;
    private readonly PodFilters _neighbours;
    private readonly ILookup<ObjectRef, VolumePlace> _volumes;

    /// <summary>What is free beside the pods that stay.</summary>
    /// <param name="nodes">The nodes that are left.</param>
    /// <param name="pods">The pods of the cluster that stay; those that have finished take nothing.</param>
    /// <param name="drained">The nodes that are drained: they take nothing, and count where pods are to be spread.</param>
    /// <param name="volumes">Where the volumes of claims can be used.</param>
    public Room(
        IEnumerable<NodeSnapshot> nodes, IEnumerable<PodSnapshot> pods, IReadOnlyList<NodeSnapshot>? drained = null, IEnumerable<VolumePlace>? volumes = null)
    {
        var used = pods.Where(pod => pod is { Node: not null, IsFinished: false }).ToLookup(pod => pod.Node!, StringComparer.Ordinal);
        _free = [.. nodes.Select(node => new Free(node, used[node.Name]))];
        IReadOnlyList<NodeSnapshot> all = [.. _free.Select(free => free.Node), .. drained ?? []];
        _neighbours = new PodFilters(all, all.SelectMany(node => used[node.Name].Select(pod => new PlacedPod(pod, node))));
        _volumes = (volumes ?? []).ToLookup(volume => volume.Claim);
    }

    /// <summary>Places a pod on the node with the most free memory that can take it. Null, or why none can, as the scheduler says it.</summary>
    public string? Take(PodSnapshot pod)
    {
        var needs = Wants(pod);
        var asks = NodeFilters.AsksOf(pod);
        var volumes = pod.Claims.SelectMany(claim => _volumes[new ObjectRef(pod.Ref.Namespace, claim)]).ToList();
        var repels = _neighbours.For(pod, asks);
        var answers = _free.Select(free => (Free: free, Misfit: Misfit(free))).ToList();
        if (answers.Where(answer => answer.Misfit.Count == 0).Select(answer => answer.Free).MaxBy(free => free.Memory) is { } best)
        {
            best.Take(needs, asks.HostPorts);
            _neighbours.Place(pod, best.Node);
            return null;
        }

        var reasons = answers.SelectMany(answer => answer.Misfit).CountBy(reason => reason, StringComparer.Ordinal)
            .Select(reason => $"{reason.Value} {reason.Key}").Order(StringComparer.Ordinal).ToList();
        return $"0/{_free.Count} nodes are available{(reasons.Count == 0 ? "" : ": " + string.Join(", ", reasons))}.";

        // The first filter that says no, and of the resources every one that is short; nothing if it can.
        IReadOnlyList<string> Misfit(Free free)
        {
            if ((NodeFilters.WhyNot(asks, free.Node) ?? free.PortTaken(asks.HostPorts)) is { } no)
            {
                return [no];
            }

            return free.Short(needs) is { Count: > 0 } lacks ? lacks
                : volumes.Exists(volume => !volume.Terms.Any(term => term.Matches(free.Node))) ? ["node(s) didn't match PersistentVolume's node affinity"]
                : repels(free.Node) is { } why ? [why]
                : [];
        }
    }

    private static Dictionary<string, long> Wants(PodSnapshot pod) => new(pod.OtherRequests, StringComparer.Ordinal)
    {
        ["cpu"] = pod.RequestedMilliCpu,
        ["memory"] = pod.RequestedMemory,
    };

    /// <summary>One node.</summary>
    private sealed class Free
    {
        private readonly Dictionary<string, long> _amounts;
        private readonly List<HostPort> _ports = [];
        private long? _pods;

        public Free(NodeSnapshot node, IEnumerable<PodSnapshot> pods)
        {
            Node = node;
            _pods = node.AllocatablePods;
            _amounts = new(node.OtherAllocatable, StringComparer.Ordinal) { ["cpu"] = node.AllocatableMilliCpu, ["memory"] = node.AllocatableMemory };
            foreach (var pod in pods)
            {
                Take(Wants(pod), pod.Placement.HostPorts);
            }
        }

        public NodeSnapshot Node { get; }

        public long Memory => Amount("memory");

        public void Take(Dictionary<string, long> needs, IEnumerable<HostPort> ports)
        {
            _pods--;
            _ports.AddRange(ports);
            foreach (var (name, amount) in needs)
            {
                _amounts[name] = Amount(name) - amount;
            }
        }

        /// <summary>That a port is taken, or null.</summary>
        public string? PortTaken(IReadOnlyList<HostPort> wanted) =>
            wanted.Any(port => _ports.Exists(port.CollidesWith)) ? "node(s) didn't have free ports for the requested pod ports" : null;

        /// <summary>Every resource that is short.</summary>
        public IReadOnlyList<string> Short(Dictionary<string, long> needs) =>
        [
            .. _pods < 1 ? ["Too many pods"] : (string[])[],
            .. needs.Where(need => need.Value > 0 && need.Value > Amount(need.Key)).Select(need => $"Insufficient {need.Key}"),
        ];

        private long Amount(string name) => _amounts.GetValueOrDefault(name);
    }
}
