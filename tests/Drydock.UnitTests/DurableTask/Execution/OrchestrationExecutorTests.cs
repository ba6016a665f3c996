using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Worker;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Execution;

public sealed class OrchestrationExecutorTests
{
    [Fact]
    public void A_timer_of_seven_days_is_three_timers()
    {
        var executor = Turns.Executor(SleepAsync);
        var days = TimeSpan.FromDays(1).TotalSeconds;

        executor.Run(History.Start()).Actions[0].CreateTimer.FireAt.ToDateTime().ShouldBe(History.Begin.AddDays(3));
        executor.Run(History.Later(3 * days).TimerFired(0)).Actions[0].CreateTimer.FireAt.ToDateTime().ShouldBe(History.Begin.AddDays(6));
        executor.Run(History.Later(6 * days).TimerFired(1)).Actions[0].CreateTimer.FireAt.ToDateTime().ShouldBe(History.Begin.AddDays(7));
        executor.Run(History.Later(7 * days).TimerFired(2)).Output().ShouldBe("\"woke\"");

        static async Task<string> SleepAsync(TaskOrchestrationContext context)
        {
            await context.CreateTimer(TimeSpan.FromDays(7), CancellationToken.None);
            return "woke";
        }
    }

    [Fact]
    public void A_cancelled_timer_does_not_keep_the_orchestration_running()
    {
        var turn = Turns
            .Executor(context =>
            {
                using var end = new CancellationTokenSource();
                _ = context.CreateTimer(TimeSpan.FromHours(1), end.Token);
                end.Cancel();
                return Task.FromResult(1);
            })
            .Run(History.Start());

        turn.Output().ShouldBe("1");
    }

    [Fact]
    public void Suspended_in_the_turn_that_continues_as_new_the_next_execution_is_suspended_and_has_the_events()
    {
        var executor = Turns.Executor(async context =>
        {
            await context.CallActivityAsync("A");
            context.ContinueAsNew(2);
            return 0;
        });
        executor.Run(History.Start(drydock: true));

        var turn = executor.Run(History.Later(1).ActivityCompleted(0, null).Raised("Before", null).Suspended().Raised("After", "1"));

        var carried = turn.Completion!.CarryoverEvents;
        carried.Select(e => e.EventTypeCase.ToString()).ShouldBe(["EventRaised", "ExecutionSuspended", "EventRaised"]);
        carried[0].EventRaised.Name.ShouldBe("Before");
        carried[2].EventRaised.ShouldBe(new EventRaisedEvent { Name = "After", Input = "1" });
    }

    [Fact]
    public void Fanned_out_activities_complete_in_any_order()
    {
        var executor = Turns.Executor(context => Task.WhenAll(
            Enumerable.Range(0, 3).Select(i => context.CallActivityAsync<int>("A", i))));

        executor.Run(History.Start()).Actions.Count.ShouldBe(3);
        executor.Run(History.Later(1).ActivityCompleted(2, "20")).Actions.ShouldBeEmpty();
        executor.Run(History.Later(2).ActivityCompleted(0, "0").ActivityCompleted(1, "10")).Output().ShouldBe("[0,10,20]");
    }

    [Fact]
    public void The_error_of_changed_code_names_orchestrator_step_history_and_code()
    {
        var turn = Turns
            .Executor(context => context.CallActivityAsync<string>("Drain", "x"))
            .Run(History.Start().ActivityCalled(0, "Cordon"), History.Later(1).ActivityCompleted(0, null));

        turn.Completion!.Result.ShouldEndWith(
            "[orchestrator 'Orchestrator', instance 'inst1', step 0: "
            + "history says that activity 'Cordon' was called; the code called activity 'Drain']");
    }

    [Fact]
    public void Changed_code_does_not_get_its_steps_done_in_an_execution_that_Drydock_started()
    {
        var turn = Turns
            .Executor(context => context.CallActivityAsync<string>("Drain", "x"))
            .Run(History.Start(drydock: true).ActivityCalled(0, "Cordon"), History.Later(1).ActivityCompleted(0, null));

        turn.Actions.Count.ShouldBe(1);
        turn.Completion!.FailureDetails.ErrorType.ShouldBe("DurableTask.Core.Exceptions.NonDeterministicOrchestrationException");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_child_behaves_as_its_parent_does(bool drydock)
    {
        var turn = Turns
            .Executor(context => context.CallSubOrchestratorAsync<int>("Child"))
            .Run(History.Start(drydock: drydock));

        turn.Actions[0].CreateSubOrchestration.Tags.ContainsKey("drydock.semantics").ShouldBe(drydock);
    }

    [Fact]
    public void A_custom_status_that_cannot_be_written_fails_the_instance()
    {
        var turn = Turns
            .Executor(context =>
            {
                context.SetCustomStatus(new { Bad = (Action)(() => { }) });
                return context.WaitForExternalEvent<string>("Go");
            })
            .Run(History.Start());

        turn.Completion!.FailureDetails.ErrorType.ShouldBe("System.NotSupportedException");
    }

    [Fact]
    public void Of_two_ContinueAsNew_the_last_counts()
    {
        var turn = Turns
            .Executor(context =>
            {
                context.ContinueAsNew(1);
                context.ContinueAsNew(new ContinueAsNewOptions { NewInput = 2, NewVersion = "2.0" });
                return Task.FromResult(0);
            })
            .Run(History.Start());

        turn.Completion!.OrchestrationStatus.ShouldBe(OrchestrationStatus.ContinuedAsNew);
        turn.Completion.Result.ShouldBe("2");
        turn.Completion.NewVersion.ShouldBe("2.0");
    }

    [Fact]
    public void An_orchestrator_that_throws_does_not_continue()
    {
        var turn = Turns
            .Executor<int>(context =>
            {
                context.ContinueAsNew(1);
                throw new InvalidOperationException("no");
            })
            .Run(History.Start());

        turn.Completion!.OrchestrationStatus.ShouldBe(OrchestrationStatus.Failed);
    }

    [Fact]
    public void What_was_asked_for_before_a_suspend_is_done_after_the_resume()
    {
        var executor = Turns.Executor(async context =>
        {
            await context.WaitForExternalEvent<string>("Go");
            return await context.CallActivityAsync<string>("A");
        });

        executor.Run(History.Start()).Actions.ShouldBeEmpty();
        executor.Run(History.Later(1).Raised("Go", null).Suspended()).Actions.ShouldBeEmpty();
        executor.Run(History.Later(2).Resumed()).Actions[0].ScheduleTask.Name.ShouldBe("A");
    }

    [Fact]
    public void A_suspended_orchestration_can_be_terminated()
    {
        var executor = Turns.Executor(context => context.WaitForExternalEvent<string>("Go"));

        executor.Run(History.Start().Suspended()).Actions.ShouldBeEmpty();
        var turn = executor.Run(History.Later(1).Terminated(null));

        turn.Completion!.OrchestrationStatus.ShouldBe(OrchestrationStatus.Terminated);
        executor.IsFinished.ShouldBeTrue();
    }

    [Fact]
    public void An_orchestrator_nobody_registered_fails_for_good()
    {
        var executor = new Drydock.DurableTask.Execution.OrchestrationExecutor(
            (_, _) => null, new DurableTaskWorkerOptions(), Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);

        var failure = executor.Run(History.Start(version: "3")).Completion!.FailureDetails;

        failure.ErrorType.ShouldBe("OrchestratorTaskNotFound");
        failure.ErrorMessage.ShouldBe("No orchestrator task named 'Orchestrator' with version '3' was found.");
        failure.IsNonRetriable.ShouldBeTrue();
    }

    [Fact]
    public void An_input_that_cannot_be_read_fails_the_instance()
    {
        var turn = Turns.Executor<int, int>((_, input) => Task.FromResult(input)).Run(History.Start("\"text\""));

        turn.Completion!.FailureDetails.ErrorType.ShouldBe("System.Text.Json.JsonException");
    }

    [Fact]
    public async Task What_is_not_a_durable_task_never_moves_the_orchestration()
    {
        var elsewhere = new TaskCompletionSource();
        var went = false;
        var executor = Turns.Executor(async _ =>
        {
            await elsewhere.Task;
            went = true;
            return 0;
        });

        executor.Run(History.Start()).Actions.ShouldBeEmpty();
        await Task.Run(elsewhere.SetResult);

        executor.Run(History.Later(1)).Actions.ShouldBeEmpty();
        went.ShouldBeFalse();
    }

    [Fact]
    public void A_retry_handler_decides_from_the_failure()
    {
        var seen = new List<string>();
        var executor = Turns.Executor(context => context.CallActivityAsync<int>("A", options: TaskOptions.FromRetryHandler(retry =>
        {
            seen.Add($"{retry.LastAttemptNumber}:{retry.LastFailure.ErrorMessage}:{retry.TotalRetryTime.TotalSeconds}");
            return true;
        })));

        executor.Run(History.Start());
        executor.Run(History.Later(1).ActivityFailed(0, "one")).Actions[0].Id.ShouldBe(1);
        executor.Run(History.Later(3).ActivityFailed(1, "two")).Actions[0].Id.ShouldBe(2);
        executor.Run(History.Later(4).ActivityCompleted(2, "7")).Output().ShouldBe("7");

        seen.ShouldBe(["1:one:1", "2:two:3"]);
    }

    [Fact]
    public void Retries_wait_longer_each_time_up_to_the_longest_delay_and_give_up_in_time()
    {
        var policy = new RetryPolicy(9, TimeSpan.FromSeconds(10), 3, TimeSpan.FromSeconds(40), TimeSpan.FromSeconds(100));
        var executor = Turns.Executor(context => context.CallActivityAsync<int>("A", options: TaskOptions.FromRetryPolicy(policy)));

        executor.Run(History.Start());
        FireAt(executor.Run(History.Later(0).ActivityFailed(0))).ShouldBe(10);
        executor.Run(History.Later(10).TimerFired(1));
        FireAt(executor.Run(History.Later(10).ActivityFailed(2))).ShouldBe(40);
        executor.Run(History.Later(40).TimerFired(3));
        FireAt(executor.Run(History.Later(40).ActivityFailed(4))).ShouldBe(80);
        executor.Run(History.Later(80).TimerFired(5));
        executor.Run(History.Later(100).ActivityFailed(6)).Completion!.OrchestrationStatus.ShouldBe(OrchestrationStatus.Failed);

        static double FireAt(Drydock.DurableTask.Execution.OrchestrationTurn turn) =>
            (turn.Actions[0].CreateTimer.FireAt.ToDateTime() - History.Begin).TotalSeconds;
    }

    [Fact]
    public void Replay_is_told_and_ends_with_history()
    {
        var replaying = new List<bool>();
        Turns
            .Executor(async context =>
            {
                replaying.Add(context.IsReplaying);
                await context.CallActivityAsync<int>("A");
                replaying.Add(context.IsReplaying);
                return 0;
            })
            .Run(History.Start().ActivityCalled(0, "A"), History.Later(1).ActivityCompleted(0, "1"));

        replaying.ShouldBe([true, false]);
    }
}
