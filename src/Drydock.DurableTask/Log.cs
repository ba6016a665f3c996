using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask;

/// <summary>What the engine logs: ids 1000 to 1099.</summary>
internal static partial class Log
{
    [LoggerMessage(1001, LogLevel.Warning,
        "Orchestrator {Orchestrator} ({InstanceId}) awaited something that is not a durable task; it does not go on from there. "
        + "Await only what the context gives, and do everything else in activities.")]
    public static partial void AwaitedSomethingElse(ILogger logger, string orchestrator, string instanceId);

    [LoggerMessage(1010, LogLevel.Warning, "The stream of work items was lost; it is opened again.")]
    public static partial void StreamLost(ILogger logger, Exception exception);

    [LoggerMessage(1011, LogLevel.Debug, "The stream of work items ended.")]
    public static partial void StreamEnded(ILogger logger);

    [LoggerMessage(1012, LogLevel.Warning, "{Count} work items still run after {Timeout}; they are interrupted and given back.")]
    public static partial void DrainTimedOut(ILogger logger, int count, TimeSpan timeout);

    [LoggerMessage(1013, LogLevel.Error, "The hub handed out an entity, and this worker has DurableTaskWorkerOptions.EnableEntitySupport=false; it was given back.")]
    public static partial void EntityRefused(ILogger logger);

    [LoggerMessage(1014, LogLevel.Warning, "Work item {Name} of {InstanceId} could not be handled; it was given back.")]
    public static partial void ItemFailed(ILogger logger, Exception exception, string name, string instanceId);

    [LoggerMessage(1015, LogLevel.Debug, "The hub could not be reached in attempt {Attempt}; trying again.")]
    public static partial void HubCallRetried(ILogger logger, Exception exception, int attempt);

    [LoggerMessage(1016, LogLevel.Warning, "A work item could not be given back; the hub hands it out again when the stream ends.")]
    public static partial void AbandonFailed(ILogger logger, Exception exception);

    [LoggerMessage(1017, LogLevel.Warning, "The connection to the task hub at {Endpoint} is made anew after {Count} streams that brought nothing.")]
    public static partial void ConnectionReplaced(ILogger logger, Uri endpoint, int count);

    [LoggerMessage(1018, LogLevel.Debug, "The task hub at {Endpoint} is away; asking again.")]
    public static partial void HubAway(ILogger logger, Exception exception, Uri endpoint);

    [LoggerMessage(1020, LogLevel.Debug, "A turn of {InstanceId} came too late: the hub had taken it back.")]
    public static partial void TurnStale(ILogger logger, string instanceId);

    [LoggerMessage(1021, LogLevel.Warning, "Orchestration {Name} ({InstanceId}) is not for this worker: {Reason}")]
    public static partial void VersionRefused(ILogger logger, string name, string instanceId, string reason);

    [LoggerMessage(1030, LogLevel.Information, "Activity {Name} of {InstanceId} failed.")]
    public static partial void ActivityFailed(ILogger logger, Exception exception, string name, string instanceId);

    [LoggerMessage(1031, LogLevel.Debug, "The result of activity {Name} of {InstanceId} came too late: the hub had taken it back.")]
    public static partial void ActivityResultStale(ILogger logger, string name, string instanceId);

    [LoggerMessage(1033, LogLevel.Information, "Activity {Name} of {InstanceId} was stopped: nobody waits for its result any more.")]
    public static partial void ActivityUnwanted(ILogger logger, string name, string instanceId);

    [LoggerMessage(1034, LogLevel.Debug, "A heartbeat of activity {Name} of {InstanceId} did not arrive.")]
    public static partial void HeartbeatLost(ILogger logger, Exception exception, string name, string instanceId);

    [LoggerMessage(1035, LogLevel.Debug, "The hub does not say any more which activities are unwanted.")]
    public static partial void LostFeedEnded(ILogger logger, Exception exception);

    [LoggerMessage(1040, LogLevel.Information, "Operation {Operation} of entity {EntityId} failed.")]
    public static partial void EntityOperationFailed(ILogger logger, Exception exception, string operation, string entityId);

    [LoggerMessage(1041, LogLevel.Debug, "The results of entity {EntityId} came too late: the hub had taken the operations back.")]
    public static partial void EntityResultStale(ILogger logger, string entityId);

    [LoggerMessage(1042, LogLevel.Error, "The next run of schedule {ScheduleId} cannot be found; it is tried again in {Delay}.")]
    public static partial void ScheduleNotPlanned(ILogger logger, Exception exception, string scheduleId, TimeSpan delay);

    [LoggerMessage(1032, LogLevel.Warning, "Activity {Name} of {InstanceId} was interrupted; it is handed out again.")]
    public static partial void ActivityInterrupted(ILogger logger, string name, string instanceId);
}
