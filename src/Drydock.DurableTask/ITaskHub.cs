using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask;

/// <summary>
/// A task hub: the durable side of the engine. The members mirror the rpcs of <c>TaskHubSidecarService</c> one to one, with the
/// protocol's own messages, so that the embedded hub, our hub over gRPC and Azure's Durable Task Scheduler are one code path.
/// </summary>
/// <remarks>
/// What a method acknowledged is on disk. Failures that the protocol expresses as a gRPC status are thrown as
/// <see cref="TaskHubException"/> with that status.
/// </remarks>
public interface ITaskHub
{
    /// <summary>Returns when the hub can be reached.</summary>
    Task HelloAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Hands out work until the token is cancelled. At most <c>maxConcurrent…</c> items of each kind are outstanding on one stream;
    /// an item is outstanding until it was completed or abandoned by its completion token. Items of a stream that ended are given
    /// out again. The hub may send health pings at any time.
    /// </summary>
    /// <param name="request">What the worker can take.</param>
    /// <param name="keepsOrchestrators">
    /// The worker keeps live orchestrators between turns: the hub may then send an orchestrator request without past events and with
    /// <c>requiresHistoryStreaming</c>, and the worker fetches the history only if its live orchestrator does not match.
    /// </param>
    /// <param name="cancellationToken">Ends the stream.</param>
    IAsyncEnumerable<WorkItem> GetWorkItemsAsync(
        GetWorkItemsRequest request, bool keepsOrchestrators, CancellationToken cancellationToken);

    /// <summary>Commits a turn: all of it is on disk when this returns, or none of it.</summary>
    /// <exception cref="TaskHubException"><c>NotFound</c>: the token is stale; nothing was written, drop what followed from the turn.</exception>
    Task CompleteOrchestratorTaskAsync(OrchestratorResponse response, CancellationToken cancellationToken);

    /// <summary>Commits the result of an activity.</summary>
    /// <exception cref="TaskHubException"><c>NotFound</c>: the token is stale; the item was given to somebody else.</exception>
    Task CompleteActivityTaskAsync(ActivityResponse response, CancellationToken cancellationToken);

    /// <summary>Commits the results of a batch of entity operations.</summary>
    Task CompleteEntityTaskAsync(EntityBatchResult result, CancellationToken cancellationToken);

    /// <summary>Gives an orchestrator item back; it is handed out again after a short delay.</summary>
    Task AbandonOrchestratorTaskAsync(AbandonOrchestrationTaskRequest request, CancellationToken cancellationToken);

    /// <summary>Gives an activity item back; it is handed out again after a short delay.</summary>
    Task AbandonActivityTaskAsync(AbandonActivityTaskRequest request, CancellationToken cancellationToken);

    /// <summary>Gives an entity item back; it is handed out again after a short delay.</summary>
    Task AbandonEntityTaskAsync(AbandonEntityTaskRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// Streams a history in order. For work item processing: the past events of the execution, without the turn in hand; otherwise
    /// the whole history.
    /// </summary>
    /// <exception cref="TaskHubException"><c>NotFound</c>: there is no such instance.</exception>
    IAsyncEnumerable<HistoryChunk> StreamInstanceHistoryAsync(
        StreamInstanceHistoryRequest request, CancellationToken cancellationToken);

    /// <summary>Creates an instance, durably, before it returns.</summary>
    /// <exception cref="TaskHubException"><c>AlreadyExists</c>: the reuse policy forbids to replace the instance of that id.</exception>
    Task<CreateInstanceResponse> StartInstanceAsync(CreateInstanceRequest request, CancellationToken cancellationToken);

    /// <summary>Reads the state of an instance; <c>exists</c> is false if there is none.</summary>
    Task<GetInstanceResponse> GetInstanceAsync(GetInstanceRequest request, CancellationToken cancellationToken);

    /// <summary>Returns when the instance is no longer pending.</summary>
    Task<GetInstanceResponse> WaitForInstanceStartAsync(GetInstanceRequest request, CancellationToken cancellationToken);

    /// <summary>Returns when the instance is completed, failed or terminated.</summary>
    Task<GetInstanceResponse> WaitForInstanceCompletionAsync(GetInstanceRequest request, CancellationToken cancellationToken);

    /// <summary>Puts an event into the inbox of an instance, durably. To a missing instance it is kept for it.</summary>
    Task<RaiseEventResponse> RaiseEventAsync(RaiseEventRequest request, CancellationToken cancellationToken);

    /// <summary>Asks an instance, and its children if recursive, to end as terminated.</summary>
    Task<TerminateResponse> TerminateInstanceAsync(TerminateRequest request, CancellationToken cancellationToken);

    /// <summary>Suspends an instance.</summary>
    Task<SuspendResponse> SuspendInstanceAsync(SuspendRequest request, CancellationToken cancellationToken);

    /// <summary>Resumes a suspended instance.</summary>
    Task<ResumeResponse> ResumeInstanceAsync(ResumeRequest request, CancellationToken cancellationToken);

    /// <summary>Restarts a failed instance from its last good step.</summary>
    Task<RewindInstanceResponse> RewindInstanceAsync(RewindInstanceRequest request, CancellationToken cancellationToken);

    /// <summary>Starts an instance again with the input it had.</summary>
    Task<RestartInstanceResponse> RestartInstanceAsync(RestartInstanceRequest request, CancellationToken cancellationToken);

    /// <summary>Reads one page of instances.</summary>
    Task<QueryInstancesResponse> QueryInstancesAsync(QueryInstancesRequest request, CancellationToken cancellationToken);

    /// <summary>Reads one page of the ids of finished instances.</summary>
    Task<ListInstanceIdsResponse> ListInstanceIdsAsync(ListInstanceIdsRequest request, CancellationToken cancellationToken);

    /// <summary>Deletes finished instances; running ones are never deleted.</summary>
    Task<PurgeInstancesResponse> PurgeInstancesAsync(PurgeInstancesRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// Ends instances as terminated at once, without a turn of theirs. Those that cannot be ended so, because they have ended, are no
    /// orchestrations, hold locks of entities or do not exist, are named in the answer.
    /// </summary>
    /// <exception cref="TaskHubException"><c>InvalidArgument</c>: more than 500 ids.</exception>
    Task<SkipGracefulOrchestrationTerminationsResponse> SkipGracefulOrchestrationTerminationsAsync(
        SkipGracefulOrchestrationTerminationsRequest request, CancellationToken cancellationToken);

    /// <summary>Sends a one-way operation to an entity.</summary>
    Task<SignalEntityResponse> SignalEntityAsync(SignalEntityRequest request, CancellationToken cancellationToken);

    /// <summary>Reads the state of an entity.</summary>
    Task<GetEntityResponse> GetEntityAsync(GetEntityRequest request, CancellationToken cancellationToken);

    /// <summary>Reads one page of entities.</summary>
    Task<QueryEntitiesResponse> QueryEntitiesAsync(QueryEntitiesRequest request, CancellationToken cancellationToken);

    /// <summary>Removes empty entities and releases orphaned locks.</summary>
    Task<CleanEntityStorageResponse> CleanEntityStorageAsync(CleanEntityStorageRequest request, CancellationToken cancellationToken);
}

/// <summary>
/// What the protocol lacks. Over gRPC this is a second service, which other hubs do not serve: there both streams end at once and the
/// rest is refused as <c>Unimplemented</c>. A hub without a feed is polled once a second instead.
/// </summary>
public interface ITaskHubExtensions
{
    /// <summary>
    /// Yields the id of each instance whose state, custom status or history changed, from now on; ends by itself only if the hub has
    /// no such feed.
    /// </summary>
    IAsyncEnumerable<string> WatchInstancesAsync(CancellationToken cancellationToken);

    /// <summary>What is in the hub just now.</summary>
    Task<TaskHubCounts> GetCountsAsync(CancellationToken cancellationToken);

    /// <summary>Returns when the hub has neither a ready work item, nor one that was handed out, nor a commit on its way to disk.</summary>
    /// <returns>The moment the earliest timer is due, or null if there is no timer.</returns>
    Task<DateTimeOffset?> WhenIdleAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Yields the completion token of each activity in hand whose result nobody waits for any more (its instance was terminated,
    /// purged or replaced, it took too long, or it was given to somebody else), from now on; ends by itself only if the hub has no such feed.
    /// </summary>
    IAsyncEnumerable<string> WatchLostActivitiesAsync(CancellationToken cancellationToken);

    /// <summary>Says that an activity in hand goes on, which restarts its heartbeat timeout.</summary>
    /// <param name="completionToken">The token of the work item.</param>
    /// <param name="progress">How far it has come, for people and for the next attempt; stored within about a second. Null leaves what was said before.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>False if nobody waits for its result any more.</returns>
    Task<bool> HeartbeatActivityAsync(string completionToken, string? progress, CancellationToken cancellationToken);

    /// <summary>The activities of an instance that have no result yet, in the order in which they were scheduled.</summary>
    Task<IReadOnlyList<OpenActivity>> GetOpenActivitiesAsync(string instanceId, CancellationToken cancellationToken);
}

/// <summary>An activity that has no result yet.</summary>
/// <param name="TaskId">Which step of its orchestration it is.</param>
/// <param name="Name">The activity.</param>
/// <param name="SerializedProgress">What its last heartbeat with a progress said, in any attempt; null if none did. Stored within about a second.</param>
/// <param name="ProgressAt">When that was said.</param>
public sealed record OpenActivity(int TaskId, string Name, string? SerializedProgress, DateTimeOffset? ProgressAt);

/// <summary>How much work a hub holds.</summary>
/// <param name="ReadyItems">Items that wait for a worker.</param>
/// <param name="OutstandingItems">Items that a worker holds.</param>
/// <param name="PendingCommits">Commits on their way to disk.</param>
/// <param name="Timers">Timers that have not fired.</param>
public sealed record TaskHubCounts(int ReadyItems, int OutstandingItems, int PendingCommits, int Timers);

/// <summary>A refusal of the hub that the protocol expresses as a gRPC status.</summary>
public sealed class TaskHubException(Grpc.Core.StatusCode status, string message, Exception? innerException = null)
    : Exception(message, innerException)
{
    /// <summary>The gRPC status of the refusal.</summary>
    public Grpc.Core.StatusCode Status { get; } = status;
}
