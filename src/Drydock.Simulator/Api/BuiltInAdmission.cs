using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>What the admission plugins of a default cluster add to new objects.</summary>
internal static class BuiltInAdmission
{
    private static readonly string[] _topology = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

    public static void OnCreate(IObjectStore store, ResourceType type, JsonObject created)
    {
        if (type.Equals(ResourceTypes.Nodes))
        {
            TaintNotReady(created);
        }
        else if (type.Equals(ResourceTypes.Pods))
        {
            SetPriority(store, created);
            CopyTopology(store, created);
        }
    }

    /// <summary>A pod on a node carries the region and zone of the node.</summary>
    public static void CopyTopology(IObjectStore store, JsonObject pod)
    {
        if (pod.Text("spec", "nodeName") is not { Length: > 0 } node
            || store.Get(ResourceTypes.Nodes, null, node).At("metadata", "labels") is not JsonObject labels)
        {
            return;
        }

        foreach (var label in _topology.Where(labels.ContainsKey))
        {
            pod.Child("metadata").Child("labels")[label] = labels.Text(label);
        }
    }

    private static void TaintNotReady(JsonObject node)
    {
        const string key = "node.kubernetes.io/not-ready";
        if (node.Objects("spec", "taints").Any(t => t.Text("key") == key))
        {
            return;
        }

        var taints = node.Child("spec")["taints"] as JsonArray ?? [];
        node.Child("spec")["taints"] = taints;
        taints.Add(new JsonObject { ["key"] = key, ["effect"] = "NoSchedule" });
    }

    private static void SetPriority(IObjectStore store, JsonObject pod)
    {
        var spec = pod.Child("spec");
        if (spec.Text("priorityClassName") is not { Length: > 0 } name || name.StartsWith("system-", StringComparison.Ordinal))
        {
            return;
        }

        var found = store.Get(ResourceTypes.PriorityClasses, null, name)
            ?? throw Refusals.Forbidden(ResourceTypes.Pods, pod.NameOf(), $"no PriorityClass with name {name} was found");
        spec["priority"] = found.Number("value") ?? 0;
    }
}
