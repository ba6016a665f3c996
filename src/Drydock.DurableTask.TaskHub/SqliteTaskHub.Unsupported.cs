using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub;

/// <summary>What this hub does not do yet.</summary>
public sealed partial class SqliteTaskHub
{
    private const string Entities = "Entities are not supported by this task hub yet.";

    /// <inheritdoc/>
    public Task CompleteEntityTaskAsync(EntityBatchResult result, CancellationToken cancellationToken) =>
        throw new NotSupportedException(Entities);

    /// <inheritdoc/>
    public Task AbandonEntityTaskAsync(AbandonEntityTaskRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException(Entities);

    /// <inheritdoc/>
    public Task<SignalEntityResponse> SignalEntityAsync(SignalEntityRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException(Entities);

    /// <inheritdoc/>
    public Task<GetEntityResponse> GetEntityAsync(GetEntityRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException(Entities);

    /// <inheritdoc/>
    public Task<QueryEntitiesResponse> QueryEntitiesAsync(QueryEntitiesRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException(Entities);

    /// <inheritdoc/>
    public Task<CleanEntityStorageResponse> CleanEntityStorageAsync(
        CleanEntityStorageRequest request, CancellationToken cancellationToken) => throw new NotSupportedException(Entities);
}
