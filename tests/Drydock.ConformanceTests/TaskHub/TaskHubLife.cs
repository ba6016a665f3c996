using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>How instances begin, wait, go on as new and end.</summary>
public abstract class TaskHubLife : TaskHubConformance
{
    [Fact]
    public async Task A_timer_fires_once_and_not_before_its_time()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Timer(0, Start.AddHours(1)), Act.Timer(1, Start.AddDays(60)));
        (await Extensions.WhenIdleAsync(Token)).ShouldBe(Start.AddHours(1));

        Clock.Advance(TimeSpan.FromHours(1) - TimeSpan.FromMilliseconds(1));
        await NothingMoreAsync();
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        var turn = await worker.DoTurnAsync();

        Kinds(turn.NewEvents).ShouldBe(["OrchestratorStarted", "TimerFired"]);
        turn.NewEvents[1].TimerFired.TimerId.ShouldBe(0);
        turn.NewEvents[1].TimerFired.FireAt.ToDateTimeOffset().ShouldBe(Start.AddHours(1));
        turn.NewEvents[1].EventId.ShouldBe(-1);
        turn.PastEvents.Count(e => e.TimerCreated is not null).ShouldBe(2);
        Clock.Advance(TimeSpan.FromDays(1));
        await NothingMoreAsync();
        (await Extensions.GetCountsAsync(Token)).Timers.ShouldBe(1);
    }

    [Fact]
    public async Task A_timer_in_the_past_fires_at_once()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");

        await worker.DoTurnAsync(Act.Timer(0, Start.AddHours(-1)));

        (await worker.TurnAsync()).Request.NewEvents[1].TimerFired.TimerId.ShouldBe(0);
    }

    [Fact]
    public async Task An_event_and_a_timer_come_in_the_order_they_happened()
    {
        await StartAsync("a");
        await using (var worker = new HandWorker(Hub))
        {
            await worker.DoTurnAsync(Act.Timer(0, Start.AddSeconds(10)));
        }

        Clock.Advance(TimeSpan.FromSeconds(5));
        await RaiseAsync("a", "early");
        Clock.Advance(TimeSpan.FromSeconds(10));
        await RaiseAsync("a", "late");
        await using var next = new HandWorker(Hub);

        Kinds((await next.TurnAsync()).Request.NewEvents).ShouldBe(["OrchestratorStarted", "EventRaised", "TimerFired", "EventRaised"]);
    }

    [Fact]
    public async Task A_scheduled_start_waits_and_its_events_wait_behind_it()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a", at: Start.AddMinutes(1));
        await RaiseAsync("a", "x");
        await NothingMoreAsync();
        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Pending);
        (await StateAsync("a"))!.ScheduledStartTimestamp.ToDateTimeOffset().ShouldBe(Start.AddMinutes(1));

        Clock.Advance(TimeSpan.FromMinutes(1));

        Kinds((await worker.DoTurnAsync()).NewEvents).ShouldBe(["OrchestratorStarted", "ExecutionStarted", "EventRaised"]);
        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Running);
    }

    [Fact]
    public async Task A_child_answers_its_parent()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("p");
        await worker.DoTurnAsync(Act.Child(0, "c1", input: "7"), Act.Child(1, "c2"));

        var first = await worker.DoTurnAsync(Act.Complete(0, "14"));
        var parent = first.InstanceId == "c1" ? first : null;
        var second = await worker.DoTurnAsync(Act.Fail(0, "no"));
        var turn = (await worker.TurnAsync()).Request;

        parent.ShouldNotBeNull();
        var started = first.NewEvents[1].ExecutionStarted;
        started.Input.ShouldBe("7");
        started.ParentInstance.TaskScheduledId.ShouldBe(0);
        started.ParentInstance.OrchestrationInstance.InstanceId.ShouldBe("p");
        second.InstanceId.ShouldBe("c2");
        (await StateAsync("c1"))!.ParentInstanceId.ShouldBe("p");
        turn.InstanceId.ShouldBe("p");
        turn.NewEvents[1].SubOrchestrationInstanceCompleted.Result.ShouldBe("14");
    }

    [Fact]
    public async Task A_child_id_that_runs_already_is_a_failed_child_and_a_finished_one_is_made_again()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("p");
        await worker.DoTurnAsync(Act.Child(0, "p"), Act.Child(1, "c"));
        var turns = new[] { await worker.TurnAsync(), await worker.TurnAsync() };
        var parent = turns.Single(turn => turn.Request.InstanceId == "p");
        var child = turns.Single(turn => turn.Request.InstanceId == "c");
        parent.Request.NewEvents[1].SubOrchestrationInstanceFailed.TaskScheduledId.ShouldBe(0);
        parent.Request.NewEvents[1].SubOrchestrationInstanceFailed.FailureDetails.ErrorMessage.ShouldContain("already");
        await worker.CompleteAsync(parent.Token);

        await worker.CompleteAsync(child.Token, Act.Fail(0, "first try"));
        var retry = await worker.DoTurnAsync(Act.Child(2, "c"));
        var again = await worker.DoTurnAsync(Act.Complete(0, "\"ok\""));
        var answer = (await worker.TurnAsync()).Request;

        retry.NewEvents[1].SubOrchestrationInstanceFailed.FailureDetails.ErrorMessage.ShouldBe("first try");
        again.ExecutionId.ShouldNotBe(child.Request.ExecutionId);
        answer.NewEvents[1].SubOrchestrationInstanceCompleted.TaskScheduledId.ShouldBe(2);
    }

    [Fact]
    public async Task A_child_of_an_execution_that_continued_as_new_is_not_heard()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("p");
        await worker.DoTurnAsync(Act.Child(0, "c"), Act.Schedule(1, "Slow"), Act.Timer(2, Start.AddHours(1)));
        var items = new[] { await worker.NextAsync(), await worker.NextAsync() };
        await RaiseAsync("p", "go");
        await worker.DoTurnAsync(Act.ContinueAsNew(3, "2"));
        var next = await worker.TurnAsync();

        await worker.CompleteAsync(items.Single(item => item.OrchestratorRequest is not null).CompletionToken, Act.Complete(0, "1"));
        await Hub.CompleteActivityTaskAsync(
            new ActivityResponse { CompletionToken = items.Single(item => item.ActivityRequest is not null).CompletionToken }, Token);
        Clock.Advance(TimeSpan.FromHours(2));
        await worker.CompleteAsync(next.Token);

        await NothingMoreAsync();
        next.Request.NewEvents[1].ExecutionStarted.Input.ShouldBe("2");
        next.Request.PastEvents.ShouldBeEmpty();
    }

    [Fact]
    public async Task Continuing_as_new_loses_no_event_and_keeps_their_order()
    {
        await using var worker = new HandWorker(Hub);
        await Hub.StartInstanceAsync(
            new CreateInstanceRequest { InstanceId = "a", Name = "Loop", Version = "1", Tags = { ["k"] = "v" } }, Token);
        var first = await worker.TurnAsync();
        await RaiseAsync("a", "third");
        var carried = new HistoryEvent
        {
            EventId = -1, Timestamp = Timestamp.FromDateTimeOffset(Start), EventRaised = new EventRaisedEvent { Name = "second" },
        };
        var end = Act.ContinueAsNew(2, "\"next\"", carried);
        end.CompleteOrchestration.NewVersion = "2";

        await worker.CompleteAsync(first.Token, Act.Send(0, "a", "first"), Act.Send(1, "other", "x"), end);
        var second = await worker.DoTurnAsync();

        second.ExecutionId.ShouldNotBe(first.Request.ExecutionId);
        Kinds(second.NewEvents).Take(2).ShouldBe(["OrchestratorStarted", "ExecutionStarted"]);
        Events(second).ShouldBe(["first", "second", "third"]);
        var started = second.NewEvents[1].ExecutionStarted;
        (started.Name, started.Version, started.Input, started.Tags["k"]).ShouldBe(("Loop", "2", "\"next\"", "v"));
        var state = (await StateAsync("a"))!;
        (state.OrchestrationStatus, state.Input, state.Version).ShouldBe((OrchestrationStatus.Running, "\"next\"", "2"));
        (await HistoryAsync("a")).Count(e => e.ExecutionStarted is not null).ShouldBe(1);

        await StartAsync("other");
        Events((await worker.TurnAsync()).Request).ShouldBe(["x"]);
    }

    [Fact]
    public async Task The_last_generation_of_a_child_answers_the_parent()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("p");
        await worker.DoTurnAsync(Act.Child(0, "c"));
        await worker.DoTurnAsync(Act.ContinueAsNew(0, "2"));
        await worker.DoTurnAsync(Act.Complete(0, "\"end\""));

        (await worker.TurnAsync()).Request.NewEvents[1].SubOrchestrationInstanceCompleted.Result.ShouldBe("\"end\"");
    }

    [Fact]
    public async Task Suspending_and_resuming_show_in_the_status()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync();

        await Hub.SuspendInstanceAsync(new SuspendRequest { InstanceId = "a", Reason = "wait" }, Token);
        var suspended = await worker.DoTurnAsync();
        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Suspended);
        await RaiseAsync("a", "x");
        await worker.DoTurnAsync();
        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Suspended);
        await Hub.ResumeInstanceAsync(new ResumeRequest { InstanceId = "a" }, Token);
        await worker.DoTurnAsync();

        suspended.NewEvents[1].ExecutionSuspended.Input.ShouldBe("wait");
        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Running);
    }

    [Fact]
    public async Task A_suspension_that_is_carried_over_holds_in_the_next_execution()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");

        await worker.DoTurnAsync(Act.ContinueAsNew(
            0, "2", new HistoryEvent { ExecutionSuspended = new() { Input = "wait" } }, new HistoryEvent { EventRaised = new() { Name = "x" } }));

        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Suspended);
        Kinds((await worker.DoTurnAsync()).NewEvents).ShouldBe(["OrchestratorStarted", "ExecutionStarted", "ExecutionSuspended", "EventRaised"]);
        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Suspended);
    }

    [Fact]
    public async Task Terminating_reaches_the_children_if_asked()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("p");
        await worker.DoTurnAsync(Act.Child(0, "c"), Act.Timer(1, Start.AddDays(1)));
        await worker.DoTurnAsync(Act.Child(0, "g"));
        await worker.DoTurnAsync(Act.Schedule(0, "Work"));
        await worker.ActivityAsync();

        await TerminateAsync("p", "\"why\"", recursive: true);
        var parent = await worker.DoTurnAsync(Act.Terminated(2, "\"why\""));
        var child = await worker.DoTurnAsync(Act.Terminated(1, "\"why\""), Act.Schedule(2, "MustNotRun"));
        var grandchild = await worker.DoTurnAsync(Act.Terminated(1, "\"why\""));

        (parent.InstanceId, child.InstanceId, grandchild.InstanceId).ShouldBe(("p", "c", "g"));
        parent.NewEvents[1].ExecutionTerminated.Input.ShouldBe("\"why\"");
        foreach (var id in new[] { "p", "c", "g" })
        {
            (await StatusAsync(id)).ShouldBe(OrchestrationStatus.Terminated);
        }

        (await Extensions.GetCountsAsync(Token)).Timers.ShouldBe(0);
        await NothingMoreAsync(outstanding: 1);
    }

    [Fact]
    public async Task A_terminated_child_fails_for_its_parent()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("p");
        await worker.DoTurnAsync(Act.Child(0, "c"));
        await worker.DoTurnAsync();
        await TerminateAsync("c", "\"why\"");
        await worker.DoTurnAsync(Act.Terminated(0, "\"why\""));

        var failed = (await worker.TurnAsync()).Request.NewEvents[1].SubOrchestrationInstanceFailed;

        failed.FailureDetails.ErrorMessage.ShouldContain("why");
    }

    [Fact]
    public async Task What_never_started_is_terminated_without_a_worker()
    {
        await StartAsync("a", at: Start.AddHours(1));

        await TerminateAsync("a", "\"why\"");

        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Terminated);
        (await StateAsync("a"))!.Output.ShouldBe("\"why\"");
        (await Extensions.GetCountsAsync(Token)).Timers.ShouldBe(0);
        Kinds(await HistoryAsync("a")).ShouldContain("ExecutionStarted");
        await using var worker = new HandWorker(Hub);
        Clock.Advance(TimeSpan.FromHours(2));
        await NothingMoreAsync();
    }

    [Fact]
    public async Task Events_for_an_instance_that_does_not_exist_are_kept_for_it()
    {
        await using var worker = new HandWorker(Hub);
        await RaiseAsync("a", "early", "1");
        (await StateAsync("a")).ShouldBeNull();
        (await Hub.QueryInstancesAsync(new QueryInstancesRequest(), Token)).OrchestrationState.ShouldBeEmpty();

        await StartAsync("a");

        var turn = await worker.DoTurnAsync(Act.Complete(0));
        Kinds(turn.NewEvents).ShouldBe(["OrchestratorStarted", "ExecutionStarted", "EventRaised"]);
        await RaiseAsync("a", "late");
        await NothingMoreAsync();
    }

    [Fact]
    public async Task Events_from_an_orchestrator_reach_another_and_itself()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Send(0, "b", "hello", "1"), Act.Send(1, "a", "me"));
        Events(await worker.DoTurnAsync()).ShouldBe(["me"]);

        await StartAsync("b");

        var turn = (await worker.TurnAsync()).Request;
        Events(turn).ShouldBe(["hello"]);
        turn.NewEvents[2].EventRaised.Input.ShouldBe("1");
        (await HistoryAsync("a")).Single(e => e.EventSent?.InstanceId == "b").EventId.ShouldBe(0);
    }

    [Fact]
    public async Task Custom_status_is_what_the_last_turn_said()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        var (_, token) = await worker.TurnAsync();
        await Hub.CompleteOrchestratorTaskAsync(new OrchestratorResponse { CompletionToken = token, CustomStatus = "\"one\"" }, Token);
        (await StateAsync("a"))!.CustomStatus.ShouldBe("\"one\"");

        await RaiseAsync("a", "x");
        await worker.DoTurnAsync();

        (await StateAsync("a"))!.CustomStatus.ShouldBeNull();
    }

    [Fact]
    public async Task The_reuse_of_an_id_follows_the_policy()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await RefusedAsync(StatusCode.AlreadyExists, () => StartAsync("a"));
        await worker.DoTurnAsync(Act.Timer(0, Start.AddHours(1)));
        await RefusedAsync(StatusCode.AlreadyExists, () => StartAsync("a"));
        await RefusedAsync(StatusCode.AlreadyExists, () => StartAsync("a", policy: new OrchestrationIdReusePolicy()));
        var before = (await StateAsync("a"))!.ExecutionId;

        await StartAsync(
            "a", "2", new OrchestrationIdReusePolicy { ReplaceableStatus = { OrchestrationStatus.Running } });

        var turn = await worker.DoTurnAsync(Act.Complete(0));
        turn.ExecutionId.ShouldNotBe(before);
        turn.PastEvents.ShouldBeEmpty();
        (await Extensions.GetCountsAsync(Token)).Timers.ShouldBe(0);
        await RefusedAsync(StatusCode.AlreadyExists, () => StartAsync("a", policy: new OrchestrationIdReusePolicy()));
        await StartAsync("a");
        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Pending);
    }

    [Fact]
    public async Task A_turn_of_a_replaced_instance_is_not_taken()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        var (_, token) = await worker.TurnAsync();
        await StartAsync("a", "2", new OrchestrationIdReusePolicy { ReplaceableStatus = { OrchestrationStatus.Pending } });
        var (next, nextToken) = await worker.TurnAsync();

        await RefusedAsync(StatusCode.NotFound, () => worker.CompleteAsync(token, Act.Complete(0)));

        next.NewEvents[1].ExecutionStarted.Input.ShouldBe("2");
        await worker.CompleteAsync(nextToken, Act.Complete(0, "2"));
        (await StateAsync("a"))!.Output.ShouldBe("2");
        (await Extensions.GetCountsAsync(Token)).OutstandingItems.ShouldBe(0);
    }

    [Fact]
    public async Task Restarting_gives_the_same_start_again()
    {
        await using var worker = new HandWorker(Hub);
        await Hub.StartInstanceAsync(
            new CreateInstanceRequest { InstanceId = "a", Name = "O", Version = "3", Input = "5", Tags = { ["k"] = "v" } }, Token);
        await RefusedAsync(
            StatusCode.FailedPrecondition, () => Hub.RestartInstanceAsync(new RestartInstanceRequest { InstanceId = "a" }, Token));
        await RefusedAsync(
            StatusCode.NotFound, () => Hub.RestartInstanceAsync(new RestartInstanceRequest { InstanceId = "nobody" }, Token));
        await worker.DoTurnAsync(Act.Complete(0, "1"));

        (await Hub.RestartInstanceAsync(new RestartInstanceRequest { InstanceId = "a" }, Token)).InstanceId.ShouldBe("a");
        var same = (await worker.DoTurnAsync(Act.Complete(0))).NewEvents[1].ExecutionStarted;
        var id = (await Hub.RestartInstanceAsync(
            new RestartInstanceRequest { InstanceId = "a", RestartWithNewInstanceId = true }, Token)).InstanceId;
        var other = (await worker.DoTurnAsync(Act.Complete(0))).NewEvents[1].ExecutionStarted;

        id.ShouldNotBe("a");
        foreach (var started in new[] { same, other })
        {
            (started.Name, started.Version, started.Input, started.Tags["k"]).ShouldBe(("O", "3", "5", "v"));
        }
    }
}
