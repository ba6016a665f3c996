namespace Drydock.Simulator.Controllers;

/// <summary>A key of a controller.</summary>
internal readonly record struct Work(IController Controller, ObjectKey Key);

/// <summary>When to look at which key again: at most one time per key, the one said last.</summary>
internal sealed class LookAgainQueue
{
    private readonly Dictionary<Work, (DateTimeOffset Due, long Order)> _due = [];
    private readonly PriorityQueue<(Work Work, long Order), (DateTimeOffset Due, long Order)> _queue = new();
    private long _order;

    /// <summary>The earliest time, or null if there is none.</summary>
    public DateTimeOffset? Next
    {
        get
        {
            DropReplaced();
            return _queue.TryPeek(out _, out var at) ? at.Due : null;
        }
    }

    /// <summary>Sets the time of a key, or clears it if null.</summary>
    public void Set(Work work, DateTimeOffset? due)
    {
        if (due is not { } time)
        {
            _due.Remove(work);
            return;
        }

        var entry = (time, ++_order);
        _due[work] = entry;
        _queue.Enqueue((work, entry.Item2), entry);
    }

    /// <summary>Takes the earliest key that is due, or null.</summary>
    public Work? TakeDue(DateTimeOffset now)
    {
        DropReplaced();
        if (!_queue.TryPeek(out var first, out var at) || at.Due > now)
        {
            return null;
        }

        _queue.Dequeue();
        _due.Remove(first.Work);
        return first.Work;
    }

    private void DropReplaced()
    {
        while (_queue.TryPeek(out var first, out _)
            && !(_due.TryGetValue(first.Work, out var current) && current.Order == first.Order))
        {
            _queue.Dequeue();
        }
    }
}
