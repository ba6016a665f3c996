using System.Runtime.CompilerServices;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Grpc.Core;

namespace Drydock.DurableTask.TaskHub;

/// <summary>What workers use.</summary>
public abstract partial class EmbeddedTaskHub
{
    private const int ChunkBytes = 256 * 1024;

    /// <inheritdoc/>
    public Task HelloAsync(CancellationToken cancellationToken) => Loop.RunAsync(_ => true, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<WorkItem> GetWorkItemsAsync(
        GetWorkItemsRequest request, bool keepsOrchestrators, CancellationToken cancellationToken) =>
        ReadAsync(new WorkStream(request, keepsOrchestrators), cancellationToken);

    /// <inheritdoc/>
    IAsyncEnumerable<WorkItem> ISpeculativeTaskHub.GetSpeculativeWorkItemsAsync(GetWorkItemsRequest request, CancellationToken cancellationToken) =>
        ReadAsync(new WorkStream(request, keepsOrchestrators: true) { Speculates = true }, cancellationToken);

    private async IAsyncEnumerable<WorkItem> ReadAsync(WorkStream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var loop = Loop;
        await loop.RunAsync(
            _ =>
            {
                loop.Dispatcher.Open(stream);
                return true;
            },
            cancellationToken);
        try
        {
            await foreach (var item in stream.Items.Reader.ReadAllAsync(cancellationToken))
            {
                yield return item;
            }
        }
        finally
        {
            await CloseAsync(loop, stream);
        }
    }

    /// <inheritdoc/>
    public Task CompleteOrchestratorTaskAsync(OrchestratorResponse response, CancellationToken cancellationToken)
    {
        var loop = Loop;
#pragma warning disable CS0612 // Chunked completions are deprecated in the protocol, and still sent.
        var isPartial = response.IsPartial;
#pragma warning restore CS0612
        if (isPartial)
        {
            return loop.RunAsync(
                _ =>
                {
                    AddChunk(loop.Dispatcher.Held(response.CompletionToken), response);
                    return true;
                },
                cancellationToken);
        }

        return loop.EndAsync(
            response.CompletionToken, (state, handOut) => state.CommitTurn(handOut, Whole(handOut.Partial, response)), cancellationToken);
    }

    /// <inheritdoc/>
    public Task CompleteActivityTaskAsync(ActivityResponse response, CancellationToken cancellationToken) => Loop.EndAsync(
        response.CompletionToken, (state, handOut) => state.CompleteActivity(handOut, response), cancellationToken);

    /// <inheritdoc/>
    public Task AbandonOrchestratorTaskAsync(AbandonOrchestrationTaskRequest request, CancellationToken cancellationToken) =>
        AbandonAsync(request.CompletionToken, cancellationToken);

    /// <inheritdoc/>
    public Task AbandonActivityTaskAsync(AbandonActivityTaskRequest request, CancellationToken cancellationToken) =>
        AbandonAsync(request.CompletionToken, cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<HistoryChunk> StreamInstanceHistoryAsync(
        StreamInstanceHistoryRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reads = Reads;
        // The turn in hand is not stored before it is committed, so what is stored is the past in both cases.
        if (await reads.PlaceAsync(request.InstanceId, cancellationToken) is not { } place)
        {
            throw new TaskHubException(StatusCode.NotFound, $"There is no orchestration with the id '{request.InstanceId}'.");
        }

        if (!string.IsNullOrEmpty(request.ExecutionId) && request.ExecutionId != place.ExecutionId)
        {
            throw new TaskHubException(
                StatusCode.NotFound, $"The execution '{request.ExecutionId}' of '{request.InstanceId}' has ended; its history is gone.");
        }

        long next = 0;
        while (next < place.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (var chunk, next) = await reads.HistoryAsync(place.Key, place.ExecutionId, next, place.Length, ChunkBytes, cancellationToken);
            if (chunk.Events.Count == 0)
            {
                throw new TaskHubException(
                    StatusCode.NotFound, $"The execution '{place.ExecutionId}' of '{request.InstanceId}' ended while its history was read.");
            }

            foreach (var part in Split(chunk))
            {
                yield return part;
            }

            await Task.Yield();
        }
    }

    /// <summary>One turn is stored as one row and may be larger than a message may be.</summary>
    private static IEnumerable<HistoryChunk> Split(HistoryChunk chunk)
    {
        var part = new HistoryChunk();
        var bytes = 0;
        foreach (var historyEvent in chunk.Events)
        {
            part.Events.Add(historyEvent);
            bytes += historyEvent.CalculateSize();
            if (bytes >= ChunkBytes)
            {
                yield return part;
                part = new HistoryChunk();
                bytes = 0;
            }
        }

        if (part.Events.Count > 0)
        {
            yield return part;
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<string> WatchLostActivitiesAsync(CancellationToken cancellationToken) =>
        Loop.Dispatcher.LostActivities.WatchAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<bool> HeartbeatActivityAsync(string completionToken, string? progress, CancellationToken cancellationToken)
    {
        var loop = Loop;
        return loop.RunAsync(_ => loop.Dispatcher.Heartbeat(completionToken, progress), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<OpenActivity>> GetOpenActivitiesAsync(string instanceId, CancellationToken cancellationToken) =>
        await Reads.ActivitiesAsync(instanceId, cancellationToken);

    private Task AbandonAsync(string token, CancellationToken cancellationToken)
    {
        var loop = Loop;
        return loop.RunAsync(
            _ =>
            {
                loop.Dispatcher.Abandon(token);
                return true;
            },
            cancellationToken);
    }

    private static async Task CloseAsync(IHubLoop loop, WorkStream stream)
    {
        try
        {
            await loop.RunAsync(
                _ =>
                {
                    loop.Dispatcher.Close(stream);
                    return true;
                },
                CancellationToken.None);
        }
        catch (TaskHubException e) when (e.Status == StatusCode.Unavailable)
        {
            // The hub is closed, and with it all its streams.
        }
    }

    /// <summary>A worker that did not hear the answer to a chunk sends it again, or begins again with the first.</summary>
    private static void AddChunk(HandOut handOut, OrchestratorResponse chunk)
    {
#pragma warning disable CS0612 // See above.
        if (handOut.Partial is not { } earlier || chunk.ChunkIndex == 0)
        {
            handOut.Partial = chunk.Clone();
            return;
        }

        if (chunk.ChunkIndex is null || chunk.ChunkIndex > earlier.ChunkIndex)
        {
            earlier.ChunkIndex = chunk.ChunkIndex;
            earlier.Actions.Add(chunk.Actions);
        }
#pragma warning restore CS0612
    }

    private static OrchestratorResponse Whole(OrchestratorResponse? first, OrchestratorResponse last)
    {
#pragma warning disable CS0612 // See above.
        if (first is null || last.ChunkIndex == 0)
#pragma warning restore CS0612
        {
            return last;
        }

        var whole = first.Clone();
        whole.Actions.Add(last.Actions);
        whole.CustomStatus = last.CustomStatus;
        return whole;
    }
}
