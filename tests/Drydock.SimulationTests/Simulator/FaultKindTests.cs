using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>
/// Every kind of fault, in the scenario file and made at run time: without it all is well, with it something goes wrong, and when it is over
/// all is well again. The kinds are those the reader knows, and of requests those of its answers: a new one fails here until it is looked for.
/// </summary>
public sealed class FaultKindTests
{
    private const string Scene = """
        name: test
        nodes: [{name: 'node-{n}', count: 3, bareMetalHost: 'metal/host-{n}', machine: 'metal/machine-{n}', rebootTakes: 20s}]
        evictionStrategy: LiveMigrate
        workloads: [{deployment: web, replicas: 3, on: [node-1, node-2, node-3]}]
        budgets: [{name: web, maxUnavailable: 1}]
        virtualMachines: [{name: vm, on: node-1, copy: 2s}]

        """;

    private static readonly Dictionary<string, Symptom> _kinds = new()
    {
        ["budgetFrees"] = new("budgetFrees: web", Happens(scene => scene.Cluster.Store.Get(ResourceTypes.Deployments, "default", "web")!.Replicas() == 4)) { Lasts = false },
        ["budgetNeverFrees"] = new("budgetNeverFrees: web", Happens(scene => scene.Cluster.Store.Get(ResourceTypes.PodDisruptionBudgets, "default", "web").Number("status", "disruptionsAllowed") == 0)),
        ["nodeNotReady"] = new("nodeNotReady: node-2", Happens(scene => scene.Cluster.Node("node-2").Condition("Ready").Text("status") == "False")),
        ["kubeletDies"] = new("kubeletDies: node-2", Happens(scene => scene.Cluster.Node("node-2").Condition("Ready").Text("status") == "Unknown", within: 55)),
        ["kubeletNeverTerminates"] = new("kubeletNeverTerminates: node-1", Happens(scene => scene.Cluster.PodsOn("node-1").Exists(pod => pod.IsDeleting()), within: 40, first: scene =>
        {
            scene.Cluster.Cordon("node-1");
            scene.Cluster.PodsOn("node-1").ForEach(pod => scene.Cluster.Delete(ResourceTypes.Pods, pod));
        })),
        ["powerFails"] = new("powerFails: node-3", Happens(scene => Host(scene).Text("status", "errorType") == "power management error", within: 30, first: scene =>
            scene.Cluster.Store.Update(HardwareTypes.Hosts, "metal", "host-3", host =>
            {
                host.Ensure("spec")["online"] = !host.Flag("status", "poweredOn");
                return true;
            }))),
        ["powerButton"] = new("powerButton: node-2", Happens(scene => scene.Cluster.PodsOn("node-2").Exists(pod => pod.Objects("status", "containerStatuses").Any(each => each.Number("restartCount") > 0)), within: 30)) { Lasts = false },
        ["finalizerStays"] = new("finalizerStays: web", Happens(scene => scene.Cluster.PodsOf("web").Exists(pod => pod.IsDeleting()), within: 40, first: scene =>
            scene.Cluster.Delete(ResourceTypes.Pods, scene.Cluster.PodsOf("web").First(pod => pod.IsActive())))),
        ["vmiStaysPending"] = new("vmiStaysPending: vm", Happens(scene => scene.Cluster.Vmi("vm").InstancePhase() != "Running", within: 30, first: scene =>
            scene.Cluster.Store.Delete(KubeVirtTypes.Instances, "default", "vm", new()))),
        ["migrationsUnschedulable"] = new("migrationsUnschedulable: vm", Moves("Scheduling")),
        ["migrationsFail"] = new("migrationsFail: vm", Moves("Pending")),
        ["migrationsSlow"] = new("migrationsSlow: vm, takes: 300s", Moves("Running")),
        ["migrationsStall"] = new("migrationsStall: vm", Moves("Running")),
        ["webhookHangs"] = new("webhookHangs: careful", IsCheckedLateAsync),
        ["virtApiDown"] = new("virtApiDown: true", async scene => (await EvictAsync(scene)).Contains("connect: connection refused", StringComparison.Ordinal)),
        ["virtApiHangs"] = new("virtApiHangs: true", async scene => (await EvictAsync(scene)).Contains("context deadline exceeded", StringComparison.Ordinal)),
        ["apiServerRestarts"] = new("apiServerRestarts: true", async scene => await AnswerAsync(scene, "/version") is null),
        ["watchesDrop"] = new("watchesDrop: true", IsDroppedAsync) { Lasts = false },
        ["watchesExpire"] = new("watchesExpire: true", IsTooOldAsync) { Lasts = false },
        ["requests 409"] = Answered("409", (code, body) => code == 409 && body.Contains("the object has been modified", StringComparison.Ordinal)),
        ["requests 410"] = Answered("410", (code, body) => code == 410 && body.Contains("\"reason\":\"Expired\"", StringComparison.Ordinal)),
        ["requests 429"] = Answered("429, retryAfter: 7", (code, body) => code == 429 && body.Contains("\"retryAfterSeconds\":7", StringComparison.Ordinal)),
        ["requests 500"] = Answered("500", (code, body) => code == 500 && body.Contains("\"reason\":\"InternalError\"", StringComparison.Ordinal)),
        ["requests 503"] = Answered("503", (code, body) => code == 503 && body.Contains("\"reason\":\"ServiceUnavailable\"", StringComparison.Ordinal)),
        ["requests 504"] = Answered("504", (code, body) => code == 504 && body.Contains("\"reason\":\"Timeout\"", StringComparison.Ordinal)),
        ["requests reset"] = new("requests: get nodes, answer: reset", async scene => await AnswerAsync(scene, "/api/v1/nodes/node-2") is null),
        ["requests resetAfter"] = new("requests: get nodes, answer: resetAfter", async scene => await AnswerAsync(scene, "/api/v1/nodes/node-2") is null),
        ["requests late"] = new("requests: get nodes, latency: 3s, jitter: 1s", IsLateAsync),
    };

    /// <summary>Each kind the reader knows, those of requests by their answers.</summary>
    public static TheoryData<string> Kinds =>
        [.. FaultReader.Names.Where(kind => kind != "requests").Concat(FaultReader.Answers.Select(answer => $"requests {answer}")).Append("requests late")];

    /// <summary>Each kind that is over some time, and each way to make it.</summary>
    public static TheoryData<string, bool> LastingKinds => Both([.. _kinds.Where(each => each.Value.Lasts).Select(each => each.Key)]);

    public static TheoryData<string, bool> KindsBothWays => Both([.. Kinds.Select(each => each.Data)]);

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Without_a_fault_all_is_well(string kind)
    {
        using var scene = await BeginAsync(kind, inFile: false, "");

        (await _kinds[kind].Shows(scene)).ShouldBeFalse();
    }

    [Theory]
    [MemberData(nameof(KindsBothWays))]
    public async Task A_fault_shows_from_the_file_and_from_the_page(string kind, bool inFile)
    {
        using var scene = await BeginAsync(kind, inFile, "after: 10s");
        if (!inFile)
        {
            await MakeAsync(scene, kind);
        }

        scene.Cluster.Pass(inFile ? 10 : 0);

        (await _kinds[kind].Shows(scene)).ShouldBeTrue();
    }

    [Theory]
    [MemberData(nameof(LastingKinds))]
    public async Task When_a_fault_is_over_all_is_well_again(string kind, bool inFile)
    {
        using var scene = await BeginAsync(kind, inFile, "after: 10s, for: 5s");
        if (inFile)
        {
            scene.Cluster.Pass(16);
        }
        else
        {
            var id = await MakeAsync(scene, kind);
            scene.Cluster.Pass(5);
            (await scene.Http.DeleteAsync($"/simulator/faults/{id}", CancellationToken.None)).StatusCode.ShouldBe(HttpStatusCode.OK);
            scene.Cluster.Pass(1);
        }

        (await _kinds[kind].Shows(scene)).ShouldBeFalse();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_same_seed_gives_the_same_faults_and_another_seed_others(bool inFile)
    {
        var first = await FailuresAsync(seed: 7, inFile);
        var again = await FailuresAsync(seed: 7, inFile);
        var other = await FailuresAsync(seed: 8, inFile);

        again.ShouldBe(first);
        other.ShouldNotBe(first);
        first.Count(each => each.Code == 503).ShouldBeInRange(10, 50);
        first.Select(each => each.Held).Distinct().Count().ShouldBeGreaterThan(10);
    }

    // Which of sixty requests failed, and how long each was held back.
    private static async Task<List<(int Code, TimeSpan Held)>> FailuresAsync(int seed, bool inFile)
    {
        const string Fault = "requests: get nodes, answer: 503, share: 50, latency: 10ms, jitter: 900ms";
        using var scene = await OpenAsync(inFile ? $"{Scene}faults: [{{{Fault}}}]\n" : Scene, seed);
        if (!inFile)
        {
            await MakeOfAsync(scene, Fault);
        }

        scene.Cluster.Pass(0);
        var failures = new List<(int, TimeSpan)>();
        for (var i = 0; i < 60; i++)
        {
            var begun = scene.Cluster.Now;
            var answer = AnswerAsync(scene, "/api/v1/nodes/node-2");
            while (!answer.IsCompleted)
            {
                scene.Cluster.Pass(0.001);
            }

            failures.Add(((await answer)!.Value.Code, scene.Cluster.Now - begun));
        }

        return failures;
    }

    private static TheoryData<string, bool> Both(IEnumerable<string> kinds) => [.. kinds.SelectMany(kind => (IEnumerable<(string, bool)>)[(kind, true), (kind, false)])];

    private static Task<Opened> BeginAsync(string kind, bool inFile, string when) =>
        OpenAsync(inFile ? $"{Scene}faults: [{{{_kinds[kind].Fault}, {when}}}]\n" : Scene, seed: 1);

    private static async Task<Opened> OpenAsync(string text, int seed)
    {
        var cluster = new TestCluster(Scenario.Load(text), seed);
        cluster.Pass(0);
        var http = new HttpClient(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        var watch = await http.GetAsync("/api/v1/namespaces/default/configmaps?watch=true", HttpCompletionOption.ResponseHeadersRead, CancellationToken.None);

        return new(cluster, http, new StreamReader(await watch.Content.ReadAsStreamAsync(CancellationToken.None)), cluster.Store.ResourceVersion);
    }

    private static Task<int> MakeAsync(Opened scene, string kind) => MakeOfAsync(scene, _kinds[kind].Fault);

    private static async Task<int> MakeOfAsync(Opened scene, string fault)
    {
        using var body = new StringContent($"{{{fault}}}", Encoding.UTF8, "application/json");
        var made = await scene.Http.PostAsync("/simulator/faults", body, CancellationToken.None);
        made.StatusCode.ShouldBe(HttpStatusCode.Created);

        return JsonNode.Parse(await made.Content.ReadAsStringAsync(CancellationToken.None))!["id"]!.GetValue<int>();
    }

    private static Func<Opened, Task<bool>> Happens(Func<Opened, bool> shows, double within = 1, Action<Opened>? first = null) => scene =>
    {
        first?.Invoke(scene);
        scene.Cluster.Pass(within);

        return Task.FromResult(shows(scene));
    };

    // A migration that is to begin now has not succeeded half a minute later, but stands where the fault holds it.
    private static Func<Opened, Task<bool>> Moves(string phase) => Happens(
        scene => scene.Cluster.Vmi("vm").InstanceNode() == "node-1" && scene.Cluster.Migrations("vm")[^1].InstancePhase() == phase,
        within: 30,
        scene => scene.Cluster.Mark("vm"));

    private static Symptom Answered(string answer, Func<int, string, bool> isIt) => new(
        $"requests: get nodes, answer: {answer}",
        async scene => await AnswerAsync(scene, "/api/v1/nodes/node-2") is { } given && isIt(given.Code, given.Body));

    private static async Task<bool> IsLateAsync(Opened scene)
    {
        var answer = scene.Http.GetAsync("/api/v1/nodes/node-2", CancellationToken.None);
        scene.Cluster.Pass(2.9);
        await Task.Yield();
        var late = !answer.IsCompleted;
        scene.Cluster.Pass(1.2);

        return (await answer).IsSuccessStatusCode && late;
    }

    // A watch that goes on tells of what is made now.
    private static async Task<bool> IsDroppedAsync(Opened scene)
    {
        scene.Cluster.Store.Create(ResourceTypes.Of("configmaps"), new JsonObject { ["metadata"] = new JsonObject { ["name"] = "after", ["namespace"] = "default" } });

        string? line;
        do
        {
            line = await scene.Watched.ReadLineAsync(CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, CancellationToken.None);
        }
        while (line?.Contains("\"name\":\"after\"", StringComparison.Ordinal) == false);

        return line is null;
    }

    // Nobody serves this webhook: a call of it is refused by a real port in real time. One that hangs is not called, and waits for ours.
    private static async Task<bool> IsCheckedLateAsync(Opened scene)
    {
        scene.Cluster.Store.Create(ResourceTypes.Of("validatingwebhookconfigurations.admissionregistration.k8s.io"), JsonNode.Parse("""
            {"metadata": {"name": "careful"}, "webhooks": [{"name": "careful.example.com", "failurePolicy": "Fail", "timeoutSeconds": 5, "sideEffects": "None",
              "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/check"},
              "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}]}
            """)!.AsObject());
        using var body = new StringContent("""{"metadata":{"name":"checked"}}""", Encoding.UTF8, "application/json");
        var made = scene.Http.PostAsync("/api/v1/namespaces/default/configmaps", body, CancellationToken.None);
        while (!made.IsCompleted && scene.Cluster.Simulated.Api.RequestsInFlight > 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, CancellationToken.None);
        }

        scene.Cluster.Pass(5.1);
        var text = await (await made).Content.ReadAsStringAsync(CancellationToken.None);
        text.ShouldContain("failed calling webhook \\\"careful.example.com\\\"");

        return text.Contains("timeout=5s\\\": context deadline exceeded", StringComparison.Ordinal);
    }

    private static async Task<bool> IsTooOldAsync(Opened scene)
    {
        var watched = AnswerAsync(scene, $"/api/v1/nodes?watch=true&timeoutSeconds=1&resourceVersion={scene.Version}");
        scene.Cluster.Pass(2);

        return (await watched)!.Value.Body.Contains("\"code\":410", StringComparison.Ordinal);
    }

    // Null: the connection broke.
    private static async Task<(int Code, string Body)?> AnswerAsync(Opened scene, string path)
    {
        try
        {
            using var answer = await scene.Http.GetAsync(path, CancellationToken.None);

            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(CancellationToken.None));
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static async Task<string> EvictAsync(Opened scene)
    {
        var evicted = ObservedTests.EvictAsync(scene.Cluster, scene.Cluster.Launcher("vm"), dryRun: true);
        scene.Cluster.Pass(10);

        return (await evicted).Answer.ToJsonString();
    }

    private static JsonObject Host(Opened scene) => scene.Cluster.Store.Get(HardwareTypes.Hosts, "metal", "host-3")!;

    /// <summary>How a fault is written, and what shows that it is in force.</summary>
    private sealed record Symptom(string Fault, Func<Opened, Task<bool>> Shows)
    {
        /// <summary>False: it happens once, and is not undone.</summary>
        public bool Lasts { get; init; } = true;
    }

    /// <summary>A cluster whose faults have not begun, a client, a watch that was opened then, and the version of that moment.</summary>
    private sealed record Opened(TestCluster Cluster, HttpClient Http, StreamReader Watched, long Version) : IDisposable
    {
        public void Dispose()
        {
            Watched.Dispose();
            Http.Dispose();
        }
    }
}
