using Drydock.DurableTask.Protobuf;
using Grpc.Core;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>What clients call: each rpc is the member of the hub that has its name.</summary>
internal sealed partial class TaskHubService
{
    public override Task<CreateInstanceResponse> StartInstance(CreateInstanceRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.StartInstanceAsync(request, token));

    public override Task<GetInstanceResponse> GetInstance(GetInstanceRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.GetInstanceAsync(request, token));

    public override Task<GetInstanceResponse> WaitForInstanceStart(GetInstanceRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.WaitForInstanceStartAsync(request, token));

    public override Task<GetInstanceResponse> WaitForInstanceCompletion(GetInstanceRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.WaitForInstanceCompletionAsync(request, token));

    public override Task<RaiseEventResponse> RaiseEvent(RaiseEventRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.RaiseEventAsync(request, token));

    public override Task<TerminateResponse> TerminateInstance(TerminateRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.TerminateInstanceAsync(request, token));

    public override Task<SuspendResponse> SuspendInstance(SuspendRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.SuspendInstanceAsync(request, token));

    public override Task<ResumeResponse> ResumeInstance(ResumeRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.ResumeInstanceAsync(request, token));

    public override Task<RewindInstanceResponse> RewindInstance(RewindInstanceRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.RewindInstanceAsync(request, token));

    public override Task<RestartInstanceResponse> RestartInstance(RestartInstanceRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.RestartInstanceAsync(request, token));

    public override Task<QueryInstancesResponse> QueryInstances(QueryInstancesRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.QueryInstancesAsync(request, token));

    public override Task<ListInstanceIdsResponse> ListInstanceIds(ListInstanceIdsRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.ListInstanceIdsAsync(request, token));

    public override Task<PurgeInstancesResponse> PurgeInstances(PurgeInstancesRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.PurgeInstancesAsync(request, token));

    public override Task<SignalEntityResponse> SignalEntity(SignalEntityRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.SignalEntityAsync(request, token));

    public override Task<GetEntityResponse> GetEntity(GetEntityRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.GetEntityAsync(request, token));

    public override Task<QueryEntitiesResponse> QueryEntities(QueryEntitiesRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.QueryEntitiesAsync(request, token));

    public override Task<CleanEntityStorageResponse> CleanEntityStorage(CleanEntityStorageRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.CleanEntityStorageAsync(request, token));

    public override Task<SkipGracefulOrchestrationTerminationsResponse> SkipGracefulOrchestrationTerminations(SkipGracefulOrchestrationTerminationsRequest request, ServerCallContext context) =>
        CallAsync(context, (hub, token) => hub.SkipGracefulOrchestrationTerminationsAsync(request, token));
}
