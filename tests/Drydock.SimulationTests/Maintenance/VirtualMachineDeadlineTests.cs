using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Deadlines of the ladder that only time, and nothing else, brings about; and what is done for a machine while the lease is not ours.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineDeadlineTests
{
    private const string Stop = "stop";

    [Fact(Timeout = World.Timeout)]
    public async Task A_migration_that_stays_Pending_although_a_slot_is_free_is_aborted_at_its_deadline_and_counted()
    {
        // KubeVirt begins the second one after a pause of 20 s.
        await using var world = await World.StartAsync(Machines(Machine("one") with { FailingMigrations = 1 }));

        var report = await world.MaintainAsync(Request(world, Quick with { PendingTimeout = TimeSpan.FromSeconds(10), OnStuck = StuckVmPolicy.Skip }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            vm => (vm.Outcome, vm.Attempts).ShouldBe((VmOutcome.Skipped, 2)),
            vm => vm.Message.ShouldContain("Its migration is Pending for 10s although a slot is free"));
        Vmi(world, "one")!["status"]!["nodeName"]!.ToString().ShouldBe("node-1");
        Migrations(world, "one").ShouldAllBe(migration => IsOver(migration));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(10, 5, 605)]
    [InlineData(1, 3, 180)]
    [InlineData(null, 3, 180)]
    public async Task A_stop_is_forced_when_its_grace_period_and_its_time_have_passed_and_then_somebody_is_told(int? grace, int timeout, int seconds)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable", RunStrategy = "RerunOnFailure" }) with
        {
            Faults = [new FaultSpec("kubeletNeverTerminates", "node-1") { For = TimeSpan.FromHours(1) }],
        });
        var request = Request(world, Quick with
        {
            OnNotMigratable = StuckVmPolicy.ShutDown, StopTimeout = TimeSpan.FromMinutes(timeout), StopGracePeriod = grace is { } minutes ? TimeSpan.FromMinutes(minutes) : null,
        });
        await world.BeginAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromHours(3) } });
        await world.RunForAsync(TimeSpan.FromMinutes(25));
        var stops = world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", Stop).ToList();
        var vm = await VmAsync(world, "one");
        var report = await world.EndAsync();

        stops.Count.ShouldBe(2);
        (stops[1].Time - stops[0].Time).ShouldBe(TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(2));
        (vm.Progress, vm.Blocker?.Kind).ShouldBe((VmProgress.Blocked, "vm-does-not-stop"), vm.Message);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().IsRestored.ShouldBeTrue();
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", Stop).Count.ShouldBe(2);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_abort_that_a_cancel_asks_for_and_that_hangs_is_waited_for_two_minutes_and_told()
    {
        await using var world = await World.StartAsync(Machines(Machine("one")));
        Annotate(world, "one", "fake-virt-handler/target-never-ready", "true");
        await world.BeginAsync(Request(world, Quick with { RunningTimeout = TimeSpan.FromHours(1) }));
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        Migrations(world, "one").ShouldContain(migration => !IsOver(migration));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", null, CancelledMigrations.Abort), CancellationToken.None);
        var said = world.Time.GetUtcNow();
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Cancelled);
        (world.Time.GetUtcNow() - said).ShouldBeInRange(TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(2.5));
        var vm = report.VirtualMachines.ShouldHaveSingleItem();
        vm.Outcome.ShouldBe(VmOutcome.StillThere);
        vm.Message.ShouldStartWith("Its migration kubevirt-evacuation-");
        vm.Message.ShouldContain(" was to be aborted and has not ended within 2m: look at virt-handler on node-1");
        Vmi(world, "one")!["status"]!["evacuationNodeName"].ShouldBeNull();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Nothing_is_done_for_a_machine_while_the_lease_is_not_ours_and_its_move_goes_on_when_it_is()
    {
        await using var world = await World.StartAsync(NoRoom());
        await world.BeginAsync(Request(world, Quick with { MaxAttempts = 1, OnStuck = StuckVmPolicy.Skip }));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => (string?)migration["status"]?["phase"] == "Scheduling"));
        LeaseTests.Take(world, "drydock/other/m9");
        await world.RunForAsync(TimeSpan.FromMinutes(4));
        var vm = await VmAsync(world, "one");
        var meanwhile = Calls(world);
        LeaseTests.Take(world, "drydock/hub/m1");
        var report = await world.EndAsync();

        meanwhile.ShouldBe((0, 0), "it has been in Scheduling for longer than it may");
        (vm.Progress, vm.Blocker?.Kind, vm.Blocker?.Object).ShouldBe((VmProgress.Blocked, "lease-lost", "lease/medik8s-leases/node-node-1"), vm.Message);
        Calls(world).ShouldBe((1, 1));
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.Skipped);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_restore_of_many_machines_that_waits_for_its_lease_has_a_short_history()
    {
        await using var world = await World.StartAsync(Machines([.. Enumerable.Range(1, 20).Select(n =>
            Machine($"vm-{n}") with { NotMigratable = "HostDeviceNotLiveMigratable", Memory = "256Mi" })]));
        await world.BeginAsync(Request(world, Quick with { OnNotMigratable = StuckVmPolicy.ShutDown }) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();
        var isTaken = false;
        world.Api.Intercept = request =>
        {
            // The machines are restored after the node.
            if (!isTaken && request is { Verb: "list", Resource: "virtualmachines.kubevirt.io", IsDone: true } && !IsCordoned(world))
            {
                isTaken = true;
                LeaseTests.Take(world, "drydock/other/m9");
            }

            return Task.CompletedTask;
        };

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        await world.RunUntilAsync(() => isTaken);
        await world.RunForAsync(TimeSpan.FromMinutes(8));
        var events = await world.HistoryEventsAsync(InstanceIds.Restore("m1"));
        LeaseTests.Take(world, "drydock/hub/m1");
        var report = await world.EndAsync();

        events.ShouldBeLessThan(400);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.Count(vm => vm.IsRestored).ShouldBe(20);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("Always")]
    [InlineData("Manual")]
    public async Task One_whose_guest_shuts_down_at_the_deadline_is_told_as_that_and_not_as_still_there(string runStrategy)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { EvictionStrategy = "None", RunStrategy = runStrategy, Shutdown = TimeSpan.FromHours(1) }));
        if (runStrategy == "Manual")
        {
            await world.Kubernetes.CallVmAsync(new("vms", "one"), VmCall.Start, null, CancellationToken.None);
            await world.RunUntilAsync(() => Vmi(world, "one")?.InstancePhase() == "Running");
        }

        Change(world, "one", vmi => vmi["spec"]!["terminationGracePeriodSeconds"] = 7200);

        var report = await world.MaintainAsync(Request(world, Quick) with { Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(3) } });

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            static vm => vm.Outcome.ShouldBe(VmOutcome.NotRunningAgain),
            static vm => vm.Message.ShouldBe("It was shut down and was not Running elsewhere yet when the maintenance ended (its guest still shuts down)."));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(DeadlinePolicy.Wait, 0)]
    [InlineData(DeadlinePolicy.Fail, 10)]
    public async Task A_blocker_names_the_deadline_that_decides_and_none_where_that_has_passed(DeadlinePolicy onTimeout, int minutes)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }));
        var drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(onTimeout == DeadlinePolicy.Wait ? 2 : 10), OnTimeout = onTimeout };
        await world.BeginAsync(Request(world, Quick) with { Drain = drain });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        var blocker = (await VmAsync(world, "one")).Blocker.ShouldNotBeNull();

        (blocker.Kind, blocker.NextTry).ShouldBe(("vm-not-migratable", null));
        blocker.Deadline.ShouldBe(minutes == 0 ? null : World.Start + TimeSpan.FromMinutes(minutes));
    }

    private static bool IsCordoned(World world) => (bool?)world.Cluster.Store.Get(ResourceTypes.Nodes, null, "node-1")!["spec"]!["unschedulable"] == true;

    private static (int Withdrawn, int Deleted) Calls(World world) => (
        world.Api.RequestLog.Of("update", "virtualmachineinstances.subresources.kubevirt.io", "evacuate/cancel").Count
            + world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "evacuate/cancel").Count,
        world.Api.RequestLog.Of("delete", "virtualmachineinstancemigrations.kubevirt.io").Count);
}
