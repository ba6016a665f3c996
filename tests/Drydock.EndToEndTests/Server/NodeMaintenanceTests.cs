using System.Text;
using System.Text.Json.Nodes;
using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>NodeMaintenance resources against the simulated cluster, with the real operator, hub and orchestrations.</summary>
public sealed class NodeMaintenanceTests
{
    private const string Resources = "/apis/nodemaintenance.medik8s.io/v1beta1/nodemaintenances";
    private const string Resource = Resources + "/maintain-1";
    private const string Node = "/api/v1/nodes/node-1";

    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task Creating_one_drains_and_holds_the_node_and_deleting_it_gives_the_node_back()
    {
        await using var harbour = await Harbour.OpenAsync(Token);

        await CreateAsync(harbour);
        var held = await harbour.UntilAsync(Resource, static nm => Phase(nm) is "Succeeded" or "Failed", Token);
        var drained = await harbour.GetAsync(Node, Token);
        await harbour.Kubernetes.DeleteAsync(Resource, Token);
        await harbour.UntilAsync(Resource, static nm => nm is null, Token);
        var back = await harbour.GetAsync(Node, Token);

        Phase(held).ShouldBe("Succeeded", held!.ToJsonString());
        held["status"]!["drainProgress"]!.GetValue<int>().ShouldBe(100);
        held["status"]!["totalpods"]!.GetValue<int>().ShouldBeGreaterThan(0);
        held["metadata"]!["finalizers"]!.AsArray().Select(static each => each!.ToString()).ShouldContain("foregroundDeleteNodeMaintenance");
        drained!["spec"]!["unschedulable"]!.GetValue<bool>().ShouldBeTrue();
        back!["spec"]!["unschedulable"]?.GetValue<bool>().ShouldNotBe(true);
        (await harbour.GetAsync("/apis/coordination.k8s.io/v1/namespaces/medik8s-leases/leases/node-node-1", Token)).ShouldBeNull();
    }

    [Fact]
    public async Task Deleting_it_while_the_server_is_down_ends_the_maintenance_when_it_is_up_again()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        await CreateAsync(harbour);
        await harbour.UntilAsync(Resource, static nm => Phase(nm) == "Running", Token);

        await harbour.StopServerAsync();
        await harbour.Kubernetes.DeleteAsync(Resource, Token);
        var waiting = await harbour.GetAsync(Resource, Token);
        await harbour.StartServerAsync(Token);
        await harbour.UntilAsync(Resource, static nm => nm is null, Token);
        var back = await harbour.GetAsync(Node, Token);

        waiting.ShouldNotBeNull();
        back!["spec"]!["unschedulable"]?.GetValue<bool>().ShouldNotBe(true);
        (await harbour.Api.ListMaintenancesAsync("node-1", onlyRunning: false, null, Token)).Items.ShouldHaveSingleItem().IsOver.ShouldBeTrue();
    }

    [Fact]
    public async Task A_resource_for_a_node_under_maintenance_fails_and_says_whose()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var first = await harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Action = "Hold" }, null, Token);
        await harbour.WatchAsync(first.Id, static view => view.Step is "Drain" or "Action", Token);

        await CreateAsync(harbour);
        var refused = await harbour.UntilAsync(Resource, static nm => Phase(nm) is "Succeeded" or "Failed", Token);

        Phase(refused).ShouldBe("Failed");
        refused!["status"]!["lastError"]!.ToString().ShouldContain(first.Id);
        (await harbour.Api.GetMaintenanceAsync(first.Id, Token)).IsOver.ShouldBeFalse();
    }

    private static string? Phase(JsonNode? resource) => resource?["status"]?["phase"]?.ToString();

    private async Task CreateAsync(Harbour harbour)
    {
        var body = """
            {"apiVersion":"nodemaintenance.medik8s.io/v1beta1","kind":"NodeMaintenance",
             "metadata":{"name":"maintain-1"},"spec":{"nodeName":"node-1","reason":"new kernel"}}
            """;
        var answer = await harbour.Kubernetes.PostAsync(Resources, new StringContent(body, Encoding.UTF8, "application/json"), Token);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync(Token));
    }
}
