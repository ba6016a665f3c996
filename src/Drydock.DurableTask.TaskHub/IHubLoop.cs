using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.State;

namespace Drydock.DurableTask.TaskHub;

/// <summary>What runs the decisions of a hub, one after the other, and makes them durable.</summary>
internal interface IHubLoop
{
    /// <summary>Who holds what. Only for commands, which run on the hub's thread.</summary>
    Dispatcher Dispatcher { get; }

    /// <summary>Which instances changed.</summary>
    ChangeFeed Feed { get; }

    /// <summary>Completes when what the command wrote is durable.</summary>
    /// <param name="touched">The instances that the command is about, as far as they are known before.</param>
    /// <param name="apply">The command.</param>
    /// <param name="cancellationToken">Ends the wait, not the command.</param>
    Task<T> WriteAsync<T>(IReadOnlyList<string> touched, Func<HubState, T> apply, CancellationToken cancellationToken);

    /// <summary>Writes what became of an item in hand; completes when it is durable.</summary>
    /// <exception cref="TaskHubException"><c>NotFound</c>: the item is not in hand any more; nothing was written.</exception>
    Task EndAsync(string completionToken, Action<HubState, HandOut> apply, CancellationToken cancellationToken);

    /// <summary>Runs something that writes nothing, after the transaction that is on its way.</summary>
    Task<T> RunAsync<T>(Func<HubState, T> apply, CancellationToken cancellationToken);

    /// <summary>Completes when the instance exists and is, or just now was, as wanted.</summary>
    Task ReachedAsync(string instanceId, Func<Protobuf.OrchestrationStatus, bool> isReached, CancellationToken cancellationToken);

    /// <summary>What is in the hub just now.</summary>
    Task<TaskHubCounts> CountAsync(CancellationToken cancellationToken);

    /// <summary>Completes when there is nothing ready, nothing handed out and nothing on its way to disk.</summary>
    Task<DateTimeOffset?> WhenIdleAsync(CancellationToken cancellationToken);
}
