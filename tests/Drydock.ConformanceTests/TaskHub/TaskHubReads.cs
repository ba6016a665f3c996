using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>Waiting, watching, querying and purging.</summary>
public abstract class TaskHubReads : TaskHubConformance
{
    private static readonly DateTimeOffset LongAfterTheTest = new(2100, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Waiting_ends_when_the_instance_starts_and_when_it_ends()
    {
        await using var worker = new HandWorker(Hub);
        var request = new GetInstanceRequest { InstanceId = "a", GetInputsAndOutputs = true };
        var start = Hub.WaitForInstanceStartAsync(request, Token);
        var end = Hub.WaitForInstanceCompletionAsync(request, Token);
        await StartAsync("a");
        var (_, token) = await worker.TurnAsync();
        start.IsCompleted.ShouldBeFalse();

        await worker.CompleteAsync(token);
        (await start).OrchestrationState.OrchestrationStatus.ShouldBe(OrchestrationStatus.Running);
        end.IsCompleted.ShouldBeFalse();
        await RaiseAsync("a", "x");
        await worker.DoTurnAsync(Act.Complete(0, "1"));

        (await end).OrchestrationState.Output.ShouldBe("1");
        (await Hub.WaitForInstanceCompletionAsync(request, Token)).Exists.ShouldBeTrue();
    }

    [Fact]
    public async Task A_wait_can_be_cancelled()
    {
        using var cancel = new CancellationTokenSource();
        var wait = Hub.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = "nobody" }, cancel.Token);

        await cancel.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => wait);
    }

    [Fact]
    public async Task Values_come_only_if_asked_for()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a", "5");
        await worker.DoTurnAsync(Act.Complete(0, "1"));

        var state = (await Hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = "a" }, Token)).OrchestrationState;

        state.Input.ShouldBeNull();
        state.Output.ShouldBeNull();
        state.CreatedTimestamp.ToDateTimeOffset().ShouldBe(Start);
        state.LastUpdatedTimestamp.ShouldNotBeNull();
        state.ExecutionId.ShouldNotBeNullOrEmpty();
        (await Hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = "nobody" }, Token)).Exists.ShouldBeFalse();
        await RefusedAsync(StatusCode.NotFound, () => HistoryAsync("nobody"));
    }

    [Fact]
    public async Task Pages_do_not_shift_when_instances_come_and_go()
    {
        await using var worker = new HandWorker(Hub);
        for (var i = 0; i < 21; i++)
        {
            await StartAsync($"i{i:00}");
        }

        var seen = new List<string>();
        var sizes = new List<int>();
        string? token = null;
        do
        {
            var page = await Hub.QueryInstancesAsync(
                new QueryInstancesRequest { Query = new InstanceQuery { MaxInstanceCount = 5, ContinuationToken = token } }, Token);
            seen.AddRange(page.OrchestrationState.Select(state => state.InstanceId));
            sizes.Add(page.OrchestrationState.Count);
            token = page.ContinuationToken;
            if (sizes.Count == 1)
            {
                await worker.DoTurnAsync(Act.Complete(0));
                await Hub.PurgeInstancesAsync(new PurgeInstancesRequest { InstanceId = "i00" }, Token);
            }
        }
        while (token is not null);

        sizes.ShouldBe([5, 5, 5, 5, 1]);
        seen.ShouldBe(Enumerable.Range(0, 21).Select(i => $"i{i:00}"));
        await RefusedAsync(
            StatusCode.InvalidArgument,
            () => Hub.QueryInstancesAsync(new QueryInstancesRequest { Query = new InstanceQuery { ContinuationToken = "x" } }, Token));
    }

    [Fact]
    public async Task Queries_filter_by_status_time_and_prefix()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a-1");
        await worker.DoTurnAsync(Act.Complete(0, "1"));
        Clock.Advance(TimeSpan.FromMinutes(1));
        await StartAsync("a-2");
        await StartAsync("b-1", "5");

        (await Ids(new InstanceQuery { RuntimeStatus = { OrchestrationStatus.Completed, OrchestrationStatus.Failed } })).ShouldBe(["a-1"]);
        (await Ids(new InstanceQuery { InstanceIdPrefix = "a-" })).ShouldBe(["a-1", "a-2"]);
        (await Ids(new InstanceQuery { CreatedTimeFrom = Timestamp.FromDateTimeOffset(Start.AddMinutes(1)) })).ShouldBe(["a-2", "b-1"]);
        (await Ids(new InstanceQuery { CreatedTimeTo = Timestamp.FromDateTimeOffset(Start), InstanceIdPrefix = "a" })).ShouldBe(["a-1"]);
        var full = await Hub.QueryInstancesAsync(
            new QueryInstancesRequest { Query = new InstanceQuery { InstanceIdPrefix = "b", FetchInputsAndOutputs = true } }, Token);
        full.OrchestrationState.Single().Input.ShouldBe("5");
        full.ContinuationToken.ShouldBeNull();
    }

    [Fact]
    public async Task Ids_of_finished_instances_are_listed_in_pages()
    {
        await using var worker = new HandWorker(Hub);
        foreach (var id in new[] { "a", "b", "c" })
        {
            await StartAsync(id);
            await worker.DoTurnAsync(Act.Complete(0));
        }

        await StartAsync("running");
        var first = await Hub.ListInstanceIdsAsync(new ListInstanceIdsRequest { PageSize = 2, LastInstanceKey = "" }, Token);
        var second = await Hub.ListInstanceIdsAsync(
            new ListInstanceIdsRequest { PageSize = 2, LastInstanceKey = first.LastInstanceKey }, Token);

        first.InstanceIds.ShouldBe(["a", "b"]);
        second.InstanceIds.ShouldBe(["c"]);
        second.LastInstanceKey.ShouldBeNull();
    }

    [Fact]
    public async Task Only_what_is_finished_is_purged()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("running");
        await worker.DoTurnAsync();
        await StartAsync("p");
        await worker.DoTurnAsync(Act.Child(0, "c"));
        await worker.DoTurnAsync(Act.Complete(0));
        await worker.DoTurnAsync(Act.Complete(1));
        await StartAsync("q");
        await worker.DoTurnAsync(Act.Complete(0));

        (await PurgeAsync(new PurgeInstancesRequest { InstanceId = "running" })).ShouldBe(0);
        (await PurgeAsync(new PurgeInstancesRequest { InstanceId = "p", Recursive = true })).ShouldBe(2);
        (await PurgeAsync(new PurgeInstancesRequest { PurgeInstanceFilter = new PurgeInstanceFilter() })).ShouldBe(1);

        (await Ids(new InstanceQuery())).ShouldBe(["running"]);
        await RefusedAsync(StatusCode.NotFound, () => HistoryAsync("p"));
    }

    [Fact]
    public async Task A_batch_is_purged_and_a_filter_goes_through_all_pages()
    {
        await using var worker = new HandWorker(Hub);
        for (var i = 0; i < 120; i++)
        {
            await StartAsync($"i{i}");
            await worker.DoTurnAsync(Act.Complete(0));
        }

        (await PurgeAsync(new PurgeInstancesRequest { InstanceBatch = new InstanceBatch { InstanceIds = { "i0", "i1", "nobody" } } })).ShouldBe(2);
        var stopped = await Hub.PurgeInstancesAsync(
            new PurgeInstancesRequest { PurgeInstanceFilter = new PurgeInstanceFilter { Timeout = Duration.FromTimeSpan(TimeSpan.Zero) } }, Token);
        stopped.IsComplete.ShouldBe(false);
        (await PurgeAsync(new PurgeInstancesRequest { PurgeInstanceFilter = new PurgeInstanceFilter() })).ShouldBe(118);

        (await Ids(new InstanceQuery())).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_purged_instance_leaves_its_activity_to_end_in_peace()
    {
        await using var worker = new HandWorker(Hub);
        await StartAsync("a");
        await worker.DoTurnAsync(Act.Schedule(0, "Slow"), Act.Complete(1));
        var (_, token) = await worker.ActivityAsync();
        await PurgeAsync(new PurgeInstancesRequest { InstanceId = "a" });

        await Hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = token }, Token);

        await Extensions.WhenIdleAsync(Token);
    }

    [Fact]
    public async Task Watchers_hear_of_each_instance_that_changed()
    {
        await using var worker = new HandWorker(Hub);
        using var stop = new CancellationTokenSource();
        var changes = Extensions.WatchInstancesAsync(stop.Token).GetAsyncEnumerator(stop.Token);
        var next = changes.MoveNextAsync().AsTask();

        // Over a connection a watch begins some time after it was asked for: it has begun when it tells of something.
        for (var early = 0; !next.IsCompleted; early++)
        {
            await StartAsync($"early-{early}", at: LongAfterTheTest);
            await Task.WhenAny(next, Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token));
        }

        await StartAsync("a");
        while (await next && changes.Current.StartsWith("early-", StringComparison.Ordinal))
        {
            next = changes.MoveNextAsync().AsTask();
        }

        changes.Current.ShouldBe("a");
        next = changes.MoveNextAsync().AsTask();
        await worker.DoTurnAsync(Act.Complete(0));

        (await next).ShouldBeTrue();
        changes.Current.ShouldBe("a");
        next = changes.MoveNextAsync().AsTask();
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => next);
    }

    [Fact]
    public async Task Idle_means_that_nothing_is_ready_or_in_hand()
    {
        (await Extensions.WhenIdleAsync(Token)).ShouldBeNull();
        await StartAsync("a");
        var idle = Extensions.WhenIdleAsync(Token);
        (await Extensions.GetCountsAsync(Token)).ReadyItems.ShouldBe(1);
        await using var worker = new HandWorker(Hub);
        var (_, token) = await worker.TurnAsync();
        await NothingMoreAsync(outstanding: 1);
        idle.IsCompleted.ShouldBeFalse();

        await worker.CompleteAsync(token, Act.Timer(0, Start.AddMinutes(7)));

        (await idle).ShouldBe(Start.AddMinutes(7));
        (await Extensions.GetCountsAsync(Token)).Timers.ShouldBe(1);
    }

    private async Task<IEnumerable<string>> Ids(InstanceQuery query) =>
        (await Hub.QueryInstancesAsync(new QueryInstancesRequest { Query = query }, Token)).OrchestrationState.Select(s => s.InstanceId);

    private async Task<int> PurgeAsync(PurgeInstancesRequest request) =>
        (await Hub.PurgeInstancesAsync(request, Token)).DeletedInstanceCount;
}
