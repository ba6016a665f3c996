using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>The refusals of an API server, worded as it does.</summary>
public static class Refusals
{
    /// <summary>404: there is no such object.</summary>
    public static ApiException NotFound(ResourceType type, string name) =>
        new(404, "NotFound", $"{type.GroupResource} \"{name}\" not found") { Details = Details(type, name) };

    /// <summary>409: an object of that name exists.</summary>
    public static ApiException AlreadyExists(ResourceType type, string name) =>
        new(409, "AlreadyExists", $"{type.GroupResource} \"{name}\" already exists") { Details = Details(type, name) };

    /// <summary>409: the object is not as the request says.</summary>
    public static ApiException Conflict(ResourceType type, string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {type.GroupResource} \"{name}\": {why}") { Details = Details(type, name) };

    /// <summary>409: the object was changed since it was read.</summary>
    public static ApiException Modified(ResourceType type, string name) =>
        Conflict(type, name, "the object has been modified; please apply your changes to the latest version and try again");

    /// <summary>403.</summary>
    public static ApiException Forbidden(ResourceType type, string name, string why) =>
        new(403, "Forbidden", $"{type.GroupResource} \"{name}\" is forbidden: {why}") { Details = Details(type, name) };

    /// <summary>400.</summary>
    public static ApiException BadRequest(string message) => new(400, "BadRequest", message);

    /// <summary>410: the version asked for is no longer known.</summary>
    public static ApiException TooOld(long asked, long oldest) => new(410, "Expired", $"too old resource version: {asked} ({oldest})");

    /// <summary>422: the object breaks rules.</summary>
    public static ApiException Invalid(ResourceType type, string name, IReadOnlyList<FieldError> errors) =>
        Invalid(type.Group, type.Kind, name, errors);

    /// <summary>422 for something that is no resource, such as the options of a request.</summary>
    public static ApiException Invalid(string group, string kind, string name, IReadOnlyList<FieldError> errors)
    {
        var details = new JsonObject();
        if (name.Length > 0)
        {
            details["name"] = name;
        }

        if (group.Length > 0)
        {
            details["group"] = group;
        }

        if (kind.Length > 0)
        {
            details["kind"] = kind;
        }

        details["causes"] = new JsonArray([.. errors.Select(e => e.ToCause())]);

        var qualified = group.Length > 0 ? $"{kind}.{group}" : kind;
        var texts = errors.Select(e => e.ToString()).Distinct().ToList();
        var all = texts.Count == 1 ? texts[0] : $"[{string.Join(", ", texts)}]";

        return new ApiException(422, "Invalid", $"{qualified} \"{name}\" is invalid: {all}") { Details = details };
    }

    /// <summary>The details that name an object.</summary>
    public static JsonObject Details(ResourceType type, string name)
    {
        var details = new JsonObject { ["name"] = name };
        if (type.Group.Length > 0)
        {
            details["group"] = type.Group;
        }

        details["kind"] = type.Plural;

        return details;
    }
}

/// <summary>One broken rule of an object.</summary>
/// <param name="Field">Path of the field.</param>
/// <param name="Reason">Such as <c>FieldValueRequired</c>.</param>
/// <param name="Text">Such as <c>Required value</c>.</param>
public sealed record FieldError(string Field, string Reason, string Text)
{
    /// <summary>A value has to be there.</summary>
    public static FieldError Required(string field, string why = "") =>
        new(field, "FieldValueRequired", why.Length == 0 ? "Required value" : $"Required value: {why}");

    /// <summary>The value is wrong; <paramref name="value"/> as JSON.</summary>
    public static FieldError Invalid(string field, string value, string why) =>
        new(field, "FieldValueInvalid", $"Invalid value: {value}: {why}");

    /// <summary>The value may not be there.</summary>
    public static FieldError Forbidden(string field, string why) => new(field, "FieldValueForbidden", $"Forbidden: {why}");

    /// <summary>The value is none of those known.</summary>
    public static FieldError Unsupported(string field, string value, params ReadOnlySpan<string> supported) =>
        new(field, "FieldValueNotSupported", $"Unsupported value: \"{value}\": supported values: \"{string.Join("\", \"", supported)}\"");

    /// <summary>The value is there twice; <paramref name="value"/> as it is quoted.</summary>
    public static FieldError Duplicate(string field, string value) =>
        new(field, "FieldValueDuplicate", $"Duplicate value: {value}");

    /// <summary>A text has more bytes than allowed.</summary>
    public static FieldError TooLong(string field, long most) =>
        new(field, "FieldValueTooLong", $"Too long: may not be more than {most} bytes");

    /// <summary>A list or map has more items than allowed.</summary>
    public static FieldError TooMany(string field, long count, long most) =>
        new(field, "FieldValueTooMany", $"Too many: {count}: must have at most {most} items");

    /// <summary>As a cause in a Status.</summary>
    public JsonObject ToCause() => new() { ["reason"] = Reason, ["message"] = Text, ["field"] = Field };

    /// <inheritdoc/>
    public override string ToString() => $"{Field}: {Text}";
}
