using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Patches;
using Drydock.Simulator.Store;
using Drydock.Simulator.Validation;

namespace Drydock.Simulator.Api;

/// <summary>
/// The schemas of built-in kinds in OpenAPI: the fields the server checks (<see cref="BuiltInTypes"/>), how a patch merges their lists, and,
/// of those somebody asks for most, what they mean (field-descriptions.txt).
/// </summary>
internal static partial class BuiltInSchemas
{
    private static readonly Lazy<Dictionary<string, string>> _descriptions = new(ReadDescriptions);

    /// <summary>Adds the schema of a kind and all it refers to; nothing if the kind is not known.</summary>
    /// <param name="schemas">Where to.</param>
    /// <param name="apiVersion">The version of the kind, such as <c>apps/v1</c>.</param>
    /// <param name="type">The kind.</param>
    /// <param name="kind">What names it in the document.</param>
    /// <param name="version">2 or 3: the version of OpenAPI.</param>
    public static void Add(JsonObject schemas, string apiVersion, ResourceType type, JsonObject kind, int version)
    {
        if (BuiltInTypes.ModelOf(apiVersion, type.Kind) is { } model)
        {
            AddModel(schemas, model, version);
            schemas[NameOf(model)]!["x-kubernetes-group-version-kind"] = new JsonArray(kind);
        }
    }

    private static void AddModel(JsonObject schemas, string model, int version)
    {
        if (schemas.ContainsKey(NameOf(model)))
        {
            return;
        }

        var properties = new JsonObject();
        schemas[NameOf(model)] = Described(model, new JsonObject { ["type"] = "object", ["properties"] = properties });
        foreach (var (field, shape) in BuiltInTypes.FieldsOf(model)!)
        {
            properties[field] = Described($"{model}.{field}", Mergeable(model, field, Schema(schemas, shape, version)));
        }
    }

    private static JsonObject Schema(JsonObject schemas, string shape, int version)
    {
        if (shape.StartsWith("[]", StringComparison.Ordinal))
        {
            return new() { ["type"] = "array", ["items"] = Schema(schemas, shape["[]".Length..], version) };
        }

        if (shape.StartsWith("map[]", StringComparison.Ordinal))
        {
            return new() { ["type"] = "object", ["additionalProperties"] = Schema(schemas, shape["map[]".Length..], version) };
        }

        if (BuiltInTypes.FieldsOf(shape) is null)
        {
            return Plain(shape);
        }

        AddModel(schemas, shape, version);
        var reference = new JsonObject { ["$ref"] = $"#/{(version == 2 ? "definitions" : "components/schemas")}/{NameOf(shape)}" };

        // In version 3 nothing may stand beside a reference, such as a description.
        return version == 2 ? reference : new() { ["allOf"] = new JsonArray(reference) };
    }

    private static JsonObject Plain(string shape) => shape switch
    {
        "any" => [],
        "bool" => new() { ["type"] = "boolean" },
        "int32" or "int64" => new() { ["type"] = "integer", ["format"] = shape },
        "float64" => new() { ["type"] = "number", ["format"] = "double" },
        "time" => new() { ["type"] = "string", ["format"] = "date-time" },
        "bytes" => new() { ["type"] = "string", ["format"] = "byte" },
        "intOrString" => new() { ["type"] = "string", ["format"] = "int-or-string" },
        _ => new() { ["type"] = "string" },
    };

    // kubectl apply makes its patch by these where a kind has a schema.
    private static JsonObject Mergeable(string model, string field, JsonObject schema)
    {
        var parent = model switch
        {
            "V1ObjectMeta" => "metadata",
            "V1Container" or "V1EphemeralContainer" => "containers",
            _ when model.EndsWith("Spec", StringComparison.Ordinal) => "spec",
            _ when model.EndsWith("Status", StringComparison.Ordinal) => "status",
            _ => "",
        };
        var key = schema.Text("type") == "array" ? MergeKeys.Of(parent, field) : null;
        var strategy = (model, field) switch
        {
            ("V1PodSpec", "volumes") => "merge,retainKeys",
            ("V1DeploymentSpec", "strategy") => "retainKeys",
            _ => key is not null || MergeKeys.IsSet(parent, field) ? "merge" : null,
        };
        if (key is not null)
        {
            schema["x-kubernetes-patch-merge-key"] = key;
        }

        if (strategy is not null)
        {
            schema["x-kubernetes-patch-strategy"] = strategy;
        }

        return schema;
    }

    private static JsonObject Described(string what, JsonObject schema)
    {
        if (_descriptions.Value.TryGetValue(what, out var description))
        {
            schema["description"] = description;
        }

        return schema;
    }

    // V1PodSpec is io.k8s.api.v1.PodSpec, Corev1Event io.k8s.api.core.v1.Event.
    private static string NameOf(string model)
    {
        var parts = Model().Match(model);
        var group = parts.Groups["group"].Value.ToLowerInvariant();

        return $"io.k8s.api.{(group.Length > 0 ? group + "." : "")}{parts.Groups["version"].Value.ToLowerInvariant()}.{parts.Groups["kind"].Value}";
    }

    private static Dictionary<string, string> ReadDescriptions()
    {
        using var stream = typeof(BuiltInSchemas).Assembly.GetManifestResourceStream("Drydock.Simulator.field-descriptions.txt")!;
        using var reader = new StreamReader(stream);

        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] != '#')
            .Select(line => line.Split(": ", 2))
            .ToDictionary(parts => parts[0], parts => parts[1].TrimEnd());
    }

    [GeneratedRegex("^(?<group>[A-Z][a-z]+?)?(?<version>[Vv][0-9]+(?:(?:alpha|beta)[0-9]+)?)(?<kind>[A-Z].*)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Model();
}
