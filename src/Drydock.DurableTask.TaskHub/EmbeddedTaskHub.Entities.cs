using System.Globalization;
using Drydock.DurableTask.Protobuf;
using Grpc.Core;

namespace Drydock.DurableTask.TaskHub;

/// <summary>Entities.</summary>
public abstract partial class EmbeddedTaskHub
{
    /// <inheritdoc/>
    public Task CompleteEntityTaskAsync(EntityBatchResult result, CancellationToken cancellationToken) =>
        // The batch as a whole failed, and with it nothing happened: it is tried again.
        result.FailureDetails is not null
            ? AbandonAsync(result.CompletionToken, cancellationToken)
            : Loop.EndAsync(result.CompletionToken, (state, handOut) => state.CompleteEntity(handOut, result), cancellationToken);

    /// <inheritdoc/>
    public Task AbandonEntityTaskAsync(AbandonEntityTaskRequest request, CancellationToken cancellationToken) =>
        AbandonAsync(request.CompletionToken, cancellationToken);

    /// <inheritdoc/>
    public Task<SignalEntityResponse> SignalEntityAsync(SignalEntityRequest request, CancellationToken cancellationToken) => WriteAsync(
        request.InstanceId,
        state => state.SendToEntity(request.InstanceId, new HistoryEvent
        {
            EntityOperationSignaled = new()
            {
                RequestId = request.RequestId.Length > 0 ? request.RequestId : Guid.NewGuid().ToString(),
                Operation = request.Name,
                Input = request.Input,
                ScheduledTime = request.ScheduledTime,
                TargetInstanceId = request.InstanceId,
            },
        }),
        new SignalEntityResponse(),
        cancellationToken);

    /// <inheritdoc/>
    public async Task<GetEntityResponse> GetEntityAsync(GetEntityRequest request, CancellationToken cancellationToken)
    {
        var entity = await Reads.EntityAsync(request.InstanceId, request.IncludeState, cancellationToken);
        return new GetEntityResponse { Exists = entity is not null, Entity = entity };
    }

    /// <inheritdoc/>
    public async Task<QueryEntitiesResponse> QueryEntitiesAsync(QueryEntitiesRequest request, CancellationToken cancellationToken)
    {
        var query = request.Query ?? new EntityQuery();
        var size = query.PageSize is > 0 and { } wanted ? wanted : DefaultPage;
        var after = AfterOf(query.ContinuationToken);
        var rows = await Reads.QueryEntitiesAsync(query, after, size + 1, cancellationToken);
        return new QueryEntitiesResponse
        {
            Entities = { rows.Take(size).Select(row => row.Entity) },
            ContinuationToken = rows.Count > size ? rows[size - 1].Key.ToString(CultureInfo.InvariantCulture) : null,
        };
    }

    /// <inheritdoc/>
    public async Task<CleanEntityStorageResponse> CleanEntityStorageAsync(
        CleanEntityStorageRequest request, CancellationToken cancellationToken)
    {
        // Page by page, so that nobody else waits long for the writer.
        var after = AfterOf(request.ContinuationToken);
        var rows = await Reads.QueryEntitiesAsync(new EntityQuery { IncludeTransient = true }, after, DefaultPage, cancellationToken);
        var (removed, released) = await Loop.WriteAsync(
            [.. rows.Select(row => row.Entity.InstanceId)],
            state => state.CleanEntities(rows.Select(row => row.Key), request.RemoveEmptyEntities, request.ReleaseOrphanedLocks), cancellationToken);
        return new CleanEntityStorageResponse
        {
            EmptyEntitiesRemoved = removed,
            OrphanedLocksReleased = released,
            ContinuationToken = rows.Count == DefaultPage ? rows[^1].Key.ToString(CultureInfo.InvariantCulture) : null,
        };
    }

    private static long AfterOf(string? token) => string.IsNullOrEmpty(token) ? 0
        : long.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out var after) ? after
        : throw new TaskHubException(StatusCode.InvalidArgument, $"'{token}' is not a continuation token of this task hub.");
}
