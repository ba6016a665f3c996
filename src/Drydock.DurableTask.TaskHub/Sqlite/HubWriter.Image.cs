using Drydock.DurableTask.TaskHub.Dispatch;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>What is known of the file without reading it: one process has it, so memory and file cannot differ.</summary>
internal sealed partial class HubWriter
{
    private readonly Dictionary<long, ActivityUnit> _activities = [];
    private readonly Dictionary<string, HashSet<long>> _locks = new(StringComparer.Ordinal);
    private long _nextSeq = 1;

    /// <summary>The messages that wait for their time.</summary>
    public TimerQueue Timers { get; } = new();

    public long NextSeq() => _nextSeq++;

    public (IReadOnlyList<long> Instances, IReadOnlyList<ActivityUnit> Activities) LoadActive(DateTime now)
    {
        Timers.Clear();
        _activities.Clear();
        _nextSeq = 1;
        LoadLocks();
        LoadDeliveries();
        List<long> active = [];
        foreach (var place in Places(_allMessages))
        {
            _nextSeq = Math.Max(_nextSeq, place.Seq + 1);
            if (place.Flags.HasFlag(MessageFlags.Waits) && place.Due > now.Ticks)
            {
                Timers.Add(place);
            }
            else
            {
                active.Add(place.InstanceKey);
            }
        }

        var units = AllTasks();
        foreach (var unit in units)
        {
            _nextSeq = Math.Max(_nextSeq, unit.Seq + 1);
            _activities.Add(unit.Seq, unit);
        }

        return (active, units);
    }

    public bool TryTakeDue(DateTime now, out TimerQueue.Entry due) => Timers.TryTake(now, out due);

    public ActivityUnit? FindTask(long key, long seq) => _activities.GetValueOrDefault(seq);

    public HashSet<int> TaskIds(long key) => _activities.Values
        .Where(unit => unit.InstanceKey == key)
        .Select(unit => (unit.Request ?? ReadTask(unit.InstanceKey, unit.Seq)).TaskId)
        .ToHashSet();

    public void AddLock(Instance orchestration, long entityKey) => AddLock(orchestration.Id, entityKey);

    public void RemoveLock(string orchestrationId, long entityKey)
    {
        if (_locks.TryGetValue(orchestrationId, out var held) && held.Remove(entityKey) && held.Count == 0)
        {
            _locks.Remove(orchestrationId);
        }
    }

    public IReadOnlyCollection<long> LocksOf(Instance orchestration) =>
        _locks.TryGetValue(orchestration.Id, out var held) ? [.. held] : [];

    private void AddLock(string orchestrationId, long entityKey)
    {
        if (!_locks.TryGetValue(orchestrationId, out var held))
        {
            _locks[orchestrationId] = held = [];
        }

        held.Add(entityKey);
    }

    private void LoadLocks()
    {
        _locks.Clear();
        foreach (var (key, holder) in LockedEntities())
        {
            AddLock(holder, key);
        }
    }

    /// <summary>The instance with its inbox and, if it is an entity, its state.</summary>
    private Instance? WithInbox(Instance? instance)
    {
        if (instance is null)
        {
            return null;
        }

        if (instance.Id.StartsWith('@') && instance.Exists)
        {
            instance.Entity = ReadEntity(instance.Key);
        }

        // What is no longer among the timers has arrived.
        foreach (var place in Places(_messagesOf.Bind(1, instance.Key)).Where(place => !Timers.Contains(place)))
        {
            instance.Inbox.Add(new Message(place.Seq, place.Flags));
        }

        return instance;
    }
}
