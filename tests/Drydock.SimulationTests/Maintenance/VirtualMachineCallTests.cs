using System.Text.Json.Nodes;
using Drydock.DurableTask;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.VirtualMachines;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>One machine started, stopped, restarted or migrated by a durable call: once, wherever the process dies.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineCallTests
{
    private static readonly ObjectRef One = new("vms", "one");

    [Theory(Timeout = World.Timeout)]
    [InlineData(VmCall.Start, false)]
    [InlineData(VmCall.Start, true)]
    [InlineData(VmCall.Restart, false)]
    [InlineData(VmCall.Restart, true)]
    [InlineData(VmCall.Stop, false)]
    [InlineData(VmCall.Stop, true)]
    [InlineData(VmCall.Migrate, false)]
    [InlineData(VmCall.Migrate, true)]
    public async Task A_call_is_made_once_wherever_the_process_dies(VmCall call, bool after)
    {
        await using var world = await StartAsync();
        if (call == VmCall.Start)
        {
            (await world.Kubernetes.CallVmAsync(One, VmCall.Stop, null, CancellationToken.None)).IsAccepted.ShouldBeTrue();
            await world.RunUntilAsync(() => Uid(world) is null);
        }

        var uid = Uid(world);
        var crash = RequestCrash.Arm(world, request => request.Resource == "virtualmachines.subresources.kubevirt.io", 1, after);

        var report = await CallAsync(world, call);
        await world.RunForAsync(TimeSpan.FromSeconds(20));

        crash.At.ShouldNotBeNull();
        report.End.ShouldBe(VmCallEnd.Done, report.Message);
        crash.Count($"update virtualmachines.subresources.kubevirt.io/{call.ToString().ToLowerInvariant()}").ShouldBe(1);
        (Uid(world) is null, Uid(world) == uid).ShouldBe(call switch
        {
            VmCall.Stop => (true, false),
            VmCall.Start or VmCall.Restart => (false, false),
            _ => (false, true),
        });
        world.Cluster.Store.List(KubeVirtTypes.Migrations).Count.ShouldBe(call == VmCall.Migrate ? 1 : 0);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_a_maintenance_stopped_is_not_started_from_under_it()
    {
        await using var world = await StartAsync("HostDeviceNotLiveMigratable");
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.Hold,
            VirtualMachines = new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown },
        });
        await world.RunForAsync(TimeSpan.FromSeconds(20));

        var report = await CallAsync(world, VmCall.Start);

        (report.End, report.Message.Contains("was stopped by maintenance m1")).ShouldBe((VmCallEnd.Refused, true), report.Message);
        report.Message.ShouldEndWith("; if it is over: drydock restore node-1");
        Uid(world).ShouldBeNull();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(VmCall.Migrate, VmCallEnd.Done, "is being migrated")]
    [InlineData(VmCall.Stop, VmCallEnd.Refused, "is about to be shut down by maintenance m1, which empties node node-1")]
    public async Task A_machine_that_waits_for_its_eviction_may_be_migrated_out_of_the_way(VmCall call, VmCallEnd end, string message)
    {
        await using var world = await World.StartAsync(new Scenario
        {
            Name = "machine",
            Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2")],
            VirtualMachines = [new VirtualMachineSpec("vms", "one") { On = "node-1", EvictionStrategy = "None", RunStrategy = "RerunOnFailure" }],
            Maintain = "node-1",
        });
        world.Cluster.Store.Create(ResourceTypes.PodDisruptionBudgets, new JsonObject
        {
            ["apiVersion"] = "policy/v1",
            ["kind"] = "PodDisruptionBudget",
            ["metadata"] = new JsonObject { ["namespace"] = "vms", ["name"] = "all" },
            ["spec"] = new JsonObject
            {
                ["minAvailable"] = 1,
                ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["kubevirt.io"] = "virt-launcher" } },
            },
        });
        await world.RunForAsync(TimeSpan.FromSeconds(5));
        await world.BeginAsync(world.Request());
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var uid = Uid(world);

        var report = await CallAsync(world, call);
        await world.RunForAsync(TimeSpan.FromMinutes(2));

        (report.End, report.Message.Contains(message, StringComparison.Ordinal)).ShouldBe((end, true), report.Message);
        Uid(world).ShouldBe(uid);
        if (end == VmCallEnd.Done)
        {
            var done = await world.EndAsync();
            done.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.Migrated, done.Message);
            world.Cluster.Store.Get(KubeVirtTypes.VirtualMachines, "vms", "one")!["metadata"]!["annotations"]?["drydock.dev/held-by"].ShouldBeNull();
        }
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("node-2", null, VmCallEnd.Done, "Virtual machine vms/one is being migrated to node-2 without a stop.")]
    [InlineData("node-2", "v1.5.3", VmCallEnd.Refused, "This KubeVirt cannot be told where to migrate it (before 1.6)")]
    [InlineData("node-1", null, VmCallEnd.Refused, "It runs on node node-1 already.")]
    [InlineData("node-3", null, VmCallEnd.Refused, "Node node-3 is cordoned and takes no migration.")]
    [InlineData("node-9", null, VmCallEnd.Refused, "There is no node named node-9.")]
    public async Task A_migration_to_a_node_goes_there_or_is_refused_with_the_reason(string to, string? version, VmCallEnd end, string message)
    {
        await using var world = await StartAsync();
        if (version is not null)
        {
            VirtualMachineWorld.SetVersion(world, version);
        }

        world.Cluster.Store.Update(Drydock.Simulator.Store.ResourceTypes.Nodes, null, "node-3", static node =>
        {
            node["spec"]!["unschedulable"] = true;
            return true;
        });

        var report = await CallAsync(world, VmCall.Migrate, to);
        await world.RunForAsync(TimeSpan.FromSeconds(20));

        (report.End, report.Message.Contains(message, StringComparison.Ordinal)).ShouldBe((end, true), report.Message);
        world.Cluster.Store.Get(KubeVirtTypes.Instances, "vms", "one")!["status"]!["nodeName"]!.ToString().ShouldBe(end == VmCallEnd.Done ? to : "node-1");
    }

    private static Task<World> StartAsync(string? notMigratable = null) => World.StartAsync(new Scenario
    {
        Name = "machine",
        EvictionStrategy = "LiveMigrate",
        Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2"), new NodeSpec("node-3")],
        VirtualMachines = [new VirtualMachineSpec("vms", "one") { On = "node-1", NotMigratable = notMigratable }],
        Maintain = "node-1",
    });

    private static string? Uid(World world) => world.Cluster.Store.Get(KubeVirtTypes.Instances, "vms", "one")?["metadata"]!["uid"]!.ToString();

    private static async Task<VmCallReport> CallAsync(World world, VmCall call, string? to = null)
    {
        await world.Client.ScheduleNewOrchestrationInstanceAsync(
            Orchestrations.CallVm, new VmCallRequest(One, call) { ToNode = to }, new StartOrchestrationOptions("call"), CancellationToken.None);
        while (true)
        {
            using var life = new CancellationTokenSource();
            var end = world.Client.WaitForInstanceCompletionAsync("call", getInputsAndOutputs: true, life.Token);
            await world.RunUntilAsync(() => world.IsDead || end.IsCompleted);
            if (!world.IsDead)
            {
                return (await end).ReadOutputAs<VmCallReport>()!;
            }

            await life.CancelAsync();
            await world.CrashAsync();
        }
    }
}
