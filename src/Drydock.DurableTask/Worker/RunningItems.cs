using System.Collections.Concurrent;

namespace Drydock.DurableTask.Worker;

/// <summary>The work items in hand.</summary>
internal sealed class RunningItems
{
    private readonly ConcurrentDictionary<Task, byte> _running = new();

    /// <summary>How many there are.</summary>
    public int Count => _running.Count;

    /// <summary>Runs an item beside the others. It must handle its own failures.</summary>
    public void Start(Func<Task> run)
    {
        var task = Task.Run(run);
        _running.TryAdd(task, 0);
        _ = task.ContinueWith(
            ended => _running.TryRemove(ended, out _),
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    /// <summary>Waits until none is left; false if the time is over before.</summary>
    public async Task<bool> WaitAsync(TimeSpan timeout, TimeProvider clock)
    {
        try
        {
            await Task.WhenAll(_running.Keys).WaitAsync(timeout, clock);
            return true;
        }
        catch (TimeoutException)
        {
            return _running.IsEmpty;
        }
    }
}
