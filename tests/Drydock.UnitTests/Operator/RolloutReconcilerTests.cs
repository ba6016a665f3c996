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
    private readonly FakeDrydockResource _resources = new();

    public RolloutReconcilerTests() => _client = new InMemoryClient(_clock);

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    [Theory]
    [InlineData("""{"paused":true}""", $"Paused by {By}.")]
    [InlineData("""{"paused":false}""", null)]
    [InlineData("{}", null)]
    public async Task One_that_is_to_be_paused_is_started_so_and_needs_no_second_word(string spec, string? because)
    {
        _resources.Spec = spec;

        await ReconcileAsync();

        _client.InputOf<RolloutRequest>(Instance).PausedBecause.ShouldBe(because);
        _client.Raised.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_started_it_paused_is_what_its_spec_resumes()
    {
        _resources.Spec = """{"paused":true}""";
        await ReconcileAsync();
        _client.Set(Instance, new RolloutStatus([]) { IsPaused = true, Message = $"Paused by {By}. 0 of 2 nodes done, 0 failed, 0 under maintenance." });
        await ReconcileAsync();
        var whilePaused = _client.Raised.Count;

        _resources.Spec = """{"paused":false}""";
        await ReconcileAsync();

        whilePaused.ShouldBe(0);
        _client.Raised.Select(raised => raised.Name).ShouldBe([RolloutEvents.Resume]);
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
    public async Task Deleting_one_that_was_stopped_cancels_its_nodes_and_one_that_was_cancelled_is_left_to_its_end()
    {
        await ReconcileAsync();
        _resources.DeletionRequestedAt = _clock.GetUtcNow();
        _client.Set(Instance, new RolloutStatus([]) { IsStopping = true, Message = "Stopped by ada." });
        await ReconcileAsync();
        var whenStopped = _client.Raised.Select(static raised => (raised.Instance, raised.Name)).ToList();

        _client.Set(Instance, new RolloutStatus([]) { IsStopping = true, IsCancelled = true, Message = "Stopped by ada." });
        await ReconcileAsync();

        whenStopped.ShouldBe([(Instance, RolloutEvents.Cancel)]);
        _client.Raised.Count.ShouldBe(1);
    }

    private IEnumerable<string> UnderMaintenance() => [.. _resources.Status["underMaintenance"]!.AsArray().Select(name => name!.ToString())];

    private Task ReconcileAsync() =>
        new RolloutReconciler(_resources, new FakeResourceRequests(), _client, _clock).ReconcileAsync("autumn", TestContext.Current.CancellationToken);
}
