using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Drydock.Api;

/// <summary>How JSON looks on the wire: camelCase names, enums by name, what is null is left out.</summary>
public static class ApiJson
{
    /// <summary>The options of both sides. Unknown members are accepted, so that an older client can read a newer server.</summary>
    public static JsonSerializerOptions Options { get; } = Create(JsonUnmappedMemberHandling.Skip);

    /// <summary>The options for what a caller sends: a misspelt member is an error, not silence.</summary>
    public static JsonSerializerOptions Strict { get; } = Create(JsonUnmappedMemberHandling.Disallow);

    /// <summary>Makes existing options write what <see cref="Options"/> writes.</summary>
    public static void Apply(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;

        // Bodies are application/json, never pasted into a page: an apostrophe in a sentence may stay one.
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        options.Converters.Add(new JsonStringEnumConverter());
    }

    private static JsonSerializerOptions Create(JsonUnmappedMemberHandling unknown)
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web) { UnmappedMemberHandling = unknown };
        Apply(options);
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
