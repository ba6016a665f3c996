using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>The fields of metadata that only the API server writes.</summary>
internal static class SystemFields
{
    private static readonly string[] _kept =
        ["name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName"];

    /// <summary>Gives a new object its own.</summary>
    public static void Fill(ResourceType type, JsonObject created, string uid, DateTimeOffset now)
    {
        var metadata = created.Child("metadata");
        metadata["uid"] = uid;
        if (type.Equals(ResourceTypes.Jobs))
        {
            ObjectDefaults.SelectPodsOfJob(created);
        }

        metadata["creationTimestamp"] = now.Timestamp();
        metadata.Remove("resourceVersion");
        metadata.Remove("deletionTimestamp");
        metadata.Remove("deletionGracePeriodSeconds");
        metadata.Remove("generation");
        if (type.HasGeneration)
        {
            metadata["generation"] = 1;
        }
    }

    /// <summary>Puts those of the stored object back, and counts a change of its spec.</summary>
    /// <returns>Whether anything else was changed.</returns>
    public static bool Keep(ResourceType type, JsonObject before, JsonObject after)
    {
        var (from, to) = (before.Child("metadata"), after.Child("metadata"));
        foreach (var field in _kept)
        {
            if (from[field] is { } value)
            {
                to[field] = value.DeepClone();
            }
            else
            {
                to.Remove(field);
            }
        }

        // What counts for the generation is compared first; of the rest the first difference is enough.
        var fields = before.Select(p => p.Key).Union(after.Select(p => p.Key)).ToLookup(k => k == "metadata" || (k == "status" && type.HasStatus));
        var specChanged = fields[false].Any(Differs);
        if (specChanged && type.HasGeneration && !(type.Equals(ResourceTypes.Pods) && IsBinding(before, after)))
        {
            to["generation"] = (from.Number("generation") ?? 0) + 1;
        }

        return specChanged || fields[true].OrderDescending(StringComparer.Ordinal).Any(Differs);

        bool Differs(string field) => !Json.Same(before[field], after[field]);
    }

    /// <summary>Being placed on a node does not count as a change of a pod's spec.</summary>
    private static bool IsBinding(JsonObject before, JsonObject after)
    {
        if (before.Text("spec", "nodeName") is { Length: > 0 } || after.Text("spec", "nodeName") is null or "")
        {
            return false;
        }

        var (was, now) = (before.Child("spec"), after.Child("spec"));

        return was.Select(p => p.Key).Union(now.Select(p => p.Key))
            .Where(k => k != "nodeName")
            .All(k => Json.Same(was[k], now[k]));
    }
}
