using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

/// <summary>
/// The form of objects by a schema: types, required fields, enums, patterns, bounds, formats, and the list types of Kubernetes. Worded as
/// k8s.io/kube-openapi, pkg/validation.
/// </summary>
internal static class SchemaCheck
{
    public static List<FieldError> Of(JsonObject @object, JsonObject root)
    {
        var errors = new List<FieldError>();
        foreach (var (name, schema) in root["properties"] as JsonObject ?? [])
        {
            if (name is not ("apiVersion" or "kind" or "metadata") && @object.ContainsKey(name))
            {
                Check(@object[name], (JsonObject)schema!, name, errors);
            }
        }

        Require(@object, root, "", errors);

        return errors;
    }

    private static void Require(JsonObject @object, JsonObject schema, string path, List<FieldError> errors)
    {
        foreach (var name in (schema["required"] as JsonArray ?? []).Select(r => (string)r!).Where(r => !@object.ContainsKey(r)))
        {
            errors.Add(FieldError.Required(path.Length == 0 ? name : $"{path}.{name}"));
        }
    }

    private static void Check(JsonNode? value, JsonObject schema, string path, List<FieldError> errors)
    {
        if (schema.Flag("x-kubernetes-int-or-string") || (value is null && (schema.Flag("nullable") || schema["type"] is null)))
        {
            return;
        }

        var type = schema.Text("type");
        if (type is not null && !IsOf(value, type))
        {
            var actual = TypeOf(value);
            errors.Add(new FieldError(path, "FieldValueTypeInvalid",
                $"Invalid value: \"{actual}\": {path} in body must be of type {type}: \"{actual}\""));

            return;
        }

        switch (value)
        {
            case JsonObject @object:
                CheckObject(@object, schema, path, errors);
                break;
            case JsonArray items:
                CheckList(items, schema, path, errors);
                break;
            case JsonValue:
                CheckValue(value, schema, path, errors);
                break;
        }
    }

    private static void CheckObject(JsonObject @object, JsonObject schema, string path, List<FieldError> errors)
    {
        Require(@object, schema, path, errors);
        foreach (var (name, child) in @object)
        {
            if ((schema.At("properties", name) ?? schema["additionalProperties"]) is JsonObject childSchema)
            {
                Check(child, childSchema, $"{path}.{name}", errors);
            }
        }

        if (schema.Number("maxProperties") is { } most && @object.Count > most)
        {
            errors.Add(FieldError.TooMany(path, @object.Count, most));
        }

        if (schema.Number("minProperties") is { } least && @object.Count < least)
        {
            errors.Add(FieldError.Invalid(path, $"{@object.Count}", $"{path} in body should have at least {least} properties"));
        }
    }

    private static void CheckList(JsonArray items, JsonObject schema, string path, List<FieldError> errors)
    {
        if (schema.Number("maxItems") is { } most && items.Count > most)
        {
            errors.Add(FieldError.TooMany(path, items.Count, most));
        }

        if (schema.Number("minItems") is { } least && items.Count < least)
        {
            errors.Add(FieldError.Invalid(path, $"{items.Count}", $"{path} in body should have at least {least} items"));
        }

        for (var i = 0; i < items.Count && schema["items"] is JsonObject itemSchema; i++)
        {
            Check(items[i], itemSchema, $"{path}[{i}]", errors);
        }

        CheckUnique(items, schema, path, errors);
    }

    private static void CheckUnique(JsonArray items, JsonObject schema, string path, List<FieldError> errors)
    {
        var keys = schema.Text("x-kubernetes-list-type") switch
        {
            "set" => items.Select(item => item?.ToJsonString() ?? "null").ToList(),
            "map" => items.Select(item => ListKey(item, schema).ToJsonString()).ToList(),
            _ => [],
        };
        foreach (var (index, key) in keys.Index())
        {
            if (keys.IndexOf(key) < index)
            {
                errors.Add(FieldError.Duplicate($"{path}[{index}]", key));
            }
        }
    }

    /// <summary>The fields that tell the items of a list apart that is a map.</summary>
    public static JsonObject ListKey(JsonNode? item, JsonObject schema) =>
        new((schema["x-kubernetes-list-map-keys"] as JsonArray ?? [])
            .Select(name => KeyValuePair.Create((string)name!, item.At((string)name!).CopyNode())));

    private static void CheckValue(JsonNode value, JsonObject schema, string path, List<FieldError> errors)
    {
        var text = value.ToString();
        var quoted = value.ToJsonString();
        if (schema["enum"] is JsonArray allowed && !allowed.Any(a => JsonNode.DeepEquals(a, value)))
        {
            errors.Add(FieldError.Unsupported(path, text, [.. allowed.Select(a => a?.ToString() ?? "")]));
        }

        if (value.GetValueKind() is JsonValueKind.String)
        {
            CheckText(text, quoted, schema, path, errors);
        }
        else if (value.GetValueKind() is JsonValueKind.Number)
        {
            CheckNumber(value.AsValue(), quoted, schema, path, errors);
        }
    }

    private static void CheckText(string text, string quoted, JsonObject schema, string path, List<FieldError> errors)
    {
        if (schema.Number("maxLength") is { } most && text.EnumerateRunes().Count() > most)
        {
            errors.Add(FieldError.TooLong(path, most));
        }

        if (schema.Number("minLength") is { } least && text.EnumerateRunes().Count() < least)
        {
            errors.Add(FieldError.Invalid(path, quoted, $"{path} in body should be at least {least} chars long"));
        }

        if (schema.Text("pattern") is { } pattern && !Regex.IsMatch(text, pattern, RegexOptions.ECMAScript, TimeSpan.FromSeconds(1)))
        {
            errors.Add(FieldError.Invalid(path, quoted, $"{path} in body should match '{pattern}'"));
        }

        if (schema.Text("format") is { } format && !HasFormat(text, format))
        {
            errors.Add(new FieldError(path, "FieldValueTypeInvalid",
                $"Invalid value: {quoted}: {path.Split('.')[^1]} in body must be of type {format}: {quoted}"));
        }
    }

    private static bool HasFormat(string text, string format) => format switch
    {
        "date-time" => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _),
        "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
        "duration" => Regex.IsMatch(text, @"^[-+]?(0|([0-9]*\.?[0-9]+(ms|us|µs|ns|h|m|s))+)$", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1)),
        "uuid" => Guid.TryParseExact(text, "D", out _),
        "ipv4" or "ipv6" => System.Net.IPAddress.TryParse(text, out _),
        // Others are not checked, as the API server does not check those it does not know.
        _ => true,
    };

    private static void CheckNumber(JsonValue value, string quoted, JsonObject schema, string path, List<FieldError> errors)
    {
        var number = ((JsonNode)value).Real() ?? 0;
        if (schema.Real("minimum") is { } minimum && (schema.Flag("exclusiveMinimum") ? number <= minimum : number < minimum))
        {
            errors.Add(FieldError.Invalid(path, quoted,
                $"{path} in body should be greater than {(schema.Flag("exclusiveMinimum") ? "" : "or equal to ")}{schema["minimum"]}"));
        }

        if (schema.Real("maximum") is { } maximum && (schema.Flag("exclusiveMaximum") ? number >= maximum : number > maximum))
        {
            errors.Add(FieldError.Invalid(path, quoted,
                $"{path} in body should be less than {(schema.Flag("exclusiveMaximum") ? "" : "or equal to ")}{schema["maximum"]}"));
        }

        if (schema.Real("multipleOf") is { } step && !double.IsInteger(number / step))
        {
            errors.Add(FieldError.Invalid(path, quoted, $"{path} in body should be a multiple of {schema["multipleOf"]}"));
        }
    }

    private static bool IsOf(JsonNode? value, string type) => type == TypeOf(value) || (type == "number" && TypeOf(value) == "integer");

    private static string TypeOf(JsonNode? value) => value?.GetValueKind() switch
    {
        null => "null",
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.String => "string",
        JsonValueKind.Number => value.Number() is null ? "number" : "integer",
        _ => "boolean",
    };
}
