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

/// <summary>
/// RerunOnFailure: an eviction shuts the guest down cleanly and KubeVirt leaves it down, so that we start it; once, and only if nobody wanted
/// otherwise. Where the process dies in between: <see cref="VirtualMachineSweepTests"/>.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineRerunTests
{
    private static readonly ObjectRef One = new("vms", "one");

    [Theory(Timeout = World.Timeout)]
    [InlineData("None", true)]
    [InlineData("LiveMigrateIfPossible", false)]
    public async Task It_is_started_elsewhere_once_as_the_plan_says(string eviction, bool canMigrate)
    {
        await using var world = await World.StartAsync(Rerun(eviction, canMigrate));
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(Wish(world), CancellationToken.None);

        var report = await world.MaintainAsync(Wish(world));

        var planned = plan.VirtualMachines.ShouldHaveSingleItem();
        planned.Fate.ShouldBe(VmFate.RestartsElsewhere);
        planned.Reason.ShouldContain("KubeVirt leaves run strategy RerunOnFailure down after that, and Drydock starts it elsewhere.");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var moved = report.VirtualMachines.ShouldHaveSingleItem();
        (moved.Outcome, moved.Node, moved.StoppedRunStrategy).ShouldBe((VmOutcome.RestartedElsewhere, Vmi(world, "one").InstanceNode(), null), moved.Message);
        moved.Node.ShouldNotBe("node-1");
        Starts(world).ShouldBe(1);
        ShouldBeAsBefore(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_whose_guest_crashes_instead_KubeVirt_starts_and_we_do_not()
    {
        await using var world = await World.StartAsync(Rerun());
        world.Api.Intercept = request =>
        {
            if (request is { Subresource: "eviction", IsDone: true })
            {
                Change(world, "one", static vmi => vmi["status"]!["phase"] = "Failed");
            }

            return Task.CompletedTask;
        };

        var report = await world.MaintainAsync(Wish(world));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.RestartedElsewhere);
        Starts(world).ShouldBe(0);
        ShouldBeAsBefore(world);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_guest_that_still_shuts_down_when_the_maintenance_ends_is_started_when_it_is_down(bool fails)
    {
        await using var world = await SlowAsync(TimeSpan.FromMinutes(20));
        var request = Wish(world);
        await world.BeginAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(fails ? 2 : 60) } });
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        Vmi(world, "one").InstancePhase().ShouldBe("Running", "its guest is still shutting down");

        if (!fails)
        {
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        }

        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var told = (await world.StatusAsync<RestoreStatus>(InstanceIds.Restore("m1"))).ShouldNotBeNull().VirtualMachines.ShouldHaveSingleItem();
        var report = await world.EndAsync();

        (told.Progress, told.Blocker?.Kind).ShouldBe((VmProgress.Stopping, "vm-shutting-down"), told.Message);
        report.Outcome.ShouldBe(fails ? MaintenanceOutcome.Failed : MaintenanceOutcome.Cancelled, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            vm => vm.IsRestored.ShouldBeTrue(vm.Message),
            vm => vm.Message.ShouldEndWith("It runs again."));
        report.LeftBehind.ShouldBeEmpty();
        Starts(world).ShouldBe(1);
        ShouldBeAsBefore(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Without_the_database_a_restore_by_hand_starts_it_when_it_is_down()
    {
        await using var world = await SlowAsync(TimeSpan.FromMinutes(20));
        await world.BeginAsync(Wish(world) with { LeaseDuration = TimeSpan.FromMinutes(1) });
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count == 1, TimeSpan.FromMinutes(1));
        await world.LoseHubAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var restore = new NodeRestore(world.Kubernetes, world.Neighbours, world.Time);

        var early = await restore.RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(20));
        var late = await restore.RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        early.LeftBehind.ShouldHaveSingleItem().ShouldStartWith("Virtual machine vms/one is still shutting down");
        late.Done.ShouldBe(["Virtual machine vms/one: it had been shut down, and is started again."]);
        ShouldBeAsBefore(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_start_that_is_refused_is_told_and_tried_again_until_its_deadline_and_then_by_the_restore()
    {
        await using var world = await World.StartAsync(Rerun());
        DateTimeOffset? first = null;
        world.Api.Intercept = request =>
        {
            if (request is not { Subresource: "start", IsDone: false })
            {
                return Task.CompletedTask;
            }

            first ??= world.Time.GetUtcNow();
            return world.Time.GetUtcNow() - first < TimeSpan.FromMinutes(12)
                ? throw new ApiException(500, "InternalError", "Internal error occurred: no endpoints available")
                : Task.CompletedTask;
        };
        await world.BeginAsync(Wish(world));
        await world.RunUntilAsync(() => first is not null);
        await world.RunForAsync(TimeSpan.FromMinutes(2));

        var told = await VmAsync(world, "one");
        var report = await world.EndAsync();

        var blocker = told.Blocker.ShouldNotBeNull();
        (told.Progress, blocker.Kind, blocker.Object).ShouldBe((VmProgress.Blocked, "vm-start-refused", "virtualmachine/vms/one"));
        told.Message.ShouldStartWith("Virtual machine vms/one could not be started: ");
        blocker.NextTry.ShouldNotBeNull().ShouldBe(first!.Value + TimeSpan.FromMinutes(2), TimeSpan.FromSeconds(11), "it is asked for again every ten seconds");
        blocker.Deadline.ShouldNotBeNull().ShouldBe(first.Value + TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(2));
        blocker.NextStep.ShouldEndWith("By hand: virtctl start one -n vms");
        var moved = report.VirtualMachines.ShouldHaveSingleItem();
        (moved.Outcome, moved.IsRestored).ShouldBe((VmOutcome.NotRunningAgain, true), moved.Message);
        moved.Message.ShouldContain("no endpoints available");
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "start").Count(request => request.Code == 202).ShouldBe(1);
        ShouldBeAsBefore(world);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("Halted")]
    [InlineData("Manual")]
    public async Task Who_gives_it_another_run_strategy_meanwhile_wins(string strategy)
    {
        await using var world = await SlowAsync(TimeSpan.FromMinutes(5));
        await world.BeginAsync(Wish(world));
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count == 1, TimeSpan.FromMinutes(1));
        world.Cluster.Store.Update(KubeVirtTypes.VirtualMachines, "vms", "one", vm =>
        {
            vm["spec"]!["runStrategy"] = strategy;
            return true;
        });

        var report = await world.EndAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var moved = report.VirtualMachines.ShouldHaveSingleItem();
        (moved.Outcome, moved.Message).ShouldBe((
            VmOutcome.StaysDown, $"It was shut down, and somebody gave it run strategy {strategy} meanwhile: it is left as it is."));
        Starts(world).ShouldBe(0);
        ShouldBe(world, strategy, "Succeeded", null);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_people_stop_before_its_eviction_is_accepted_stays_down()
    {
        await using var world = await World.StartAsync(Rerun());
        world.Cluster.Store.Create(ResourceTypes.PodDisruptionBudgets, new JsonObject
        {
            ["metadata"] = new JsonObject { ["namespace"] = "vms", ["name"] = "all" },
            ["spec"] = new JsonObject
            {
                ["minAvailable"] = 1,
                ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["kubevirt.io"] = "virt-launcher" } },
            },
        });
        await world.RunForAsync(TimeSpan.FromSeconds(1));
        await world.BeginAsync(Wish(world));
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        (await VmAsync(world, "one")).Blocker!.Kind.ShouldBe("budget-exhausted");

        await world.Kubernetes.CallVmAsync(One, VmCall.Stop, null, CancellationToken.None);
        var report = await world.EndAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.StaysDown);
        Starts(world).ShouldBe(0);
        ShouldBe(world, "RerunOnFailure", (string?)null);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_plan_that_starts_one_is_refused_where_that_is_not_granted_and_no_other_plan_is()
    {
        await using var world = await World.StartAsync(Rerun());
        await using var always = await World.StartAsync(Machines(Machine("one") with { EvictionStrategy = "None" }));

        var refused = await new PlanReader(LimitedCluster.Without(world.Kubernetes, static rule => rule.Subresource == "start"), world.Time, world.Planner).ReadAsync(Wish(world), CancellationToken.None);
        var other = await new PlanReader(LimitedCluster.Without(always.Kubernetes, static rule => rule.Subresource == "start"), always.Time, always.Planner).ReadAsync(Wish(always), CancellationToken.None);

        var finding = refused.Findings.Single(static finding => finding.Severity == FindingSeverity.Refuses);
        (finding.Kind, finding.Message).ShouldBe(("missing-permission", "The account may not update virtualmachines/start.subresources.kubevirt.io."));
        (refused.CanStart, other.CanStart).ShouldBe((false, true));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("eviction", false)]
    [InlineData("eviction", true)]
    [InlineData("stop", false)]
    [InlineData("stop", true)]
    public async Task What_was_done_without_an_answer_when_somebody_suspends_or_cancels_is_known_by_what_the_machine_shows(string call, bool isCancel)
    {
        await using var world = await World.StartAsync(call == "stop" ? Rerun("LiveMigrate", canMigrate: false) : Rerun());
        var isDone = false;
        world.Api.Intercept = request =>
        {
            isDone |= request.Subresource == call && request.IsDone;
            return isDone && request.Subresource == call ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out") : Task.CompletedTask;
        };
        await world.BeginAsync(Wish(world) with { VirtualMachines = Quick with { OnNotMigratable = StuckVmPolicy.ShutDown } });
        await world.RunUntilAsync(() => isDone);

        await (isCancel
            ? world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None)
            : world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), CancellationToken.None));
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        world.Api.Intercept = null;
        if (!isCancel)
        {
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Resume, "ann"), CancellationToken.None);
        }

        var report = await world.EndAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        report.Outcome.ShouldBe(isCancel ? MaintenanceOutcome.Cancelled : MaintenanceOutcome.Completed, report.Message);
        report.LeftBehind.ShouldBeEmpty();
        var machine = report.VirtualMachines.ShouldHaveSingleItem();
        machine.Outcome.ShouldBe(call == "stop" ? VmOutcome.Stopped : isCancel ? VmOutcome.NotRunningAgain : VmOutcome.RestartedElsewhere, machine.Message);
        machine.IsRestored.ShouldBe(call == "stop" || isCancel, machine.Message);
        Starts(world).ShouldBe(1);
        ShouldBeAsBefore(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_is_marked_for_its_stop_when_somebody_suspends_and_can_migrate_after_that_is_not_marked_any_more()
    {
        await using var world = await World.StartAsync(Rerun("LiveMigrate", canMigrate: false));
        var isMarked = false;
        world.Api.Intercept = async request =>
        {
            if (isMarked || request is not { Verb: "patch", Resource: "virtualmachines.kubevirt.io", IsDone: true })
            {
                return;
            }

            isMarked = true;
            Change(world, "one", static vmi =>
            {
                var can = vmi["status"]!["conditions"]!.AsArray().Single(static condition => (string?)condition!["type"] == "LiveMigratable")!;
                (can["status"], can["reason"]) = ("True", null);
            });
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), CancellationToken.None);

            // It has heard of that when the answer comes.
            await Task.Delay(TimeSpan.FromSeconds(1), world.Time);
        };
        await world.BeginAsync(Wish(world) with { VirtualMachines = Quick with { OnNotMigratable = StuckVmPolicy.ShutDown }, Action = MaintenanceAction.Hold });
        await world.RunUntilAsync(() => isMarked);
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Resume, "ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(20));

        (await world.StatusAsync<MaintenanceStatus>())!.AwaitsComplete().ShouldBe("action");
        (await VmAsync(world, "one")).Progress.ShouldBe(VmProgress.Gone);
        Vmi(world, "one")!["status"]!["nodeName"]!.ToString().ShouldNotBe("node-1");
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "stop").ShouldBeEmpty();
        ShouldBeAsBefore(world);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("RerunOnFailure", false)]
    [InlineData("RerunOnFailure", true)]
    [InlineData("Always", false)]
    [InlineData("Always", true)]
    public async Task A_stop_that_was_carried_out_although_it_was_answered_500_is_known_and_undone(string strategy, bool isCancel)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { RunStrategy = strategy, EvictionStrategy = "LiveMigrate", NotMigratable = "HostDeviceNotLiveMigratable" }));
        var isDone = false;
        world.Api.Intercept = request =>
        {
            if (request is { Subresource: "stop", IsDone: true } && !isDone)
            {
                isDone = true;
                throw new ApiException(500, "InternalError", "Internal error occurred: etcdserver: request timed out");
            }

            return Task.CompletedTask;
        };
        await world.BeginAsync(Wish(world) with { VirtualMachines = Quick with { OnNotMigratable = StuckVmPolicy.ShutDown }, Action = MaintenanceAction.Hold });
        await world.RunUntilAsync(() => isDone);
        await world.RunForAsync(isCancel ? TimeSpan.FromSeconds(1) : TimeSpan.FromMinutes(30));
        await (isCancel
            ? world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None)
            : world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None));

        var report = await world.EndAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        report.Outcome.ShouldBe(isCancel ? MaintenanceOutcome.Cancelled : MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            static vm => vm.Outcome.ShouldBe(VmOutcome.Stopped, vm.Message), static vm => vm.IsRestored.ShouldBeTrue(vm.Message));
        ShouldBe(world, strategy, "Running");
    }

    private static Scenario Rerun(string eviction = "None", bool canMigrate = true) => Machines(
        Machine("one") with { RunStrategy = "RerunOnFailure", EvictionStrategy = eviction, NotMigratable = canMigrate ? null : "HostDeviceNotLiveMigratable" });

    private static async Task<World> SlowAsync(TimeSpan shutdown)
    {
        var world = await World.StartAsync(Machines([.. Rerun().VirtualMachines.Select(one => one with { Shutdown = shutdown })]));
        Change(world, "one", static vmi => vmi["spec"]!["terminationGracePeriodSeconds"] = 7200);
        return world;
    }

    // Long enough for the slowest guest here.
    private static MaintenanceRequest Wish(World world) => Request(world) with { Drain = new DrainPolicy { GracePeriod = TimeSpan.FromHours(2) } };

    private static int Starts(World world) => world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "start").Count;

    private static void ShouldBeAsBefore(World world) => ShouldBe(world, "RerunOnFailure", "Running");

    private static void ShouldBe(World world, string strategy, params string?[] phases)
    {
        var vm = world.Cluster.Store.Get(KubeVirtTypes.VirtualMachines, "vms", "one")!;
        ((string?)vm["spec"]!["runStrategy"]).ShouldBe(strategy);
        phases.ShouldContain(Vmi(world, "one")?.InstancePhase());
        vm["metadata"]!["annotations"]?["drydock.dev/held-by"].ShouldBeNull("it still carries the mark");
    }
}
