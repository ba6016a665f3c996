using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Reads and writes fields of Kubernetes objects by path. Reading never creates, writing creates what is missing.</summary>
internal static class Fields
{
    public static IEnumerable<string> Texts(this JsonNode? node, params ReadOnlySpan<string> path) =>
        (node.At(path) as JsonArray)?.Select(item => item?.ToString() ?? string.Empty) ?? [];

    public static JsonObject? Object(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) as JsonObject;

    public static int? Int(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && int.TryParse(value.ToString(), CultureInfo.InvariantCulture, out var number) ? number : null;

    public static DateTimeOffset? Time(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is { } value
        && DateTimeOffset.TryParse(value.ToString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : null;

    public static string? Label(this JsonNode? item, string key) => item.Text("metadata", "labels", key);

    public static string? Annotation(this JsonNode? item, string key) => item.Text("metadata", "annotations", key);

    public static bool IsDeleting(this JsonNode? item) => item.At("metadata", "deletionTimestamp") is not null;

    public static ObjectKey Key(this JsonObject item) => new(item.NamespaceOf(), item.NameOf());

    public static bool HasFinalizer(this JsonNode? item, string finalizer) => item.Texts("metadata", "finalizers").Contains(finalizer);

    /// <summary>The object at the path, created if missing.</summary>
    public static JsonObject Ensure(this JsonObject item, params ReadOnlySpan<string> path)
    {
        foreach (var step in path)
        {
            if (item[step] is not JsonObject child)
            {
                item[step] = child = [];
            }

            item = child;
        }

        return item;
    }

    /// <summary>Sets a field, or removes it if the value is null.</summary>
    public static void Set(this JsonObject item, JsonNode? value, params ReadOnlySpan<string> path)
    {
        if (value is null)
        {
            (item.At(path[..^1]) as JsonObject)?.Remove(path[^1]);
            return;
        }

        item.Ensure(path[..^1])[path[^1]] = value;
    }

    public static void AddFinalizer(this JsonObject item, string finalizer)
    {
        var metadata = item.Ensure("metadata");
        if (metadata["finalizers"] is not JsonArray list)
        {
            metadata["finalizers"] = list = [];
        }

        if (!list.Any(each => each?.ToString() == finalizer))
        {
            list.Add(finalizer);
        }
    }

    public static void RemoveFinalizer(this JsonObject item, params ReadOnlySpan<string> finalizers)
    {
        if (item.At("metadata", "finalizers") is not JsonArray list)
        {
            return;
        }

        foreach (var finalizer in finalizers)
        {
            if (list.FirstOrDefault(each => each?.ToString() == finalizer) is { } found)
            {
                list.Remove(found);
            }
        }

        if (list.Count == 0)
        {
            item.Ensure("metadata").Remove("finalizers");
        }
    }

    /// <summary>The controlling owner's uid, or null.</summary>
    public static JsonObject? Controller(this JsonNode? item) =>
        item.Objects("metadata", "ownerReferences").FirstOrDefault(owner => owner.Flag("controller"));

    public static bool IsControlledBy(this JsonNode? item, string uid) => item.Controller().Text("uid") == uid;

    /// <summary>An owner reference as controllers write it.</summary>
    public static JsonObject OwnerReference(JsonObject owner, ResourceType type) => new()
    {
        ["apiVersion"] = type.ApiVersion,
        ["kind"] = type.Kind,
        ["name"] = owner.NameOf(),
        ["uid"] = owner.UidOf(),
        ["controller"] = true,
        ["blockOwnerDeletion"] = true,
    };

    /// <summary>The time as a MicroTime.</summary>
    public static string MicroStamp(this DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);
}
