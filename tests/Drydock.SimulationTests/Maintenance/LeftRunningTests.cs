using Drydock.DurableTask.Client;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// Somebody ends the maintenance of a node by force at the hub, and alone: its parts notice and end, so that the node can be put back by hand.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class LeftRunningTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_parts_of_a_drain_that_was_ended_alone_end_and_the_node_can_be_put_back_by_hand(bool crash)
    {
        await using var world = await World.StartAsync(Slow);
        await world.BeginAsync(world.Request());
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count == 2);

        await world.Client.TerminateInstanceAsync("m1", new TerminateInstanceOptions("enough", Recursive: false), CancellationToken.None);
        if (crash)
        {
            await world.CrashAsync();
        }

        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var evicted = world.AcceptedEvictions().Count;
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var running = await RunningAsync(world);
        var node = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        var lease = await world.Kubernetes.GetLeaseAsync("node-1", CancellationToken.None);
        var restored = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        evicted.ShouldBeLessThan(10, "the drain was ended in the middle");
        world.AcceptedEvictions().Count.ShouldBe(evicted, "nothing is evicted any more");
        running.ShouldBeEmpty();
        (node.Unschedulable, lease).ShouldBe((true, null));
        (restored.IsRefused, restored.LeftBehind.Count).ShouldBe((false, 0));
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBeFalse("nobody marks it again");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_held_node_whose_maintenance_was_ended_alone_is_free_for_the_next_one_once_it_is_put_back()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));

        await world.Client.TerminateInstanceAsync("m1", new TerminateInstanceOptions("enough", Recursive: false), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        var report = await world.MaintainAsync(world.Request(), "m2");

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        (await RunningAsync(world)).ShouldBeEmpty();
        world.WhatIsWrong().Where(what => !what.Contains("within")).ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_held_node_whose_hub_was_lost_is_held_on_at_once_under_the_name_that_it_had_there()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        await world.LoseHubAsync();

        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var isHolding = (await world.StatusAsync<MaintenanceStatus>())!.IsHolding;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        isHolding.ShouldBeTrue();
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        world.WhatIsWrong().Where(what => !what.Contains("within")).ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_is_ended_before_it_has_marked_the_node_leaves_no_lease_behind()
    {
        await using var world = await World.StartAsync("healthy");
        var isMarking = false;
        world.Api.Intercept = request =>
        {
            // Marking is refused for as long as it takes: only the part that holds the lease is there.
            isMarking |= request is { Resource: "nodes", IsChange: true };
            return request is { Resource: "nodes", IsChange: true, IsDone: false }
                ? throw new ApiException(503, "ServiceUnavailable", "not now")
                : Task.CompletedTask;
        };
        await world.BeginAsync(world.Request() with { LeaseDuration = TimeSpan.FromMinutes(6) });
        await world.RunUntilAsync(() => isMarking);

        await world.Client.TerminateInstanceAsync("m1", new TerminateInstanceOptions("enough", Recursive: false), CancellationToken.None);
        world.Api.Intercept = null;
        await world.RunForAsync(TimeSpan.FromMinutes(10));

        (await RunningAsync(world)).ShouldBeEmpty();
        (await world.Kubernetes.GetLeaseAsync("node-1", CancellationToken.None)).ShouldBeNull();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_parts_end_and_the_lease_is_free_within_its_duration_wherever_the_process_dies_while_they_do(bool after)
    {
        var wrong = new List<string>();
        for (var nth = 1; ; nth++)
        {
            await using var world = await World.StartAsync(Slow);
            await world.BeginAsync(world.Request() with { LeaseDuration = TimeSpan.FromMinutes(6) });
            await world.RunUntilAsync(() => world.AcceptedEvictions().Count == 2);
            await world.Client.TerminateInstanceAsync("m1", new TerminateInstanceOptions("enough", Recursive: false), CancellationToken.None);
            var crash = RequestCrash.Arm(world, static request => request.Resource == "leases.coordination.k8s.io", nth, after);

            await world.LiveForAsync(TimeSpan.FromMinutes(4));
            var evicted = world.AcceptedEvictions().Count;
            await world.LiveForAsync(TimeSpan.FromMinutes(10));
            var (running, lease) = (await RunningAsync(world), await world.Kubernetes.GetLeaseAsync("node-1", CancellationToken.None));
            var restored = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
            var isFree = lease is null || lease.RenewedAt + lease.Duration < world.Time.GetUtcNow();
            if (running.Count > 0 || !isFree || restored is not { IsRefused: false, LeftBehind.Count: 0 } || world.AcceptedEvictions().Count != evicted)
            {
                wrong.Add($"killed {nth} {crash.At}: running {string.Join(", ", running)}, lease of {lease?.Holder}, restored {!restored.IsRefused}, evicted {evicted} and then {world.AcceptedEvictions().Count}");
            }

            if (crash.At is null)
            {
                nth.ShouldBeGreaterThan(1, "the lease is marked or given up");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    private static Scenario Slow { get; } = new()
    {
        Name = "slow",
        Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}"))],
        Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 10, On = ["node-1"], StartAfter = TimeSpan.FromSeconds(30) }],
        Budgets = [new BudgetSpec("shop", "web", "web") { MaxUnavailable = "1" }],
        Maintain = "node-1",
    };

    /// <summary>The instances that are not over.</summary>
    internal static async Task<IReadOnlyList<string>> RunningAsync(World world)
    {
        var running = new List<string>();
        await foreach (var instance in world.Client.GetAllInstancesAsync())
        {
            if (!instance.IsCompleted)
            {
                running.Add(instance.InstanceId);
            }
        }

        return running;
    }
}
