using Drydock.DurableTask.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>
/// One stream of work items to a worker: a ping at once and whenever it was silent, no item that would break the stream, and a quiet
/// end when the server stops.
/// </summary>
internal sealed class WorkItemStream(
    ITaskHub hub, IServerStreamWriter<WorkItem> writer, int largestMessage, TaskHubServerOptions options, Deliveries deliveries, TimeProvider clock, ILogger logger)
    : IDisposable
{
    private readonly SemaphoreSlim _writing = new(1, 1);

    /// <summary>Hands out work until the worker goes, or the server stops.</summary>
    public async Task RunAsync(GetWorkItemsRequest request, bool keepsOrchestrators, CancellationToken workerGone)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(workerGone, deliveries.Ended);
        using var noMore = CancellationTokenSource.CreateLinkedTokenSource(workerGone, deliveries.Draining);

        // At once: a stream that ends without any message counts as a broken one.
        await WriteAsync(new WorkItem { HealthPing = new HealthPing() }, stop.Token);
        var pings = PingAsync(stop.Token);
        try
        {
            await foreach (var item in hub.GetWorkItemsAsync(request, keepsOrchestrators, noMore.Token))
            {
                await DeliverAsync(item, stop.Token);
            }
        }
        catch (OperationCanceledException) when (deliveries.Draining.IsCancellationRequested && !workerGone.IsCancellationRequested)
        {
            // Nothing more is handed out; until the end the worker may answer what it has.
            await pings;
        }
        finally
        {
            await stop.CancelAsync();
            await pings;
            deliveries.Forget(this);
        }
    }

    public void Dispose() => _writing.Dispose();

    private async Task DeliverAsync(WorkItem item, CancellationToken cancellationToken)
    {
        if (item.CalculateSize() is var size && size > largestMessage)
        {
            Log.ItemTooLarge(logger, item.RequestCase.ToString(), size, largestMessage);
            await RefuseAsync(item, size);
            return;
        }

        deliveries.Add(item.CompletionToken, this);
        await WriteAsync(item, cancellationToken);
    }

    /// <summary>The worker's gRPC would drop the whole stream, again and again: the one orchestration that is too large fails instead.</summary>
    private Task RefuseAsync(WorkItem item, int size) => item.RequestCase switch
    {
        WorkItem.RequestOneofCase.ActivityRequest => hub.CompleteActivityTaskAsync(
            new ActivityResponse
            {
                InstanceId = item.ActivityRequest.OrchestrationInstance.InstanceId,
                TaskId = item.ActivityRequest.TaskId,
                CompletionToken = item.CompletionToken,
                FailureDetails = TooLarge($"The input of activity '{item.ActivityRequest.Name}'", size),
            },
            CancellationToken.None),
        WorkItem.RequestOneofCase.OrchestratorRequest => hub.CompleteOrchestratorTaskAsync(
            new OrchestratorResponse
            {
                InstanceId = item.OrchestratorRequest.InstanceId,
                CompletionToken = item.CompletionToken,
                Actions = { Failed(item.OrchestratorRequest, TooLarge("The history, with what is new in it,", size)) },
            },
            CancellationToken.None),
        _ => hub.CompleteEntityTaskAsync(
            new EntityBatchResult
            {
                CompletionToken = item.CompletionToken,
                EntityState = item.EntityRequestV2?.EntityState,
                Results =
                {
                    (item.EntityRequestV2?.OperationRequests ?? []).Select(_ => new OperationResult
                    {
                        Failure = new OperationResultFailure { FailureDetails = TooLarge("The state of the entity, with the operations,", size) },
                    }),
                },
            },
            CancellationToken.None),
    };

    private static OrchestratorAction Failed(OrchestratorRequest request, Failure failure) => new()
    {
        // Beyond every id of the execution.
        Id = request.PastEvents.Concat(request.NewEvents).Select(past => past.EventId).Append(-1).Max() + 1,
        CompleteOrchestration = new CompleteOrchestrationAction
        {
            OrchestrationStatus = OrchestrationStatus.Failed, Result = failure.ErrorMessage, FailureDetails = failure,
        },
    };

    private Failure TooLarge(string what, int size) => new()
    {
        ErrorType = "PayloadTooLarge",
        ErrorMessage = $"{what} has {size:N0} bytes, and this worker takes at most {largestMessage:N0} in one message. "
            + "Pass references instead of large values, continue as new earlier, or use a worker that streams history.",
        IsNonRetriable = true,
    };

    private async Task PingAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var timer = new PeriodicTimer(options.PingInterval, clock);
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                await WriteAsync(new WorkItem { HealthPing = new HealthPing() }, cancellationToken);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or InvalidOperationException or IOException)
        {
            // The stream is over; whoever reads the items sees it too.
        }
    }

    private async Task WriteAsync(WorkItem item, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await writer.WriteAsync(item, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }
}
