using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.Execution;

/// <summary>
/// What an execution has asked for: every step takes the next id; a step is pending until history confirms it, and a task is open
/// until its result comes.
/// </summary>
internal sealed class Schedule
{
    private readonly Dictionary<int, OrchestratorAction> _pending = [];
    private readonly Dictionary<int, OrchestratorAction> _setAside = [];
    private readonly Dictionary<int, OpenTask> _open = [];
    private int _nextId;

    /// <summary>Whether something was asked for that has no result yet.</summary>
    public bool HasOpenTasks => _open.Count > 0;

    /// <summary>Adds a step that has no result.</summary>
    public int Add(OrchestratorAction action)
    {
        action.Id = _nextId++;
        _pending.Add(action.Id, action);
        return action.Id;
    }

    /// <summary>Adds a step and gives its result, as text.</summary>
    public Task<string?> AddTask(OrchestratorAction action, string name) => Open(Add(action), name).Task;

    /// <summary>Adds a timer and completes when it fires. A cancelled timer is forgotten here; the hub still fires it.</summary>
    public async Task AddTimerAsync(DateTime fireAt, CancellationToken cancellationToken)
    {
        var id = Add(Actions.Timer(fireAt));
        var source = Open(id, name: string.Empty);
        using var registration = cancellationToken.Register(
            () =>
            {
                if (source.TrySetCanceled(cancellationToken))
                {
                    _open.Remove(id);
                }
            },
            useSynchronizationContext: true);
        await source.Task;
    }

    /// <summary>Settles an open task. Results of steps that are not open are duplicates and are ignored.</summary>
    public void Complete(int id, string? result)
    {
        if (_open.Remove(id, out var task))
        {
            task.Source.TrySetResult(result);
        }
    }

    /// <summary>Fails an open task.</summary>
    public void Fail(int id, Protobuf.TaskFailureDetails failure)
    {
        if (_open.Remove(id, out var task))
        {
            task.Source.TrySetException(new TaskFailedException(task.Name, id, failure.ToDetails()));
        }
    }

    /// <summary>Fails an open task.</summary>
    public void Fail(int id, Exception failure)
    {
        if (_open.Remove(id, out var task))
        {
            task.Source.TrySetException(failure);
        }
    }

    /// <summary>History says that a step was taken: it must be one that the code asked for.</summary>
    /// <exception cref="DeterminismMismatchException">The code asked for something else, or for nothing.</exception>
    public void Confirm(HistoryEvent step)
    {
        Determinism.Check(step, _pending.GetValueOrDefault(step.EventId));
        _pending.Remove(step.EventId);
    }

    /// <summary>Suspended: what is pending waits until resumed.</summary>
    public void SetAside()
    {
        foreach (var (id, action) in _pending)
        {
            _setAside.Add(id, action);
        }

        _pending.Clear();
    }

    /// <summary>Resumed: what was set aside is pending again.</summary>
    public void Restore()
    {
        foreach (var (id, action) in _setAside)
        {
            _pending.Add(id, action);
        }

        _setAside.Clear();
    }

    /// <summary>Forgets what is pending: it must not be done.</summary>
    public void DropPending() => _pending.Clear();

    /// <summary>Takes what is pending, in the order of the ids; it counts as confirmed from here on.</summary>
    public IReadOnlyList<OrchestratorAction> TakePending()
    {
        var actions = _pending.Values.OrderBy(static action => action.Id).ToList();
        _pending.Clear();
        return actions;
    }

    private TaskCompletionSource<string?> Open(int id, string name)
    {
        var source = new TaskCompletionSource<string?>();
        _open.Add(id, new OpenTask(name, source));
        return source;
    }

    private sealed record OpenTask(string Name, TaskCompletionSource<string?> Source);
}
