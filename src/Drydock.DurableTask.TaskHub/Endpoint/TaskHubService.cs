using System.Globalization;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Remote;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary><c>TaskHubSidecarService</c> for any Durable Task SDK, on the hub that the header <c>taskhub</c> names.</summary>
internal sealed partial class TaskHubService(
    TaskHubDirectory hubs, TaskHubServerOptions options, Deliveries deliveries, TimeProvider clock, ILogger<TaskHubService> logger)
    : TaskHubSidecarService.TaskHubSidecarServiceBase
{
    private static readonly CompleteTaskResponse _completed = new();

    public override Task<Empty> Hello(Empty request, ServerCallContext context) => CallAsync(context, async (hub, token) =>
    {
        await hub.HelloAsync(token);
        return new Empty();
    });

    public override async Task GetWorkItems(GetWorkItemsRequest request, IServerStreamWriter<WorkItem> responseStream, ServerCallContext context)
    {
        var name = context.RequestHeaders.GetValue(HubConnection.TaskHubHeader) ?? TaskHubDirectory.DefaultName;
        var worker = context.RequestHeaders.GetValue("workerid") ?? context.Peer;
        var hub = await HubAsync(context);
        var keeps = context.RequestHeaders.GetValue(HubConnection.KeepsOrchestratorsHeader) is not null;
        Log.WorkerCame(logger, worker, name);
        try
        {
            using var stream = new WorkItemStream(hub, responseStream, LargestMessage(context), options, deliveries, clock, logger);
            await stream.RunAsync(request, keeps, context.CancellationToken);
        }
        finally
        {
            Log.WorkerLeft(logger, worker, name);
        }
    }

    public override Task<CompleteTaskResponse> CompleteOrchestratorTask(OrchestratorResponse request, ServerCallContext context) =>
        AnswerAsync(context, request.CompletionToken, IsLast(request), (hub, token) => hub.CompleteOrchestratorTaskAsync(request, token));

    public override Task<CompleteTaskResponse> CompleteActivityTask(ActivityResponse request, ServerCallContext context) =>
        AnswerAsync(context, request.CompletionToken, ends: true, (hub, token) => hub.CompleteActivityTaskAsync(request, token));

    public override Task<CompleteTaskResponse> CompleteEntityTask(EntityBatchResult request, ServerCallContext context) =>
        AnswerAsync(context, request.CompletionToken, ends: true, (hub, token) => hub.CompleteEntityTaskAsync(request, token));

    public override async Task<AbandonOrchestrationTaskResponse> AbandonTaskOrchestratorWorkItem(
        AbandonOrchestrationTaskRequest request, ServerCallContext context)
    {
        await AnswerAsync(context, request.CompletionToken, ends: true, (hub, token) => hub.AbandonOrchestratorTaskAsync(request, token));
        return new AbandonOrchestrationTaskResponse();
    }

    public override async Task<AbandonActivityTaskResponse> AbandonTaskActivityWorkItem(AbandonActivityTaskRequest request, ServerCallContext context)
    {
        await AnswerAsync(context, request.CompletionToken, ends: true, (hub, token) => hub.AbandonActivityTaskAsync(request, token));
        return new AbandonActivityTaskResponse();
    }

    public override async Task<AbandonEntityTaskResponse> AbandonTaskEntityWorkItem(AbandonEntityTaskRequest request, ServerCallContext context)
    {
        await AnswerAsync(context, request.CompletionToken, ends: true, (hub, token) => hub.AbandonEntityTaskAsync(request, token));
        return new AbandonEntityTaskResponse();
    }

    public override async Task StreamInstanceHistory(
        StreamInstanceHistoryRequest request, IServerStreamWriter<HistoryChunk> responseStream, ServerCallContext context)
    {
        var hub = await HubAsync(context);
        await foreach (var chunk in hub.StreamInstanceHistoryAsync(request, context.CancellationToken))
        {
            await responseStream.WriteAsync(Sized(chunk, context), context.CancellationToken);
        }
    }

    public override async Task<CreateTaskHubResponse> CreateTaskHub(CreateTaskHubRequest request, ServerCallContext context)
    {
        var name = context.RequestHeaders.GetValue(HubConnection.TaskHubHeader);
        if (request.RecreateIfExists)
        {
            await DeleteAsync(name, context.CancellationToken);
        }

        await hubs.GetAsync(name, context.CancellationToken);
        return new CreateTaskHubResponse();
    }

    public override async Task<DeleteTaskHubResponse> DeleteTaskHub(DeleteTaskHubRequest request, ServerCallContext context)
    {
        await DeleteAsync(context.RequestHeaders.GetValue(HubConnection.TaskHubHeader), context.CancellationToken);
        return new DeleteTaskHubResponse();
    }

    private static bool IsLast(OrchestratorResponse response)
    {
#pragma warning disable CS0612 // Chunked completions are deprecated in the protocol, and still sent.
        return !response.IsPartial;
#pragma warning restore CS0612
    }

    private ValueTask<ITaskHub> HubAsync(ServerCallContext context) =>
        hubs.GetAsync(context.RequestHeaders.GetValue(HubConnection.TaskHubHeader), context.CancellationToken);

    private async Task<T> CallAsync<T>(ServerCallContext context, Func<ITaskHub, CancellationToken, Task<T>> call)
        where T : IMessage
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, deliveries.Ended);
        try
        {
            return Sized(await call(await HubAsync(context), end.Token), context);
        }
        catch (OperationCanceledException) when (deliveries.Ended.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            throw new TaskHubException(StatusCode.Unavailable, "The task hub stops; ask again when it is back.");
        }
    }

    private async Task<CompleteTaskResponse> AnswerAsync(
        ServerCallContext context, string completionToken, bool ends, Func<ITaskHub, CancellationToken, Task> answer)
    {
        if (completionToken.Length == 0)
        {
            throw new TaskHubException(
                StatusCode.NotFound, "The answer has no completion token; send back the one of the work item (field completionToken).");
        }

        // Not the caller's token: an answer that has arrived counts, whether or not its sender waits for the commit.
        await answer(await HubAsync(context), CancellationToken.None);
        if (ends)
        {
            deliveries.Remove(completionToken);
        }

        return _completed;
    }

    private async Task DeleteAsync(string? name, CancellationToken cancellationToken)
    {
        if (!options.AllowHubDeletion)
        {
            throw new TaskHubException(
                StatusCode.FailedPrecondition, "This server does not delete task hubs; start it with --allow-hub-deletion if it may.");
        }

        await hubs.DeleteAsync(name, cancellationToken);
    }

    /// <summary>What callers take: what they say, else what SDKs take by default.</summary>
    private int LargestMessage(ServerCallContext context) =>
        int.TryParse(context.RequestHeaders.GetValue(HubConnection.LargestMessageHeader), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
            ? bytes
            : options.LargestMessage;

    private T Sized<T>(T message, ServerCallContext context)
        where T : IMessage => message.CalculateSize() is var size && size > LargestMessage(context)
            ? throw new TaskHubException(
                StatusCode.ResourceExhausted,
                $"The answer has {size:N0} bytes, and the caller takes at most {LargestMessage(context):N0}. Ask for fewer instances at once, or without inputs and outputs.")
            : message;
}
