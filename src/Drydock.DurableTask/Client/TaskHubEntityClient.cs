using Drydock.DurableTask.Client.Entities;
using Drydock.DurableTask.Entities;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.DurableTask.Client;

/// <summary>Entities over a task hub.</summary>
internal sealed class TaskHubEntityClient(string name, ITaskHub hub, DataConverter converter, TimeProvider clock) : DurableEntityClient(name)
{
    public override Task SignalEntityAsync(
        EntityInstanceId id,
        string operationName,
        object? input = null,
        SignalEntityOptions? options = null,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(operationName);
        var request = new Protobuf.SignalEntityRequest
        {
            InstanceId = id.ToString(),
            Name = operationName,
            Input = converter.Serialize(input),
            RequestId = Guid.NewGuid().ToString(),
            ScheduledTime = options?.SignalTime?.ToTimestamp(),
            RequestTime = clock.GetUtcNow().ToTimestamp(),
        };
        return hub.SignalEntityAsync(request, cancellation);
    }

    public override async Task<EntityMetadata<T>?> GetEntityAsync<T>(
        EntityInstanceId id, bool includeState = true, CancellationToken cancellation = default) =>
        await ReadAsync(id, includeState, cancellation) is { } entity ? Typed<T>(entity) : null;

    public override async Task<EntityMetadata?> GetEntityAsync(
        EntityInstanceId id, bool includeState = true, CancellationToken cancellation = default) =>
        await ReadAsync(id, includeState, cancellation) is { } entity ? Untyped(entity) : null;

    public override AsyncPageable<EntityMetadata> GetAllEntitiesAsync(EntityQuery? filter = null) => Pages(filter, Untyped);

    public override AsyncPageable<EntityMetadata<T>> GetAllEntitiesAsync<T>(EntityQuery? filter = null) => Pages(filter, Typed<T>);

    public override async Task<CleanEntityStorageResult> CleanEntityStorageAsync(
        CleanEntityStorageRequest? request = null, bool continueUntilComplete = true, CancellationToken cancellation = default)
    {
        var wanted = request ?? CleanEntityStorageRequest.Default;
        var result = new CleanEntityStorageResult { ContinuationToken = wanted.ContinuationToken };
        do
        {
            var response = await hub.CleanEntityStorageAsync(
                new Protobuf.CleanEntityStorageRequest
                {
                    RemoveEmptyEntities = wanted.RemoveEmptyEntities,
                    ReleaseOrphanedLocks = wanted.ReleaseOrphanedLocks,
                    ContinuationToken = result.ContinuationToken,
                },
                cancellation);
            result = new CleanEntityStorageResult
            {
                EmptyEntitiesRemoved = result.EmptyEntitiesRemoved + response.EmptyEntitiesRemoved,
                OrphanedLocksReleased = result.OrphanedLocksReleased + response.OrphanedLocksReleased,
                ContinuationToken = response.ContinuationToken,
            };
        }
        while (continueUntilComplete && result.ContinuationToken is not null);
        return result;
    }

    private async Task<Protobuf.EntityMetadata?> ReadAsync(EntityInstanceId id, bool includeState, CancellationToken cancellation)
    {
        var request = new Protobuf.GetEntityRequest { InstanceId = id.ToString(), IncludeState = includeState };
        var response = await hub.GetEntityAsync(request, cancellation);
        return response.Exists ? response.Entity : null;
    }

    private AsyncPageable<T> Pages<T>(EntityQuery? filter, Func<Protobuf.EntityMetadata, T> read)
        where T : notnull
    {
        var query = filter ?? new EntityQuery();
        return Pageable.Create(async (token, pageSize, cancellation) =>
        {
            var wanted = new Protobuf.EntityQuery
            {
                InstanceIdStartsWith = query.InstanceIdStartsWith,
                LastModifiedFrom = query.LastModifiedFrom?.ToTimestamp(),
                LastModifiedTo = query.LastModifiedTo?.ToTimestamp(),
                IncludeState = query.IncludeState,
                IncludeTransient = query.IncludeTransient,
                PageSize = pageSize ?? query.PageSize,
                ContinuationToken = token ?? query.ContinuationToken,
            };
            var response = await hub.QueryEntitiesAsync(new Protobuf.QueryEntitiesRequest { Query = wanted }, cancellation);
            return new Page<T>([.. response.Entities.Select(read)], response.ContinuationToken);
        });
    }

    private EntityMetadata Untyped(Protobuf.EntityMetadata entity) =>
        new(EntityInstanceId.FromString(entity.InstanceId), entity.SerializedState is { } text ? new SerializedData(text, converter) : null)
        {
            LastModifiedTime = entity.LastModifiedTime.ToDateTimeOffset(), BacklogQueueSize = entity.BacklogQueueSize, LockedBy = entity.LockedBy,
        };

    private EntityMetadata<T> Typed<T>(Protobuf.EntityMetadata entity)
    {
        var id = EntityInstanceId.FromString(entity.InstanceId);
        return entity.SerializedState is { } text
            ? new EntityMetadata<T>(id, converter.Deserialize<T>(text))
            {
                LastModifiedTime = entity.LastModifiedTime.ToDateTimeOffset(), BacklogQueueSize = entity.BacklogQueueSize, LockedBy = entity.LockedBy,
            }
            : new EntityMetadata<T>(id)
            {
                LastModifiedTime = entity.LastModifiedTime.ToDateTimeOffset(), BacklogQueueSize = entity.BacklogQueueSize, LockedBy = entity.LockedBy,
            };
    }
}
