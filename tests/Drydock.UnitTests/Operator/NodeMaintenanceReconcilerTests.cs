using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Operator;
using Drydock.UnitTests.Server;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

public sealed partial class NodeMaintenanceReconcilerTests : IAsyncDisposable
{
    private const string Name = "maintain-a";
    private const string Instance = "nm-uid-1";

    private static readonly FixedPolicies Policies = new([new MaintenancePolicy("careful") { HealthOnDelete = true }, new MaintenancePolicy("quick")]);

    private readonly FakeNodeMaintenances _resources = new();
    private readonly StubCluster _cluster = new("worker-a");
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 2, 3, 0, 0, TimeSpan.Zero));
    private readonly InMemoryClient _client = new(TimeProvider.System);
    private NodeMaintenanceReconciler _reconciler = null!;

    public NodeMaintenanceReconcilerTests()
    {
        _resources.Create(Name, "worker-a");
        Restart();
    }

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    [Fact]
    public async Task A_new_resource_gets_its_finalizer_first_and_then_one_maintenance_that_holds()
    {
        await ReconcileAsync(5);

        _resources[Name]!.HasFinalizer.ShouldBeTrue();
        _client.Started.ShouldBe([Instance]);
        var request = _client.InputOf<MaintenanceRequest>(Instance);
        request.Action.ShouldBe(MaintenanceAction.Hold);
        (request.Drain with { Rules = [] }).ShouldBe(new DrainPolicy { OnTimeout = DeadlinePolicy.Wait, EvictUnmanaged = true, DeleteEmptyDirData = true });
        request.RequestedBy.ShouldBe("nodemaintenance/maintain-a");
    }

    [Fact]
    public async Task Restarts_between_any_two_reconciles_change_nothing()
    {
        for (var i = 0; i < 5; i++)
        {
            Restart();
            await ReconcileAsync(2);
        }

        _client.Started.ShouldBe([Instance]);
        _client.Raised.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_held_node_is_said_as_succeeded_once()
    {
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Drain);
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Action, isHolding: true);
        await ReconcileAsync(3);

        var status = _resources[Name]!.Status;
        (status.Phase, status.DrainProgress, status.EvictionPods, status.TotalPods).ShouldBe(("Succeeded", 100, 4, 6));
        status.PendingPods.ShouldBeEmpty();
        _resources.Events.ShouldBe(["BeginMaintenance", "SucceedMaintenance"]);
    }

    [Fact]
    public async Task While_it_drains_the_status_counts()
    {
        _cluster.Pods = [new PodSnapshot(new ObjectRef("ns", "web"), "u", "worker-a") { Controller = new OwnerRef("ReplicaSet", "web", "r") }];
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Drain);
        var at = DateTimeOffset.UnixEpoch;
        _client.Set(
            InstanceIds.Pods(Instance),
            new DrainStatus(4, 3) { Blockers = [new Blocker("budget-exhausted", "ns/web", null, "the budget says no", at, 1, null, null, "wait")] },
            name: Orchestrations.Drain);

        await ReconcileAsync(1);

        var status = _resources[Name]!.Status;
        (status.Phase, status.DrainProgress, status.LastError).ShouldBe(("Running", 75, "the budget says no"));
        status.PendingPods.ShouldHaveSingleItem().Name.ShouldBe("web");

        Progress(MaintenanceStep.Health);
        await ReconcileAsync(1);

        var after = _resources[Name]!.Status;
        (after.Phase, after.DrainProgress, after.LastError, after.PendingPods.Count).ShouldBe(("Running", 100, null, 0), "the drain is over");
    }

    [Fact]
    public async Task Who_suspended_it_is_said_also_when_something_else_is_in_the_way()
    {
        await ReconcileAsync(2);
        var since = new DateTimeOffset(2026, 3, 1, 2, 0, 0, TimeSpan.Zero);
        _client.Set(Instance, new MaintenanceStatus("worker-a", MaintenanceStep.Drain, "draining") { Suspension = new Suspension("ann", "the storage is down", since) }, name: Orchestrations.Maintenance);
        _client.Set(
            InstanceIds.Pods(Instance),
            new DrainStatus(4, 3) { Blockers = [new Blocker("budget-exhausted", "ns/web", null, "the budget says no", since, 1, null, null, "wait")] },
            name: Orchestrations.Drain);

        await ReconcileAsync(1);

        _resources[Name]!.Status.LastError.ShouldBe("Suspended by ann since 2026-03-01 02:00:00Z: the storage is down. Nothing new is begun until it is resumed.");
    }

    [Fact]
    public async Task Tries_of_the_lease_that_failed_in_a_row_are_counted_in_the_status()
    {
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Drain);
        foreach (var failures in (int[])[2, 0])
        {
            _client.Set(InstanceIds.Lease(Instance), new HoldLeaseStatus(failures), name: Orchestrations.HoldLease);

            await ReconcileAsync(1);

            _resources[Name]!.Status.ErrorOnLeaseCount.ShouldBe(failures);
        }
    }

    [Fact]
    public async Task Deleting_it_while_it_drains_cancels_and_deleting_it_while_it_holds_completes()
    {
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Drain);
        _resources.Delete(Name);
        await ReconcileAsync(3);
        _client.Raised.ShouldHaveSingleItem().Name.ShouldBe(MaintenanceEvents.Cancel);

        _client.Raised.Clear();
        Restart();
        Progress(MaintenanceStep.Action, isHolding: true);
        await ReconcileAsync(3);
        _client.Raised.ShouldHaveSingleItem().Payload.ShouldBeOfType<Complete>().SkipHealth.ShouldBeTrue();
    }

    [Fact]
    public async Task The_finalizer_stays_until_the_maintenance_is_over()
    {
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Action, isHolding: true);
        _resources.Delete(Name);
        await ReconcileAsync(2);
        _resources[Name].ShouldNotBeNull();

        End(MaintenanceOutcome.Completed);
        await ReconcileAsync(2);

        _resources[Name].ShouldBeNull();
        _resources.Events.ShouldContain("RemovedMaintenance");
        _client.Started.ShouldBe([Instance]);
    }

    [Fact]
    public async Task A_refusal_is_said_as_failed_with_its_reason()
    {
        await ReconcileAsync(2);
        End(MaintenanceOutcome.Refused, "The lease is held by node-maintenance.");

        await ReconcileAsync(2);

        var status = _resources[Name]!.Status;
        (status.Phase, status.LastError).ShouldBe(("Failed", "The lease is held by node-maintenance."));
        _resources.Events.ShouldContain("FailedMaintenance");
    }

    [Fact]
    public async Task A_maintenance_that_was_ended_by_force_is_put_back_from_the_marks_before_the_resource_goes()
    {
        await ReconcileAsync(2);
        _client.Set(Instance, status: OrchestrationRuntimeStatus.Terminated);
        _resources.Delete(Name);
        await ReconcileAsync(2);
        _resources[Name].ShouldNotBeNull();
        _client.Started.ShouldBe([Instance, Instance + ":undo"]);

        _client.Set(Instance + ":undo", output: new RestoreResult(false, ["node worker-a"], []), status: OrchestrationRuntimeStatus.Completed);
        await ReconcileAsync(1);

        _resources[Name].ShouldBeNull();
        _client.InputOf<RestoreRequest>(Instance + ":undo").Holder.ShouldBe("drydock/hub/nm-uid-1");
    }

    [Fact]
    public async Task A_resource_whose_finalizer_was_taken_off_by_hand_ends_its_maintenance_also_after_a_restart()
    {
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Drain);
        _resources.Remove(Name);
        Restart();

        await _reconciler.EndOrphansAsync(Token);

        _client.Raised.ShouldHaveSingleItem().Name.ShouldBe(MaintenanceEvents.Cancel);
    }

    [Fact]
    public async Task A_second_life_of_the_same_name_is_a_new_maintenance()
    {
        await ReconcileAsync(2);
        End(MaintenanceOutcome.Completed);
        _resources.Create(Name, "worker-a", "uid-2");

        await ReconcileAsync(3);

        _client.Started.ShouldBe([Instance, "nm-uid-2"]);
    }

    [Fact]
    public async Task A_node_that_another_holds_is_tried_again_and_again_and_the_status_says_whose_it_is()
    {
        await ReconcileAsync(2);
        HeldByOther();
        await ReconcileAsync(1);

        var status = _resources[Name]!.Status;
        (status.Phase, status.LastError).ShouldBe(("Running", "The lease of node worker-a is held by maintenance m-1."));
        _client.Started.ShouldBe([Instance, Instance]);
        _resources.Events.ShouldNotContain("FailedMaintenance");
    }

    [Fact]
    public async Task One_that_waits_for_another_and_is_deleted_goes_without_another_try()
    {
        await ReconcileAsync(2);
        HeldByOther();
        _resources.Delete(Name);

        await ReconcileAsync(2);

        _resources[Name].ShouldBeNull();
        _client.Started.ShouldBe([Instance]);
    }

    [Theory]
    [InlineData("None", MaintenanceAction.None)]
    [InlineData("hold", MaintenanceAction.Hold)]
    public async Task The_action_and_the_policy_come_by_annotation(string text, MaintenanceAction action)
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.Action, text), (NodeMaintenanceAnnotations.Policy, "quiet"));

        await ReconcileAsync(2);

        var request = _client.InputOf<MaintenanceRequest>(Instance);
        (request.Action, request.Policy).ShouldBe((action, "quiet"));
    }

    [Theory]
    [InlineData("drydock.dev/action", "Reboot", "Annotation drydock.dev/action: 'Reboot' is not allowed; allowed: Hold, None.")]
    [InlineData("drydock.dev/action", "Job", "Annotation drydock.dev/action: 'Job' is not allowed; allowed: Hold, None.")]
    [InlineData("drydock.dev/manifest", "{\"kind\":\"Job\"}", "Annotation drydock.dev/manifest: a NodeMaintenance brings no Job of its own; start that by REST")]
    public async Task An_annotation_that_cannot_be_followed_fails_in_words_and_starts_nothing(string annotation, string value, string sentence)
    {
        _resources.Create(Name, "worker-a", "uid-1", (annotation, value));

        await ReconcileAsync(2);

        _resources[Name]!.Status.Phase.ShouldBe("Failed");
        _resources[Name]!.Status.LastError.ShouldNotBeNull().ShouldStartWith(sentence);
        _client.Started.ShouldBeEmpty();
    }

    [Fact]
    public async Task One_with_a_window_begins_when_that_opens()
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.Window, "nightly"));
        await ReconcileAsync(2);
        _resources[Name]!.Status.LastError.ShouldBe("Waits for window nightly, which does not exist.");
        var window = new WindowRequest(new RolloutRequest([])) { Cron = "0 4 * * *", Duration = TimeSpan.FromHours(1) };
        await _client.ScheduleNewOrchestrationInstanceAsync(Orchestrations.Window, window, new StartOrchestrationOptions("w-nightly"), Token);
        var waits = await _reconciler.ReconcileAsync(Name, Token);

        _resources[Name]!.Status.LastError.ShouldBe("Waits for window nightly, which opens at 2026-01-02 04:00:00Z.");
        waits.Again.ShouldBe(TimeSpan.FromMinutes(1));
        _clock.Advance(TimeSpan.FromHours(1));
        await ReconcileAsync(2);
        _client.Started.ShouldContain(Instance);
    }

    [Fact]
    public async Task One_does_not_begin_in_a_window_that_is_being_removed()
    {
        var window = new WindowRequest(new RolloutRequest([])) { Cron = "* * * * *", Duration = TimeSpan.FromHours(1) };
        await _client.ScheduleNewOrchestrationInstanceAsync(Orchestrations.Window, window, new StartOrchestrationOptions("w-nightly"), Token);
        _client.Set("w-nightly", new WindowStatus("Cancelled. The nodes in hand are not done yet.") { IsCancelled = true });
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.Window, "nightly"));

        await ReconcileAsync(2);

        _resources[Name]!.Status.LastError.ShouldBe("Waits for window nightly, which is being removed: it opens no more until it is set up again.");
        _client.Started.ShouldNotContain(Instance);
    }

    [Fact]
    public async Task A_deletion_asks_for_health_only_if_the_annotation_says_so()
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.HealthOnDelete, "true"));
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Action, isHolding: true);
        _resources.Delete(Name);
        await ReconcileAsync(2);

        _client.Raised.ShouldHaveSingleItem().Payload.ShouldBeOfType<Complete>().SkipHealth.ShouldBeFalse();
    }

    [Theory]
    [InlineData("careful", false)]
    [InlineData("quick", true)]
    [InlineData("gone", true)]
    public async Task A_deletion_asks_for_health_if_the_policy_it_was_started_under_says_so(string policy, bool skips)
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.Policy, policy));
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Action, isHolding: true);
        _resources.Annotate(Name, (NodeMaintenanceAnnotations.HealthOnDelete, "false"));
        _resources.Delete(Name);

        await ReconcileAsync(2);

        _client.Raised.ShouldHaveSingleItem().Payload.ShouldBeOfType<Complete>().SkipHealth.ShouldBe(skips);
    }

    [Fact]
    public async Task The_finalizer_goes_after_an_hour_although_the_maintenance_does_not_end()
    {
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Restore);
        _resources.Delete(Name);
        _resources.DeletedAt(Name, _clock.GetUtcNow());
        await ReconcileAsync(2);
        _resources[Name].ShouldNotBeNull();

        _clock.Advance(TimeSpan.FromHours(1));
        await ReconcileAsync(1);

        _resources[Name].ShouldBeNull();
    }

    private void HeldByOther(string kind = "lease-held", FindingSeverity severity = FindingSeverity.Refuses) => _client.Set(
        Instance,
        output: new MaintenanceReport("worker-a", MaintenanceOutcome.Refused, "The lease of node worker-a is held by maintenance m-1.")
        {
            Findings = [new PlanFinding(severity, kind, "It is held.")],
        },
        status: OrchestrationRuntimeStatus.Completed);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private void Restart() => _reconciler = new NodeMaintenanceReconciler(
        _resources, _cluster, _client, Policies, static () => "hub", _clock, NullLogger<NodeMaintenanceReconciler>.Instance);

    private async Task ReconcileAsync(int times)
    {
        for (var i = 0; i < times; i++)
        {
            await _reconciler.ReconcileAsync(Name, Token);
        }
    }

    private void Progress(MaintenanceStep step, bool isHolding = false) => _client.Set(
        Instance, new MaintenanceStatus("worker-a", step, "…") { PodsTotal = 6, PodsToEvict = 4, IsHolding = isHolding });

    private void End(MaintenanceOutcome outcome, string message = "It is over.") => _client.Set(
        Instance, output: new MaintenanceReport("worker-a", outcome, message) { IsRestored = true }, status: OrchestrationRuntimeStatus.Completed);
}
