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
    public async Task By_kubectl_alone_one_is_applied_read_until_the_node_is_drained_and_deleted_and_the_node_is_back()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var server = await harbour.Cluster.ListenAsync(0, Token);
        Task<string> Kubectl(string[] arguments, string input = "") => Server.Kubectl.RunAsync(server, arguments, input, Token);

        var applied = await Kubectl(["apply", "-f", "-"], """
            apiVersion: nodemaintenance.medik8s.io/v1beta1
            kind: NodeMaintenance
            metadata: {name: maintain-1}
            spec: {nodeName: node-1, reason: new kernel}
            """);
        var phase = "";
        while (phase is not ("Succeeded" or "Failed"))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
            phase = await Kubectl(["get", "nodemaintenance", "maintain-1", "-o", "jsonpath={.status.phase}"]);
        }

        var drained = await Kubectl(["get", "node", "node-1", "-o", "jsonpath={.spec.unschedulable}"]);
        // It waits until the object is gone, and so until the node was given back.
        await Kubectl(["delete", "nodemaintenance", "maintain-1"]);
        var left = await Kubectl(["get", "nodemaintenance", "-o", "name"]);
        var back = await Kubectl(["get", "node", "node-1", "-o", "jsonpath={.spec.unschedulable}{.spec.taints}"]);

        applied.ShouldContain("maintain-1 created");
        (phase, drained, left).ShouldBe(("Succeeded", "true", ""));
        back.ShouldBeOneOf("", "false");
    }

    [Fact]
    public async Task Deleting_it_while_the_server_is_down_ends_the_maintenance_when_it_is_up_again()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        await CreateAsync(harbour);
        await harbour.UntilAsync(Resource, static nm => Phase(nm) is "Running" or "Succeeded", Token);

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
    public async Task A_resource_for_a_node_under_maintenance_waits_says_for_whom_and_goes_on_when_that_is_over()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var first = await harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Action = "Hold" }, null, Token);
        await harbour.WatchAsync(first.Id, static view => view.State == MaintenanceState.Holding, Token);

        await CreateAsync(harbour);
        var waiting = await harbour.UntilAsync(Resource, static nm => nm?["status"]?["lastError"] is not null, Token);
        await harbour.Api.CompleteMaintenanceAsync(first.Id, skipHealth: true, Token);
        var held = await harbour.UntilAsync(Resource, static nm => Phase(nm) is "Succeeded" or "Failed", Token);

        Phase(waiting).ShouldBe("Running");
        waiting!["status"]!["lastError"]!.ToString().ShouldContain(first.Id);
        Phase(held).ShouldBe("Succeeded");
    }

    [Fact]
    public async Task A_maintenance_begun_by_a_resource_is_seen_and_cancelled_by_REST()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        await CreateAsync(harbour);
        await harbour.UntilAsync(Resource, static nm => Phase(nm) == "Succeeded", Token);

        var seen = (await harbour.Api.ListMaintenancesAsync("node-1", onlyRunning: true, null, Token)).Items.ShouldHaveSingleItem();
        await harbour.Api.CancelMaintenanceAsync(seen.Id, "wrong node", Token);
        var failed = await harbour.UntilAsync(Resource, static nm => Phase(nm) == "Failed", Token);
        var back = await harbour.GetAsync(Node, Token);

        seen.RequestedBy.ShouldBe("nodemaintenance/maintain-1");
        failed!["status"]!["lastError"]!.ToString().ShouldContain("wrong node");
        back!["spec"]!["unschedulable"]?.GetValue<bool>().ShouldNotBe(true);
        await harbour.Kubernetes.DeleteAsync(Resource, Token);
        await harbour.UntilAsync(Resource, static nm => nm is null, Token);
    }

    [Fact]
    public async Task When_its_node_is_gone_a_deletion_cleans_the_lease_and_the_finalizer_goes()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        await CreateAsync(harbour);
        await harbour.UntilAsync(Resource, static nm => Phase(nm) == "Succeeded", Token);
        await harbour.Kubernetes.DeleteAsync(Node, Token);

        await harbour.Kubernetes.DeleteAsync(Resource, Token);
        await harbour.UntilAsync(Resource, static nm => nm is null, Token);

        (await harbour.GetAsync("/apis/coordination.k8s.io/v1/namespaces/medik8s-leases/leases/node-node-1", Token)).ShouldBeNull();
    }

    [Fact]
    public async Task Each_event_is_recorded_once_on_the_resource_and_once_on_the_node()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        await CreateAsync(harbour);
        await harbour.UntilAsync(Resource, static nm => Phase(nm) == "Succeeded", Token);
        await harbour.Kubernetes.DeleteAsync(Resource, Token);
        await harbour.UntilAsync(Resource, static nm => nm is null, Token);
        await harbour.UntilAsync("/api/v1/namespaces/default/events", static list => Events(list).Any(one => one.Contains("RemovedMaintenance", StringComparison.Ordinal)), Token);

        var events = Events(await harbour.GetAsync("/api/v1/namespaces/default/events", Token));

        events.ShouldBe(
            [
                "Node BeginMaintenance 1", "Node SucceedMaintenance 1", "Node UncordonNode 1",
                "NodeMaintenance BeginMaintenance 1", "NodeMaintenance RemovedMaintenance 1", "NodeMaintenance SucceedMaintenance 1",
            ],
            ignoreOrder: true);
    }

    private static IEnumerable<string> Events(JsonNode? list) =>
        from one in list!["items"]!.AsArray()
        where one!["source"]?["component"]?.ToString() == "drydock"
        select $"{one["involvedObject"]!["kind"]} {one["reason"]} {one["count"]}";

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
