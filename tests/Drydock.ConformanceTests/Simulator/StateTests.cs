using System.Text;
using Drydock.Simulator;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>A cluster whose state is kept is the same cluster after a restart; one whose state is not is new.</summary>
public sealed class StateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("drydock-state-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string StatePath => Path.Combine(_folder, "state.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Uids_versions_and_boots_are_kept_and_watches_from_before_are_too_old()
    {
        long version;
        Dictionary<string, string> pods;
        await using (var first = await StartAsync())
        {
            await SendAsync(first, HttpMethod.Post, "api/v1/namespaces/default/configmaps", """{"metadata":{"name":"mine"}}""");
            await SendAsync(first, HttpMethod.Post, "apis/nodemaintenance.medik8s.io/v1beta1/nodemaintenances",
                """{"apiVersion":"nodemaintenance.medik8s.io/v1beta1","kind":"NodeMaintenance","metadata":{"name":"m"},"spec":{"nodeName":"node-1"}}""");
            version = first.Store.ResourceVersion;
            pods = Pods(first);
        }

        await using var second = await StartAsync();

        Pods(second).ShouldBe(pods);
        second.Store.ResourceVersion.ShouldBeGreaterThanOrEqualTo(version);
        var types = second.Store.Types.Single(type => type.Plural == "nodemaintenances");
        second.Store.Get(types, null, "m").ShouldNotBeNull();
        var old = await SendAsync(second, HttpMethod.Get, $"api/v1/pods?watch=true&resourceVersion={version - 5}", null);
        old.Text.ShouldContain("too old resource version");
        var made = await SendAsync(second, HttpMethod.Post, "api/v1/namespaces/default/configmaps", """{"metadata":{"name":"next"}}""");
        made.Code.ShouldBe(201, made.Text);
        pods.Values.ShouldNotContain(made.Body.Text("metadata", "uid"));
    }

    [Fact]
    public async Task What_runs_goes_on_running_after_a_restart()
    {
        await using (await StartAsync())
        {
        }

        await using var second = await StartAsync();
        var evicted = await SendAsync(second, HttpMethod.Post, "api/v1/namespaces/shop/pods/queue-0/eviction",
            """{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"queue-0","namespace":"shop"}}""");
        var before = evicted.Code == 201 ? Pods(second).GetValueOrDefault("shop/queue-0") : null;
        await WaitAsync(() => second.Store.Get(ResourceTypes.Pods, "shop", "queue-0") is { } pod && pod.UidOf() != before && pod.Text("status", "phase") == "Running");

        second.Store.List(ResourceTypes.Nodes).SelectMany(node => node.Objects("status", "conditions"))
            .Where(condition => condition.Text("type") == "Ready").Select(condition => condition.Text("status")).Distinct().ShouldBe(["True"]);
    }

    [Fact]
    public async Task A_file_that_is_no_state_is_refused_and_left_as_it_is()
    {
        await File.WriteAllTextAsync(StatePath, "{\"hello\":1}", Token);
        await using var cluster = Create();

        (await Should.ThrowAsync<InvalidDataException>(() => cluster.StartAsync(Token))).Message.ShouldContain("resourceVersion");

        (await File.ReadAllTextAsync(StatePath, Token)).ShouldBe("{\"hello\":1}");
    }

    private static Dictionary<string, string> Pods(SimulatedCluster cluster) => cluster.Store.List(ResourceTypes.Pods)
        .ToDictionary(pod => $"{pod.NamespaceOf()}/{pod.NameOf()}", pod => pod.UidOf());

    private static async Task WaitAsync(Func<bool> condition)
    {
        for (var i = 0; !condition(); i++)
        {
            (i < 600).ShouldBeTrue("it did not come about within 30 s");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        }
    }

    private SimulatedCluster Create() => SimulatedCluster.Create(
        Scenario.Named("healthy"), TimeProvider.System, NullLoggerFactory.Instance, stateFile: StatePath);

    private async Task<SimulatedCluster> StartAsync()
    {
        var cluster = Create();
        await cluster.StartAsync(Token);

        return cluster;
    }

    private static async Task<Answer> SendAsync(SimulatedCluster cluster, HttpMethod method, string path, string? body)
    {
        using var client = new HttpClient(cluster.Api.CreateHandler()) { BaseAddress = new Uri("http://simulated/") };
        using var request = new HttpRequestMessage(method, path);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await client.SendAsync(request, Token);

        return Answer.Of(response, await response.Content.ReadAsStringAsync(Token));
    }
}
