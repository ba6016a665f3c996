using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>The whole cluster over HTTP, in real time, sped up: what a person with curl would see.</summary>
public sealed class LiveClusterTests
{
    [Fact]
    public async Task A_drain_by_hand_moves_the_machines_and_the_pods()
    {
        await using var cluster = SimulatedCluster.Create(Scenario.Named("healthy"), TimeProvider.System, NullLoggerFactory.Instance, speed: 20);
        await cluster.StartAsync(CancellationToken.None);
        using var http = new HttpClient { BaseAddress = await cluster.ListenAsync(0, CancellationToken.None) };

        await PatchAsync(http, "/api/v1/nodes/node-1", """{"spec":{"unschedulable":true}}""");
        var since = TimeProvider.System.GetTimestamp();
        while (await EvictAllAsync(http) > 0)
        {
            TimeProvider.System.GetElapsedTime(since).ShouldBeLessThan(TimeSpan.FromMinutes(1));
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, CancellationToken.None);
        }

        await PatchAsync(http, "/api/v1/nodes/node-1", """{"spec":{"unschedulable":null}}""");
        cluster.Check().Where(each => !each.Ok).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_running_cluster_can_be_jumped_from_due_to_due()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
        await using var cluster = SimulatedCluster.Create(Scenario.Named("healthy"), clock, NullLoggerFactory.Instance);
        await cluster.StartAsync(CancellationToken.None);
        cluster.Store.Update(KubeVirtTypes.Instances, "vms", "database", vmi =>
        {
            vmi["status"]!["evacuationNodeName"] = "node-1";
            return true;
        });

        var jumps = 0;
        while (cluster.Store.Get(KubeVirtTypes.Instances, "vms", "database").Text("status", "nodeName") == "node-1")
        {
            while (cluster.PendingWork > 0)
            {
                await Task.Yield();
            }

            (++jumps).ShouldBeLessThan(100);
            if (cluster.NextDue is { } due && due > clock.GetUtcNow())
            {
                clock.SetUtcNow(due);
            }
        }

        (clock.GetUtcNow() - new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero)).TotalSeconds.ShouldBeInRange(4, 8);
    }

    [Fact]
    public async Task Changes_that_are_made_together_no_controller_sees_half_done()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
        await using var cluster = SimulatedCluster.Create(Scenario.Named("healthy"), clock, NullLoggerFactory.Instance);
        await cluster.StartAsync(CancellationToken.None);
        var launcher = cluster.Store.List(ResourceTypes.Pods, "vms").Single(static pod => pod.NameOf().StartsWith("virt-launcher-database-", StringComparison.Ordinal));

        cluster.Together(() =>
        {
            cluster.Store.Update(KubeVirtTypes.Instances, "vms", "database", static vmi => (vmi["status"]!["nodeName"] = "node-2") is not null);

            // Long enough for a controller to look, were it let.
            SpinWait.SpinUntil(() => cluster.Store.Get(KubeVirtTypes.Instances, "vms", "database").InstancePhase() != "Running", TimeSpan.FromMilliseconds(200));
            cluster.Store.Update(ResourceTypes.Pods, "vms", launcher.NameOf(), static pod => (pod["spec"]!["nodeName"] = "node-2") is not null);
        });
        while (cluster.PendingWork > 0)
        {
            await Task.Yield();
        }

        var database = cluster.Store.Get(KubeVirtTypes.Instances, "vms", "database");
        (database.InstancePhase(), database.InstanceNode()).ShouldBe(("Running", "node-2"));
    }

    [Fact]
    public async Task A_watch_is_answered_before_anything_happens()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
        await using var cluster = SimulatedCluster.Create(Scenario.Named("healthy"), clock, NullLoggerFactory.Instance);
        await cluster.StartAsync(CancellationToken.None);
        using var http = new HttpClient { BaseAddress = await cluster.ListenAsync(0, CancellationToken.None) };
        var path = $"/api/v1/configmaps?watch=true&resourceVersion={cluster.Store.ResourceVersion}";

        using var answer = await http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, CancellationToken.None);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task The_printed_columns_of_machines_are_those_of_KubeVirt()
    {
        await using var cluster = SimulatedCluster.Create(Scenario.Named("healthy"), TimeProvider.System, NullLoggerFactory.Instance);
        await cluster.StartAsync(CancellationToken.None);
        using var http = new HttpClient(cluster.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        http.DefaultRequestHeaders.TryAddWithoutValidation("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io");

        var table = await http.GetFromJsonAsync<JsonObject>("/apis/kubevirt.io/v1/namespaces/vms/virtualmachines", CancellationToken.None);

        table.Objects("columnDefinitions").Select(each => each.Text("name")).ShouldBe(["Name", "Age", "Status", "Ready"]);
        table.Objects("rows").First().At("cells")!.AsArray().Select(each => each?.ToString()).Skip(2).ShouldBe(["Running", "True"]);
    }

    [Fact]
    public async Task Stopping_a_machine_over_HTTP_is_accepted_with_an_empty_body()
    {
        await using var cluster = SimulatedCluster.Create(Scenario.Named("healthy"), TimeProvider.System, NullLoggerFactory.Instance);
        await cluster.StartAsync(CancellationToken.None);
        using var http = new HttpClient(cluster.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        http.DefaultRequestHeaders.TryAddWithoutValidation("Accept", "application/json, */*");

        var answer = await http.PutAsync("/apis/subresources.kubevirt.io/v1/namespaces/vms/virtualmachines/database/stop", null, CancellationToken.None);

        answer.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        (await answer.Content.ReadAsStringAsync(CancellationToken.None)).ShouldBeEmpty();
    }

    private static async Task PatchAsync(HttpClient http, string path, string patch)
    {
        using var content = new StringContent(patch, Encoding.UTF8, "application/merge-patch+json");
        (await http.PatchAsync(path, content, CancellationToken.None)).EnsureSuccessStatusCode();
    }

    private static async Task<int> EvictAllAsync(HttpClient http)
    {
        var pods = await http.GetFromJsonAsync<JsonObject>("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1", CancellationToken.None);
        var left = 0;
        foreach (var pod in pods.Objects("items").Where(each => each.Objects("metadata", "ownerReferences").First().Text("kind") != "DaemonSet"))
        {
            left++;
            var (space, name) = (pod.NamespaceOf(), pod.NameOf());
            var eviction = new JsonObject
            {
                ["apiVersion"] = "policy/v1",
                ["kind"] = "Eviction",
                ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = space },
            };
            var answer = await http.PostAsJsonAsync($"/api/v1/namespaces/{space}/pods/{name}/eviction", eviction, CancellationToken.None);
            ((int)answer.StatusCode).ShouldBeOneOf(201, 404, 429);
        }

        return left;
    }
}
