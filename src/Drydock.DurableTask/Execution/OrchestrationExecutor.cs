using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.Logging;
using EventKind = Drydock.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Drydock.DurableTask.Execution;

/// <summary>Gives the orchestrator of a name and version, or null if there is none.</summary>
internal delegate ITaskOrchestrator? OrchestratorSource(TaskName name, TaskVersion version);

/// <summary>What a turn led to.</summary>
/// <param name="Actions">What the orchestration asks for, in the order of the ids.</param>
/// <param name="CustomStatus">Its custom status, as text.</param>
internal sealed record OrchestrationTurn(IReadOnlyList<OrchestratorAction> Actions, string? CustomStatus)
{
    /// <summary>The end of the execution, if this turn was its last.</summary>
    public CompleteOrchestrationAction? Completion =>
        Actions.Count > 0 ? Actions[^1].CompleteOrchestration : null;
}

/// <summary>
/// One execution of an orchestration. It lives from turn to turn: the first turn is given the history, each further turn only what
/// is new, on the promise that the actions of the turn before were committed. Not safe for concurrent use.
/// </summary>
internal sealed class OrchestrationExecutor
{
    /// <summary>The id of a timer that Service Bus hubs use to split large turns; no orchestrator asked for it.</summary>
    private const int SplitTurnTimerId = -100;

    private readonly OrchestratorSource _orchestrators;
    private readonly DurableTaskWorkerOptions _options;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly OrchestratorThread _thread;
    private readonly Schedule _schedule = new();
    private readonly Queue<HistoryEvent> _whileSuspended = [];
    private readonly List<HistoryEvent> _carryover = [];
    private OrchestrationContext? _context;
    private Task? _run;
    private string? _output;
    private DateTime _now;
    private bool _replaying;
    private bool _suspended;
    private HistoryEvent? _suspension;

    public OrchestrationExecutor(OrchestratorSource orchestrators, DurableTaskWorkerOptions options, ILoggerFactory loggers)
    {
        _orchestrators = orchestrators;
        _options = options;
        _loggers = loggers;
        _logger = loggers.CreateLogger<OrchestrationExecutor>();
        _thread = new OrchestratorThread(OnStray);
    }

    /// <summary>Whether the execution has ended; there is no further turn.</summary>
    public bool IsFinished { get; private set; }

    /// <summary>The first turn of this executor: replays what is past and goes on with what is new.</summary>
    /// <exception cref="InvalidOperationException">The history does not begin, or begins twice.</exception>
    public OrchestrationTurn Run(IEnumerable<HistoryEvent> pastEvents, IEnumerable<HistoryEvent> newEvents)
    {
        Run(() =>
        {
            SetReplaying(true);
            Process(pastEvents);
            SetReplaying(false);
            Process(newEvents);
            CompleteIfDone();
        });
        if (_context is null && !IsFinished)
        {
            throw new InvalidOperationException("An ExecutionStarted event is required.");
        }

        var customStatus = SerializeCustomStatus();
        return new OrchestrationTurn(_schedule.TakePending(), customStatus);
    }

    /// <summary>A further turn: goes on with what is new.</summary>
    public OrchestrationTurn Run(IEnumerable<HistoryEvent> newEvents) => Run([], newEvents);

    private void Run(Action turn)
    {
        Exception? broken = null;
        _thread.Run(() =>
        {
            try
            {
                turn();
            }
            catch (DeterminismMismatchException mismatch) when (_context is not null)
            {
                Fail(mismatch.For(_context.Name, _context.InstanceId));
            }
            catch (Exception exception)
            {
                broken = exception;
            }
        });
        if (broken is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(broken);
        }
    }

    private void Process(IEnumerable<HistoryEvent> events)
    {
        foreach (var item in events)
        {
            if (IsFinished)
            {
                return;
            }

            if (item.EventTypeCase == EventKind.OrchestratorStarted)
            {
                SetNow(item.Timestamp.ToDateTime());
            }
            else
            {
                Process(item);
            }
        }
    }

    private void Process(HistoryEvent item)
    {
        if (_suspended && item.EventTypeCase is not (EventKind.ExecutionResumed or EventKind.ExecutionTerminated))
        {
            if (item.EventTypeCase != EventKind.ExecutionSuspended)
            {
                _whileSuspended.Enqueue(item);
            }

            return;
        }

        switch (item.EventTypeCase)
        {
            case EventKind.ExecutionStarted:
                Start(item.ExecutionStarted);
                break;
            case EventKind.TaskScheduled or EventKind.SubOrchestrationInstanceCreated or EventKind.EventSent:
                _schedule.Confirm(item);
                break;
            case EventKind.TimerCreated when item.EventId != SplitTurnTimerId:
                _schedule.Confirm(item);
                break;
            case EventKind.TaskCompleted:
                _schedule.Complete(item.TaskCompleted.TaskScheduledId, item.TaskCompleted.Result);
                break;
            case EventKind.TaskFailed:
                _schedule.Fail(item.TaskFailed.TaskScheduledId, item.TaskFailed.FailureDetails);
                break;
            case EventKind.SubOrchestrationInstanceCompleted:
                var completed = item.SubOrchestrationInstanceCompleted;
                _schedule.Complete(completed.TaskScheduledId, completed.Result);
                break;
            case EventKind.SubOrchestrationInstanceFailed:
                var failed = item.SubOrchestrationInstanceFailed;
                _schedule.Fail(failed.TaskScheduledId, failed.FailureDetails);
                break;
            case EventKind.TimerFired:
                _schedule.Complete(item.TimerFired.TimerId, result: null);
                break;
            case EventKind.EventRaised:
                Raise(item);
                break;
            case EventKind.ExecutionSuspended:
                (_suspended, _suspension) = (true, item);
                _schedule.SetAside();
                break;
            case EventKind.ExecutionResumed:
                Resume();
                break;
            case EventKind.ExecutionTerminated:
                Finish(Actions.Terminated(item.ExecutionTerminated.Input));
                break;
            case EventKind.EntityOperationSignaled or EventKind.EntityOperationCalled or EventKind.EntityLockRequested or EventKind.EntityUnlockSent:
                _schedule.Confirm(item);
                break;
            case EventKind.EntityOperationCompleted:
                _context?.EntityMessages.Complete(item.EntityOperationCompleted.RequestId, item.EntityOperationCompleted.Output);
                break;
            case EventKind.EntityOperationFailed:
                _context?.EntityMessages.Fail(item.EntityOperationFailed.RequestId, item.EntityOperationFailed.FailureDetails);
                break;
            case EventKind.EntityLockGranted:
                _context?.EntityMessages.Complete(item.EntityLockGranted.CriticalSectionId, output: null);
                break;
        }
    }

    private void Start(ExecutionStartedEvent started)
    {
        if (_run is not null)
        {
            throw new InvalidOperationException("Multiple ExecutionStartedEvent found: a history begins once.");
        }

        var version = new TaskVersion(started.Version);
        if (_orchestrators(started.Name, version) is { } orchestrator)
        {
            _run = RunOrchestratorAsync(orchestrator, started);
            return;
        }

        var withVersion = version == TaskVersion.Unversioned ? string.Empty : $" with version '{version}'";
        Finish(Actions.Failed("OrchestratorTaskNotFound", $"No orchestrator task named '{started.Name}'{withVersion} was found."));
    }

    private async Task RunOrchestratorAsync(ITaskOrchestrator orchestrator, ExecutionStartedEvent started)
    {
        _context = new OrchestrationContext(started, orchestrator.InputType, _schedule, _options, _loggers)
        {
            Now = _now,
            Replaying = _replaying,
        };
        var output = await orchestrator.RunAsync(_context, _context.Input);
        _output = _options.DataConverter.Serialize(output);
    }

    private void Raise(HistoryEvent raised)
    {
        if (_context?.Next is not null)
        {
            _carryover.Add(raised);
        }
        else
        {
            _context?.Events.Raise(raised.EventRaised.Name, raised.EventRaised.Input);
        }
    }

    private void Resume()
    {
        _suspended = false;
        _schedule.Restore();
        while (!IsFinished && !_suspended && _whileSuspended.TryDequeue(out var item))
        {
            Process(item);
        }
    }

    /// <summary>The orchestration ends when its function has returned and nothing it asked for is open.</summary>
    private void CompleteIfDone()
    {
        if (IsFinished || _run is not { IsCompleted: true } || _schedule.HasOpenTasks)
        {
            return;
        }

        _context?.EntityMessages.Release();

        // Suspended or not: what it asked for before it returned goes with its end.
        _schedule.Restore();
        switch (_run)
        {
            case { IsFaulted: true }:
                Fail(_run.Exception!.InnerExceptions[0]);
                break;
            case { IsCanceled: true }:
                Fail(new TaskCanceledException(_run));
                break;
            case var _ when _context?.Next is { } next:
                Finish(Actions.ContinuedAsNew(next.Input, next.Version, [.. _carryover, .. SuspendedCarryover(_context)]));
                break;
            default:
                Finish(Actions.Completed(_output));
                break;
        }
    }

    /// <summary>
    /// What the next execution must know of a suspension that came after the call to continue as new: that it is suspended, and the events
    /// that wait until it is resumed. The official SDK loses both.
    /// </summary>
    private IEnumerable<HistoryEvent> SuspendedCarryover(OrchestrationContext context) => _suspended && context.IsDrydock
        ? _whileSuspended.Where(static item => item.EventRaised is not null).Prepend(_suspension!)
        : [];

    /// <summary>A custom status that has no text fails the orchestration, as an output without one does.</summary>
    private string? SerializeCustomStatus()
    {
        try
        {
            return _context?.SerializeCustomStatus();
        }
        catch (Exception exception)
        {
            if (!IsFinished)
            {
                Fail(exception);
            }

            return null;
        }
    }

    private void Fail(Exception exception)
    {
        if (exception is NonDeterministicOrchestrationException && _context is { IsDrydock: true })
        {
            // The official SDK sends along what the changed code asked for: an activity that history knows nothing of.
            _schedule.DropPending();
        }

        Finish(Actions.Failed(exception, _options.Describe(exception)));
    }

    private void Finish(OrchestratorAction completion)
    {
        _schedule.Add(completion);
        IsFinished = true;
    }

    private void SetNow(DateTime now)
    {
        _now = now;
        _context?.Now = now;
    }

    private void SetReplaying(bool replaying)
    {
        _replaying = replaying;
        _context?.Replaying = replaying;
    }

    private void OnStray() => Log.AwaitedSomethingElse(_logger, _context?.Name.Name ?? "?", _context?.InstanceId ?? "?");
}
