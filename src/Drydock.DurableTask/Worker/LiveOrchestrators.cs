using Drydock.DurableTask.Execution;
using Microsoft.Extensions.DependencyInjection;

namespace Drydock.DurableTask.Worker;

/// <summary>
/// Orchestrators that wait for their next turn, at most so many; the one that waited longest goes first. Each is given to one taker
/// only.
/// </summary>
internal sealed class LiveOrchestrators(int capacity)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<LiveOrchestrator>> _byInstance = new(StringComparer.Ordinal);
    private readonly LinkedList<LiveOrchestrator> _byAge = new();

    /// <summary>How many wait.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _byAge.Count;
            }
        }
    }

    /// <summary>Takes the orchestrator of an instance; null if there is none.</summary>
    public LiveOrchestrator? Take(string instanceId)
    {
        lock (_lock)
        {
            return _byInstance.Remove(instanceId, out var node) ? Unlink(node) : null;
        }
    }

    /// <summary>Keeps an orchestrator; whatever has no place any more is disposed.</summary>
    public async ValueTask KeepAsync(LiveOrchestrator orchestrator)
    {
        LiveOrchestrator? replaced;
        LiveOrchestrator? evicted = null;
        lock (_lock)
        {
            replaced = _byInstance.Remove(orchestrator.InstanceId, out var node) ? Unlink(node) : null;
            _byInstance.Add(orchestrator.InstanceId, _byAge.AddFirst(orchestrator));
            if (_byAge.Count > capacity)
            {
                evicted = Unlink(_byAge.Last!);
                _byInstance.Remove(evicted.InstanceId);
            }
        }

        await DisposeAsync(replaced);
        await DisposeAsync(evicted);
    }

    /// <summary>Forgets this very orchestrator, if it is still here.</summary>
    public async ValueTask DropAsync(LiveOrchestrator orchestrator)
    {
        bool found;
        lock (_lock)
        {
            found = _byInstance.TryGetValue(orchestrator.InstanceId, out var node) && node.Value == orchestrator;
            if (found)
            {
                _byInstance.Remove(orchestrator.InstanceId);
                Unlink(node!);
            }
        }

        if (found)
        {
            await orchestrator.DisposeAsync();
        }
    }

    private static ValueTask DisposeAsync(LiveOrchestrator? orchestrator) => orchestrator?.DisposeAsync() ?? ValueTask.CompletedTask;

    private LiveOrchestrator Unlink(LinkedListNode<LiveOrchestrator> node)
    {
        _byAge.Remove(node);
        return node.Value;
    }
}

/// <summary>An orchestrator between two turns, with what tells that history has not gone on without it.</summary>
internal sealed class LiveOrchestrator(
    string instanceId, string? executionId, OrchestrationExecutor executor, AsyncServiceScope scope) : IAsyncDisposable
{
    public string InstanceId { get; } = instanceId;

    public string? ExecutionId { get; } = executionId;

    public OrchestrationExecutor Executor { get; } = executor;

    /// <summary>Its spans.</summary>
    public OrchestrationTrace Trace { get; } = new();

    /// <summary>How many events of history it knows, but for the marks of turns that a hub may or may not write.</summary>
    public long HistoryLength { get; set; }

    /// <summary>The token of the last turn it took.</summary>
    public string LastTurn { get; set; } = string.Empty;

    /// <summary>
    /// Whether it may go on with a turn. That the hub names its last turn as the last committed one proves that its actions are in
    /// history.
    /// </summary>
    public bool Matches(HistoryPosition? position, string? executionId) =>
        position is not null
        && ExecutionId == executionId
        && LastTurn == position.LastTurn
        && (HistoryLength == position.Length || HistoryLength + 1 == position.Length);

    public ValueTask DisposeAsync() => scope.DisposeAsync();
}

/// <summary>Where the history of an instance ends, as the hub says to workers that keep orchestrators.</summary>
/// <param name="Length">How many events it has, without the turn in hand.</param>
/// <param name="LastTurn">The completion token of the last committed turn.</param>
internal sealed record HistoryPosition(long Length, string LastTurn)
{
    /// <summary>The property of an orchestrator request that has the length.</summary>
    public const string LengthProperty = "drydock.historyLength";

    /// <summary>The property of an orchestrator request that has the token.</summary>
    public const string LastTurnProperty = "drydock.lastTurn";

    /// <summary>Reads the position; null if the hub does not say it.</summary>
    public static HistoryPosition? Of(Protobuf.OrchestratorRequest request) =>
        request.Properties.TryGetValue(LengthProperty, out var length) && request.Properties.TryGetValue(LastTurnProperty, out var turn)
            ? new HistoryPosition((long)length.NumberValue, turn.StringValue)
            : null;
}
