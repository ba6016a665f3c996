using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>What goes over the wire: objects, lists, watch events and refusals as bytes.</summary>
internal static class Wire
{
    private static readonly JsonSerializerOptions _pretty = new(JsonSerializerDefaults.General) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly byte[] _commaBrace = ",{"u8.ToArray();
    private static readonly byte[] _comma = ","u8.ToArray();
    private static readonly byte[] _brace = "{"u8.ToArray();
    private static readonly byte[] _end = "]}"u8.ToArray();

    public static byte[] Bytes(JsonNode? node) => JsonBytes.Of(node);

    public static string Text(JsonNode node) => node.ToJsonString(_pretty);

    /// <summary>A list of stored objects, in parts: the objects are as they are kept. Items of built-in types leave out what the list says already.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>> List(ResourceType type, string apiVersion, JsonObject metadata, IEnumerable<ReadOnlyMemory<byte>> items)
    {
        var head = Bytes(new JsonObject { ["kind"] = $"{type.Kind}List", ["apiVersion"] = apiVersion, ["metadata"] = metadata, ["items"] = new JsonArray() });
        var prefix = Encoding.UTF8.GetBytes($"{{\"apiVersion\":\"{type.ApiVersion}\",\"kind\":\"{type.Kind}\",");
        var parts = new List<ReadOnlyMemory<byte>> { head.AsMemory(0, head.Length - "]}".Length) };
        foreach (var item in items)
        {
            var abridged = !type.IsCustom && item.Span.StartsWith(prefix);
            parts.Add((parts.Count > 1, abridged) switch { (true, true) => _commaBrace, (true, false) => _comma, (false, true) => _brace, _ => default });
            parts.Add(abridged ? item[prefix.Length..] : item);
        }

        parts.Add(_end);

        return parts;
    }

    /// <summary>Writes one line of a watch.</summary>
    public static void Event(IBufferWriter<byte> buffer, string type, ReadOnlySpan<byte> @object)
    {
        buffer.Write("{\"type\":\""u8);
        Encoding.ASCII.GetBytes(type, buffer);
        buffer.Write("\",\"object\":"u8);
        buffer.Write(@object);
        buffer.Write("}\n"u8);
    }

    /// <summary>A Status that says no.</summary>
    public static JsonObject Status(ApiException refusal)
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = refusal.ListMetadata?.DeepClone() ?? new JsonObject(),
            ["status"] = "Failure",
            ["message"] = refusal.Message,
        };
        if (refusal.Reason is { } reason)
        {
            status["reason"] = reason;
        }

        if (refusal.Details is { } details)
        {
            status["details"] = details.DeepClone();
        }

        status["code"] = refusal.Code;

        return status;
    }
}
