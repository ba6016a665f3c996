using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub;

/// <summary>What is not kept for ever.</summary>
public abstract partial class EmbeddedTaskHub
{
    private static readonly TimeSpan RetentionInterval = TimeSpan.FromHours(1);

    /// <summary>
    /// Deletes what has been kept long enough: finished orchestrations, with their parts; parts that belong to nobody any more, because the
    /// orchestration that began them was replaced, purged alone or has continued as new since; and events for instances that never came, after
    /// the longest of the times. The hub does it by itself every hour.
    /// </summary>
    /// <returns>How many orchestrations went.</returns>
    public async Task<int> ApplyRetentionAsync(CancellationToken cancellationToken)
    {
        if (_options.Retention.Count == 0)
        {
            return 0;
        }

        var now = _clock.GetUtcNow();
        var deleted = 0;
        foreach (var (status, kept) in _options.Retention)
        {
            var filter = new InstanceFilter([status], CompletedTo: Timestamp.FromDateTimeOffset(now - kept), NotOfEndedParents: true);
            deleted += await ExpireAsync(filter, cancellationToken);
        }

        await DropKeptEventsAsync((now - _options.Retention.Values.Max()).UtcDateTime, cancellationToken);
        return deleted;
    }

    private protected HourlyRetention? StartRetention() => _options.Retention.Count == 0 ? null : new HourlyRetention(this);

    private async Task<int> ExpireAsync(InstanceFilter filter, CancellationToken cancellationToken)
    {
        var deleted = 0;
        long after = 0;
        while (true)
        {
            // Page by page, so that nobody else waits long for the writer.
            var page = await Reads.QueryAsync(filter, after, PurgePage, values: false, cancellationToken);
            if (page.Count == 0)
            {
                return deleted;
            }

            List<string> ids = [.. page.Select(row => row.State.InstanceId)];
            var touched = ids.Concat(page.Select(row => row.State.ParentInstanceId).OfType<string>()).Distinct(StringComparer.Ordinal);
            deleted += await Loop.WriteAsync([.. touched], state => ids.Sum(state.Expire), cancellationToken);
            after = page[^1].Key;
        }
    }

    private async Task DropKeptEventsAsync(DateTime before, CancellationToken cancellationToken)
    {
        while (await Reads.KeptEventsAsync(before, PurgePage, cancellationToken) is { Count: > 0 } page)
        {
            var dropped = await Loop.WriteAsync(
                [.. page.Select(kept => kept.Id)], state => page.Count(kept => state.DropKeptEvents(kept.Id, kept.Count)), cancellationToken);
            if (dropped < page.Count)
            {
                // Something came for one of them just now; the next hour looks again.
                return;
            }
        }
    }

    /// <summary>Looks every hour; a hub that closes ends it first, so that nothing opens the store again behind it.</summary>
    private protected sealed class HourlyRetention : IAsyncDisposable
    {
        private readonly EmbeddedTaskHub _hub;
        private readonly PeriodicTimer _hours;
        private readonly CancellationTokenSource _closing = new();
        private readonly Task _running;

        public HourlyRetention(EmbeddedTaskHub hub)
        {
            _hub = hub;
            _hours = new PeriodicTimer(RetentionInterval, hub._clock);
            _running = RunAsync(_closing.Token);
        }

        public async ValueTask DisposeAsync()
        {
            await _closing.CancelAsync();
            _hours.Dispose();
            await _running;
            _closing.Dispose();
        }

        private async Task RunAsync(CancellationToken cancellationToken)
        {
            while (await _hours.WaitForNextTickAsync(CancellationToken.None))
            {
                try
                {
                    await _hub.ApplyRetentionAsync(cancellationToken);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
                catch (Exception exception)
                {
                    // Its disk is full, or its server is away: the next hour tries again.
                    _hub._logger.LogWarning(exception, "Finished orchestrations of the task hub {Hub} could not be deleted.", _hub.Description);
                }
            }
        }
    }
}
