using System.Globalization;
using Drydock.DurableTask.Client;
using Drydock.Maintenance;
using Drydock.Operator.Resources;
using Drydock.UnitTests.Server;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

/// <summary>What a MaintenanceRollout starts, and what is told of it.</summary>
public sealed class RolloutReconcilerTests : IAsyncDisposable
{
    private const string Instance = "mro-uid-1";
    private const string By = "maintenancerollout/autumn/uid-1";

    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 2, 3, 0, 0, TimeSpan.Zero));
    private readonly InMemoryClient _client;
    private readonly FakeDrydockResource _resource = new();
    private readonly FakeResourceRequests _requests = new();

    public RolloutReconcilerTests() => _client = new InMemoryClient(_clock);

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    [Theory]
    [InlineData("""{"paused":true}""", $"Paused by {By}.")]
    [InlineData("""{"paused":false}""", null)]
    [InlineData("{}", null)]
    public async Task One_that_is_to_be_paused_is_started_so_and_needs_no_second_word(string spec, string? because)
    {
        _resource.Spec = spec;

        await ReconcileAsync();

        _client.InputOf<RolloutRequest>(Instance).PausedBecause.ShouldBe(because);
        _client.Raised.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_started_it_paused_is_what_its_spec_resumes()
    {
        _resource.Spec = """{"paused":true}""";
        await ReconcileAsync();
        _client.Set(Instance, new RolloutStatus([]) { IsPaused = true, Message = $"Paused by {By}. 0 of 2 nodes done, 0 failed, 0 under maintenance." });
        await ReconcileAsync();
        var whilePaused = _client.Raised.Count;

        _resource.Spec = """{"paused":false}""";
        await ReconcileAsync();

        whilePaused.ShouldBe(0);
        _client.Raised.Select(raised => raised.Name).ShouldBe([RolloutEvents.Steer]);
        _client.Raised[0].Payload.ShouldBe(new Steer(SteerKind.Resume, By));
    }

    [Fact]
    public async Task Nodes_under_maintenance_are_named_also_when_it_went_on_with_a_fresh_history()
    {
        RolloutNode Under(string name) => new(name, RolloutNodeState.UnderMaintenance, $"{Instance}:{name}");
        var ended = Under("node-2") with { State = RolloutNodeState.Done, Outcome = MaintenanceOutcome.Completed };
        await ReconcileAsync();
        var before = new RolloutRequest([]) { Template = new MaintenanceRequest("") { RequestedBy = By }, State = new RolloutState([Under("node-1"), Under("node-2")]) };
        _client.SetInput(Instance, before);
        _client.Set(Instance, new RolloutStatus([]) { Message = "2 under maintenance." });
        await ReconcileAsync();
        var fresh = UnderMaintenance();

        _client.Set(Instance, new RolloutStatus([ended, Under("node-3")]) { Message = "2 under maintenance." });
        await ReconcileAsync();

        fresh.ShouldBe(["node-1", "node-2"]);
        UnderMaintenance().ShouldBe(["node-1", "node-3"]);
    }

    [Fact]
    public async Task A_node_that_leaves_the_cluster_makes_a_rollout_under_way_not_invalid_and_it_still_obeys()
    {
        await ReconcileAsync();
        _client.Set(Instance, new RolloutStatus([]) { Message = "1 of 2 nodes done." });
        _requests.IsNodeGone = true;
        _resource.Spec = """{"paused":true}""";

        await ReconcileAsync();

        _resource.Status["phase"]!.ToString().ShouldBe("Running");
        Condition("Accepted").Status.ShouldBe("True");
        _client.Raised.ShouldHaveSingleItem().Payload.ShouldBe(new Steer(SteerKind.Suspend, By));
    }

    [Theory]
    [InlineData(MaintenanceOutcome.Completed, "Completed")]
    [InlineData(MaintenanceOutcome.Failed, "Ended")]
    public async Task One_that_is_over_does_not_begin_again_when_the_hub_has_forgotten_it(MaintenanceOutcome outcome, string phase)
    {
        await ReconcileAsync();
        End(new RolloutStatus([Node("node-1", outcome)]) { Total = 1, Done = 1, Failed = outcome == MaintenanceOutcome.Failed ? 1 : 0 });
        await ReconcileAsync();
        var told = _resource.Status.ToJsonString();
        _client.Forget(Instance);

        await ReconcileAsync();

        _client.Started.ShouldBe([Instance]);
        _resource.Status["phase"]!.ToString().ShouldBe(phase);
        _resource.Status.ToJsonString().ShouldBe(told);
    }

    [Fact]
    public async Task Deleting_one_that_was_stopped_cancels_its_nodes_and_one_that_was_cancelled_is_left_to_its_end()
    {
        await ReconcileAsync();
        _resource.DeletionRequestedAt = _clock.GetUtcNow();
        _client.Set(Instance, new RolloutStatus([]) { IsStopping = true, Message = "Stopped by ada." });
        await ReconcileAsync();
        var whenStopped = _client.Raised.Select(static raised => (raised.Instance, raised.Name)).ToList();

        _client.Set(Instance, new RolloutStatus([]) { IsStopping = true, IsCancelled = true, Message = "Stopped by ada." });
        await ReconcileAsync();

        whenStopped.ShouldBe([(Instance, RolloutEvents.Cancel)]);
        _client.Raised.Count.ShouldBe(1);
    }

    [Fact]
    public async Task It_is_complete_when_all_nodes_are_done_and_a_transition_keeps_its_time()
    {
        var begun = _clock.GetUtcNow();
        await ReconcileAsync();
        await ReconcileAsync();
        Condition("Complete").ShouldBe(("False", "Running", begun));
        Condition("Degraded").ShouldBe(("False", "AsExpected", begun));
        _clock.Advance(TimeSpan.FromMinutes(5));
        End(new RolloutStatus([Node("node-1", MaintenanceOutcome.Completed), Node("node-2", MaintenanceOutcome.Completed)]) { Total = 2, Done = 2 });

        await ReconcileAsync();

        Condition("Accepted").ShouldBe(("True", "Started", begun));
        Condition("Complete").ShouldBe(("True", "NodesDone", begun + TimeSpan.FromMinutes(5)));
        Condition("Degraded").ShouldBe(("False", "AsExpected", begun));
        _resource.Status["conditions"]!.AsArray().ShouldAllBe(static condition => condition!["observedGeneration"]!.GetValue<long>() == 1);
    }

    [Theory]
    [InlineData(MaintenanceOutcome.Failed, 1, "NodesFailed")]
    [InlineData(MaintenanceOutcome.Cancelled, 0, "Ended")]
    public async Task It_is_not_complete_when_it_is_over_and_a_node_was_not_maintained(MaintenanceOutcome outcome, int failed, string reason)
    {
        await ReconcileAsync();
        End(new RolloutStatus([Node("node-1", MaintenanceOutcome.Completed), Node("node-2", outcome)]) { Total = 2, Done = 2, Failed = failed });

        await ReconcileAsync();

        (Condition("Complete").Status, Condition("Complete").Reason).ShouldBe(("False", "Ended"));
        (Condition("Degraded").Status, Condition("Degraded").Reason).ShouldBe(("True", reason));
    }

    [Theory]
    [InlineData("""{"paused":true}""", $"Paused by {By}.", "False", "AsExpected")]
    [InlineData("{}", "Paused: canary node node-1 is not ready after the soak time.", "True", "Paused")]
    public async Task A_pause_is_a_fault_unless_its_spec_asks_for_it(string spec, string message, string status, string reason)
    {
        _resource.Spec = spec;
        await ReconcileAsync();
        _client.Set(Instance, new RolloutStatus([]) { IsPaused = true, Message = message });

        await ReconcileAsync();

        (Condition("Complete").Status, Condition("Complete").Reason).ShouldBe(("False", "Paused"));
        (Condition("Degraded").Status, Condition("Degraded").Reason).ShouldBe((status, reason));
    }

    [Fact]
    public async Task One_that_was_ended_by_force_is_a_fault_and_not_complete()
    {
        await ReconcileAsync();
        _client.Set(Instance, status: OrchestrationRuntimeStatus.Terminated);

        await ReconcileAsync();

        (Condition("Complete").Status, Condition("Complete").Reason).ShouldBe(("False", "Failed"));
        (Condition("Degraded").Status, Condition("Degraded").Reason).ShouldBe(("True", "Ended"));
    }

    private static RolloutNode Node(string name, MaintenanceOutcome outcome) => new(name, RolloutNodeState.Done, $"{Instance}:{name}", outcome);

    private void End(RolloutStatus output) => _client.Set(Instance, output: output, status: OrchestrationRuntimeStatus.Completed);

    private (string Status, string Reason, DateTimeOffset Since) Condition(string type)
    {
        var condition = _resource.Status["conditions"]!.AsArray().Single(one => one!["type"]!.ToString() == type)!;
        var since = DateTimeOffset.Parse(condition["lastTransitionTime"]!.ToString(), CultureInfo.InvariantCulture);
        return (condition["status"]!.ToString(), condition["reason"]!.ToString(), since);
    }

    private IEnumerable<string> UnderMaintenance() => [.. _resource.Status["underMaintenance"]!.AsArray().Select(name => name!.ToString())];

    private Task ReconcileAsync() =>
        new RolloutReconciler(_resource, _requests, _client, _clock).ReconcileAsync("autumn", TestContext.Current.CancellationToken);
}
