using System.Text.Json;

namespace Drydock.Maintenance;

/// <summary>The ledger as it stands in annotations: small JSON that a person can read.</summary>
internal static class LedgerJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull,
    };

    public static string Write<T>(T ledger) => JsonSerializer.Serialize(ledger, Options);

    /// <summary>The ledger, or null if the text is none: then a person must decide.</summary>
    public static T? Read<T>(string text)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(text, Options);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
