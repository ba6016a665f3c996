using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>Several processes on one database: they share the work, and what one leaves behind the others go on with.</summary>
public sealed class PostgreSqlTaskHubReplicasTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly GetWorkItemsRequest OneTurn = new() { MaxConcurrentOrchestrationWorkItems = 1, MaxConcurrentActivityWorkItems = 1 };
    private readonly PostgreSqlServer _server = PostgreSqlServer.Shared;
    private readonly string _database;

    public PostgreSqlTaskHubReplicasTests() => _database = _server.NewDatabase();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_one_has_no_room_for_another_takes()
    {
        await using var one = await OpenAsync();
        await using var other = await OpenAsync();
        await using var first = new HandWorker(one, OneTurn);
        await using var second = new HandWorker(other, OneTurn);

        await StartAsync(one, "a");
        await StartAsync(one, "b");

        var turns = new[] { await first.TurnAsync(), await second.TurnAsync() };
        turns.Select(turn => turn.Request.InstanceId).Order().ShouldBe(["a", "b"]);
    }

    [Fact]
    public async Task Each_knows_how_many_they_are_whoever_came_last_at_once()
    {
        await using var one = await OpenAsync();
        one.Processes.ShouldBe(1);
        await using (var other = await OpenAsync())
        {
            other.Processes.ShouldBe(2);
            await UntilAsync(() => one.Processes == 2);
            await using var third = await OpenAsync();
            third.Processes.ShouldBe(3);
            await UntilAsync(() => one.Processes == 3 && other.Processes == 3);
        }

        await UntilAsync(() => one.Processes == 1);
    }

    [Fact]
    public async Task All_of_a_load_is_done_once_whoever_did_it()
    {
        const int count = 60;
        await using var one = await OpenAsync();
        await using var other = await OpenAsync();
        await using var third = await OpenAsync();
        PostgreSqlTaskHub[] hubs = [one, other, third];
        using var stop = new CancellationTokenSource();
        var loads = hubs.Select(hub => new ReplicaLoad(hub, stop.Token)).ToList();

        await Task.WhenAll(Enumerable.Range(0, count).Select(i => StartAsync(hubs[i % 3], $"i{i}")));
        await Task.WhenAll(Enumerable.Range(0, count).Select(i => CompletedAsync(hubs[(i + 1) % 3], $"i{i}")));

        await stop.CancelAsync();
        await Task.WhenAll(loads.Select(load => load.Ended));
        var done = loads.SelectMany(load => load.Activities).ToList();
        done.Count.ShouldBe(count * ReplicaLoad.Steps);
        done.Distinct(StringComparer.Ordinal).Count().ShouldBe(count * ReplicaLoad.Steps);
    }

    [Fact]
    public async Task A_wait_an_event_and_a_watch_reach_across_processes()
    {
        await using var one = await OpenAsync();
        await using var other = await OpenAsync();
        await using var worker = new HandWorker(one);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var changes = other.WatchInstancesAsync(stop.Token).GetAsyncEnumerator(stop.Token);
        var seen = changes.MoveNextAsync().AsTask();
        var end = other.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = "a", GetInputsAndOutputs = true }, Token);
        await StartAsync(one, "a");
        await worker.DoTurnAsync();
        (await seen.WaitAsync(Patience, Token)).ShouldBeTrue();
        changes.Current.ShouldBe("a");

        await other.RaiseEventAsync(new RaiseEventRequest { InstanceId = "a", Name = "go" }, Token);
        await worker.DoTurnAsync(Act.Complete(0, "1"));

        (await end.WaitAsync(Patience, Token)).OrchestrationState.Output.ShouldBe("1");
        await stop.CancelAsync();
    }

    [Fact]
    public async Task An_activity_in_hand_elsewhere_is_told_that_nobody_waits_for_it()
    {
        await using var one = await OpenAsync();
        await using var other = await OpenAsync();
        await using var worker = new HandWorker(one);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var lost = one.WatchLostActivitiesAsync(stop.Token).GetAsyncEnumerator(stop.Token);
        var heard = lost.MoveNextAsync().AsTask();
        await StartAsync(one, "a");
        await worker.DoTurnAsync(Act.Schedule(0, "Long"));
        var (_, token) = await worker.ActivityAsync();

        await other.SkipGracefulOrchestrationTerminationsAsync(
            new SkipGracefulOrchestrationTerminationsRequest { InstanceBatch = new InstanceBatch { InstanceIds = { "a" } } }, Token);

        (await heard.WaitAsync(Patience, Token)).ShouldBeTrue();
        lost.Current.ShouldBe(token);
        await stop.CancelAsync();
    }

    [Fact]
    public async Task A_holder_that_lost_its_lease_commits_nothing()
    {

        // It does not look before the test is over: it would take back what it lost.
        await using var paused = await OpenAsync(static options => options.Lease = TimeSpan.FromMinutes(10));
        await using var worker = new HandWorker(paused);
        await StartAsync(paused, "a");
        await StartAsync(paused, "b");
        var turns = new[] { await worker.TurnAsync(), await worker.TurnAsync() };
        await worker.CompleteAsync(turns.Single(turn => turn.Request.InstanceId == "b").Token, Act.Schedule(0, "Work"));
        var (_, activity) = await worker.ActivityAsync();

        // As if it had been stopped for longer than its lease, and another had looked.
        Forget();
        await using var other = await OpenAsync();
        await using var next = new HandWorker(other);
        var items = new[] { await next.NextAsync(), await next.NextAsync() };
        var refusals = new[]
        {
            await Should.ThrowAsync<TaskHubException>(
                () => worker.CompleteAsync(turns.Single(turn => turn.Request.InstanceId == "a").Token, Act.Complete(0, "\"late\""))),
            await Should.ThrowAsync<TaskHubException>(
                () => paused.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = activity, Result = "late" }, Token)),
        };
        foreach (var item in items)
        {
            await (item.ActivityRequest is null
                ? next.CompleteAsync(item.CompletionToken, Act.Complete(0, "\"taken over\""))
                : other.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = item.CompletionToken, Result = "taken over" }, Token));
        }

        refusals.ShouldAllBe(refusal => refusal.Status == StatusCode.NotFound);
        (await CompletedAsync(other, "a")).Output.ShouldBe("\"taken over\"");
        (await next.TurnAsync()).Request.NewEvents[1].TaskCompleted.Result.ShouldBe("taken over");
        Sql("SELECT count(*) FROM drydock.history").ShouldBe(2L);
    }

    [Fact]
    public async Task A_process_whose_lease_was_lost_drops_what_it_holds_and_goes_on()
    {
        await using var hub = await OpenAsync(options => options.Lease = TimeSpan.FromSeconds(1));
        await using var worker = new HandWorker(hub);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var lost = hub.WatchLostActivitiesAsync(stop.Token).GetAsyncEnumerator(stop.Token);
        var heard = lost.MoveNextAsync().AsTask();
        await StartAsync(hub, "a");
        await worker.DoTurnAsync(Act.Schedule(0, "Work"));
        var (_, token) = await worker.ActivityAsync();

        Forget();

        (await heard.WaitAsync(Patience, Token)).ShouldBeTrue();
        lost.Current.ShouldBe(token);
        await worker.DoActivityAsync("again");
        await worker.DoTurnAsync(Act.Complete(1));
        (await CompletedAsync(hub, "a")).OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
        await stop.CancelAsync();
    }

    [Fact]
    public async Task A_timer_fires_in_the_process_that_is_there()
    {
        var clock = new FakeTimeProvider();
        await using (var gone = await OpenAsync(clock: clock))
        {
            await using var worker = new HandWorker(gone);
            await StartAsync(gone, "a");
            await worker.DoTurnAsync(Act.Timer(0, clock.GetUtcNow().AddHours(1)));
        }

        await using var other = await OpenAsync(clock: clock);
        await using var next = new HandWorker(other);
        await other.HelloAsync(Token);
        await other.HelloAsync(Token);
        next.Waiting.ShouldBe(0);
        clock.Advance(TimeSpan.FromHours(1));

        (await next.DoTurnAsync(Act.Complete(1))).NewEvents[1].TimerFired.TimerId.ShouldBe(0);
    }

    [Fact]
    public async Task An_event_that_came_later_by_a_slow_clock_is_read_later()
    {
        var late = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        var early = new FakeTimeProvider(late.GetUtcNow().AddMinutes(-10));
        await using var one = await OpenAsync(clock: late);
        await using var other = await OpenAsync(clock: early);
        await StartAsync(one, "a");
        for (var i = 0; i < 6; i++)
        {
            await (i % 2 == 0 ? one : other).RaiseEventAsync(new RaiseEventRequest { InstanceId = "a", Name = $"e{i}" }, Token);
        }

        await using var worker = new HandWorker(other);

        var names = (await worker.TurnAsync()).Request.NewEvents.Where(e => e.EventRaised is not null).Select(e => e.EventRaised.Name);
        names.ShouldBe(["e0", "e1", "e2", "e3", "e4", "e5"]);
    }

    [Fact]
    public async Task What_one_tells_the_others_hear()
    {
        await using var one = await OpenAsync();
        await using var other = await OpenAsync();
        var heard = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        other.Told += heard.SetResult;
        one.Told += _ => heard.TrySetException(new InvalidOperationException("It heard itself."));

        await one.TellAsync("wake:node-1", Token);

        (await heard.Task.WaitAsync(Patience, Token)).ShouldBe("wake:node-1");
    }

    [Fact]
    public async Task One_leads_and_the_next_follows_when_it_has_gone()
    {
        await using var first = await OpenAsync();
        var leads = await first.LeadAsync(Token).WaitAsync(Patience, Token);
        await using var second = await OpenAsync();
        var next = second.LeadAsync(Token);
        await second.ProveWritableAsync(Token);
        next.IsCompleted.ShouldBeFalse();
        leads.IsCancellationRequested.ShouldBeFalse();

        await first.DisposeAsync();

        leads.IsCancellationRequested.ShouldBeTrue();
        (await next.WaitAsync(Patience, Token)).IsCancellationRequested.ShouldBeFalse();
    }

    /// <summary>What the other processes write when the lease of one is over.</summary>
    private void Forget() => Sql(
        """
        UPDATE drydock.replicas SET lost = true;
        UPDATE drydock.instances SET holder = NULL, token = 0 WHERE holder IS NOT NULL;
        UPDATE drydock.tasks SET holder = NULL, token = 0 WHERE holder IS NOT NULL;
        SELECT count(*) FROM drydock.replicas
        """);

    private object? Sql(string sql) =>
        _server.Execute(new Npgsql.NpgsqlConnectionStringBuilder(_database).Database!, sql);

    private Task<PostgreSqlTaskHub> OpenAsync(Action<PostgreSqlTaskHubOptions>? configure = null, TimeProvider? clock = null) =>
        PostgreSqlHubs.OpenAsync(_database, clock, configure);

    private static Task StartAsync(PostgreSqlTaskHub hub, string id) =>
        hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "Orchestrator" }, Token);

    private static async Task<OrchestrationState> CompletedAsync(PostgreSqlTaskHub hub, string id) =>
        (await hub.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = true }, Token)
            .WaitAsync(Patience, Token)).OrchestrationState;

    private static async Task UntilAsync(Func<bool> isSo)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Token);
        late.CancelAfter(Patience);
        while (!isSo())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, late.Token);
        }
    }
}
