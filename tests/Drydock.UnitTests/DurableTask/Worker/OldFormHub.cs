using System.Reflection;
using System.Runtime.CompilerServices;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>A hub in front of a real one that gives out operations of entities in the older of the two forms, as some hubs do.</summary>
public class OldFormHub : DispatchProxy
{
    private ITaskHub? _hub;

    public static ITaskHub Around(ITaskHub hub)
    {
        var proxy = Create<ITaskHub, OldFormHub>();
        ((OldFormHub)(object)proxy)._hub = hub;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        var result = targetMethod!.Invoke(_hub, args);
        return result is IAsyncEnumerable<WorkItem> items ? OldAsync(items) : result;
    }

    private static async IAsyncEnumerable<WorkItem> OldAsync(IAsyncEnumerable<WorkItem> items, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var item in items.WithCancellation(cancellationToken))
        {
            yield return item.EntityRequestV2 is { } request ? Old(item.CompletionToken, request) : item;
        }
    }

    private static WorkItem Old(string token, EntityRequest request) => new()
    {
        CompletionToken = token,
        EntityRequest = new EntityBatchRequest
        {
            InstanceId = request.InstanceId,
            EntityState = request.EntityState,
            Operations = { request.OperationRequests.Select(Old) },
        },
    };

    private static OperationRequest Old(HistoryEvent operation) => operation.EntityOperationCalled is { } call
        ? new OperationRequest { Operation = call.Operation, RequestId = call.RequestId, Input = call.Input }
        : new OperationRequest
        {
            Operation = operation.EntityOperationSignaled.Operation,
            RequestId = operation.EntityOperationSignaled.RequestId,
            Input = operation.EntityOperationSignaled.Input,
        };
}
