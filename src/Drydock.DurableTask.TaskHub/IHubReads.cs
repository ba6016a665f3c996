using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub;

/// <summary>Reads what is committed; neither waits for who writes nor holds it up.</summary>
internal interface IHubReads
{
    ValueTask<OrchestrationState?> InstanceAsync(string id, bool values, CancellationToken cancellationToken);

    /// <summary>Which execution an instance is in, and how long its history is.</summary>
    ValueTask<(long Key, string ExecutionId, long Length)?> PlaceAsync(string id, CancellationToken cancellationToken);

    /// <summary>About <paramref name="bytes"/> of history from an event on; nothing if the execution has ended or gone.</summary>
    ValueTask<(HistoryChunk Chunk, long Next)> HistoryAsync(
        long key, string executionId, long from, long until, int bytes, CancellationToken cancellationToken);

    /// <summary>The instances that a filter lets through, in the order in which they were created, after a key.</summary>
    ValueTask<List<(long Key, OrchestrationState State)>> QueryAsync(
        InstanceFilter filter, long after, int limit, bool values, CancellationToken cancellationToken);

    /// <summary>Ids that no instance has, for which events are kept that all came before a moment, and how many.</summary>
    ValueTask<List<(string Id, int Count)>> KeptEventsAsync(DateTime before, int limit, CancellationToken cancellationToken);

    /// <summary>The activities of an instance that have no result yet, in the order in which they were scheduled.</summary>
    ValueTask<List<OpenActivity>> ActivitiesAsync(string id, CancellationToken cancellationToken);

    /// <summary>An entity that has a state; without one it is as if it were not there.</summary>
    ValueTask<EntityMetadata?> EntityAsync(string id, bool withState, CancellationToken cancellationToken);

    /// <summary>The entities that a query lets through, in the order in which they were created, after a key.</summary>
    ValueTask<List<(long Key, EntityMetadata Entity)>> QueryEntitiesAsync(
        EntityQuery query, long after, int limit, CancellationToken cancellationToken);
}
