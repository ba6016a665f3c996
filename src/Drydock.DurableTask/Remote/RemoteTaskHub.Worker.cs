using System.Runtime.CompilerServices;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Drydock.DurableTask.Remote;

/// <summary>What workers use.</summary>
public sealed partial class RemoteTaskHub
{
    /// <inheritdoc/>
    public Task HelloAsync(CancellationToken cancellationToken) => CallAsync(
        Connection.Hub.HelloAsync(new Empty(), deadline: _clock.GetUtcNow().UtcDateTime + _options.HelloTimeout, cancellationToken: cancellationToken),
        cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<WorkItem> GetWorkItemsAsync(
        GetWorkItemsRequest request, bool keepsOrchestrators, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var headers = new Metadata();
        if (keepsOrchestrators)
        {
            headers.Add(HubConnection.KeepsOrchestratorsHeader, "1");
        }

        var any = false;
        try
        {
            using var call = Connection.Hub.GetWorkItems(request, headers, cancellationToken: cancellationToken);
            while (await NextAsync(call.ResponseStream, cancellationToken))
            {
                any = true;
                if (call.ResponseStream.Current is { HealthPing: null } item)
                {
                    yield return item;
                }
            }
        }
        finally
        {
            StreamEnded(any || cancellationToken.IsCancellationRequested);
        }
    }

    /// <inheritdoc/>
    public async Task CompleteOrchestratorTaskAsync(OrchestratorResponse response, CancellationToken cancellationToken)
    {
        foreach (var part in ResponseChunks.Of(response, _options.MaximumSentBytes))
        {
            await CallAsync(Connection.Hub.CompleteOrchestratorTaskAsync(part, cancellationToken: cancellationToken), cancellationToken);
        }
    }

    /// <inheritdoc/>
    public Task CompleteActivityTaskAsync(ActivityResponse response, CancellationToken cancellationToken)
    {
        if (response.CalculateSize() <= _options.MaximumSentBytes)
        {
            return CallAsync(Connection.Hub.CompleteActivityTaskAsync(response, cancellationToken: cancellationToken), cancellationToken);
        }

        // The hub would refuse it for ever: the orchestration is told instead.
        var failed = new ActivityResponse
        {
            InstanceId = response.InstanceId,
            TaskId = response.TaskId,
            CompletionToken = response.CompletionToken,
            FailureDetails = ResponseChunks.TooLarge("The result of the activity", response.CalculateSize(), _options.MaximumSentBytes),
        };
        return CallAsync(Connection.Hub.CompleteActivityTaskAsync(failed, cancellationToken: cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public Task CompleteEntityTaskAsync(EntityBatchResult result, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.CompleteEntityTaskAsync(result, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task AbandonOrchestratorTaskAsync(AbandonOrchestrationTaskRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.AbandonTaskOrchestratorWorkItemAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task AbandonActivityTaskAsync(AbandonActivityTaskRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.AbandonTaskActivityWorkItemAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task AbandonEntityTaskAsync(AbandonEntityTaskRequest request, CancellationToken cancellationToken) =>
        CallAsync(Connection.Hub.AbandonTaskEntityWorkItemAsync(request, cancellationToken: cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<HistoryChunk> StreamInstanceHistoryAsync(
        StreamInstanceHistoryRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var call = Connection.Hub.StreamInstanceHistory(request, cancellationToken: cancellationToken);
        while (await MoveAsync(call.ResponseStream, cancellationToken))
        {
            yield return call.ResponseStream.Current;
        }
    }

    /// <summary>The next message, or an end; a stream that says nothing for too long is a connection that is half open.</summary>
    private async Task<bool> NextAsync(IAsyncStreamReader<WorkItem> stream, CancellationToken cancellationToken)
    {
        try
        {
            return await MoveAsync(stream, cancellationToken).WaitAsync(_options.Silence, _clock, cancellationToken);
        }
        catch (TimeoutException exception)
        {
            throw new TaskHubException(
                StatusCode.Unavailable,
                $"The task hub at {_options.Address.Endpoint} said nothing for {_options.Silence.TotalSeconds:0} s, not even a health ping.",
                exception);
        }
    }
}
