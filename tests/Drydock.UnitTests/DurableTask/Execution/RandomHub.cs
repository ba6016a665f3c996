using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.UnitTests.DurableTask.Execution;

/// <summary>
/// A hub for one instance that delivers what is due in random portions and order, with duplicates, events nobody asked for, suspends
/// and resumes.
/// </summary>
internal sealed class RandomHub(int seed, bool drydock)
{
    private readonly Random _random = new(seed);
    private readonly List<HistoryEvent> _past = [];
    private readonly List<HistoryEvent> _due = [];
    private DateTime _now = History.Begin;
    private bool _suspended;

    public IReadOnlyList<HistoryEvent> Past => _past;

    /// <summary>The events of the next turn.</summary>
    public IReadOnlyList<HistoryEvent> Next()
    {
        if (_past.Count == 0)
        {
            return History.Start("null", "1.0", drydock).Events;
        }

        _now = _now.AddSeconds(_random.Next(1, 5));
        List<HistoryEvent> turn = [At(new HistoryEvent { OrchestratorStarted = new() })];
        var count = _random.Next(0, _due.Count + 1);
        for (var i = 0; i < count && _due.Count > 0; i++)
        {
            var index = _random.Next(_due.Count);
            turn.Add(At(_due[index]));
            if (_random.Next(10) > 0)
            {
                _due.RemoveAt(index);
            }
        }

        if (_random.Next(3) == 0)
        {
            turn.Insert(_random.Next(1, turn.Count + 1), At(Raised($"e{_random.Next(2)}", $"\"{_past.Count}\"")));
        }

        if (_suspended || _random.Next(8) == 0)
        {
            turn.Insert(_random.Next(1, turn.Count + 1), At(_suspended
                ? new HistoryEvent { ExecutionResumed = new() }
                : new HistoryEvent { ExecutionSuspended = new() }));
            _suspended = !_suspended;
        }

        return turn;
    }

    /// <summary>Commits a turn: its events and actions are past, and what the actions lead to is due.</summary>
    public void Commit(IReadOnlyList<HistoryEvent> newEvents, OrchestrationTurn turn)
    {
        _past.AddRange(newEvents);
        foreach (var action in turn.Actions)
        {
            var (step, result) = Do(action);
            if (step is not null)
            {
                step.EventId = action.Id;
                _past.Add(At(step));
            }

            if (result is not null)
            {
                _due.Add(result);
            }
        }

        _past.Add(At(new HistoryEvent { EventId = -1, OrchestratorCompleted = new() }));
    }

    private (HistoryEvent? Step, HistoryEvent? Result) Do(OrchestratorAction action)
    {
        var fails = _random.Next(3) == 0;
        var failure = new Drydock.DurableTask.Protobuf.TaskFailureDetails { ErrorType = "My.Error", ErrorMessage = "no" };
        var result = $"\"r{action.Id}\"";
        return action switch
        {
            { ScheduleTask: { } call } => (
                new HistoryEvent { TaskScheduled = new TaskScheduledEvent { Name = call.Name, Input = call.Input } },
                fails
                    ? new HistoryEvent { TaskFailed = new TaskFailedEvent { TaskScheduledId = action.Id, FailureDetails = failure } }
                    : new HistoryEvent { TaskCompleted = new TaskCompletedEvent { TaskScheduledId = action.Id, Result = result } }),
            { CreateSubOrchestration: { } call } => (
                new HistoryEvent { SubOrchestrationInstanceCreated = new() { Name = call.Name, InstanceId = call.InstanceId } },
                fails
                    ? new HistoryEvent { SubOrchestrationInstanceFailed = new() { TaskScheduledId = action.Id, FailureDetails = failure } }
                    : new HistoryEvent { SubOrchestrationInstanceCompleted = new() { TaskScheduledId = action.Id, Result = result } }),
            { CreateTimer: { } timer } => (
                new HistoryEvent { TimerCreated = new TimerCreatedEvent { FireAt = timer.FireAt } },
                new HistoryEvent { TimerFired = new TimerFiredEvent { TimerId = action.Id, FireAt = timer.FireAt } }),
            { SendEvent: { } send } => (
                new HistoryEvent { EventSent = new EventSentEvent { Name = send.Name, InstanceId = send.Instance.InstanceId } }, null),
            _ => (null, null),
        };
    }

    private static HistoryEvent Raised(string name, string input) =>
        new() { EventRaised = new EventRaisedEvent { Name = name, Input = input } };

    private HistoryEvent At(HistoryEvent item)
    {
        var copy = item.Clone();
        copy.Timestamp = Timestamp.FromDateTime(_now);
        return copy;
    }
}
