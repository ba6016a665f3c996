using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Drydock.Server;

/// <summary>A manifest as people write it: YAML or JSON.</summary>
public static class ManifestText
{
    /// <summary>The object it says.</summary>
    /// <exception cref="FormatException">It is no single object; the message says why.</exception>
    public static JsonElement Parse(string text)
    {
        try
        {
            var yaml = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object?>(text);
            var json = JsonSerializer.SerializeToElement(yaml);
            return json.ValueKind == JsonValueKind.Object ? json : throw new FormatException("It is no object.");
        }
        catch (Exception exception) when (exception is YamlException or NotSupportedException)
        {
            throw new FormatException(exception.Message, exception);
        }
    }
}
