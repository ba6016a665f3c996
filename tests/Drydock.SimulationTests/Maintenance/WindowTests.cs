using Drydock.DurableTask;
using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Rollouts by calendar.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class WindowTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_window_opens_by_its_cron_text_and_rolls_out()
    {
        await using var world = await World.StartAsync("healthy");
        await BeginAsync(world, Window(world) with { Cron = "30 3 * * *" });

        await world.RunForAsync(TimeSpan.FromMinutes(35));

        var rollout = (await world.Client.GetInstanceAsync("w1:20260102T0330", true, CancellationToken.None))!.ReadOutputAs<RolloutStatus>()!;
        rollout.Nodes.ShouldAllBe(node => node.Outcome == MaintenanceOutcome.Completed);
        var status = (await world.StatusAsync<WindowStatus>("w1"))!;
        status.Next.ShouldBe(new DateTimeOffset(2026, 1, 3, 3, 30, 0, TimeSpan.Zero));
        status.Message.ShouldBe("3 of 3 nodes done, 0 failed, 0 under maintenance. The next window opens at 2026-01-03 03:30:00Z.");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_window_looks_its_selector_up_when_it_opens()
    {
        await using var world = await World.StartAsync("healthy");
        var window = Window(world);
        await BeginAsync(world, window with { Cron = "30 3 * * *", Rollout = window.Rollout with { Selector = "ready-for=work" } });
        await world.RunForAsync(TimeSpan.FromMinutes(20));
        world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-2", node =>
        {
            node["metadata"]!["labels"]!["ready-for"] = "work";
            return true;
        });
        await world.RunForAsync(TimeSpan.FromMinutes(15));

        (await RolloutAsync(world, "w1:20260102T0330")).Nodes.ShouldHaveSingleItem().Node.ShouldBe("node-2");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_rollout_that_does_not_fit_into_a_window_pauses_and_goes_on_in_the_next_one_also_over_restarts()
    {
        await using var world = await World.StartAsync("healthy");
        var window = Window(world);
        await BeginAsync(world, window with { Cron = "30 * * * *", Duration = TimeSpan.FromSeconds(8), OnClose = WindowClosePolicy.Pause });
        await world.RunForAsync(TimeSpan.FromMinutes(30) + TimeSpan.FromSeconds(2));
        await world.CrashAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var closed = (await world.StatusAsync<RolloutStatus>("w1:20260102T0330"))!;
        var window2 = (await world.StatusAsync<WindowStatus>("w1"))!;
        await world.CrashAsync();
        await world.RunForAsync(TimeSpan.FromHours(1));
        var second = (await world.StatusAsync<RolloutStatus>("w1:20260102T0330"))!;
        await world.RunForAsync(TimeSpan.FromHours(1));

        (closed.IsClosed, closed.Running).ShouldBe((true, 0));
        closed.Done.ShouldBeInRange(1, 2);
        (window2.Next, window2.Rollout).ShouldBe((World.Start + TimeSpan.FromMinutes(90), "w1:20260102T0330"));
        second.Done.ShouldBeGreaterThan(closed.Done);
        var end = await RolloutAsync(world, "w1:20260102T0330");
        end.Nodes.ShouldAllBe(node => node.Outcome == MaintenanceOutcome.Completed && node.Attempt == 1);
        end.Nodes.ShouldAllBe(node => node.StartedAt!.Value.Minute == 30 && node.StartedAt.Value.Second < 8);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task At_the_end_of_a_window_that_cancels_the_node_in_hand_is_put_back()
    {
        await using var world = await World.StartAsync("healthy");
        var window = Window(world);
        await BeginAsync(world, window with { Cron = "30 3 * * *", Duration = TimeSpan.FromSeconds(3), OnClose = WindowClosePolicy.Cancel });

        await world.RunForAsync(TimeSpan.FromMinutes(35));

        var end = await RolloutAsync(world, "w1:20260102T0330");
        end.Nodes.Select(node => node.Outcome).ShouldBe([MaintenanceOutcome.Cancelled, null, null]);
        end.Message.ShouldStartWith("The window closed.");
        world.Cluster.Store.List(ResourceTypes.Nodes).ShouldAllBe(node => node["spec"]!["unschedulable"] == null);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_window_that_finishes_ends_its_rollout_after_the_node_in_hand()
    {
        await using var world = await World.StartAsync("healthy");
        await BeginAsync(world, Window(world) with { Times = [new() { From = World.Start + TimeSpan.FromMinutes(10), To = World.Start + TimeSpan.FromMinutes(10.1) }] });

        await world.RunForAsync(TimeSpan.FromMinutes(20));

        var end = await RolloutAsync(world, "w1:20260102T0310");
        end.Nodes.Select(node => node.State).ShouldBe([RolloutNodeState.Done, RolloutNodeState.NotTaken, RolloutNodeState.NotTaken]);
        var window = (await world.Client.GetInstanceAsync("w1", true, CancellationToken.None))!;
        window.ReadOutputAs<WindowStatus>()!.Message.ShouldStartWith("It never opens again.");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_window_that_is_removed_stops_its_rollout_and_ends_when_the_node_in_hand_is_done()
    {
        await using var world = await World.StartAsync("healthy");
        await BeginAsync(world, Window(world) with { Cron = "30 3 * * *" });
        await world.RunForAsync(TimeSpan.FromMinutes(30) + TimeSpan.FromSeconds(5));

        await world.Client.RaiseEventAsync("w1", WindowEvents.Cancel, new Cancel("ada"));
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        (await RolloutAsync(world, "w1:20260102T0330")).Nodes.Select(node => node.State)
            .ShouldBe([RolloutNodeState.Done, RolloutNodeState.NotTaken, RolloutNodeState.NotTaken]);
        (await world.Client.GetInstanceAsync("w1", true, CancellationToken.None))!.ReadOutputAs<WindowStatus>()!
            .ShouldSatisfyAllConditions(end => end.Message.ShouldStartWith("Cancelled."), end => end.IsCancelled.ShouldBeTrue());
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_window_that_is_removed_says_so_as_long_as_a_node_is_in_hand()
    {
        await using var world = await World.StartAsync("healthy");
        var window = Window(world);
        await BeginAsync(
            world,
            window with { Cron = "30 3 * * *", Rollout = window.Rollout with { Template = world.Request() with { Action = MaintenanceAction.Hold } } });
        await world.RunForAsync(TimeSpan.FromMinutes(35));

        await world.Client.RaiseEventAsync("w1", WindowEvents.Cancel, new Cancel("ada"));
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        var ending = (await world.StatusAsync<WindowStatus>("w1"))!;
        (ending.IsCancelled, ending.Rollout, ending.Message).ShouldBe((true, "w1:20260102T0330", "Cancelled. The nodes in hand are not done yet."));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(MaintenanceAction.Hold, WindowClosePolicy.Finish, RolloutNodeState.Done, MaintenanceOutcome.Cancelled)]
    [InlineData(MaintenanceAction.None, WindowClosePolicy.Cancel, RolloutNodeState.Done, MaintenanceOutcome.Cancelled)]
    [InlineData(MaintenanceAction.None, WindowClosePolicy.Pause, RolloutNodeState.Done, MaintenanceOutcome.Completed)]
    public async Task A_window_that_is_removed_leaves_no_node_behind(
        MaintenanceAction action, WindowClosePolicy onClose, RolloutNodeState state, MaintenanceOutcome outcome)
    {
        await using var world = await World.StartAsync("healthy");
        var window = Window(world);
        await BeginAsync(
            world,
            window with { Cron = "30 3 * * *", OnClose = onClose, Rollout = window.Rollout with { Template = world.Request() with { Action = action } } });
        await world.RunForAsync(TimeSpan.FromMinutes(30) + TimeSpan.FromSeconds(3));

        await world.Client.RaiseEventAsync("w1", WindowEvents.Cancel, new Cancel("ada") { PutsBack = true });
        await world.CrashAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        var node = (await RolloutAsync(world, "w1:20260102T0330")).Nodes[0];
        (node.State, node.Outcome).ShouldBe((state, outcome));
        world.Cluster.Store.List(ResourceTypes.Nodes).ShouldAllBe(static one => one["spec"]!["unschedulable"] == null);
        (await world.Client.GetInstanceAsync("w1", true, CancellationToken.None))!.IsCompleted.ShouldBeTrue();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_window_that_never_opens_again_can_still_be_removed_and_gives_a_held_node_back()
    {
        await using var world = await World.StartAsync("healthy");
        var window = Window(world);
        await BeginAsync(world, window with
        {
            Times = [new WindowTimes { From = World.Start + TimeSpan.FromMinutes(30), To = World.Start + TimeSpan.FromMinutes(40) }],
            OnClose = WindowClosePolicy.Pause,
            Rollout = window.Rollout with { Template = world.Request() with { Action = MaintenanceAction.Hold } },
        });
        await world.RunForAsync(TimeSpan.FromHours(1));
        (await world.StatusAsync<WindowStatus>("w1"))!.Message.ShouldBe("It never opens again. The nodes in hand are not done yet.");

        await world.Client.RaiseEventAsync("w1", WindowEvents.Cancel, new Cancel("ada") { PutsBack = true });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        world.Cluster.Store.List(ResourceTypes.Nodes).ShouldAllBe(static one => one["spec"]!["unschedulable"] == null);
        (await world.Client.GetInstanceAsync("w1", true, CancellationToken.None))!.ReadOutputAs<WindowStatus>()!.IsCancelled.ShouldBeTrue();
    }

    internal static WindowRequest Window(World world) =>
        new(new RolloutRequest(["node-1", "node-2", "node-3"]) { Template = world.Request() }) { Duration = TimeSpan.FromHours(1) };

    internal static Task BeginAsync(World world, WindowRequest request) => world.Client.ScheduleNewOrchestrationInstanceAsync(
        Orchestrations.Window,
        request.Rollout.Selector is null ? request : request with { Rollout = request.Rollout with { Nodes = [] } },
        new StartOrchestrationOptions("w1"),
        CancellationToken.None);

    private static async Task<RolloutStatus> RolloutAsync(World world, string id)
    {
        var end = (await world.Client.GetInstanceAsync(id, true, CancellationToken.None))!;
        return end.ReadOutputAs<RolloutStatus>() ?? throw new InvalidOperationException(await world.TraceAsync());
    }
}
