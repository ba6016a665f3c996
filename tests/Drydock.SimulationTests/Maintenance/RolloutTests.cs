using System.Globalization;
using System.Text;
using Drydock.DurableTask;
using Drydock.DurableTask.TaskHub;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Maintenance of several nodes.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RolloutTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_rollout_maintains_its_nodes_one_after_the_other()
    {
        await using var world = await World.StartAsync("healthy");

        var status = await RollOutAsync(world, new RolloutRequest(["node-1", "node-2"]) { Template = world.Request() });

        status.Nodes.ShouldAllBe(node => node.Outcome == MaintenanceOutcome.Completed);
        status.Nodes[1].StartedAt.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo(status.Nodes[0].EndedAt!.Value);
        status.Message.ShouldBe("2 of 2 nodes done, 0 failed, 0 under maintenance.");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_rollout_whose_failure_budget_is_used_up_takes_no_new_node()
    {
        await using var world = await World.StartAsync("healthy");

        var status = await RollOutAsync(
            world, new RolloutRequest(["node-1", "node-2"]) { Template = Refused(world), OnFailures = RolloutFailurePolicy.Stop });

        status.Nodes.Select(node => node.State).ShouldBe([RolloutNodeState.Done, RolloutNodeState.NotTaken]);
        status.Message.ShouldStartWith("Stopped: the failure budget is used up.");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("None", null, "Insufficient memory")]
    [InlineData("LiveMigrate", "HostDeviceNotLiveMigratable", "It was started again and is not Running after 5m: 0/3 nodes")]
    public async Task A_machine_that_does_not_run_again_counts_against_the_failure_budget(string strategy, string? notMigratable, string why)
    {
        // It fits nowhere but where it was, and that node is full when it is to come back.
        await using var world = await World.StartAsync(new Scenario
        {
            Name = "full",
            EvictionStrategy = "LiveMigrate",
            Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }, new NodeSpec("node-3") { Memory = "32Gi" }],
            VirtualMachines = [new VirtualMachineSpec("vms", "big") { On = "node-1", Memory = "40Gi", EvictionStrategy = strategy, NotMigratable = notMigratable }],
            Maintain = "node-1",
        });
        world.Api.Intercept = request =>
        {
            if (request is { Verb: "patch", Resource: "nodes", Name: "node-1", IsDone: true })
            {
                Fill(world, "node-1");
            }

            return Task.CompletedTask;
        };

        var rollout = await RollOutAsync(world, new RolloutRequest(["node-1", "node-2", "node-3"])
        {
            OnFailures = RolloutFailurePolicy.Stop,
            Template = world.Request() with
            {
                Health = new HealthPolicy { StableFor = TimeSpan.Zero },
                VirtualMachines = new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown, RestartTimeout = TimeSpan.FromMinutes(5) },
            },
        });

        var first = rollout.Nodes.Single(node => node.Node == "node-1");
        first.Outcome.ShouldBe(MaintenanceOutcome.Failed, first.Message);
        first.Message!.ShouldContain("But virtual machine vms/big:");
        first.Message!.Contains(why, StringComparison.Ordinal).ShouldBeTrue(first.Message);
        rollout.Nodes.Where(node => node.Node != "node-1").ShouldAllBe(node => node.State == RolloutNodeState.NotTaken);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_aborted_rollout_puts_the_nodes_in_hand_back()
    {
        await using var world = await World.StartAsync("healthy");
        await BeginAsync(world, new RolloutRequest(["node-1", "node-2", "node-3"]) { Template = world.Request(), MaxUnavailable = 3 });
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count > 0);
        await world.Client.RaiseEventAsync("r1", RolloutEvents.Cancel, new Cancel("ada"));

        var status = await EndAsync(world);

        status.Nodes.ShouldContain(node => node.Outcome == MaintenanceOutcome.Cancelled);
        status.Message.ShouldStartWith("Cancelled by ada.");
        world.Cluster.Store.List(ResourceTypes.Nodes).ShouldAllBe(node => node["spec"]!["unschedulable"] == null);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_failed_node_is_taken_again_when_told_so_and_a_skipped_one_never()
    {
        await using var world = await World.StartAsync("healthy");
        await BeginAsync(world, new RolloutRequest(["node-1", "node-2", "node-3"]) { Template = Refused(world) });
        await UntilAsync(world, status => status.IsPaused);
        await RaiseAsync(world, RolloutEvents.Skip, new RolloutNodeOrder("node-3", "ada"));
        await RaiseAsync(world, RolloutEvents.Retry, new RolloutNodeOrder("node-1", "ada", "it was a mistake"));
        var paused = await StatusAsync(world);
        await RaiseAsync(world, RolloutEvents.Resume, "ada");
        await UntilAsync(world, status => status.IsPaused && status.Nodes.Any(node => node is { Attempt: 2, State: RolloutNodeState.Done }));
        await RaiseAsync(world, RolloutEvents.Stop, new Cancel("ada"));

        var end = await EndAsync(world);

        paused.IsPaused.ShouldBeTrue();
        end.Nodes.Select(node => (node.State, node.Attempt, node.InstanceId)).ShouldBe(
        [
            (RolloutNodeState.Done, 2, "r1:node-1~2"), (RolloutNodeState.NotTaken, 1, "r1:node-2"), (RolloutNodeState.Skipped, 1, "r1:node-3"),
        ]);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_begins_paused_shows_its_nodes_and_touches_none_until_it_is_resumed()
    {
        await using var world = await World.StartAsync("healthy");
        await BeginAsync(
            world, new RolloutRequest(["node-1", "node-2", "node-3"]) { Template = world.Request(), MaxUnavailable = 3, PausedBecause = "Paused by ada." });
        await UntilAsync(world, status => status.IsPaused);
        await RaiseAsync(world, RolloutEvents.Skip, new RolloutNodeOrder("node-3", "ada"));
        await world.RunForAsync(TimeSpan.FromHours(2));
        var paused = await StatusAsync(world);
        var (patches, evictions) = (world.Api.RequestLog.Of("patch", "nodes").Count, world.AcceptedEvictions().Count);
        await world.Client.RaiseEventAsync("r1", RolloutEvents.Resume, "ada");

        var end = await EndAsync(world);

        (patches, evictions).ShouldBe((0, 0));
        (paused.Total, paused.Waiting, paused.Message).ShouldBe((2, 2, "Paused by ada. 0 of 2 nodes done, 0 failed, 0 under maintenance."));
        end.Nodes.Select(node => (node.State, node.Outcome)).ShouldBe(
        [
            (RolloutNodeState.Done, MaintenanceOutcome.Completed), (RolloutNodeState.Done, MaintenanceOutcome.Completed), (RolloutNodeState.Skipped, null),
        ]);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_under_another_maintenance_is_waited_for_and_is_never_in_two()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        await BeginAsync(world, new RolloutRequest(["node-1", "node-2"]) { Template = world.Request(), MaxUnavailable = 2 });
        await UntilAsync(world, status => status.Done == 1);
        await world.RunForAsync(TimeSpan.FromHours(2));
        var waiting = await StatusAsync(world);

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ada"));
        var end = await EndAsync(world);

        waiting.WaitsFor.ShouldBe("Node node-1 waits for maintenance m1, which holds it.");
        end.Nodes.ShouldAllBe(node => node.Outcome == MaintenanceOutcome.Completed && node.Attempt == 1);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_whose_lease_another_operator_has_is_tried_again_and_is_no_failure()
    {
        await using var world = await World.StartAsync("healthy");
        await world.Kubernetes.AcquireLeaseAsync("node-1", null, "node-maintenance", TimeSpan.FromDays(1), CancellationToken.None);
        await BeginAsync(world, new RolloutRequest(["node-1", "node-2"]) { Template = world.Request() });
        await UntilAsync(world, status => status.Done == 1);
        var waiting = await StatusAsync(world);
        await world.RunForAsync(TimeSpan.FromMinutes(20));
        await world.Kubernetes.ReleaseLeaseAsync("node-1", "node-maintenance", CancellationToken.None);

        var end = await EndAsync(world);

        waiting.WaitsFor.ShouldNotBeNull().ShouldContain("held by the Node Maintenance Operator");
        (waiting.IsPaused, waiting.Failed).ShouldBe((false, 0));
        end.Nodes.ShouldAllBe(node => node.Outcome == MaintenanceOutcome.Completed);
        end.Nodes[0].Attempt.ShouldBeInRange(3, 8);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Selected_nodes_follow_the_cluster_those_that_leave_are_left_out_and_new_ones_are_taken()
    {
        await using var world = await World.StartAsync("healthy");
        await BeginAsync(world, new RolloutRequest([]) { Selector = "topology.kubernetes.io/zone in (zone-a,zone-c,zone-d)", Template = world.Request(), Zones = ["zone-a"] });
        await UntilAsync(world, status => status.Running == 1);
        Label(world, "node-2", "zone-d");
        Label(world, "node-3", "zone-b");

        var end = await EndAsync(world);

        end.Nodes.Select(node => $"{node.Node} {node.State} {node.Outcome}").ShouldBe(
            ["node-1 Done Completed", "node-3 Left ", "node-2 Done Completed"]);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(CrashPoints.CommitBeforeCommit)]
    [InlineData(CrashPoints.CommitAfterCommit)]
    public async Task A_crash_between_any_two_nodes_repeats_none(string point)
    {
        await using var world = await World.StartAsync("healthy");
        await BeginAsync(world, new RolloutRequest(["node-1", "node-2", "node-3"]) { Template = world.Request() });
        var end = await EndWithCrashesAsync(world, point, every: 23);

        end.Nodes.ShouldAllBe(node => node.Outcome == MaintenanceOutcome.Completed && node.Attempt == 1);
        world.Deaths.ShouldBeGreaterThan(3);
        world.Api.RequestLog.Of("patch", "nodes").Count(request => request.Code == 200).ShouldBe(6, "Each node is marked once and put back once.");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Hundreds_of_nodes_do_not_make_its_history_or_its_status_grow()
    {
        const int Nodes = 300;
        await using var world = await World.StartAsync(Many(Nodes));
        await BeginAsync(world, new RolloutRequest([])
        {
            Selector = "topology.kubernetes.io/zone", MaxUnavailablePercent = 10, MaxPerZone = 12, Canary = 2, Soak = TimeSpan.FromSeconds(5),
            Template = new MaintenanceRequest("") { HubId = "hub", Health = new HealthPolicy { StableFor = TimeSpan.Zero } },
        });
        var (history, status) = (0, 0);
        var waiting = world.Client.WaitForInstanceCompletionAsync("r1", true, CancellationToken.None);
        while (!waiting.IsCompleted)
        {
            await world.RunForAsync(TimeSpan.FromMilliseconds(200));
            history = Math.Max(history, await world.HistoryEventsAsync("r1"));
            status = Math.Max(status, (await world.Client.GetInstanceAsync("r1", true, CancellationToken.None))!.SerializedCustomStatus?.Length ?? 0);
        }

        var end = (await waiting).ReadOutputAs<RolloutStatus>()!;
        end.Nodes.Count(node => node is { Outcome: MaintenanceOutcome.Completed, Attempt: 1 }).ShouldBe(Nodes, end.Message);
        history.ShouldBeLessThan(500);
        status.ShouldBeLessThan(16 * 1024);
        MostAtOnce(world).ShouldBeInRange(2, 30);
    }

    /// <summary>By the cluster's own log: each node is patched when it is taken and when it is put back.</summary>
    private static int MostAtOnce(World world)
    {
        var (taken, most) = (new HashSet<string>(StringComparer.Ordinal), 0);
        foreach (var node in world.Api.RequestLog.Of("patch", "nodes").Where(request => request.Code == 200).Select(request => request.Name!))
        {
            _ = taken.Add(node) || taken.Remove(node);
            most = Math.Max(most, taken.Count);
        }

        return most;
    }

    private static Scenario Many(int nodes)
    {
        var text = new StringBuilder("name: many\ndescription: Many nodes.\nnodes:\n");
        for (var i = 0; i < nodes; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"  - name: node-{i:000}\n    zone: zone-{i % 3}\n");
        }

        text.Append("maintain: node-000\nexpect:\n  outcome: Completed\n");
        return Scenario.Load(text.ToString());
    }

    /// <summary>Leaves the node no memory for another machine.</summary>
    private static void Fill(World world, string node) => world.Cluster.Store.Update(ResourceTypes.Nodes, null, node, one =>
    {
        one["status"]!["allocatable"]!["memory"] = "1Gi";
        return true;
    });

    private static MaintenanceRequest Refused(World world) =>
        world.Request() with { Drain = new DrainPolicy { IgnoreDaemonSets = false } };

    private static void Label(World world, string node, string zone) =>
        world.Cluster.Store.Update(ResourceTypes.Nodes, null, node, one =>
        {
            one["metadata"]!["labels"]!["topology.kubernetes.io/zone"] = zone;
            return true;
        });

    internal static Task BeginAsync(World world, RolloutRequest request) =>
        world.Client.ScheduleNewOrchestrationInstanceAsync(Orchestrations.Rollout, request, new StartOrchestrationOptions("r1"), CancellationToken.None);

    internal static async Task<RolloutStatus> EndAsync(World world)
    {
        var waiting = world.Client.WaitForInstanceCompletionAsync("r1", true, CancellationToken.None);
        await world.RunUntilAsync(() => waiting.IsCompleted);
        var end = await waiting;
        return end.ReadOutputAs<RolloutStatus>() ?? throw new InvalidOperationException($"{end.RuntimeStatus}: {end.FailureDetails}");
    }

    private static async Task<RolloutStatus> RollOutAsync(World world, RolloutRequest request)
    {
        await BeginAsync(world, request);
        return await EndAsync(world);
    }

    private static async Task<RolloutStatus> EndWithCrashesAsync(World world, string point, int every)
    {
        while (true)
        {
            world.KillAt(point, every);
            if (await world.EndOrDieAsync<RolloutStatus>("r1") is { } status)
            {
                return status;
            }
        }
    }

    private static async Task<RolloutStatus> StatusAsync(World world) => (await world.StatusAsync<RolloutStatus>("r1"))!;

    /// <summary>Lets time pass, a few seconds at a time, until the rollout says so.</summary>
    private static async Task UntilAsync(World world, Func<RolloutStatus, bool> isSo)
    {
        for (var i = 0; i < 1000; i++)
        {
            if (await world.StatusAsync<RolloutStatus>("r1") is { } status && isSo(status))
            {
                return;
            }

            await world.RunForAsync(TimeSpan.FromSeconds(2));
        }

        throw new TimeoutException(await world.TraceAsync());
    }

    private static async Task RaiseAsync(World world, string name, object payload)
    {
        await world.Client.RaiseEventAsync("r1", name, payload);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
    }
}
