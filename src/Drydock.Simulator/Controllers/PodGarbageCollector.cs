using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// Removes by force the pods nobody will end any more: those of a node that no longer exists, 40 s after it went, and those being deleted
/// on a node that is not ready and tainted <c>node.kubernetes.io/out-of-service</c>. Source: pod-garbage-collector-controller.
/// </summary>
internal sealed class PodGarbageCollector(ClusterContext cluster) : IController
{
    private const string OutOfService = "node.kubernetes.io/out-of-service";
    private static readonly TimeSpan Quarantine = TimeSpan.FromSeconds(40);

    private readonly Dictionary<string, DateTimeOffset> _goneSince = [];

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.Pods))
        {
            var bound = change.Kind != ChangeKind.Deleted && change.Object.Node() is not null
                && (change.Object.Node() != change.Before.Node() || change.Object.IsDeleting());
            return bound ? [new(null, change.Object.Node()!)] : [];
        }

        return change.Type.Equals(ResourceTypes.Nodes) && (change.Kind == ChangeKind.Deleted || IsOutOfService(change.Object))
            ? [new(null, change.Name)]
            : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Store.Get(ResourceTypes.Nodes, null, key.Name) is { } node)
        {
            _goneSince.Remove(key.Name);
            if (IsOutOfService(node) && !node.IsTrue("Ready"))
            {
                Remove(key.Name, pod => pod.IsDeleting(), "PodGC: node is out-of-service");
            }

            return null;
        }

        if (cluster.Store.PodsOnNode(key.Name).Count == 0)
        {
            return null;
        }

        _goneSince.TryAdd(key.Name, cluster.Now);
        if (cluster.Until(_goneSince[key.Name] + Quarantine) is { Ticks: > 0 } left)
        {
            return left;
        }

        Remove(key.Name, _ => true, "PodGC: node no longer exists");
        return null;
    }

    private static bool IsOutOfService(JsonObject node) => node.Objects("spec", "taints").Any(taint => taint.Text("key") == OutOfService);

    private void Remove(string node, Func<JsonObject, bool> which, string message)
    {
        foreach (var pod in cluster.Store.PodsOnNode(node).Where(which))
        {
            if (!pod.IsFinished())
            {
                cluster.Change(ResourceTypes.Pods, pod, current =>
                {
                    current.SetCondition("DisruptionTarget", "True", cluster.Now, "DeletionByPodGC", message);
                    current.Finish(cluster.Now, succeeded: false);
                });
            }

            cluster.Delete(ResourceTypes.Pods, pod, gracePeriodSeconds: 0);
        }
    }
}
