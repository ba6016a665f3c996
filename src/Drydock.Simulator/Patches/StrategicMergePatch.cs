using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Patches;

/// <summary>Kubernetes' own patch: lists with a merge key are merged item by item, all others are replaced.</summary>
internal sealed class StrategicMergePatch(JsonObject patch) : Patch
{
    private const string Directive = "$patch";
    private const string DeletePrefix = "$deleteFromPrimitiveList/";
    private const string OrderPrefix = "$setElementOrder/";
    private const string RetainKeys = "$retainKeys";

    public override string Quote(JsonObject patched) => GoMap(patch);

    public override JsonObject Apply(JsonObject target, string? subresource)
    {
        Merge(target, patch, "");

        return target;
    }

    private static void Merge(JsonObject target, JsonObject patch, string parent)
    {
        switch (patch.Text(Directive))
        {
            case "replace":
                target.Clear();
                break;
            case "delete":
                target.Clear();

                return;
        }

        if (patch[RetainKeys] is JsonArray retained)
        {
            var keep = retained.Select(k => (string?)k).ToHashSet();
            foreach (var name in target.Select(p => p.Key).Where(k => !keep.Contains(k)).ToList())
            {
                target.Remove(name);
            }
        }

        foreach (var (name, value) in patch)
        {
            if (name.StartsWith(DeletePrefix, StringComparison.Ordinal))
            {
                DeleteItems(target, name[DeletePrefix.Length..], value as JsonArray ?? []);
            }
            else if (name[0] != '$')
            {
                Set(target, name, value, parent);
            }
        }

        foreach (var (name, value) in patch.Where(p => p.Key.StartsWith(OrderPrefix, StringComparison.Ordinal)))
        {
            Order(target, name[OrderPrefix.Length..], value as JsonArray ?? [], parent);
        }
    }

    private static void Set(JsonObject target, string name, JsonNode? value, string parent)
    {
        switch (value)
        {
            case null:
                target.Remove(name);
                break;
            case JsonObject child:
                if (target[name] is not JsonObject existing)
                {
                    target[name] = existing = [];
                }

                Merge(existing, child, name);
                if (child.Text(Directive) == "delete")
                {
                    target.Remove(name);
                }

                break;
            case JsonArray items when MergeKeys.Of(parent, name) is { } key:
                target[name] = MergeItems(target[name] as JsonArray ?? [], items, key, name);
                break;
            case JsonArray items when MergeKeys.IsSet(parent, name):
                target[name] = Union(target[name] as JsonArray ?? [], items);
                break;
            default:
                target[name] = value.CopyNode();
                break;
        }
    }

    private static JsonArray MergeItems(JsonArray existing, JsonArray patches, string key, string name)
    {
        var result = patches.OfType<JsonObject>().Any(p => p.Text(Directive) == "replace") ? [] : existing.Select(i => i.CopyNode()).ToList();
        foreach (var patch in patches.OfType<JsonObject>().Where(p => p.Text(Directive) != "replace" || p.Count > 1))
        {
            var index = result.FindIndex(i => i is JsonObject o && JsonNode.DeepEquals(o[key], patch[key]));
            if (patch.Text(Directive) == "delete")
            {
                if (index >= 0)
                {
                    result.RemoveAt(index);
                }

                continue;
            }

            if (index < 0)
            {
                result.Add(new JsonObject());
                index = result.Count - 1;
            }

            Merge((JsonObject)result[index]!, patch, name);
        }

        return InOrder(result, existing, patches, key);
    }

    /// <summary>Items of the patch in its order, the others in theirs; both by the old order where they had one.</summary>
    private static JsonArray InOrder(List<JsonNode?> result, JsonArray existing, JsonArray patches, string key)
    {
        int OldPlace(JsonNode? item) => existing.ToList().FindIndex(e => JsonNode.DeepEquals(e.At(key), item.At(key)));
        int Place(JsonNode? item) => patches.ToList().FindIndex(p => JsonNode.DeepEquals(p.At(key), item.At(key)));
        var patched = new Queue<JsonNode?>(result.Where(i => Place(i) >= 0).OrderBy(Place));
        var others = new Queue<JsonNode?>(result.Where(i => Place(i) < 0));
        var ordered = new JsonArray();
        while (patched.Count + others.Count > 0)
        {
            var fromPatch = others.Count == 0
                || (patched.Count > 0 && (OldPlace(patched.Peek()) is var old && (old < 0 || old < OldPlace(others.Peek()))));
            ordered.Add(fromPatch ? patched.Dequeue() : others.Dequeue());
        }

        return ordered;
    }

    private static JsonArray Union(JsonArray existing, JsonArray added) => new(
        [.. existing.Concat(added.Where(a => !existing.Any(e => JsonNode.DeepEquals(a, e)))).Select(i => i.CopyNode())]);

    private static void DeleteItems(JsonObject target, string name, JsonArray items)
    {
        if (target[name] is JsonArray existing)
        {
            target[name] = new JsonArray([.. existing.Where(e => !items.Any(i => JsonNode.DeepEquals(i, e))).Select(e => e.CopyNode())]);
        }
    }

    private static void Order(JsonObject target, string name, JsonArray order, string parent)
    {
        if (target[name] is not JsonArray items)
        {
            return;
        }

        var key = MergeKeys.Of(parent, name);
        var wanted = order.Select(o => key is null ? o : o.At(key)).ToList();
        target[name] = new JsonArray([.. items
            .Select((item, index) => (item, index, rank: wanted.FindIndex(w => JsonNode.DeepEquals(w, key is null ? item : item.At(key)))))
            .OrderBy(i => i.rank < 0 ? int.MaxValue : i.rank)
            .ThenBy(i => i.index)
            .Select(i => i.item.CopyNode())]);
    }

    /// <summary>A value as Go prints a map: <c>map[a:b c:map[d:1]]</c>.</summary>
    private static string GoMap(JsonNode? node) => node switch
    {
        null => "<nil>",
        JsonObject o => $"map[{string.Join(' ', o.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}:{GoMap(p.Value)}"))}]",
        JsonArray a => $"[{string.Join(' ', a.Select(GoMap))}]",
        _ => node.ToString(),
    };
}

/// <summary>The lists of built-in types that are merged by a key.</summary>
internal static class MergeKeys
{
    /// <summary>The merge key of a list, or null if it is replaced as a whole.</summary>
    /// <param name="parent">The field the list's owner stands in, such as <c>spec</c>.</param>
    /// <param name="name">The list.</param>
    public static string? Of(string parent, string name) => (parent, name) switch
    {
        (_, "conditions") => "type",
        ("metadata", "ownerReferences") => "uid",
        (_, "containers" or "initContainers" or "ephemeralContainers" or "env" or "imagePullSecrets") => "name",
        (_, "volumes") => "name",
        (_, "volumeMounts") => "mountPath",
        (_, "volumeDevices") => "devicePath",
        (_, "hostAliases") => "ip",
        (_, "topologySpreadConstraints") => "topologyKey",
        (_, "podIPs" or "hostIPs") => "ip",
        ("status", "addresses") => "type",
        ("containers" or "initContainers", "ports") => "containerPort",
        ("spec", "ports") => "port",
        (_, "secrets") => "name",
        (_, "webhooks") => "name",
        _ => null,
    };

    /// <summary>Whether a list of plain values is merged as a set.</summary>
    public static bool IsSet(string parent, string name) => (parent, name) is ("metadata", "finalizers") or ("spec", "podCIDRs");
}
