using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Api;

namespace Drydock.Simulator.Scenarios;

/// <summary>
/// Faults while the cluster runs: <c>GET /simulator/faults</c> lists them, <c>POST</c> adds one with the fields of a fault of a scenario
/// file, <c>DELETE /simulator/faults/ID</c> ends one and without an ID all.
/// </summary>
internal sealed class FaultPage(FaultController faults, Action<Controllers.ObjectKey> wake, Action<FaultSpec> check)
{
    private const string Path = "/simulator/faults";

    /// <summary>The answer, or null if the page is another one.</summary>
    public ApiAnswer? Answer(ApiRequest request)
    {
        var path = request.Path.TrimEnd('/');
        if (path != Path && !path.StartsWith(Path + "/", StringComparison.Ordinal))
        {
            return null;
        }

        try
        {
            return (request.Method, path[Path.Length..].TrimStart('/')) switch
            {
                ("GET", "") => Json(200, new JsonArray([.. faults.All.Select(Describe)])),
                ("POST", "") => Add(request),
                ("DELETE", "") => LiftAll(),
                ("GET", var id) => faults.All.FirstOrDefault(each => each.Id.ToString() == id) is { } found ? Json(200, Describe(found)) : NoSuch(id),
                ("DELETE", var id) => int.TryParse(id, out var number) && faults.Lift(number, wake) ? Json(200, new JsonObject()) : NoSuch(id),
                _ => Problem(405, "Allowed: GET and POST of /simulator/faults, GET and DELETE of /simulator/faults/ID."),
            };
        }
        catch (ScenarioException refusal)
        {
            return Problem(400, refusal.Message);
        }
    }

    private ApiAnswer Add(ApiRequest request)
    {
        // JSON is YAML: one reader for the file and for this page.
        var fields = YamlFields.Document(Encoding.UTF8.GetString(request.Body));
        var spec = FaultReader.Read(fields);
        fields.Done();
        check(spec);
        return Json(201, Describe(faults.Add(spec, wake)));
    }

    private ApiAnswer LiftAll()
    {
        foreach (var fault in faults.All)
        {
            faults.Lift(fault.Id, wake);
        }

        return Json(200, new JsonObject());
    }

    private static JsonNode Describe(RunningFault fault)
    {
        var answer = new JsonObject { ["id"] = fault.Id, ["state"] = fault.State, [fault.Spec.Kind] = fault.Spec.Target };
        Set("since", fault.Spec.Since == FaultStart.Start ? null : fault.Spec.Since.ToString().ToLowerInvariant());
        Set("after", Seconds(fault.Spec.After));
        Set("for", Seconds(fault.Spec.For));
        Set("every", Seconds(fault.Spec.Every));
        Set("takes", fault.Spec.Kind == "migrationsSlow" ? Seconds(fault.Spec.Takes) : null);
        Set("answer", fault.Spec.Answer);
        Set("retryAfter", fault.Spec.RetryAfter);
        Set("latency", Seconds(fault.Spec.Latency));
        Set("jitter", Seconds(fault.Spec.Jitter));
        Set("share", fault.Spec.Share == 100 ? null : fault.Spec.Share);
        Set("count", fault.Spec.Count);
        return answer;

        void Set(string name, JsonNode? value)
        {
            if (value is not null)
            {
                answer[name] = value;
            }
        }
    }

    private static string? Seconds(TimeSpan? span) =>
        span is { Ticks: > 0 } time ? time.TotalSeconds.ToString(CultureInfo.InvariantCulture) + "s" : null;

    private static ApiAnswer NoSuch(string id) => Problem(404, $"There is no fault '{id}'. GET {Path} lists them.");

    private static ApiAnswer Problem(int code, string message) => Json(code, new JsonObject { ["error"] = message });

    private static ApiAnswer Json(int code, JsonNode body) => new(code, "application/json", Wire.Bytes(body));
}
