using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

/// <summary>
/// The structural schema of a custom type: prunes unknown fields, sets defaults, checks types, required fields, enums, patterns, bounds and
/// dates. CEL rules (<c>x-kubernetes-validations</c>) are not evaluated.
/// </summary>
internal sealed class Schema
{
    private const string Preserve = "x-kubernetes-preserve-unknown-fields";
    private static readonly ConditionalWeakTable<JsonObject, Schema> _known = [];
    private readonly JsonObject? _root;

    private Schema(JsonObject definition) =>
        _root = CustomResource.StorageVersion(definition).At("schema", "openAPIV3Schema") as JsonObject;

    public static Schema Of(JsonObject definition) => _known.GetValue(definition, static d => new Schema(d));

    /// <summary>Removes fields the schema does not know and sets defaults.</summary>
    /// <returns>The removed fields.</returns>
    public List<string> Prune(JsonObject @object)
    {
        var unknown = new List<string>();
        if (_root?["properties"] is not JsonObject properties || _root.Flag(Preserve))
        {
            return unknown;
        }

        foreach (var (name, value) in @object.Where(p => p.Key is not ("apiVersion" or "kind" or "metadata")).ToList())
        {
            if (properties[name] is JsonObject schema)
            {
                Prune(value, schema, name, unknown);
            }
            else
            {
                @object.Remove(name);
                unknown.Add(name);
            }
        }

        Default(@object, properties);

        return unknown;
    }

    public List<FieldError> Check(JsonObject @object)
    {
        var errors = new List<FieldError>();
        if (_root is not null)
        {
            foreach (var (name, schema) in _root["properties"] as JsonObject ?? [])
            {
                if (name is not ("apiVersion" or "kind" or "metadata") && @object[name] is { } value)
                {
                    Check(value, (JsonObject)schema!, name, errors);
                }
            }

            Require(@object, _root, "", errors);
        }

        return errors;
    }

    private static void Prune(JsonNode? value, JsonObject schema, string path, List<string> unknown)
    {
        if (value is JsonArray items && schema["items"] is JsonObject itemSchema)
        {
            for (var i = 0; i < items.Count; i++)
            {
                Prune(items[i], itemSchema, $"{path}[{i}]", unknown);
            }
        }

        if (value is not JsonObject @object || schema.Flag("x-kubernetes-embedded-resource"))
        {
            return;
        }

        var properties = schema["properties"] as JsonObject;
        foreach (var (name, child) in @object.ToList())
        {
            if (properties?[name] is JsonObject known)
            {
                Prune(child, known, $"{path}.{name}", unknown);
            }
            else if (schema["additionalProperties"] is JsonObject any)
            {
                Prune(child, any, $"{path}.{name}", unknown);
            }
            else if (!schema.Flag(Preserve) && schema["additionalProperties"] is null)
            {
                @object.Remove(name);
                unknown.Add($"{path}.{name}");
            }
        }

        Default(@object, properties);
    }

    private static void Default(JsonObject @object, JsonObject? properties)
    {
        foreach (var (name, schema) in properties ?? [])
        {
            if (schema?["default"] is { } value && !@object.ContainsKey(name))
            {
                @object[name] = value.CopyNode();
                Prune(@object[name], (JsonObject)schema, name, []);
            }
        }
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
        if (value is null || schema.Flag("x-kubernetes-int-or-string"))
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
                Require(@object, schema, path, errors);
                foreach (var (name, child) in @object)
                {
                    if ((schema.At("properties", name) ?? schema["additionalProperties"]) is JsonObject childSchema)
                    {
                        Check(child, childSchema, $"{path}.{name}", errors);
                    }
                }

                break;
            case JsonArray items when schema["items"] is JsonObject itemSchema:
                for (var i = 0; i < items.Count; i++)
                {
                    Check(items[i], itemSchema, $"{path}[{i}]", errors);
                }

                break;
            case JsonValue:
                CheckValue(value, schema, path, errors);
                break;
        }
    }

    private static void CheckValue(JsonNode value, JsonObject schema, string path, List<FieldError> errors)
    {
        var text = value.ToString();
        var quoted = value.ToJsonString();
        if (schema["enum"] is JsonArray allowed && !allowed.Any(a => JsonNode.DeepEquals(a, value)))
        {
            errors.Add(FieldError.Unsupported(path, text, [.. allowed.Select(a => a?.ToString() ?? "")]));
        }

        if (schema.Text("pattern") is { } pattern && !Regex.IsMatch(text, pattern, RegexOptions.ECMAScript, TimeSpan.FromSeconds(1)))
        {
            errors.Add(FieldError.Invalid(path, quoted, $"{path} in body should match '{pattern}'"));
        }

        if (schema.Text("format") == "date-time"
            && !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _))
        {
            errors.Add(new FieldError(path, "FieldValueTypeInvalid",
                $"Invalid value: {quoted}: {path.Split('.')[^1]} in body must be of type date-time: {quoted}"));
        }

        if (schema.Number("minimum") is { } minimum && value.Number() < minimum)
        {
            errors.Add(FieldError.Invalid(path, quoted, $"{path} in body should be greater than or equal to {minimum}"));
        }

        if (schema.Number("maximum") is { } maximum && value.Number() > maximum)
        {
            errors.Add(FieldError.Invalid(path, quoted, $"{path} in body should be less than or equal to {maximum}"));
        }

        if (schema.Number("minLength") is { } length && text.Length < length)
        {
            errors.Add(FieldError.Invalid(path, quoted, $"{path} in body should be at least {length} chars long"));
        }
    }

    private static bool IsOf(JsonNode value, string type) => type == TypeOf(value) || (type == "number" && TypeOf(value) == "integer");

    private static string TypeOf(JsonNode value) => value.GetValueKind() switch
    {
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.String => "string",
        JsonValueKind.Number => value.Number() is null ? "number" : "integer",
        _ => "boolean",
    };
}
