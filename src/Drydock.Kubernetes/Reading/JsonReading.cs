using System.Globalization;
using System.Text.Json;

namespace Drydock.Kubernetes.Reading;

/// <summary>Reads fields that may be absent: whatever is missing or of another type is null or empty.</summary>
internal static class JsonReading
{
    private static readonly IReadOnlyDictionary<string, string> NoTexts = new Dictionary<string, string>(StringComparer.Ordinal);

    public static JsonElement Parse(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        return JsonElement.ParseValue(ref reader);
    }

    public static JsonElement At(this JsonElement element, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element))
            {
                return default;
            }
        }

        return element;
    }

    /// <summary>A text, or an int-or-string field as it was written.</summary>
    public static string? Text(this JsonElement element, params ReadOnlySpan<string> path)
    {
        var value = element.At(path);
        return value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Number => value.GetRawText(),
            _ => null,
        };
    }

    public static int? Number(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : null;

    public static bool? Flag(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.At(path).ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => null,
        };

    public static DateTimeOffset? Time(this JsonElement element, params ReadOnlySpan<string> path) =>
        element.Text(path) is { } text
        && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : null;

    public static IEnumerable<JsonElement> Items(this JsonElement element) =>
        element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : [];

    public static IReadOnlyList<string> Texts(this JsonElement element, params ReadOnlySpan<string> path) =>
        [.. element.At(path).Items().Select(item => item.Text() ?? "")];

    public static IReadOnlyDictionary<string, string> Map(this JsonElement element, params ReadOnlySpan<string> path)
    {
        var map = element.At(path);
        return map.ValueKind == JsonValueKind.Object
            ? map.EnumerateObject().ToDictionary(pair => pair.Name, pair => pair.Value.Text() ?? "", StringComparer.Ordinal)
            : NoTexts;
    }

    public static string Name(this JsonElement element) => element.Text("metadata", "name") ?? "";

    public static string Uid(this JsonElement element) => element.Text("metadata", "uid") ?? "";

    public static string ResourceVersion(this JsonElement element) => element.Text("metadata", "resourceVersion") ?? "";

    public static ObjectRef Ref(this JsonElement element) => new(element.Text("metadata", "namespace") ?? "", element.Name());

    public static bool IsBeingDeleted(this JsonElement element) => element.Text("metadata", "deletionTimestamp") is not null;

    public static DateTimeOffset CreatedAt(this JsonElement element) => element.Time("metadata", "creationTimestamp") ?? default;

    /// <summary>The owner with <c>controller: true</c>.</summary>
    public static OwnerRef? Controller(this JsonElement element) =>
        element.At("metadata", "ownerReferences").Items().Where(owner => owner.Flag("controller") == true)
            .Select(owner => new OwnerRef(owner.Text("kind") ?? "", owner.Text("name") ?? "", owner.Text("uid") ?? ""))
            .FirstOrDefault();

    /// <summary>All of <c>status.conditions</c>.</summary>
    public static IReadOnlyList<Condition> Conditions(this JsonElement element) =>
    [
        .. element.At("status", "conditions").Items().Select(condition => new Condition(
            condition.Text("type") ?? "",
            condition.Text("status") ?? "",
            condition.Text("reason"),
            condition.Text("message"),
            condition.Time("lastTransitionTime"))),
    ];

    public static Condition? Condition(this JsonElement element, string type) =>
        element.Conditions().FirstOrDefault(condition => condition.Type == type);
}
