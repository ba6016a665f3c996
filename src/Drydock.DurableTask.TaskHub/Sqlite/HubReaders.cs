using System.Collections.Concurrent;
using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>Reads what is committed, on connections of its own, so that a reader neither waits for the writer nor holds it up.</summary>
internal sealed class HubReaders(HubDatabase database) : IHubReads, IDisposable
{
    private readonly ConcurrentBag<HubReader> _free = [];
    private volatile bool _closed;

    public ValueTask<OrchestrationState?> InstanceAsync(string id, bool values, CancellationToken cancellationToken) =>
        new(Read(reader => reader.Instance(id, values)));

    public ValueTask<(long Key, string ExecutionId, long Length)?> PlaceAsync(string id, CancellationToken cancellationToken) =>
        new(Read(reader => reader.Place(id)));

    public ValueTask<(HistoryChunk Chunk, long Next)> HistoryAsync(
        long key, string executionId, long from, long until, int bytes, CancellationToken cancellationToken) =>
        new(Read(reader => reader.History(key, executionId, from, until, bytes)));

    public ValueTask<List<(long Key, OrchestrationState State)>> QueryAsync(
        InstanceFilter filter, long after, int limit, bool values, CancellationToken cancellationToken) =>
        new(Read(reader => reader.Query(filter, after, limit, values)));

    public ValueTask<List<(string Id, int Count)>> KeptEventsAsync(DateTime before, int limit, CancellationToken cancellationToken) =>
        new(Read(reader => reader.KeptEvents(before, limit)));

    public ValueTask<List<OpenActivity>> ActivitiesAsync(string id, CancellationToken cancellationToken) => new(Read(reader => reader.Activities(id)));

    public ValueTask<EntityMetadata?> EntityAsync(string id, bool withState, CancellationToken cancellationToken) =>
        new(Read(reader => reader.Entity(id, withState)));

    public ValueTask<List<(long Key, EntityMetadata Entity)>> QueryEntitiesAsync(
        EntityQuery query, long after, int limit, CancellationToken cancellationToken) =>
        new(Read(reader => reader.QueryEntities(query, after, limit)));

    public void Dispose()
    {
        _closed = true;
        while (_free.TryTake(out var reader))
        {
            reader.Dispose();
        }
    }

    private T Read<T>(Func<HubReader, T> read)
    {
        if (!_free.TryTake(out var reader))
        {
            reader = new HubReader(database.OpenReader());
        }

        try
        {
            return read(reader);
        }
        finally
        {
            _free.Add(reader);
            if (_closed)
            {
                Dispose();
            }
        }
    }
}
