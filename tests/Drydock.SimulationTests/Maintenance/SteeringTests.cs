using System.Text.Json.Nodes;
using Drydock.DurableTask.TaskHub;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Suspend, resume and extend in virtual time: what goes on, what waits, and where every deadline is afterwards.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class SteeringTests
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(2);

    [Fact(Timeout = World.Timeout)]
    public async Task Nothing_new_is_evicted_while_it_is_suspended_what_is_on_its_way_arrives_and_the_deadline_moves()
    {
        await using var world = await World.StartAsync("disruption-budget");
        await world.BeginAsync(world.Request());
        await world.RunForAsync(TimeSpan.FromSeconds(3));
        var before = await StatusAsync(world);

        await SuspendAsync(world);
        var evicted = world.AcceptedEvictions();
        await world.RunForAsync(Long);

        var status = await StatusAsync(world);
        (status.Step, status.Suspension!.By, status.Suspension.Reason, status.Deadline).ShouldBe((MaintenanceStep.Drain, "ann", "storage is down", before.Deadline));
        (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Deadline.ShouldBeNull("it does not run");
        world.AcceptedEvictions().ShouldBe(evicted, "the budget has let go long ago");
        evicted.ShouldNotContain(pod => pod.StartsWith("shop/checkout"));
        Migrated(world).ShouldBe(["database", "frontend"], ignoreOrder: true);
        (await world.Kubernetes.GetLeaseAsync("node-1", default))!.ExpiresAt.ShouldNotBeNull().ShouldBeGreaterThan(world.Time.GetUtcNow());

        await ResumeAsync(world);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
        var resumed = await StatusAsync(world);
        var report = await world.EndAsync();

        resumed.Deadline.ShouldBe(before.Deadline + (resumed.Steers[^1].At - status.Suspension.Since));
        resumed.Steers.Select(steer => steer.Kind).ShouldBe([SteerKind.Suspend, SteerKind.Resume]);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.AcceptedEvictions().ShouldBeUnique();
        world.WhatIsWrong().Where(what => !what.Contains("within")).ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task After_a_suspension_the_drain_has_the_time_that_was_left_and_not_more()
    {
        await using var world = await World.StartAsync(Held());
        await world.BeginAsync(ShortDrain(world));
        await world.RunForAsync(TimeSpan.FromMinutes(6));

        await SuspendAsync(world);
        await world.RunForAsync(Long);
        await ResumeAsync(world);
        await world.RunForAsync(TimeSpan.FromMinutes(3.5));

        (await StatusAsync(world)).Step.ShouldBe(MaintenanceStep.Drain);
        (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Deadline.ShouldBe((await StatusAsync(world)).Deadline);
        var report = await world.EndAsync();
        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldStartWith("Node node-1 was not empty within 2h10m:");
        var drain = report.Steps.Single(step => step.Step == MaintenanceStep.Drain);
        (drain.To - drain.From).ShouldBeInRange(Long + TimeSpan.FromMinutes(10), Long + TimeSpan.FromMinutes(11));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task A_process_that_dies_at_any_point_of_it_suspends_and_resumes_once(int commit)
    {
        await using var world = await World.StartAsync("disruption-budget");
        await world.BeginAsync(world.Request());
        await world.RunForAsync(TimeSpan.FromSeconds(3));
        var before = await StatusAsync(world);

        await DyingAtAsync(world, commit, () => SuspendAsync(world));
        await world.RunForAsync(Long);
        (await StatusAsync(world)).Suspension.ShouldNotBeNull();
        world.AcceptedEvictions().ShouldNotContain(pod => pod.StartsWith("shop/checkout"), "the budget has let go long ago");
        await DyingAtAsync(world, commit, () => ResumeAsync(world));
        var report = await world.EndAsync();

        world.Deaths.ShouldBe(2);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        before.Steers.ShouldBeEmpty();
        world.AcceptedEvictions().ShouldBeUnique();
        report.LeftBehind.ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_cancel_of_a_suspended_maintenance_puts_the_node_back_without_a_resume()
    {
        await using var world = await World.StartAsync(Held());
        await world.BeginAsync(world.Request());
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        await SuspendAsync(world);
        await world.RunForAsync(Long);

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("bob"), default);
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, true));
        report.LeftBehind.ShouldBeEmpty();
        (await world.Kubernetes.GetNodeAsync("node-1", default))!.Unschedulable.ShouldBeFalse();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_cancel_while_the_drain_is_to_end_and_cannot_look_is_heard_at_once()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var away = world.Time.GetUtcNow().AddMinutes(12);
        world.Api.Intercept = request => request is { Resource: "pods", IsDone: false } && world.Time.GetUtcNow() < away
            ? throw new ApiException(503, "ServiceUnavailable", "not now")
            : Task.CompletedTask;
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromSeconds(5));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromSeconds(5));

        var told = (await world.StatusAsync<MaintenanceStatus>())!;
        var report = await world.EndAsync();

        told.IsCancelling.ShouldBeTrue(told.Message);
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, true), report.Message);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_hold_that_is_suspended_keeps_the_time_it_had_and_goes_on_to_the_health_check_only_when_resumed()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold, ActionOptions = new ActionOptions { Timeout = TimeSpan.FromHours(1) } });
        await world.RunForAsync(TimeSpan.FromMinutes(30));
        var before = await StatusAsync(world);
        before.IsHolding.ShouldBeTrue();

        await SuspendAsync(world);
        await world.RunForAsync(Long);
        await ResumeAsync(world);
        await world.RunForAsync(TimeSpan.FromMinutes(20));
        var after = await StatusAsync(world);
        (after.IsHolding, after.Deadline).ShouldBe((true, before.Deadline + (after.Steers[1].At - after.Steers[0].At)));

        await SuspendAsync(world);
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("bob"), default);
        await world.RunForAsync(Long);
        (await StatusAsync(world)).Step.ShouldBe(MaintenanceStep.Action);
        (await world.Kubernetes.GetNodeAsync("node-1", default))!.Unschedulable.ShouldBeTrue();

        await ResumeAsync(world);
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_gate_that_is_suspended_is_not_over_by_its_old_deadline_but_by_the_moved_one()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Approval = new ApprovalPolicy { Gates = [ApprovalGate.Start], Timeout = TimeSpan.FromHours(2) } });
        await world.RunForAsync(TimeSpan.FromHours(1));

        await SuspendAsync(world);
        await world.RunForAsync(Long);
        (await StatusAsync(world)).AwaitsApproval.ShouldBe(ApprovalGate.Start);
        await ResumeAsync(world);
        await world.RunForAsync(TimeSpan.FromMinutes(59));
        (await StatusAsync(world)).AwaitsApproval.ShouldBe(ApprovalGate.Start);
        var report = await world.EndAsync();

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Refused, "Nobody approved the maintenance within 4h."));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_that_runs_when_it_is_suspended_runs_on_past_its_deadline_and_what_follows_waits()
    {
        const string job = """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"600s"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.Job, ActionOptions = new ActionOptions { Job = new JobTemplate("default", job), Timeout = TimeSpan.FromMinutes(5) },
        });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await world.RunForAsync(TimeSpan.FromSeconds(1));

        await SuspendAsync(world);
        await world.RunForAsync(Long);

        var status = await StatusAsync(world);
        (status.Step, status.Actions.Single().Outcome).ShouldBe((MaintenanceStep.Action, ActionOutcome.Done), status.Message);
        await ResumeAsync(world);
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_health_check_that_is_suspended_fails_by_the_moved_deadline()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Health = new HealthPolicy { KubeletVersion = "v1.99.0", Timeout = TimeSpan.FromMinutes(20) } });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await StatusAsync(world)).Step.ShouldBe(MaintenanceStep.Health);

        await SuspendAsync(world);
        await world.RunForAsync(Long);
        (await StatusAsync(world)).Step.ShouldBe(MaintenanceStep.Health);
        await ResumeAsync(world);
        var report = await world.EndAsync();

        var health = report.Steps.Single(step => step.Step == MaintenanceStep.Health);
        (health.To - health.From).ShouldBeInRange(Long + TimeSpan.FromMinutes(20), Long + TimeSpan.FromMinutes(22));
        report.Message.ShouldStartWith("Node node-1 was not healthy within 2h20m");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_migration_in_flight_is_not_aborted_while_it_is_suspended_and_has_what_was_left_of_its_time_when_resumed()
    {
        await using var world = await World.StartAsync(new Scenario
        {
            Name = "machines",
            EvictionStrategy = "LiveMigrate",
            Nodes = [.. Enumerable.Range(1, 3).Select(n => new NodeSpec($"node-{n}"))],
            VirtualMachines = [new VirtualMachineSpec("vms", "one") { On = "node-1" }],
            Maintain = "node-1",
        });
        world.Cluster.Store.Update(KubeVirtTypes.Instances, "vms", "one", vmi =>
        {
            vmi["metadata"]!["annotations"]!["fake-virt-handler/copy-never-ends"] = "true";
            return true;
        });
        await world.BeginAsync(world.Request() with { VirtualMachines = new VirtualMachinePolicy { RunningTimeout = TimeSpan.FromMinutes(10), RetryDelay = TimeSpan.FromSeconds(5) } });
        await world.RunUntilAsync(() => Migrations(world).Any(migration => (string?)migration["status"]?["phase"] == "Running"));

        await SuspendAsync(world);
        await world.RunForAsync(Long);

        ((string?)Migrations(world).ShouldHaveSingleItem()["status"]!["phase"]).ShouldBe("Running");
        await ResumeAsync(world);
        await world.RunForAsync(TimeSpan.FromMinutes(9));
        ((string?)Migrations(world).ShouldHaveSingleItem()["status"]!["phase"]).ShouldBe("Running", "what was left of its time is left still");
        await world.RunUntilAsync(() => Migrations(world).Any(migration => migration["spec"]!["addedNodeSelector"] is not null), TimeSpan.FromMinutes(10));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_extension_moves_the_deadline_of_the_drain_once_however_often_it_is_asked_for()
    {
        await using var world = await World.StartAsync(Held());
        await world.BeginAsync(ShortDrain(world));
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var deadline = (await StatusAsync(world)).Deadline!.Value;
        var extension = new Steer(SteerKind.Extend, "ann", "the fan takes longer") { From = deadline, To = deadline.AddMinutes(20), Key = "k1" };

        await SteerAsync(world, extension);
        await world.CrashAsync();
        await SteerAsync(world, extension);
        await SteerAsync(world, extension with { Key = null });
        await SteerAsync(world, extension with { From = deadline.AddMinutes(20), To = deadline.AddMinutes(90) });
        await world.RunForAsync(TimeSpan.FromMinutes(20));

        var status = await StatusAsync(world);
        (status.Step, status.Deadline).ShouldBe((MaintenanceStep.Drain, deadline.AddMinutes(20)));
        (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Deadline.ShouldBe(deadline.AddMinutes(20));
        var steer = status.Steers.ShouldHaveSingleItem();
        (steer.By, steer.Reason, steer.From, steer.To).ShouldBe(("ann", "the fan takes longer", deadline, deadline.AddMinutes(20)));
        var report = await world.EndAsync();
        report.Message.ShouldStartWith("Node node-1 was not empty within 30m:");
        world.Time.GetUtcNow().ShouldBeInRange(deadline.AddMinutes(20), deadline.AddMinutes(20).AddMinutes(2));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_extension_moves_the_deadline_of_a_hold_also_of_a_suspended_one()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold, ActionOptions = new ActionOptions { Timeout = TimeSpan.FromHours(1) } });
        await world.RunForAsync(TimeSpan.FromMinutes(30));
        var deadline = (await StatusAsync(world)).Deadline!.Value;

        await SteerAsync(world, new Steer(SteerKind.Extend, "ann") { From = deadline, To = deadline.AddHours(1) });
        await SuspendAsync(world);
        await SteerAsync(world, new Steer(SteerKind.Extend, "ann") { From = deadline.AddHours(1), To = deadline.AddHours(3) });
        await world.RunForAsync(Long);
        await ResumeAsync(world);
        await world.RunForAsync(TimeSpan.FromMinutes(200));
        (await StatusAsync(world)).IsHolding.ShouldBeTrue();
        var report = await world.EndAsync();

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Failed, "Nobody said complete within 6h."));
    }

    private static Scenario Held() => new()
    {
        Name = "held",
        Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}"))],
        Workloads = [new WorkloadSpec("deployment", "shop", "held") { Replicas = 1, On = ["node-1"] }],
        Budgets = [new BudgetSpec("shop", "held", "held") { MaxUnavailable = "0" }],
        Maintain = "node-1",
    };

    private static MaintenanceRequest ShortDrain(World world) => world.Request() with { Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(10) } };

    private static async Task<MaintenanceStatus> StatusAsync(World world) => (await world.StatusAsync<MaintenanceStatus>())!;

    private static Task SuspendAsync(World world) => SteerAsync(world, new Steer(SteerKind.Suspend, "ann", "storage is down"));

    private static Task ResumeAsync(World world) => SteerAsync(world, new Steer(SteerKind.Resume, "ann"));

    private static Task SteerAsync(World world, Steer steer) => world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, steer, default);

    /// <summary>The process dies at the nth commit after that was acknowledged, and comes back.</summary>
    private static async Task DyingAtAsync(World world, int commit, Func<Task> asked)
    {
        await asked();
        world.KillAt(CrashPoints.CommitBeforeCommit, commit);
        await world.RunUntilAsync(() => world.IsDead, TimeSpan.FromMinutes(30));
        await world.CrashAsync();
    }

    private static IReadOnlyList<string> Migrated(World world) =>
        [.. Migrations(world).Where(one => (string?)one["status"]?["phase"] == "Succeeded").Select(one => (string)one["spec"]!["vmiName"]!)];

    private static List<JsonObject> Migrations(World world) => [.. world.Cluster.Store.List(KubeVirtTypes.Migrations)];
}
