using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.Remote;

/// <summary>What clients use.</summary>
public sealed partial class RemoteTaskHub
{
    private static readonly TimeSpan _firstWaitDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan _longestWaitDelay = TimeSpan.FromSeconds(15);

    /// <inheritdoc/>
    public Task<CreateInstanceResponse> StartInstanceAsync(
        CreateInstanceRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.StartInstanceAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<GetInstanceResponse> GetInstanceAsync(
        GetInstanceRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.GetInstanceAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<GetInstanceResponse> WaitForInstanceStartAsync(
        GetInstanceRequest request, CancellationToken cancellationToken) =>
        WaitAsync(() => Connection.Hub.WaitForInstanceStartAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<GetInstanceResponse> WaitForInstanceCompletionAsync(
        GetInstanceRequest request, CancellationToken cancellationToken) =>
        WaitAsync(() => Connection.Hub.WaitForInstanceCompletionAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<RaiseEventResponse> RaiseEventAsync(
        RaiseEventRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.RaiseEventAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<TerminateResponse> TerminateInstanceAsync(
        TerminateRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.TerminateInstanceAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<SuspendResponse> SuspendInstanceAsync(
        SuspendRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.SuspendInstanceAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<ResumeResponse> ResumeInstanceAsync(
        ResumeRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.ResumeInstanceAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<RewindInstanceResponse> RewindInstanceAsync(
        RewindInstanceRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.RewindInstanceAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<RestartInstanceResponse> RestartInstanceAsync(
        RestartInstanceRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.RestartInstanceAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<QueryInstancesResponse> QueryInstancesAsync(
        QueryInstancesRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.QueryInstancesAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<ListInstanceIdsResponse> ListInstanceIdsAsync(
        ListInstanceIdsRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.ListInstanceIdsAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<PurgeInstancesResponse> PurgeInstancesAsync(
        PurgeInstancesRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.PurgeInstancesAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<SignalEntityResponse> SignalEntityAsync(
        SignalEntityRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.SignalEntityAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<GetEntityResponse> GetEntityAsync(
        GetEntityRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.GetEntityAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<QueryEntitiesResponse> QueryEntitiesAsync(
        QueryEntitiesRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.QueryEntitiesAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<CleanEntityStorageResponse> CleanEntityStorageAsync(
        CleanEntityStorageRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.CleanEntityStorageAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<SkipGracefulOrchestrationTerminationsResponse> SkipGracefulOrchestrationTerminationsAsync(
        SkipGracefulOrchestrationTerminationsRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.SkipGracefulOrchestrationTerminationsAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <summary>A wait is a read that takes long: if the connection is lost meanwhile, it is asked again, until the caller has enough.</summary>
    private async Task<T> WaitAsync<T>(Func<Grpc.Core.AsyncUnaryCall<T>> call, CancellationToken cancellationToken)
    {
        var delay = _firstWaitDelay;
        while (true)
        {
            try
            {
                return await CallAsync(call(), cancellationToken);
            }
            catch (TaskHubException refusal) when (refusal.Status == Grpc.Core.StatusCode.Unavailable)
            {
                Log.HubAway(_logger, refusal, _options.Address.Endpoint);
            }

            await Task.Delay(delay, _clock, cancellationToken);
            delay = delay * 2 > _longestWaitDelay ? _longestWaitDelay : delay * 2;
        }
    }
}
