using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>A database that goes away, comes back, is not there, or is somebody else's.</summary>
public sealed class PostgreSqlTaskHubFaultTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connections_cut_in_the_middle_of_a_load_lose_and_repeat_nothing()
    {
        const int count = 40;
        var address = PostgreSqlServer.Shared.NewDatabase();
        await using var one = await PatientAsync(address);
        await using var other = await PatientAsync(address);
        using var stop = new CancellationTokenSource();
        ReplicaLoad[] loads = [new(one, stop.Token), new(other, stop.Token)];

        var starts = Enumerable.Range(0, count).Select(async i =>
        {
            await PauseAsync(i * 20, Token);
            await StartAsync(i % 2 == 0 ? one : other, $"i{i}");
        });
        var cuts = Task.Run(async () =>
        {
            for (var i = 0; i < 8; i++)
            {
                await PauseAsync(100, Token);
                Cut(address);
            }
        });
        await Task.WhenAll(starts);
        await cuts;
        await Task.WhenAll(Enumerable.Range(0, count).Select(i => CompletedAsync(one, $"i{i}")));
        await stop.CancelAsync();
        await Task.WhenAll(loads.Select(load => load.Ended));

        var done = loads.SelectMany(load => load.Activities).ToList();
        done.Count.ShouldBe(done.Distinct(StringComparer.Ordinal).Count());
        for (var i = 0; i < count; i++)
        {
            List<HistoryEvent> history = [];
            await foreach (var chunk in other.StreamInstanceHistoryAsync(new StreamInstanceHistoryRequest { InstanceId = $"i{i}" }, Token))
            {
                history.AddRange(chunk.Events);
            }

            history.Count(e => e.ExecutionStarted is not null).ShouldBe(1);
            history.Count(e => e.TaskCompleted is not null).ShouldBe(ReplicaLoad.Steps);
            history.Count(e => e.ExecutionCompleted is not null).ShouldBe(1);
        }
    }

    [Fact]
    public async Task An_abandoned_item_does_not_come_early_because_a_connection_was_lost()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await using var hub = await PatientAsync(address, clock);
        await using var worker = new HandWorker(hub);
        await StartAsync(hub, "a");
        var (_, token) = await worker.TurnAsync();
        await hub.AbandonOrchestratorTaskAsync(new AbandonOrchestrationTaskRequest { CompletionToken = token }, Token);

        // Back on a new connection, the hub frees what a lost transaction may have taken.
        Cut(address);
        await StartAsync(hub, "b");
        var (other, last) = await worker.TurnAsync();
        await hub.HelloAsync(Token);
        await hub.HelloAsync(Token);

        other.InstanceId.ShouldBe("b");
        (await ((ITaskHubExtensions)hub).GetCountsAsync(Token)).OutstandingItems.ShouldBe(1);
        await worker.CompleteAsync(last);
        clock.Advance(TimeSpan.FromSeconds(1));
        (await worker.TurnAsync()).Request.InstanceId.ShouldBe("a");
    }

    [Fact]
    public async Task A_time_out_that_meets_a_lost_connection_fires_all_the_same()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var cut = new CutBeforeCommit(address);
        await using var hub = await PatientAsync(address, clock, cut);
        await using var worker = new HandWorker(hub);
        await StartAsync(hub, "a");
        var call = Act.Schedule(0, "Work");
        call.ScheduleTask.Tags["drydock.start-to-close"] = "00:01:00";
        await worker.DoTurnAsync(call);
        await worker.ActivityAsync();

        cut.IsArmed = true;
        clock.Advance(TimeSpan.FromMinutes(2));

        (await worker.TurnAsync(Patience)).Request.NewEvents[1].TaskFailed.FailureDetails.ErrorMessage.ShouldContain("did not end within");
        cut.IsArmed.ShouldBeFalse();
    }

    /// <summary>Cuts the connections of the hub once, right before it commits.</summary>
    private sealed class CutBeforeCommit(string address) : ICrashPoints
    {
        public volatile bool IsArmed;

        public void Hit(string point)
        {
            if (IsArmed && point == CrashPoints.CommitBeforeCommit)
            {
                IsArmed = false;
                Cut(address);
            }
        }
    }

    [Fact]
    public async Task A_watch_is_told_what_another_process_changed_while_it_could_not_be_heard()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();
        await using var one = await PatientAsync(address);
        await using var other = await PatientAsync(address);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var changes = other.WatchInstancesAsync(stop.Token).GetAsyncEnumerator(stop.Token);
        for (var round = 0; round < 10; round++)
        {
            // Whether the listener is back before or after the change is left to chance.
            var told = changes.MoveNextAsync().AsTask();
            Cut(address);
            await StartAsync(one, $"i{round}");
            (await told.WaitAsync(Patience, Token)).ShouldBeTrue();
            while (changes.Current != $"i{round}")
            {
                (await changes.MoveNextAsync().AsTask().WaitAsync(Patience, Token)).ShouldBeTrue();
            }
        }

        await stop.CancelAsync();
    }

    [Fact]
    public async Task While_the_database_is_down_requests_are_refused_in_words_and_then_it_goes_on()
    {
        using var server = PostgreSqlServer.Create();
        var address = server.NewDatabase();
        await using var hub = await PostgreSqlHubs.OpenAsync(address, configure: options => options.Patience = TimeSpan.FromSeconds(1));
        await using var worker = new HandWorker(hub);
        await StartAsync(hub, "a");
        await worker.DoTurnAsync(Act.Schedule(0, "Work"));
        var (_, token) = await worker.ActivityAsync();

        server.Stop();
        var write = await Should.ThrowAsync<TaskHubException>(() => StartAsync(hub, "b").WaitAsync(Patience, Token));
        var read = await Should.ThrowAsync<TaskHubException>(() => hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = "a" }, Token).WaitAsync(Patience, Token));
        var probe = await Should.ThrowAsync<TaskHubException>(() => hub.ProveWritableAsync(Token).WaitAsync(Patience, Token));
        server.Start();

        write.Status.ShouldBe(StatusCode.Unavailable);
        write.Message.ShouldContain("cannot be reached");
        read.Message.ShouldContain("cannot be read");
        probe.Message.ShouldContain("cannot be reached");
        await ReadyAsync(hub);
        await hub.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = token, Result = "1" }, Token);
        (await worker.DoTurnAsync(Act.Complete(1))).NewEvents[1].TaskCompleted.Result.ShouldBe("1");
        (await CompletedAsync(hub, "a")).OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
        (await hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = "b" }, Token)).Exists.ShouldBeFalse();
    }

    [Fact]
    public async Task A_restart_of_the_server_that_is_short_enough_is_not_noticed()
    {
        using var server = PostgreSqlServer.Create();
        await using var hub = await PostgreSqlHubs.OpenAsync(server.NewDatabase(), configure: options => options.Patience = Patience);
        await using var worker = new HandWorker(hub);
        await StartAsync(hub, "a");

        server.Stop();
        var asked = StartAsync(hub, "b");
        server.Start();
        await asked.WaitAsync(Patience, Token);

        await worker.DoTurnAsync(Act.Complete(0));
        await worker.DoTurnAsync(Act.Complete(0));
        (await CompletedAsync(hub, "b")).OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
    }

    [Fact]
    public async Task Processes_that_start_at_once_make_one_hub()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();

        var hubs = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => PostgreSqlHubs.OpenAsync(address)));

        hubs.Select(hub => hub.HubId).Distinct().Count().ShouldBe(1);
        await hubs[0].BindAsync("cluster", "one", Token);
        await hubs[1].BindAsync("cluster", "one", Token);
        await Should.ThrowAsync<TaskHubBindingException>(() => hubs[2].BindAsync("cluster", "another", Token));
        foreach (var hub in hubs)
        {
            await hub.DisposeAsync();
        }

        Sql(address, "SELECT count(*) FROM drydock.replicas").ShouldBe(0L);
    }

    [Fact]
    public async Task A_database_of_somebody_else_is_refused_and_left_alone()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();
        Sql(address, "CREATE TABLE orders (id int)");

        var refusal = await RefusedAsync(address, TaskHubOpenProblem.NotATaskHub);

        refusal.Message.ShouldContain("public.orders");
        Sql(address, "SELECT count(*) FROM pg_namespace WHERE nspname = 'drydock'").ShouldBe(0L);
        Sql(address, "CREATE SCHEMA drydock");
        await using var invited = await PostgreSqlHubs.OpenAsync(address);
        await StartAsync(invited, "a");
    }

    [Fact]
    public async Task An_older_schema_is_brought_up_with_the_work_in_it()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();
        await using (var old = await PostgreSqlHubs.OpenAsync(address))
        {
            await old.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "a", Name = "O" }, CancellationToken.None);
        }

        Sql(address, "ALTER TABLE drydock.instances DROP COLUMN deliveries");
        Sql(address, "ALTER TABLE drydock.tasks DROP COLUMN deliveries, DROP COLUMN payload_key, DROP COLUMN progress, DROP COLUMN progress_at");
        Sql(address, "ALTER TABLE drydock.inbox DROP COLUMN payload_key");
        Sql(address, "DROP TABLE drydock.payloads");
        Sql(address, "UPDATE drydock.schema_version SET version = 1");

        await using var hub = await PostgreSqlHubs.OpenAsync(address);
        await using var worker = new HandWorker(hub);
        (await worker.DoTurnAsync(Act.Complete(0))).InstanceId.ShouldBe("a");
    }

    [Fact]
    public async Task A_newer_schema_is_refused()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();
        await (await PostgreSqlHubs.OpenAsync(address)).DisposeAsync();
        Sql(address, "UPDATE drydock.schema_version SET version = 999");

        (await RefusedAsync(address, TaskHubOpenProblem.NewerSchema)).Message.ShouldContain("999");
    }

    [Fact]
    public async Task What_cannot_be_opened_is_refused_in_words_without_the_password()
    {
        var address = PostgreSqlServer.Shared.NewDatabase();

        (await RefusedAsync(With(address, part => part.Password = "wrong-secret"), TaskHubOpenProblem.AccessDenied)).Message
            .ShouldSatisfyAllConditions(text => text.ShouldContain("password"), text => text.ShouldNotContain("wrong-secret"));
        (await RefusedAsync(With(address, part => part.Database = "nowhere"), TaskHubOpenProblem.Unreachable)).Message.ShouldContain("nowhere");
        (await RefusedAsync(With(address, part => part.Port = 1), TaskHubOpenProblem.Unreachable)).Message.ShouldContain("cannot be reached");
        (await RefusedAsync("Host=db", TaskHubOpenProblem.BadAddress)).Message.ShouldContain("Database");
        (await RefusedAsync("Host=db;Database=x;Colour=red", TaskHubOpenProblem.BadAddress)).Message.ShouldContain("Colour", Case.Insensitive);
    }

    [Fact]
    public async Task Text_that_cannot_be_stored_is_refused_and_others_do_not_suffer()
    {
        await using var hub = await PostgreSqlHubs.OpenAsync(PostgreSqlServer.Shared.NewDatabase());

        var good = Enumerable.Range(0, 5).Select(i => StartAsync(hub, $"i{i}")).ToList();
        var bad = hub.RaiseEventAsync(new RaiseEventRequest { InstanceId = "nul\0", Name = "x" }, Token);
        good.AddRange(Enumerable.Range(5, 5).Select(i => StartAsync(hub, $"i{i}")));

        (await Should.ThrowAsync<TaskHubException>(() => bad)).Status.ShouldBe(StatusCode.InvalidArgument);
        await Task.WhenAll(good);
    }

    private static Task PauseAsync(int milliseconds, CancellationToken cancellationToken) =>
        Task.Delay(TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System, cancellationToken);

    /// <summary>One that waits for a lost connection as long as the test does: how soon it is back depends on the machine.</summary>
    private static Task<PostgreSqlTaskHub> PatientAsync(string address, TimeProvider? clock = null, ICrashPoints? crashPoints = null) =>
        PostgreSqlHubs.OpenAsync(address, clock, options => (options.Patience, options.CrashPoints) = (Patience, crashPoints ?? options.CrashPoints));

    private static async Task ReadyAsync(PostgreSqlTaskHub hub)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Patience);
        while (true)
        {
            try
            {
                await hub.ProveWritableAsync(limit.Token);
                return;
            }
            catch (TaskHubException)
            {
                await PauseAsync(100, limit.Token);
            }
        }
    }

    private static string With(string address, Action<NpgsqlConnectionStringBuilder> change)
    {
        var builder = new NpgsqlConnectionStringBuilder(address);
        change(builder);
        return builder.ConnectionString;
    }

    private static async Task<TaskHubOpenException> RefusedAsync(string address, TaskHubOpenProblem problem)
    {
        var refusal = await Should.ThrowAsync<TaskHubOpenException>(() => PostgreSqlHubs.OpenAsync(address));
        refusal.Problem.ShouldBe(problem);
        return refusal;
    }

    private static void Cut(string address) => Sql(
        address, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");

    private static object? Sql(string address, string sql) =>
        PostgreSqlServer.Shared.Execute(new NpgsqlConnectionStringBuilder(address).Database!, sql);

    private static Task StartAsync(PostgreSqlTaskHub hub, string id) =>
        hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "Orchestrator" }, Token);

    private static async Task<OrchestrationState> CompletedAsync(PostgreSqlTaskHub hub, string id)
    {
        while (true)
        {
            try
            {
                var request = new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = true };
                return (await hub.WaitForInstanceCompletionAsync(request, Token).WaitAsync(Patience, Token)).OrchestrationState;
            }
            catch (TaskHubException refusal) when (refusal.Status == StatusCode.Unavailable)
            {
                // A read met a connection that had just been cut.
            }
        }
    }
}
