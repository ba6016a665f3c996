using System.Collections.Concurrent;
using Drydock.Maintenance;
using Drydock.Operator;

namespace Drydock.Server;

/// <summary>Follows all maintenances and rollouts: each is looked at when it or a part of it changed, and again in every round.</summary>
internal sealed class Subjects(DurableTaskClient client, IInstanceFeed feed, TimeProvider clock)
{
    // A drain changes many times a second: what changed is gathered and looked at once a second.
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Never ends by itself.</summary>
    /// <param name="round">How often all that are not over are looked at although nothing changed.</param>
    /// <param name="endedSince">At the start those are looked at, too, that ended since then: the process may have died before it saw the end.</param>
    /// <param name="look">Looks at one; its input and output were not read. What it throws ends this.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task FollowAsync(
        TimeSpan round, DateTimeOffset endedSince, Func<OrchestrationMetadata, CancellationToken, Task> look, CancellationToken cancellationToken)
    {
        var changed = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var gathering = GatherAsync(changed, stop.Token);
        try
        {
            await LookAtAllAsync(null, endedSince, look, cancellationToken);
            var lastRound = clock.GetTimestamp();
            while (!gathering.IsCompleted)
            {
                await Task.Delay(Pause, clock, cancellationToken);
                await LookAtChangedAsync(changed, look, cancellationToken);
                if (clock.GetElapsedTime(lastRound) >= round)
                {
                    await LookAtAllAsync(Instances.NotOver, endedSince, look, cancellationToken);
                    lastRound = clock.GetTimestamp();
                }
            }
        }
        finally
        {
            await stop.CancelAsync();
            await gathering;
        }
    }

    private async Task GatherAsync(ConcurrentDictionary<string, bool> changed, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var id in feed.WatchAsync(cancellationToken))
            {
                // A feed that cannot say which instance leaves it to the rounds.
                if (id is not null)
                {
                    changed[id] = true;
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Whoever gathers has stopped.
        }
    }

    private async Task LookAtAllAsync(
        IReadOnlyList<OrchestrationRuntimeStatus>? statuses, DateTimeOffset endedSince, Func<OrchestrationMetadata, CancellationToken, Task> look, CancellationToken cancellationToken)
    {
        var found = new List<OrchestrationMetadata>();
        await foreach (var instance in client.GetAllInstancesAsync(new OrchestrationQuery(Statuses: statuses)).WithCancellation(cancellationToken))
        {
            if (IsSubject(instance) && (!instance.IsCompleted || instance.LastUpdatedAt >= endedSince))
            {
                found.Add(instance);
            }
        }

        foreach (var instance in found)
        {
            await look(instance, cancellationToken);
        }
    }

    // A part is named after what it is part of: WINDOW:OPENING is a rollout, ROLLOUT:NODE a maintenance, MAINTENANCE:… its parts.
    private async Task LookAtChangedAsync(
        ConcurrentDictionary<string, bool> changed, Func<OrchestrationMetadata, CancellationToken, Task> look, CancellationToken cancellationToken)
    {
        var read = new Dictionary<string, OrchestrationMetadata?>(StringComparer.Ordinal);
        foreach (var id in changed.Keys)
        {
            changed.TryRemove(id, out _);
            for (var end = End(id, 0); ; end = End(id, end + 1))
            {
                var prefix = id[..end];
                if (!read.TryGetValue(prefix, out var instance))
                {
                    read[prefix] = instance = await client.GetInstanceAsync(prefix, cancellationToken);
                }

                if (end == id.Length || instance is not { Name: Orchestrations.Rollout or Orchestrations.Window })
                {
                    break;
                }
            }
        }

        foreach (var instance in read.Values.OfType<OrchestrationMetadata>().Where(IsSubject))
        {
            await look(instance, cancellationToken);
        }
    }

    private static bool IsSubject(OrchestrationMetadata instance) => instance.Name is Orchestrations.Maintenance or Orchestrations.Rollout;

    private static int End(string id, int from) => id.IndexOf(':', from) is >= 0 and var end ? end : id.Length;
}
