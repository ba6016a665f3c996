using System.Text.Json.Nodes;
using Drydock.DurableTask.Client;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Somebody ends a rollout, or the maintenance of one of its nodes, by force at the hub: no node stays behind, nothing goes on for ever.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RolloutByForceTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task A_rollout_that_is_ended_by_force_takes_no_other_node_and_the_one_in_hand_is_put_back(bool recursive, bool crash)
    {
        await using var world = await World.StartAsync("healthy");
        await RolloutTests.BeginAsync(world, new RolloutRequest(["node-1", "node-2"]) { Template = world.Request() });
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count > 0);

        await world.Client.TerminateInstanceAsync("r1", new TerminateInstanceOptions("enough", recursive), CancellationToken.None);
        if (crash)
        {
            await world.CrashAsync();
        }

        var report = await world.EndAsync("r1:node-1");
        await world.RunForAsync(TimeSpan.FromMinutes(10));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        (await world.Client.GetInstanceAsync("r1:node-2", CancellationToken.None)).ShouldBeNull();
        await NothingIsLeftAsync(world);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_node_whose_maintenance_is_ended_by_force_is_put_back_and_counts_as_failed(bool recursive, bool crash)
    {
        await using var world = await World.StartAsync("vm-not-migratable");
        await BeginHeldAsync(world, world.Request());

        await world.Client.TerminateInstanceAsync("r1:node-1", new TerminateInstanceOptions("enough", recursive), CancellationToken.None);
        if (crash)
        {
            await world.CrashAsync();
        }

        await world.RunForAsync(TimeSpan.FromMinutes(20));
        var rollout = (await world.StatusAsync<RolloutStatus>("r1"))!;

        (rollout.IsPaused, rollout.Failed).ShouldBe((true, 1), rollout.Message);
        rollout.Nodes.Single(node => node.Node == "node-1").Message.ShouldEndWith("Node node-1 was put back.");
        world.Cluster.Store.List(KubeVirtTypes.Instances).ShouldAllBe(vmi => (string?)vmi["status"]!["phase"] == "Running");
        world.Cluster.Store.List(KubeVirtTypes.VirtualMachines).Where(IsMarked).ShouldBeEmpty();
        await NothingIsLeftAsync(world, "r1");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_a_failure_leaves_cordoned_is_left_so_when_it_is_ended_by_force_and_its_machines_run_again()
    {
        await using var world = await World.StartAsync("vm-not-migratable");
        await BeginHeldAsync(world, world.Request() with { OnFailure = FailurePolicy.KeepCordoned });

        await world.Client.TerminateInstanceAsync("r1:node-1", new TerminateInstanceOptions("enough", Recursive: true), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(20));
        var cordoned = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable;
        var rollout = (await world.StatusAsync<RolloutStatus>("r1"))!;
        var restored = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);

        cordoned.ShouldBeTrue();
        rollout.Nodes.Single(node => node.Node == "node-1").Message.ShouldEndWith("'drydock restore node-1' puts it back.");
        restored.LeftBehind.ShouldBeEmpty();
        await NothingIsLeftAsync(world, "r1");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_was_to_stay_cordoned_and_is_gone_when_it_is_ended_by_force_is_not_called_cordoned()
    {
        await using var world = await World.StartAsync("vm-not-migratable");
        await BeginHeldAsync(world, world.Request() with { OnFailure = FailurePolicy.KeepCordoned });

        world.Cluster.Store.Delete(ResourceTypes.Nodes, null, "node-1", new Deletion());
        await world.Client.TerminateInstanceAsync("r1:node-1", new TerminateInstanceOptions("enough", Recursive: true), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(30));

        (await world.StatusAsync<RolloutStatus>("r1"))!.Nodes.Single(node => node.Node == "node-1").Message
            .ShouldEndWith("Node node-1 is gone and is not kept cordoned: one that comes back under its name takes pods.");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_that_is_under_way_when_the_maintenance_of_its_node_is_ended_by_force_does_not_run_on_when_the_node_is_back()
    {
        await using var world = await World.StartAsync("healthy");
        await RolloutTests.BeginAsync(world, new RolloutRequest(["node-1", "node-2"])
        {
            Template = world.Request() with
            {
                Action = MaintenanceAction.Job, ActionOptions = new ActionOptions { Job = EndedByForceTests.NineHours, Timeout = TimeSpan.FromHours(12) },
            },
        });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        await world.Client.TerminateInstanceAsync("r1:node-1", new TerminateInstanceOptions("enough", Recursive: true), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(20));

        (await world.StatusAsync<RolloutStatus>("r1"))!.Nodes.Single(node => node.Node == "node-1").Message.ShouldEndWith("Node node-1 was put back.");
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldBeEmpty();
        await NothingIsLeftAsync(world, "r1");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_is_left_cordoned_when_it_is_ended_by_force_in_its_time_off_has_its_machine_switched_on()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await RolloutTests.BeginAsync(world, new RolloutRequest(["node-1", "node-2"])
        {
            Template = world.Request() with
            {
                Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffFor = TimeSpan.FromHours(9) }, OnFailure = FailurePolicy.KeepCordoned,
            },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(30));
        var wasOn = (await HostAsync(world)).Power!.IsOn;

        await world.Client.TerminateInstanceAsync("r1:node-1", new TerminateInstanceOptions("enough", Recursive: true), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(20));

        var host = await HostAsync(world);
        (wasOn, host.Power!.IsOn, host.Annotations.Keys.Any(static key => key.StartsWith("reboot.metal3.io/", StringComparison.Ordinal))).ShouldBe((false, true, false));
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBeTrue();
        (await world.Neighbours.ListNeighboursAsync(NeighbourKind.NodeHealthCheck, CancellationToken.None))[0].PauseRequests.ShouldHaveSingleItem();
        (await world.StatusAsync<RolloutStatus>("r1"))!.Nodes.Single(node => node.Node == "node-1").Message
            .ShouldEndWith("Node node-1 is still cordoned and marked, and what health checks were paused for it are so still; 'drydock restore node-1' puts it back.");
    }

    private static async Task<NeighbourSnapshot> HostAsync(World world) =>
        (await world.Neighbours.ListNeighboursAsync(NeighbourKind.BareMetalHost, CancellationToken.None)).Single(static host => host.Ref.Name == "node-1");

    /// <summary>A rollout of node-1, which is drained and held, with a machine that was stopped for it.</summary>
    private static async Task BeginHeldAsync(World world, MaintenanceRequest template)
    {
        await RolloutTests.BeginAsync(world, new RolloutRequest(["node-1", "node-2"])
        {
            Template = template with
            {
                Action = MaintenanceAction.Hold, VirtualMachines = template.VirtualMachines with { OnNotMigratable = StuckVmPolicy.ShutDown },
            },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await world.StatusAsync<MaintenanceStatus>("r1:node-1"))!.IsHolding.ShouldBeTrue();
        world.Cluster.Store.List(KubeVirtTypes.VirtualMachines).Count(IsMarked).ShouldBePositive();
    }

    private static bool IsMarked(JsonObject item) => item["metadata"]!["annotations"]?["drydock.dev/held-by"] is not null;

    /// <summary>No node is cordoned or marked, no lease is ours, and of the rollout nothing runs but what may.</summary>
    private static async Task NothingIsLeftAsync(World world, params string[] mayRun)
    {
        world.Cluster.Store.List(ResourceTypes.Nodes).Where(node => node["spec"]!["unschedulable"] is not null || IsMarked(node)).ShouldBeEmpty();
        world.Cluster.Store.List(ResourceTypes.Leases).ShouldAllBe(lease => lease["spec"]!["holderIdentity"] == null || !((string)lease["spec"]!["holderIdentity"]!).StartsWith("drydock/"));
        var running = new List<string>();
        await foreach (var instance in world.Client.GetAllInstancesAsync())
        {
            if (!instance.IsCompleted && !mayRun.Contains(instance.InstanceId))
            {
                running.Add(instance.InstanceId);
            }
        }

        running.ShouldBeEmpty();
    }
}
