using Drydock.Api;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.Converters;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Drain;
using Drydock.Server;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>What is persisted of a maintenance and its parts, in the words of the API.</summary>
public sealed class MaintenanceViewsTests
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly ObjectRef Db = new("vms", "db");

    private static readonly DrainStatus LastTold = new(3, 1)
    {
        Terminating = 2, Blockers = [Blocker("budget-exhausted", "shop/web-1")], MachinesInOrder = [Db], OrderInHand = 1,
    };

    [Fact]
    public void A_drain_under_way_is_told_by_its_status()
    {
        var view = View(MaintenanceStep.Drain, Child("m-1:pods", Orchestrations.Drain, LastTold));

        view.Pods.ShouldBe(new PodCounts(9, 3, 1, 2));
        view.Blockers.ShouldHaveSingleItem().Pod.ShouldBe("shop/web-1");
        view.Vms.ShouldHaveSingleItem().Message.ShouldStartWith("Its turn comes when all of order 1");
    }

    [Theory]
    [InlineData(MaintenanceStep.Health)]
    [InlineData(MaintenanceStep.Restore)]
    public void A_drain_that_is_over_holds_nothing_up_and_is_counted_by_what_became_of_its_pods(MaintenanceStep step)
    {
        var result = new DrainResult(DrainEnd.Empty, [Pod("web-1", true), Pod("web-2", true), Pod("queue-0", false), Pod("virt-launcher-db", true) with { IsLauncher = true }], LastTold.Blockers);

        var view = View(step, Child("m-1:pods", Orchestrations.Drain, LastTold, OrchestrationRuntimeStatus.Completed, result));

        view.Pods.ShouldBe(new PodCounts(9, 3, 2, 0));
        view.Blockers.ShouldBeEmpty();
        view.Vms.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(OrchestrationRuntimeStatus.Failed)]
    [InlineData(OrchestrationRuntimeStatus.Terminated)]
    public void A_drain_that_was_ended_by_a_fault_or_by_force_is_counted_as_it_told_last(OrchestrationRuntimeStatus how)
    {
        var view = View(MaintenanceStep.Restore, Child("m-1:pods", Orchestrations.Drain, LastTold, how, "enough"));

        view.Pods.ShouldBe(new PodCounts(9, 3, 1, 0));
        view.Blockers.ShouldBeEmpty();
    }

    [Fact]
    public void What_held_a_move_up_that_is_over_is_in_the_way_no_more_and_what_holds_the_restore_up_is()
    {
        var stuck = new VmStatus(Db, VmProgress.Blocked, "stuck") { Blocker = Blocker("migration-stuck", "vms/db") };
        var starting = new RestoreStatus([new VmStatus(Db, VmProgress.Starting, "starting") { Blocker = Blocker("vm-start-refused", "vms/db") }]);

        var moving = View(MaintenanceStep.Drain, Child("m-1:vm:vms/db", Orchestrations.MoveVm, stuck));
        var restoring = View(
            MaintenanceStep.Restore,
            Child("m-1:vm:vms/db", Orchestrations.MoveVm, stuck, OrchestrationRuntimeStatus.Completed),
            Child("m-1:restore", Orchestrations.Restore, starting));

        moving.Blockers.ShouldHaveSingleItem().Kind.ShouldBe("migration-stuck");
        restoring.Blockers.ShouldHaveSingleItem().Kind.ShouldBe("vm-start-refused");
        restoring.Vms.ShouldHaveSingleItem().Message.ShouldBe("starting");
    }

    [Fact]
    public void One_that_is_being_cancelled_is_that_also_while_its_lease_is_lost_and_tells_of_the_lease()
    {
        var view = View(new MaintenanceStatus("worker-a", MaintenanceStep.Restore, "The lease is lost.") { IsCancelling = true, IsLeaseLost = true, LeaseLostAt = At });

        (view.State, view.LeaseLostAt, view.Message).ShouldBe((MaintenanceState.Cancelling, At, "The lease is lost."));
    }

    [Theory]
    [InlineData(VmOutcome.Skipped, "Blocked")]
    [InlineData(VmOutcome.StillThere, "Blocked")]
    [InlineData(VmOutcome.Migrated, "Gone")]
    public void A_machine_that_is_left_on_the_node_is_not_gone(VmOutcome outcome, string progress)
    {
        var report = new MaintenanceReport("worker-a", MaintenanceOutcome.Completed, "done") { VirtualMachines = [new VmResult(Db, outcome, 0, "so")] };
        var root = Instance("m-1", Orchestrations.Maintenance, null, OrchestrationRuntimeStatus.Completed, report, new MaintenanceRequest("worker-a"));

        var vm = MaintenanceViews.View(new InstanceTree(root, []), withPods: false).Vms.ShouldHaveSingleItem();

        (vm.Progress, vm.Outcome).ShouldBe((progress, outcome.ToString()));
    }

    private static MaintenanceView View(MaintenanceStep step, params OrchestrationMetadata[] children) =>
        View(new MaintenanceStatus("worker-a", step, "so") { PodsToEvict = 3, PodsTotal = 9 }, children);

    private static MaintenanceView View(MaintenanceStatus status, params OrchestrationMetadata[] children) => MaintenanceViews.View(
        new InstanceTree(Instance("m-1", Orchestrations.Maintenance, status, OrchestrationRuntimeStatus.Running, null, new MaintenanceRequest("worker-a")), children), withPods: false);

    private static OrchestrationMetadata Child(
        string id, string name, object status, OrchestrationRuntimeStatus state = OrchestrationRuntimeStatus.Running, object? output = null) => Instance(id, name, status, state, output, null);

    private static OrchestrationMetadata Instance(string id, string name, object? status, OrchestrationRuntimeStatus state, object? output, object? input) => new(name, id)
    {
        RuntimeStatus = state,
        CreatedAt = At,
        LastUpdatedAt = At,
        SerializedInput = JsonDataConverter.Default.Serialize(input),
        SerializedOutput = JsonDataConverter.Default.Serialize(output),
        SerializedCustomStatus = JsonDataConverter.Default.Serialize(status),
    };

    private static PodResult Pod(string name, bool isGone) => new(new ObjectRef("shop", name), name, isGone, 1, At, isGone ? At : null, null);

    private static Blocker Blocker(string kind, string pod) => new(kind, pod, null, "no", At, 3, At, null, "wait");
}
