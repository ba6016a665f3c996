using System.Globalization;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.State;
using Grpc.Core;

namespace Drydock.DurableTask.TaskHub;

/// <summary>What clients use.</summary>
public abstract partial class EmbeddedTaskHub
{
    private const int DefaultPage = 100;
    private const int LargestBatch = 500;
    private const int PurgePage = 50;

    /// <inheritdoc/>
    public Task<CreateInstanceResponse> StartInstanceAsync(CreateInstanceRequest request, CancellationToken cancellationToken) =>
        request.Name.Length == 0
            ? throw new TaskHubException(StatusCode.InvalidArgument, "An orchestration needs a name.")
            : Loop.WriteAsync([request.InstanceId], state => state.Start(request), cancellationToken);

    /// <inheritdoc/>
    public async Task<GetInstanceResponse> GetInstanceAsync(GetInstanceRequest request, CancellationToken cancellationToken)
    {
        var state = await Reads.InstanceAsync(request.InstanceId, request.GetInputsAndOutputs, cancellationToken);
        return new GetInstanceResponse { Exists = state is not null, OrchestrationState = state };
    }

    /// <inheritdoc/>
    public Task<GetInstanceResponse> WaitForInstanceStartAsync(GetInstanceRequest request, CancellationToken cancellationToken) =>
        WaitAsync(request, status => status != OrchestrationStatus.Pending, cancellationToken);

    /// <inheritdoc/>
    public Task<GetInstanceResponse> WaitForInstanceCompletionAsync(GetInstanceRequest request, CancellationToken cancellationToken) =>
        WaitAsync(request, Instance.IsFinal, cancellationToken);

    /// <inheritdoc/>
    public Task<RaiseEventResponse> RaiseEventAsync(RaiseEventRequest request, CancellationToken cancellationToken) =>
        WriteAsync(
            request.InstanceId,
            state => state.RaiseEvent(request.InstanceId, request.Name, request.Input), new RaiseEventResponse(), cancellationToken);

    /// <inheritdoc/>
    public Task<TerminateResponse> TerminateInstanceAsync(TerminateRequest request, CancellationToken cancellationToken) =>
        WriteAsync(
            request.InstanceId,
            state => state.Terminate(request.InstanceId, request.Output, request.Recursive), new TerminateResponse(), cancellationToken);

    /// <inheritdoc/>
    public Task<SuspendResponse> SuspendInstanceAsync(SuspendRequest request, CancellationToken cancellationToken) =>
        WriteAsync(request.InstanceId, state => state.Suspend(request.InstanceId, request.Reason), new SuspendResponse(), cancellationToken);

    /// <inheritdoc/>
    public Task<ResumeResponse> ResumeInstanceAsync(ResumeRequest request, CancellationToken cancellationToken) =>
        WriteAsync(request.InstanceId, state => state.Resume(request.InstanceId, request.Reason), new ResumeResponse(), cancellationToken);

    /// <inheritdoc/>
    public Task<RewindInstanceResponse> RewindInstanceAsync(RewindInstanceRequest request, CancellationToken cancellationToken) =>
        WriteAsync(request.InstanceId, state => state.Rewind(request.InstanceId, request.Reason), new RewindInstanceResponse(), cancellationToken);

    /// <inheritdoc/>
    public Task<RestartInstanceResponse> RestartInstanceAsync(RestartInstanceRequest request, CancellationToken cancellationToken) =>
        Loop.WriteAsync([request.InstanceId], state => state.Restart(request), cancellationToken);

    /// <inheritdoc/>
    public Task<SkipGracefulOrchestrationTerminationsResponse> SkipGracefulOrchestrationTerminationsAsync(
        SkipGracefulOrchestrationTerminationsRequest request, CancellationToken cancellationToken)
    {
        var ids = request.InstanceBatch?.InstanceIds ?? [];
        return ids.Count > LargestBatch
            ? throw new TaskHubException(StatusCode.InvalidArgument, $"At most {LargestBatch} instances can be terminated in one batch.")
            : Loop.WriteAsync(
                ids,
                state => new SkipGracefulOrchestrationTerminationsResponse
                {
                    UnterminatedInstanceIds = { ids.Where(id => !state.TerminateAtOnce(id, request.Reason)) },
                },
                cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<QueryInstancesResponse> QueryInstancesAsync(QueryInstancesRequest request, CancellationToken cancellationToken)
    {
        var query = request.Query ?? new InstanceQuery();
        var filter = new InstanceFilter(
            query.RuntimeStatus, CreatedFrom: query.CreatedTimeFrom, CreatedTo: query.CreatedTimeTo, IdPrefix: query.InstanceIdPrefix);
        var (rows, token) = await PageAsync(
            filter, query.ContinuationToken, query.MaxInstanceCount, query.FetchInputsAndOutputs, cancellationToken);
        return new QueryInstancesResponse { OrchestrationState = { rows }, ContinuationToken = token };
    }

    /// <inheritdoc/>
    public async Task<ListInstanceIdsResponse> ListInstanceIdsAsync(ListInstanceIdsRequest request, CancellationToken cancellationToken)
    {
        var filter = new InstanceFilter(
            request.RuntimeStatus.Count > 0 ? request.RuntimeStatus : FinalStatuses,
            CompletedFrom: request.CompletedTimeFrom, CompletedTo: request.CompletedTimeTo);
        var (rows, token) = await PageAsync(filter, request.LastInstanceKey, request.PageSize, values: false, cancellationToken);
        return new ListInstanceIdsResponse { InstanceIds = { rows.Select(row => row.InstanceId) }, LastInstanceKey = token };
    }

    /// <inheritdoc/>
    public async Task<PurgeInstancesResponse> PurgeInstancesAsync(PurgeInstancesRequest request, CancellationToken cancellationToken)
    {
        switch (request.RequestCase)
        {
            case PurgeInstancesRequest.RequestOneofCase.InstanceId:
                return Purged(await PurgeAsync([request.InstanceId], request.Recursive, cancellationToken), isComplete: true);
            case PurgeInstancesRequest.RequestOneofCase.InstanceBatch when request.InstanceBatch.InstanceIds.Count > LargestBatch:
                throw new TaskHubException(StatusCode.InvalidArgument, $"At most {LargestBatch} instances can be purged in one batch.");
            case PurgeInstancesRequest.RequestOneofCase.InstanceBatch:
                return Purged(
                    await PurgeAsync([.. request.InstanceBatch.InstanceIds], request.Recursive, cancellationToken), isComplete: true);
            case PurgeInstancesRequest.RequestOneofCase.PurgeInstanceFilter:
                return await PurgeAsync(request.PurgeInstanceFilter, request.Recursive, cancellationToken);
            default:
                throw new TaskHubException(StatusCode.InvalidArgument, "A purge needs an instance id, a batch or a filter.");
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<string> WatchInstancesAsync(CancellationToken cancellationToken) => Loop.Feed.WatchAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<TaskHubCounts> GetCountsAsync(CancellationToken cancellationToken) => Loop.CountAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<DateTimeOffset?> WhenIdleAsync(CancellationToken cancellationToken) => Loop.WhenIdleAsync(cancellationToken);

    private static OrchestrationStatus[] FinalStatuses =>
        [OrchestrationStatus.Completed, OrchestrationStatus.Failed, OrchestrationStatus.Terminated, OrchestrationStatus.Canceled];

    private Task<T> WriteAsync<T>(string touched, Action<HubState> apply, T response, CancellationToken cancellationToken) => Loop.WriteAsync(
        [touched],
        state =>
        {
            apply(state);
            return response;
        },
        cancellationToken);

    private async Task<GetInstanceResponse> WaitAsync(
        GetInstanceRequest request, Func<OrchestrationStatus, bool> isReached, CancellationToken cancellationToken)
    {
        while (true)
        {
            await Loop.ReachedAsync(request.InstanceId, isReached, cancellationToken);

            // It may have been purged or replaced since; then the wait is for the next instance of that id.
            var response = await GetInstanceAsync(request, cancellationToken);
            if (response.Exists && isReached(response.OrchestrationState.OrchestrationStatus))
            {
                return response;
            }
        }
    }

    private async Task<(List<OrchestrationState> Rows, string? Token)> PageAsync(
        InstanceFilter filter, string? token, int size, bool values, CancellationToken cancellationToken)
    {
        // The key of the last row: new and deleted instances do not shift the pages, and the next page may have another size.
        var after = AfterOf(token);
        size = size > 0 ? size : DefaultPage;
        var rows = await Reads.QueryAsync(filter, after, size + 1, values, cancellationToken);
        var last = rows.Count > size ? rows[size - 1].Key.ToString(CultureInfo.InvariantCulture) : null;
        return ([.. rows.Take(size).Select(row => row.State)], last);
    }

    private async Task<PurgeInstancesResponse> PurgeAsync(PurgeInstanceFilter purge, bool recursive, CancellationToken cancellationToken)
    {
        var statuses = purge.RuntimeStatus.Count > 0 ? purge.RuntimeStatus.Where(Instance.IsFinal).ToArray() : FinalStatuses;
        if (statuses.Length == 0)
        {
            return Purged(0, isComplete: true);
        }

        var filter = new InstanceFilter(statuses, CreatedFrom: purge.CreatedTimeFrom, CreatedTo: purge.CreatedTimeTo);
        var until = purge.Timeout is { } timeout ? _clock.GetUtcNow() + timeout.ToTimeSpan() : DateTimeOffset.MaxValue;
        return await PurgeAsync(filter, until, recursive, cancellationToken);
    }

    private async Task<PurgeInstancesResponse> PurgeAsync(InstanceFilter filter, DateTimeOffset until, bool recursive, CancellationToken cancellationToken)
    {
        var deleted = 0;
        long after = 0;
        while (true)
        {
            // Page by page, so that nobody else waits long for the writer.
            var page = await Reads.QueryAsync(filter, after, PurgePage, values: false, cancellationToken);
            if (page.Count == 0)
            {
                return Purged(deleted, isComplete: true);
            }

            if (_clock.GetUtcNow() >= until)
            {
                return Purged(deleted, isComplete: false);
            }

            deleted += await PurgeAsync([.. page.Select(row => row.State.InstanceId)], recursive, cancellationToken);
            after = page[^1].Key;
        }
    }

    private Task<int> PurgeAsync(IReadOnlyList<string> ids, bool recursive, CancellationToken cancellationToken) =>
        Loop.WriteAsync(ids, state => ids.Sum(id => state.Purge(id, recursive)), cancellationToken);

    private static PurgeInstancesResponse Purged(int count, bool isComplete) =>
        new() { DeletedInstanceCount = count, IsComplete = isComplete };
}
