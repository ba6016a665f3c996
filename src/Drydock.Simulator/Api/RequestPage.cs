using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>
/// The request log over HTTP: <c>GET /simulator/requests</c> lists the latest answered requests, oldest first, those that match every
/// query parameter (<c>verb</c>, <c>resource</c>, <c>subresource</c>, <c>namespace</c>, <c>name</c>, <c>user</c>, <c>code</c>) and of these
/// the last <c>limit</c>; <c>DELETE</c> forgets them all. Requests to the pages of the simulator are not among them.
/// </summary>
internal sealed class RequestPage(RequestLog log)
{
    private const string Path = "/simulator/requests";

    private static readonly Dictionary<string, Func<RequestRecord, string?>> _fields = new()
    {
        ["verb"] = record => record.Verb,
        ["resource"] = record => record.Resource,
        ["subresource"] = record => record.Subresource,
        ["namespace"] = record => record.Namespace,
        ["name"] = record => record.Name,
        ["user"] = record => record.User,
        ["code"] = record => record.Code.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>The answer, or null if the page is another one.</summary>
    public ApiAnswer? Answer(ApiRequest request)
    {
        if (request.Path.TrimEnd('/') != Path)
        {
            return null;
        }

        switch (request.Method)
        {
            case "GET":
                return List(request);
            case "DELETE":
                log.Clear();
                return Json(200, new JsonObject());
            default:
                return Problem(405, $"Allowed: GET and DELETE of {Path}.");
        }
    }

    private ApiAnswer List(ApiRequest request)
    {
        var limit = int.MaxValue;
        var wanted = log.All.Where(record => !record.Path.StartsWith("/simulator/", StringComparison.Ordinal));
        foreach (var (name, values) in request.Query)
        {
            var value = values.ToString();
            if (_fields.TryGetValue(name, out var field))
            {
                // An empty value is asked for as such: requests without a subresource.
                wanted = wanted.Where(record => (field(record) ?? "") == value);
            }
            else if (name != "limit")
            {
                return Problem(400, $"Unknown query parameter {name} ({value}). Allowed: {string.Join(", ", _fields.Keys)}, limit.");
            }
            else if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit == 0)
            {
                return Problem(400, $"limit is '{value}'. Allowed: a number from 1.");
            }
        }

        return Json(200, new JsonArray([.. wanted.TakeLast(limit).Select(Describe)]));
    }

    private static JsonNode Describe(RequestRecord record)
    {
        var answer = new JsonObject { ["time"] = record.Time.Timestamp(), ["path"] = record.Path };
        foreach (var (name, field) in _fields)
        {
            if (field(record) is { Length: > 0 } value)
            {
                answer[name] = name == "code" ? record.Code : value;
            }
        }

        return answer;
    }

    private static ApiAnswer Problem(int code, string message) => Json(code, new JsonObject { ["error"] = message });

    private static ApiAnswer Json(int code, JsonNode body) => new(code, "application/json", Wire.Bytes(body));
}
