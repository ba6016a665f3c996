using System.Collections.Concurrent;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>
/// The crash matrix: for every named point around a commit and every kind of work, a process that kills itself there, and one that
/// goes on. Made from the list of points: a new one is in it by being in the list.
/// </summary>
public sealed class HubCrashTests(CrashPaths paths) : IClassFixture<CrashPaths>
{
    private const int Killed = 137;

    public static TheoryData<string> Points => [.. CrashPoints.All];

    [Theory]
    [MemberData(nameof(Points))]
    public async Task Work_goes_on_after_a_kill_at(string point)
    {
        var passing = CrashWorkload.All.Where(workload => paths.Passages(workload.Name, point) > 0).ToList();
        passing.ShouldNotBeEmpty($"No workload passes '{point}': the matrix has a hole.");

        // In the middle of the work, where most is under way.
        await CrashAsync(point, passing, workload => 1 + (paths.Passages(workload.Name, point) / 2));
    }

    /// <summary>By hand: every passage of every point, not only the one in the middle.</summary>
    [Theory(Explicit = true)]
    [MemberData(nameof(Points))]
    public async Task Work_goes_on_after_a_kill_at_every_passage_of(string point)
    {
        for (var passage = 1; CrashWorkload.All.Where(workload => paths.Passages(workload.Name, point) >= passage).ToList() is { Count: > 0 } passing; passage++)
        {
            var which = passage;
            await CrashAsync(point, passing, _ => which);
        }
    }

    /// <summary>Pieces of work, each killed there once, brought to its end by another process, and looked at.</summary>
    internal static async Task CrashAsync(
        string point, IReadOnlyList<CrashWorkload> workloads, Func<CrashWorkload, int> passageOf, bool onPostgreSql = false)
    {
        var folders = workloads.Select(_ => new HubFolder().Create()).ToList();
        try
        {
            List<CrashCell> cells = [.. workloads.Zip(folders, (workload, folder) => new CrashCell(workload, folder.Folder, passageOf(workload)))];
            foreach (var cell in cells)
            {
                if (onPostgreSql)
                {
                    CrashPlace.UseNewDatabase(cell.Folder);
                }

                await cell.Workload.PrepareAsync(cell.Folder);
            }

            // Timing decides how often a point is passed: work that passed it less often came to its end.
            (await CrashChild.StartAsync(point, cells)).ShouldBeOneOf(Killed, 0);

            // At the same time: on PostgreSQL each waits for the lease of the process that was killed.
            await Task.WhenAll(cells.Select(cell => GoOnAsync(cell, $"{cell.Workload.Name}, killed at passage {cell.Passage} of {point}")));
        }
        finally
        {
            folders.ForEach(folder => folder.Dispose());
        }
    }

    private static async Task GoOnAsync(CrashCell cell, string what)
    {
        var ledger = new Ledger(cell.Folder);
        await using (var host = await CrashHost.StartAsync(cell.Folder, ledger))
        {
            await cell.Workload.RunAsync(new CrashCalls(host.Client, ledger));
            await CrashChecks.EndsAsync(host.Hub, cell.Workload, ledger, what);
        }

        // Once more: what has ended does not run again.
        var before = ledger.Lines();
        await using (var host = await CrashHost.StartAsync(cell.Folder, ledger))
        {
            await host.Hub.WhenIdleAsync(CancellationToken.None);
        }

        ledger.Lines().ShouldBe(before, what);
        CrashChecks.NothingIsLeft(cell.Folder, what);
    }
}

/// <summary>How often each workload passes each crash point, found by running each once.</summary>
public class CrashPaths : IAsyncLifetime
{
    private readonly ConcurrentDictionary<(string Workload, string Point), int> _passages = new();

    private protected virtual bool IsOnPostgreSql => false;

    public int Passages(string workload, string point) => _passages.GetValueOrDefault((workload, point));

    public async ValueTask InitializeAsync()
    {
        foreach (var workload in CrashWorkload.All)
        {
            using var folder = new HubFolder().Create();
            if (IsOnPostgreSql)
            {
                CrashPlace.UseNewDatabase(folder.Folder);
            }

            await workload.PrepareAsync(folder.Folder);
            var ledger = new Ledger(folder.Folder);
            var counter = new Counter(point => _passages.AddOrUpdate((workload.Name, point), 1, (_, count) => count + 1));
            await using (var host = await CrashHost.StartAsync(folder.Folder, ledger, counter))
            {
                await workload.RunAsync(new CrashCalls(host.Client, ledger));
                await CrashChecks.EndsAsync(host.Hub, workload, ledger, $"{workload.Name}, undisturbed");
            }

            CrashChecks.NothingIsLeft(folder.Folder, $"{workload.Name}, undisturbed");
        }
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    private sealed class Counter(Action<string> passed) : ICrashPoints
    {
        public void Hit(string name) => passed(name);
    }
}

/// <summary>What holds after any crash, whatever the work was.</summary>
internal static class CrashChecks
{
    /// <summary>Every instance ended as it must, its history is whole, and its results are those that the activities really gave.</summary>
    public static async Task EndsAsync(EmbeddedTaskHub hub, CrashWorkload workload, Ledger ledger, string what, bool waitForIdle = true)
    {
        if (waitForIdle)
        {
            await hub.WhenIdleAsync(CancellationToken.None);
        }

        foreach (var (id, output) in workload.Outputs)
        {
            var state = (await hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = id, GetInputsAndOutputs = true }, CancellationToken.None)).OrchestrationState;
            if (output == CrashWorkload.Purged)
            {
                state.ShouldBeNull(what);
                continue;
            }

            state.ShouldNotBeNull($"'{id}' is gone: {what}");
            var terminated = output == CrashWorkload.Terminated;
            state.OrchestrationStatus.ShouldBe(terminated ? OrchestrationStatus.Terminated : OrchestrationStatus.Completed, $"{id}: {what}: {state.FailureDetails}");
            state.Output.ShouldBe(terminated ? state.Output : output, $"{id}: {what}");
            CheckHistory(await HistoryAsync(hub, id), id, ledger, what);
        }
    }

    /// <summary>No message, activity, value or piece of history belongs to nobody, or waits for nothing.</summary>
    public static void NothingIsLeft(string folder, string what)
    {
        var place = new CrashPlace(folder);
        foreach (var query in new[]
        {
            "SELECT count(*) FROM inbox",
            "SELECT count(*) FROM tasks",
            "SELECT count(*) FROM history WHERE instance_key NOT IN (SELECT key FROM instances)",
            "SELECT count(*) FROM instance_values WHERE key NOT IN (SELECT key FROM instances)",
            place.Address is null
                ? "SELECT count(*) FROM entities WHERE locked_by IS NOT NULL OR key NOT IN (SELECT key FROM instances)"
                : "SELECT count(*) FROM instances WHERE locked_by IS NOT NULL",
            "SELECT count(*) FROM payloads WHERE instance_key NOT IN (SELECT key FROM instances)",
        })
        {
            place.Count(query).ShouldBe(0, $"{query}: {what}");
        }
    }

    private static void CheckHistory(List<HistoryEvent> events, string id, Ledger ledger, string what)
    {
        var where = $"{id}: {what}";
        events.Count(e => e.ExecutionStarted is not null).ShouldBe(1, where);
        events.Count(e => e.ExecutionCompleted is not null).ShouldBe(1, where);
        var steps = events.Where(e => e.EventId >= 0 && e.ExecutionCompleted is null).Select(e => e.EventId).ToList();
        steps.ShouldBe(Enumerable.Range(0, steps.Count), where);
        var results = events.Select(e => e.TaskCompleted).Where(completed => completed is not null).ToList();
        results.Select(completed => completed.TaskScheduledId).ShouldBeUnique(where);
        foreach (var ran in results.Where(completed => completed.Result.Contains(':', StringComparison.Ordinal)).Select(completed => $"ran {id} {completed.Result.Trim('"')}"))
        {
            ledger.Has(ran).ShouldBeTrue($"'{ran}' did not happen: {where}");
        }

        foreach (var fired in events.Where(e => e.TimerFired is not null))
        {
            var turn = events.Take(events.IndexOf(fired)).Last(e => e.OrchestratorStarted is not null);
            turn.Timestamp.ToDateTime().ShouldBeGreaterThanOrEqualTo(fired.TimerFired.FireAt.ToDateTime(), where);
        }
    }

    private static async Task<List<HistoryEvent>> HistoryAsync(EmbeddedTaskHub hub, string id)
    {
        var events = new List<HistoryEvent>();
        await foreach (var chunk in hub.StreamInstanceHistoryAsync(new StreamInstanceHistoryRequest { InstanceId = id }, CancellationToken.None))
        {
            events.AddRange(chunk.Events);
        }

        return events;
    }
}
