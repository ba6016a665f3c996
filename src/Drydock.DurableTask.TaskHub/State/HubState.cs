using Drydock.DurableTask.TaskHub.Dispatch;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>
/// The state of the hub: the store, and an image of what is active in memory, changed together inside one transaction. If that
/// transaction fails, the image is thrown away and loaded again, as after a crash. Used by the hub's thread only.
/// </summary>
internal sealed partial class HubState(IHubStore store, ICrashPoints crashPoints, TaskHubOptions options)
{
    private readonly Dictionary<string, Instance> _byId = [];
    private readonly Dictionary<long, Instance> _byKey = [];
    private readonly ChunkBuilder _chunk = new();
    private int _trimmedTo;

    public LargePayloads Payloads { get; } = new(store, options.LargePayloadThreshold);

    public ReadyQueue<Instance> Turns { get; } = new();

    public ReadyQueue<ActivityUnit> Activities { get; } = new();

    /// <summary>The instances that the transaction changed.</summary>
    public HashSet<string> Changed { get; } = [];

    /// <summary>The hand-outs that the transaction ends.</summary>
    public List<HandOut> Ending { get; } = [];

    /// <summary>The tokens of activities in hand whose result nobody waits for any more because of the transaction.</summary>
    public List<string> Lost { get; } = [];

    /// <summary>The number of the transaction.</summary>
    public long Batch { get; private set; }

    /// <summary>How many turns were handed out inside the transaction and not answered yet.</summary>
    public int Speculated { get; set; }

    /// <summary>The time of the transaction.</summary>
    public DateTime Now { get; private set; }

    /// <summary>Starts a transaction: what waited for its time and is due becomes ready.</summary>
    public void BeginBatch(DateTime now)
    {
        Now = now;
        Batch++;
        Speculated = 0;
        while (store.TryTakeDue(now, out var due))
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
        var (instances, activities) = store.LoadActive(now);
        foreach (var key in instances)
        {
            // Whoever had this work may have died of it.
            Find(key)?.IsSuspect = true;
        }

        foreach (var unit in activities)
        {
            unit.IsSuspect = true;
            Activities.Add(unit);
        }
    }

    public Instance? Find(string id) => _byId.TryGetValue(id, out var instance) ? instance : Remember(store.Find(id));

    public Instance? Find(long key) => _byKey.TryGetValue(key, out var instance) ? instance : Remember(store.Find(key));

    /// <summary>What is in memory; right after a transaction, that is every instance it changed.</summary>
    public Instance? FindActive(string id) => _byId.GetValueOrDefault(id);

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

    /// <summary>Forgets what has ended in the last transaction: hardly anybody asks for it again, and whatever is kept the garbage collector looks at.</summary>
    public void ForgetFinished()
    {
        foreach (var id in Changed)
        {
            if (FindActive(id) is { IsFinished: true, Phase: Phase.Idle } instance)
            {
                Forget(instance);
            }
        }
    }

    private Instance? Remember(Instance? instance)
    {
        if (instance is null)
        {
            return null;
        }

        _byId.Add(instance.Id, instance);
        _byKey.Add(instance.Key, instance);
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
        Turns.Clear();
        Entities.Clear();
        Activities.Clear();
        Changed.Clear();
        Ending.Clear();
        Lost.Clear();
        _trimmedTo = 0;
    }
}
