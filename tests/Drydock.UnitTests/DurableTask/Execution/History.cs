using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.UnitTests.DurableTask.Execution;

/// <summary>Events of a history, written one after the other.</summary>
internal sealed class History
{
    public static readonly DateTime Begin = new(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    private readonly List<HistoryEvent> _events = [];
    private DateTime _now = Begin;

    public IReadOnlyList<HistoryEvent> Events => _events;

    /// <summary>The first turn of an instance.</summary>
    public static History Start(
        string? input = null, string? version = null, bool drydock = false, ParentInstanceInfo? parent = null)
    {
        var started = new ExecutionStartedEvent
        {
            Name = "Orchestrator",
            Input = input,
            Version = version,
            ParentInstance = parent,
            OrchestrationInstance = new OrchestrationInstance { InstanceId = "inst1", ExecutionId = "exec1" },
        };
        if (drydock)
        {
            started.Tags["drydock.semantics"] = "1";
        }

        return new History().Turn().Add(new HistoryEvent { ExecutionStarted = started });
    }

    /// <summary>Events without a beginning.</summary>
    public static History Later(double seconds) => new History().Turn(seconds);

    /// <summary>A turn begins so many seconds after the first.</summary>
    public History Turn(double seconds = 0)
    {
        _now = Begin.AddSeconds(seconds);
        return Add(new HistoryEvent { OrchestratorStarted = new() });
    }

    public History ActivityCalled(int id, string name) =>
        Add(new HistoryEvent { EventId = id, TaskScheduled = new TaskScheduledEvent { Name = name } });

    public History ActivityCompleted(int id, string? result) =>
        Add(new HistoryEvent { TaskCompleted = new TaskCompletedEvent { TaskScheduledId = id, Result = result } });

    public History ActivityFailed(
        int id, string message = "boom", string type = "System.InvalidOperationException", bool nonRetriable = false) =>
        Add(new HistoryEvent
        {
            TaskFailed = new TaskFailedEvent
            {
                TaskScheduledId = id,
                FailureDetails = new() { ErrorType = type, ErrorMessage = message, IsNonRetriable = nonRetriable },
            },
        });

    public History ChildCalled(int id, string name) => Add(new HistoryEvent
    {
        EventId = id,
        SubOrchestrationInstanceCreated = new SubOrchestrationInstanceCreatedEvent { Name = name, InstanceId = "child" },
    });

    public History ChildFailed(int id, string type, string message) => Add(new HistoryEvent
    {
        SubOrchestrationInstanceFailed = new SubOrchestrationInstanceFailedEvent
        {
            TaskScheduledId = id,
            FailureDetails = new() { ErrorType = type, ErrorMessage = message },
        },
    });

    public History TimerCreated(int id, double seconds) => Add(new HistoryEvent
    {
        EventId = id,
        TimerCreated = new TimerCreatedEvent { FireAt = Timestamp.FromDateTime(Begin.AddSeconds(seconds)) },
    });

    public History TimerFired(int id) => Add(new HistoryEvent
    {
        TimerFired = new TimerFiredEvent { TimerId = id, FireAt = Timestamp.FromDateTime(_now) },
    });

    public History Raised(string name, string? input) =>
        Add(new HistoryEvent { EventRaised = new EventRaisedEvent { Name = name, Input = input } });

    public History Sent(int id, string name, string instanceId) => Add(new HistoryEvent
    {
        EventId = id,
        EventSent = new EventSentEvent { Name = name, InstanceId = instanceId },
    });

    public History Suspended() => Add(new HistoryEvent { ExecutionSuspended = new() });

    public History Resumed() => Add(new HistoryEvent { ExecutionResumed = new() });

    public History Terminated(string? output) =>
        Add(new HistoryEvent { ExecutionTerminated = new ExecutionTerminatedEvent { Input = output } });

    private History Add(HistoryEvent item)
    {
        if (item.EventTypeCase is not (HistoryEvent.EventTypeOneofCase.TaskScheduled
            or HistoryEvent.EventTypeOneofCase.TimerCreated
            or HistoryEvent.EventTypeOneofCase.SubOrchestrationInstanceCreated
            or HistoryEvent.EventTypeOneofCase.EventSent))
        {
            item.EventId = -1;
        }

        item.Timestamp = Timestamp.FromDateTime(_now);
        _events.Add(item);
        return this;
    }
}
