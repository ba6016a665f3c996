using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>What a CustomResourceDefinition says.</summary>
public static class CustomResource
{
    /// <summary>What keeps a deleted definition until its objects are gone.</summary>
    public const string Finalizer = "customresourcecleanup.apiextensions.k8s.io";

    /// <summary>The type it defines, in its storage version.</summary>
    public static ResourceType TypeOf(JsonObject definition)
    {
        var names = definition.At("spec", "names");
        var version = StorageVersion(definition);

        return new ResourceType(
            definition.Text("spec", "group") ?? "",
            version.Text("name") ?? "",
            names.Text("plural") ?? "",
            names.Text("singular") is { Length: > 0 } singular ? singular : (names.Text("kind") ?? "").ToLowerInvariant(),
            names.Text("kind") ?? "",
            definition.Text("spec", "scope") == "Namespaced",
            version.At("subresources", "status") is not null)
        {
            IsCustom = true,
            HasScale = version.At("subresources", "scale") is not null,
            ShortNames = Texts(names.At("shortNames")),
            Categories = Texts(names.At("categories")),
        };
    }

    /// <summary>The version objects are stored in.</summary>
    public static JsonObject StorageVersion(JsonObject definition) =>
        definition.Objects("spec", "versions").FirstOrDefault(v => v.Flag("storage"))
        ?? definition.Objects("spec", "versions").FirstOrDefault()
        ?? [];

    /// <summary>The status right after creation: names not yet looked at.</summary>
    public static JsonObject NewStatus(JsonObject definition) => new()
    {
        ["conditions"] = null,
        ["acceptedNames"] = new JsonObject { ["plural"] = "", ["kind"] = "" },
        ["storedVersions"] = new JsonArray(StorageVersion(definition).Text("name")),
    };

    /// <summary>The status once the names are accepted and the type is served.</summary>
    public static JsonObject EstablishedStatus(JsonObject definition, DateTimeOffset now) => new()
    {
        ["conditions"] = new JsonArray(
            Condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
            Condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now)),
        ["acceptedNames"] = definition.At("spec", "names")?.DeepClone(),
        ["storedVersions"] = new JsonArray(StorageVersion(definition).Text("name")),
    };

    /// <summary>The condition of a definition that is being deleted and whose objects are still there.</summary>
    public static JsonObject Terminating(DateTimeOffset now) => Condition("Terminating", "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon", now);

    private static JsonObject Condition(string type, string reason, string message, DateTimeOffset now) => new()
    {
        ["type"] = type,
        ["status"] = "True",
        ["lastTransitionTime"] = now.Timestamp(),
        ["reason"] = reason,
        ["message"] = message,
    };

    private static string[] Texts(JsonNode? array) => array is JsonArray items ? [.. items.Select(i => (string?)i ?? "")] : [];
}
