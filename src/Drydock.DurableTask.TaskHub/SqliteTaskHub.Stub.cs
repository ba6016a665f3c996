using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub;

public sealed partial class SqliteTaskHub
{
    public Task HelloAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public IAsyncEnumerable<WorkItem> GetWorkItemsAsync( GetWorkItemsRequest request, bool keepsOrchestrators, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task CompleteOrchestratorTaskAsync(OrchestratorResponse response, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task CompleteActivityTaskAsync(ActivityResponse response, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task CompleteEntityTaskAsync(EntityBatchResult result, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task AbandonOrchestratorTaskAsync(AbandonOrchestrationTaskRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task AbandonActivityTaskAsync(AbandonActivityTaskRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task AbandonEntityTaskAsync(AbandonEntityTaskRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public IAsyncEnumerable<HistoryChunk> StreamInstanceHistoryAsync( StreamInstanceHistoryRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<CreateInstanceResponse> StartInstanceAsync(CreateInstanceRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<GetInstanceResponse> GetInstanceAsync(GetInstanceRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<GetInstanceResponse> WaitForInstanceStartAsync(GetInstanceRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<GetInstanceResponse> WaitForInstanceCompletionAsync(GetInstanceRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<RaiseEventResponse> RaiseEventAsync(RaiseEventRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<TerminateResponse> TerminateInstanceAsync(TerminateRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<SuspendResponse> SuspendInstanceAsync(SuspendRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<ResumeResponse> ResumeInstanceAsync(ResumeRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<RewindInstanceResponse> RewindInstanceAsync(RewindInstanceRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<RestartInstanceResponse> RestartInstanceAsync(RestartInstanceRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<QueryInstancesResponse> QueryInstancesAsync(QueryInstancesRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<ListInstanceIdsResponse> ListInstanceIdsAsync(ListInstanceIdsRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<PurgeInstancesResponse> PurgeInstancesAsync(PurgeInstancesRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<SignalEntityResponse> SignalEntityAsync(SignalEntityRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<GetEntityResponse> GetEntityAsync(GetEntityRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<QueryEntitiesResponse> QueryEntitiesAsync(QueryEntitiesRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public Task<CleanEntityStorageResponse> CleanEntityStorageAsync(CleanEntityStorageRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public IAsyncEnumerable<string> WatchInstancesAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");

    public TaskHubCounts Counts => throw new NotSupportedException("The hub is not built yet.");

    public Task<DateTimeOffset?> WhenIdleAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException("The hub is not built yet.");
}
