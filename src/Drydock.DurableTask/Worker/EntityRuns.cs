using Drydock.DurableTask.Entities;
using Drydock.DurableTask.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.Worker;

/// <summary>Runs batches of entity operations: each changes the state, signals and starts, or none of it.</summary>
internal sealed class EntityRuns(
    ITaskHub hub, DurableTaskFactory factory, IServiceScopeFactory scopes, TaskHubWorkerOptions options, HubCalls calls, ILogger logger)
{
    /// <summary>Runs a batch; returns when the hub has the results, or has the item back.</summary>
    public async Task RunAsync(WorkItem item, CancellationToken ended)
    {
        var batch = EntityBatch.Of(item);
        try
        {
            var result = await ExecuteAsync(batch);
            result.CompletionToken = item.CompletionToken;
            await calls.CallAsync(token => hub.CompleteEntityTaskAsync(result, token), ended);
            return;
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.NotFound)
        {
            Log.EntityResultStale(logger, batch.Id);
            return;
        }
        catch (Exception exception)
        {
            Log.ItemFailed(logger, exception, "entity", batch.Id);
        }

        await calls.AbandonAsync(
            token => hub.AbandonEntityTaskAsync(new AbandonEntityTaskRequest { CompletionToken = item.CompletionToken }, token),
            CancellationToken.None);
    }

    private async Task<EntityBatchResult> ExecuteAsync(EntityBatch batch)
    {
        var id = EntityInstanceId.FromString(batch.Id);
        var result = new EntityBatchResult { EntityState = batch.State };
        await using var scope = scopes.CreateAsyncScope();
        if (!factory.TryCreateEntity(id.Name, scope.ServiceProvider, out var entity))
        {
            var missing = new Protobuf.TaskFailureDetails
            {
                ErrorType = "EntityTaskNotFound", ErrorMessage = $"No entity task named '{id.Name}' was found.", IsNonRetriable = true,
            };
            result.Results.AddRange(batch.Operations.Select(_ => new OperationResult { Failure = new OperationResultFailure { FailureDetails = missing } }));
            return result;
        }

        foreach (var operation in batch.Operations)
        {
            var run = new EntityOperation(id, operation.Name, operation.Input, result.EntityState, options.DataConverter);
            try
            {
                var output = await entity.RunAsync(run);
                result.Results.Add(new OperationResult { Success = new OperationResultSuccess { Result = options.DataConverter.Serialize(output) } });
                result.EntityState = run.SerializedState;
                foreach (var action in run.Actions)
                {
                    action.Id = result.Actions.Count;
                    result.Actions.Add(action);
                }
            }
            catch (Exception exception)
            {
                Log.EntityOperationFailed(logger, exception, operation.Name, batch.Id);
                result.Results.Add(new OperationResult
                {
                    Failure = new OperationResultFailure { FailureDetails = options.Describe(exception) },
                });
            }

            result.OperationInfos.Add(operation.Info);
        }

        return result;
    }

    private sealed record Requested(string Name, string? Input, OperationInfo Info);

    /// <summary>A batch in either wire form.</summary>
    private sealed record EntityBatch(string Id, string? State, IReadOnlyList<Requested> Operations)
    {
        public static EntityBatch Of(WorkItem item) => item.EntityRequestV2 is { } request
            ? new EntityBatch(request.InstanceId, request.EntityState, [.. request.OperationRequests.Select(Of)])
            : new EntityBatch(
                item.EntityRequest.InstanceId,
                item.EntityRequest.EntityState,
                [.. item.EntityRequest.Operations.Select(static one => new Requested(one.Operation, one.Input, new OperationInfo { RequestId = one.RequestId }))]);

        private static Requested Of(HistoryEvent item) => item.EntityOperationCalled is { } call
            ? new Requested(call.Operation, call.Input, new OperationInfo
            {
                RequestId = call.RequestId,
                ResponseDestination = new OrchestrationInstance { InstanceId = call.ParentInstanceId, ExecutionId = call.ParentExecutionId },
            })
            : new Requested(item.EntityOperationSignaled.Operation, item.EntityOperationSignaled.Input, new OperationInfo { RequestId = item.EntityOperationSignaled.RequestId });
    }
}
