using System.Collections.Concurrent;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>The endpoint answers every rpc of the service, as its descriptor lists them: one that is new in the protocol is missing here first.</summary>
public sealed class TaskHubRpcTests : IAsyncLifetime
{
    private readonly Recorder _recorder = new();
    private ServedHub _served = null!;
    private GrpcChannel _channel = null!;
    private TaskHubSidecarService.TaskHubSidecarServiceClient _client = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _served = await ServedHub.StartAsync(configure: options => options.AllowHubDeletion = true);
        _channel = GrpcChannel.ForAddress(_served.Server.Address);
        _client = new TaskHubSidecarService.TaskHubSidecarServiceClient(_channel.Intercept(_recorder));
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await _served.DisposeAsync();
    }

    [Fact]
    public async Task Every_rpc_of_the_service_is_answered()
    {
        await _client.HelloAsync(new Empty(), cancellationToken: Token);
        await _client.CreateTaskHubAsync(new CreateTaskHubRequest(), cancellationToken: Token);
        using var work = _client.GetWorkItems(new GetWorkItemsRequest(), cancellationToken: Token);
        await RunAsync(work.ResponseStream);
        await RunEntityAsync(work.ResponseStream);
        await ReadAsync();
        await SteerAsync();
        await RepairAsync(work.ResponseStream);
        (await _client.PurgeInstancesAsync(new PurgeInstancesRequest { InstanceId = "a" }, cancellationToken: Token)).DeletedInstanceCount.ShouldBe(1);
        await _client.DeleteTaskHubAsync(new DeleteTaskHubRequest(), cancellationToken: Token);

        var rpcs = TaskHubSidecarService.Descriptor.Methods.Select(method => method.Name).ToList();
        rpcs.Count.ShouldBeGreaterThan(25);
        rpcs.Except(_recorder.Names).ShouldBeEmpty("The descriptor has rpcs that are not asked here.");
    }

    /// <summary>An orchestration with one activity, from its start to its end; each item is given back once.</summary>
    private async Task RunAsync(IAsyncStreamReader<WorkItem> work)
    {
        await _client.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "a", Name = "O" }, cancellationToken: Token);
        var turn = await NextAsync(work);
        await _client.AbandonTaskOrchestratorWorkItemAsync(new AbandonOrchestrationTaskRequest { CompletionToken = turn.CompletionToken }, cancellationToken: Token);
        turn = await NextAsync(work);
        await _client.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse { CompletionToken = turn.CompletionToken, Actions = { Act.Schedule(0, "A") } }, cancellationToken: Token);
        (await _client.WaitForInstanceStartAsync(new GetInstanceRequest { InstanceId = "a" }, cancellationToken: Token)).Exists.ShouldBeTrue();

        var activity = await NextAsync(work);
        await _client.AbandonTaskActivityWorkItemAsync(new AbandonActivityTaskRequest { CompletionToken = activity.CompletionToken }, cancellationToken: Token);
        activity = await NextAsync(work);
        await _client.CompleteActivityTaskAsync(new ActivityResponse { CompletionToken = activity.CompletionToken, Result = "1" }, cancellationToken: Token);
        turn = await NextAsync(work);
        await _client.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse { CompletionToken = turn.CompletionToken, Actions = { Act.Fail(1, "bad") } }, cancellationToken: Token);
        (await _client.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = "a" }, cancellationToken: Token))
            .OrchestrationState.OrchestrationStatus.ShouldBe(OrchestrationStatus.Failed);
    }

    private async Task RunEntityAsync(IAsyncStreamReader<WorkItem> work)
    {
        await _client.SignalEntityAsync(new SignalEntityRequest { InstanceId = "@e@1", Name = "set" }, cancellationToken: Token);
        var batch = await NextAsync(work);
        await _client.AbandonTaskEntityWorkItemAsync(new AbandonEntityTaskRequest { CompletionToken = batch.CompletionToken }, cancellationToken: Token);
        batch = await NextAsync(work);
        var result = new EntityBatchResult
        {
            CompletionToken = batch.CompletionToken, EntityState = "1", Results = { new OperationResult { Success = new OperationResultSuccess() } },
        };
        await _client.CompleteEntityTaskAsync(result, cancellationToken: Token);
        (await _client.GetEntityAsync(new GetEntityRequest { InstanceId = "@e@1", IncludeState = true }, cancellationToken: Token)).Entity.SerializedState.ShouldBe("1");
        (await _client.QueryEntitiesAsync(new QueryEntitiesRequest { Query = new EntityQuery() }, cancellationToken: Token)).Entities.Count.ShouldBe(1);
        await _client.CleanEntityStorageAsync(new CleanEntityStorageRequest { RemoveEmptyEntities = true }, cancellationToken: Token);
    }

    private async Task ReadAsync()
    {
        (await _client.GetInstanceAsync(new GetInstanceRequest { InstanceId = "a" }, cancellationToken: Token)).Exists.ShouldBeTrue();
        (await _client.QueryInstancesAsync(new QueryInstancesRequest { Query = new InstanceQuery { MaxInstanceCount = 10 } }, cancellationToken: Token))
            .OrchestrationState.ShouldHaveSingleItem().InstanceId.ShouldBe("a");
        (await _client.ListInstanceIdsAsync(new ListInstanceIdsRequest { PageSize = 10 }, cancellationToken: Token)).InstanceIds.ShouldBe(["a"]);
        using var history = _client.StreamInstanceHistory(new StreamInstanceHistoryRequest { InstanceId = "a" }, cancellationToken: Token);
        (await history.ResponseStream.MoveNext(Token)).ShouldBeTrue();
        history.ResponseStream.Current.Events.ShouldContain(e => e.TaskCompleted != null);
    }

    private async Task SteerAsync()
    {
        await _client.RaiseEventAsync(new RaiseEventRequest { InstanceId = "later", Name = "e" }, cancellationToken: Token);
        await _client.SuspendInstanceAsync(new SuspendRequest { InstanceId = "a" }, cancellationToken: Token);
        await _client.ResumeInstanceAsync(new ResumeRequest { InstanceId = "a" }, cancellationToken: Token);
        await _client.TerminateInstanceAsync(new TerminateRequest { InstanceId = "a" }, cancellationToken: Token);
        var skip = new SkipGracefulOrchestrationTerminationsRequest { InstanceBatch = new InstanceBatch { InstanceIds = { "a" } } };
        (await _client.SkipGracefulOrchestrationTerminationsAsync(skip, cancellationToken: Token)).UnterminatedInstanceIds.ShouldBe(["a"]);
    }

    private async Task RepairAsync(IAsyncStreamReader<WorkItem> work)
    {
        await _client.RewindInstanceAsync(new RewindInstanceRequest { InstanceId = "a" }, cancellationToken: Token);
        await EndAsync(work);
        (await _client.RestartInstanceAsync(new RestartInstanceRequest { InstanceId = "a" }, cancellationToken: Token)).InstanceId.ShouldBe("a");
        await EndAsync(work);
    }

    private async Task EndAsync(IAsyncStreamReader<WorkItem> work)
    {
        var turn = await NextAsync(work);
        await _client.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse { CompletionToken = turn.CompletionToken, Actions = { Act.Complete(1) } }, cancellationToken: Token);
    }

    private static async Task<WorkItem> NextAsync(IAsyncStreamReader<WorkItem> work)
    {
        do
        {
            (await work.MoveNext(Token)).ShouldBeTrue();
        }
        while (work.Current.HealthPing is not null);
        return work.Current;
    }

    /// <summary>Notes what is called.</summary>
    private sealed class Recorder : Interceptor
    {
        private readonly ConcurrentDictionary<string, bool> _names = new(StringComparer.Ordinal);

        public IEnumerable<string> Names => _names.Keys;

        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            _names[context.Method.Name] = true;
            return continuation(request, context);
        }

        public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
            TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation)
        {
            _names[context.Method.Name] = true;
            return continuation(request, context);
        }
    }
}
