using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Api;
using Drydock.Simulator.Store;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>Cases of several requests at once: simultaneous ones, and watches with what was done while they were open.</summary>
internal sealed partial class Replayer
{
    private async Task<string> PlayConcurrentAsync(JsonObject recorded, Placeholders scope)
    {
        var request = recorded["request"]!.AsObject();
        var answers = new List<(int Code, string Body)>();
        foreach (var pod in recorded.Objects("responses").Select(r => r.Text("pod")!))
        {
            var step = JsonNode.Parse(Wire.Text(request).Replace("<pod>", pod))!.AsObject();
            var answer = await SendRecordedAsync(step, scope);
            answers.Add((answer.Code, answer.Body.Text("message") ?? ""));
        }

        string Summary(IEnumerable<(int, string)> all) =>
            string.Join(", ", all.GroupBy(a => a.Item1).OrderBy(g => g.Key).Select(g => $"{g.Count()} x {g.Key}"));
        var expected = Summary(recorded.Objects("responses").Select(r => ((int)r.Number("status")!, "")));

        return Summary(answers) == expected ? "" : $"expected {expected}, got {Summary(answers)}";
    }

    private async Task<string> WatchAsync(List<JsonObject> watches, JsonObject recorded, Placeholders scope)
    {
        var differences = new StringBuilder();
        var open = new List<OpenWatch>();
        _hurried = _hurriedCases.Contains(recorded.Text("name"));
        foreach (var step in recorded.Objects("during").Where(step => step.Text("path") is not null && step.Number("status") != 404))
        {
            LearnGenerated(step.Text("path")!);
        }

        foreach (var watch in watches)
        {
            var request = watch["request"]!.AsObject();
            using var message = Message("GET", request.Text("path")!, request["headers"] as JsonObject, null, scope);
            open.Add(await OpenWatch.OpenAsync(_client, message));
        }

        var clock = TimeSpan.Zero;
        await QuietAsync();
        foreach (var step in recorded.Objects("during"))
        {
            if (step.Number("at_ms") is { } at && TimeSpan.FromMilliseconds(at) is var moment && moment > clock)
            {
                Advance(moment - clock);
                clock = moment;
            }

            var before = _time.GetUtcNow();
            if (await DoAsync(step, scope) is { Length: > 0 } refusal)
            {
                differences.AppendLine(refusal);
            }

            clock += _time.GetUtcNow() - before;
            await QuietAsync();
        }

        _hurried = false;
        Run();
        await QuietAsync();
        // The moments of requests are those of their answers: what is due at the very end may come or not.
        var end = watches.Max(w => w.At("response", "closed_at_ms").Number() ?? w.Objects("response", "lines").LastOrDefault().Number("at_ms") ?? 0);
        var slack = watches.Any(w => w.Text("response", "closed_by") == "client") ? -100 : 200;
        var rest = TimeSpan.FromMilliseconds(end + slack) - clock;
        while (rest > TimeSpan.Zero)
        {
            var step = TimeSpan.FromMilliseconds(Math.Min(250, rest.TotalMilliseconds));
            Advance(step);
            await QuietAsync();
            rest -= step;
        }

        for (var i = 0; i < watches.Count; i++)
        {
            differences.Append(scope.CompareWatch(watches[i]["response"]!.AsObject(), open[i].Code, open[i].Lines));
            open[i].Dispose();
        }

        return differences.ToString();
    }

    private static bool IsSame(JsonObject one, JsonObject other) =>
        one.Text("method") == "POST" && one.Text("method") == other.Text("method") && one.Text("path") == other.Text("path")
        && JsonNode.DeepEquals(one["body"], other["body"]);

    private async Task QuietAsync()
    {
        for (var i = 0; _server.UndeliveredWatchEvents > 0; i++)
        {
            await Task.Yield();
            (i < 300_000).ShouldBeTrue("a watch event was never taken");
        }
    }
}
