using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>Plays one section of recorded cases, in their order, against a simulated cluster of ten nodes in virtual time.</summary>
internal sealed partial class Replayer : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(8);

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 8, 22, 10, 0, 0, TimeSpan.Zero)) { AutoAdvanceAmount = TimeSpan.Zero };
    private readonly SimulatedCluster _cluster;
    private readonly SimulatedApiServer _server;
    private readonly HttpClient _client;
    private readonly Dictionary<string, string> _tokens = [];
    private readonly Dictionary<string, string> _watchedBefore = [];
    private bool _paused;
    private bool _hurried;

    // Sent within the few milliseconds that the controllers needed to see the request before it (for 221: within its own requests).
    private static readonly string[] _hurriedCases =
        ["113-nodes-mergepatch-cordon-again", "116-nodes-smp-uncordon-null", "221-watch-node-cordon", "327-evict-pdb-uid-mismatch-pdb", "782-node-silent"];

    public Replayer()
    {
        var scenario = new Scenario
        {
            Name = "recorded",
            Nodes = [.. Enumerable.Range(1, 10).Select(i => new NodeSpec($"node-{i}") { Zone = $"zone-{((i - 1) % 3) + 1}", Cpu = "64", Memory = "256Gi" })],
        };
        _cluster = SimulatedCluster.Create(scenario, _time, NullLoggerFactory.Instance);
        _cluster.StartPaused();
        foreach (var definition in _cluster.Store.List(ResourceTypes.CustomResourceDefinitions))
        {
            _cluster.Store.Delete(ResourceTypes.CustomResourceDefinitions, null, definition.NameOf(), new Deletion());
        }

        Settle();

        _server = new SimulatedApiServer(_cluster.Store, [], [], [], _cluster.Clock, NullLoggerFactory.Instance);
        _client = new HttpClient(_server.CreateHandler()) { BaseAddress = new Uri("http://simulated/"), Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>What generated names of the recording are called here.</summary>
    public GeneratedNames Names { get; private set; } = new();

    private IObjectStore Store => _cluster.Store;

    /// <summary>Makes the nodes look as the recorded ones did before the section.</summary>
    public void Furnish(JsonObject recordedNode)
    {
        foreach (var node in Store.List(ResourceTypes.Nodes))
        {
            var number = node.NameOf().Split('-')[1];
            Store.Update(ResourceTypes.Nodes, null, node.NameOf(), n =>
            {
                var text = recordedNode.ToJsonString()
                    .Replace("node-1", $"node-{number}")
                    .Replace("zone-1", $"zone-{((int.Parse(number, CultureInfo.InvariantCulture) - 1) % 3) + 1}")
                    .Replace("10.0.0.2", $"10.0.0.{int.Parse(number, CultureInfo.InvariantCulture) + 1}")
                    .Replace("<time>", _cluster.Clock.GetUtcNow().Timestamp());
                var look = JsonNode.Parse(text)!.AsObject();
                foreach (var field in (string[])["labels", "annotations"])
                {
                    n["metadata"]![field] = look["metadata"]![field]?.DeepClone();
                }

                n["spec"] = look["spec"]!.DeepClone();
                n["status"] = look["status"]!.DeepClone();

                return true;
            });
        }

        Settle();
    }

    /// <summary>Does what the recording does not tell, before a case.</summary>
    public async Task PrepareAsync(string name, ForeignState foreign)
    {
        foreach (var (method, path, body) in foreign.Before(name))
        {
            if (method == "WAIT")
            {
                Advance(TimeSpan.FromSeconds(int.Parse(path, CultureInfo.InvariantCulture)));
                continue;
            }

            LearnGenerated(path);
            var content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/merge-patch+json"));
            using var message = new HttpRequestMessage(new HttpMethod(method), Names.Translate(path)) { Content = content };
            using var response = await _client.SendAsync(message);
            response.IsSuccessStatusCode.ShouldBeTrue($"{name}: {method} {path} answered {response.StatusCode}");
            Run();
            Settle();
        }
    }

    /// <summary>Plays a case.</summary>
    /// <param name="recorded">The case.</param>
    /// <param name="upcoming">The cases after it.</param>
    /// <returns>What differs from the recording; empty if nothing does.</returns>
    public async Task<string> PlayAsync(JsonObject recorded, IReadOnlyList<JsonObject> upcoming)
    {
        var name = recorded.Text("name")!;
        if (recorded["follows"] is null)
        {
            // Another section: another namespace, other objects.
            Names = new();
        }

        if (_watchedBefore.Remove(name, out var seen))
        {
            return seen;
        }

        var scope = new Placeholders(this, recorded);
        if (name.StartsWith("152", StringComparison.Ordinal))
        {
            var first = await SendAsync("GET", "/api/v1/namespaces/rec-lists/pods?limit=2", null, null, scope);
            _tokens["first"] = _tokens["last"] = first.Body.Text("metadata", "continue") ?? "";
        }

        scope.RememberBefore();
        foreach (var step in recorded.Objects("setup"))
        {
            _hurried = _hurriedCases.Contains(name) && ReferenceEquals(step, recorded.Objects("setup").Last());
            // A watch that was opened before this request, and is a case of its own: the request is made while it watches.
            if (upcoming.FirstOrDefault(other => other.Objects("during").Any(each => IsSame(each, step))) is { } watch)
            {
                _watchedBefore[watch.Text("name")!] = await WatchAsync([watch], watch, new Placeholders(this, watch));
            }
            else if (await DoAsync(step, scope) is { Length: > 0 } difference)
            {
                return $"setup: {difference}";
            }
        }

        if (recorded["responses"] is not null)
        {
            return await PlayConcurrentAsync(recorded, scope);
        }

        if (recorded["watches"] is JsonObject watches)
        {
            return await WatchAsync([.. watches.Select(w => w.Value!.AsObject())], recorded, scope);
        }

        if (recorded.At("response", "lines") is not null)
        {
            return await WatchAsync([recorded], recorded, scope);
        }

        _hurried |= _hurriedCases.Contains(Next(upcoming));
        var answer = await SendRecordedAsync(recorded["request"]!.AsObject(), scope);
        if (_hurriedCases.Contains(name))
        {
            _hurried = false;
            Run();
        }

        _tokens["last"] = answer.Body.Text("metadata", "continue") ?? "";
        if (answer.Body.Text("status", "token") is { } issued)
        {
            _tokens["bearer"] = issued;
        }

        return scope.Compare(recorded["response"]!.AsObject(), answer);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    /// <summary>The stored object a path leads to, or null.</summary>
    public JsonObject? Find(string path)
    {
        var plain = Names.Translate(path).Split('?')[0].Replace("/v1/watch/", "/v1/");
        var parsed = ResourceRequest.Parse(new ApiRequest("GET", plain, new Dictionary<string, StringValues>(), []));
        var type = parsed is null ? null : Store.Types.FirstOrDefault(t => t.Group == parsed.Group && t.Plural == parsed.Resource);

        return type is null || parsed!.Name is null ? null : Store.Get(type, parsed.Namespace, parsed.Name);
    }

    public void Compact() => ((ObjectStore)Store).Compact();

    public long Version => Store.ResourceVersion;

    public string Token(string name, string caseName) => name switch
    {
        "<continue>" when caseName[..3] is "154" or "760" => _tokens.GetValueOrDefault("first", ""),
        "<continue>" => _tokens.GetValueOrDefault("last", ""),
        _ => _tokens.GetValueOrDefault("bearer", "not-a-token"),
    };

    private async Task<string> DoAsync(JsonObject step, Placeholders scope)
    {
        if (step.Text("wait") is { } wait)
        {
            return Wait(wait);
        }

        var answer = await SendRecordedAsync(step, scope);

        return answer.Code == step.Number("status")
            ? ""
            : $"{step.Text("method")} {step.Text("path")} answered {answer.Code}, not {step.Number("status")}: {answer.Body?.ToJsonString()}";
    }

    private string Wait(string what)
    {
        if (what.Contains("paused"))
        {
            _paused = true;

            return "";
        }

        _paused = false;
        if (what.Contains("compacted"))
        {
            Compact();
        }
        else if (what.EndsWith("s pass", StringComparison.Ordinal))
        {
            Advance(TimeSpan.FromSeconds(double.Parse(what.Split(' ')[0], CultureInfo.InvariantCulture)));
        }
        else
        {
            Settle();
            SpinWait.SpinUntil(() => _server.UndeliveredWatchEvents == 0, TimeSpan.FromSeconds(2));
        }

        return "";
    }

    /// <summary>Lets everything happen that is due within a few seconds.</summary>
    private void Settle() => Advance(_patience, onlyIfDue: true);

    private void Advance(TimeSpan span, bool onlyIfDue = false)
    {
        var end = _time.GetUtcNow() + span;
        Run();
        for (var looks = 0; !_paused && !_hurried && _cluster.NextDue is { } due && due <= end; looks++)
        {
            (looks < 20_000).ShouldBeTrue($"the controllers do not come to rest: next {due:O}, now {_time.GetUtcNow():O}, end {end:O}");
            _time.Advance(due > _time.GetUtcNow() ? due - _time.GetUtcNow() : TimeSpan.Zero);
            Run();
        }

        if (!onlyIfDue && end > _time.GetUtcNow())
        {
            _time.Advance(end - _time.GetUtcNow());
            Run();
        }
    }

    private void Run()
    {
        if (!_paused && !_hurried)
        {
            _cluster.RunReady();
        }
    }

    private Task<Answer> SendRecordedAsync(JsonObject request, Placeholders scope)
    {
        if (request.Number("status") != 404)
        {
            LearnGenerated(request.Text("path")!);
        }

        return SendAsync(
            request.Text("method")!, request.Text("path")!, request["headers"] as JsonObject,
            request["body"] is { } body ? Wire.Text(body) : request.Text("bodyText"), scope, request.Text("auth"));
    }

    private static string? Next(IReadOnlyList<JsonObject> upcoming) => upcoming.Count > 0 ? upcoming[0].Text("name") : null;

    /// <summary>A generated name of the recording that no answer has shown: any object of the same owner that is not taken yet.</summary>
    private void LearnGenerated(string path)
    {
        if (Find(path) is not null || PathOfObject().Match(path) is not { Success: true } match)
        {
            return;
        }

        var owner = match.Groups["owner"].Value;
        var found = Store.List(ResourceTypes.Pods, match.Groups["namespace"].Value)
            .FirstOrDefault(pod => pod.Text("metadata", "generateName")?.StartsWith($"{owner}-", StringComparison.Ordinal) == true && !Names.IsTaken(pod.NameOf()));
        if (found is not null)
        {
            Names.Learn(match.Groups["name"].Value, found.NameOf());
        }
    }

    private async Task<Answer> SendAsync(
        string method, string path, JsonObject? headers, string? body, Placeholders scope, string? auth = null)
    {
        using var message = Message(method, path, headers, body, scope);
        _server.Access.AnonymousWithoutToken = auth == "none";
        using var response = await _client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
        _server.Access.AnonymousWithoutToken = false;
        var text = await response.Content.ReadAsStringAsync();
        if (method != "GET")
        {
            Run();
        }

        return Answer.Of(response, text);
    }

    private static HttpRequestMessage Message(string method, string path, JsonObject? headers, string? body, Placeholders scope)
    {
        var message = new HttpRequestMessage(new HttpMethod(method), scope.Fill(path, path));
        foreach (var (name, value) in headers ?? [])
        {
            if (name != "Content-Type")
            {
                message.Headers.TryAddWithoutValidation(name, scope.Fill((string)value!, path));
            }
        }

        if (body is not null)
        {
            message.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(scope.Fill(body, path)));
        }

        if (headers.Text("Content-Type") is { } type)
        {
            message.Content ??= new ByteArrayContent([]);
            message.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        }

        return message;
    }

    [GeneratedRegex("/namespaces/(?<namespace>[^/]+)/pods/(?<name>(?<owner>[a-z0-9]+)(?:-[a-z0-9]{8,10})?-[a-z0-9]{5})(?:/|$)", RegexOptions.None, 1000)]
    private static partial Regex PathOfObject();

    [GeneratedRegex("kube-api-access-[a-z0-9]{5}", RegexOptions.None, 1000)]
    public static partial Regex TokenVolume();
}
