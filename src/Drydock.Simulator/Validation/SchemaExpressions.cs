using System.Text.Json.Nodes;
using Drydock.Simulator.Cel;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

/// <summary>
/// The rules of a schema (<c>x-kubernetes-validations</c>), read once. Which are asked and how a broken one is worded:
/// k8s.io/apiextensions-apiserver, pkg/apiserver/schema/cel/validation.go. There is no limit of cost.
/// </summary>
internal sealed class SchemaExpressions
{
    private readonly JsonObject _schema;
    private readonly List<SchemaRule> _rules;
    private readonly Dictionary<string, SchemaExpressions> _properties = [];
    private readonly SchemaExpressions? _items;
    private readonly SchemaExpressions? _values;

    private SchemaExpressions(JsonObject schema)
    {
        _schema = schema;
        _rules = [.. schema.Objects("x-kubernetes-validations").Select(SchemaRule.Of)];
        foreach (var (name, property) in schema["properties"] as JsonObject ?? [])
        {
            if (property is JsonObject own && new SchemaExpressions(own) is { IsEmpty: false } rules)
            {
                _properties[name] = rules;
            }
        }

        _items = schema["items"] is JsonObject items && new SchemaExpressions(items) is { IsEmpty: false } ofItems ? ofItems : null;
        _values = schema["additionalProperties"] is JsonObject values && new SchemaExpressions(values) is { IsEmpty: false } ofValues ? ofValues : null;
    }

    public bool IsEmpty => _rules.Count == 0 && _properties.Count == 0 && _items is null && _values is null;

    public static SchemaExpressions Of(JsonObject? root) => new(root ?? []);

    public List<FieldError> Check(JsonObject @object, JsonObject? before)
    {
        var errors = new List<FieldError>();
        Check(@object, before, "", errors);

        return errors;
    }

    private void Check(JsonNode? value, JsonNode? before, string path, List<FieldError> errors)
    {
        if (value is null)
        {
            return;
        }

        if (_rules.Count > 0)
        {
            var self = CelValue.Of(value, _schema);
            var old = before is null ? null : CelValue.Of(before, _schema);
            // What was already wrong and is not touched may stay.
            var isSame = before is not null && CelValue.Same(self, old);
            errors.AddRange(_rules.Select(rule => rule.Check(self, old, path, _schema.Text("type") ?? "", isSame)).OfType<FieldError>());
        }

        switch (value)
        {
            case JsonObject @object:
                foreach (var (name, rules) in _properties)
                {
                    rules.Check(@object[name], before.At(name), path.Length == 0 ? name : $"{path}.{name}", errors);
                }

                foreach (var (name, child) in @object)
                {
                    _values?.Check(child, before.At(name), $"{path}[{name}]", errors);
                }

                break;
            case JsonArray items when _items is not null:
                for (var i = 0; i < items.Count; i++)
                {
                    _items.Check(items[i], Counterpart(items[i], before), $"{path}[{i}]", errors);
                }

                break;
        }
    }

    /// <summary>The item it was before; known only in lists that are maps.</summary>
    private JsonNode? Counterpart(JsonNode? item, JsonNode? before) =>
        _schema.Text("x-kubernetes-list-type") == "map" && before is JsonArray items
            ? items.FirstOrDefault(each => JsonNode.DeepEquals(SchemaCheck.ListKey(each, _schema), SchemaCheck.ListKey(item, _schema)))
            : null;
}

/// <summary>One rule.</summary>
internal sealed record SchemaRule(CelExpression Rule, string Text, string? Message, CelExpression? MessageExpression, string? Reason, string? FieldPath, bool OptionalOldSelf)
{
    /// <summary>Reads a rule.</summary>
    /// <exception cref="CelException">It cannot be read.</exception>
    public static SchemaRule Of(JsonObject rule) => new(
        CelExpression.Parse(rule.Text("rule") ?? ""),
        rule.Text("rule") ?? "",
        rule.Text("message") is { Length: > 0 } message ? message.Trim() : null,
        rule.Text("messageExpression") is { Length: > 0 } expression ? CelExpression.Parse(expression) : null,
        rule.Text("reason"),
        rule.Text("fieldPath"),
        rule.Flag("optionalOldSelf"));

    /// <summary>What is wrong by this rule, or null.</summary>
    public FieldError? Check(object? self, object? old, string path, string type, bool isSame)
    {
        var usesOld = Rule.Mentions("oldSelf");
        if (usesOld && old is null && !OptionalOldSelf)
        {
            return null;
        }

        var field = path.Length == 0 ? "<nil>" : path;
        try
        {
            if (Rule.Evaluate(("self", self), ("oldSelf", old)) is true || (isSame && !usesOld))
            {
                return null;
            }
        }
        catch (CelException failure)
        {
            var why = failure.Message.StartsWith("no such overload", StringComparison.Ordinal)
                ? $"'{failure.Message}': call arguments did not match a supported operator, function or macro signature for rule: {Said}"
                : $"{failure.Message} evaluating rule: {Said}";

            return FieldError.Invalid(field, $"\"{type}\"", why);
        }

        var (at, detail) = (FieldPath is null ? field : path + FieldPath, Expressed(self, old) ?? Message ?? $"failed rule: {Text}");

        return Reason switch
        {
            "FieldValueForbidden" => FieldError.Forbidden(at, detail),
            "FieldValueRequired" => FieldError.Required(at, detail),
            "FieldValueDuplicate" => FieldError.Duplicate(at, $"\"{type}\""),
            _ => FieldError.Invalid(at, $"\"{type}\"", detail),
        };
    }

    private string Said => Message ?? Text;

    private string? Expressed(object? self, object? old)
    {
        try
        {
            return MessageExpression?.Evaluate(("self", self), ("oldSelf", old)) is string text && text.Trim() is { Length: > 0 } said ? said : null;
        }
        catch (CelException)
        {
            // As the API server does: the message that needs no evaluation stands in.
            return null;
        }
    }
}
