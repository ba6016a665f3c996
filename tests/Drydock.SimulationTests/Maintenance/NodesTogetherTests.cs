using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The plan of several nodes at once, read from a cluster: what each alone would not meet.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class NodesTogetherTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData("1", true)]
    [InlineData("2", false)]
    public async Task A_budget_over_both_nodes_that_lets_fewer_go_than_they_have_is_in_the_way_of_both_and_of_neither_alone(string maxUnavailable, bool isInTheWay)
    {
        await using var world = await World.StartAsync(Workers with
        {
            Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 2, On = ["node-1", "node-2"] }],
            Budgets = [new BudgetSpec("shop", "web", "web") { MaxUnavailable = maxUnavailable }],
        });

        var one = await PlanAsync(world, "node-1");
        var other = await PlanAsync(world, "node-2");
        var both = await PlanAsync(world, "node-1", "node-2");

        one.Findings.Concat(other.Findings).Concat(both.Nodes.SelectMany(static plan => plan.Findings)).ShouldBeEmpty();
        both.Findings.Select(static finding => (finding.Severity, finding.Kind, finding.Object))
            .ShouldBe(isInTheWay ? [(FindingSeverity.Blocks, "budget-over-nodes", "poddisruptionbudget/shop/web")] : []);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Room_for_the_pods_of_both_is_looked_for_on_the_nodes_that_are_left()
    {
        await using var world = await World.StartAsync(Workers with
        {
            Nodes = [.. Enumerable.Range(1, 3).Select(static number => new NodeSpec($"node-{number}") { Cpu = "4" })],
            Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 2, On = ["node-1", "node-2"], Cpu = "3" }],
        });

        (await PlanAsync(world, "node-1")).Findings.ShouldBeEmpty();
        (await PlanAsync(world, "node-2")).Findings.ShouldBeEmpty();
        var finding = (await PlanAsync(world, "node-1", "node-2")).Findings.ShouldHaveSingleItem();

        (finding.Severity, finding.Kind).ShouldBe((FindingSeverity.Blocks, "no-room"));
        finding.Message.ShouldStartWith("1 pod finds no room on the other nodes, the first shop/web-");
        finding.Message.ShouldEndWith("0/1 nodes are available: 1 Insufficient cpu.");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Two_nodes_of_the_control_plane_are_refused_together_and_none_alone()
    {
        await using var world = await World.StartAsync(Workers with
        {
            Nodes = [.. Workers.Nodes, .. Enumerable.Range(1, 3).Select(static number => new NodeSpec($"cp-{number}") { ControlPlane = true })],
        });

        var alone = await PlanAsync(world, "cp-1", "node-1");
        var both = await PlanAsync(world, "cp-1", "cp-2");

        alone.CanStart.ShouldBeTrue();
        both.CanStart.ShouldBeFalse();
        both.Findings.ShouldHaveSingleItem().Message.ShouldBe("Nodes cp-1, cp-2 are of the control plane: never two at once.");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_is_not_there_is_refused_by_name_and_the_others_are_planned_all_the_same()
    {
        await using var world = await World.StartAsync(Workers);

        var both = await PlanAsync(world, "node-1", "node-9");

        both.CanStart.ShouldBeFalse();
        both.Nodes.Select(static plan => (plan.Node, plan.CanStart)).ShouldBe([("node-1", true), ("node-9", false)]);
        both.Nodes[1].Findings.ShouldHaveSingleItem().Message.ShouldContain("node-9");
    }

    private static Scenario Workers { get; } = new()
    {
        Name = "workers",
        Nodes = [.. Enumerable.Range(1, 3).Select(static number => new NodeSpec($"node-{number}"))],
        Maintain = "node-1",
    };

    private static Task<NodesPlan> PlanAsync(World world, params string[] nodes) => new PlanReader(world.Kubernetes, world.Time, world.Planner)
        .ReadTogetherAsync([.. nodes.Select(node => world.Request() with { Node = node })], CancellationToken.None);
}
