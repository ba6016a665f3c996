using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// Watches the nodes' heartbeats: a node silent for 50 s becomes Unknown; taints say what is wrong with a node (unschedulable,
/// not-ready, unreachable); the pods of a node that is not ready are not ready either.
/// </summary>
internal sealed class NodeLifecycleController(ClusterContext cluster) : IController
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(50);
    private static readonly string[] Reported = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

    private readonly Dictionary<string, (string Sign, DateTimeOffset At)> _lastSeen = [];

    public IEnumerable<ObjectKey> Affected(Change change) =>
        (change.Type.Equals(ResourceTypes.Nodes) || (change.Type.Equals(ResourceTypes.Leases) && change.Namespace == "kube-node-lease"))
        && change.Kind != ChangeKind.Deleted
            ? [new(null, change.Name)]
            : [];

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Store.Get(ResourceTypes.Nodes, null, key.Name) is not { } node)
        {
            _lastSeen.Remove(key.Name);
            return null;
        }

        var silentAt = LastSeen(node) + Grace;
        if (silentAt <= cluster.Now && node.Condition("Ready").Text("status") != "Unknown")
        {
            node = cluster.Change(ResourceTypes.Nodes, node, MarkUnknown) ?? node;
        }

        UpdateTaints(node);
        if (!node.IsTrue("Ready"))
        {
            MarkPodsNotReady(key.Name);
        }

        return silentAt > cluster.Now ? silentAt - cluster.Now : null;
    }

    // The kubelet's own times may be wrong: what counts is when a new sign of life was seen here.
    private DateTimeOffset LastSeen(JsonObject node)
    {
        var name = node.NameOf();
        var sign = string.Concat(
            cluster.Store.Get(ResourceTypes.Leases, "kube-node-lease", name).Text("spec", "renewTime"),
            node.Condition("Ready").Text("lastHeartbeatTime"));
        if (!_lastSeen.TryGetValue(name, out var seen) || seen.Sign != sign)
        {
            _lastSeen[name] = seen = (sign, cluster.Now);
        }

        return seen.At;
    }

    private void MarkUnknown(JsonObject node)
    {
        foreach (var type in Reported)
        {
            var known = node.Condition(type) is not null;
            node.SetCondition(
                type,
                "Unknown",
                cluster.Now,
                known ? "NodeStatusUnknown" : "NodeStatusNeverUpdated",
                known ? "Kubelet stopped posting node status." : "Kubelet never posted node status.");
            node.Condition(type)!.Default("lastHeartbeatTime", node.Text("metadata", "creationTimestamp")!);
        }
    }

    private void UpdateTaints(JsonObject node)
    {
        var ready = node.Condition("Ready").Text("status");
        Update(ref node, "node.kubernetes.io/unschedulable", "NoSchedule", node.Flag("spec", "unschedulable"));
        Update(ref node, "node.kubernetes.io/not-ready", "NoSchedule", ready is "False" or null);
        Update(ref node, "node.kubernetes.io/unreachable", "NoSchedule", ready == "Unknown");
        Update(ref node, "node.kubernetes.io/not-ready", "NoExecute", ready == "False");
        Update(ref node, "node.kubernetes.io/unreachable", "NoExecute", ready == "Unknown");
    }

    private void Update(ref JsonObject node, string key, string effect, bool wanted)
    {
        var found = node.Objects("spec", "taints").Any(taint => taint.Text("key") == key && taint.Text("effect") == effect);
        if (found != wanted)
        {
            node = cluster.Change(ResourceTypes.Nodes, node, current => SetTaint(current, key, effect, wanted)) ?? node;
        }
    }

    private void SetTaint(JsonObject node, string key, string effect, bool wanted)
    {
        var spec = node.Ensure("spec");
        var taints = spec["taints"] as JsonArray ?? [];
        if (wanted)
        {
            taints.Add(new JsonObject { ["key"] = key, ["effect"] = effect, ["timeAdded"] = cluster.Now.Timestamp() });
        }
        else
        {
            taints.RemoveAll(taint => taint.Text("key") == key && taint.Text("effect") == effect);
        }

        if (taints.Count == 0)
        {
            spec.Remove("taints");
        }
        else if (taints.Parent is null)
        {
            spec["taints"] = taints;
        }
    }

    private void MarkPodsNotReady(string node)
    {
        foreach (var pod in cluster.Store.PodsOnNode(node).Where(Pods.IsReady))
        {
            cluster.Change(ResourceTypes.Pods, pod, current => current.SetCondition("Ready", "False", cluster.Now));
        }
    }
}
