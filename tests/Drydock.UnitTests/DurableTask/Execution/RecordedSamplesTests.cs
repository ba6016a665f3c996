using Drydock.DurableTask;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Execution;

/// <summary>Our executor asks the hub for the same as the worker of the official SDK did, case by case.</summary>
public sealed class RecordedSamplesTests
{
    private static readonly RetryPolicy _threeTimes = new(3, TimeSpan.FromSeconds(10), 2);

    [Fact]
    public void Activity_inputs_are_arrays_of_one() => Turns
        .Executor<string?>(async context =>
        {
            var calls = new[]
            {
                context.CallActivityAsync("A", "x"),
                context.CallActivityAsync("A", 5),
                context.CallActivityAsync("A", new List<int> { 1, 2 }),
                context.CallActivityAsync("A", (object?)null),
                context.CallActivityAsync("A"),
            };
            await Task.WhenAll(calls);
            return null;
        })
        .Run(History.Start())
        .ShouldBeAsRecorded("activity inputs on the wire: string, number, list, null, none");

    [Fact]
    public void A_child_gets_its_input_as_it_is_and_an_id_of_the_first_guid() => Turns
        .Executor(context => context.CallSubOrchestratorAsync<int>("Sub", 5))
        .Run(History.Start())
        .ShouldBeAsRecorded("sub-orchestration: input not wrapped, instance id from NewGuid");

    [Fact]
    public void Guids_come_from_instance_time_and_number() => Turns
        .Executor(context => Task.FromResult(new { now = context.CurrentUtcDateTime, a = context.NewGuid(), b = context.NewGuid() }))
        .Run(History.Start())
        .ShouldBeAsRecorded("NewGuid x2 for instance inst1, CurrentUtcDateTime 2026-01-02T03:04:05Z");

    [Fact]
    public void A_long_timer_begins_with_its_first_part() => Turns
        .Executor<string?>(async context =>
        {
            await context.CreateTimer(TimeSpan.FromDays(7), CancellationToken.None);
            return null;
        })
        .Run(History.Start())
        .ShouldBeAsRecorded("timer of 7 days with MaximumTimerInterval 3 days (default)");

    [Fact]
    public void The_custom_status_goes_with_the_turn() => Turns
        .Executor<string, string>((context, input) =>
        {
            context.SetCustomStatus(new { a = 1 });
            return Task.FromResult(input);
        })
        .Run(History.Start("\"in\""))
        .ShouldBeAsRecorded("custom status + completion");

    [Fact]
    public void Events_are_sent() => Turns
        .Executor(context =>
        {
            context.SendEvent("other", "Hi", new { z = 1 });
            return Task.FromResult<string?>(null);
        })
        .Run(History.Start())
        .ShouldBeAsRecorded("send event to another instance");

    [Fact]
    public void What_the_orchestrator_throws_is_its_failure() => Turns
#pragma warning disable CA2201, MA0015 // The recorded case throws just these.
        .Executor<string?>(_ => throw new ArgumentException("bad", new Exception("inner")))
#pragma warning restore CA2201, MA0015
        .Run(History.Start())
        .ShouldBeAsRecorded("orchestrator throws");

    [Fact]
    public void A_failure_of_an_activity_that_nobody_caught_is_the_inner_failure() => Turns
        .Executor(context => context.CallActivityAsync<string>("A", "x"))
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityFailed(0))
        .ShouldBeAsRecorded("activity failure not caught");

    [Fact]
    public void A_caught_failure_tells_task_type_and_message() => Turns
        .Executor<object>(async context =>
        {
            try
            {
                return await context.CallActivityAsync<string>("A", "x");
            }
            catch (TaskFailedException e)
            {
                return new
                {
                    e.Message,
                    e.TaskName,
                    e.TaskId,
                    e.FailureDetails.ErrorType,
                    e.FailureDetails.ErrorMessage,
                    cause = e.FailureDetails.IsCausedBy<InvalidOperationException>(),
                };
            }
        })
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityFailed(0))
        .ShouldBeAsRecorded("activity failure caught: what the user sees");

    [Fact]
    public void A_retry_waits_by_a_timer() => Turns
        .Executor(context => context.CallActivityAsync<string>("A", "x", TaskOptions.FromRetryPolicy(_threeTimes)))
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityFailed(0))
        .ShouldBeAsRecorded("retry policy: 1st failure -> timer");

    [Fact]
    public void A_retry_is_a_new_step() => Turns
        .Executor(context => context.CallActivityAsync<string>("A", "x", TaskOptions.FromRetryPolicy(_threeTimes)))
        .Run(
            History.Start().ActivityCalled(0, "A").Turn(1).ActivityFailed(0).TimerCreated(1, 11),
            History.Later(11).TimerFired(1))
        .ShouldBeAsRecorded("retry policy: timer fired -> rescheduled with NEW id");

    [Fact]
    public void After_the_last_attempt_there_is_a_timer_that_fires_at_once() => Turns
        .Executor(context => context.CallActivityAsync<string>(
            "A", "x", TaskOptions.FromRetryPolicy(new RetryPolicy(1, TimeSpan.FromSeconds(10)))))
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityFailed(0))
        .ShouldBeAsRecorded("retry policy (max 1): last failure -> dummy timer at now");

    [Fact]
    public void A_failure_marked_non_retriable_is_not_retried() => Turns
        .Executor(context => context.CallActivityAsync<string>("A", "x", TaskOptions.FromRetryPolicy(_threeTimes)))
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityFailed(0, nonRetriable: true))
        .ShouldBeAsRecorded("retry policy: non retriable failure");

    [Fact]
    public void Calling_another_activity_than_history_fails_the_instance() => Turns
        .Executor(context => context.CallActivityAsync<string>("B", "x"))
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityCompleted(0, "7"))
        .ShouldBeAsRecorded("non-determinism: history has activity A#0, code schedules B");

    [Fact]
    public void A_timer_where_history_has_an_activity_fails_the_instance() => Turns
        .Executor<string?>(async context =>
        {
            await context.CreateTimer(TimeSpan.FromSeconds(5), CancellationToken.None);
            return null;
        })
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityCompleted(0, "7"))
        .ShouldBeAsRecorded("non-determinism: history has activity A#0, code schedules a timer");

    [Fact]
    public void Waiting_where_history_has_an_activity_fails_the_instance() => Turns
        .Executor(context => context.WaitForExternalEvent<string>("Go"))
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityCompleted(0, "7"))
        .ShouldBeAsRecorded("non-determinism: history has activity A#0, code schedules nothing");

    [Fact]
    public void Names_of_activities_compare_without_case() => Turns
        .Executor(context => context.CallActivityAsync<int>("a", "x"))
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityCompleted(0, "7"))
        .ShouldBeAsRecorded("activity name differs only in case: accepted");

    [Fact]
    public void A_second_result_of_an_activity_is_ignored() => Turns
        .Executor<string?>(async context =>
        {
            var first = await context.CallActivityAsync<int>("A", "x");
            return first == 7 ? await context.CallActivityAsync<string>("A", "y") : "wrong";
        })
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityCompleted(0, "7").ActivityCompleted(0, "8"))
        .ShouldBeAsRecorded("duplicate TaskCompleted ignored");

    [Fact]
    public void An_event_may_come_before_it_is_waited_for_and_in_other_case() => Turns
        .Executor(async context =>
        {
            await context.CallActivityAsync<int>("A", "x");
            return await context.WaitForExternalEvent<string>("GO");
        })
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).Raised("go", "\"hi\"").ActivityCompleted(0, "7"))
        .ShouldBeAsRecorded("event arrives before wait (name case differs)");

    [Fact]
    public void The_last_who_waited_gets_the_event() => Turns
        .Executor(async context =>
        {
            var first = context.WaitForExternalEvent<string>("E");
            var second = context.WaitForExternalEvent<string>("E");
            return await Task.WhenAny(first, second) == first ? "first" : "second";
        })
        .Run(History.Start(), History.Later(1).Raised("E", "\"e\""))
        .ShouldBeAsRecorded("two waiters, one event: the LAST waiter gets it");

    [Theory]
    [InlineData(
        true, "ContinueAsNew with preserved unprocessed events (buffered before, and arriving after in the same batch)")]
    [InlineData(false, "ContinueAsNew without preserving")]
    public void Events_nobody_waited_for_go_to_the_next_generation(bool preserve, string title) => Turns
        .Executor<string?>(async context =>
        {
            await context.WaitForExternalEvent<string>("Go");
            context.ContinueAsNew("next", preserve);
            return null;
        })
        .Run(History.Start().Raised("X", "\"x1\"").Raised("Go", "\"go\"").Raised("Y", "\"y1\""))
        .ShouldBeAsRecorded(title);

    [Fact]
    public void An_open_timer_keeps_the_orchestration_running() => Turns
        .Executor(context =>
        {
            _ = context.CreateTimer(TimeSpan.FromHours(1), CancellationToken.None);
            return Task.FromResult("done");
        })
        .Run(History.Start())
        .ShouldBeAsRecorded("orchestrator returns with an open timer: NOT completed until it fires");

    [Fact]
    public void Terminating_ends_it_at_once() => Turns
        .Executor(context => context.CallActivityAsync<string>("A", "x"))
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).Terminated("\"why\""))
        .ShouldBeAsRecorded("terminate");

    [Fact]
    public void A_suspended_orchestration_does_nothing() => Turns
        .Executor(FirstAThenB)
        .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).Suspended().ActivityCompleted(0, "7"))
        .ShouldBeAsRecorded("suspend, then a completion arrives while suspended");

    [Fact]
    public void A_resumed_orchestration_goes_on_with_what_it_missed() => Turns
        .Executor(FirstAThenB)
        .Run(
            History.Start().ActivityCalled(0, "A").Turn(1).Suspended().ActivityCompleted(0, "7"),
            History.Later(2).Resumed())
        .ShouldBeAsRecorded("... then resumed");

    [Fact]
    public void A_failed_child_fails_its_parent() => Turns
        .Executor(context => context.CallSubOrchestratorAsync<int>("Sub", 5))
        .Run(History.Start().ChildCalled(0, "Sub"), History.Later(1).ChildFailed(0, "My.Err", "sub boom"))
        .ShouldBeAsRecorded("sub-orchestration failure");

    [Fact]
    public void Every_sample_is_a_test()
    {
        var tests = File.ReadAllText(ThisFile());

        RecordedSamples.Titles.Count().ShouldBe(32);
        RecordedSamples.Titles.Where(title => !tests.Contains(title, StringComparison.Ordinal)).ShouldBeEmpty();
    }

    // "history without ExecutionStarted" is an exception and no turn.
    [Fact]
    public void A_history_without_a_beginning_is_refused() => Should
        .Throw<InvalidOperationException>(() => Turns
            .Executor(context => context.CallActivityAsync<string>("A", "x"))
            .Run(History.Later(1).ActivityCompleted(0, "7")))
        .Message.ShouldBe("An ExecutionStarted event is required.");

    [Fact]
    public void Activities_inherit_the_version_and_children_do_not() => Turns
        .Executor<string?>(async context =>
        {
            await Task.WhenAll(
                context.CallActivityAsync("A"),
                context.CallActivityAsync("A", new TaskOptions { Version = "9" }),
                context.CallSubOrchestratorAsync("S"));
            return null;
        })
        .Run(History.Start(version: "2.0"))
        .ShouldBeAsRecorded("version inherited by activities; explicit version wins");

    [Fact]
    public void An_execution_of_the_official_SDK_loses_the_event_after_a_cancelled_wait_as_it_did() => Turns
        .Executor(ExternalEventsTests.WaitWithTimeoutThenAgain)
        .Run(
            History.Start().TimerCreated(0, 5).Turn(5).TimerFired(0),
            History.Later(6).Raised("E", "\"e\"").Raised("Next", "\"n\""))
        .ShouldBeAsRecorded(
            "LOST EVENT? wait E with timeout; timeout fires; E arrives while waiting for Next; then wait E again (no actions = event lost)");

    [Fact]
    public void Each_attempt_of_a_child_has_the_same_instance_id() => Turns
        .Executor(context => context.CallSubOrchestratorAsync<int>("Sub", 5, TaskOptions.FromRetryPolicy(_threeTimes)))
        .Run(
            History.Start().ChildCalled(0, "Sub").Turn(1).ChildFailed(0, "My.Err", "sub boom").TimerCreated(1, 11),
            History.Later(11).TimerFired(1))
        .ShouldBeAsRecorded("sub-orchestration retry: second attempt's instance id");

    [Fact]
    public void Entities_are_refused_while_they_are_disabled() => Turns
        .Executor(async context =>
        {
            await context.Entities.CallEntityAsync(new("Counter", "a"), "add", 1);
            return 0;
        })
        .Run(History.Start())
        .ShouldBeAsRecorded("entity call and signal as plain UseGrpc sends them");

    private static async Task<string> FirstAThenB(TaskOrchestrationContext context)
    {
        await context.CallActivityAsync<int>("A", "x");
        return await context.CallActivityAsync<string>("B", "y");
    }

    private static string ThisFile([System.Runtime.CompilerServices.CallerFilePath] string file = "") => file;
}
