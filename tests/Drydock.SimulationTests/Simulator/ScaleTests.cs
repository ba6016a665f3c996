using System.Diagnostics;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>A cluster of five hundred nodes; larger ones are measured by the benchmark (<c>simulator</c>).</summary>
[Collection(Alone.Name)]
public sealed class ScaleTests
{
    private const int Watchers = 50;
    private const int Replicas = 40;

    private static readonly Scenario Large = Scenario.Load(
        "name: large\nnodes: [{name: 'node-{n}', count: 500}]\nworkloads: [{deployment: web, replicas: 2500}, {deployment: api, replicas: 500}]\n");

    [Fact]
    public async Task All_pods_are_listed_in_pages_and_a_write_reaches_fifty_watchers_at_once()
    {
        await using var cluster = SimulatedCluster.Create(Large, TimeProvider.System, NullLoggerFactory.Instance);
        await cluster.StartAsync(CancellationToken.None);
        using var http = new HttpClient(cluster.Api.CreateHandler()) { BaseAddress = new("http://simulated") };

        var clock = Stopwatch.StartNew();
        (await ListAllAsync(http)).ShouldBe(3000);
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(30));

        var readers = await Task.WhenAll(Enumerable.Range(0, Watchers).Select(_ => WatchAsync(http, cluster.Store.ResourceVersion)));
        var spans = new List<double>();
        for (var round = 0; round < 11; round++)
        {
            spans.Add(await WriteAsync(http, readers, $"round-{round}"));
        }

        // The fastest: a server whose work grows with the watchers times the objects is slow every time, a busy machine is not.
        spans.Min().ShouldBeLessThan(100);
    }

    [Fact]
    public void Replicas_of_a_large_deployment_spread_over_all_nodes()
    {
        var cluster = new TestCluster(Large);

        var perNode = cluster.PodsOf("web").GroupBy(pod => pod["spec"]!["nodeName"]!.ToString()).Select(group => group.Count()).ToList();

        perNode.Count.ShouldBe(500);
        perNode.Max().ShouldBeLessThanOrEqualTo(7);
    }

    [Fact]
    public async Task The_work_for_an_eviction_does_not_grow_with_the_cluster()
    {
        // More nodes than the scheduler looks at, in both.
        var small = await LooksPerEvictionAsync(nodes: 110, workloads: 6);
        var large = await LooksPerEvictionAsync(nodes: 330, workloads: 18);

        large.ShouldBeLessThan(small * 1.25, $"{small:0.0} looks at objects in the small cluster, {large:0.0} in the large one");
    }

    [Fact]
    public void The_work_for_a_pod_at_the_start_does_not_grow_with_the_cluster()
    {
        var small = ((ObjectStore)new TestCluster(Sized(110, 6)).Store).Looks / (6.0 * Replicas);
        var large = ((ObjectStore)new TestCluster(Sized(330, 18)).Store).Looks / (18.0 * Replicas);

        large.ShouldBeLessThan(small * 1.25, $"{small:0.0} looks at objects for each pod of the small cluster, {large:0.0} of the large one");
    }

    // Each workload has a namespace and a budget of its own; the machines of all have room.
    private static Scenario Sized(int nodes, int workloads)
    {
        var numbers = Enumerable.Range(1, workloads).ToList();
        return Scenario.Load(
            $"name: sized\nnodes: [{{name: 'node-{{n}}', count: {nodes}}}]\n"
            + $"workloads: [{string.Join(", ", numbers.Select(i => $"{{deployment: team-{i}/app, replicas: {Replicas}}}"))}]\n"
            + $"budgets: [{string.Join(", ", numbers.Select(i => $"{{name: team-{i}/app, maxUnavailable: 50%}}"))}]\n");
    }

    // Until the pods are gone and their replacements run, less what happens in a cluster in that time anyhow.
    private static async Task<double> LooksPerEvictionAsync(int nodes, int workloads)
    {
        const int Evictions = 10;
        const double Long = 4;
        var (quiet, cluster) = (new TestCluster(Sized(nodes, workloads)), new TestCluster(Sized(nodes, workloads)));
        using var http = new HttpClient(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        var (before, quietBefore) = (Looks(cluster), Looks(quiet));

        foreach (var pod in cluster.Store.List(ResourceTypes.Pods, "team-1").Take(Evictions).Select(pod => pod.NameOf()).ToList())
        {
            using var body = new StringContent(
                $$$"""{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"{{{pod}}}","namespace":"team-1"}}""", Encoding.UTF8, "application/json");
            (await http.PostAsync($"/api/v1/namespaces/team-1/pods/{pod}/eviction", body, CancellationToken.None)).EnsureSuccessStatusCode();
        }

        cluster.Pass(Long);
        quiet.Pass(Long);
        var looks = Looks(cluster) - before - (Looks(quiet) - quietBefore);
        cluster.Store.List(ResourceTypes.Pods, "team-1").Count(pod => pod.IsReady()).ShouldBe(Replicas);
        return looks / (double)Evictions;

        static long Looks(TestCluster cluster) => ((ObjectStore)cluster.Store).Looks;
    }

    private static async Task<int> ListAllAsync(HttpClient http)
    {
        var (count, next) = (0, string.Empty);
        do
        {
            var page = await http.GetFromJsonAsync<JsonObject>($"/api/v1/pods?limit=500&continue={Uri.EscapeDataString(next)}", CancellationToken.None);
            count += page.Objects("items").Count();
            next = page.Text("metadata", "continue") ?? string.Empty;
        }
        while (next.Length > 0);
        return count;
    }

    private static async Task<StreamReader> WatchAsync(HttpClient http, long version)
    {
        var answer = await http.GetAsync(
            $"/api/v1/nodes?watch=true&resourceVersion={version}&fieldSelector=metadata.name%3Dnode-1", HttpCompletionOption.ResponseHeadersRead, CancellationToken.None);
        return new(await answer.Content.ReadAsStreamAsync(CancellationToken.None));
    }

    private static async Task<double> WriteAsync(HttpClient http, StreamReader[] readers, string mark)
    {
        var seen = readers.Select(reader => ReadUntilAsync(reader, mark)).ToList();
        using var patch = new StringContent("{\"metadata\":{\"labels\":{\"mark\":\"" + mark + "\"}}}", Encoding.UTF8, "application/merge-patch+json");
        var clock = Stopwatch.StartNew();
        (await http.PatchAsync("/api/v1/nodes/node-1", patch, CancellationToken.None)).EnsureSuccessStatusCode();
        await Task.WhenAll(seen);
        return clock.Elapsed.TotalMilliseconds;
    }

    private static async Task ReadUntilAsync(StreamReader reader, string mark)
    {
        while (await reader.ReadLineAsync(CancellationToken.None) is { } line && !line.Contains($"\"mark\":\"{mark}\"", StringComparison.Ordinal))
        {
            // Other changes of the node.
        }
    }
}
