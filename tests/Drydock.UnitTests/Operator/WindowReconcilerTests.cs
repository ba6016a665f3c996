using Drydock.DurableTask.Client;
using Drydock.Maintenance;
using Drydock.Operator.Resources;
using Drydock.UnitTests.Server;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

/// <summary>What a MaintenanceWindow sets up, and what is told of it.</summary>
public sealed class WindowReconcilerTests : IAsyncDisposable
{
    private const string Instance = "w-nightly";
    private const string First = """{"cron":"0 2 * * *"}""";
    private const string Second = """{"cron":"0 4 * * *"}""";

    private static readonly WindowStatus Ending = new("Cancelled. The nodes in hand are not done yet.") { Rollout = "w-nightly:1", IsCancelled = true };

    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 2, 3, 0, 0, TimeSpan.Zero));
    private readonly InMemoryClient _client;
    private readonly FakeDrydockResource _resource = new() { Spec = First };
    private readonly FakeResourceRequests _requests = new();

    public WindowReconcilerTests() => _client = new InMemoryClient(_clock);

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    [Fact]
    public async Task A_spec_that_becomes_again_what_it_was_sets_the_window_up_again_once_the_one_of_before_is_over()
    {
        await ReconcileAsync();
        _client.Set(Instance, new WindowStatus("Open.") { ClosesAt = _clock.GetUtcNow() });
        _resource.Spec = Second;
        await ReconcileAsync();
        _client.Set(Instance, Ending);
        _resource.Spec = First;
        await ReconcileAsync();
        var whileEnding = (_client.Started.Count, _resource.Status["phase"]!.ToString(), _resource.Status["nextOpenings"]);

        _client.Set(Instance, Ending with { Message = "Cancelled." }, status: OrchestrationRuntimeStatus.Completed);
        await ReconcileAsync();

        _client.Raised.ShouldAllBe(static raised => raised.Name == WindowEvents.Cancel);
        whileEnding.ShouldBe((1, "Ending", null));
        _client.Started.ShouldBe([Instance, Instance]);
        _client.InputOf<WindowRequest>(Instance).Cron.ShouldBe("0 2 * * *");
    }

    [Fact]
    public async Task A_node_that_leaves_makes_no_window_invalid_but_a_changed_one_names_it()
    {
        await ReconcileAsync();
        _client.Set(Instance, new WindowStatus("The next window opens soon."));
        _requests.IsNodeGone = true;
        await ReconcileAsync();
        var phase = _resource.Status["phase"]!.ToString();

        _resource.Spec = Second;
        await ReconcileAsync();

        phase.ShouldBe("Waiting");
        (_resource.Status["phase"]!.ToString(), _resource.Status["message"]!.ToString()).ShouldBe(("Invalid", "There is no node-2."));
    }

    [Fact]
    public async Task Deleting_it_puts_back_what_nothing_else_would_and_after_an_hour_all_that_was_not_finished()
    {
        await ReconcileAsync();
        _client.Set(Instance, new WindowStatus("Open.") { Rollout = "w-nightly:1" });
        _resource.DeletionRequestedAt = _clock.GetUtcNow();
        await ReconcileAsync();
        var first = _client.Raised.ToList();
        _client.Set(Instance, Ending);
        _clock.Advance(TimeSpan.FromMinutes(61));
        await ReconcileAsync();
        var late = _client.Raised.Skip(first.Count).Select(static raised => (raised.Instance, raised.Name)).ToList();
        var isKept = _resource.HasFinalizer;
        _clock.Advance(TimeSpan.FromMinutes(60));
        await ReconcileAsync();

        var told = first.ShouldHaveSingleItem().Payload.ShouldBeOfType<Cancel>();
        (told.PutsBack, told.Reason).ShouldBe((true, "The MaintenanceWindow was deleted."));
        late.ShouldBe([(Instance, WindowEvents.Cancel), ("w-nightly:1", RolloutEvents.Cancel)]);
        (isKept, _resource.HasFinalizer).ShouldBe((true, false));
    }

    [Fact]
    public async Task One_that_never_opens_again_is_left_at_its_end()
    {
        await ReconcileAsync();
        _client.Set(Instance, new WindowStatus("It never opens again."), status: OrchestrationRuntimeStatus.Completed);

        await ReconcileAsync();
        await ReconcileAsync();

        _client.Started.ShouldBe([Instance]);
        _resource.Status["phase"]!.ToString().ShouldBe("Ended");
        (Condition("Accepted"), Condition("Complete"), Condition("Degraded")).ShouldBe(("True SetUp", "True NeverOpensAgain", "False AsExpected"));
    }

    [Fact]
    public async Task One_that_is_over_is_set_up_again_only_with_another_spec_when_the_hub_has_forgotten_it()
    {
        await ReconcileAsync();
        _client.Set(Instance, new WindowStatus("It never opens again."), status: OrchestrationRuntimeStatus.Completed);
        await ReconcileAsync();
        _client.Forget(Instance);
        await ReconcileAsync();
        var started = _client.Started.Count;

        (_resource.Spec, _resource.Generation) = (Second, 2);
        await ReconcileAsync();

        (started, _client.Started.Count).ShouldBe((1, 2));
    }

    [Fact]
    public async Task A_window_that_was_ended_by_force_is_a_fault()
    {
        await ReconcileAsync();
        _client.Set(Instance, new WindowStatus("The next window opens soon."));
        await ReconcileAsync();
        var alive = (Condition("Complete"), Condition("Degraded"));

        _client.Set(Instance, status: OrchestrationRuntimeStatus.Terminated);
        await ReconcileAsync();

        alive.ShouldBe(("False Waiting", "False AsExpected"));
        (Condition("Complete"), Condition("Degraded")).ShouldBe(("False Ended", "True Ended"));
    }

    private string Condition(string type)
    {
        var condition = _resource.Status["conditions"]!.AsArray().Single(one => one!["type"]!.ToString() == type)!;
        return $"{condition["status"]} {condition["reason"]}";
    }

    private Task ReconcileAsync() =>
        new WindowReconciler(_resource, _requests, _client, _clock).ReconcileAsync("nightly", TestContext.Current.CancellationToken);
}
