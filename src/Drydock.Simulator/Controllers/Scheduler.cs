using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Binds pods to nodes, or says why it cannot, in the real scheduler's words.</summary>
internal sealed class Scheduler(ClusterContext cluster) : IController
{
    private const string Name = "default-scheduler";

    private const int EnoughNodes = 100;

    private readonly HashSet<ObjectKey> _waiting = [];
    private readonly Dictionary<string, NodeLoad> _loads = [];
    private readonly Dictionary<string, JsonObject> _wide = [];
    private int _nextNode;

    /// <summary>While a scenario starts: the node it wants for a pod.</summary>
    public Func<JsonObject, string?>? Prefer { get; set; }

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.Pods))
        {
            Weigh(change);
            var own = NeedsNode(change) ? (ObjectKey[])[change.Object.Key()] : [];
            return FreesRoom(change) ? own.Concat(_waiting) : own;
        }

        if (!change.Type.Equals(ResourceTypes.Nodes) || !MattersToScheduling(change))
        {
            return [];
        }

        _loads.Remove(change.Name);
        return [.. _waiting];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        _waiting.Remove(key);
        if (cluster.Get(ResourceTypes.Pods, key) is not { } pod || pod.Node() is not null || !pod.IsActive()
            || pod.Objects("spec", "schedulingGates").Any())
        {
            return null;
        }

        var nodes = cluster.Store.Snapshot(ResourceTypes.Nodes, null).Items;
        var needs = new PodNeeds(pod, _wide.Values, cluster);
        var (best, misfits) = Choose(needs, nodes);
        if (best is null)
        {
            _waiting.Add(key);
            Refuse(pod, nodes.Count, misfits);
        }
        else
        {
            Bind(pod, (Preferred(needs) ?? best).Tree);
        }

        return null;
    }

    private StoredObject? Preferred(PodNeeds needs) =>
        Prefer?.Invoke(needs.Pod) is { } wanted && cluster.Store.Find(ResourceTypes.Nodes, null, wanted) is { } node
        && SchedulingRules.Check(needs, node, LoadOf(node), cluster.Store.PodsOnNode) is null
            ? node
            : null;

    // Replicas spread: the node with the fewest of the same owner, then the fewest pods. In a large cluster not all nodes are looked at,
    // only as many as needed to find a hundred that fit, each time from where the last look ended (percentageOfNodesToScore).
    private (StoredObject? Best, List<Misfit> Misfits) Choose(PodNeeds needs, ObjectList nodes)
    {
        var misfits = new List<Misfit>();
        var (best, least, fitting, looked) = ((StoredObject?)null, int.MaxValue, 0, 0);
        var start = nodes.Count > EnoughNodes ? _nextNode % nodes.Count : 0;
        for (; looked < nodes.Count && fitting < EnoughNodes; looked++)
        {
            var node = nodes[(start + looked) % nodes.Count];
            var load = LoadOf(node);
            if (SchedulingRules.Check(needs, node, load, cluster.Store.PodsOnNode) is { } misfit)
            {
                misfits.Add(misfit);
                continue;
            }

            fitting++;
            var cost = (load.OfSameOwner(needs) * 1000) + load.Pods;
            (best, least) = cost < least ? (node, cost) : (best, least);
        }

        _nextNode = start + looked;
        return (best, misfits);
    }

    private static bool NeedsNode(Change change) =>
        change.Kind != ChangeKind.Deleted && change.Object.Node() is null && (change.Object.Text("spec", "schedulerName") ?? Name) == Name
        && !JsonNode.DeepEquals(change.Before.At("spec"), change.Object.At("spec"));

    private static bool FreesRoom(Change change) =>
        change.Kind == ChangeKind.Deleted || (change.Object.IsFinished() && !change.Before.IsFinished());

    private static bool MattersToScheduling(Change change) =>
        change.Before is null || !JsonNode.DeepEquals(change.Before.At("spec"), change.Object.At("spec"))
        || !JsonNode.DeepEquals(change.Before.At("metadata", "labels"), change.Object.At("metadata", "labels"))
        || !JsonNode.DeepEquals(change.Before.At("status", "allocatable"), change.Object.At("status", "allocatable"));

    private NodeLoad LoadOf(StoredObject node)
    {
        if (!_loads.TryGetValue(node.Name, out var load))
        {
            _loads[node.Name] = load = new(node.Tree, cluster.Store.PodsOnNode(node.Name));
        }

        return load;
    }

    private void Weigh(Change change)
    {
        var pod = change.Object;
        var counts = change.Kind != ChangeKind.Deleted && !pod.IsFinished();
        if (counts && AntiAffinity.WideTermsOf(pod).Any())
        {
            _wide[pod.UidOf()] = pod;
        }
        else if (!counts)
        {
            _wide.Remove(pod.UidOf());
        }

        if (pod.Node() is not { } node || !_loads.TryGetValue(node, out var load))
        {
            return;
        }

        if (counts)
        {
            load.Add(pod);
        }
        else
        {
            load.Remove(pod.UidOf());
        }
    }

    private void Bind(JsonObject pod, JsonObject node)
    {
        var bound = cluster.Change(ResourceTypes.Pods, pod, current =>
        {
            if (current.Node() is not null)
            {
                return;
            }

            current.Ensure("spec")["nodeName"] = node.NameOf();
            foreach (var topology in (string[])["topology.kubernetes.io/region", "topology.kubernetes.io/zone"])
            {
                current.Set(node.Label(topology), "metadata", "labels", topology);
            }

            current.RemoveCondition("PodScheduled");
            PodStatuses.SetPodCondition(current, "PodScheduled", true, cluster.Now);
        });
        if (bound is not null)
        {
            cluster.Events.Normal(
                ResourceTypes.Pods, bound, "Scheduled", $"Successfully assigned {bound.NamespaceOf()}/{bound.NameOf()} to {node.NameOf()}", Name);
        }
    }

    private void Refuse(JsonObject pod, int nodes, List<Misfit> misfits)
    {
        var message = Message(nodes, misfits);
        if (pod.Condition("PodScheduled").Text("message") == message)
        {
            return;
        }

        cluster.Change(ResourceTypes.Pods, pod, current =>
        {
            current.SetCondition("PodScheduled", "False", cluster.Now, "Unschedulable", message);
            var condition = current.Condition("PodScheduled")!;
            condition["observedGeneration"] = current.Number("metadata", "generation") ?? 1;
            condition["lastProbeTime"] = null;
        });
        cluster.Events.Warning(ResourceTypes.Pods, pod, "FailedScheduling", message, Name);
    }

    private static string Message(int nodes, List<Misfit> misfits)
    {
        if (nodes == 0)
        {
            return "no nodes available to schedule pods";
        }

        var reasons = Counted(misfits.SelectMany(each => each.Reasons));
        var preemption = Counted(misfits.Select(each => each.PreemptionMayHelp
            ? "No preemption victims found for incoming pod"
            : "Preemption is not helpful for scheduling"));
        return $"0/{nodes} nodes are available: {reasons}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: {preemption}.";
    }

    private static string Counted(IEnumerable<string> reasons) => string.Join(
        ", ", reasons.GroupBy(each => each).Select(each => $"{each.Count()} {each.Key}").Order(StringComparer.Ordinal));
}
