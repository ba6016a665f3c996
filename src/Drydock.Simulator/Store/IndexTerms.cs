using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>What objects can be found by without looking at all of them.</summary>
internal static class IndexTerms
{
    /// <summary>Of the pods on a node.</summary>
    public static string Node(string name) => "node " + name;

    /// <summary>Of the objects that name an owner.</summary>
    public static string Owner(string uid) => "owner " + uid;

    /// <summary>Of the pods with a label.</summary>
    public static string Label(string key, string value) => $"label {key}={value}";

    /// <summary>The terms an object is found by.</summary>
    public static IEnumerable<string> Of(ResourceType type, JsonObject item)
    {
        foreach (var owner in item.Objects("metadata", "ownerReferences"))
        {
            yield return Owner(owner.Text("uid") ?? "");
        }

        if (!type.Equals(ResourceTypes.Pods))
        {
            yield break;
        }

        if (item.Text("spec", "nodeName") is { Length: > 0 } node)
        {
            yield return Node(node);
        }

        foreach (var (key, value) in item.At("metadata", "labels") as JsonObject ?? [])
        {
            yield return Label(key, value?.ToString() ?? "");
        }
    }
}
