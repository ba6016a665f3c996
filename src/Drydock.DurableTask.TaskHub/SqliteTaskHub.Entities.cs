using System.Globalization;
using Drydock.DurableTask.Protobuf;
using Grpc.Core;

namespace Drydock.DurableTask.TaskHub;

/// <summary>Entities.</summary>
public sealed partial class SqliteTaskHub
{
    /// <inheritdoc/>
    public Task CompleteEntityTaskAsync(EntityBatchResult result, CancellationToken cancellationToken)
    {
        var loop = Loop;
        if (result.FailureDetails is not null)
        {
            // The batch as a whole failed, and with it nothing happened: it is tried again.
            return AbandonAsync(result.CompletionToken, cancellationToken);
        }

        return loop.WriteAsync(
            state =>
            {
                state.CompleteEntity(Held(loop, result.CompletionToken), result);
                return true;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task AbandonEntityTaskAsync(AbandonEntityTaskRequest request, CancellationToken cancellationToken) =>
        AbandonAsync(request.CompletionToken, cancellationToken);

    /// <inheritdoc/>
    public Task<SignalEntityResponse> SignalEntityAsync(SignalEntityRequest request, CancellationToken cancellationToken) => WriteAsync(
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
    public Task<GetEntityResponse> GetEntityAsync(GetEntityRequest request, CancellationToken cancellationToken)
    {
        var entity = Open.Readers.Read(reader => reader.Entity(request.InstanceId, request.IncludeState));
        return Task.FromResult(new GetEntityResponse { Exists = entity is not null, Entity = entity });
    }

    /// <inheritdoc/>
    public Task<QueryEntitiesResponse> QueryEntitiesAsync(QueryEntitiesRequest request, CancellationToken cancellationToken)
    {
        var query = request.Query ?? new EntityQuery();
        var size = query.PageSize is > 0 and { } wanted ? wanted : DefaultPage;
        var after = AfterOf(query.ContinuationToken);
        var rows = Open.Readers.Read(reader => reader.QueryEntities(query, after, size + 1));
        return Task.FromResult(new QueryEntitiesResponse
        {
            Entities = { rows.Take(size).Select(row => row.Entity) },
            ContinuationToken = rows.Count > size ? rows[size - 1].Key.ToString(CultureInfo.InvariantCulture) : null,
        });
    }

    /// <inheritdoc/>
    public async Task<CleanEntityStorageResponse> CleanEntityStorageAsync(
        CleanEntityStorageRequest request, CancellationToken cancellationToken)
    {
        // Page by page, so that nobody else waits long for the writer.
        var after = AfterOf(request.ContinuationToken);
        var rows = Open.Readers.Read(reader => reader.QueryEntities(new EntityQuery { IncludeTransient = true }, after, DefaultPage));
        var (removed, released) = await Loop.WriteAsync(
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
