using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>
/// Plays what a recorded kubectl sent, request by request, against a simulated cluster in virtual time that has what the command found.
/// Time passes only where a recorded answer asks for it: a pod that is gone, a budget that has room again.
/// </summary>
internal sealed class KubectlTrace : IAsyncDisposable
{
    private const string Pods = "/api/v1/namespaces/demo/pods/";
    private const string Definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/nodemaintenances.nodemaintenance.medik8s.io";
    private const string Maintenance = "/apis/nodemaintenance.medik8s.io/v1beta1/nodemaintenances/m1";
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 8, 22, 10, 0, 0, TimeSpan.Zero));
    private readonly SimulatedCluster _cluster;
    private readonly HttpClient _client;
    private readonly JsonObject _trace;
    private string _version = "0";

    public KubectlTrace(JsonObject trace)
    {
        _trace = trace;
        var nodes = Enumerable.Range(1, 10).Select(i => new NodeSpec($"node-{i}") { Cpu = "64", Memory = "256Gi" });
        _cluster = SimulatedCluster.Create(new Scenario { Name = "traced", Nodes = [.. nodes] }, _time, NullLoggerFactory.Instance);
        _cluster.StartPaused();
        _client = new HttpClient(_cluster.Api.CreateHandler()) { BaseAddress = new Uri("http://simulated/") };
    }

    /// <summary>Plays the trace.</summary>
    /// <returns>A line for each answer that is not as recorded; empty if all are.</returns>
    public async Task<string> PlayAsync()
    {
        await FurnishAsync();
        var differences = new StringBuilder();
        foreach (var request in InOrder())
        {
            var difference = request.At("response", "events") is JsonArray events
                ? await WatchAsync(request, [.. events.OfType<JsonObject>().Select(e => e.Text("type")!)])
                : await ComparedAsync(request);
            if (difference.Length > 0)
            {
                differences.AppendLine($"{request.Text("method")} {request.Text("path")}: {difference}");
            }
        }

        return differences.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _cluster.DisposeAsync();
    }

    /// <summary>
    /// The requests as they began. The order of those sent at the same moment is chance, and so is which of several pods is gone first:
    /// evictions that the budget let through come first, and of pods looked at one after the other those that are still there.
    /// </summary>
    private List<JsonObject> InOrder()
    {
        var requests = _trace.Objects("requests").ToList();
        for (var i = 0; i < requests.Count; i++)
        {
            var end = requests[i].Number("end_ms");
            var together = requests.Skip(i).TakeWhile(r => IsEviction(r) && r.Number("at_ms") < end).ToList();
            if (together.Count == 0)
            {
                together = [.. requests.Skip(i).TakeWhile(IsLook)];
            }

            if (together.Count > 1)
            {
                requests.RemoveRange(i, together.Count);
                requests.InsertRange(i, together.OrderBy(r => r.Number("status")));
                i += together.Count - 1;
            }
        }

        return requests;
    }

    private static bool IsLook(JsonObject request) =>
        request.Text("method") == "GET" && request.Text("path")!.StartsWith(Pods, StringComparison.Ordinal);

    private static bool IsEviction(JsonObject request) => request.Text("path")!.EndsWith("/eviction", StringComparison.Ordinal);

    private async Task<string> ComparedAsync(JsonObject request)
    {
        var repeats = request.Text("method") == "GET" || IsEviction(request);
        var end = _time.GetUtcNow() + _patience;
        while (true)
        {
            var answer = await SendAsync(request);
            var difference = Difference(request, answer);
            if (difference.Length == 0 || !repeats || _cluster.NextDue is not { } due || due > end)
            {
                return difference;
            }

            _time.Advance(due > _time.GetUtcNow() ? due - _time.GetUtcNow() : TimeSpan.Zero);
            _cluster.RunReady();
        }
    }

    private static string Difference(JsonObject request, Answer answer)
    {
        if (answer.Code != request.Number("status"))
        {
            return $"answered {answer.Code}, not {request.Number("status")}: {answer.Text}";
        }

        if (request.Text("response", "kind") is { } kind && request.Text("path")!.StartsWith("/version", StringComparison.Ordinal) is false
            && answer.Body.Text("kind") != kind)
        {
            return $"answered with {answer.Body.Text("kind")}, not {kind}";
        }

        foreach (var field in request.At("response", "body") is null ? [] : (string[])["kind", "reason", "message"])
        {
            if (answer.Body.Text(field) != request.Text("response", "body", field))
            {
                return $"{field} is {answer.Body.Text(field)}, not {request.Text("response", "body", field)}";
            }
        }

        return "";
    }

    /// <summary>Which kinds of events come, in their order: how many steps a pod's end takes is the kubelet's affair.</summary>
    private async Task<string> WatchAsync(JsonObject request, List<string> recorded)
    {
        using var message = Message(request);
        using var response = await _client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        if ((int)response.StatusCode != request.Number("status"))
        {
            return $"answered {(int)response.StatusCode}, not {request.Number("status")}";
        }

        foreach (var change in _trace.Objects("meanwhile"))
        {
            await SendAsync(change);
        }

        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        var seen = new List<string>();
        for (var last = recorded[^1]; seen.LastOrDefault() != last || seen.Count < recorded.Distinct().Count();)
        {
            var line = reader.ReadLineAsync(TestContext.Current.CancellationToken).AsTask();
            while (await Task.WhenAny(line, Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken)) != line && _cluster.NextDue is { } due)
            {
                _time.Advance(due > _time.GetUtcNow() ? due - _time.GetUtcNow() : TimeSpan.Zero);
                _cluster.RunReady();
            }

            if (await line.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken) is not { } text)
            {
                break;
            }

            seen.Add(JsonNode.Parse(text).Text("type")!);
        }

        return Steps(seen) == Steps(recorded) ? "" : $"events {Steps(seen)}, not {Steps(recorded)}";
    }

    private static string Steps(IEnumerable<string> events) =>
        events.Aggregate("", (steps, type) => steps.EndsWith(type, StringComparison.Ordinal) ? steps : $"{steps} {type}");

    private async Task<Answer> SendAsync(JsonObject request)
    {
        string? known = null;
        if (request.Number("status") == 304)
        {
            // The recording kept no If-None-Match; kubectl sends what the answer before had.
            using var first = await _client.SendAsync(Message(request), TestContext.Current.CancellationToken);
            known = first.Headers.ETag?.ToString();
        }

        using var message = Message(request);
        message.Headers.TryAddWithoutValidation("If-None-Match", known);
        using var response = await _client.SendAsync(message, TestContext.Current.CancellationToken);
        var answer = Answer.Of(response, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        _version = answer.Body.Text("metadata", "resourceVersion") ?? _version;
        if (message.Method != HttpMethod.Get)
        {
            _cluster.RunReady();
        }

        return answer;
    }

    private HttpRequestMessage Message(JsonObject request)
    {
        var message = new HttpRequestMessage(new HttpMethod(request.Text("method")!), Filled(request.Text("path")!));
        foreach (var (name, value) in request["headers"]!.AsObject())
        {
            if (name != "Content-Type")
            {
                message.Headers.TryAddWithoutValidation(name, (string)value!);
            }
        }

        if ((request["body"] is { } sent ? Wire.Text(sent) : request.Text("bodyText")) is { } body)
        {
            message.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(Filled(body)));
            message.Content.Headers.TryAddWithoutValidation("Content-Type", request.Text("headers", "Content-Type"));
        }

        return message;
    }

    private string Filled(string text) => text
        .Replace("<rv>", _version, StringComparison.Ordinal)
        .Replace("<hash>", "0", StringComparison.Ordinal)
        .Replace("<time>", "2026-08-22T10:00:00Z", StringComparison.Ordinal);

    /// <summary>What the command found: told by what it asked for first and by what came of it.</summary>
    private async Task FurnishAsync()
    {
        var first = _trace.Objects("requests").GroupBy(r => r.Text("path")!.Split('?')[0]).ToDictionary(g => g.Key, g => g.First().Number("status"));
        var node = _trace.Text("command")!.Split(' ').FirstOrDefault(word => word.StartsWith("node-", StringComparison.Ordinal)) ?? "node-3";
        await CreateAsync("/api/v1/namespaces", """{"metadata":{"name":"demo"}}""");
        if (first.GetValueOrDefault(Definition) == 404)
        {
            _cluster.Store.Delete(ResourceTypes.CustomResourceDefinitions, null, Definition.Split('/')[^1], new Deletion());
        }

        if (first.TryGetValue(Maintenance, out var status) ? status != 404 : _trace["meanwhile"] is not null)
        {
            await CreateAsync(Maintenance[..^3], """{"apiVersion":"nodemaintenance.medik8s.io/v1beta1","kind":"NodeMaintenance","metadata":{"name":"m1"},"spec":{"nodeName":"node-3"}}""");
        }

        var pods = first.Keys.Where(path => path.StartsWith(Pods, StringComparison.Ordinal))
            .Select(path => path[Pods.Length..].Split('/')[0]).Distinct()
            .Where(name => _trace.Objects("requests").First(r => r.Text("path")!.StartsWith(Pods + name, StringComparison.Ordinal)).Number("status") != 404).ToList();
        var web = pods.Where(name => name.StartsWith("web-", StringComparison.Ordinal)).ToList();
        if (first.Keys.Any(path => path.EndsWith("/deployments/web", StringComparison.Ordinal)))
        {
            await CreateAsync("/apis/apps/v1/namespaces/demo/deployments", Workload("web", "\"replicas\":1,"));
        }

        if (first.Keys.Any(path => path.EndsWith("/daemonsets/agent", StringComparison.Ordinal)))
        {
            await CreateAsync("/apis/apps/v1/namespaces/demo/daemonsets", Workload("agent", ""));
        }

        var owner = web.Count == 0 ? "" : await CreateAsync("/apis/apps/v1/namespaces/demo/replicasets", Workload("web-69bfb5f5c6", $"\"replicas\":{web.Count},"), run: false);
        foreach (var name in pods)
        {
            var owned = web.Contains(name)
                ? $$""","labels":{"app":"web"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-69bfb5f5c6","uid":"{{owner}}","controller":true}]"""
                : "";
            await CreateAsync(Pods.TrimEnd('/'), $$"""{"metadata":{"name":"{{name}}"{{owned}} },"spec":{"nodeName":"{{node}}",{{Containers}} } }""", run: false);
        }

        if (_trace.ToJsonString().Split("The disruption budget web needs ") is [_, var needed, ..])
        {
            await CreateAsync("/apis/policy/v1/namespaces/demo/poddisruptionbudgets",
                $$"""{"metadata":{"name":"web"},"spec":{"minAvailable":{{needed[0]}},"selector":{"matchLabels":{"app":"web"} } } }""");
        }

        Settle();
    }

    private const string Containers = "\"containers\":[{\"name\":\"c\",\"image\":\"registry.k8s.io/pause:3.10\"}]";

    private static string Workload(string name, string replicas)
    {
        var app = name.Split('-')[0];

        return $$"""{"metadata":{"name":"{{name}}"},"spec":{ {{replicas}}"selector":{"matchLabels":{"app":"{{app}}"} },"template":{"metadata":{"labels":{"app":"{{app}}"} },"spec":{ {{Containers}} } } } }""";
    }

    private async Task<string> CreateAsync(string path, string body, bool run = true)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _client.PostAsync(path, content, TestContext.Current.CancellationToken);
        var made = JsonNode.Parse(await response.EnsureSuccessStatusCode().Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        if (run)
        {
            _cluster.RunReady();
        }

        return made!.AsObject().UidOf();
    }

    private void Settle()
    {
        _cluster.RunReady();
        for (var end = _time.GetUtcNow() + TimeSpan.FromSeconds(20); _cluster.NextDue is { } due && due <= end;)
        {
            _time.Advance(due > _time.GetUtcNow() ? due - _time.GetUtcNow() : TimeSpan.Zero);
            _cluster.RunReady();
        }
    }
}
