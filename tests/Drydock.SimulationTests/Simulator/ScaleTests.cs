using System.Diagnostics;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>A cluster of five hundred nodes; larger ones are measured by the benchmark (<c>simulator</c>).</summary>
public sealed class ScaleTests
{
    private const int Watchers = 50;

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
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(5));

        var readers = await Task.WhenAll(Enumerable.Range(0, Watchers).Select(_ => WatchAsync(http, cluster.Store.ResourceVersion)));
        var spans = new List<double>();
        for (var round = 0; round < 11; round++)
        {
            spans.Add(await WriteAsync(http, readers, $"round-{round}"));
        }

        spans.Order().ElementAt(5).ShouldBeLessThan(100);
    }

    [Fact]
    public void Replicas_of_a_large_deployment_spread_over_all_nodes()
    {
        var cluster = new TestCluster(Large);

        var perNode = cluster.PodsOf("web").GroupBy(pod => pod["spec"]!["nodeName"]!.ToString()).Select(group => group.Count()).ToList();

        perNode.Count.ShouldBe(500);
        perNode.Max().ShouldBeLessThanOrEqualTo(7);
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
