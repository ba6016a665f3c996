using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

/// <summary>
/// The fields of built-in types: what is unknown is removed, what has the wrong type is named as Go's decoder names it. The fields stand in
/// built-in-types.txt, which a test writes from the models of the client library.
/// </summary>
internal static partial class BuiltInTypes
{
    private static readonly Lazy<(Dictionary<string, string> Roots, Dictionary<string, Dictionary<string, string>> Models)> _types = new(Read);

    /// <summary>The embedded fields: a line for each kind, then a line for each model.</summary>
    public static string Text()
    {
        using var stream = typeof(BuiltInTypes).Assembly.GetManifestResourceStream("Drydock.Simulator.built-in-types.txt")!;
        using var reader = new StreamReader(stream);

        return reader.ReadToEnd();
    }

    /// <summary>The model of a kind, or null if the kind is not known.</summary>
    public static string? ModelOf(string apiVersion, string kind) => _types.Value.Roots.GetValueOrDefault($"{apiVersion} {kind}");

    /// <summary>The fields of a model with their shapes, or null if it is a shape and no model.</summary>
    public static IReadOnlyDictionary<string, string>? FieldsOf(string model) => _types.Value.Models.GetValueOrDefault(model);

    /// <summary>Removes what a type does not know.</summary>
    /// <returns>The paths of what was removed, and what is wrong with the type of a field, or null.</returns>
    public static (List<string> Unknown, string? WrongType) Prune(string apiVersion, JsonObject @object)
    {
        var check = new Check();
        if (@object.Text("kind") is { } kind && _types.Value.Roots.TryGetValue($"{apiVersion} {kind}", out var model))
        {
            check.Object(@object, model, "");
        }

        return (check.Unknown, check.WrongType);
    }

    private static (Dictionary<string, string>, Dictionary<string, Dictionary<string, string>>) Read()
    {
        var roots = new Dictionary<string, string>(StringComparer.Ordinal);
        var models = new Dictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);
        foreach (var line in Text().Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split(" = ") is [var root, var of])
            {
                roots[root] = of;
            }
            else if (line.Split(": ", 2) is [var name, var fields])
            {
                models[name] = fields.Split(", ", StringSplitOptions.RemoveEmptyEntries)
                    .Select(field => field.Split(' ', 2))
                    .ToDictionary(parts => parts[0], parts => parts[1], StringComparer.Ordinal);
            }
        }

        return (roots, models);
    }

    /// <summary>One walk through an object.</summary>
    private sealed class Check
    {
        public List<string> Unknown { get; } = [];

        public string? WrongType { get; private set; }

        public void Object(JsonObject @object, string model, string path)
        {
            var fields = _types.Value.Models[model];
            foreach (var (name, value) in @object.ToList())
            {
                var at = path.Length == 0 ? name : $"{path}.{name}";
                if (!fields.TryGetValue(name, out var shape))
                {
                    @object.Remove(name);
                    Unknown.Add(at);
                }
                else if (name is not ("fieldsV1" or "managedFields"))
                {
                    Value(value, shape, at, model);
                }
            }
        }

        private void Value(JsonNode? value, string shape, string path, string model)
        {
            if (value is null || shape == "any")
            {
                return;
            }

            if (!IsOf(value, shape))
            {
                WrongType ??= $"json: cannot unmarshal {GoKind(value)} into Go struct field {GoName(model)}.{Indexes().Replace(path, "")} of type {GoType(shape)}";
            }
            else if (value is JsonArray items)
            {
                for (var i = 0; i < items.Count; i++)
                {
                    Value(items[i], shape[2..], $"{path}[{i}]", model);
                }
            }
            else if (value is JsonObject map && shape.StartsWith("map[]", StringComparison.Ordinal))
            {
                foreach (var (key, item) in map.ToList())
                {
                    Value(item, shape["map[]".Length..], $"{path}.{key}", model);
                }
            }
            else if (value is JsonObject child)
            {
                Object(child, shape, path);
            }
        }

        private static bool IsOf(JsonNode value, string shape) => value.GetValueKind() switch
        {
            JsonValueKind.String => shape is "string" or "time" or "bytes" or "quantity" or "intOrString",
            JsonValueKind.Number => shape is "quantity" or "float64" or "intOrString" || (shape is "int32" or "int64" && value.Number() is not null),
            JsonValueKind.Array => shape.StartsWith("[]", StringComparison.Ordinal),
            JsonValueKind.Object => shape.StartsWith("map[]", StringComparison.Ordinal) || _types.Value.Models.ContainsKey(shape),
            _ => shape == "bool",
        };

        private static string GoKind(JsonNode value) => value.GetValueKind() switch
        {
            JsonValueKind.String => "string",
            JsonValueKind.Number => value.Number() is null ? $"number {value.ToJsonString()}" : "number",
            JsonValueKind.Array => "array",
            JsonValueKind.Object => "object",
            _ => "bool",
        };

        private static string GoType(string shape) => shape switch
        {
            "time" => "v1.Time",
            "bytes" => "[]uint8",
            "quantity" => "resource.Quantity",
            "intOrString" => "intstr.IntOrString",
            _ when shape.StartsWith("[]", StringComparison.Ordinal) => $"[]{GoType(shape[2..])}",
            _ when shape.StartsWith("map[]", StringComparison.Ordinal) => $"map[string]{GoType(shape[5..])}",
            _ => _types.Value.Models.ContainsKey(shape) ? $"v1.{GoName(shape)}" : shape,
        };

        private static string GoName(string model) => Version().Replace(model, "");
    }

    [GeneratedRegex(@"^(?:Core)?V[0-9]+(?:(?:alpha|beta)[0-9]+)?", RegexOptions.None, 1000)]
    private static partial Regex Version();

    [GeneratedRegex(@"\[[0-9]+\]", RegexOptions.None, 1000)]
    private static partial Regex Indexes();
}
