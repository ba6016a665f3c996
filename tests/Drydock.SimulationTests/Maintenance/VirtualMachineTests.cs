using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.VirtualMachines;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The ladder of a virtual machine in virtual time: every rung with its deadline, and what it says meanwhile.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_is_on_its_way_to_the_node_is_in_the_plan_and_leaves_again_after_its_arrival()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { On = "node-2" }, Machine("two")));
        await world.Kubernetes.MigrateVmAsync(
            new("vms", "one"), new Dictionary<string, string> { ["kubernetes.io/hostname"] = "node-1" }, CancellationToken.None);
        await world.RunUntilAsync(() => (string?)Migrations(world, "one").Single()["status"]?["phase"] == "Running");

        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(Request(world), CancellationToken.None);
        var report = await world.MaintainAsync(Request(world));

        plan.VirtualMachines.Select(vm => vm.Vmi.Name).ShouldBe(["two"]);
        plan.Findings.Where(finding => finding.Kind == "vm-arriving").ShouldHaveSingleItem().Message.ShouldBe(
            "Virtual machine vms/one is being migrated to node node-1: it leaves again after its arrival.");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.Select(vm => (vm.Vmi.Name, vm.Outcome)).ShouldBe([("one", VmOutcome.Migrated), ("two", VmOutcome.Migrated)], ignoreOrder: true);
        ((string?)Vmi(world, "one")!["status"]!["nodeName"]).ShouldNotBe("node-1");
    }

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
    public async Task A_machine_behind_one_of_another_node_is_queued_too_where_the_cluster_has_no_slot_left()
    {
        await using var world = await World.StartAsync(Machines(Machine("big") with { On = "node-2", Memory = "40Gi" }, Machine("one")) with
        {
            Nodes = [new NodeSpec("node-1") { Memory = "32Gi" }, new NodeSpec("node-2"), new NodeSpec("node-3") { Memory = "32Gi" }],
        });
        world.Cluster.Store.Update(KubeVirtTypes.KubeVirts, "kubevirt", "kubevirt", static kubeVirt =>
        {
            kubeVirt["spec"]!["configuration"]!["migrations"] = new JsonObject { ["parallelMigrationsPerCluster"] = 1 };
            return true;
        });
        await world.Kubernetes.CallVmAsync(new("vms", "big"), VmCall.Migrate, null, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
        var request = Request(world, Quick with { PendingTimeout = TimeSpan.FromMinutes(1) });
        await world.BeginAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromHours(1) } });
        await world.RunForAsync(TimeSpan.FromMinutes(4));

        var vm = await VmAsync(world, "one");

        (vm.Progress, vm.Deadline, vm.Attempts).ShouldBe((VmProgress.Queued, null, 0));
        vm.Message.ShouldStartWith("Queued behind vms/big.");
        Migrations(world, "one").ShouldHaveSingleItem();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("migrationRejectedByResourceQuota")]
    [InlineData("migrationBlockedByUtilityVolumes")]
    [InlineData("migrationBlockedByBackup")]
    [InlineData("decentralizedMigrationBlocked")]
    public async Task A_migration_that_waits_although_a_slot_is_free_says_what_its_condition_says(string condition)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { FailingMigrations = 1 }));
        await world.BeginAsync(Request(world, Quick with { MaxAttempts = 3 }));
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Events).Any(one => (string?)one["reason"] == "MigrationBackoff"));
        world.Cluster.Store.Update(
            KubeVirtTypes.Migrations, "vms", Migrations(world, "one").Single(static migration => !IsOver(migration))["metadata"]!["name"]!.ToString(), migration =>
            {
                migration["status"] ??= new JsonObject();
                migration["status"]!["conditions"] = new JsonArray(new JsonObject { ["type"] = condition, ["status"] = "True", ["message"] = "KubeVirt says so" });
                return true;
            });
        await world.RunForAsync(TimeSpan.FromSeconds(6));

        (await VmAsync(world, "one")).Message.ShouldBe($"Its migration is Pending: {condition}: KubeVirt says so");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_KubeVirt_that_cannot_pin_a_migration_is_not_asked_to()
    {
        await using var world = await World.StartAsync(Machines(Machine("one")));
        SetVersion(world, "v1.5.2");
        Annotate(world, "one", "fake-virt-handler/copy-never-ends", "true");
        var report = await world.MaintainAsync(Request(world, Quick with { OnStuck = StuckVmPolicy.Skip }));

        Migrations(world, "one").ShouldAllBe(static migration => migration["spec"]!["addedNodeSelector"] == null);
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "migrate").ShouldBeEmpty();
        report.VirtualMachines.Single().ShouldSatisfyAllConditions(
            static vm => vm.Outcome.ShouldBe(VmOutcome.Skipped), static vm => vm.Attempts.ShouldBe(2));
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
    public async Task One_that_is_to_go_to_another_node_waits_its_turn_as_the_others_do()
    {
        await using var world = await World.StartAsync(Machines(Machine("one")));
        Annotate(world, "one", "fake-virt-handler/copy-never-ends", "true");
        await world.BeginAsync(Request(world, Quick with { MaxInboundPerNode = 5 }));
        await world.RunUntilAsync(() => Migrations(world, "one").Any(static migration => (string?)migration["status"]?["phase"] == "Running"));
        await world.Kubernetes.AcquireTurnAsync(ClusterTurn.Inbound, "drydock/hub/m9/vms/two", TimeSpan.FromMinutes(10), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        var waits = await VmAsync(world, "one");
        var meanwhile = Migrations(world, "one").Count(static migration => migration["spec"]!["addedNodeSelector"] is not null);
        Annotate(world, "one", "fake-virt-handler/copy-never-ends", "false");
        await world.Kubernetes.ReleaseTurnAsync(ClusterTurn.Inbound, "drydock/hub/m9/vms/two", CancellationToken.None);

        var report = await world.EndAsync();

        (waits.Progress, waits.Blocker, meanwhile).ShouldBe((VmProgress.Queued, null, 0), waits.Message);
        waits.Message.ShouldContain("is beginning a migration");
        report.VirtualMachines.Single().Outcome.ShouldBe(VmOutcome.Migrated);
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

        (vm.Progress, vm.MigrationPhase, vm.Message).ShouldBe((VmProgress.Migrating, "Pending", "Its migration is Pending: backoff migrating vmi vms/one (MigrationBackoff)."));
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
}
