using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Keeps as many active pods as a ReplicaSet wants; a pod being deleted is replaced at once.</summary>
internal sealed class ReplicaSetController(ClusterContext cluster) : IController
{
    private const string Component = "replicaset-controller";

    public IEnumerable<ObjectKey> Affected(Change change) => Workloads.OwnerOf(change, ResourceTypes.ReplicaSets, ResourceTypes.Pods);

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.ReplicaSets, key) is not { } set)
        {
            return null;
        }

        var pods = Workloads.PodsOf(cluster, set);
        var active = pods.Where(Pods.IsActive).ToList();
        if (!set.IsDeleting())
        {
            Scale(set, active);
        }

        var terminating = pods.Count(pod => pod.IsDeleting() && !pod.IsFinished());
        var ready = active.Count(Pods.IsReady);
        var status = new JsonObject { ["replicas"] = active.Count };
        if (active.Count > 0)
        {
            status["fullyLabeledReplicas"] = active.Count;
        }

        if (ready > 0)
        {
            status["readyReplicas"] = ready;
            status["availableReplicas"] = ready;
        }

        status["terminatingReplicas"] = terminating;
        status["observedGeneration"] = set.Generation();
        Workloads.WriteStatus(cluster, ResourceTypes.ReplicaSets, set, status);
        return null;
    }

    private void Scale(JsonObject set, List<JsonObject> active)
    {
        for (var missing = set.Replicas() - active.Count; missing > 0; missing--)
        {
            var pod = PodTemplates.Instantiate(set, ResourceTypes.ReplicaSets, set.Object("spec", "template")!, set.NameOf() + "-");
            active.Add(Workloads.CreatePod(cluster, set, ResourceTypes.ReplicaSets, pod, Component));
        }

        foreach (var surplus in Workloads.LeastUsefulFirst(active).Take(active.Count - set.Replicas()).ToList())
        {
            Workloads.DeletePod(cluster, set, ResourceTypes.ReplicaSets, surplus, Component);
            active.Remove(surplus);
        }
    }
}
