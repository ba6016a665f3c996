using Drydock.DurableTask.Protobuf;
using Grpc.Core;
using Shouldly;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>Turns, activities and who holds them.</summary>
public abstract class TaskHubTurns : TaskHubConformance
{
    [Fact]
    public async Task The_first_turn_begins_with_the_time_and_then_the_start()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a", "\"in\"");

        var (turn, _) = await worker.TurnAsync();

        Kinds(turn.NewEvents).ShouldBe(["OrchestratorStarted", "ExecutionStarted"]);
        turn.NewEvents.ShouldAllBe(e => e.EventId == -1 && e.Timestamp.ToDateTimeOffset() == Start);
        turn.PastEvents.ShouldBeEmpty();
        turn.InstanceId.ShouldBe("a");
        var started = turn.NewEvents[1].ExecutionStarted;
        started.Input.ShouldBe("\"in\"");
        started.Name.ShouldBe("Orchestrator");
        started.OrchestrationInstance.ExecutionId.ShouldBe(turn.ExecutionId);
    }

    [Fact]
    public async Task An_activity_comes_back_to_the_orchestrator_and_the_history_tells_all_of_it()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");

        await worker.DoTurnAsync(Act.Schedule(0, "Work", "[1]"));
        Clock.Advance(TimeSpan.FromSeconds(1));
        var activity = await worker.DoActivityAsync("42");
        var second = await worker.DoTurnAsync(Act.Complete(1, "\"done\""));

        activity.Name.ShouldBe("Work");
        activity.Input.ShouldBe("[1]");
        activity.TaskId.ShouldBe(0);
        activity.OrchestrationInstance.InstanceId.ShouldBe("a");
        Kinds(second.PastEvents).ShouldBe(["OrchestratorStarted", "ExecutionStarted", "TaskScheduled", "OrchestratorCompleted"]);
        second.PastEvents[0].Timestamp.ToDateTimeOffset().ShouldBe(Start);
        second.PastEvents[2].EventId.ShouldBe(0);
        Kinds(second.NewEvents).ShouldBe(["OrchestratorStarted", "TaskCompleted"]);
        second.NewEvents[0].Timestamp.ToDateTimeOffset().ShouldBe(Start.AddSeconds(1));
        second.NewEvents[1].TaskCompleted.Result.ShouldBe("42");
        second.NewEvents[1].EventId.ShouldBe(-1);
        var state = (await StateAsync("a"))!;
        state.OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
        state.Output.ShouldBe("\"done\"");
        state.CompletedTimestamp.ToDateTimeOffset().ShouldBe(Start.AddSeconds(1));
        Kinds(await HistoryAsync("a")).ShouldBe(
        [
            "OrchestratorStarted", "ExecutionStarted", "TaskScheduled", "OrchestratorCompleted",
            "OrchestratorStarted", "TaskCompleted", "ExecutionCompleted", "OrchestratorCompleted",
        ]);
    }

    [Fact]
    public async Task A_failed_activity_and_a_failed_orchestration_keep_their_details()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Schedule(0, "Work"));

        var (_, token) = await worker.ActivityAsync();
        await Hub.CompleteActivityTaskAsync(
            new ActivityResponse { CompletionToken = token, FailureDetails = new Failure { ErrorType = "T", ErrorMessage = "boom" } }, Token);
        var turn = await worker.DoTurnAsync(Act.Fail(1, "bad"));

        turn.NewEvents[1].TaskFailed.FailureDetails.ErrorMessage.ShouldBe("boom");
        var state = (await StateAsync("a"))!;
        state.OrchestrationStatus.ShouldBe(OrchestrationStatus.Failed);
        state.Output.ShouldBe("bad");
        state.FailureDetails.ErrorType.ShouldBe("My.Error");
        (await HistoryAsync("a")).Single(e => e.ExecutionCompleted is not null)
            .ExecutionCompleted.FailureDetails.ErrorMessage.ShouldBe("bad");
    }

    [Fact]
    public async Task What_arrives_during_a_turn_waits_for_the_next()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        var (_, token) = await worker.TurnAsync();

        await RaiseAsync("a", "x");
        await RaiseAsync("a", "y");
        await NothingMoreAsync(outstanding: 1);
        await worker.CompleteAsync(token);

        Events((await worker.TurnAsync()).Request).ShouldBe(["x", "y"]);
    }

    [Fact]
    public async Task A_token_counts_once()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        var (_, token) = await worker.TurnAsync();
        await worker.CompleteAsync(token, Act.Schedule(0, "Work"));
        var (_, activity) = await worker.ActivityAsync();
        await Hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = activity }, Token);

        await RefusedAsync(StatusCode.NotFound, () => worker.CompleteAsync(token, Act.Schedule(0, "Work")));
        await RefusedAsync(
            StatusCode.NotFound, () => Hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = activity }, Token));
        await RefusedAsync(StatusCode.NotFound, () => worker.CompleteAsync(""));

        (await HistoryAsync("a")).Count(e => e.TaskScheduled is not null).ShouldBe(1);
    }

    [Fact]
    public async Task An_abandoned_item_comes_again_after_the_delay_with_a_new_token()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        var (first, token) = await worker.TurnAsync();

        await Hub.AbandonOrchestratorTaskAsync(new AbandonOrchestrationTaskRequest { CompletionToken = token }, Token);
        await RefusedAsync(StatusCode.NotFound, () => worker.CompleteAsync(token));
        await NothingMoreAsync();
        await RaiseAsync("a", "meanwhile");
        Clock.Advance(TimeSpan.FromSeconds(1));
        var (again, next) = await worker.TurnAsync();

        next.ShouldNotBe(token);
        again.ExecutionId.ShouldBe(first.ExecutionId);
        Kinds(again.NewEvents).ShouldBe(["OrchestratorStarted", "ExecutionStarted", "EventRaised"]);
        again.NewEvents[0].Timestamp.ToDateTimeOffset().ShouldBe(Start.AddSeconds(1));

        await worker.CompleteAsync(next, Act.Schedule(0, "Work"));
        var (_, activity) = await worker.ActivityAsync();
        await Hub.AbandonActivityTaskAsync(new AbandonActivityTaskRequest { CompletionToken = activity }, Token);
        Clock.Advance(TimeSpan.FromSeconds(1));
        (await worker.DoActivityAsync("1")).Name.ShouldBe("Work");
    }

    [Fact]
    public async Task What_a_stream_leaves_behind_goes_to_the_next()
    {
        await StartAsync("a");
        await StartAsync("b");
        await using (var first = new HandWorker(Hub))
        {
            await first.DoTurnAsync(Act.Schedule(0, "Work"));
            await first.NextAsync();
            await first.NextAsync();
        }

        await using var second = new HandWorker(Hub);
        var items = new[] { await second.NextAsync(), await second.NextAsync() };

        items.Count(item => item.ActivityRequest is not null).ShouldBe(1);
        items.Count(item => item.OrchestratorRequest is not null).ShouldBe(1);
    }

    [Fact]
    public async Task A_late_answer_counts_until_the_item_is_given_to_somebody_else()
    {
        await StartAsync("a");
        string token;
        await using (var gone = new HandWorker(Hub))
        {
            (_, token) = await gone.TurnAsync();
        }

        await Hub.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse { CompletionToken = token, Actions = { Act.Complete(0, "1") } }, Token);

        (await StatusAsync("a")).ShouldBe(OrchestrationStatus.Completed);
        await using var next = new HandWorker(Hub);
        await NothingMoreAsync();
    }

    [Fact]
    public async Task A_stream_never_holds_more_than_it_asked_for()
    {
        await using var worker = new HandWorker(
            Hub, new GetWorkItemsRequest { MaxConcurrentOrchestrationWorkItems = 1, MaxConcurrentActivityWorkItems = 2 });
        await StartAsync("a");
        await StartAsync("b");
        var (_, token) = await worker.TurnAsync();
        await NothingMoreAsync(outstanding: 1);

        await worker.CompleteAsync(token, Act.Schedule(0, "W"), Act.Schedule(1, "W"), Act.Schedule(2, "W"));
        await NothingMoreAsync(outstanding: 3);
        var items = new[] { await worker.NextAsync(), await worker.NextAsync(), await worker.NextAsync() };

        items.Count(item => item.ActivityRequest is not null).ShouldBe(2);
        await Hub.CompleteActivityTaskAsync(
            new ActivityResponse { CompletionToken = items.First(item => item.ActivityRequest is not null).CompletionToken }, Token);
        (await worker.NextAsync()).ActivityRequest.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_worker_gets_only_what_its_filters_name()
    {
        var filters = new WorkItemFilters { Orchestrations = { new OrchestrationFilter { Name = "orchestrator" } } };
        await using var worker = new HandWorker(Hub, new GetWorkItemsRequest { WorkItemFilters = filters });
        await Hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "other", Name = "Other" }, Token);
        await StartAsync("a");

        (await worker.DoTurnAsync(Act.Schedule(0, "Work"))).InstanceId.ShouldBe("a");
        await NothingMoreAsync();
        await using var everything = new HandWorker(Hub);

        var items = new[] { await everything.NextAsync(), await everything.NextAsync() };
        items.ShouldContain(item => item.ActivityRequest != null);
        items.ShouldContain(item => item.OrchestratorRequest != null && item.OrchestratorRequest.InstanceId == "other");
    }

    [Fact]
    public async Task A_worker_that_keeps_orchestrators_gets_no_history_until_it_asks()
    {
        await using var worker = new HandWorker(Hub, keepsOrchestrators: true);
        await StartAsync("a");
        (await worker.DoTurnAsync(Act.Schedule(0, "Work"))).RequiresHistoryStreaming.ShouldBeFalse();
        await worker.DoActivityAsync("1");

        var (turn, _) = await worker.TurnAsync();

        turn.RequiresHistoryStreaming.ShouldBeTrue();
        turn.PastEvents.ShouldBeEmpty();
        turn.NewEvents.Count.ShouldBe(2);
        Kinds(await HistoryAsync("a", forWork: true)).ShouldBe(
            ["OrchestratorStarted", "ExecutionStarted", "TaskScheduled", "OrchestratorCompleted"]);
    }

    [Fact]
    public async Task A_long_history_is_streamed_in_chunks_to_a_worker_that_can()
    {
        var big = new string('x', 600_000);
        await using var worker = new HandWorker(Hub, new GetWorkItemsRequest { Capabilities = { WorkerCapability.HistoryStreaming } });
        await StartAsync("a", big);
        await worker.DoTurnAsync(Act.Schedule(0, "Work"));
        await worker.DoActivityAsync(big);
        (await worker.DoTurnAsync(Act.Schedule(1, "Work"))).PastEvents.Count.ShouldBe(4);
        await worker.DoActivityAsync("1");

        (await worker.TurnAsync()).Request.RequiresHistoryStreaming.ShouldBeTrue();

        var chunks = new List<HistoryChunk>();
        await foreach (var chunk in Hub.StreamInstanceHistoryAsync(
            new StreamInstanceHistoryRequest { InstanceId = "a", ForWorkItemProcessing = true }, Token))
        {
            chunks.Add(chunk);
        }

        chunks.Count.ShouldBeGreaterThan(1);
        chunks.Sum(chunk => chunk.Events.Count).ShouldBe(8);
    }

    [Fact]
    public async Task However_large_a_turn_was_its_history_comes_in_messages_of_a_size_that_fits()
    {
        await using var worker = new HandWorker(Hub, new GetWorkItemsRequest { MaxConcurrentActivityWorkItems = 1 });
        await StartAsync("a");
        await worker.DoTurnAsync([.. Enumerable.Range(0, 12).Select(id => Act.Schedule(id, "Work", new string('x', 500_000)))]);

        var sizes = new List<int>();
        await foreach (var chunk in Hub.StreamInstanceHistoryAsync(new StreamInstanceHistoryRequest { InstanceId = "a" }, Token))
        {
            sizes.Add(chunk.CalculateSize());
        }

        sizes.Sum().ShouldBeGreaterThan(6_000_000);
        sizes.Max().ShouldBeLessThan(1_000_000);
    }

    [Fact]
    public async Task An_answer_in_chunks_is_one_turn()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        var (_, token) = await worker.TurnAsync();
#pragma warning disable CS0612 // Deprecated in the protocol, and still sent.
        await Hub.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse { CompletionToken = token, IsPartial = true, ChunkIndex = 0, Actions = { Act.Schedule(0, "One") } }, Token);
        await NothingMoreAsync(outstanding: 1);
        (await HistoryAsync("a")).ShouldBeEmpty();
        await Hub.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse { CompletionToken = token, ChunkIndex = 1, NumEventsProcessed = 0, Actions = { Act.Schedule(1, "Two") } }, Token);
#pragma warning restore CS0612

        (await worker.DoActivityAsync(null)).Name.ShouldBe("One");
        (await HistoryAsync("a")).Count(e => e.TaskScheduled is not null).ShouldBe(2);
    }

    [Fact]
    public async Task A_chunk_that_is_sent_again_counts_once()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        var (_, token) = await worker.TurnAsync();

        // The worker did not hear the answer to the second chunk, and sent it again; then it lost the connection and began anew.
        foreach (var index in new[] { 0, 1, 1, 0, 1 })
        {
            await SendChunkAsync(token, index, isLast: false);
        }

        await SendChunkAsync(token, 2, isLast: true);

        (await HistoryAsync("a")).Where(e => e.TaskScheduled is not null).Select(e => (e.EventId, e.TaskScheduled.Name)).ShouldBe([(0, "W0"), (1, "W1"), (2, "W2")]);
        await NothingMoreAsync(outstanding: 3);
    }

    private Task SendChunkAsync(string token, int index, bool isLast)
    {
        var chunk = new OrchestratorResponse { CompletionToken = token, Actions = { Act.Schedule(index, $"W{index}") } };
#pragma warning disable CS0612 // Deprecated in the protocol, and still sent.
        (chunk.IsPartial, chunk.ChunkIndex) = (!isLast, index);
#pragma warning restore CS0612
        return Hub.CompleteOrchestratorTaskAsync(chunk, Token);
    }

    [Fact]
    public async Task Trace_contexts_travel_with_the_work()
    {
        await using var worker = new HandWorker(Hub);
        var trace = new TraceContext { TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
        await Hub.StartInstanceAsync(
            new CreateInstanceRequest { InstanceId = "a", Name = "O", ParentTraceContext = trace, Tags = { ["k"] = "v" } }, Token);
        var (first, token) = await worker.TurnAsync();
        var schedule = Act.Schedule(0, "Work");
        schedule.ScheduleTask.ParentTraceContext = trace;
        schedule.ScheduleTask.Tags.Add("t", "u");
        await Hub.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse
            {
                CompletionToken = token,
                Actions = { schedule },
                OrchestrationTraceContext = new OrchestrationTraceContext { SpanID = "b7ad6b7169203331" },
            },
            Token);

        var activity = await worker.DoActivityAsync(null);
        var second = (await worker.TurnAsync()).Request;

        first.NewEvents[1].ExecutionStarted.ParentTraceContext.ShouldBe(trace);
        first.NewEvents[1].ExecutionStarted.Tags["k"].ShouldBe("v");
        activity.ParentTraceContext.ShouldBe(trace);
        activity.Tags["t"].ShouldBe("u");
        second.OrchestrationTraceContext.SpanID.ShouldBe("b7ad6b7169203331");
        second.PastEvents[2].TaskScheduled.ParentTraceContext.ShouldBe(trace);
    }

    [Fact]
    public async Task What_the_hub_cannot_do_fails_the_instance_and_says_so()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");

        await worker.DoTurnAsync(new OrchestratorAction { Id = 0, RewindOrchestration = new RewindOrchestrationAction() }, Act.Schedule(1, "Work"));

        var state = (await StateAsync("a"))!;
        state.OrchestrationStatus.ShouldBe(OrchestrationStatus.Failed);
        state.FailureDetails.ErrorMessage.ShouldContain("Rewinding");
        await NothingMoreAsync();
    }
}
