namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>Wakes whoever waits for a change of an instance. It says that something may have changed, not what.</summary>
internal sealed class ChangeSignals
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, List<TaskCompletionSource>> _waiters = new(StringComparer.Ordinal);

    /// <summary>Runs a look at an instance until it says yes: at once, and after each change from now on.</summary>
    public async Task WaitAsync(string instanceId, Func<Task<bool>> look, CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Add(instanceId, changed);
            try
            {
                if (await look())
                {
                    return;
                }

                await changed.Task.WaitAsync(cancellationToken);
            }
            finally
            {
                Remove(instanceId, changed);
            }
        }
    }

    public void Signal(IEnumerable<string> instanceIds)
    {
        lock (_gate)
        {
            foreach (var id in instanceIds)
            {
                if (_waiters.TryGetValue(id, out var waiters))
                {
                    waiters.ForEach(waiter => waiter.TrySetResult());
                }
            }
        }
    }

    public void SignalAll()
    {
        lock (_gate)
        {
            foreach (var waiter in _waiters.Values.SelectMany(waiters => waiters))
            {
                waiter.TrySetResult();
            }
        }
    }

    public void FailAll(Exception cause)
    {
        lock (_gate)
        {
            foreach (var waiter in _waiters.Values.SelectMany(waiters => waiters))
            {
                waiter.TrySetException(cause);
            }
        }
    }

    private void Add(string instanceId, TaskCompletionSource waiter)
    {
        lock (_gate)
        {
            if (!_waiters.TryGetValue(instanceId, out var waiters))
            {
                _waiters[instanceId] = waiters = [];
            }

            waiters.Add(waiter);
        }
    }

    private void Remove(string instanceId, TaskCompletionSource waiter)
    {
        lock (_gate)
        {
            if (_waiters.TryGetValue(instanceId, out var waiters) && waiters.Remove(waiter) && waiters.Count == 0)
            {
                _waiters.Remove(instanceId);
            }
        }
    }
}
