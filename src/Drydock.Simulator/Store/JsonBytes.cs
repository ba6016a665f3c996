using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>JSON trees as UTF-8 and back.</summary>
internal static class JsonBytes
{
    private static readonly JsonWriterOptions _options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    [ThreadStatic]
    private static (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer)? _own;

    // Of the other one of two nodes that are compared.
    [ThreadStatic]
    private static (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer)? _other;

    /// <summary>The bytes of a node, as the API server writes them.</summary>
    public static byte[] Of(JsonNode? node) => Written(node, ref _own).ToArray();

    /// <summary>A tree that takes parts out of the bytes only when they are looked at; any number of readers may look at once.</summary>
    /// <param name="bytes">What <see cref="Of"/> wrote of an object.</param>
    public static JsonObject Parse(ReadOnlySpan<byte> bytes) => JsonObject.Create(JsonElement.Parse(bytes))!;

    /// <summary>Whether two nodes say the same. Their text is compared first: parts nobody has looked at stay text.</summary>
    public static bool Same(JsonNode? one, JsonNode? other)
    {
        if (one is null || other is null)
        {
            return one == other;
        }

        return Written(one, ref _own).SequenceEqual(Written(other, ref _other)) || JsonNode.DeepEquals(one, other);
    }

    private static ReadOnlySpan<byte> Written(JsonNode? node, ref (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer)? own)
    {
        var (buffer, writer) = own ??= Fresh();
        buffer.ResetWrittenCount();
        writer.Reset();
        if (node is null)
        {
            writer.WriteNullValue();
        }
        else
        {
            node.WriteTo(writer);
        }

        writer.Flush();

        return buffer.WrittenSpan;
    }

    private static (ArrayBufferWriter<byte>, Utf8JsonWriter) Fresh()
    {
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);

        return (buffer, new Utf8JsonWriter(buffer, _options));
    }
}
