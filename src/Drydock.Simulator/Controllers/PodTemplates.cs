using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Makes the pods of workloads; the store adds the defaults of every pod.</summary>
internal static class PodTemplates
{
    private const string HashAlphabet = "bcdfghjklmnpqrstvwxz2456789";

    /// <summary>A pod of a workload. Its name is generated from the prefix unless a name is set by the caller.</summary>
    public static JsonObject Instantiate(JsonObject owner, ResourceType ownerType, JsonObject template, string generateName)
    {
        var pod = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = new JsonObject
            {
                ["generateName"] = generateName,
                ["namespace"] = owner.NamespaceOf(),
                ["labels"] = template.Object("metadata", "labels")?.Copy() ?? [],
                ["annotations"] = template.Object("metadata", "annotations")?.Copy() ?? [],
                ["ownerReferences"] = new JsonArray(Fields.OwnerReference(owner, ownerType)),
            },
            ["spec"] = template.Object("spec")?.Copy() ?? [],
        };
        return pod;
    }

    /// <summary>A short stable hash of a template, in the alphabet of Kubernetes' generated names.</summary>
    public static string Hash(JsonNode? template)
    {
        var hash = 2166136261u;
        foreach (var octet in Encoding.UTF8.GetBytes(template?.ToJsonString() ?? string.Empty))
        {
            hash = (hash ^ octet) * 16777619u;
        }

        return string.Create(9, hash, static (text, value) =>
        {
            ulong rest = value * 2654435761ul;
            for (var i = 0; i < text.Length; i++, rest /= 27)
            {
                text[i] = HashAlphabet[(int)(rest % 27)];
            }
        });
    }
}
