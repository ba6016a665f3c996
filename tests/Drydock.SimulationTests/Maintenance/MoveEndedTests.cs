using Drydock.DurableTask.Client;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Somebody ends at the hub what moves one virtual machine: a drain fails by that, and a node at which somebody may be at work is kept.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class MoveEndedTests
{
    private static readonly ObjectRef Late = new("vms", "late");

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task On_a_held_node_it_is_begun_again_and_the_node_stays_held(bool twice)
    {
        await using var world = await World.StartAsync(Machines(Machine("late") with { On = "node-2", NotMigratable = "HostDeviceNotLiveMigratable" }));
        await world.BeginAsync(Request(world) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        RuledMachineTests.Arrive(world, "late");
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        await EndMoveAsync(world, Late);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
        var again = await IsMovingAsync(world, 2);
        if (twice)
        {
            await EndMoveAsync(world, Late, 2);
            await world.RunForAsync(TimeSpan.FromSeconds(30));
            (await IsMovingAsync(world, 3)).ShouldBeFalse("what ends again and again is begun no more often than once a minute");
        }

        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var (isHolding, isCordoned, moves) = ((await world.StatusAsync<MaintenanceStatus>())!.IsHolding, IsCordoned(world), await IsMovingAsync(world, twice ? 3 : 2));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        (again, isHolding, isCordoned, moves).ShouldBe((true, true, true, true));
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.Count(static finding => finding.Kind == "move-unkept").ShouldBe(twice ? 2 : 1);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.StillThere);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task In_the_pause_before_it_is_begun_again_a_cancel_is_heard_and_the_machine_is_in_the_report()
    {
        await using var world = await World.StartAsync(Machines(Machine("late") with { On = "node-2", NotMigratable = "HostDeviceNotLiveMigratable" }));
        await world.BeginAsync(Request(world) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        RuledMachineTests.Arrive(world, "late");
        await world.RunForAsync(TimeSpan.FromSeconds(10));
        await EndMoveAsync(world, Late);
        await world.RunForAsync(TimeSpan.FromSeconds(1));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, true), report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Message.ShouldStartWith("What moved it ended before its time: ");
        (await LeftRunningTests.RunningAsync(world)).ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task In_the_drain_it_fails_the_maintenance_in_words_and_the_machine_is_in_the_report()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }));
        await world.BeginAsync(Request(world));
        await world.RunForAsync(TimeSpan.FromMinutes(2));

        await EndMoveAsync(world, new ObjectRef("vms", "one"));
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored, IsCordoned(world)).ShouldBe((MaintenanceOutcome.Failed, true, false), report.Message);
        report.Message.ShouldStartWith("Virtual machine vms/one: What moved it ended before its time: ");
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.StillThere);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task While_people_work_on_the_machine_of_the_node_it_is_not_switched_on()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware with
        {
            EvictionStrategy = "LiveMigrate", VirtualMachines = [Machine("late") with { On = "node-2", NotMigratable = "HostDeviceNotLiveMigratable" }],
        });
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffUntilComplete = true } });
        await world.RunForAsync(TimeSpan.FromMinutes(30));
        RuledMachineTests.Arrive(world, "late");
        await world.RunForAsync(TimeSpan.FromMinutes(2));

        await EndMoveAsync(world, Late);
        await world.RunForAsync(TimeSpan.FromMinutes(30));

        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();
        (await world.Neighbours.ListNeighboursAsync(NeighbourKind.BareMetalHost, CancellationToken.None)).Single(static host => host.Ref.Name == "node-1").Power!.IsOn.ShouldBeFalse();
        (await IsMovingAsync(world, 2)).ShouldBeTrue();
    }

    private static async Task EndMoveAsync(World world, ObjectRef vm, int life = 1)
    {
        (await world.Client.GetInstanceAsync(InstanceIds.Vm("m1", vm, life), CancellationToken.None)).ShouldNotBeNull().IsCompleted.ShouldBeFalse();
        await world.Client.TerminateInstanceAsync(InstanceIds.Vm("m1", vm, life), new TerminateInstanceOptions("enough", Recursive: false), CancellationToken.None);
    }

    private static async Task<bool> IsMovingAsync(World world, int life) =>
        await world.Client.GetInstanceAsync(InstanceIds.Vm("m1", Late, life), CancellationToken.None) is { IsCompleted: false };

    private static bool IsCordoned(World world) => (bool?)world.Cluster.Store.Get(ResourceTypes.Nodes, null, "node-1")!["spec"]!["unschedulable"] == true;
}
