using Drydock.DurableTask.TaskHub.State;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>Who waits for an instance to start or to finish. Used by the hub's thread only.</summary>
internal sealed class Waiters
{
    private readonly Dictionary<string, List<Waiter>> _waiters = [];

    /// <summary>Completes when the instance exists and is as wanted; at once if it is already.</summary>
    public Waiter Add(string instanceId, Func<Instance, bool> isReached, HubState state)
    {
        var waiter = new Waiter(instanceId, isReached);
        if (!waiter.TryComplete(state.Find(instanceId)))
        {
            if (!_waiters.TryGetValue(instanceId, out var list))
            {
                _waiters[instanceId] = list = [];
            }

            list.Add(waiter);
        }

        return waiter;
    }

    public void Remove(Waiter waiter)
    {
        if (_waiters.TryGetValue(waiter.InstanceId, out var list) && list.Remove(waiter) && list.Count == 0)
        {
            _waiters.Remove(waiter.InstanceId);
        }
    }

    public void Signal(IEnumerable<string> changed, HubState state)
    {
        if (_waiters.Count == 0)
        {
            return;
        }

        foreach (var id in changed)
        {
            if (!_waiters.TryGetValue(id, out var list))
            {
                continue;
            }

            list.RemoveAll(waiter => waiter.TryComplete(state.FindActive(id)));
            if (list.Count == 0)
            {
                _waiters.Remove(id);
            }
        }
    }

    public void FailAll(Exception cause)
    {
        foreach (var waiter in _waiters.Values.SelectMany(list => list))
        {
            waiter.Fail(cause);
        }

        _waiters.Clear();
    }

    internal sealed class Waiter(string instanceId, Func<Instance, bool> isReached)
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string InstanceId { get; } = instanceId;

        public Task Reached => _reached.Task;

        public bool TryComplete(Instance? instance)
        {
            if (instance is not { Exists: true } || !isReached(instance))
            {
                return false;
            }

            _reached.TrySetResult();
            return true;
        }

        public void Fail(Exception cause) => _reached.TrySetException(cause);
    }
}
