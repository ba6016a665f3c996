using System.Runtime.ExceptionServices;

namespace Drydock.DurableTask.Execution;

/// <summary>
/// The one thread of an orchestrator: code runs on whichever thread takes the turn, one piece after the other in the order in which
/// its causes happened, and nowhere else. A continuation that arrives from elsewhere (the orchestrator awaited something that is not
/// a durable task) is never run, because on replay it would come at another time.
/// </summary>
internal sealed class OrchestratorThread : SynchronizationContext
{
    private readonly InlineScheduler _scheduler;
    private readonly Action _onStray;
    private int _owner;

    public OrchestratorThread(Action onStray)
    {
        _onStray = onStray;
        _scheduler = new InlineScheduler(this);
    }

    private bool IsHere => Environment.CurrentManagedThreadId == Volatile.Read(ref _owner);

    /// <summary>Runs a turn on the calling thread; returns when the orchestrator has nothing left to do.</summary>
    public void Run(Action turn)
    {
        var previous = Current;
        SetSynchronizationContext(this);
        Volatile.Write(ref _owner, Environment.CurrentManagedThreadId);
        try
        {
            // As a task of the scheduler, so that TaskScheduler.Current, which ContinueWith takes, is ours too.
            var task = new Task(turn);
            task.RunSynchronously(_scheduler);
            if (task.Exception?.InnerException is { } exception)
            {
                ExceptionDispatchInfo.Throw(exception);
            }
        }
        finally
        {
            Volatile.Write(ref _owner, 0);
            SetSynchronizationContext(previous);
        }
    }

    public override void Post(SendOrPostCallback d, object? state)
    {
        if (IsHere)
        {
            d(state);
        }
        else
        {
            _onStray();
        }
    }

    public override void Send(SendOrPostCallback d, object? state) => Post(d, state);

    public override SynchronizationContext CreateCopy() => this;

    private sealed class InlineScheduler(OrchestratorThread thread) : TaskScheduler
    {
        public override int MaximumConcurrencyLevel => 1;

        protected override void QueueTask(Task task)
        {
            if (thread.IsHere)
            {
                TryExecuteTask(task);
            }
            else
            {
                thread._onStray();
            }
        }

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
            thread.IsHere && TryExecuteTask(task);

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }
}
