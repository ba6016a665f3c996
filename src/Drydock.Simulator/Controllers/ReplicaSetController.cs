using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Keeps as many active pods as a ReplicaSet wants; a pod being deleted is replaced at once.</summary>
internal sealed class ReplicaSetController(ClusterContext cluster) : IController
{
    private const string Component = "replicaset-controller";

    private readonly PodTally _tally = new();

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.Pods))
        {
            _tally.Follow(change);
        }

        return Workloads.OwnerOf(change, ResourceTypes.ReplicaSets, ResourceTypes.Pods);
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.ReplicaSets, key) is not { } set)
        {
            return null;
        }

        // What this call does to the pods is counted when it has become a change, and then looked at again.
        var pods = _tally.Of(set.UidOf());
        var active = pods.Active;
        if (!set.IsDeleting())
        {
            active = Scale(set, active);
        }

        var ready = Math.Min(pods.Ready, active);
        var status = new JsonObject { ["replicas"] = active };
        if (active > 0)
        {
            status["fullyLabeledReplicas"] = active;
        }

        if (ready > 0)
        {
            status["readyReplicas"] = ready;
            status["availableReplicas"] = ready;
        }

        status["terminatingReplicas"] = pods.Terminating;
        status["observedGeneration"] = set.Generation();
        Workloads.WriteStatus(cluster, ResourceTypes.ReplicaSets, set, status);
        return null;
    }

    private int Scale(JsonObject set, int active)
    {
        for (; active < set.Replicas(); active++)
        {
            var pod = PodTemplates.Instantiate(set, ResourceTypes.ReplicaSets, set.Object("spec", "template")!, set.NameOf() + "-");
            Workloads.CreatePod(cluster, set, ResourceTypes.ReplicaSets, pod, Component);
        }

        if (active > set.Replicas())
        {
            var pods = Workloads.PodsOf(cluster, set).Where(Pods.IsActive).ToList();
            foreach (var surplus in Workloads.LeastUsefulFirst(pods).Take(pods.Count - set.Replicas()).ToList())
            {
                Workloads.DeletePod(cluster, set, ResourceTypes.ReplicaSets, surplus, Component);
                active--;
            }
        }

        return active;
    }
}
