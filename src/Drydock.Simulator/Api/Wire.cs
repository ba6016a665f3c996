using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>Objects as bytes. What is stored never changes, so each stored object is serialized once however many watch it.</summary>
internal static class Wire
{
    private static readonly JsonWriterOptions _options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
    private static readonly JsonSerializerOptions _pretty = new(JsonSerializerDefaults.General) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly ConditionalWeakTable<JsonObject, byte[]> _stored = [];

    public static byte[] Bytes(JsonNode? node)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, _options))
        {
            if (node is null)
            {
                writer.WriteNullValue();
            }
            else
            {
                node.WriteTo(writer);
            }
        }

        return buffer.WrittenSpan.ToArray();
    }

    public static string Text(JsonNode node) => node.ToJsonString(_pretty);

    /// <summary>The bytes of an object of the store, made once.</summary>
    public static byte[] Stored(JsonObject @object) => _stored.GetValue(@object, static o => Bytes(o));

    /// <summary>A list of stored objects. Items of built-in types leave out what the list says already.</summary>
    public static byte[] List(ResourceType type, string apiVersion, JsonObject metadata, IEnumerable<JsonObject> items)
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
            var bytes = Stored(item).AsSpan();
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

    /// <summary>One line of a watch.</summary>
    public static byte[] Event(string type, ReadOnlySpan<byte> @object)
    {
        var buffer = new ArrayBufferWriter<byte>(@object.Length + 40);
        buffer.Write("{\"type\":\""u8);
        buffer.Write(Encoding.ASCII.GetBytes(type));
        buffer.Write("\",\"object\":"u8);
        buffer.Write(@object);
        buffer.Write("}\n"u8);

        return buffer.WrittenSpan.ToArray();
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
