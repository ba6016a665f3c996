using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>What the workload controllers have in common: whose change wakes which owner, and creating or deleting pods with an Event.</summary>
internal static class Workloads
{
    /// <summary>The workload itself, or the workload of this type that controls the changed object.</summary>
    public static IEnumerable<ObjectKey> OwnerOf(Change change, ResourceType owner, ResourceType owned)
    {
        if (change.Type.Equals(owner))
        {
            return change.Kind == ChangeKind.Deleted ? [] : [change.Object.Key()];
        }

        return change.Type.Equals(owned) && change.Object.Controller() is { } controller && controller.Text("kind") == owner.Kind
            ? [new(change.Namespace, controller.Text("name")!)]
            : [];
    }

    public static List<JsonObject> PodsOf(ClusterContext cluster, JsonObject owner) =>
        [.. cluster.Store.OwnedBy(ResourceTypes.Pods, owner.UidOf()).Where(pod => pod.IsControlledBy(owner.UidOf()))];

    public static JsonObject CreatePod(ClusterContext cluster, JsonObject owner, ResourceType ownerType, JsonObject pod, string component)
    {
        var created = cluster.Store.Create(ResourceTypes.Pods, pod);
        cluster.Events.Normal(ownerType, owner, "SuccessfulCreate", $"Created pod: {created.NameOf()}", component);
        return created;
    }

    public static void DeletePod(ClusterContext cluster, JsonObject owner, ResourceType ownerType, JsonObject pod, string component)
    {
        cluster.Delete(ResourceTypes.Pods, pod);
        cluster.Events.Normal(ownerType, owner, "SuccessfulDelete", $"Deleted pod: {pod.NameOf()}", component);
    }

    /// <summary>Writes a status if it differs. Conditions that are there stay unless the new status names them.</summary>
    public static void WriteStatus(ClusterContext cluster, ResourceType type, JsonObject item, JsonObject status)
    {
        cluster.Change(type, item, current =>
        {
            if (status["conditions"] is null && current.At("status", "conditions") is { } conditions)
            {
                status["conditions"] = conditions.DeepClone();
            }

            current["status"] = status.Copy();
        });
    }

    /// <summary>The order in which surplus pods go: those that do least first.</summary>
    public static IEnumerable<JsonObject> LeastUsefulFirst(IEnumerable<JsonObject> pods) => pods
        .OrderBy(pod => pod.Node() is not null)
        .ThenBy(pod => pod.IsReady())
        .ThenByDescending(pod => pod.Text("metadata", "creationTimestamp"), StringComparer.Ordinal)
        .ThenByDescending(pod => pod.NameOf(), StringComparer.Ordinal);

    public static int Replicas(this JsonNode? workload) => (int)(workload.Number("spec", "replicas") ?? 1);

    public static long Generation(this JsonNode? item) => item.Number("metadata", "generation") ?? 1;

    /// <summary>A number or a percentage of the total.</summary>
    public static int Scaled(JsonNode? value, int total, bool roundUp)
    {
        var text = value?.ToString() ?? "0";
        if (!text.EndsWith('%'))
        {
            return int.Parse(text);
        }

        var part = int.Parse(text[..^1]) * total / 100.0;
        return (int)(roundUp ? Math.Ceiling(part) : Math.Floor(part));
    }
}
