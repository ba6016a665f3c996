using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Grpc.Core;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>The file of the embedded hub: who may open it, and what is in it after it was closed.</summary>
public sealed class SqliteTaskHubFileTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private readonly HubFolder _folder = new HubFolder().Create();
    private readonly FakeTimeProvider _clock = new(Start);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_was_outstanding_is_handed_out_again_after_a_restart()
    {
        await using (var hub = await _folder.OpenAsync(_clock))
        {
            await using var worker = new HandWorker(hub);
            await StartAsync(hub, "a");
            await worker.DoTurnAsync(Act.Schedule(0, "Work", "[1]"), Act.Timer(1, Start.AddHours(1)), Act.Schedule(2, "Work", "[2]"));
            await worker.DoActivityAsync("first");
            await worker.NextAsync();
            await worker.NextAsync();
            await hub.RaiseEventAsync(new RaiseEventRequest { InstanceId = "a", Name = "x" }, CancellationToken.None);
        }

        await using var again = await _folder.OpenAsync(_clock);
        again.Counts.Timers.ShouldBe(1);
        await using var next = new HandWorker(again);
        var items = new[] { await next.NextAsync(), await next.NextAsync() };
        var turn = items.Single(item => item.OrchestratorRequest is not null);
        var activity = items.Single(item => item.ActivityRequest is not null);

        activity.ActivityRequest.Input.ShouldBe("[2]");
        turn.OrchestratorRequest.PastEvents.Count.ShouldBe(6);
        turn.OrchestratorRequest.NewEvents.Select(e => e.EventTypeCase.ToString())
            .ShouldBe(["OrchestratorStarted", "TaskCompleted", "EventRaised"]);
        await next.CompleteAsync(turn.CompletionToken);
        _clock.Advance(TimeSpan.FromHours(1));
        (await next.TurnAsync()).Request.NewEvents[1].TimerFired.TimerId.ShouldBe(1);
    }

    [Fact]
    public async Task A_timer_that_came_due_while_the_hub_was_closed_fires_at_once()
    {
        await using (var hub = await _folder.OpenAsync(_clock))
        {
            await using var worker = new HandWorker(hub);
            await StartAsync(hub, "a");
            await worker.DoTurnAsync(Act.Timer(0, Start.AddHours(1)));
        }

        _clock.Advance(TimeSpan.FromDays(1));
        await using var again = await _folder.OpenAsync(_clock);
        await using var next = new HandWorker(again);

        (await next.TurnAsync()).Request.NewEvents[1].TimerFired.FireAt.ToDateTimeOffset().ShouldBe(Start.AddHours(1));
    }

    [Fact]
    public async Task The_identity_of_a_hub_stays_with_its_file()
    {
        Guid id;
        await using (var hub = await _folder.OpenAsync())
        {
            id = hub.HubId;
            await hub.BindAsync("cluster", "uid-1", CancellationToken.None);
        }

        await using var again = await _folder.OpenAsync();
        again.HubId.ShouldBe(id);
        await again.BindAsync("cluster", "uid-1", CancellationToken.None);
        var refused = await Should.ThrowAsync<TaskHubBindingException>(() => again.BindAsync("cluster", "uid-2", CancellationToken.None));
        (refused.BoundTo, refused.Wanted).ShouldBe(("uid-1", "uid-2"));
    }

    [Fact]
    public async Task A_second_opener_is_refused_and_told_who_holds_the_file()
    {
        await using (await _folder.OpenAsync())
        {
            var refused = await RefusedAsync(TaskHubOpenProblem.Locked);
            refused.Message.ShouldContain($"process {Environment.ProcessId}");
        }

        await using var free = await _folder.OpenAsync();
    }

    [Fact]
    public async Task A_file_that_is_something_else_is_refused_and_left_alone()
    {
        var text = string.Concat(Enumerable.Repeat("this is no database\n", 300));
        await File.WriteAllTextAsync(_folder.Path, text);
        await RefusedAsync(TaskHubOpenProblem.NotADatabase);
        (await File.ReadAllTextAsync(_folder.Path)).ShouldBe(text);

        File.Delete(_folder.Path);
        Sql("CREATE TABLE other (x)");
        var before = await File.ReadAllBytesAsync(_folder.Path);
        await RefusedAsync(TaskHubOpenProblem.NotATaskHub);
        (await File.ReadAllBytesAsync(_folder.Path)).ShouldBe(before);
    }

    [Fact]
    public async Task A_file_of_a_newer_version_is_refused()
    {
        await (await _folder.OpenAsync()).DisposeAsync();
        Sql("UPDATE schema_version SET version = 999");

        (await RefusedAsync(TaskHubOpenProblem.NewerSchema)).Message.ShouldContain("999");
    }

    [Fact]
    public async Task A_file_of_an_older_version_is_brought_up_with_the_work_in_it()
    {
        await using (var old = await _folder.OpenAsync())
        {
            await StartAsync(old, "a");
        }

        Sql("DROP TABLE deliveries; DROP TABLE payloads; ALTER TABLE inbox DROP COLUMN payload_key; ALTER TABLE tasks DROP COLUMN payload_key");
        Sql("ALTER TABLE tasks DROP COLUMN progress; ALTER TABLE tasks DROP COLUMN progress_at");
        Sql("UPDATE schema_version SET version = 2");

        await using var hub = await _folder.OpenAsync();
        await using var worker = new HandWorker(hub);
        (await worker.DoTurnAsync(Act.Complete(0))).InstanceId.ShouldBe("a");
        Sql("SELECT version FROM schema_version").ShouldBe("5");
    }

    [Fact]
    public async Task A_missing_folder_is_named()
    {
        var hub = new SqliteTaskHub(
            new SqliteTaskHubOptions { Path = Path.Combine(_folder.Folder, "nowhere", "hub.db") }, TimeProvider.System,
            Microsoft.Extensions.Logging.Abstractions.NullLogger<SqliteTaskHub>.Instance);

        var refused = await Should.ThrowAsync<TaskHubOpenException>(() => hub.OpenAsync(CancellationToken.None));

        refused.Problem.ShouldBe(TaskHubOpenProblem.FolderMissing);
        refused.Message.ShouldContain("nowhere");
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_is_refused()
    {
        await (await _folder.OpenAsync()).DisposeAsync();
        File.SetAttributes(_folder.Path, FileAttributes.ReadOnly);
        if (WithoutPrivilege.IsNeededFor(_folder.Path))
        {
            await WithoutPrivilege.RunAsync($"*{nameof(SqliteTaskHubFileTests)}.{nameof(A_file_that_cannot_be_written_is_refused)}");
            return;
        }

        await RefusedAsync(TaskHubOpenProblem.NotWritable);
    }

    [Fact]
    public async Task Every_commit_is_on_disk_before_it_is_acknowledged()
    {
        await (await _folder.OpenAsync()).DisposeAsync();

        Sql("PRAGMA journal_mode").ShouldBe("wal");
        Sql("PRAGMA application_id").ShouldBe("1146247492");
        var points = new List<string>();
        await using var hub = await _folder.OpenAsync(configure: options => options.CrashPoints = new Recorder(points));
        await using var worker = new HandWorker(hub);
        await StartAsync(hub, "a");
        await worker.DoTurnAsync(Act.ContinueAsNew(0, "1"));
        await worker.DoTurnAsync(Act.Complete(0));
        await hub.PurgeInstancesAsync(new PurgeInstancesRequest { InstanceId = "a" }, CancellationToken.None);

        CrashPoints.All.Except([CrashPoints.MigrationBeforeCommit, CrashPoints.CommitAfterSpeculation]).ShouldBeSubsetOf(Copy(points));
    }

    [Fact]
    public async Task A_full_disk_refuses_and_loses_nothing()
    {
        var acknowledged = new List<string>();
        await using (var hub = await _folder.OpenAsync(_clock, options => options.MaxPages = 60))
        {
            await using var worker = new HandWorker(hub);
            await StartAsync(hub, "first");
            var (_, token) = await worker.TurnAsync();
            var refused = await Should.ThrowAsync<TaskHubException>(async () =>
            {
                while (true)
                {
                    await hub.StartInstanceAsync(
                        new CreateInstanceRequest { InstanceId = $"i{acknowledged.Count}", Name = "O", Input = new string('x', 4000) },
                        CancellationToken.None);
                    acknowledged.Add($"i{acknowledged.Count}");
                    await worker.NextAsync();
                }
            });

            refused.Status.ShouldBe(StatusCode.ResourceExhausted);
            refused.Message.ShouldContain("full");
            hub.Counts.OutstandingItems.ShouldBe(acknowledged.Count + 1);
            (await hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = $"i{acknowledged.Count}" }, CancellationToken.None))
                .Exists.ShouldBeFalse();

            // What a worker held when the disk filled up can still be completed once there is room: a purge makes some.
            await Should.ThrowAsync<TaskHubException>(() => worker.CompleteAsync(token, Act.Complete(0, new string('y', 20_000))));
            await worker.CompleteAsync(token, Act.Complete(0));
        }

        await using var again = await _folder.OpenAsync(_clock);
        var states = (await again.QueryInstancesAsync(
            new QueryInstancesRequest { Query = new InstanceQuery { MaxInstanceCount = 1000 } }, CancellationToken.None)).OrchestrationState;
        states.Select(state => state.InstanceId).ShouldBe(["first", .. acknowledged]);
        states[0].OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed);
    }

    [Fact]
    public async Task A_request_that_breaks_inside_the_hub_harms_no_other()
    {
        await using var hub = await _folder.OpenAsync(_clock);
        await using var worker = new HandWorker(hub);
        await StartAsync(hub, "bad");
        await StartAsync(hub, "good");
        var (_, bad) = await worker.TurnAsync();
        var (_, good) = await worker.TurnAsync();

        var broken = new OrchestratorAction { Id = 1, CreateTimer = new CreateTimerAction() };
        var answers = new[] { worker.CompleteAsync(bad, Act.Schedule(0, "Work"), broken), worker.CompleteAsync(good, Act.Complete(0)) };

        (await Should.ThrowAsync<TaskHubException>(() => answers[0])).Status.ShouldBe(StatusCode.Internal);
        await answers[1];
        await worker.CompleteAsync(bad, Act.Complete(0));
        await hub.WhenIdleAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Instances_that_were_forgotten_for_want_of_memory_go_on()
    {
        await using var hub = await _folder.OpenAsync(_clock, options => options.CachedInstances = 2);
        await using var worker = new HandWorker(hub);
        for (var i = 0; i < 10; i++)
        {
            await StartAsync(hub, $"i{i}");
            await worker.DoTurnAsync(Act.Timer(0, Start.AddMinutes(10 - i)));
        }

        for (var i = 0; i < 10; i++)
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            var turn = await worker.DoTurnAsync(Act.Complete(1));
            turn.InstanceId.ShouldBe($"i{9 - i}");
            turn.PastEvents.Count.ShouldBe(4);
        }

        (await hub.WhenIdleAsync(CancellationToken.None)).ShouldBeNull();
    }

    [Fact]
    public async Task The_host_opens_the_hub_first_and_closes_it_last()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddSqliteTaskHub(_folder.Path);
        using (var host = builder.Build())
        {
            await host.StartAsync();
            await host.Services.GetRequiredService<ITaskHub>().HelloAsync(CancellationToken.None);
            host.Services.GetRequiredService<ITaskHubExtensions>().ShouldBeSameAs(host.Services.GetRequiredService<SqliteTaskHub>());
            await host.StopAsync();
            (await Should.ThrowAsync<TaskHubException>(
                async () => await host.Services.GetRequiredService<ITaskHub>().HelloAsync(CancellationToken.None)))
                .Status.ShouldBe(StatusCode.Unavailable);
        }

        await using var free = await _folder.OpenAsync();
    }

    [Fact]
    public async Task Closing_the_hub_ends_streams_and_waits()
    {
        var hub = await _folder.OpenAsync();
        await using var worker = new HandWorker(hub);
        var wait = hub.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = "a" }, CancellationToken.None);
        await StartAsync(hub, "a");
        await worker.TurnAsync();

        await hub.DisposeAsync();

        (await Should.ThrowAsync<TaskHubException>(() => wait)).Status.ShouldBe(StatusCode.Unavailable);
    }

    private static Task StartAsync(ITaskHub hub, string id) =>
        hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "O" }, CancellationToken.None);

    private static List<string> Copy(List<string> points)
    {
        lock (points)
        {
            return [.. points];
        }
    }

    private async Task<TaskHubOpenException> RefusedAsync(TaskHubOpenProblem problem)
    {
        var refused = await Should.ThrowAsync<TaskHubOpenException>(() => _folder.OpenAsync());
        refused.Problem.ShouldBe(problem);
        refused.Message.ShouldContain(_folder.Path);
        return refused;
    }

    private string? Sql(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_folder.Path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar()?.ToString();
    }

    private sealed class Recorder(List<string> points) : ICrashPoints
    {
        public void Hit(string name)
        {
            lock (points)
            {
                points.Add(name);
            }
        }
    }
}
