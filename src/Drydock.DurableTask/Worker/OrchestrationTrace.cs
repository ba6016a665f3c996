using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.Worker;

/// <summary>What the spans of one execution need to know of it. Empty as long as nobody listens.</summary>
internal sealed class OrchestrationTrace
{
    private readonly Dictionary<int, DateTimeOffset> _timers = [];
    private TracedExecution? _execution;

    /// <summary>Learns from history what was going on when another worker, or another life of this one, had the execution.</summary>
    public void Observe(IEnumerable<HistoryEvent> past)
    {
        if (!Tracing.IsOn)
        {
            return;
        }

        foreach (var item in past)
        {
            Begin(item);
            if (item.TimerCreated is not null)
            {
                _timers[item.EventId] = item.Timestamp.ToDateTimeOffset();
            }
            else if (item.TimerFired is { } fired)
            {
                _timers.Remove(fired.TimerId);
            }
        }
    }

    /// <summary>The spans that are over with a turn, to be emitted when the turn is committed.</summary>
    public IReadOnlyList<Action> Take(OrchestratorRequest request, OrchestrationTurn turn)
    {
        if (!Tracing.IsOn)
        {
            return [];
        }

        List<Action> spans = [];
        var now = request.NewEvents[0].Timestamp.ToDateTimeOffset();
        foreach (var item in request.NewEvents)
        {
            Begin(item);
            if (_execution is { } execution && item.TimerFired is { } fired && _timers.Remove(fired.TimerId, out var began))
            {
                spans.Add(() => Tracing.EmitTimer(execution, request.InstanceId, began, fired, now));
            }
        }

        foreach (var timer in turn.Actions.Where(static action => action.CreateTimer is not null))
        {
            _timers[timer.Id] = now;
        }

        if (_execution is { } ended && turn.Completion is { } end)
        {
            spans.Add(() => Tracing.EmitOrchestration(ended, request.InstanceId, end, now));
        }

        return spans;
    }

    private void Begin(HistoryEvent item)
    {
        if (item.ExecutionStarted is { } started && Tracing.Read(started.ParentTraceContext) is { } parent)
        {
            _execution = new TracedExecution(started.Name, started.Version, parent, item.Timestamp.ToDateTimeOffset());
        }
    }
}
