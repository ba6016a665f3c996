using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask;

/// <summary>
/// A hub in the same process that hands out a turn before what caused it is on disk, so that both share one commit. Only for a worker
/// whose turns have no effect outside: if that commit fails, the answer to such a turn is refused as stale and nothing of it happened.
/// Activities and entities are never handed out before their commit.
/// </summary>
internal interface ISpeculativeTaskHub
{
    /// <summary>As <see cref="ITaskHub.GetWorkItemsAsync"/>, for a worker that keeps live orchestrators.</summary>
    IAsyncEnumerable<WorkItem> GetSpeculativeWorkItemsAsync(GetWorkItemsRequest request, CancellationToken cancellationToken);
}
