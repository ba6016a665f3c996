using System.Reflection;
using System.Text.Json;
using Drydock.Api;

namespace Drydock.Server.Rest;

/// <summary>Compares a JSON value with the record it is to become, so that an answer can name every field that does not fit.</summary>
internal static class JsonShape
{
    /// <summary>Everything that does not fit.</summary>
    public static IReadOnlyList<FieldError> Check(JsonElement json, Type type)
    {
        var errors = new List<FieldError>();
        Check(json, type, "", errors);
        return errors;
    }

    private static void Check(JsonElement json, Type type, string path, List<FieldError> errors)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        var canBeNull = path.Length > 0 && (plain != type || !type.IsValueType);
        if (json.ValueKind == JsonValueKind.Null && canBeNull)
        {
            return;
        }

        if (Expected(plain, json) is { } allowed)
        {
            errors.Add(new FieldError(path.Length == 0 ? "body" : path, Shorten(json.GetRawText()), allowed));
        }
        else if (ItemType(plain) is { } item)
        {
            var index = 0;
            foreach (var element in json.EnumerateArray())
            {
                Check(element, item, $"{path}[{index++}]", errors);
            }
        }
        else if (json.ValueKind == JsonValueKind.Object && plain != typeof(JsonElement))
        {
            CheckMembers(json, plain, path, errors);
        }
    }

    private static void CheckMembers(JsonElement json, Type type, string path, List<FieldError> errors)
    {
        var known = type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(static property => property.CanWrite)
            .ToDictionary(static property => JsonNamingPolicy.CamelCase.ConvertName(property.Name), StringComparer.OrdinalIgnoreCase);
        foreach (var member in json.EnumerateObject())
        {
            var field = path.Length == 0 ? member.Name : $"{path}.{member.Name}";
            if (known.TryGetValue(member.Name, out var property))
            {
                Check(member.Value, property.PropertyType, field, errors);
            }
            else
            {
                errors.Add(new FieldError(Shorten(field), Shorten(member.Value.GetRawText()), "one of the fields " + string.Join(", ", known.Keys)));
            }
        }
    }

    /// <summary>What should stand there instead, or null if the kind of value is right.</summary>
    private static string? Expected(Type type, JsonElement json) =>
        type == typeof(string) ? (json.ValueKind == JsonValueKind.String ? null : "a text")
        : type == typeof(bool) ? (json.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : "true or false")
        : type == typeof(int) ? (json.ValueKind == JsonValueKind.Number && json.TryGetInt32(out _) ? null : "a whole number")
        : ItemType(type) is not null ? (json.ValueKind == JsonValueKind.Array ? null : "a list")
        : json.ValueKind == JsonValueKind.Object ? null : "an object";

    private static Type? ItemType(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    private static string Shorten(string text) => text.Length > 200 ? text[..200] + "…" : text;
}
