using System.Runtime.CompilerServices;
using Drydock.DurableTask.Protobuf.Extensions;
using Grpc.Core;

namespace Drydock.DurableTask.Remote;

/// <summary>What the protocol lacks: a second service, which only our own hubs serve.</summary>
public sealed partial class RemoteTaskHub
{
    /// <inheritdoc/>
    public IAsyncEnumerable<string> WatchInstancesAsync(CancellationToken cancellationToken) => FeedAsync(
        token => Connection.Extensions.WatchInstances(new WatchInstancesRequest(), cancellationToken: token),
        static changed => changed.InstanceId,
        cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<string> WatchLostActivitiesAsync(CancellationToken cancellationToken) => FeedAsync(
        token => Connection.Extensions.WatchLostActivities(new WatchLostActivitiesRequest(), cancellationToken: token),
        static lost => lost.CompletionToken,
        cancellationToken);

    /// <inheritdoc/>
    public async Task<TaskHubCounts> GetCountsAsync(CancellationToken cancellationToken)
    {
        var counts = await CallAsync(
            Connection.Extensions.GetCountsAsync(new GetCountsRequest(), cancellationToken: cancellationToken), cancellationToken);
        return new TaskHubCounts(counts.ReadyItems, counts.OutstandingItems, counts.PendingCommits, counts.Timers);
    }

    /// <inheritdoc/>
    public async Task<DateTimeOffset?> WhenIdleAsync(CancellationToken cancellationToken)
    {
        var idle = await CallAsync(
            Connection.Extensions.WhenIdleAsync(new WhenIdleRequest(), cancellationToken: cancellationToken), cancellationToken);
        return idle.EarliestTimer?.ToDateTimeOffset();
    }

    /// <inheritdoc/>
    public async Task<bool> HeartbeatActivityAsync(string completionToken, string? progress, CancellationToken cancellationToken)
    {
        var request = new HeartbeatActivityRequest { CompletionToken = completionToken, Progress = progress };
        return (await CallAsync(Connection.Extensions.HeartbeatActivityAsync(request, cancellationToken: cancellationToken), cancellationToken)).Wanted;
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<OpenActivity>> GetOpenActivitiesAsync(string instanceId, CancellationToken cancellationToken)
    {
        var request = new GetOpenActivitiesRequest { InstanceId = instanceId };
        var open = await CallAsync(Connection.Extensions.GetOpenActivitiesAsync(request, cancellationToken: cancellationToken), cancellationToken);
        return [.. open.Activities.Select(static activity => new OpenActivity(
            activity.TaskId, activity.Name, activity.Progress, activity.ProgressAt?.ToDateTimeOffset()))];
    }

    /// <summary>A feed that is opened again when the connection was lost; what changed in between is not told.</summary>
    private async IAsyncEnumerable<string> FeedAsync<T>(
        Func<CancellationToken, AsyncServerStreamingCall<T>> open, Func<T, string> read, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var delay = _firstWaitDelay;
        while (true)
        {
            using var call = open(cancellationToken);
            while (await MoveUnlessLostAsync(call.ResponseStream, cancellationToken) is { } more)
            {
                if (!more)
                {
                    yield break;
                }

                delay = _firstWaitDelay;
                if (read(call.ResponseStream.Current) is { Length: > 0 } value)
                {
                    yield return value;
                }
            }

            await Task.Delay(delay, _clock, cancellationToken);
            delay = delay * 2 > _longestWaitDelay ? _longestWaitDelay : delay * 2;
        }
    }

    /// <summary>True: there is a message. False: this hub has no such feed. Null: the connection was lost.</summary>
    private async Task<bool?> MoveUnlessLostAsync<T>(IAsyncStreamReader<T> stream, CancellationToken cancellationToken)
    {
        try
        {
            return await MoveAsync(stream, cancellationToken) ? true : null;
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.Unimplemented)
        {
            return false;
        }
        catch (TaskHubException refusal)
        {
            Log.HubAway(_logger, refusal, _options.Address.Endpoint);
            return null;
        }
    }
}
