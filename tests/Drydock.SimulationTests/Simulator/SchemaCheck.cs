using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Drydock.SimulationTests.Simulator;

/// <summary>As much of JSON Schema as the schema of scenario files uses.</summary>
internal static class SchemaCheck
{
    /// <summary>The YAML as JSON: plain scalars have the type they look like.</summary>
    public static JsonNode? Yaml(string text)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(text));
        return ToJson(yaml.Documents[0].RootNode);
    }

    public static void Run(JsonNode root, JsonNode schema, JsonNode? value, string path, List<string> problems)
    {
        if (schema["$ref"] is { } reference)
        {
            schema = root["$defs"]![reference.ToString().Split('/')[^1]]!;
        }

        CheckType(schema, value, path, problems);
        if (schema["enum"] is JsonArray allowed && !allowed.Any(each => JsonNode.DeepEquals(each, value)))
        {
            problems.Add($"{path} is {value}");
        }

        if (schema["pattern"] is { } pattern && !Regex.IsMatch(value?.ToString() ?? string.Empty, pattern.ToString(), RegexOptions.NonBacktracking))
        {
            problems.Add($"{path} is {value}, which is not {pattern}");
        }

        if (schema["oneOf"] is JsonArray options && options.Count(option => Passes(root, option!, value)) != 1)
        {
            problems.Add($"{path} is not exactly one of its kinds");
        }

        foreach (var required in schema["required"] as JsonArray ?? [])
        {
            if ((value as JsonObject)?.ContainsKey(required!.ToString()) != true)
            {
                problems.Add($"{path}.{required} is missing");
            }
        }

        CheckChildren(root, schema, value, path, problems);
    }

    private static bool Passes(JsonNode root, JsonNode schema, JsonNode? value)
    {
        var problems = new List<string>();
        Run(root, schema, value, string.Empty, problems);
        return problems.Count == 0;
    }

    private static void CheckChildren(JsonNode root, JsonNode schema, JsonNode? value, string path, List<string> problems)
    {
        if (value is JsonArray items && schema["items"] is { } itemSchema)
        {
            foreach (var (index, item) in items.Index())
            {
                Run(root, itemSchema, item, $"{path}[{index}]", problems);
            }
        }

        if (value is not JsonObject map)
        {
            return;
        }

        foreach (var (name, child) in map)
        {
            if (schema["properties"]?[name] is { } property)
            {
                Run(root, property, child, $"{path}.{name}", problems);
            }
            else if (schema["additionalProperties"] is JsonObject others)
            {
                Run(root, others, child, $"{path}.{name}", problems);
            }
            else if (schema["additionalProperties"]?.GetValueKind() == JsonValueKind.False)
            {
                problems.Add($"{path}.{name} is unknown");
            }
        }
    }

    private static void CheckType(JsonNode schema, JsonNode? value, string path, List<string> problems)
    {
        if (schema["type"] is not { } type)
        {
            return;
        }

        string[] allowed = type is JsonArray several ? [.. several.Select(each => each!.ToString())] : [type.ToString()];
        var kind = value?.GetValueKind() switch
        {
            JsonValueKind.Object => "object",
            JsonValueKind.Array => "array",
            JsonValueKind.True or JsonValueKind.False => "boolean",
            JsonValueKind.Number => value!.ToString().Contains('.', StringComparison.Ordinal) ? "number" : "integer",
            JsonValueKind.String => "string",
            _ => "null",
        };
        if (!allowed.Contains(kind))
        {
            problems.Add($"{path} is {kind}, allowed: {string.Join(", ", allowed)}");
        }
    }

    private static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Select(pair => KeyValuePair.Create(pair.Key.ToString(), ToJson(pair.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Select(ToJson)]),
        YamlScalarNode { Style: ScalarStyle.Plain, Value: var text } => text switch
        {
            null or "" or "null" => null,
            "true" => true,
            "false" => false,
            _ when long.TryParse(text, CultureInfo.InvariantCulture, out var number) => number,
            _ when double.TryParse(text, CultureInfo.InvariantCulture, out var number) => number,
            _ => text,
        },
        _ => ((YamlScalarNode)node).Value,
    };
}
