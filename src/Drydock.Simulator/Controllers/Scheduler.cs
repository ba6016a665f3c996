using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Binds pods to nodes, or says why it cannot, in the real scheduler's words.</summary>
internal sealed class Scheduler(ClusterContext cluster) : IController
{
    private const string Name = "default-scheduler";

    private readonly HashSet<ObjectKey> _waiting = [];
    private readonly Dictionary<string, NodeLoad> _loads = [];

    /// <summary>While a scenario starts: the node it wants for a pod.</summary>
    public Func<JsonObject, string?>? Prefer { get; set; }

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.Pods))
        {
            ForgetLoad(change.Object.Node());
            ForgetLoad(change.Before.Node());
            var own = NeedsNode(change) ? (ObjectKey[])[change.Object.Key()] : [];
            return FreesRoom(change) ? own.Concat(_waiting) : own;
        }

        return change.Type.Equals(ResourceTypes.Nodes) && MattersToScheduling(change) ? [.. _waiting] : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        _waiting.Remove(key);
        if (cluster.Get(ResourceTypes.Pods, key) is not { } pod || pod.Node() is not null || !pod.IsActive()
            || pod.Objects("spec", "schedulingGates").Any())
        {
            return null;
        }

        var nodes = cluster.Store.List(ResourceTypes.Nodes);
        var misfits = new List<Misfit>();
        var fitting = new List<(JsonObject Node, int Pods)>();
        foreach (var node in nodes)
        {
            var load = LoadOf(node.NameOf());
            if (SchedulingRules.Check(pod, node, load) is { } misfit)
            {
                misfits.Add(misfit);
            }
            else
            {
                // Replicas spread: the node with the fewest of the same owner, then the fewest pods.
                fitting.Add((node, (load.OfSameOwner(pod) * 1000) + load.Pods));
            }
        }

        if (fitting.Count == 0)
        {
            _waiting.Add(key);
            Refuse(pod, nodes.Count, misfits);
        }
        else
        {
            var wanted = Prefer?.Invoke(pod);
            Bind(pod, fitting.Find(each => each.Node.NameOf() == wanted).Node ?? fitting.MinBy(each => each.Pods).Node);
        }

        return null;
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

    private NodeLoad LoadOf(string node)
    {
        if (!_loads.TryGetValue(node, out var load))
        {
            _loads[node] = load = new(cluster.Store.PodsOnNode(node));
        }

        return load;
    }

    private void ForgetLoad(string? node)
    {
        if (node is not null)
        {
            _loads.Remove(node);
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

        var reasons = Counted(misfits.Select(each => each.Reason));
        var preemption = Counted(misfits.Select(each => each.PreemptionMayHelp
            ? "No preemption victims found for incoming pod"
            : "Preemption is not helpful for scheduling"));
        return $"0/{nodes} nodes are available: {reasons}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: {preemption}.";
    }

    private static string Counted(IEnumerable<string> reasons) => string.Join(
        ", ", reasons.GroupBy(each => each).Select(each => $"{each.Count()} {each.Key}").Order(StringComparer.Ordinal));
}
