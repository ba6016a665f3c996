using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>A drain by force waits for as long again as its time: not less where something is on its way out in a time of its own, or has its turn only then.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ForcedInTimeTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_pod_whose_turn_comes_late_is_deleted_all_the_same()
    {
        await using var world = await World.StartAsync(Machines() with
        {
            Workloads = [Web("slow") with { TerminateAfter = TimeSpan.FromMinutes(30) }, Web("held")],
            Budgets = [new BudgetSpec("shop", "held", "held") { MaxUnavailable = "0" }],
        });

        var report = await world.MaintainAsync(Forced(world) with
        {
            Drain = Forced(world).Drain with { GracePeriod = TimeSpan.FromHours(1), Rules = [new DrainRule(DrainBehavior.Evict) { PodSelector = "app=held", Order = 1 }] },
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(35));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_is_given_longer_to_stop_than_the_drain_has_is_stopped_by_force_and_not_given_up_before()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable", Shutdown = TimeSpan.FromHours(5) }));

        var report = await world.MaintainAsync(Forced(world) with { VirtualMachines = Quick with { StopGracePeriod = TimeSpan.FromMinutes(45) } });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            static vm => vm.Outcome.ShouldBe(VmOutcome.Stopped, vm.Message), static vm => vm.IsRestored.ShouldBeTrue(vm.Message));
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(55), TimeSpan.FromMinutes(65));
    }

    private static WorkloadSpec Web(string name) => new("deployment", "shop", name) { On = ["node-1"] };

    private static MaintenanceRequest Forced(World world) => Request(world) with
    {
        Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(10), OnTimeout = DeadlinePolicy.Force },
    };
}
