using System.Globalization;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>
/// A small workload with an activity, a timer, a child, events and generations. At every crash point that it passes the file is copied
/// as a crash would leave it; each copy is then opened and must reach the same end.
/// </summary>
public sealed class SqliteTaskHubCrashMatrix : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private readonly HubFolder _folder = new HubFolder().Create();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task From_every_crash_point_the_work_reaches_its_end()
    {
        var clock = new FakeTimeProvider(Start);
        var camera = new Camera(_folder.Path, clock);
        await using (var hub = await _folder.OpenAsync(clock, options => options.CrashPoints = camera))
        {
            await RunAsync(hub, clock, camera);
            await CheckAsync(hub, camera.Acknowledged, "the undisturbed run");
        }

        // This worker does not take turns before their commit; HubCrashTests has one that does.
        var passed = CrashPoints.All.Where(point => point != CrashPoints.CommitAfterSpeculation);
        camera.Pictures.Select(picture => picture.Point).Distinct().ShouldBe(passed, ignoreOrder: true);
        foreach (var picture in camera.Pictures)
        {
            var again = new FakeTimeProvider(picture.Time);
            var what = $"{picture.Point}, after {string.Join(", ", picture.Acknowledged)}";
            var path = Path.Combine(_folder.Folder, picture.Name);
            var options = new SqliteTaskHubOptions { Path = path };
            await using var hub = new SqliteTaskHub(
                options, again, Microsoft.Extensions.Logging.Abstractions.NullLogger<SqliteTaskHub>.Instance);
            await hub.OpenAsync(CancellationToken.None);
            await KnowsAsync(hub, picture.Acknowledged, what);
            var rest = new Camera(path, again) { IsOff = true };
            rest.Acknowledged.AddRange(picture.Acknowledged);
            await RunAsync(hub, again, rest);
            await CheckAsync(hub, rest.Acknowledged, what);
        }
    }

    [Fact]
    public async Task A_commit_that_fails_at_any_point_leaves_nothing_and_can_be_repeated()
    {
        for (var failing = 1; ; failing++)
        {
            using var folder = new HubFolder().Create();
            var clock = new FakeTimeProvider(Start);
            var saboteur = new Saboteur();
            await using var hub = await folder.OpenAsync(clock, options => options.CrashPoints = saboteur);
            saboteur.FailAt = failing;
            var ledger = new Camera(folder.Path, clock) { IsOff = true };

            await RunAsync(hub, clock, ledger);

            await CheckAsync(hub, ledger.Acknowledged, $"failure {failing}");
            if (saboteur.FailAt > 0)
            {
                failing.ShouldBeGreaterThan(50);
                return;
            }
        }
    }

    /// <summary>The clients' calls that were not acknowledged yet, and then all the work there is.</summary>
    private static async Task RunAsync(SqliteTaskHub hub, FakeTimeProvider clock, Camera ledger)
    {
        await using (var worker = new HandWorker(hub))
        {
            await CallAsync(ledger, "main", () => StartAsync(hub, "main", "Main"));
            await CallAsync(ledger, "loop", () => StartAsync(hub, "loop", "Loop"));
            await CallAsync(ledger, "ping 1", () => PingAsync(hub));
            await WorkAsync(hub, worker, clock);
            await CallAsync(ledger, "ping 2", () => PingAsync(hub));
            await WorkAsync(hub, worker, clock);
        }

        await CallAsync(ledger, "dead", () => StartAsync(hub, "dead", "Main"));
        await CallAsync(ledger, "terminated", () => hub.TerminateInstanceAsync(
            new TerminateRequest { InstanceId = "dead", Recursive = true }, CancellationToken.None));
        await CallAsync(ledger, "purged", () => hub.PurgeInstancesAsync(
            new PurgeInstancesRequest { InstanceId = "dead" }, CancellationToken.None));
    }

    private static async Task WorkAsync(SqliteTaskHub hub, HandWorker worker, FakeTimeProvider clock)
    {
        while (true)
        {
            var idle = hub.WhenIdleAsync(CancellationToken.None);
            while (await worker.NextUnlessAsync(idle) is { } item)
            {
                await AnswerAsync(hub, item);
            }

            if (await idle is not { } due)
            {
                return;
            }

            clock.Advance(due - clock.GetUtcNow());
        }
    }

    private static async Task AnswerAsync(SqliteTaskHub hub, WorkItem item)
    {
        try
        {
            if (item.ActivityRequest is { } activity)
            {
                await Repeat(() => hub.CompleteActivityTaskAsync(
                    new ActivityResponse { CompletionToken = item.CompletionToken, Result = activity.Name }, CancellationToken.None));
                return;
            }

            var response = new OrchestratorResponse { CompletionToken = item.CompletionToken, Actions = { Decide(item.OrchestratorRequest) } };
            await Repeat(() => hub.CompleteOrchestratorTaskAsync(response, CancellationToken.None));
        }
        catch (TaskHubException e) when (e.Status == StatusCode.NotFound)
        {
            // The instance ended meanwhile.
        }
    }

    private static IEnumerable<OrchestratorAction> Decide(OrchestratorRequest request)
    {
        var events = request.PastEvents.Concat(request.NewEvents).ToList();
        var started = events.Single(e => e.ExecutionStarted is not null).ExecutionStarted;
        var answers = events.Count(e => e.TaskCompleted is not null || e.TimerFired is not null || e.SubOrchestrationInstanceCompleted is not null);
        var isFirst = request.PastEvents.Count == 0;
        switch (started.Name)
        {
            case "Main" when isFirst:
                return [Act.Schedule(0, "A"), Act.Timer(1, Start.AddHours(1)), Act.Child(2, "kid", "Kid"), Act.Send(3, "loop", "ping")];
            case "Main":
                return answers == 3 ? [Act.Complete(4, "\"ok\"")] : [];
            case "Kid":
                return isFirst ? [Act.Schedule(0, "B")] : [Act.Complete(1, "\"kid\"")];
            default:
                var pings = int.Parse(started.Input ?? "0", CultureInfo.InvariantCulture) + events.Count(e => e.EventRaised is not null);
                return pings >= 3 ? [Act.Complete(0, $"{pings}")]
                    : events.Exists(e => e.EventRaised is not null) ? [Act.ContinueAsNew(0, $"{pings}")]
                    : [];
        }
    }

    private static async Task KnowsAsync(SqliteTaskHub hub, List<string> acknowledged, string what)
    {
        foreach (var id in new[] { "main", "loop" }.Intersect(acknowledged))
        {
            (await hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = id }, CancellationToken.None)).Exists.ShouldBeTrue(what);
        }
    }

    private static async Task CheckAsync(SqliteTaskHub hub, List<string> acknowledged, string what)
    {
        acknowledged.Count.ShouldBe(7, what);
        hub.Counts.ShouldBe(new TaskHubCounts(0, 0, 0, 0), what);
        foreach (var (id, output, scheduled) in new[] { ("main", "\"ok\"", 1), ("kid", "\"kid\"", 1), ("loop", null, 0) })
        {
            var state = (await hub.GetInstanceAsync(
                new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = true }, CancellationToken.None)).OrchestrationState;
            state.OrchestrationStatus.ShouldBe(OrchestrationStatus.Completed, $"{id}: {what}");
            state.Output.ShouldBe(output ?? state.Output, what);
            var events = new List<HistoryEvent>();
            await foreach (var chunk in hub.StreamInstanceHistoryAsync(
                new StreamInstanceHistoryRequest { InstanceId = id }, CancellationToken.None))
            {
                events.AddRange(chunk.Events);
            }

            events.Count(e => e.ExecutionStarted is not null).ShouldBe(1, what);
            events.Count(e => e.ExecutionCompleted is not null).ShouldBe(1, what);
            events.Count(e => e.TaskScheduled is not null).ShouldBe(scheduled, what);
            events.Count(e => e.TaskCompleted is not null).ShouldBe(scheduled, what);
            events.Count(e => e.TimerFired is not null).ShouldBe(id == "main" ? 1 : 0, what);
        }

        (await hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = "dead" }, CancellationToken.None)).Exists.ShouldBeFalse(what);
    }

    private static async Task StartAsync(SqliteTaskHub hub, string id, string name)
    {
        try
        {
            await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = name }, CancellationToken.None);
        }
        catch (TaskHubException e) when (e.Status == StatusCode.AlreadyExists)
        {
            // It was committed, and the crash came before the acknowledgement.
        }
    }

    private static Task PingAsync(SqliteTaskHub hub) =>
        hub.RaiseEventAsync(new RaiseEventRequest { InstanceId = "loop", Name = "ping" }, CancellationToken.None);

    private static async Task CallAsync(Camera ledger, string name, Func<Task> call)
    {
        if (!ledger.Acknowledged.Contains(name))
        {
            await Repeat(call);
            lock (ledger.Acknowledged)
            {
                ledger.Acknowledged.Add(name);
            }
        }
    }

    /// <summary>As a client does whose call failed inside the hub: nothing of it happened, so it asks again.</summary>
    private static async Task Repeat(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (TaskHubException e) when (e.Status == StatusCode.Internal)
        {
            await call();
        }
    }

    /// <summary>Copies the file as it is at each crash point. The hub's thread waits meanwhile, and nobody else writes.</summary>
    private sealed class Camera(string path, FakeTimeProvider clock) : ICrashPoints
    {
        public List<string> Acknowledged { get; } = [];

        public List<(string Point, string Name, DateTimeOffset Time, List<string> Acknowledged)> Pictures { get; } = [];

        public bool IsOff { get; init; }

        public void Hit(string name)
        {
            if (IsOff)
            {
                return;
            }

            var copy = $"{Pictures.Count}.db";
            var target = Path.Combine(Path.GetDirectoryName(path)!, copy);
            File.Copy(path, target);
            File.Copy(path + "-wal", target + "-wal");
            lock (Acknowledged)
            {
                Pictures.Add((name, copy, clock.GetUtcNow(), [.. Acknowledged]));
            }
        }
    }

    /// <summary>Fails the n-th step of a transaction, once.</summary>
    private sealed class Saboteur : ICrashPoints
    {
        public int FailAt { get; set; }

        public void Hit(string name)
        {
            var isBeforeCommit = name is not (CrashPoints.CommitAfterCommit or CrashPoints.CommitAfterAcknowledge or CrashPoints.DispatchAfterHandOut);
            if (FailAt > 0 && isBeforeCommit && --FailAt == 0)
            {
                throw new InvalidOperationException("sabotage");
            }
        }
    }
}
