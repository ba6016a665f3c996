using System.Threading.Channels;
using Drydock.Api;
using Drydock.Cli.Output;

namespace Drydock.Cli.Demo;

/// <summary>
/// Kills the server at the two worst moments, looks for them in the cluster itself, and starts it again: when some pods are gone and
/// some are not, and while a live migration copies memory.
/// </summary>
internal sealed class CrashDirector(
    DemoCluster cluster, DemoServer server, DrydockApiClient client, string id, TimeProvider clock, ChannelWriter<ProgressEvent> notes)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Kills twice. Fewer reports: the maintenance was over before the moment came.</summary>
    public async Task<IReadOnlyList<CrashReport>> RunAsync(CancellationToken cancellationToken)
    {
        var reports = new List<CrashReport>();
        if (await WhenAsync(EvictionScene, cancellationToken) is { } eviction)
        {
            reports.Add(await CrashAsync("in the middle of the eviction", eviction, cancellationToken));
        }

        if (await WhenAsync(cluster.RunningMigration, cancellationToken) is { } migration)
        {
            reports.Add(await CrashAsync("in the middle of a live migration", migration, cancellationToken));
        }

        return reports;
    }

    private string? EvictionScene()
    {
        var (gone, total) = cluster.PodsGone();
        return gone > 0 && gone < total ? $"{gone} of {total} pods gone" : null;
    }

    /// <summary>The state of things just before, and the scene, which still holds after the state was read.</summary>
    private async Task<Before?> WhenAsync(Func<string?> scene, CancellationToken cancellationToken)
    {
        var lookedAt = clock.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            if (scene() is not null)
            {
                var view = await client.GetMaintenanceAsync(id, cancellationToken);
                var history = await client.GetHistoryAsync(id, cancellationToken);
                if (view.IsOver)
                {
                    return null;
                }

                if (scene() is { } seen)
                {
                    return new Before(seen, view, history);
                }
            }
            else if (clock.GetElapsedTime(lookedAt) > AskEvery)
            {
                lookedAt = clock.GetTimestamp();
                if ((await client.GetMaintenanceAsync(id, cancellationToken)).IsOver)
                {
                    return null;
                }
            }

            await Task.Delay(LookEvery, clock, cancellationToken);
        }

        return null;
    }

    private async Task<CrashReport> CrashAsync(string moment, Before before, CancellationToken cancellationToken)
    {
        var pid = server.ProcessId;
        var killed = clock.GetTimestamp();
        var clusterTime = cluster.Now;
        await server.KillAsync();
        await notes.WriteAsync(new ProgressEvent.Note("killed", $"SIGKILL to the server, process {pid}, {moment}: {before.Scene}"), cancellationToken);
        await server.StartAsync(cancellationToken);
        var upAfter = clock.GetElapsedTime(killed);
        var movedAfter = await MovedAsync(clusterTime, cancellationToken);
        await notes.WriteAsync(
            new ProgressEvent.Note("restarted", $"the server is process {server.ProcessId} now and serves again after {Elapsed.Format(upAfter)}"), cancellationToken);
        var view = await client.GetMaintenanceAsync(id, cancellationToken);
        var history = await client.GetHistoryAsync(id, cancellationToken);
        return new CrashReport(
            moment,
            before.Scene,
            upAfter,
            movedAfter,
            [.. before.History.Where(e => e.Kind == "activity-completed").Select(e => e.Name ?? "?")],
            before.History.Count(e => !history.Contains(e)),
            [.. Deadlines(before.View, view)]);
    }

    /// <summary>How long until the maintenance asked the cluster for something again.</summary>
    private async Task<TimeSpan> MovedAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        var up = clock.GetTimestamp();
        while (!cluster.HasActedSince(since) && clock.GetElapsedTime(up) < Patience)
        {
            await Task.Delay(LookEvery, clock, cancellationToken);
        }

        return clock.GetElapsedTime(up);
    }

    private static IEnumerable<DeadlinePair> Deadlines(MaintenanceView before, MaintenanceView after)
    {
        if (before.Step == after.Step && before.Deadline is { } step && after.Deadline is { } stepAfter)
        {
            yield return new DeadlinePair($"step {before.Step}", step, stepAfter);
        }

        foreach (var vm in before.Vms)
        {
            var same = after.Vms.FirstOrDefault(other => other.Namespace == vm.Namespace && other.Name == vm.Name);
            if (vm.Deadline is { } deadline && same is { Deadline: { } deadlineAfter }
                && same.Phase == vm.Phase && same.Progress == vm.Progress && same.Attempts == vm.Attempts)
            {
                yield return new DeadlinePair($"{vm.Namespace}/{vm.Name}", deadline, deadlineAfter);
            }
        }
    }

    private sealed record Before(string Scene, MaintenanceView View, IReadOnlyList<HistoryEventView> History);
}
