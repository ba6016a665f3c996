using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.Worker;

/// <summary>
/// Takes turns of orchestrations: with the orchestrator that took the turn before, if it is still here and nothing happened without
/// it, otherwise with a new one that replays the history.
/// </summary>
internal sealed class OrchestrationTurns(
    ITaskHub hub,
    DurableTaskFactory factory,
    IServiceScopeFactory scopes,
    TaskHubWorkerOptions options,
    HubCalls calls,
    ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger<OrchestrationTurns>();

    /// <summary>The orchestrators between two turns.</summary>
    public LiveOrchestrators Live { get; } = new(options.MaximumLiveOrchestrators);

    private bool KeepsOrchestrators => options.MaximumLiveOrchestrators > 0;

    /// <summary>Takes a turn; returns when the hub has committed it, or has the item back.</summary>
    /// <param name="request">The turn.</param>
    /// <param name="completionToken">The token of the item.</param>
    /// <param name="ended">The worker does not wait any longer.</param>
    public async Task RunAsync(OrchestratorRequest request, string completionToken, CancellationToken ended)
    {
        LiveOrchestrator? orchestrator = null;
        var kept = false;
        var committed = false;
        try
        {
            orchestrator = await TakeAsync(request);
            var turn = orchestrator is null
                ? await ReplayAsync(request, replayed => orchestrator = replayed, ended)
                : await ContinueAsync(orchestrator, request, ended);
            if (turn is null)
            {
                await AbandonAsync(completionToken);
                return;
            }

            // Before it is kept: then it may be in another turn's hands.
            var spans = orchestrator?.Trace.Take(request, turn) ?? [];
            kept = await KeepAsync(orchestrator, request, turn, completionToken);
            await calls.CallAsync(token => hub.CompleteOrchestratorTaskAsync(Answer(request, turn, completionToken), token), ended);
            committed = true;
            foreach (var emit in spans)
            {
                emit();
            }
        }
        catch (TaskHubException refusal) when (refusal.Status == StatusCode.NotFound)
        {
            Log.TurnStale(_logger, request.InstanceId);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            await AbandonAsync(completionToken);
        }
        catch (Exception exception)
        {
            Log.ItemFailed(_logger, exception, "orchestration", request.InstanceId);
            await AbandonAsync(completionToken);
        }
        finally
        {
            // One that was kept may be in another turn's hands by now: that turn proved that this one was committed.
            if (orchestrator is not null && kept && !committed)
            {
                await Live.DropAsync(orchestrator);
            }
            else if (orchestrator is not null && !kept)
            {
                await orchestrator.DisposeAsync();
            }
        }
    }

    private static OrchestratorResponse Answer(OrchestratorRequest request, OrchestrationTurn turn, string completionToken)
    {
        var response = new OrchestratorResponse
        {
            InstanceId = request.InstanceId,
            CustomStatus = turn.CustomStatus,
            CompletionToken = completionToken,
            OrchestrationTraceContext = request.OrchestrationTraceContext,
        };
        response.Actions.Add(turn.Actions);
        return response;
    }

    /// <summary>Takes the live orchestrator of an instance, if it can go on from where history is.</summary>
    private async ValueTask<LiveOrchestrator?> TakeAsync(OrchestratorRequest request)
    {
        if (Live.Take(request.InstanceId) is not { } orchestrator)
        {
            return null;
        }

        if (orchestrator.Matches(HistoryPosition.Of(request), request.ExecutionId))
        {
            return orchestrator;
        }

        await orchestrator.DisposeAsync();
        return null;
    }

    /// <summary>
    /// Keeps the orchestrator before the turn is committed: the next turn may arrive before the answer to this one, and names this
    /// one's token only if it was committed.
    /// </summary>
    private async ValueTask<bool> KeepAsync(
        LiveOrchestrator? orchestrator, OrchestratorRequest request, OrchestrationTurn turn, string completionToken)
    {
        if (orchestrator is null || !KeepsOrchestrators || orchestrator.Executor.IsFinished || turn.Completion is not null)
        {
            return false;
        }

        orchestrator.HistoryLength += request.NewEvents.Count + turn.Actions.Count;
        orchestrator.LastTurn = completionToken;
        await Live.KeepAsync(orchestrator);
        return true;
    }

    private async Task<OrchestrationTurn> ContinueAsync(
        LiveOrchestrator orchestrator, OrchestratorRequest request, CancellationToken ended)
    {
        orchestrator.HistoryLength = HistoryPosition.Of(request)!.Length;
        var turn = orchestrator.Executor.Run(request.NewEvents);
        if (!options.CompareWithReplay)
        {
            return turn;
        }

        LiveOrchestrator? replayed = null;
        var other = await ReplayAsync(request, created => replayed = created, ended);
        await (replayed?.DisposeAsync() ?? ValueTask.CompletedTask);
        return other is not null && TurnComparison.Difference(turn, other) is { } difference
            ? Failed("ReplayMismatch", $"The live orchestrator and a replay of its history differ: {difference}", turn.CustomStatus)
            : turn;
    }

    /// <summary>Makes an orchestrator from history and takes the turn; null if another worker should.</summary>
    private async Task<OrchestrationTurn?> ReplayAsync(
        OrchestratorRequest request, Action<LiveOrchestrator> created, CancellationToken ended)
    {
        var past = request.RequiresHistoryStreaming ? await ReadHistoryAsync(request, ended) : [.. request.PastEvents];
        var started = past.Concat(request.NewEvents).Select(static item => item.ExecutionStarted).FirstOrDefault(static start => start is not null);
        if (VersionRule.Objection(options.Versioning, started?.Version) is { } objection && started is not null)
        {
            Log.VersionRefused(_logger, started.Name, request.InstanceId, objection);
            return options.Versioning!.FailureStrategy == DurableTaskWorkerOptions.VersionFailureStrategy.Fail
                ? Failed(VersionRule.ErrorType, objection, customStatus: null)
                : null;
        }

        var scope = scopes.CreateAsyncScope();
        var executor = new OrchestrationExecutor(
            (name, version) => factory.TryCreateOrchestrator(name, version, scope.ServiceProvider, out var found) ? found : null,
            options,
            loggers);
        var orchestrator = new LiveOrchestrator(request.InstanceId, request.ExecutionId, executor, scope) { HistoryLength = past.Count };
        orchestrator.Trace.Observe(past);
        created(orchestrator);
        return executor.Run(past, request.NewEvents);
    }

    private async Task<List<HistoryEvent>> ReadHistoryAsync(OrchestratorRequest request, CancellationToken ended)
    {
        var wanted = new StreamInstanceHistoryRequest
        {
            InstanceId = request.InstanceId,
            ExecutionId = request.ExecutionId,
            ForWorkItemProcessing = true,
        };
        List<HistoryEvent> events = [];
        await foreach (var chunk in hub.StreamInstanceHistoryAsync(wanted, ended))
        {
            events.AddRange(chunk.Events);
        }

        return events;
    }

    private static OrchestrationTurn Failed(string errorType, string message, string? customStatus) =>
        new([Actions.Failed(errorType, message)], customStatus);

    private Task AbandonAsync(string completionToken) => calls.AbandonAsync(
        token => hub.AbandonOrchestratorTaskAsync(new AbandonOrchestrationTaskRequest { CompletionToken = completionToken }, token),
        CancellationToken.None);
}
