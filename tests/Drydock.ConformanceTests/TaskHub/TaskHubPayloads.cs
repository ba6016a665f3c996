using Drydock.DurableTask.Protobuf;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>Large payloads: stored once and apart from the rows that need them, gone with the last of those, and not noticed by anybody.</summary>
public abstract class TaskHubPayloads : TaskHubConformance
{
    private const string LikeToken = "\u0001payload:status";

    /// <summary>How many payloads are stored apart.</summary>
    protected abstract long Payloads { get; }

    /// <summary>How many characters the rows have that refer to them: history, messages, activities, values and status.</summary>
    protected abstract long CharactersInRows { get; }

    [Fact]
    public async Task An_input_that_is_passed_on_is_stored_once_and_everybody_gets_all_of_it()
    {
        var large = Large('i');
        await StartAsync("a", large);
        await using (var worker = new HandWorker(Hub))
        {
            (await worker.DoTurnAsync([.. Enumerable.Range(0, 10).Select(id => Act.Schedule(id, "Work", large))]))
                .NewEvents[1].ExecutionStarted.Input.ShouldBe(large);
        }

        Payloads.ShouldBe(1);
        CharactersInRows.ShouldBeLessThan(large.Length);
        await ReopenAsync();
        await using (var worker = new HandWorker(Hub, new GetWorkItemsRequest { MaxConcurrentOrchestrationWorkItems = 1, MaxConcurrentActivityWorkItems = 1 }))
        {
            for (var step = 0; step < 10; step++)
            {
                var item = await worker.NextAsync();
                while (item.OrchestratorRequest is { } request)
                {
                    request.PastEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Input.ShouldBe(large);
                    request.PastEvents.Where(e => e.TaskScheduled is not null).ShouldAllBe(e => e.TaskScheduled.Input == large);
                    await worker.CompleteAsync(item.CompletionToken);
                    item = await worker.NextAsync();
                }

                item.ActivityRequest.Input.ShouldBe(large);
                await Hub.CompleteActivityTaskAsync(
                    new ActivityResponse { CompletionToken = item.CompletionToken, Result = large }, CancellationToken.None);
            }

            await FinishAsync(worker, Act.Complete(10, large));
        }

        var state = (await StateAsync("a"))!;
        (state.Input, state.Output).ShouldBe((large, large));
        var history = await HistoryAsync("a");
        history.Where(e => e.TaskScheduled is not null).ShouldAllBe(e => e.TaskScheduled.Input == large);
        history.Where(e => e.TaskCompleted is not null).ShouldAllBe(e => e.TaskCompleted.Result == large);
        history.Single(e => e.ExecutionCompleted is not null).ExecutionCompleted.Result.ShouldBe(large);
        Payloads.ShouldBe(1);
        CharactersInRows.ShouldBeLessThan(large.Length);
    }

    [Fact]
    public async Task Payloads_go_when_their_instance_is_purged()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("kept", Large('k'));
        await worker.DoTurnAsync(Act.Complete(0, "1"));
        await StartAsync("a", Large('i'));
        await worker.DoTurnAsync(Act.Child(0, "a.0", input: Large('c')));
        await worker.DoTurnAsync(Act.Complete(0, Large('r')));
        await worker.DoTurnAsync(Act.Complete(1, Large('o')));
        Payloads.ShouldBe(1 + 4 + 2);

        var purged = await Hub.PurgeInstancesAsync(new PurgeInstancesRequest { InstanceId = "a", Recursive = true }, CancellationToken.None);

        purged.DeletedInstanceCount.ShouldBe(2);
        Payloads.ShouldBe(1);
        (await StateAsync("kept"))!.Input.ShouldBe(Large('k'));
    }

    [Fact]
    public async Task Continuing_as_new_drops_what_nothing_needs_any_more_and_keeps_the_rest()
    {
        await using (var worker = new HandWorker(Hub, new GetWorkItemsRequest { MaxConcurrentActivityWorkItems = 1 }))
        {
            await StartAsync("a", Large('1'));
            await worker.DoTurnAsync(Act.Schedule(0, "First", Large('x')), Act.Schedule(1, "Second", Large('y')));
            await worker.DoActivityAsync(Large('r'));
            var (_, turn) = await worker.TurnAsync();
            await RaiseAsync("a", "late", Large('e'));
            Payloads.ShouldBe(5);

            // The second activity has been handed out or not; it was asked for and is still to run.
            await worker.CompleteAsync(turn, Act.ContinueAsNew(2, Large('2')));
            Payloads.ShouldBe(3);
        }

        await ReopenAsync();
        await using var another = new HandWorker(Hub);
        var items = new[] { await another.NextAsync(), await another.NextAsync() };
        items.Single(item => item.ActivityRequest is not null).ActivityRequest.Input.ShouldBe(Large('y'));
        var next = items.Single(item => item.OrchestratorRequest is not null);
        next.OrchestratorRequest.NewEvents[1].ExecutionStarted.Input.ShouldBe(Large('2'));
        next.OrchestratorRequest.NewEvents[2].EventRaised.Input.ShouldBe(Large('e'));
        await another.CompleteAsync(next.CompletionToken, Act.ContinueAsNew(0, "small"));
        Payloads.ShouldBe(1);
        (await StateAsync("a"))!.Input.ShouldBe("small");
    }

    [Fact]
    public async Task Of_a_custom_status_only_the_last_is_stored()
    {
        await using (var worker = new HandWorker(Hub))
        {
            await StartAsync("a");
            foreach (var status in (string?[])[Large('1'), Large('2'), "small", Large('3'), Large('3')])
            {
                var (_, turn) = await worker.TurnAsync();
                await Hub.CompleteOrchestratorTaskAsync(new OrchestratorResponse { CompletionToken = turn, CustomStatus = status }, CancellationToken.None);

                (await StateAsync("a"))!.CustomStatus.ShouldBe(status);
                Payloads.ShouldBe(1);
                await RaiseAsync("a", "on");
            }
        }

        await ReopenAsync();
        (await StateAsync("a"))!.CustomStatus.ShouldBe(Large('3'));
    }

    [Fact]
    public async Task Events_that_came_before_their_instance_bring_their_payloads()
    {
        await RaiseAsync("a", "early", Large('e'));
        await RaiseAsync("a", "early", Large('i'));
        await StartAsync("a", Large('i'));
        Payloads.ShouldBe(2);

        await ReopenAsync();
        await using var worker = new HandWorker(Hub);
        var turn = await worker.DoTurnAsync(Act.Complete(0));
        turn.NewEvents[1].ExecutionStarted.Input.ShouldBe(Large('i'));
        turn.NewEvents.Skip(2).Select(e => e.EventRaised.Input).ShouldBe([Large('e'), Large('i')]);
        Payloads.ShouldBe(2);
    }

    [Fact]
    public async Task A_text_that_looks_like_a_token_is_only_a_text()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a", LikeToken);
        (await worker.DoTurnAsync(Act.Complete(0, LikeToken))).NewEvents[1].ExecutionStarted.Input.ShouldBe(LikeToken);

        var state = (await StateAsync("a"))!;
        (state.Input, state.Output).ShouldBe((LikeToken, LikeToken));
        (await HistoryAsync("a")).Single(e => e.ExecutionCompleted is not null).ExecutionCompleted.Result.ShouldBe(LikeToken);
    }

    [Fact]
    public async Task Rewinding_and_restarting_find_the_payloads()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a", Large('i'));
        await worker.DoTurnAsync(Act.Schedule(0, "Good", Large('g')));
        await worker.DoActivityAsync(Large('r'));
        await worker.DoTurnAsync(Act.Fail(1, "bad"));

        await Hub.RewindInstanceAsync(new RewindInstanceRequest { InstanceId = "a" }, CancellationToken.None);
        var rewound = await worker.DoTurnAsync(Act.Complete(1));
        await Hub.RestartInstanceAsync(new RestartInstanceRequest { InstanceId = "a" }, CancellationToken.None);

        rewound.PastEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Input.ShouldBe(Large('i'));
        rewound.PastEvents.Single(e => e.TaskScheduled is not null).TaskScheduled.Input.ShouldBe(Large('g'));
        rewound.PastEvents.Single(e => e.TaskCompleted is not null).TaskCompleted.Result.ShouldBe(Large('r'));
        (await worker.DoTurnAsync(Act.Complete(0))).NewEvents[1].ExecutionStarted.Input.ShouldBe(Large('i'));
        Payloads.ShouldBe(1);
    }

    private static string Large(char letter) => new(letter, 20_000);

    private static async Task FinishAsync(HandWorker worker, OrchestratorAction end)
    {
        // The last turns may come together or one by one.
        var results = 0;
        while (results < 10)
        {
            var (turn, token) = await worker.TurnAsync();
            results = turn.PastEvents.Concat(turn.NewEvents).Count(e => e.TaskCompleted is not null);
            await (results < 10 ? worker.CompleteAsync(token) : worker.CompleteAsync(token, end));
        }
    }
}
