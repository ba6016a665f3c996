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

    // The properties of the objects that are being read, the outer ones first.
    [ThreadStatic]
    private static List<KeyValuePair<string, JsonNode?>>? _properties;

    /// <summary>The bytes of a node, as the API server writes them.</summary>
    public static byte[] Of(JsonNode? node)
    {
        var (buffer, writer) = _own ??= Fresh();
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

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// A tree without any lazily parsed part. Names are shared between trees; a number keeps the form it was written in.
    /// </summary>
    /// <param name="bytes">What <see cref="Of"/> wrote of an object.</param>
    public static JsonObject Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes);
        reader.Read();

        return ReadObject(ref reader);
    }

    private static (ArrayBufferWriter<byte>, Utf8JsonWriter) Fresh()
    {
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);

        return (buffer, new Utf8JsonWriter(buffer, _options));
    }

    private static JsonObject ReadObject(ref Utf8JsonReader reader)
    {
        // Their number is known before the object is made: it is as large as it has to be, once.
        var properties = _properties ??= [];
        var first = properties.Count;
        while (reader.Read() && reader.TokenType is not JsonTokenType.EndObject)
        {
            var name = PropertyNames.Of(ref reader);
            reader.Read();
            properties.Add(KeyValuePair.Create(name, ReadValue(ref reader)));
        }

        var own = properties[first..];
        properties.RemoveRange(first, own.Count);

        return new JsonObject(own);
    }

    private static JsonArray ReadArray(ref Utf8JsonReader reader)
    {
        var read = new JsonArray();
        while (reader.Read() && reader.TokenType is not JsonTokenType.EndArray)
        {
            read.Add(ReadValue(ref reader));
        }

        return read;
    }

    private static JsonNode? ReadValue(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartObject => ReadObject(ref reader),
        JsonTokenType.StartArray => ReadArray(ref reader),
        JsonTokenType.String => JsonValue.Create(reader.GetString()),
        JsonTokenType.True => JsonValue.Create(true),
        JsonTokenType.False => JsonValue.Create(false),
        JsonTokenType.Null => null,
        _ => JsonValue.Create(JsonElement.ParseValue(ref reader)),
    };
}

/// <summary>The names of properties, each kept once: there are a few hundred, in a hundred thousand objects.</summary>
internal static class PropertyNames
{
    // Label keys are names too and may be anything: beyond this many, new ones are not kept.
    private const int Most = 4096;

    private static readonly Lock _adding = new();
    private static Dictionary<int, string[]> _known = [];
    private static int _count;

    /// <summary>The name the reader stands on.</summary>
    public static string Of(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped || reader.HasValueSequence)
        {
            return reader.GetString()!;
        }

        var hash = new HashCode();
        hash.AddBytes(reader.ValueSpan);
        var code = hash.ToHashCode();
        foreach (var name in Volatile.Read(ref _known).GetValueOrDefault(code) ?? [])
        {
            if (reader.ValueTextEquals(name))
            {
                return name;
            }
        }

        return Add(code, reader.GetString()!);
    }

    private static string Add(int code, string name)
    {
        lock (_adding)
        {
            if (_count < Most)
            {
                // Readers take no lock: they see the whole old dictionary or the whole new one.
                _known = new(_known) { [code] = [.. _known.GetValueOrDefault(code) ?? [], name] };
                _count++;
            }
        }

        return name;
    }
}
