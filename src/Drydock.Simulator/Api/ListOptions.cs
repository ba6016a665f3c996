using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>The options of a list or watch, checked as the server checks them.</summary>
internal sealed record ListOptions(int Limit, string Continue, string ResourceVersion, string Match, bool SendInitialEvents)
{
    public static ListOptions Parse(ApiRequest request, bool watch)
    {
        var limit = 0L;
        if (request["limit"] is { Length: > 0 } text && !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out limit))
        {
            throw Refusals.BadRequest($"strconv.ParseInt: parsing \"{text}\": invalid syntax");
        }

        var options = new ListOptions(
            (int)Math.Clamp(limit, 0, int.MaxValue),
            request["continue"],
            request["resourceVersion"],
            request["resourceVersionMatch"],
            request.Query.ContainsKey("sendInitialEvents") && request.IsTrue("sendInitialEvents"));
        options.Check(watch, request.Query.ContainsKey("sendInitialEvents"));

        return options;
    }

    /// <summary>The version asked for; 0 for any, null for the latest.</summary>
    public long? Version(bool watch)
    {
        if (ResourceVersion.Length == 0)
        {
            return null;
        }

        if (ulong.TryParse(ResourceVersion, NumberStyles.None, CultureInfo.InvariantCulture, out var version))
        {
            return (long)Math.Min(version, long.MaxValue);
        }

        var message = $"resourceVersion: Invalid value: \"{ResourceVersion}\": strconv.ParseUint: parsing \"{ResourceVersion}\": invalid syntax";

        throw watch ? new ApiException(500, null, message) : Refusals.BadRequest(message);
    }

    private void Check(bool watch, bool sendInitialEventsGiven)
    {
        var errors = new List<FieldError>();
        const string field = "resourceVersionMatch";
        if (Match.Length > 0)
        {
            if (watch && !sendInitialEventsGiven)
            {
                errors.Add(FieldError.Forbidden(field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
            }

            if (ResourceVersion.Length == 0 && !watch)
            {
                errors.Add(FieldError.Forbidden(field, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
            }

            if (Continue.Length > 0)
            {
                errors.Add(FieldError.Forbidden(field, "resourceVersionMatch is forbidden when continue is provided"));
            }

            if (Match is not ("Exact" or "NotOlderThan"))
            {
                errors.Add(FieldError.Unsupported(field, Match, "Exact", "NotOlderThan", ""));
            }
            else if (Match == "Exact" && ResourceVersion == "0")
            {
                errors.Add(FieldError.Forbidden(field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
            }
        }

        if (sendInitialEventsGiven && !watch)
        {
            errors.Add(FieldError.Forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }

        if (errors.Count > 0)
        {
            throw Refusals.Invalid("meta.k8s.io", "ListOptions", "", errors);
        }
    }
}

/// <summary>Where a list goes on: a version and the last key of the page before.</summary>
internal sealed record PageToken(long Version, string After)
{
    public override string ToString() =>
        Convert.ToBase64String(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new { v = "meta.k8s.io/v1", rv = Version, start = After })))
            .TrimEnd('=').Replace('+', '-').Replace('/', '_');

    public static PageToken Parse(string token)
    {
        var padded = token.Replace('-', '+').Replace('_', '/') + new string('=', (4 - (token.Length % 4)) % 4);
        var bytes = new byte[padded.Length];
        if (!Convert.TryFromBase64String(padded, bytes, out var length))
        {
            throw Refusals.BadRequest("invalid continue token: continue key is not valid: illegal base64 data at input byte 0");
        }

        var text = Encoding.UTF8.GetString(bytes, 0, length);
        try
        {
            var json = JsonNode.Parse(text);

            return new PageToken(json.Number("rv") ?? -1, json.Text("start") ?? "");
        }
        catch (JsonException)
        {
            throw Refusals.BadRequest(
                $"invalid continue token: continue key is not valid: invalid character '{text[0]}' looking for beginning of value");
        }
    }
}
