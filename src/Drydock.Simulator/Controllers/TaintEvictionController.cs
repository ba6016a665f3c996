using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Deletes pods from nodes with NoExecute taints they do not tolerate, or no longer tolerate. Not an eviction: no budget, no webhook.</summary>
internal sealed class TaintEvictionController(ClusterContext cluster) : IController
{
    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.Pods))
        {
            return change.Kind != ChangeKind.Deleted && change.Object.Node() != change.Before.Node() ? [change.Object.Key()] : [];
        }

        var tainted = change.Type.Equals(ResourceTypes.Nodes)
            && !JsonNode.DeepEquals(change.Before.At("spec", "taints"), change.Object.At("spec", "taints"));
        return tainted ? cluster.Store.PodsOnNode(change.Name).Select(Fields.Key) : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.Pods, key) is not { } pod || pod.IsDeleting()
            || cluster.Store.Get(ResourceTypes.Nodes, null, pod.Node() ?? string.Empty) is not { } node)
        {
            return null;
        }

        var ends = node.Objects("spec", "taints")
            .Where(taint => taint.Text("effect") == "NoExecute")
            .Select(taint => ToleratedUntil(pod, taint))
            .Min();
        if (ends is not { } end)
        {
            return null;
        }

        if (cluster.Until(end) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        cluster.Events.Normal(
            ResourceTypes.Pods, pod, "TaintManagerEviction", $"Marking for deletion Pod {pod.NamespaceOf()}/{pod.NameOf()}", "taint-eviction-controller");
        cluster.Change(ResourceTypes.Pods, pod, current => current.SetCondition(
            "DisruptionTarget", "True", cluster.Now, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"));
        cluster.Delete(ResourceTypes.Pods, pod);
        return null;
    }

    // Null: for ever.
    private DateTimeOffset? ToleratedUntil(JsonObject pod, JsonObject taint)
    {
        var tolerations = pod.Objects("spec", "tolerations").Where(each => SchedulingRules.Tolerates(each, taint)).ToList();
        if (tolerations.Count == 0)
        {
            return cluster.Now;
        }

        var seconds = tolerations.Select(each => each.Number("tolerationSeconds")).Min();
        return seconds is { } limit ? (taint.Time("timeAdded") ?? cluster.Now) + TimeSpan.FromSeconds(limit) : null;
    }
}
