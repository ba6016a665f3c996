using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.VirtualMachines;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The ladder of a virtual machine in virtual time: every rung with its deadline, and what it says meanwhile.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineTests
{
    private static readonly VirtualMachinePolicy Quick = new()
    {
        SchedulingTimeout = TimeSpan.FromMinutes(1),
        RunningTimeout = TimeSpan.FromMinutes(1),
        MaxAttempts = 2,
        RetryDelay = TimeSpan.FromSeconds(5),
    };

    [Fact(Timeout = World.Timeout)]
    public async Task Twelve_machines_take_no_more_than_a_tenth_longer_than_KubeVirts_limits_do()
    {
        await using var world = await World.StartAsync(Machines([.. Enumerable.Range(1, 12).Select(n => Machine($"vm-{n:00}"))]));

        var report = await world.MaintainAsync(Request(world));

        report.VirtualMachines.ShouldAllBe(vm => vm.Outcome == VmOutcome.Migrated);
        var migrations = world.Cluster.Store.List(KubeVirtTypes.Migrations).ToList();
        migrations.Count.ShouldBe(12);
        var one = TimeSpan.FromTicks((long)migrations.Average(migration => (Since(migration, "Succeeded") - Since(migration, "Scheduling")).Ticks));
        var drain = report.Steps.Single(step => step.Step == MaintenanceStep.Drain);
        var bound = one * (12 / 2.0);
        var took = migrations.Max(migration => Since(migration, "Succeeded")) - drain.From;
        took.ShouldBeLessThanOrEqualTo(bound * 1.1, $"one takes {one}, two at a time, so {bound}");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_behind_one_that_is_stuck_is_queued_and_never_retried_and_the_stuck_one_is_dealt_with_first()
    {
        // The big one fits nowhere else, and KubeVirt lets one migration leave a node at a time.
        await using var world = await World.StartAsync(Machines(Machine("big") with { Memory = "40Gi" }, Machine("small")) with
        {
            Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }, new NodeSpec("node-3") { Memory = "32Gi" }],
        });
        LimitPerNode(world, 1);
        await world.Kubernetes.CallVmAsync(new("vms", "big"), VmCall.Migrate, null, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
        await world.BeginAsync(Request(world, Quick with { OnStuck = StuckVmPolicy.ShutDown }));
        await world.RunForAsync(TimeSpan.FromSeconds(20));

        var (big, small) = (await VmAsync(world, "big"), await VmAsync(world, "small"));
        (big.MigrationPhase, big.Blocker!.Kind).ShouldBe(("Scheduling", "migration-scheduling"));
        big.Message.ShouldStartWith(
            "Its migration waits for a node that can take it: 0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient memory.");
        (small.Progress, small.Message, small.Deadline).ShouldBe((VmProgress.Queued, "Queued behind vms/big.", null));

        var report = await world.EndAsync();
        report.VirtualMachines.Single(vm => vm.Vmi.Name == "small").Outcome.ShouldBe(VmOutcome.Migrated);
        Migrations(world, "small").Count.ShouldBe(1);
        report.VirtualMachines.Single(vm => vm.Vmi.Name == "big").ShouldSatisfyAllConditions(
            vm => vm.Outcome.ShouldBe(VmOutcome.Stopped), vm => vm.IsRestored.ShouldBeTrue());
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_copy_that_does_not_end_is_aborted_at_its_deadline_and_tried_on_another_node()
    {
        await using var world = await World.StartAsync(Machines(Machine("one")));
        Annotate(world, "one", "fake-virt-handler/copy-never-ends", "true");
        await world.BeginAsync(Request(world, Quick));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => migration["spec"]!["addedNodeSelector"] is not null));

        var pinned = (string)Migrations(world, "one").Single(migration => migration["spec"]!["addedNodeSelector"] is not null)
            ["spec"]!["addedNodeSelector"]!["kubernetes.io/hostname"]!;
        var first = (string)Vmi(world, "one")!["status"]!["migrationState"]!["targetNode"]!;
        pinned.ShouldNotBe(first);
        Annotate(world, "one", "fake-virt-handler/copy-never-ends", "false");
        var report = await world.EndAsync();

        report.VirtualMachines.Single().ShouldSatisfyAllConditions(
            vm => vm.Outcome.ShouldBe(VmOutcome.Migrated), vm => vm.Node.ShouldBe(pinned), vm => vm.Attempts.ShouldBe(2));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_migration_that_waits_although_a_slot_is_free_says_what_KubeVirts_event_says()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { FailingMigrations = 1 }));
        await world.BeginAsync(Request(world, Quick with { MaxAttempts = 3 }));
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Events).Any(one => (string?)one["reason"] == "MigrationBackoff"));

        // KubeVirt makes the next one at once and begins it after 20 s.
        await world.RunForAsync(TimeSpan.FromSeconds(6));
        var vm = await VmAsync(world, "one");
        var report = await world.EndAsync();

        (vm.Progress, vm.MigrationPhase, vm.Message).ShouldBe((VmProgress.Migrating, "Pending", "Pending: backoff migrating vmi vms/one (MigrationBackoff)."));
        RecordedCalls.Of(world.Api).ShouldContain(call => call.StartsWith("list events", StringComparison.Ordinal));
        report.VirtualMachines.Single().ShouldSatisfyAllConditions(
            one => one.Outcome.ShouldBe(VmOutcome.Migrated), one => one.Attempts.ShouldBe(2, "the one that failed counts although the next was there at once"));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(2, VmOutcome.Stopped)]
    [InlineData(3, VmOutcome.Migrated)]
    public async Task Migrations_that_fail_one_after_the_other_are_counted_and_then_the_policy_decides(int attempts, VmOutcome outcome)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { FailingMigrations = 2 }));

        var report = await world.MaintainAsync(Request(world, Quick with { MaxAttempts = attempts, OnStuck = StuckVmPolicy.ShutDown }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.Single().ShouldSatisfyAllConditions(vm => vm.Outcome.ShouldBe(outcome), vm => vm.Attempts.ShouldBe(attempts));
        Migrations(world, "one").Count(migration => (string?)migration["status"]!["phase"] == "Failed").ShouldBe(2);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_abort_that_hangs_is_a_blocker_after_two_minutes()
    {
        await using var world = await World.StartAsync(Machines(Machine("one")));
        Annotate(world, "one", "fake-virt-handler/target-never-ready", "true");
        await world.BeginAsync(Request(world, Quick));

        await world.RunForAsync(TimeSpan.FromMinutes(4));

        (await VmAsync(world, "one")).Blocker.ShouldNotBeNull().Kind.ShouldBe("migration-abort-hangs");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_KubeVirt_without_evacuate_cancel_is_told_and_the_ladder_goes_on()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { Memory = "40Gi" }) with
        {
            Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }],
        });
        world.Cluster.Store.Update(KubeVirtTypes.KubeVirts, "kubevirt", "kubevirt", kubeVirt =>
        {
            kubeVirt["status"]!["observedKubeVirtVersion"] = "v1.5.0";
            return true;
        });
        await world.BeginAsync(Request(world, Quick with { MaxAttempts = 1 }));
        await world.RunForAsync(TimeSpan.FromSeconds(70));

        Migrations(world, "one").ShouldContain(migration => (string?)migration["status"]!["phase"] != "Failed", "KubeVirt made another by itself");
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        (await VmAsync(world, "one")).Message.ShouldContain("no evacuate/cancel (before 1.7)");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_mark_that_a_KubeVirt_without_evacuate_cancel_keeps_after_a_cancel_is_told_as_left_behind()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { Memory = "40Gi" }) with
        {
            Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }],
        });
        world.Cluster.Store.Update(KubeVirtTypes.KubeVirts, "kubevirt", "kubevirt", kubeVirt =>
        {
            kubeVirt["status"]!["observedKubeVirtVersion"] = "v1.5.0";
            return true;
        });
        await world.BeginAsync(Request(world));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(migration => (string?)migration["status"]?["phase"] == "Scheduling"));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", null), CancellationToken.None);
        var report = await world.EndAsync();

        Vmi(world, "one")!["status"]!["evacuationNodeName"].ShouldNotBeNull();
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, false));
        report.LeftBehind.ShouldHaveSingleItem().ShouldStartWith("Virtual machine vms/one is still marked for evacuation, so that it may leave later: This KubeVirt has no evacuate/cancel");
        report.VirtualMachines.ShouldHaveSingleItem().Message.ShouldContain("It is still marked for evacuation");
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

    [Theory(Timeout = World.Timeout)]
    [InlineData(true, true, VmOutcome.Skipped)]
    [InlineData(true, false, VmOutcome.StillThere)]
    [InlineData(false, true, VmOutcome.StillThere)]
    public async Task An_annotation_of_a_machine_counts_only_if_the_policy_allows_it_and_the_request_wants_it(bool allowed, bool wanted, VmOutcome outcome)
    {
        var policy = new MaintenancePolicy("p") { AllowedVmAnnotations = allowed ? [VmPolicies.OnNotMigratable] : [VmPolicies.OnStuck] };
        await using var world = await World.StartAsync(
            Machines(Machine("fixed") with { NotMigratable = "HostDeviceNotLiveMigratable" }), configure: Policies.Of(policy));
        world.Cluster.Store.Update(KubeVirtTypes.VirtualMachines, "vms", "fixed", vm =>
        {
            vm["metadata"]!["annotations"] = new JsonObject { [VmPolicies.OnNotMigratable] = "Skip", [VmPolicies.OnStuck] = "Skip" };
            return true;
        });
        var request = Request(world, Quick with { AllowAnnotations = wanted, OnNotMigratable = StuckVmPolicy.Fail }) with { Policy = "p" };

        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        var report = await world.MaintainAsync(request);

        plan.VirtualMachines.Single().Fate.ShouldBe(outcome == VmOutcome.Skipped ? VmFate.Stays : VmFate.Blocks);
        report.VirtualMachines.Single().Outcome.ShouldBe(outcome, report.Message);
        plan.Findings.Where(finding => finding.Kind == "vm-annotation").Select(finding => finding.Message).ShouldBe(wanted
            ? [$"Annotation drydock.dev/{(allowed ? "on-stuck" : "on-not-migratable")} of virtual machine vms/fixed does not count: the policy of the request must name it in allowedVmAnnotations."]
            : []);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task No_node_is_sent_more_machines_at_a_time_than_the_limit(int limit)
    {
        await using var world = await World.StartAsync(Machines([.. Enumerable.Range(1, 5).Select(n => Machine($"vm-{n}"))]));
        LimitPerNode(world, 5);
        var most = 0;
        await world.BeginAsync(Request(world, Quick with { MaxInboundPerNode = limit }));
        var end = world.Client.WaitForInstanceCompletionAsync("m1", getInputsAndOutputs: true, CancellationToken.None);
        await world.RunUntilAsync(() =>
        {
            var moving = world.Cluster.Store.List(KubeVirtTypes.Migrations).Where(migration => !IsOver(migration)).Select(migration => migration["metadata"]!["uid"]!.ToString()).ToHashSet();
            var targets = world.Cluster.Store.List(KubeVirtTypes.Instances).Select(vmi => vmi["status"]?["migrationState"])
                .Where(state => moving.Contains(state?["migrationUid"]?.ToString() ?? "")).CountBy(state => state!["targetNode"]!.ToString());
            most = targets.Select(target => target.Value).Append(most).Max();
            return end.IsCompleted;
        });

        var report = (await end).ReadOutputAs<MaintenanceReport>()!;
        report.VirtualMachines.ShouldAllBe(vm => vm.Outcome == VmOutcome.Migrated);
        most.ShouldBeInRange(1, limit);
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
        (await VmAsync(world, "one")).Blocker!.Kind.ShouldBe("vm-external");
        Vmi(world, "one")!["status"]!["evacuationNodeName"]!.ToString().ShouldBe("node-1");

        var report = await world.EndAsync();

        (report.Outcome, report.VirtualMachines.Single().Outcome).ShouldBe((outcome, ofMachine), report.Message);
        report.VirtualMachines.Single().Message.ShouldNotContain("still marked");
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(13));
        Vmi(world, "one")!["status"]!["evacuationNodeName"].ShouldBeNull();
        Migrations(world, "one").ShouldBeEmpty();
        if (policy == StuckVmPolicy.Fail)
        {
            report.Message.ShouldContain("nobody moved it within 00:10:00");
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
        (vm.Progress, vm.Blocker!.Kind).ShouldBe((VmProgress.Starting, "vm-pending-after-restart"));
        vm.Message.ShouldContain("0/2 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable.");
        var report = await world.EndAsync();
        report.VirtualMachines.Single().Outcome.ShouldBe(VmOutcome.NotRunningAgain);
        report.VirtualMachines.Single().Message.ShouldContain("Insufficient memory");
    }

    private static async Task LiftAsync(World world, string node)
    {
        var cordoned = (await world.Kubernetes.GetNodeAsync(node, CancellationToken.None))!;
        await world.Kubernetes.ChangeNodeAsync(
            cordoned, new NodeChange { Unschedulable = false, RemoveTaints = cordoned.Taints }, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
    }

    private static bool IsOver(JsonObject migration) => (string?)migration["status"]?["phase"] is "Succeeded" or "Failed";

    private static DateTimeOffset Since(JsonObject migration, string phase) => DateTimeOffset.Parse(migration["status"]!["phaseTransitionTimestamps"]!.AsArray()
        .Single(one => (string?)one!["phase"] == phase)!["phaseTransitionTimestamp"]!.ToString());

    private static List<JsonObject> Migrations(World world, string vm) =>
        [.. world.Cluster.Store.List(KubeVirtTypes.Migrations).Where(migration => (string?)migration["spec"]!["vmiName"] == vm)];

    private static JsonObject? Vmi(World world, string name) => world.Cluster.Store.Get(KubeVirtTypes.Instances, "vms", name);

    private static void Annotate(World world, string vm, string key, string value) =>
        Change(world, vm, vmi => vmi["metadata"]!["annotations"]![key] = value);

    private static void Change(World world, string vm, Action<JsonObject> change) => world.Cluster.Store.Update(
        KubeVirtTypes.Instances, "vms", vm, vmi =>
        {
            change(vmi);
            return true;
        });

    private static void LimitPerNode(World world, int limit) => world.Cluster.Store.Update(
        KubeVirtTypes.KubeVirts, "kubevirt", "kubevirt", kubeVirt =>
        {
            kubeVirt["spec"]!["configuration"]!["migrations"] = new JsonObject { ["parallelOutboundMigrationsPerNode"] = limit };
            return true;
        });

    private static async Task<VmStatus> VmAsync(World world, string vm) =>
        (await world.StatusAsync<VmStatus>(InstanceIds.Vm("m1", new ObjectRef("vms", vm))))!;

    private static MaintenanceRequest Request(World world, VirtualMachinePolicy? policy = null) => world.Request() with
    {
        VirtualMachines = policy ?? new VirtualMachinePolicy(),
        Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
    };

    private static VirtualMachineSpec Machine(string name) => new("vms", name) { On = "node-1" };

    private static Scenario Machines(params VirtualMachineSpec[] machines) => new()
    {
        Name = "machines",
        EvictionStrategy = "LiveMigrate",
        Nodes = [.. Enumerable.Range(1, 3).Select(n => new NodeSpec($"node-{n}"))],
        VirtualMachines = machines,
        Maintain = "node-1",
    };
}
