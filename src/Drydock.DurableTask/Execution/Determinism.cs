using Drydock.DurableTask.Protobuf;
using Kind = Drydock.DurableTask.Protobuf.OrchestratorAction.OrchestratorActionTypeOneofCase;

namespace Drydock.DurableTask.Execution;

/// <summary>Compares what history says with what the code did. The first sentence of each message is the official one.</summary>
internal static class Determinism
{
    private const string Question =
        "Was a change made to the orchestrator code after this instance had already started running?";

    private const string NotYet = "but the current replay execution hasn't (yet?) scheduled this task. " + Question;

    /// <summary>Returns if the step of history is the one the code took; names compare without case, nothing else is compared.</summary>
    /// <exception cref="DeterminismMismatchException">It is another one, or the code took none.</exception>
    public static void Check(HistoryEvent step, OrchestratorAction? action)
    {
        var (kind, name, history) = Describe(step);
        var same = action is not null
            && action.OrchestratorActionTypeCase == kind
            && (name is null || string.Equals(name, NameOf(action), StringComparison.OrdinalIgnoreCase));
        if (!same)
        {
            throw new DeterminismMismatchException(
                step.EventId, OfficialText(step, action), history, action is null ? "took no such step" : Actions.Describe(action));
        }
    }

    private static (Kind Kind, string? Name, string History) Describe(HistoryEvent step) => step.EventTypeCase switch
    {
        HistoryEvent.EventTypeOneofCase.TaskScheduled =>
            (Kind.ScheduleTask, step.TaskScheduled.Name, $"activity '{step.TaskScheduled.Name}' was called"),
        HistoryEvent.EventTypeOneofCase.TimerCreated =>
            (Kind.CreateTimer, null, $"a timer for {step.TimerCreated.FireAt?.ToDateTime():o} was created"),
        HistoryEvent.EventTypeOneofCase.SubOrchestrationInstanceCreated => (
            Kind.CreateSubOrchestration,
            step.SubOrchestrationInstanceCreated.Name,
            $"sub-orchestration '{step.SubOrchestrationInstanceCreated.Name}' was called"),
        HistoryEvent.EventTypeOneofCase.EventSent =>
            (Kind.SendEvent, step.EventSent.Name, $"event '{step.EventSent.Name}' was sent to '{step.EventSent.InstanceId}'"),
        HistoryEvent.EventTypeOneofCase.EntityOperationSignaled => (
            Kind.SendEntityMessage,
            step.EntityOperationSignaled.Operation,
            $"operation '{step.EntityOperationSignaled.Operation}' of entity '{step.EntityOperationSignaled.TargetInstanceId}' was signalled"),
        HistoryEvent.EventTypeOneofCase.EntityOperationCalled => (
            Kind.SendEntityMessage,
            step.EntityOperationCalled.Operation,
            $"operation '{step.EntityOperationCalled.Operation}' of entity '{step.EntityOperationCalled.TargetInstanceId}' was called"),
        HistoryEvent.EventTypeOneofCase.EntityLockRequested => (Kind.SendEntityMessage, "lock", "locks of entities were asked for"),
        HistoryEvent.EventTypeOneofCase.EntityUnlockSent => (
            Kind.SendEntityMessage, "unlock", $"the lock of entity '{step.EntityUnlockSent.TargetInstanceId}' was released"),
        _ => throw new ArgumentException($"{step.EventTypeCase} is not a step of an orchestrator.", nameof(step)),
    };

    private static string? NameOf(OrchestratorAction action) =>
        action.ScheduleTask?.Name ?? action.CreateSubOrchestration?.Name ?? action.SendEvent?.Name ?? NameOf(action.SendEntityMessage);

    private static string? NameOf(SendEntityMessageAction? message) => message?.EntityMessageTypeCase switch
    {
        SendEntityMessageAction.EntityMessageTypeOneofCase.EntityOperationSignaled => message.EntityOperationSignaled.Operation,
        SendEntityMessageAction.EntityMessageTypeOneofCase.EntityOperationCalled => message.EntityOperationCalled.Operation,
        SendEntityMessageAction.EntityMessageTypeOneofCase.EntityLockRequested => "lock",
        SendEntityMessageAction.EntityMessageTypeOneofCase.EntityUnlockSent => "unlock",
        _ => null,
    };

    private static string OfficialText(HistoryEvent step, OrchestratorAction? action)
    {
        const string Before = "A previous execution of this orchestration scheduled";
        var id = step.EventId;
        var produced = action is null ? null : OfficialNameOf(action.OrchestratorActionTypeCase);
        switch (step.EventTypeCase)
        {
            case HistoryEvent.EventTypeOneofCase.TaskScheduled:
                var task = step.TaskScheduled;
                return action switch
                {
                    null => $"{Before} an activity task with sequence ID {id} and name '{task.Name}' (version '{task.Version}'), {NotYet}",
                    { ScheduleTask: { } other } => $"{Before} an activity task with sequence number {id} named '{task.Name}', but the "
                        + $"current orchestration replay instead scheduled an activity task named '{other.Name}' with this sequence "
                        + $"number.  {Question}",
                    _ => $"{Before} an activity task with sequence number {id} named '{task.Name}', but the current orchestration "
                        + $"replay instead produced a {produced} action with this sequence number. {Question}",
                };

            case HistoryEvent.EventTypeOneofCase.TimerCreated:
                return action is null
                    ? $"{Before} a timer task with sequence number {id} {NotYet}"
                    : $"{Before} a timer task with sequence number {id} named but the current orchestration replay instead produced a "
                        + $"{produced} action with this sequence number. {Question}";

            case HistoryEvent.EventTypeOneofCase.SubOrchestrationInstanceCreated:
                var child = step.SubOrchestrationInstanceCreated;
                var begin = $"{Before} a sub-orchestration task with sequence ID {id} and name '{child.Name}' "
                    + $"(version '{child.Version}', instance ID '{child.InstanceId}'), ";
                return begin + action switch
                {
                    null => NotYet,
                    { CreateSubOrchestration: { } other } => "but the current orchestration replay instead scheduled a "
                        + $"sub-orchestration task with name {other.Name} at this sequence number. {Question}",
                    _ => $"but the current orchestration replay instead produced a {produced} action at this sequence number. {Question}",
                };

            case not HistoryEvent.EventTypeOneofCase.EventSent:
                return $"{Before} a message to an entity with sequence number {id}, "
                    + (action is null ? NotYet : $"but the current orchestration replay instead produced a {produced} action with this sequence number. {Question}");

            default:
                var sent = step.EventSent;
                return $"{Before} a send event task with sequence ID {id}, type 'EventSent', name '{sent.Name}', "
                    + $"instance ID '{sent.InstanceId}', " + action switch
                    {
                        null => NotYet,
                        { SendEvent: { } other } => "but the current orchestration replay instead scheduled a send event task with "
                            + $"name {other.Name} at this sequence number. {Question}",
                        _ => $"but the current orchestration replay instead scheduled a {produced} task at this sequence number. "
                            + Question,
                    };
        }
    }

    private static string OfficialNameOf(Kind kind) => kind switch
    {
        Kind.ScheduleTask => "ScheduleTaskOrchestratorAction",
        Kind.CreateTimer => "CreateTimerOrchestratorAction",
        Kind.CreateSubOrchestration => "CreateSubOrchestrationAction",
        Kind.SendEvent => "SendEventOrchestratorAction",
        Kind.CompleteOrchestration => "OrchestrationCompleteOrchestratorAction",
        _ => kind.ToString(),
    };
}

/// <summary>A step of history is not the step the code took; the executor makes the exception that users see of it.</summary>
internal sealed class DeterminismMismatchException(int step, string officialText, string history, string code) : Exception(officialText)
{
    /// <summary>The same with what helps to find the change.</summary>
    public NonDeterministicOrchestrationException For(string orchestrator, string instanceId) =>
        new(Message, orchestrator, instanceId, step, history, code);
}
