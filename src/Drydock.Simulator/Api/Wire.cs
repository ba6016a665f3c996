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

    public static byte[] Bytes(JsonNode? node) => JsonBytes.Of(node);

    public static string Text(JsonNode node) => node.ToJsonString(_pretty);

    /// <summary>A list of stored objects. Items of built-in types leave out what the list says already.</summary>
    public static byte[] List(ResourceType type, string apiVersion, JsonObject metadata, IEnumerable<ReadOnlyMemory<byte>> items)
    {
        var head = new JsonObject { ["kind"] = $"{type.Kind}List", ["apiVersion"] = apiVersion, ["metadata"] = metadata };
        var buffer = new ArrayBufferWriter<byte>(4096);
        var text = Bytes(head);
        buffer.Write(text.AsSpan(0, text.Length - 1));
        buffer.Write(",\"items\":["u8);

        var prefix = Encoding.UTF8.GetBytes($"{{\"apiVersion\":\"{type.ApiVersion}\",\"kind\":\"{type.Kind}\",");
        var first = true;
        foreach (var item in items)
        {
            if (!first)
            {
                buffer.Write(","u8);
            }

            first = false;
            var bytes = item.Span;
            if (!type.IsCustom && bytes.StartsWith(prefix))
            {
                buffer.Write("{"u8);
                bytes = bytes[prefix.Length..];
            }

            buffer.Write(bytes);
        }

        buffer.Write("]}"u8);

        return buffer.WrittenSpan.ToArray();
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
