using Drydock.DurableTask.Client;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Operator;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

/// <content>A node that a deletion is to give back only when it is healthy.</content>
public sealed partial class NodeMaintenanceReconcilerTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_node_that_its_maintenance_keeps_is_kept_where_health_was_asked_for_and_put_back_elsewhere(bool isAskedFor)
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.HealthOnDelete, isAskedFor ? "true" : "false"));
        await ReconcileAsync(2);
        _cluster.Mark = new HoldMark($"drydock/hub/{Instance}", "{}");
        Progress(MaintenanceStep.Action, isHolding: true);
        _resources.Delete(Name);
        await ReconcileAsync(1);
        var report = new MaintenanceReport("worker-a", MaintenanceOutcome.Failed, "Node worker-a was not healthy within 15m: It is not Ready.")
        {
            IsNodeKept = true, LeftBehind = ["Node worker-a is still cordoned, tainted and marked. When it is fit: drydock restore worker-a"],
        };
        _client.Set(Instance, output: report, status: OrchestrationRuntimeStatus.Completed);

        await ReconcileAsync(2);

        _client.Started.ShouldBe(isAskedFor ? [Instance] : [Instance, NodeMaintenanceReconciler.UndoIdOf(Instance)]);
        (_resources[Name] is null).ShouldBe(isAskedFor);
        _resources.Events.Contains("NodeKept").ShouldBe(isAskedFor);
    }

    [Fact]
    public async Task A_node_that_is_healthy_and_of_which_something_could_not_be_put_back_is_put_back_once_more()
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.HealthOnDelete, "true"));
        await ReconcileAsync(2);
        var report = new MaintenanceReport("worker-a", MaintenanceOutcome.Failed, "Node worker-a was not put back.") { LeftBehind = ["Node worker-a was not put back."] };
        _client.Set(Instance, output: report, status: OrchestrationRuntimeStatus.Completed);
        _resources.Delete(Name);

        await ReconcileAsync(2);

        _client.Started.ShouldContain(NodeMaintenanceReconciler.UndoIdOf(Instance));
    }

    [Theory]
    [InlineData(MaintenanceStep.Action, "steer, complete")]
    [InlineData(MaintenanceStep.Health, "steer")]
    [InlineData(MaintenanceStep.Drain, "cancel")]
    public async Task A_suspended_maintenance_is_resumed_and_the_health_of_a_node_that_it_held_asked_for(MaintenanceStep step, string raised)
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.HealthOnDelete, "true"));
        await ReconcileAsync(2);
        _client.Set(Instance, new MaintenanceStatus("worker-a", step, "…")
        {
            IsHolding = step == MaintenanceStep.Action, Suspension = new Suspension("ann", null, _clock.GetUtcNow()),
        });
        _resources.Delete(Name);

        await ReconcileAsync(3);

        string.Join(", ", _client.Raised.Select(static one => one.Name)).ShouldBe(raised);
        _client.Raised.Select(static one => one.Payload).OfType<Complete>().ShouldAllBe(static complete => !complete.SkipHealth);
    }

    [Theory]
    [InlineData("careful", false)]
    [InlineData("quick", true)]
    public async Task The_policy_asks_for_health_also_where_the_finalizer_was_taken_off_by_hand(string policy, bool skips)
    {
        _resources.Create(Name, "worker-a", "uid-1", (NodeMaintenanceAnnotations.Policy, policy));
        await ReconcileAsync(2);
        Progress(MaintenanceStep.Action, isHolding: true);
        _resources.Remove(Name);

        await _reconciler.EndOrphansAsync(Token);

        _client.Raised.ShouldHaveSingleItem().Payload.ShouldBeOfType<Complete>().SkipHealth.ShouldBe(skips);
    }
}
