using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>Reads the objects that clients send.</summary>
internal static class Bodies
{
    /// <summary>The body as an object; null if there is none.</summary>
    public static JsonObject? Optional(ApiRequest request, string kind) => request.Body.Length == 0 ? null : Required(request, kind);

    /// <summary>The body as an object of a kind.</summary>
    public static JsonObject Required(ApiRequest request, string kind)
    {
        var text = Encoding.UTF8.GetString(request.Body);
        var mediaType = request.ContentType.Split(';')[0].Trim();
        if (mediaType is "application/vnd.kubernetes.protobuf" && Protobuf.Read(request.Body) is { } read)
        {
            return read;
        }

        if (mediaType is "application/vnd.kubernetes.protobuf" or "text/plain")
        {
            throw new ApiException(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: "
                + "application/json, application/yaml, application/vnd.kubernetes.protobuf") { Details = [] };
        }

        try
        {
            var node = mediaType.EndsWith("yaml", StringComparison.Ordinal) ? Yaml.Read(text) : Parse(text);

            return node as JsonObject ?? throw Unrecognized(kind, "cannot unmarshal into an object", request.Body);
        }
        catch (JsonException)
        {
            throw Unrecognized(kind, GoComplaint(text), request.Body);
        }
        catch (YamlDotNet.Core.YamlException error)
        {
            throw Unrecognized(kind, error.Message, request.Body);
        }
    }

    /// <summary>Parsed, and without duplicate names, which JsonObject only notices later.</summary>
    public static JsonNode? Parse(string text)
    {
        using var document = JsonDocument.Parse(text);

        return Build(document.RootElement);
    }

    /// <summary>The paths of the fields that a body in JSON gives twice.</summary>
    public static IReadOnlyList<string> Duplicates(ApiRequest request)
    {
        if (!request.ContentType.Contains("json", StringComparison.Ordinal))
        {
            return [];
        }

        using var document = JsonDocument.Parse(request.Body);
        var found = new List<string>();
        FindDuplicates(document.RootElement, "", found);

        return found;
    }

    /// <summary>What Go's decoder says about text that is not JSON.</summary>
    public static string GoComplaint(string text)
    {
        var trimmed = text.TrimStart();

        return trimmed.Length == 0 || IsCutShort(text)
            ? "unexpected end of JSON input"
            : $"invalid character '{trimmed[0]}' looking for beginning of value";
    }

    private static bool IsCutShort(string text)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text), isFinalBlock: false, default);
        try
        {
            while (reader.Read())
            {
                // Only the end matters: whether the text breaks a rule or just stops.
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static void FindDuplicates(JsonElement element, string path, List<string> found)
    {
        if (element.ValueKind is JsonValueKind.Object)
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (var property in element.EnumerateObject())
            {
                var at = path.Length == 0 ? property.Name : $"{path}.{property.Name}";
                if (!names.Add(property.Name))
                {
                    found.Add(at);
                }

                FindDuplicates(property.Value, at, found);
            }
        }
        else if (element.ValueKind is JsonValueKind.Array)
        {
            foreach (var (index, item) in element.EnumerateArray().Index())
            {
                FindDuplicates(item, $"{path}[{index}]", found);
            }
        }
    }

    private static JsonNode? Build(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var @object = new JsonObject();
                foreach (var property in element.EnumerateObject())
                {
                    @object[property.Name] = Build(property.Value);
                }

                return @object;
            case JsonValueKind.Array:
                return new JsonArray([.. element.EnumerateArray().Select(Build)]);
            case JsonValueKind.Null:
                return null;
            case JsonValueKind.String:
                return JsonValue.Create(element.GetString());
            default:
                return JsonValue.Create(element.Clone());
        }
    }

    private static ApiException Unrecognized(string kind, string complaint, byte[] body)
    {
        var shown = body.Length == 0 ? "<empty>" : Encoding.UTF8.GetString(body);
        if (body.Length > 0 && body[0] != '{')
        {
            shown = Convert.ToHexStringLower(body.AsSpan(0, Math.Min(body.Length, 100)));
        }
        else if (shown.Length > 40)
        {
            // Go quotes the beginning only.
            shown = shown[..30] + " ...";
        }

        return Refusals.BadRequest($"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
            + $"json parse error: {complaint} ({shown})");
    }
}
