using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

/// <summary>
/// The structural schema of a custom type: prunes unknown fields, sets defaults, checks the form of objects and their rules
/// (<c>x-kubernetes-validations</c>).
/// </summary>
internal sealed class Schema
{
    private const string Preserve = "x-kubernetes-preserve-unknown-fields";
    private static readonly ConditionalWeakTable<JsonObject, Schema> _known = [];

    private static readonly FieldError _unchecked = FieldError.Invalid("<nil>", "\"null\"",
        "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation");

    private readonly JsonObject? _root;
    private readonly SchemaExpressions _rules;

    private Schema(JsonObject definition)
    {
        _root = CustomResource.StorageVersion(definition).At("schema", "openAPIV3Schema") as JsonObject;
        _rules = SchemaExpressions.Of(_root);
    }

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

    /// <summary>What of an object breaks the schema, or a rule of it.</summary>
    /// <param name="object">The object.</param>
    /// <param name="before">It as it was, or null if it is new.</param>
    public List<FieldError> Check(JsonObject @object, JsonObject? before)
    {
        if (_root is null)
        {
            return [];
        }

        var errors = SchemaCheck.Of(@object, _root);
        if (!_rules.IsEmpty)
        {
            errors.AddRange(errors.Exists(IsBlocking) ? [_unchecked] : _rules.Check(@object, before));
        }

        return errors;
    }

    /// <summary>Rules may rely on the form of an object: if that is broken, they are not asked.</summary>
    private static bool IsBlocking(FieldError error) =>
        error.Reason is "FieldValueRequired" or "FieldValueTypeInvalid" or "FieldValueTooLong" or "FieldValueTooMany";

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
            if (schema?["default"] is { } value && (!@object.ContainsKey(name) || (@object[name] is null && !schema.Flag("nullable"))))
            {
                @object[name] = value.CopyNode();
                Prune(@object[name], (JsonObject)schema, name, []);
            }
        }
    }
}
