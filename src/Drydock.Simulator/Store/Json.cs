using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>Reading and copying of JSON objects.</summary>
public static class Json
{
    /// <summary>A private copy. What nobody has looked at yet is shared with the source until somebody does.</summary>
    public static JsonObject Copy(this JsonObject source) => (JsonObject)source.DeepClone();

    /// <summary>A copy of any node, see <see cref="Copy"/>.</summary>
    public static JsonNode? CopyNode(this JsonNode? node) => node?.DeepClone();

    /// <summary>The node at a path of property names, or null.</summary>
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            node = node is JsonObject o ? o[name] : null;
        }

        return node;
    }

    /// <summary>The text at a path, or null if there is none or it is something else.</summary>
    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    /// <summary>The number at a path, or null.</summary>
    public static long? Number(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetNumber(out var number) ? number : null;

    /// <summary>The number at a path, with its fraction, or null.</summary>
    public static double? Real(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.GetValueKind() == JsonValueKind.Number
            ? double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture)
            : null;

    /// <summary>Whether there is a <c>true</c> at a path.</summary>
    public static bool Flag(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path)?.GetValueKind() == JsonValueKind.True;

    /// <summary>The objects in the array at a path; none if there is no array.</summary>
    public static IEnumerable<JsonObject> Objects(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray array ? array.OfType<JsonObject>() : [];

    /// <summary>The object at a name, made if it is missing.</summary>
    public static JsonObject Child(this JsonObject parent, string name)
    {
        if (parent[name] is JsonObject child)
        {
            return child;
        }

        child = [];
        parent[name] = child;

        return child;
    }

    /// <summary>Sets a property that is not there.</summary>
    public static void Default(this JsonObject parent, string name, JsonNode value)
    {
        if (parent[name] is null)
        {
            parent[name] = value;
        }
    }

    /// <summary>Whether two nodes say the same.</summary>
    public static bool Same(JsonNode? one, JsonNode? other) => JsonBytes.Same(one, other);

    /// <summary>The moment as the API writes it: UTC, whole seconds.</summary>
    public static string Timestamp(this DateTimeOffset moment) =>
        moment.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>The namespace of an object, or null.</summary>
    public static string? NamespaceOf(this JsonObject @object) => @object.Text("metadata", "namespace");

    /// <summary>The name of an object.</summary>
    public static string NameOf(this JsonObject @object) => @object.Text("metadata", "name") ?? "";

    /// <summary>The uid of an object.</summary>
    public static string UidOf(this JsonObject @object) => @object.Text("metadata", "uid") ?? "";

    /// <summary>The version of an object as stored.</summary>
    public static string VersionOf(this JsonObject @object) => @object.Text("metadata", "resourceVersion") ?? "";

    private static bool TryGetNumber(this JsonValue value, out long number) =>
        value.TryGetValue(out number)
        || (value.TryGetValue<int>(out var small) && (number = small) == small)
        || (value.TryGetValue<double>(out var real) && double.IsInteger(real) && (number = (long)real) == real);
}
