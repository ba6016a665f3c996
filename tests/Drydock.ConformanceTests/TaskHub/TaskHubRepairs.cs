using Drydock.DurableTask.Protobuf;
using Grpc.Core;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>What a person does about instances that went wrong: rewind, end at once.</summary>
public abstract class TaskHubRepairs : TaskHubConformance
{
    [Fact]
    public async Task Only_a_failed_instance_is_rewound()
    {
        await StartAsync("a");

        await RefusedAsync(StatusCode.NotFound, () => RewindAsync("nobody"));
        await RefusedAsync(StatusCode.FailedPrecondition, () => RewindAsync("a"));
    }

    [Fact]
    public async Task A_rewound_instance_takes_its_failed_step_again_and_keeps_the_others()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a", input: "\"in\"");
        await worker.DoTurnAsync(Act.Schedule(0, "Good"));
        await worker.DoActivityAsync("1");
        await worker.DoTurnAsync(Act.Schedule(1, "Bad"));
        await FailActivityAsync(worker);
        var before = await worker.DoTurnAsync(Act.Fail(2, "bad"));

        await RewindAsync("a");

        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Running);
        (await StateAsync("a"))!.FailureDetails.ShouldBeNull();
        var turn = await worker.DoTurnAsync(Act.Schedule(1, "Bad"));
        turn.ExecutionId.ShouldNotBe(before.ExecutionId);
        turn.NewEvents[^1].ExecutionRewound.Reason.ShouldBe("mended");
        turn.PastEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Input.ShouldBe("\"in\"");
        turn.PastEvents.Where(e => e.TaskScheduled is not null).Select(e => e.TaskScheduled.Name).ShouldBe(["Good"]);
        turn.PastEvents.ShouldNotContain(e => e.TaskFailed != null || e.ExecutionCompleted != null);
        await worker.DoActivityAsync("2");
        await worker.DoTurnAsync(Act.Complete(2, "3"));
        (await StateAsync("a"))!.Output.ShouldBe("3");
    }

    [Fact]
    public async Task A_failure_that_the_code_went_on_from_is_not_taken_again_by_rewinding()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Schedule(0, "Flaky"));
        await FailActivityAsync(worker);
        await worker.DoTurnAsync(Act.Schedule(1, "Flaky"));
        await FailActivityAsync(worker);
        await worker.DoTurnAsync(Act.Schedule(2, "Instead"));
        await worker.DoActivityAsync("1");
        await worker.DoTurnAsync(Act.Schedule(3, "Bad"));
        await FailActivityAsync(worker);
        await worker.DoTurnAsync(Act.Fail(4, "bad"));

        await RewindAsync("a");

        // Tried again at once, as a retry handler does; caught; and at last the one that it failed of.
        var turn = await worker.DoTurnAsync(Act.Schedule(3, "Bad"));
        turn.PastEvents.Select(e => e.TaskFailed?.TaskScheduledId).OfType<int>().ShouldBe([0, 1]);
        turn.PastEvents.Where(e => e.TaskScheduled is not null).Select(e => e.TaskScheduled.Name).ShouldBe(["Flaky", "Flaky", "Instead"]);
    }

    [Fact]
    public async Task Rewound_once_more_it_keeps_the_attempts_it_went_on_from_and_takes_only_the_last_again()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Schedule(0, "Flaky"));
        await FailActivityAsync(worker);
        await worker.DoTurnAsync(Act.Schedule(1, "Flaky"));
        for (var rewound = 0; rewound < 3; rewound++)
        {
            await FailActivityAsync(worker);
            await worker.DoTurnAsync(Act.Fail(2, "bad"));

            await RewindAsync("a");

            // The second attempt is in the turn of the rewinding now, and no longer in that of the first one's failure.
            var turn = await worker.DoTurnAsync(Act.Schedule(1, "Flaky"));
            turn.PastEvents.Where(e => e.TaskScheduled is not null).Select(e => e.EventId).ShouldBe([0]);
            turn.PastEvents.Select(e => e.TaskFailed?.TaskScheduledId).OfType<int>().ShouldBe([0]);
        }
    }

    [Fact]
    public async Task A_failed_child_is_rewound_with_its_parent_and_answers_it()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("parent");
        await worker.DoTurnAsync(Act.Child(0, "child"));
        await worker.DoTurnAsync(Act.Schedule(0, "Bad"));
        await FailActivityAsync(worker);
        await worker.DoTurnAsync(Act.Fail(1, "bad"));
        await worker.DoTurnAsync(Act.Fail(1, "child failed"));

        await RewindAsync("parent");

        // The parent has nothing new but the order itself; the child takes its step again.
        var turns = new[] { await worker.TurnAsync(), await worker.TurnAsync() }.ToDictionary(turn => turn.Request.InstanceId);
        await worker.CompleteAsync(turns["parent"].Token);
        await worker.CompleteAsync(turns["child"].Token, Act.Complete(1, "good"));
        var answered = await worker.DoTurnAsync(Act.Complete(1, "done"));
        answered.NewEvents[1].SubOrchestrationInstanceCompleted.Result.ShouldBe("good");
        (await StatusAsync("parent")).ShouldBe(OrchestrationStatus.Completed);
    }

    [Fact]
    public async Task What_was_on_its_way_when_an_instance_failed_is_not_lost_by_rewinding()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Schedule(0, "Bad"), Act.Timer(1, Start.AddHours(1)), Act.Schedule(2, "Late"));
        await FailActivityAsync(worker);
        var (_, late) = await worker.ActivityAsync();
        await worker.DoTurnAsync(Act.Fail(3, "bad"));
        await Hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = late, Result = "nobody listens" }, Token);

        await RewindAsync("a");

        var turn = await worker.DoTurnAsync(Act.Schedule(0, "Bad"), Act.Schedule(2, "Late"));
        turn.PastEvents.ShouldNotContain(e => e.TaskScheduled != null);
        List<HistoryEvent> news = [];
        var (_, first) = await worker.ActivityAsync();
        var (_, second) = await worker.ActivityAsync();
        await Hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = first, Result = "1" }, Token);
        news.AddRange((await worker.DoTurnAsync()).NewEvents);
        await Hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = second, Result = "2" }, Token);
        news.AddRange((await worker.DoTurnAsync()).NewEvents);
        Clock.Advance(TimeSpan.FromHours(1));
        news.AddRange((await worker.DoTurnAsync()).NewEvents);
        Kinds(news.Where(e => e.OrchestratorStarted is null)).ShouldBe(["TaskCompleted", "TaskCompleted", "TimerFired"]);
    }

    [Fact]
    public async Task Attempts_that_a_policy_followed_up_stay_and_only_the_last_is_taken_again()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Schedule(0, "Bad", "[1]"));
        await FailActivityAsync(worker);
        await worker.DoTurnAsync(Act.Timer(1, Start.AddSeconds(5)));
        Clock.Advance(TimeSpan.FromSeconds(5));
        await worker.DoTurnAsync(Act.Schedule(2, "Bad", "[1]"));
        await FailActivityAsync(worker);
        await worker.DoTurnAsync(Act.Timer(3, Start));
        await worker.DoTurnAsync(Act.Fail(4, "bad"));

        await RewindAsync("a");

        var turn = await worker.DoTurnAsync(Act.Schedule(2, "Bad", "[1]"));
        turn.PastEvents.Where(e => e.EventId >= 0).Select(e => e.EventId).ShouldBe([0, 1]);
        turn.PastEvents.Count(e => e.TaskFailed is not null).ShouldBe(1);
    }

    [Fact]
    public async Task An_entity_that_owed_an_answer_is_asked_again_by_rewinding()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Call(0, "@counter@1", "get"), Act.Schedule(1, "Bad"));
        var items = new[] { await worker.NextAsync(), await worker.NextAsync() };
        var batch = items.Single(item => item.EntityRequestV2 is not null);
        await FailActivityAsync(items.Single(item => item.ActivityRequest is not null).CompletionToken);
        await worker.DoTurnAsync(Act.Fail(2, "bad"));
        var answer = new EntityBatchResult { Results = { new OperationResult { Success = new OperationResultSuccess { Result = "1" } } } };
        await Hub.CompleteEntityTaskAsync(new EntityBatchResult(answer) { CompletionToken = batch.CompletionToken }, Token);

        await RewindAsync("a");

        items = [await worker.NextAsync(), await worker.NextAsync()];
        var again = items.Single(item => item.EntityRequestV2 is not null);
        again.EntityRequestV2.OperationRequests.Single().EntityOperationCalled.RequestId
            .ShouldBe(batch.EntityRequestV2.OperationRequests.Single().EntityOperationCalled.RequestId);
        await worker.CompleteAsync(items.Single(item => item.OrchestratorRequest is not null).CompletionToken, Act.Schedule(1, "Bad"));
        await worker.ActivityAsync();
        await Hub.CompleteEntityTaskAsync(new EntityBatchResult(answer) { CompletionToken = again.CompletionToken }, Token);
        (await worker.DoTurnAsync()).NewEvents[1].EntityOperationCompleted.Output.ShouldBe("1");
    }

    [Fact]
    public async Task What_failed_with_entities_locked_is_not_rewound_and_is_told_why()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        var request = new EntityLockRequestedEvent { CriticalSectionId = "section", LockSet = { "@counter@1" } };
        await worker.DoTurnAsync(new OrchestratorAction { Id = 0, SendEntityMessage = new SendEntityMessageAction { EntityLockRequested = request } });
        await worker.DoTurnAsync(Act.Schedule(1, "Bad"));
        await FailActivityAsync(worker);
        var unlock = new EntityUnlockSentEvent { CriticalSectionId = "section", TargetInstanceId = "@counter@1" };
        await worker.DoTurnAsync(
            new OrchestratorAction { Id = 2, SendEntityMessage = new SendEntityMessageAction { EntityUnlockSent = unlock } }, Act.Fail(3, "bad"));

        var refusal = await Should.ThrowAsync<Drydock.DurableTask.TaskHubException>(() => RewindAsync("a"));

        refusal.Status.ShouldBe(StatusCode.FailedPrecondition);
        refusal.Message.ShouldContain("had entities locked");
        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Failed);
    }

    [Fact]
    public async Task Instances_end_at_once_without_a_worker()
    {
        await using (var worker = new HandWorker(Hub))
        {
            await StartAsync("running");
            await worker.DoTurnAsync(Act.Timer(0, Start.AddDays(1)));
            await StartAsync("done");
            await worker.DoTurnAsync(Act.Complete(0));
        }

        await StartAsync("pending");
        var request = new SkipGracefulOrchestrationTerminationsRequest
        {
            InstanceBatch = new InstanceBatch { InstanceIds = { "running", "pending", "done", "nobody" } }, Reason = "\"enough\"",
        };

        var response = await Hub.SkipGracefulOrchestrationTerminationsAsync(request, Token);

        response.UnterminatedInstanceIds.ShouldBe(["done", "nobody"]);
        (await StatusAsync("running")).ShouldBe(OrchestrationStatus.Terminated);
        (await StateAsync("pending"))!.Output.ShouldBe("\"enough\"");
        Kinds(await HistoryAsync("running")).TakeLast(4).ShouldBe(["OrchestratorStarted", "ExecutionTerminated", "ExecutionCompleted", "OrchestratorCompleted"]);
        (await Extensions.GetCountsAsync(Token)).Timers.ShouldBe(0);
    }

    private Task RewindAsync(string id) => Hub.RewindInstanceAsync(new RewindInstanceRequest { InstanceId = id, Reason = "mended" }, Token);

    private async Task FailActivityAsync(HandWorker worker)
    {
        var (_, token) = await worker.ActivityAsync();
        await FailActivityAsync(token);
    }

    private Task FailActivityAsync(string token) => Hub.CompleteActivityTaskAsync(
        new ActivityResponse { CompletionToken = token, FailureDetails = new() { ErrorType = "My.Error", ErrorMessage = "bad" } }, Token);
}
