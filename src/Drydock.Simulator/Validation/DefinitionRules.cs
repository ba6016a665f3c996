using System.Text.Json.Nodes;
using Drydock.Simulator.Cel;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

/// <summary>
/// CustomResourceDefinitions: names, versions, and that every rule of a schema can be read. Source: k8s.io/apiextensions-apiserver,
/// pkg/apis/apiextensions/validation.
/// </summary>
internal static class DefinitionRules
{
    public static IEnumerable<FieldError> Check(JsonObject definition)
    {
        var (group, plural) = (definition.Text("spec", "group") ?? "", definition.Text("spec", "names", "plural") ?? "");
        if (definition.NameOf() != $"{plural}.{group}")
        {
            yield return FieldError.Invalid("metadata.name", $"\"{definition.NameOf()}\"", "must be spec.names.plural+\".\"+spec.group");
        }

        if (definition.Text("spec", "scope") is not ("Cluster" or "Namespaced") and var scope)
        {
            yield return scope is null ? FieldError.Required("spec.scope") : FieldError.Unsupported("spec.scope", scope, "Cluster", "Namespaced");
        }

        if (definition.Text("spec", "names", "kind") is null or "")
        {
            yield return FieldError.Required("spec.names.kind");
        }

        var versions = definition.Objects("spec", "versions").ToList();
        if (versions.Count(version => version.Flag("storage")) != 1)
        {
            yield return FieldError.Invalid("spec.versions", Wire(versions), "must have exactly one version marked as storage version");
        }

        foreach (var error in versions.SelectMany((version, index) => CheckVersion(version, index, versions.Count)))
        {
            yield return error;
        }
    }

    private static IEnumerable<FieldError> CheckVersion(JsonObject version, int index, int count)
    {
        // The server keeps the schema of a single version at the top, and reports it there.
        var path = count == 1 ? "spec.validation.openAPIV3Schema" : $"spec.versions[{index}].schema.openAPIV3Schema";

        return version.At("schema", "openAPIV3Schema") is JsonObject schema
            ? CheckRules(schema, path)
            : [FieldError.Required($"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")];
    }

    private static IEnumerable<FieldError> CheckRules(JsonObject schema, string path)
    {
        foreach (var (index, rule) in schema.Objects("x-kubernetes-validations").Index())
        {
            foreach (var field in (string[])["rule", "messageExpression"])
            {
                if (rule.Text(field) is { } text && Complaint(text) is { } complaint)
                {
                    yield return FieldError.Invalid($"{path}.x-kubernetes-validations[{index}].{field}", $"\"{text}\"", $"compilation failed: ERROR: <input>:1:1: {complaint}");
                }
            }
        }

        var children = (schema["properties"] as JsonObject ?? []).Select(each => (each.Value as JsonObject, $"{path}.properties[{each.Key}]"))
            .Append((schema["items"] as JsonObject, $"{path}.items"))
            .Append((schema["additionalProperties"] as JsonObject, $"{path}.additionalProperties"));
        foreach (var error in children.Where(child => child.Item1 is not null).SelectMany(child => CheckRules(child.Item1!, child.Item2)))
        {
            yield return error;
        }
    }

    private static string? Complaint(string expression)
    {
        try
        {
            _ = CelExpression.Parse(expression);

            return null;
        }
        catch (CelException failure)
        {
            return failure.Message;
        }
    }

    private static string Wire(IEnumerable<JsonObject> versions) => $"[{string.Join(", ", versions.Select(each => $"\"{each.Text("name")}\""))}]";
}
