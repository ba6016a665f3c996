using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.Sqlite;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>
/// The state of the hub: the store, and an image of what is active in memory, changed together inside one transaction. If that
/// transaction fails, the image is thrown away and loaded again, as after a crash. Used by the hub's thread only.
/// </summary>
internal sealed partial class HubState(HubWriter writer, ICrashPoints crashPoints)
{
    private readonly Dictionary<string, Instance> _byId = [];
    private readonly Dictionary<long, Instance> _byKey = [];
    private readonly Dictionary<long, ActivityUnit> _activities = [];
    private readonly ChunkBuilder _chunk = new();
    private long _nextSeq;
    private int _trimmedTo;

    public TimerQueue Timers { get; } = new();

    public ReadyQueue<Instance> Turns { get; } = new();

    public ReadyQueue<ActivityUnit> Activities { get; } = new();

    /// <summary>The instances that the transaction changed.</summary>
    public HashSet<string> Changed { get; } = [];

    /// <summary>The hand-outs that the transaction ends.</summary>
    public List<HandOut> Ending { get; } = [];

    /// <summary>The tokens of activities in hand whose result nobody waits for any more because of the transaction.</summary>
    public List<string> Lost { get; } = [];

    /// <summary>The time of the transaction.</summary>
    public DateTime Now { get; private set; }

    /// <summary>Starts a transaction: what waited for its time and is due becomes ready.</summary>
    public void BeginBatch(DateTime now)
    {
        Now = now;
        while (Timers.TryTake(now, out var due))
        {
            if (_byKey.TryGetValue(due.InstanceKey, out var instance))
            {
                instance.Inbox.Add(new Message(due.Seq, due.Flags));
                MakeReady(instance);
            }
            else
            {
                // Loading it finds the message, because it is no longer among the timers.
                Find(due.InstanceKey);
            }
        }
    }

    /// <summary>Builds the image from the store.</summary>
    public void Load(DateTime now)
    {
        Clear();
        Now = now;
        LoadLocks();
        var messages = writer.AllMessages();
        foreach (var place in messages)
        {
            _nextSeq = Math.Max(_nextSeq, place.Seq + 1);
            if (Waits(place))
            {
                Timers.Add(place);
            }
        }

        foreach (var place in messages.Where(place => !Waits(place)))
        {
            Find(place.InstanceKey);
        }

        foreach (var unit in writer.AllTasks())
        {
            _nextSeq = Math.Max(_nextSeq, unit.Seq + 1);
            _activities.Add(unit.Seq, unit);
            Activities.Add(unit);
        }
    }

    public Instance? Find(string id) => _byId.TryGetValue(id, out var instance) ? instance : Remember(writer.Find(id));

    public Instance? Find(long key) => _byKey.TryGetValue(key, out var instance) ? instance : Remember(writer.Find(key));

    /// <summary>What is in memory; right after a transaction, that is every instance it changed.</summary>
    public Instance? FindActive(string id) => _byId.GetValueOrDefault(id);

    public ActivityUnit? FindActivity(long seq) => _activities.GetValueOrDefault(seq);

    /// <summary>Forgets instances that have nothing to do, once there are too many.</summary>
    public void Trim(int limit)
    {
        if (_byKey.Count <= Math.Max(limit, _trimmedTo * 2))
        {
            return;
        }

        foreach (var instance in _byKey.Values.Where(instance => instance.Phase == Phase.Idle).ToList())
        {
            Forget(instance);
        }

        // What is left has work; looking through it again after every transaction would cost more than it saves.
        _trimmedTo = _byKey.Count;
    }

    private bool Waits(TimerQueue.Entry place) => place.Flags.HasFlag(MessageFlags.Waits) && place.Due > Now.Ticks;

    private Instance? Remember(Instance? instance)
    {
        if (instance is null)
        {
            return null;
        }

        _byId.Add(instance.Id, instance);
        _byKey.Add(instance.Key, instance);
        if (IsEntity(instance.Id) && instance.Exists)
        {
            instance.Entity = writer.ReadEntity(instance.Key);
        }

        foreach (var place in writer.MessagesOf(instance.Key).Where(place => !Timers.Contains(place)))
        {
            instance.Inbox.Add(new Message(place.Seq, place.Flags));
        }

        MakeReady(instance);
        return instance;
    }

    private void Forget(Instance instance)
    {
        _byId.Remove(instance.Id);
        _byKey.Remove(instance.Key);
    }

    private void MakeReady(Instance instance)
    {
        if (instance.IsEntity)
        {
            Advance(instance);
        }
        else if (instance.Phase == Phase.Idle && instance.CanTakeTurn)
        {
            Turns.Add(instance);
        }
    }

    private void Clear()
    {
        _byId.Clear();
        _byKey.Clear();
        _activities.Clear();
        Timers.Clear();
        Turns.Clear();
        Entities.Clear();
        Activities.Clear();
        Changed.Clear();
        Ending.Clear();
        Lost.Clear();
        _nextSeq = 1;
        _trimmedTo = 0;
    }
}
