using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// A KubeVirt before 1.9, as most clusters have: it makes no more migrations than may run at once, so that a machine that waits its turn is
/// marked and has none.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class EarlierKubeVirtTests
{
    private const int Count = 12;

    [Theory(Timeout = World.Timeout)]
    [InlineData("v1.8.0", false)]
    [InlineData("v1.8.0", true)]
    [InlineData("v1.5.0", true)]
    public async Task Twelve_machines_wait_their_turn_without_a_migration_and_each_migrates_once(string version, bool dies)
    {
        await using var world = await StartAsync(version, [.. Enumerable.Range(1, Count).Select(number => Machine($"vm-{number}") with { Copy = TimeSpan.FromSeconds(8) })]);
        await world.BeginAsync(Request(world, Quick));
        await world.RunUntilAsync(() => Made(world).Exists(static migration => (string?)migration["status"]?["phase"] == "Succeeded"));
        var queued = 0;
        foreach (var number in Enumerable.Range(1, Count).Where(number => Migrations(world, $"vm-{number}").Count == 0))
        {
            var vm = await VmAsync(world, $"vm-{number}");
            (vm.Attempts, vm.Blocker).ShouldBe((0, null), vm.Message);
            queued += vm.Progress == VmProgress.Queued ? 1 : 0;
        }

        if (dies)
        {
            await world.KillAsync();
            await world.CrashAsync(away: TimeSpan.FromSeconds(30));
        }

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        queued.ShouldBeGreaterThan(Count / 2);
        Made(world).Count.ShouldBe(Count, "each migrates once");
        report.VirtualMachines.ShouldAllBe(static vm => vm.Outcome == VmOutcome.Migrated && vm.Attempts == 1);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_cancel_lets_those_go_that_were_marked_and_had_no_migration_and_none_leaves_later()
    {
        await using var world = await StartAsync("v1.8.0", [.. Enumerable.Range(1, 6).Select(number => Machine($"vm-{number}") with { Copy = TimeSpan.FromSeconds(8) })]);
        await world.BeginAsync(Request(world, Quick));
        await world.RunUntilAsync(() => Made(world).Count == 2 && world.Cluster.Store.List(KubeVirtTypes.Instances).All(static vmi => vmi["status"]!["evacuationNodeName"] is not null));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        var report = await world.EndAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(10));

        report.Outcome.ShouldBe(MaintenanceOutcome.Cancelled, report.Message);
        report.LeftBehind.ShouldBeEmpty();
        (Made(world).Count <= 2, Made(world).TrueForAll(IsOver)).ShouldBe((true, true));
        world.Cluster.Store.List(KubeVirtTypes.Instances).ShouldAllBe(static vmi => vmi["status"]!["evacuationNodeName"] == null);
        world.Cluster.Store.List(KubeVirtTypes.Instances).Count(static vmi => vmi["status"]!["nodeName"]!.ToString() == "node-1").ShouldBeGreaterThanOrEqualTo(4);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_whose_copy_does_not_end_is_given_up_and_the_others_are_not_counted_as_stuck_meanwhile()
    {
        await using var world = await StartAsync("v1.8.0", Machine("hangs"), Machine("one"), Machine("two"));
        LimitPerNode(world, 1);
        Annotate(world, "hangs", "fake-virt-handler/copy-never-ends", "true");

        var report = await world.MaintainAsync(Request(world, Quick with { PendingTimeout = TimeSpan.FromSeconds(20), OnStuck = StuckVmPolicy.Skip }));

        var outcomes = report.VirtualMachines.ToDictionary(static vm => vm.Vmi.Name, static vm => (vm.Outcome, vm.Attempts));
        outcomes["hangs"].ShouldBe((VmOutcome.Skipped, 2));
        outcomes["one"].ShouldBe((VmOutcome.Migrated, 1));
        outcomes["two"].ShouldBe((VmOutcome.Migrated, 1));
        Vmi(world, "hangs")!["status"]!["evacuationNodeName"].ShouldBeNull();
    }

    private static async Task<World> StartAsync(string version, params VirtualMachineSpec[] machines)
    {
        var world = await World.StartAsync(Machines(machines));
        SetVersion(world, version);
        return world;
    }

    private static List<JsonObject> Made(World world) => [.. world.Cluster.Store.List(KubeVirtTypes.Migrations)];
}
