using Drydock.DurableTask.TaskHub.Sqlite;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub;

/// <summary>What is not kept for ever.</summary>
public sealed partial class SqliteTaskHub
{
    private static readonly TimeSpan RetentionInterval = TimeSpan.FromHours(1);

    /// <summary>Deletes what has been kept long enough; returns how many orchestrations went. The hub does it by itself every hour.</summary>
    public async Task<int> ApplyRetentionAsync(CancellationToken cancellationToken)
    {
        var deleted = 0;
        foreach (var (status, kept) in options.Retention)
        {
            var filter = new InstanceFilter([status], CompletedTo: Timestamp.FromDateTimeOffset(clock.GetUtcNow() - kept), RootsOnly: true);
            deleted += (await PurgeAsync(filter, DateTimeOffset.MaxValue, recursive: true, cancellationToken)).DeletedInstanceCount;
        }

        return deleted;
    }

    private ITimer? StartRetention() => options.Retention.Count == 0
        ? null
        : clock.CreateTimer(_ => _ = RetainQuietlyAsync(), null, RetentionInterval, RetentionInterval);

    private async Task RetainQuietlyAsync()
    {
        try
        {
            await ApplyRetentionAsync(CancellationToken.None);
        }
        catch (TaskHubException exception)
        {
            // The hub was closed meanwhile, or its disk is full: the next hour tries again.
            logger.LogWarning(exception, "Finished orchestrations of the task hub {Path} could not be deleted.", Path);
        }
    }
}
