namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>
/// Work that waits for a worker, first in first out among what the worker takes. One queue per name and version, so that a worker
/// that takes only some names does not search through the work of others.
/// </summary>
internal sealed class ReadyQueue<T>
    where T : WorkUnit
{
    private readonly Dictionary<(string Name, string Version), Queue<(long Order, T Unit)>> _queues = [];
    private long _order;

    /// <summary>How many units are ready.</summary>
    public int Count { get; private set; }

    public void Add(T unit)
    {
        var name = (unit.Name, unit.Version ?? "");
        if (!_queues.TryGetValue(name, out var queue))
        {
            _queues[name] = queue = new Queue<(long, T)>();
        }

        unit.Phase = Phase.Ready;
        queue.Enqueue((_order++, unit));
        Count++;
    }

    /// <summary>The unit is not ready any more; its place in the queue is skipped later.</summary>
    public void Withdraw(T unit, Phase phase)
    {
        if (unit.Phase == Phase.Ready)
        {
            Count--;
        }

        unit.Phase = phase;
    }

    /// <summary>Takes the unit that waits longest of those the filter lets through.</summary>
    public bool TryTake(NameFilter? filter, out T unit)
    {
        Queue<(long Order, T Unit)>? oldest = null;
        List<(string, string)>? empty = null;
        foreach (var (name, queue) in _queues)
        {
            while (queue.TryPeek(out var head) && head.Unit.Phase != Phase.Ready)
            {
                queue.Dequeue();
            }

            if (queue.Count == 0)
            {
                (empty ??= []).Add(name);
            }
            else if ((oldest is null || queue.Peek().Order < oldest.Peek().Order) && filter?.Takes(name.Name, name.Version) != false)
            {
                oldest = queue;
            }
        }

        empty?.ForEach(name => _queues.Remove(name));
        unit = oldest?.Dequeue().Unit!;
        if (oldest is null)
        {
            return false;
        }

        Count--;
        unit.Phase = Phase.InHand;
        return true;
    }

    public void Clear()
    {
        _queues.Clear();
        Count = 0;
    }
}
