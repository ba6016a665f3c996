using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub;

/// <summary>What is not kept for ever.</summary>
public abstract partial class EmbeddedTaskHub
{
    private static readonly TimeSpan RetentionInterval = TimeSpan.FromHours(1);

    /// <summary>Deletes what has been kept long enough; returns how many orchestrations went. The hub does it by itself every hour.</summary>
    public async Task<int> ApplyRetentionAsync(CancellationToken cancellationToken)
    {
        var deleted = 0;
        foreach (var (status, kept) in _options.Retention)
        {
            var filter = new InstanceFilter([status], CompletedTo: Timestamp.FromDateTimeOffset(_clock.GetUtcNow() - kept), RootsOnly: true);
            deleted += (await PurgeAsync(filter, DateTimeOffset.MaxValue, recursive: true, cancellationToken)).DeletedInstanceCount;
        }

        return deleted;
    }

    private protected ITimer? StartRetention() => _options.Retention.Count == 0
        ? null
        : _clock.CreateTimer(_ => _ = RetainQuietlyAsync(), null, RetentionInterval, RetentionInterval);

    private async Task RetainQuietlyAsync()
    {
        try
        {
            await ApplyRetentionAsync(CancellationToken.None);
        }
        catch (TaskHubException exception)
        {
            // The hub was closed meanwhile, or its disk is full: the next hour tries again.
            _logger.LogWarning(exception, "Finished orchestrations of the task hub {Hub} could not be deleted.", Description);
        }
    }
}
