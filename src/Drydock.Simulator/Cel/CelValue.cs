using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Cel;

/// <summary>The values of CEL: null, bool, long, double, string, timestamps, durations, lists and maps by name.</summary>
internal static class CelValue
{
    /// <summary>A JSON value as its schema types it: <c>date-time</c> and <c>duration</c> are no strings.</summary>
    public static object? Of(JsonNode? node, JsonObject? schema) => node switch
    {
        null => null,
        JsonArray items => items.Select(item => Of(item, schema?["items"] as JsonObject)).ToList(),
        JsonObject map => map.ToDictionary(
            each => each.Key,
            each => Of(each.Value, (schema.At("properties", each.Key) ?? schema?["additionalProperties"]) as JsonObject),
            StringComparer.Ordinal),
        _ => Scalar(node, schema),
    };

    public static bool Truth(object? value, string function) => value is bool truth ? truth : throw CelException.NoSuchOverload(function);

    public static bool Same(object? one, object? other) => (one, other) switch
    {
        (null, null) => true,
        (bool a, bool b) => a == b,
        (string a, string b) => string.Equals(a, b, StringComparison.Ordinal),
        (long or double, long or double) => Order(one, other) == 0,
        (DateTimeOffset a, DateTimeOffset b) => a == b,
        (TimeSpan a, TimeSpan b) => a == b,
        (IReadOnlyList<object?> a, IReadOnlyList<object?> b) => a.Count == b.Count && a.Zip(b).All(pair => Same(pair.First, pair.Second)),
        (IReadOnlyDictionary<string, object?> a, IReadOnlyDictionary<string, object?> b) =>
            a.Count == b.Count && a.All(each => b.TryGetValue(each.Key, out var value) && Same(each.Value, value)),
        _ => false,
    };

    /// <summary>Below, equal or above zero.</summary>
    public static int Order(object? one, object? other) => (one, other) switch
    {
        (long a, long b) => a.CompareTo(b),
        (long a, double b) => ((double)a).CompareTo(b),
        (double a, long b) => a.CompareTo(b),
        (double a, double b) => a.CompareTo(b),
        (string a, string b) => string.CompareOrdinal(a, b),
        (bool a, bool b) => a.CompareTo(b),
        (DateTimeOffset a, DateTimeOffset b) => a.CompareTo(b),
        (TimeSpan a, TimeSpan b) => a.CompareTo(b),
        _ => throw CelException.NoSuchOverload("_<_"),
    };

    public static string Text(object? value) => value switch
    {
        string text => text,
        bool truth => truth ? "true" : "false",
        long whole => whole.ToString(CultureInfo.InvariantCulture),
        double real => real.ToString("R", CultureInfo.InvariantCulture),
        DateTimeOffset moment => moment.Timestamp(),
        TimeSpan span => $"{span.TotalSeconds.ToString(CultureInfo.InvariantCulture)}s",
        _ => throw CelException.NoSuchOverload("string"),
    };

    private static object? Scalar(JsonNode node, JsonObject? schema) => node.GetValueKind() switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => schema.Text("type") == "number" || node.Number() is not { } whole ? (object?)node.Real() : whole,
        _ => (schema.Text("format"), node.ToString()) switch
        {
            ("date-time", var text) when DateTimeOffset.TryParse(
                text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment) => moment,
            ("duration", var text) => CelFunctions.Duration(text),
            (_, var text) => text,
        },
    };
}
