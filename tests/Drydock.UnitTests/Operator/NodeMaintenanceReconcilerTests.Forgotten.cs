using Drydock.DurableTask.Client;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Operator;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

/// <summary>What a NodeMaintenance is when its maintenance is over, also when the hub has forgotten it.</summary>
public sealed partial class NodeMaintenanceReconcilerTests
{
    [Fact]
    public async Task One_that_failed_does_not_begin_again_when_the_hub_has_forgotten_it()
    {
        await ReconcileAsync(2);
        End(MaintenanceOutcome.Failed, "The drain took too long.");
        await ReconcileAsync(1);
        _client.Forget(Instance);

        await ReconcileAsync(2);

        _client.Started.ShouldBe([Instance]);
        (_resources[Name]!.Status.Phase, _resources[Name]!.Status.LastError).ShouldBe(("Failed", "The drain took too long."));
    }

    [Fact]
    public async Task One_that_holds_nothing_has_succeeded_when_it_is_over_and_stays_so()
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.Action, "None"));
        await ReconcileAsync(2);
        End(MaintenanceOutcome.Completed);
        await ReconcileAsync(1);
        var status = _resources[Name]!.Status;
        _client.Forget(Instance);

        await ReconcileAsync(2);

        (status.Phase, status.DrainProgress, status.LastError).ShouldBe(("Succeeded", 100, null));
        _resources.Events.ShouldContain("SucceedMaintenance");
        _resources.Events.ShouldNotContain("FailedMaintenance");
        _client.Started.ShouldBe([Instance]);
    }

    [Fact]
    public async Task One_that_is_held_is_held_again_when_the_hub_is_lost()
    {
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Action, isHolding: true);
        await ReconcileAsync(1);
        _client.Forget(Instance);

        await ReconcileAsync(2);

        _client.Started.ShouldBe([Instance, Instance]);
    }

    [Fact]
    public async Task One_that_is_held_since_a_hub_that_was_lost_is_held_on_under_the_name_it_had_there()
    {
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Action, isHolding: true);
        await ReconcileAsync(1);
        _client.Forget(Instance);
        _cluster.Mark = new HoldMark($"drydock/another-hub/{Instance}", "{}");

        await ReconcileAsync(2);

        _client.InputOf<MaintenanceRequest>(Instance).HubId.ShouldBe("another-hub");
    }

    [Fact]
    public async Task A_node_that_somebody_else_holds_is_asked_for_under_our_own_name()
    {
        _cluster.Mark = new HoldMark("drydock/another-hub/m-1", "{}");

        await ReconcileAsync(2);

        _client.InputOf<MaintenanceRequest>(Instance).HubId.ShouldBe("hub");
    }

    [Fact]
    public async Task A_deletion_puts_back_what_carries_its_mark_also_where_its_maintenance_was_refused()
    {
        await ReconcileAsync(2);
        End(MaintenanceOutcome.Refused, "Node worker-a still carries the marks of maintenance nm-uid-1.");
        _cluster.Mark = new HoldMark($"drydock/another-hub/{Instance}", "{}");
        _resources.Delete(Name);

        await ReconcileAsync(2);

        _resources[Name].ShouldNotBeNull();
        _client.InputOf<RestoreRequest>(NodeMaintenanceReconciler.UndoIdOf(Instance)).Holder.ShouldBe($"drydock/another-hub/{Instance}");
    }

    [Fact]
    public async Task One_whose_annotation_was_mended_begins()
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.Action, "Reboot"));
        await ReconcileAsync(2);
        _resources.Annotate(Name, (NodeMaintenanceAnnotations.Action, "Hold"));

        await ReconcileAsync(2);

        _client.Started.ShouldBe([Instance]);
    }

    [Fact]
    public async Task A_node_that_the_hub_has_forgotten_is_put_back_by_its_own_mark_before_the_resource_goes()
    {
        await ReconcileAsync(2);
        _client.Forget(Instance);
        _cluster.Mark = new HoldMark($"drydock/another-hub/{Instance}", "{}");
        _resources.Delete(Name);
        await ReconcileAsync(2);
        var isKept = _resources[Name] is not null;
        var undo = NodeMaintenanceReconciler.UndoIdOf(Instance);
        _client.Set(undo, output: new RestoreResult(false, [], []), status: OrchestrationRuntimeStatus.Completed);

        await ReconcileAsync(1);

        isKept.ShouldBeTrue();
        _client.InputOf<RestoreRequest>(undo).Holder.ShouldBe($"drydock/another-hub/{Instance}");
        _resources[Name].ShouldBeNull();
    }

    [Fact]
    public async Task One_whose_turn_in_the_control_plane_has_not_come_waits_and_tries_again()
    {
        await ReconcileAsync(2);
        HeldByOther("control-plane-busy");

        await ReconcileAsync(1);

        _resources[Name]!.Status.Phase.ShouldBe("Running");
        _client.Started.ShouldBe([Instance, Instance]);
    }

    [Theory]
    [InlineData("lease-held")]
    [InlineData("control-plane-busy")]
    public async Task One_that_a_person_rejected_has_failed_although_somebody_held_the_node_when_the_plan_was_read(string kind)
    {
        await ReconcileAsync(2);
        HeldByOther(kind, FindingSeverity.Blocks);

        await ReconcileAsync(2);

        _resources[Name]!.Status.Phase.ShouldBe("Failed");
        _client.Started.ShouldBe([Instance]);
    }
}
