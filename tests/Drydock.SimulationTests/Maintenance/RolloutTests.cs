using Drydock.DurableTask;
using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Maintenance of several nodes, and by calendar.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RolloutTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_rollout_maintains_its_nodes_one_after_the_other()
    {
        await using var world = await World.StartAsync("healthy");

        var status = await RollOutAsync(world, new RolloutRequest(["node-1", "node-2"]) { Template = world.Request() });

        status.Nodes.ShouldAllBe(node => node.Outcome == MaintenanceOutcome.Completed);
        status.Message.ShouldBe("2 of 2 nodes done, 0 failed, 0 under maintenance.");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_rollout_whose_failure_budget_is_used_up_takes_no_new_node()
    {
        await using var world = await World.StartAsync("healthy");

        var status = await RollOutAsync(
            world, new RolloutRequest(["node-9", "node-1"]) { Template = world.Request(), OnFailures = RolloutFailurePolicy.Stop });

        status.Nodes.Select(node => node.State).ShouldBe([RolloutNodeState.Done, RolloutNodeState.NotTaken]);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_window_opens_by_its_cron_text_and_rolls_out()
    {
        await using var world = await World.StartAsync("healthy");
        var request = new WindowRequest("30 3 * * *", TimeSpan.FromHours(1), new RolloutRequest(["node-1"]) { Template = world.Request() });
        await world.Client.ScheduleNewOrchestrationInstanceAsync(Orchestrations.Window, request, new StartOrchestrationOptions("w1"), CancellationToken.None);

        await world.RunForAsync(TimeSpan.FromMinutes(35));

        var rollout = (await world.Client.GetInstanceAsync("w1:20260102T0330", true, CancellationToken.None))!.ReadOutputAs<RolloutStatus>()!;
        rollout.Nodes.ShouldAllBe(node => node.Outcome == MaintenanceOutcome.Completed);
        (await world.StatusAsync<WindowStatus>("w1"))!.Next.ShouldBe(new DateTimeOffset(2026, 1, 3, 3, 30, 0, TimeSpan.Zero));
    }

    [Theory]
    [InlineData("0 2 * * *", "Europe/Berlin", "2026-01-02T01:00:00Z")]
    [InlineData("0 2 * * *", "UTC", "2026-01-02T02:00:00Z")]
    public void The_next_window_is_computed_in_its_time_zone(string cron, string zone, string expected) =>
        NextWindowActivity.Next(new NextWindowInput(cron, zone, new DateTimeOffset(2026, 1, 2, 0, 0, 0, TimeSpan.Zero)))
            .At.ShouldBe(DateTimeOffset.Parse(expected));

    [Fact]
    public void A_cron_text_that_is_none_is_told_in_one_sentence() =>
        NextWindowActivity.Next(new NextWindowInput("sometimes", "UTC", DateTimeOffset.UnixEpoch)).Problem.ShouldNotBeNull().ShouldContain("sometimes");

    private static async Task<RolloutStatus> RollOutAsync(World world, RolloutRequest request)
    {
        await world.Client.ScheduleNewOrchestrationInstanceAsync(Orchestrations.Rollout, request, new StartOrchestrationOptions("r1"), CancellationToken.None);
        var waiting = world.Client.WaitForInstanceCompletionAsync("r1", true, CancellationToken.None);
        await world.RunUntilAsync(() => waiting.IsCompleted);
        return (await waiting).ReadOutputAs<RolloutStatus>()!;
    }
}
