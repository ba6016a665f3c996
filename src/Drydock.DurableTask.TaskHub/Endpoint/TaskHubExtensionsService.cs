using Drydock.DurableTask.Protobuf.Extensions;
using Drydock.DurableTask.Remote;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>What the protocol lacks, as a second service.</summary>
internal sealed class TaskHubExtensionsService(TaskHubDirectory hubs, Deliveries deliveries) : TaskHubExtensions.TaskHubExtensionsBase
{
    public override Task WatchInstances(WatchInstancesRequest request, IServerStreamWriter<InstanceChanged> responseStream, ServerCallContext context) =>
        FeedAsync(context, responseStream, static (hub, token) => hub.WatchInstancesAsync(token), static id => new InstanceChanged { InstanceId = id });

    public override Task WatchLostActivities(
        WatchLostActivitiesRequest request, IServerStreamWriter<ActivityLost> responseStream, ServerCallContext context) =>
        FeedAsync(
            context, responseStream, static (hub, token) => hub.WatchLostActivitiesAsync(token), static lost => new ActivityLost { CompletionToken = lost });

    public override async Task<HubCounts> GetCounts(GetCountsRequest request, ServerCallContext context)
    {
        var counts = await (await HubAsync(context)).GetCountsAsync(context.CancellationToken);
        return new HubCounts
        {
            ReadyItems = counts.ReadyItems,
            OutstandingItems = counts.OutstandingItems,
            PendingCommits = counts.PendingCommits,
            Timers = counts.Timers,
        };
    }

    public override async Task<HubIdle> WhenIdle(WhenIdleRequest request, ServerCallContext context)
    {
        var due = await (await HubAsync(context)).WhenIdleAsync(context.CancellationToken);
        return new HubIdle { EarliestTimer = due is { } at ? Timestamp.FromDateTimeOffset(at) : null };
    }

    public override async Task<HeartbeatActivityResponse> HeartbeatActivity(HeartbeatActivityRequest request, ServerCallContext context)
    {
        var hub = await HubAsync(context);
        return new HeartbeatActivityResponse
        {
            Wanted = await hub.HeartbeatActivityAsync(request.CompletionToken, request.Progress, context.CancellationToken),
        };
    }

    public override async Task<OpenActivities> GetOpenActivities(GetOpenActivitiesRequest request, ServerCallContext context)
    {
        var open = await (await HubAsync(context)).GetOpenActivitiesAsync(request.InstanceId, context.CancellationToken);
        return new OpenActivities
        {
            Activities =
            {
                open.Select(static activity => new OpenActivityState
                {
                    TaskId = activity.TaskId,
                    Name = activity.Name,
                    Progress = activity.SerializedProgress,
                    ProgressAt = activity.ProgressAt is { } at ? Timestamp.FromDateTimeOffset(at) : null,
                }),
            },
        };
    }

    private async Task FeedAsync<T>(
        ServerCallContext context,
        IServerStreamWriter<T> stream,
        Func<ITaskHubExtensions, CancellationToken, IAsyncEnumerable<string>> feed,
        Func<string, T> message)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, deliveries.Ended);
        await using var changes = feed(await HubAsync(context), end.Token).GetAsyncEnumerator(end.Token);
        try
        {
            // Listening before it says so.
            var next = changes.MoveNextAsync();
            await stream.WriteAsync(message(string.Empty), end.Token);
            while (await next)
            {
                await stream.WriteAsync(message(changes.Current), end.Token);
                next = changes.MoveNextAsync();
            }
        }
        catch (OperationCanceledException) when (deliveries.Ended.IsCancellationRequested)
        {
            // The server stops; the caller comes again.
        }
    }

    private async ValueTask<ITaskHubExtensions> HubAsync(ServerCallContext context) =>
        await hubs.GetAsync(context.RequestHeaders.GetValue(HubConnection.TaskHubHeader), context.CancellationToken) as ITaskHubExtensions
        ?? throw new RpcException(new Status(StatusCode.Unimplemented, "This task hub has no extensions."));
}
