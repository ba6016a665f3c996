using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>How machines leave, or stay, when their way ends otherwise than by a migration: stops, cancels, external actors, deadlines.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineEndTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_KubeVirt_without_evacuate_cancel_is_told_and_the_ladder_goes_on()
    {
        await using var world = await World.StartAsync(NoRoom());
        SetVersion(world, "v1.5.0");
        await world.BeginAsync(Request(world, Quick with { MaxAttempts = 1 }));
        await world.RunForAsync(TimeSpan.FromSeconds(70));

        Migrations(world, "one").ShouldContain(migration => (string?)migration["status"]!["phase"] != "Failed", "KubeVirt made another by itself");
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        (await VmAsync(world, "one")).Message.ShouldContain("no evacuate/cancel (before 1.7)");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_guest_that_does_not_shut_down_is_stopped_by_force_at_the_deadline()
    {
        await using var world = await World.StartAsync(Machines(
            Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable", Shutdown = TimeSpan.FromHours(5), RunStrategy = "RerunOnFailure" }));
        Change(world, "one", vmi => vmi["spec"]!["terminationGracePeriodSeconds"] = 7200);
        var request = Request(world, Quick with { OnNotMigratable = StuckVmPolicy.ShutDown, StopTimeout = TimeSpan.FromMinutes(3) });
        request = request with { Drain = request.Drain with { Timeout = TimeSpan.FromHours(1) } };

        var report = await world.MaintainAsync(request);

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.Single().ShouldSatisfyAllConditions(vm => vm.Outcome.ShouldBe(VmOutcome.Stopped), vm => vm.IsRestored.ShouldBeTrue());
        var drain = report.Steps.Single(step => step.Step == MaintenanceStep.Drain);
        (drain.To - drain.From).ShouldBeInRange(TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(3.2));
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "stop").Count.ShouldBe(2);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(CancelledMigrations.Finish, null, false)]
    [InlineData(CancelledMigrations.Abort, null, true)]
    [InlineData(CancelledMigrations.Abort, CancelledMigrations.Finish, false)]
    [InlineData(CancelledMigrations.Finish, CancelledMigrations.Abort, true)]
    public async Task A_migration_that_runs_when_it_is_cancelled_finishes_or_is_aborted_as_asked_also_by_a_process_that_died(
        CancelledMigrations ofRequest, CancelledMigrations? ofCancel, bool isAborted)
    {
        await using var world = await World.StartAsync(Machines(Machine("one")));
        Annotate(world, "one", "fake-virt-handler/copy-never-ends", "true");
        await world.BeginAsync(Request(world, Quick with { RunningTimeout = TimeSpan.FromHours(1), OnCancel = ofRequest }));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => (string?)migration["status"]?["phase"] == "Running"));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", null, ofCancel), CancellationToken.None);
        await world.CrashAsync();

        var report = await world.EndAsync();
        Annotate(world, "one", "fake-virt-handler/copy-never-ends", "false");
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        report.Outcome.ShouldBe(MaintenanceOutcome.Cancelled);
        report.IsRestored.ShouldBeTrue();
        var vm = report.VirtualMachines.Single();
        vm.Outcome.ShouldBe(VmOutcome.StillThere);
        var node = Vmi(world, "one")!["status"]!["nodeName"]!.ToString();
        if (isAborted)
        {
            vm.Message.ShouldBe("Its migration was aborted, as the cancel asked: it runs where it was.");
            node.ShouldBe("node-1");
            Migrations(world, "one").ShouldBeEmpty("what was aborted is deleted, and none is made after the cancel");
        }
        else
        {
            vm.Message.ShouldStartWith("The maintenance ended before it left; its migration to node-");
            vm.Message.ShouldEndWith(" is left to finish.");
            node.ShouldNotBe("node-1");
            ((string?)Migrations(world, "one").ShouldHaveSingleItem()["status"]!["phase"]).ShouldBe("Succeeded");
        }
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_is_skipped_stays_and_the_maintenance_goes_on_without_it()
    {
        await using var world = await World.StartAsync(Machines(Machine("fixed") with { NotMigratable = "HostDeviceNotLiveMigratable" }, Machine("two")));
        var uid = Vmi(world, "fixed")!["metadata"]!["uid"]!.ToString();

        var report = await world.MaintainAsync(Request(world, Quick with
        {
            Overrides = [new("vms/fixed") { OnNotMigratable = StuckVmPolicy.Skip }],
        }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.Select(vm => (vm.Vmi.Name, vm.Outcome)).ShouldBe([("fixed", VmOutcome.Skipped), ("two", VmOutcome.Migrated)], ignoreOrder: true);
        Vmi(world, "fixed")!["metadata"]!["uid"]!.ToString().ShouldBe(uid);
        Vmi(world, "fixed")!["status"]!["nodeName"]!.ToString().ShouldBe("node-1");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(StuckVmPolicy.Fail, MaintenanceOutcome.Failed, VmOutcome.StillThere)]
    [InlineData(StuckVmPolicy.Skip, MaintenanceOutcome.Completed, VmOutcome.Skipped)]
    [InlineData(StuckVmPolicy.ShutDown, MaintenanceOutcome.Completed, VmOutcome.Stopped)]
    public async Task An_external_actor_that_does_nothing_has_a_deadline_and_the_machine_is_no_longer_marked(
        StuckVmPolicy policy, MaintenanceOutcome outcome, VmOutcome ofMachine)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { EvictionStrategy = "External" }));
        await world.BeginAsync(Request(world, Quick with { ExternalTimeout = TimeSpan.FromMinutes(10), OnStuck = policy }));
        await world.RunForAsync(TimeSpan.FromMinutes(9));
        var blocker = (await VmAsync(world, "one")).Blocker!;
        (blocker.Kind, blocker.NextTry).ShouldBe(("vm-external", null));
        blocker.Deadline.ShouldNotBeNull().ShouldBe(World.Start + TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(5), "the policy's comes before the drain's");
        Vmi(world, "one")!["status"]!["evacuationNodeName"]!.ToString().ShouldBe("node-1");

        var report = await world.EndAsync();

        (report.Outcome, report.VirtualMachines.Single().Outcome).ShouldBe((outcome, ofMachine), report.Message);
        report.VirtualMachines.Single().Message.ShouldNotContain("still marked");
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(13));
        Vmi(world, "one")!["status"]!["evacuationNodeName"].ShouldBeNull();
        Migrations(world, "one").ShouldBeEmpty();
        if (policy == StuckVmPolicy.Fail)
        {
            report.Message.ShouldContain("nobody moved it within 10m");
        }
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_external_actor_that_moves_it_while_we_wait_is_all_that_is_needed()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { EvictionStrategy = "External" }));
        await world.BeginAsync(Request(world, Quick with { ExternalTimeout = TimeSpan.FromMinutes(10), OnStuck = StuckVmPolicy.Fail }));
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        (await world.Kubernetes.CallVmAsync(new("vms", "one"), VmCall.Migrate, null, CancellationToken.None)).IsAccepted.ShouldBeTrue();
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.Single().Outcome.ShouldBe(VmOutcome.Migrated);
        Migrations(world, "one").Count.ShouldBe(1);
        Vmi(world, "one")!["status"]!["evacuationNodeName"].ShouldBeNull();
        world.Api.RequestLog.Of("create", "pods", "eviction").Count(request => request.Code == 429).ShouldBe(1, "it was marked once");
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_is_still_there_at_the_deadline_is_not_evacuated_after_the_maintenance_has_failed()
    {
        // Nothing can take it, and a migration that begins when something can, hours later, surprises people.
        await using var world = await World.StartAsync(Machines(Machine("big") with { Memory = "40Gi" }) with
        {
            Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }],
        });

        var report = await world.MaintainAsync(Request(world) with
        {
            Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(3), OnTimeout = DeadlinePolicy.Fail },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(30));

        (report.Outcome, report.VirtualMachines.Single().Outcome).ShouldBe((MaintenanceOutcome.Failed, VmOutcome.StillThere), report.Message);
        Vmi(world, "big")!["status"]!["evacuationNodeName"].ShouldBeNull();
        Migrations(world, "big").ShouldAllBe(migration => IsOver(migration));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_comes_back_to_a_held_node_is_moved_again()
    {
        await using var world = await World.StartAsync(Machines(Machine("one")) with { Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2")] });
        await world.BeginAsync(Request(world) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromHours(2));
        Vmi(world, "one")!["status"]!["nodeName"]!.ToString().ShouldBe("node-2");

        // Somebody lifts the cordon for a moment and moves it back.
        await LiftAsync(world, "node-1");
        (await world.Kubernetes.CallVmAsync(new("vms", "one"), VmCall.Migrate, null, CancellationToken.None)).IsAccepted.ShouldBeTrue();
        await world.RunForAsync(TimeSpan.FromMinutes(2));

        Migrations(world, "one").Count.ShouldBe(3, "there, back, and there again");
        Vmi(world, "one")!["status"]!["nodeName"]!.ToString().ShouldBe("node-2");
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_finds_no_node_after_its_shutdown_is_a_blocker_in_the_schedulers_words_and_then_reported()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { EvictionStrategy = "None", Memory = "40Gi" }) with
        {
            Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }],
        });
        await world.BeginAsync(Request(world, Quick with { RestartTimeout = TimeSpan.FromMinutes(5) }));
        await world.RunForAsync(TimeSpan.FromMinutes(3));

        var vm = await VmAsync(world, "one");
        (vm.Progress, vm.Blocker!.Kind, vm.Blocker.NextTry).ShouldBe((VmProgress.Starting, "vm-pending-after-restart", null));
        vm.Blocker.Deadline.ShouldNotBeNull().ShouldBe(World.Start + TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(1), "when it is given up, and not the drain's");
        vm.Message.ShouldContain("0/2 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable.");
        var report = await world.EndAsync();
        report.VirtualMachines.Single().Outcome.ShouldBe(VmOutcome.NotRunningAgain);
        report.VirtualMachines.Single().Message.ShouldContain("Insufficient memory");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true, "its guest still shuts down")]
    [InlineData(false, "0/2 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable.")]
    public async Task A_machine_that_is_down_when_it_is_cancelled_is_told_as_not_running_again_and_not_as_still_there(bool isShuttingDown, string state)
    {
        await using var world = await World.StartAsync(
            Machines(Machine("one") with { EvictionStrategy = "None", Memory = "40Gi", Shutdown = isShuttingDown ? TimeSpan.FromMinutes(30) : TimeSpan.FromSeconds(5) }) with
            {
                Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }],
            });
        await world.BeginAsync(Request(world));
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count == 1, TimeSpan.FromMinutes(1));
        await world.RunForAsync(isShuttingDown ? TimeSpan.FromSeconds(5) : TimeSpan.FromMinutes(2));
        (await VmAsync(world, "one")).Progress.ShouldBe(isShuttingDown ? VmProgress.Stopping : VmProgress.Starting);

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        var vm = report.VirtualMachines.Single();
        vm.Outcome.ShouldBe(VmOutcome.NotRunningAgain, vm.Message);
        vm.Message.ShouldStartWith($"It was shut down and was not Running elsewhere yet when the maintenance ended ({state}");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_migration_of_whoever_moves_External_machines_is_told_and_never_ended_by_us_neither_for_its_time_nor_by_a_cancel()
    {
        await using var world = await World.StartAsync(Big("External"));
        await world.BeginAsync(Request(world, Quick));
        await world.RunUntilAsync(() => Vmi(world, "one")!["status"]!["evacuationNodeName"] is not null);
        (await world.Kubernetes.CallVmAsync(new("vms", "one"), VmCall.Migrate, null, CancellationToken.None)).IsAccepted.ShouldBeTrue();
        await world.RunForAsync(TimeSpan.FromMinutes(3));

        var told = await VmAsync(world, "one");
        (told.Blocker!.Kind, told.Message).ShouldBe((
            "migration-of-others", "Whoever moves it has begun: its migration is in Scheduling. It takes longer than 1m, and is not ours to end."));
        await CancelAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_migration_that_a_person_began_is_not_ended_by_a_cancel_although_the_machine_was_marked_too()
    {
        await using var world = await World.StartAsync(Big("LiveMigrate"));
        await world.BeginAsync(Request(world));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(static migration => (string?)migration["status"]?["phase"] == "Scheduling"));

        // KubeVirt makes none for the mark where a person's is there already.
        world.Cluster.Store.Update(KubeVirtTypes.Migrations, "vms", Migrations(world, "one").Single()["metadata"]!["name"]!.ToString(), static migration =>
            ((JsonObject)migration["metadata"]!["annotations"]!).Remove("kubevirt.io/evacuationMigration"));
        await world.RunForAsync(TimeSpan.FromSeconds(70));
        await CancelAsync(world);
    }

    private static async Task CancelAsync(World world)
    {
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("bob", null, CancelledMigrations.Abort), CancellationToken.None);
        var report = await world.EndAsync();

        report.VirtualMachines.Single().Outcome.ShouldBe(VmOutcome.StillThere);
        Vmi(world, "one")!["status"]!["evacuationNodeName"].ShouldBeNull("our mark is withdrawn");
        world.Api.RequestLog.Of("delete", "virtualmachineinstancemigrations.kubevirt.io").ShouldBeEmpty();
        IsOver(Migrations(world, "one").ShouldHaveSingleItem()).ShouldBeFalse();
    }

    // It fits on no other node.
    private static Scenario Big(string strategy) => Machines(Machine("one") with { EvictionStrategy = strategy, Memory = "40Gi" }) with
    {
        Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }],
    };

    [Fact(Timeout = World.Timeout)]
    public async Task A_launcher_that_was_evicted_and_does_not_end_is_a_blocker_until_its_kubelet_ends_it()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { EvictionStrategy = "None" }) with
        {
            Faults = [new FaultSpec("kubeletNeverTerminates", "node-1") { For = TimeSpan.FromMinutes(10) }],
        });
        var request = Request(world);
        await world.BeginAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromHours(1) } });
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count == 1, TimeSpan.FromMinutes(1));
        var evicted = world.Time.GetUtcNow();
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var before = await VmAsync(world, "one");
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var stuck = await VmAsync(world, "one");
        var report = await world.EndAsync();

        (before.Progress, before.Blocker).ShouldBe((VmProgress.Stopping, null));
        stuck.Progress.ShouldBe(VmProgress.Blocked);
        var blocker = stuck.Blocker.ShouldNotBeNull();
        (blocker.Kind, blocker.Object!.StartsWith("pod/vms/virt-launcher-one", StringComparison.Ordinal)).ShouldBe(("stuck-terminating", true));
        blocker.Message.ShouldNotBeNull().ShouldEndWith("the kubelet of its node has not ended it.");
        blocker.Since.ShouldBe(evicted, TimeSpan.FromSeconds(2));
        blocker.Deadline.ShouldNotBeNull().ShouldBe(World.Start + TimeSpan.FromHours(1), TimeSpan.FromMinutes(1));
        blocker.NextStep.ShouldContain("delete it by force only if its processes are surely dead");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.Single().Outcome.ShouldBe(VmOutcome.RestartedElsewhere);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_was_stopped_for_a_node_that_is_gone_by_now_is_started_again_by_a_restore_by_hand()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable", RunStrategy = "RerunOnFailure" }));
        await world.BeginAsync(Request(world, Quick with { OnNotMigratable = StuckVmPolicy.ShutDown }) with
        {
            Action = MaintenanceAction.Hold, LeaseDuration = TimeSpan.FromMinutes(1),
        });
        await world.RunUntilAsync(() => Vmi(world, "one") is null, TimeSpan.FromMinutes(5));
        await world.LoseHubAsync();
        world.Cluster.Store.Delete(ResourceTypes.Nodes, null, "node-1", new Deletion());
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        var restore = new NodeRestore(world.Kubernetes, world.Neighbours, world.Time);
        var first = await restore.RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var again = await restore.RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);

        (first.IsRefused, first.IsNodeGone).ShouldBe((false, true));
        first.Done.ShouldHaveSingleItem().ShouldStartWith("Virtual machine vms/one:");
        first.LeftBehind.ShouldBeEmpty();
        Vmi(world, "one").InstancePhase().ShouldBe("Running");
        (again.IsRefused, again.IsNodeGone).ShouldBe((true, true));
        again.LeftBehind.ShouldBe(["There is no node named node-1, and nothing carries a mark of a maintenance of it."]);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_drain_that_only_a_machine_holds_up_at_its_deadline_names_the_machine()
    {
        await using var world = await World.StartAsync(Machines(
            Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable", Shutdown = TimeSpan.FromHours(5), RunStrategy = "RerunOnFailure" }));
        Change(world, "one", vmi => vmi["spec"]!["terminationGracePeriodSeconds"] = 7200);
        var request = Request(world, Quick with { OnNotMigratable = StuckVmPolicy.ShutDown, StopTimeout = TimeSpan.FromHours(1) });
        await world.BeginAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(10) }, OnFailure = FailurePolicy.KeepCordoned });

        await world.RunForAsync(TimeSpan.FromMinutes(11));
        var message = (await world.StatusAsync<MaintenanceStatus>())!.Message;

        message.ShouldStartWith("Node node-1 was not empty within 10m: still there: virtual machine vms/one.");
    }
}
