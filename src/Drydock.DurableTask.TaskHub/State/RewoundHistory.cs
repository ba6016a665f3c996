using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>
/// The history of a failed execution without its failure: a replay comes to the steps that failed, finds them not taken, and takes them
/// again. As DurableTask.Core does it (ProcessRewindOrchestrationDecision), and beyond it: attempts that a retry policy followed up
/// stay, so that its timers still line up, and the steps whose answer was lost when the execution ended are taken again too.
/// </summary>
internal sealed class RewoundHistory
{
    private readonly HashSet<HistoryEvent> _removed = new(ReferenceEqualityComparer.Instance);

    /// <summary>Takes the failure out of a history.</summary>
    /// <param name="events">The history that ends in a failure.</param>
    /// <param name="executionId">The id of the execution that goes on.</param>
    /// <param name="isScheduled">Whether an activity is still on its way, by the id of its step.</param>
    public RewoundHistory(IReadOnlyList<HistoryEvent> events, string executionId, Func<int, bool> isScheduled)
    {
        var turns = TurnsOf(events);

        // A failure that stands before an earlier rewinding stays: it was gone on from, perhaps in a turn whose steps were taken out then.
        var rewound = turns.FindLastIndex(static turn => turn.Exists(static historyEvent => historyEvent.ExecutionRewound is not null));
        foreach (var turn in turns.Skip(Math.Max(0, rewound)))
        {
            foreach (var failed in turn.Where(IsFailure).Where(failed => !IsRetried(turn, failed, events) && !IsCaught(turn, failed)))
            {
                Remove(turn, failed, events);
            }
        }

        RemoveUnanswered(events, isScheduled);
        foreach (var historyEvent in events)
        {
            if (historyEvent.ExecutionStarted is { } started)
            {
                started.OrchestrationInstance.ExecutionId = executionId;
            }
            else if (historyEvent.ExecutionCompleted is not null)
            {
                _removed.Add(historyEvent);
            }
        }

        Turns = [.. turns.Select(turn => turn.Where(historyEvent => !_removed.Contains(historyEvent)).ToList())];
        var kept = events.Where(historyEvent => !_removed.Contains(historyEvent)).ToList();
        var answered = kept.Select(AnswerTo).OfType<int>().ToHashSet();
        Children = [.. kept.Where(e => e.SubOrchestrationInstanceCreated is not null && !answered.Contains(e.EventId))];
        EntityMessages = [.. kept.Where(e => IsUnanswered(e, kept))];
        Timers = [.. kept.Where(e => e.TimerCreated is not null && !answered.Contains(e.EventId))];
    }

    /// <summary>What is left, turn by turn.</summary>
    public IReadOnlyList<IReadOnlyList<HistoryEvent>> Turns { get; }

    /// <summary>The children that the execution waits for again.</summary>
    public IReadOnlyList<HistoryEvent> Children { get; }

    /// <summary>The calls of entities that have no answer, and the locks that were not granted.</summary>
    public IReadOnlyList<HistoryEvent> EntityMessages { get; }

    /// <summary>The timers that have not fired.</summary>
    public IReadOnlyList<HistoryEvent> Timers { get; }

    /// <summary>
    /// Whether entities were locked when it failed: granted, and not freed before the turn that ended it. In that turn the locks go because
    /// it ends.
    /// </summary>
    public static bool FailedInCriticalSection(IReadOnlyList<HistoryEvent> events)
    {
        var freed = TurnsOf(events).SkipLast(1).SelectMany(static turn => turn).Select(static e => e.EntityUnlockSent?.CriticalSectionId).ToHashSet();
        return events.Any(e => e.EntityLockGranted is { } granted && !freed.Contains(granted.CriticalSectionId));
    }

    private static bool IsUnanswered(HistoryEvent asked, List<HistoryEvent> events) =>
        (asked.EntityOperationCalled is { } call && !events.Exists(e =>
            (e.EntityOperationCompleted?.RequestId ?? e.EntityOperationFailed?.RequestId) == call.RequestId))
        || (asked.EntityLockRequested is { } request && !events.Exists(e =>
            e.EntityLockGranted?.CriticalSectionId == request.CriticalSectionId));

    private static List<List<HistoryEvent>> TurnsOf(IReadOnlyList<HistoryEvent> events)
    {
        List<List<HistoryEvent>> turns = [];
        foreach (var historyEvent in events)
        {
            if (turns.Count == 0 || historyEvent.OrchestratorStarted is not null)
            {
                turns.Add([]);
            }

            turns[^1].Add(historyEvent);
        }

        return turns;
    }

    private static bool IsFailure(HistoryEvent historyEvent) =>
        historyEvent.TaskFailed is not null || historyEvent.SubOrchestrationInstanceFailed is not null;

    private static int? AnswerTo(HistoryEvent historyEvent) => historyEvent.EventTypeCase switch
    {
        HistoryEvent.EventTypeOneofCase.TaskCompleted => historyEvent.TaskCompleted.TaskScheduledId,
        HistoryEvent.EventTypeOneofCase.TaskFailed => historyEvent.TaskFailed.TaskScheduledId,
        HistoryEvent.EventTypeOneofCase.SubOrchestrationInstanceCompleted => historyEvent.SubOrchestrationInstanceCompleted.TaskScheduledId,
        HistoryEvent.EventTypeOneofCase.SubOrchestrationInstanceFailed => historyEvent.SubOrchestrationInstanceFailed.TaskScheduledId,
        HistoryEvent.EventTypeOneofCase.TimerFired => historyEvent.TimerFired.TimerId,
        _ => null,
    };

    /// <summary>
    /// Whether it was tried again: in the same turn the same was called again, as retry handlers do, or a timer was made and after it the
    /// same was called again, as policies do.
    /// </summary>
    private static bool IsRetried(List<HistoryEvent> turn, HistoryEvent failed, IReadOnlyList<HistoryEvent> events)
    {
        var called = Call(failed, events);
        return called is not null
            && (turn.Any(again => again.EventId > called.EventId && IsSameCall(called, again))
                || turn.Any(timer => timer.TimerCreated is not null
                    && events.Any(again => again.EventId > timer.EventId && IsSameCall(called, again))));
    }

    /// <summary>
    /// Whether the code certainly went on after it: nothing else was answered in its turn, which took steps. A failure of which that
    /// cannot be said is taken again; if it was caught all the same, the replay finds that it comes to other steps.
    /// </summary>
    private static bool IsCaught(List<HistoryEvent> turn, HistoryEvent failed) =>
        turn.All(other => ReferenceEquals(other, failed) || other.EventId >= 0 || !IsCause(other))
        && turn.Any(step => step.EventId >= 0 && step.ExecutionCompleted is null && !IsDue(step, turn[0].Timestamp));

    private static bool IsCause(HistoryEvent historyEvent) =>
        AnswerTo(historyEvent) is not null || historyEvent.EventRaised is not null || historyEvent.EntityOperationCompleted is not null
        || historyEvent.EntityOperationFailed is not null || historyEvent.EntityLockGranted is not null
        || historyEvent.ExecutionResumed is not null || historyEvent.ExecutionRewound is not null;

    private static bool IsDue(HistoryEvent step, Timestamp now) => step.TimerCreated?.FireAt.CompareTo(now) <= 0;

    private static HistoryEvent? Call(HistoryEvent failed, IReadOnlyList<HistoryEvent> events) => events.FirstOrDefault(called =>
        called.EventId == AnswerTo(failed) && (called.TaskScheduled is not null || called.SubOrchestrationInstanceCreated is not null));

    private static bool IsSameCall(HistoryEvent one, HistoryEvent other) => one.TaskScheduled is { } task
        ? other.TaskScheduled is { } again && task.Name == again.Name && task.Input == again.Input
        : other.SubOrchestrationInstanceCreated is { } child && child.InstanceId == one.SubOrchestrationInstanceCreated.InstanceId;

    private void Remove(List<HistoryEvent> turn, HistoryEvent failed, IReadOnlyList<HistoryEvent> events)
    {
        _removed.Add(failed);
        if (Call(failed, events) is { TaskScheduled: not null } called)
        {
            _removed.Add(called);
        }

        // The timer that a policy makes after its last attempt, at once: the attempt is taken again, so it comes again.
        var now = turn[0].Timestamp;
        foreach (var dummy in turn.Where(e => IsDue(e, now)))
        {
            _removed.Add(dummy);
            _removed.UnionWith(events.Where(e => e.TimerFired?.TimerId == dummy.EventId));
        }
    }

    /// <summary>An answer that came after the end is lost; its step is taken again, unless it is still on its way.</summary>
    private void RemoveUnanswered(IReadOnlyList<HistoryEvent> events, Func<int, bool> isScheduled)
    {
        var answered = events.Select(AnswerTo).OfType<int>().ToHashSet();
        _removed.UnionWith(events.Where(e => e.TaskScheduled is not null && !answered.Contains(e.EventId) && !isScheduled(e.EventId)));
    }
}
