using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// What the plan says of a virtual machine is what then happens, seen from the cluster: every strategy of the machine, whether it can migrate
/// or not, every default of the cluster, with and without a change of both after the machine was started.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed partial class PlanMatrixTests
{
    private static readonly string?[] Strategies = ["LiveMigrate", "LiveMigrateIfPossible", "None", "External", null];

    private static readonly bool[] Migratable = [true, false];

    /// <summary>What somebody changes after the machines were started.</summary>
    public enum Change
    {
        Nothing,

        /// <summary>The template of each machine; one that said nothing says something now.</summary>
        Templates,

        /// <summary>The default of the cluster.</summary>
        Cluster,
    }

    /// <summary>One world for each value of the axes that a cluster has once; the machines in it are all values of the others.</summary>
    public static TheoryData<string?, Change> Worlds()
    {
        var worlds = new TheoryData<string?, Change>();
        foreach (var (strategy, change) in from strategy in Strategies from change in Enum.GetValues<Change>() select (strategy, change))
        {
            worlds.Add(strategy, change);
        }

        return worlds;
    }

    [Fact]
    public void Every_cell_of_the_matrix_is_a_machine_in_a_world()
    {
        var cells = from world in Worlds().Select(row => row.Data)
                    from machine in SceneOf(world.Item1).VirtualMachines
                    select (Own: machine.EvictionStrategy, Moves: machine.NotMigratable is null, OfCluster: world.Item1, Changed: world.Item2);
        var wanted = from own in Strategies
                     from moves in Migratable
                     from ofCluster in Strategies
                     from changed in Enum.GetValues<Change>()
                     select (Own: own, Moves: moves, OfCluster: ofCluster, Changed: changed);

        cells.ShouldBe(wanted, ignoreOrder: true);
        cells.Count().ShouldBe(5 * 2 * 5 * 3);
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Worlds))]
    public async Task What_the_plan_says_is_what_then_happens(string? ofCluster, Change change)
    {
        await using var world = await World.StartAsync(SceneOf(ofCluster));
        await world.RunForAsync(TimeSpan.FromSeconds(5));
        Apply(world, change, ofCluster);

        var before = await InstancesAsync(world);
        var request = world.Request() with
        {
            Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(2), OnTimeout = DeadlinePolicy.Fail },
        };
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        plan.CanStart.ShouldBeTrue();
        plan.VirtualMachines.Select(vm => vm.Vmi.Name).ShouldBe(world.Scenario.VirtualMachines.Select(machine => machine.Name), ignoreOrder: true);

        var report = await world.MaintainAsync(request);
        await world.RunForAsync(TimeSpan.FromSeconds(10));

        var after = await InstancesAsync(world);
        foreach (var forecast in plan.VirtualMachines)
        {
            Happened(before[forecast.Vmi.Name], after[forecast.Vmi.Name]).ShouldBe(Means(forecast.Fate), $"{forecast} {report.VirtualMachines.Single(vm => vm.Vmi == forecast.Vmi)}");
            forecast.Reason.Contains("applies after a restart").ShouldBe(IsAnother(forecast.Vmi.Name, change), forecast.ToString());
        }
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(StuckVmPolicy.Wait)]
    [InlineData(StuckVmPolicy.ShutDown)]
    [InlineData(StuckVmPolicy.Fail)]
    public async Task What_the_plan_says_of_force_is_what_then_happens(StuckVmPolicy policy)
    {
        await using var world = await World.StartAsync(SceneOf("LiveMigrate"));
        await world.RunForAsync(TimeSpan.FromSeconds(5));
        var request = world.Request() with
        {
            Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(2), OnTimeout = DeadlinePolicy.Force },
            VirtualMachines = new VirtualMachinePolicy { OnNotMigratable = policy },
        };
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        var before = await InstancesAsync(world);

        var report = await world.MaintainAsync(request);
        await world.RunForAsync(TimeSpan.FromSeconds(30));

        var after = await InstancesAsync(world);
        report.Outcome.ShouldBe(policy == StuckVmPolicy.Fail ? MaintenanceOutcome.Failed : MaintenanceOutcome.Completed, report.Message);
        foreach (var forecast in plan.VirtualMachines.Where(vm => vm is { IsLiveMigratable: false, EvictionStrategy: "LiveMigrate" }))
        {
            var outcome = report.VirtualMachines.Single(vm => vm.Vmi == forecast.Vmi).Outcome;
            (forecast.Fate, outcome, after[forecast.Vmi.Name]!.Uid == before[forecast.Vmi.Name]!.Uid).ShouldBe(
                policy == StuckVmPolicy.Fail ? (VmFate.Blocks, VmOutcome.StillThere, true) : (VmFate.StoppedAndRestored, VmOutcome.Stopped, false), forecast.ToString());
        }
    }

    /// <summary>Instances of nobody, of a replica set and of a pool: <see cref="VirtualMachineOwnersTests"/>.</summary>
    [Theory(Timeout = World.Timeout)]
    [InlineData("LiveMigrate", true, VmFate.Migrates, VmFate.Migrates)]
    [InlineData("LiveMigrate", false, VmFate.Blocks, VmFate.Blocks)]
    [InlineData("LiveMigrateIfPossible", false, VmFate.RestartsElsewhere, VmFate.StaysDown)]
    [InlineData("None", true, VmFate.RestartsElsewhere, VmFate.StaysDown)]
    public async Task What_the_plan_says_by_run_strategy_is_what_then_happens(string eviction, bool moves, VmFate ofThoseThatComeBack, VmFate ofTheOthers)
    {
        string[] strategies = ["Always", "RerunOnFailure", "Manual", "Once", "Halted", "WaitAsReceiver", "Both"];
        var scene = SceneOf(eviction);
        await using var world = await World.StartAsync(scene with
        {
            VirtualMachines =
            [
                .. strategies.Select(strategy => scene.VirtualMachines[0] with
                {
                    // One that is started by hand was started before it came to that; so was one that waits to be received.
                    Name = strategy.ToLowerInvariant(), RunStrategy = strategy is "Manual" or "WaitAsReceiver" or "Both" ? "Always" : strategy, EvictionStrategy = null,
                    NotMigratable = moves ? null : "HostDeviceNotLiveMigratable",
                }),
            ],
        });
        foreach (var (name, key, value) in (IEnumerable<(string, string, JsonNode)>)[("manual", "runStrategy", "Manual"), ("waitasreceiver", "runStrategy", "WaitAsReceiver"), ("both", "running", true)])
        {
            world.Cluster.Store.Update(KubeVirtTypes.VirtualMachines, "vms", name, vm =>
            {
                vm["spec"]![key] = value;
                return true;
            });
        }

        await world.RunForAsync(TimeSpan.FromSeconds(5));
        var before = await InstancesAsync(world);
        var request = world.Request() with { Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(2), OnTimeout = DeadlinePolicy.Fail } };

        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        await world.MaintainAsync(request);
        await world.RunForAsync(TimeSpan.FromSeconds(30));

        var after = await InstancesAsync(world);
        plan.VirtualMachines.Select(vm => (vm.Vmi.Name, vm.Fate)).ShouldBe(
            [
                ("always", ofThoseThatComeBack), ("rerunonfailure", ofThoseThatComeBack), ("both", ofThoseThatComeBack),
                ("manual", ofTheOthers), ("once", ofTheOthers), ("waitasreceiver", ofTheOthers),
            ],
            ignoreOrder: true);
        plan.VirtualMachines.Select(vm => (vm.Vmi.Name, Happened(before[vm.Vmi.Name], after[vm.Vmi.Name]))).ShouldBe(plan.VirtualMachines.Select(vm => (vm.Vmi.Name, Means(vm.Fate))));
        (before["halted"], after["halted"]).ShouldBe((null, null), "there is nothing of it on the node");
    }

    private static Scenario SceneOf(string? ofCluster) => new()
    {
        Name = "matrix",
        EvictionStrategy = ofCluster,
        Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
        VirtualMachines =
        [
            .. from own in Strategies
               from migratable in Migratable
               select new VirtualMachineSpec("vms", $"{(own ?? "unset").ToLowerInvariant()}-{(migratable ? "moves" : "fixed")}")
               {
                   On = "node-1",
                   EvictionStrategy = own,
                   NotMigratable = migratable ? null : "HostDeviceNotLiveMigratable",
                   Copy = TimeSpan.FromSeconds(1),
               },
        ],
        Maintain = "node-1",
    };

    /// <summary>A machine that says something itself does not care what the cluster says.</summary>
    private static bool IsAnother(string machine, Change change) =>
        change == Change.Templates || (change == Change.Cluster && machine.StartsWith("unset-", StringComparison.Ordinal));

    private static void Apply(World world, Change change, string? ofCluster)
    {
        var store = world.Cluster.Store;
        foreach (var kubeVirt in change == Change.Cluster ? store.List(KubeVirtTypes.KubeVirts, null) : [])
        {
            store.Update(KubeVirtTypes.KubeVirts, (string?)kubeVirt["metadata"]!["namespace"], (string)kubeVirt["metadata"]!["name"]!, found =>
            {
                found["spec"]!["configuration"]!["evictionStrategy"] = Other(ofCluster);
                return true;
            });
        }

        foreach (var machine in change == Change.Templates ? store.List(KubeVirtTypes.VirtualMachines, "vms") : [])
        {
            store.Update(KubeVirtTypes.VirtualMachines, "vms", (string)machine["metadata"]!["name"]!, found =>
            {
                var spec = found["spec"]!["template"]!["spec"]!;
                spec["evictionStrategy"] = Other((string?)spec["evictionStrategy"] ?? ofCluster);
                return true;
            });
        }
    }

    private static string Other(string? strategy) => strategy == "LiveMigrateIfPossible" ? "LiveMigrate" : "LiveMigrateIfPossible";

    private static async Task<Dictionary<string, VmiSnapshot?>> InstancesAsync(World world)
    {
        var instances = new Dictionary<string, VmiSnapshot?>(StringComparer.Ordinal);
        foreach (var machine in world.Scenario.VirtualMachines)
        {
            instances[machine.Name] = await world.Kubernetes.GetVmiAsync(new ObjectRef("vms", machine.Name), CancellationToken.None);
        }

        return instances;
    }

    private static string Happened(VmiSnapshot? before, VmiSnapshot? after) => (after?.Uid == before?.Uid, after?.Node == before?.Node) switch
    {
        _ when after is null or { Phase: "Succeeded" or "Failed" or "WaitingForSync" } => "down",
        (true, true) => "stays",
        (true, false) => "migrated",
        (false, _) => after?.Node == "node-1" ? "restarted on the same node" : "restarted elsewhere",
    };

    private static string Means(VmFate fate) => fate switch
    {
        VmFate.Migrates => "migrated",
        VmFate.RestartsElsewhere => "restarted elsewhere",
        VmFate.StaysDown => "down",
        VmFate.Blocks or VmFate.WaitsForExternal => "stays",
        _ => fate.ToString(),
    };
}
