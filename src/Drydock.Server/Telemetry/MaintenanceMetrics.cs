using System.Collections.Concurrent;
using Drydock.Api;
using Drydock.Maintenance;

namespace Drydock.Server.Telemetry;

/// <summary>
/// Follows all maintenances and measures them. What is counted once (a step, a pod, an end) is counted by the process that sees it
/// happen: a maintenance that was over at the start is not counted again.
/// </summary>
internal sealed class MaintenanceMetrics(
    DurableTaskClient client, Subjects subjects, ServerMeter meter, InstanceNodes nodes, TimeProvider clock, ILogger<MaintenanceMetrics> logger)
    : BackgroundService
{
    // For a hub whose feed cannot say which instance changed.
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    // An end is counted once: whoever ended in this time is remembered, and whoever ended before it is not counted any more.
    private static readonly TimeSpan Memory = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<string, MaintenanceView> _known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, DateTimeOffset> _over = new(StringComparer.Ordinal);
    private readonly DateTimeOffset _startedAt = clock.GetUtcNow();

    /// <summary>How many ended maintenances are kept in mind.</summary>
    internal int Remembered => _over.Count;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                // Measuring must not end the process that does the work.
                logger.LogWarning(error, "Maintenances could not be measured; it is tried again.");
                await Task.Delay(Patience, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private Task FollowAsync(CancellationToken cancellationToken) => subjects.FollowAsync(
        Round,
        _startedAt,
        (instance, stop) => instance.Name == Orchestrations.Maintenance ? ReadAsync(instance.InstanceId, stop) : Task.CompletedTask,
        cancellationToken);

    private async Task ReadAsync(string id, CancellationToken cancellationToken)
    {
        if (_over.ContainsKey(id) || await InstanceTree.ReadAsync(client, id, cancellationToken) is not { } tree)
        {
            return;
        }

        See(MaintenanceViews.View(tree, withPods: true));
    }

    /// <summary>Measures what happened to it since it was seen last. One call at a time.</summary>
    internal void See(MaintenanceView view)
    {
        var forgotten = clock.GetUtcNow() - Memory;
        if (_over.ContainsKey(view.Id))
        {
            return;
        }

        nodes.Set(view.Id, view.Node);
        var before = _known.GetValueOrDefault(view.Id);
        if (before is not null || view.EndedAt is null || view.EndedAt > forgotten)
        {
            Measure(before, view);
        }

        if (view.IsOver)
        {
            _known.TryRemove(view.Id, out _);
            _over[view.Id] = view.EndedAt ?? clock.GetUtcNow();
            nodes.Forget(view.Id);
        }
        else
        {
            _known[view.Id] = view;
        }

        foreach (var old in _over.Where(each => each.Value <= forgotten).ToList())
        {
            _over.TryRemove(old);
        }

        meter.Show(_known.ToDictionary(static each => each.Key, static each => Counts(each.Value), StringComparer.Ordinal));
    }

    private void Measure(MaintenanceView? before, MaintenanceView view)
    {
        // The first look at one under way only says where it stands; what it did before was seen by the process before. One that began in
        // this process is counted whole, however far it came before the first look.
        var isNew = before is null && view.StartedAt >= _startedAt;
        if (before is null && !isNew)
        {
            return;
        }

        for (var index = before?.Steps.Count ?? 0; index < view.Steps.Count; index++)
        {
            // A step leads to the next, or the maintenance ends in it.
            var (step, isLast) = (view.Steps[index], view.IsOver && index == view.Steps.Count - 1);
            meter.StepDuration.Record(
                (step.To - step.From).TotalSeconds, new KeyValuePair<string, object?>("step", step.Step), new KeyValuePair<string, object?>("outcome", isLast ? view.State.ToString() : "Done"));
        }

        if (!view.IsOver)
        {
            return;
        }

        meter.MaintenanceDuration.Record(
            ((view.EndedAt ?? view.StartedAt) - view.StartedAt).TotalSeconds, new KeyValuePair<string, object?>("outcome", view.State.ToString()));
        foreach (var pod in view.Report?.Pods ?? [])
        {
            meter.Pods.Add(1, new KeyValuePair<string, object?>("outcome", pod.IsGone ? "gone" : "still-there"));
        }

        foreach (var vm in view.Vms)
        {
            meter.Vms.Add(1, new KeyValuePair<string, object?>("outcome", vm.Outcome ?? vm.Progress));
        }
    }

    private static RunningCounts Counts(MaintenanceView view) => new(view.Node, view.Step, view.StepSince ?? view.StartedAt)
    {
        States = [("state", view.State.ToString())],
        Blockers = [.. view.Blockers.Select(static blocker => ("kind", blocker.Kind))],
        Migrations = [.. view.Vms.Where(static vm => vm.Phase is not null && vm.Outcome is null).Select(static vm => ("phase", vm.Phase!))],
    };
}
