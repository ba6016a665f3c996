using System.Collections.Immutable;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.State;
using Google.Protobuf;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>
/// A store in memory that keeps what <see cref="IHubStore"/> promises, and fails where it is told to: before a transaction, in it,
/// and after it took effect. A process that dies leaves <see cref="Committed"/>, from which another opens.
/// </summary>
internal sealed class MemoryStore(MemoryImage committed, ICrashPoints faults) : IHubStore
{
    private readonly Dictionary<long, ActivityUnit> _activities = [];
    private readonly Dictionary<string, HashSet<long>> _locks = new(StringComparer.Ordinal);
    private MemoryImage _image = committed;
    private bool _begun;
    private long _nextSeq = 1;

    /// <summary>What another process would find.</summary>
    public MemoryImage Committed { get; private set; } = committed;

    public TimerQueue Timers { get; } = new();

    public void Commit()
    {
        if (!_begun)
        {
            return;
        }

        faults.Hit(CrashPoints.CommitBeforeCommit);
        Committed = _image;
        _begun = false;
        faults.Hit(CrashPoints.CommitAfterCommit);
    }

    public void Rollback()
    {
        _image = Committed;
        _begun = false;
    }

    public long NextSeq() => _nextSeq++;

    public (IReadOnlyList<long> Instances, IReadOnlyList<ActivityUnit> Activities) LoadActive(DateTime now)
    {
        Timers.Clear();
        _activities.Clear();
        _locks.Clear();
        _nextSeq = 1;
        List<(MessageRecord Message, long Key)> active = [];
        foreach (var (key, inbox) in _image.Inboxes)
        {
            foreach (var message in inbox)
            {
                _nextSeq = Math.Max(_nextSeq, message.Seq + 1);
                if (message.Flags.HasFlag(MessageFlags.Waits) && message.ArrivesAt > now)
                {
                    Timers.Add(message.Place(key));
                }
                else
                {
                    active.Add((message, key));
                }
            }
        }

        foreach (var (seq, task) in _image.Tasks)
        {
            _nextSeq = Math.Max(_nextSeq, seq + 1);
            _activities.Add(seq, task.ToUnit());
        }

        foreach (var (key, entity) in _image.Entities.Where(one => one.Value.LockedBy is not null))
        {
            LocksOf(entity.LockedBy!).Add(key);
        }

        active.Sort(static (one, other) => MessageRecord.ByArrival.Compare(one.Message, other.Message));
        return ([.. active.Select(one => one.Key)], [.. _activities.OrderBy(one => one.Key).Select(one => one.Value)]);
    }

    public bool TryTakeDue(DateTime now, out TimerQueue.Entry due) => Timers.TryTake(now, out due);

    public Instance? Find(string id) => _image.Ids.TryGetValue(id, out var key) ? Find(key) : null;

    public Instance? Find(long key)
    {
        if (!_image.Instances.TryGetValue(key, out var record))
        {
            return null;
        }

        var instance = record.ToInstance();
        if (_image.Entities.TryGetValue(key, out var entity))
        {
            instance.Entity = new EntityState { State = entity.State, LockedBy = entity.LockedBy, CriticalSection = entity.CriticalSection };
        }

        instance.Inbox.AddRange(_image.Inbox(key).Where(message => !Timers.Contains(message.Place(key))).Select(message => new Message(message.Seq, message.Flags)));
        return instance;
    }

    public long InsertInstance(string id, OrchestrationStatus status, string executionId, ExecutionStartedEvent started, long? parentKey, DateTime now)
    {
        var key = Begun.LastKey + 1;
        if (_image.Ids.ContainsKey(id))
        {
            throw new InvalidOperationException($"There is already a row for '{id}'.");
        }

        var record = new InstanceRecord(key, id, parentKey) { Status = status, ExecutionId = executionId, UpdatedAt = now };
        _image = _image with { LastKey = key, Instances = _image.Instances.Add(key, record), Ids = _image.Ids.Add(id, key) };
        return key;
    }

    public void InsertValues(long key, string? input, ExecutionStartedEvent startedWithoutInput) => UpdateStart(key, input, startedWithoutInput);

    public void UpdateInstance(Instance instance, string? customStatus, DateTime? completedAt) => Change(instance.Key, record => record with
    {
        Status = instance.Status,
        ExecutionId = instance.ExecutionId,
        Generation = instance.Generation,
        UpdatedAt = instance.UpdatedAt,
        CompletedAt = completedAt,
        HistoryLength = instance.HistoryLength,
        HistoryBytes = instance.HistoryBytes,
        CustomStatus = customStatus,
        Trace = instance.Trace?.ToByteArray(),
    });

    public void UpdateResult(long key, string? output, Failure? failure) =>
        Change(key, record => record with { Output = output, FailureBytes = failure?.ToByteArray() });

    public void UpdateStart(long key, string? input, ExecutionStartedEvent startedWithoutInput) =>
        Change(key, record => record with { Input = input, Started = startedWithoutInput.ToByteArray() });

    public void DeleteInstance(long key)
    {
        var id = Begun.Instances[key].Id;
        _image = _image with { Instances = _image.Instances.Remove(key), Ids = _image.Ids.Remove(id) };
        ForgetDeliveries(key, 0);
    }

    public List<long> Children(long parentKey) => [.. _image.Instances.Values.Where(record => record.ParentKey == parentKey).Select(record => record.Key)];

    public string? ReadInput(long key) => _image.Instances[key].Input;

    public string? ReadOutput(long key) => _image.Instances[key].Output;

    public string? ReadCustomStatus(long key) => _image.Instances[key].CustomStatus;

    public void InsertHistory(long key, long seq, ReadOnlySpan<byte> payload)
    {
        var chunk = payload.ToArray();
        Change(key, record =>
        {
            // The sequence of a chunk is the number of the events before it; SQL has it as the primary key.
            var before = record.Events().Count();
            return before == seq
                ? record with { History = record.History.Add(chunk) }
                : throw new InvalidOperationException($"The history of '{record.Id}' has {before} events, and the next are said to begin at {seq}.");
        });
    }

    public void DeleteHistory(long key) => Change(key, record => record with { History = [] });

    public IEnumerable<HistoryEvent> ReadHistory(long key) => _image.Instances[key].Events();

    public void WritePayload(long instanceKey, string payloadKey, string content)
    {
        if (payloadKey == LargePayloads.CustomStatus || !_image.Payloads.ContainsKey((instanceKey, payloadKey)))
        {
            _image = Begun with { Payloads = _image.Payloads.SetItem((instanceKey, payloadKey), content) };
        }
    }

    public string ReadPayload(long instanceKey, string payloadKey) => _image.Payloads[(instanceKey, payloadKey)];

    public void MovePayloads(long from, long to)
    {
        foreach (var ((_, payloadKey), content) in _image.Payloads.Where(payload => payload.Key.Key == from))
        {
            WritePayload(to, payloadKey, content);
        }

        DeletePayloads(from);
    }

    public void DeleteUnusedPayloads(long instanceKey)
    {
        var used = _image.Inbox(instanceKey).Select(message => message.PayloadKey)
            .Concat(_image.Tasks.Values.Where(task => task.Key == instanceKey).Select(task => task.PayloadKey)).ToHashSet();
        DeletePayloads(instanceKey, payloadKey => !used.Contains(payloadKey));
    }

    public void DeletePayloads(long instanceKey) => DeletePayloads(instanceKey, static _ => true);

    public bool InsertMessage(
        Instance target, long seq, DateTime arrivesAt, MessageFlags flags, long? generation, byte[] payload, string? payloadKey)
    {
        var message = new MessageRecord(seq, arrivesAt, flags, generation, payload, payloadKey);
        _image = Begun.WithInbox(target.Key, _image.Inbox(target.Key).Add(message));
        if (!flags.HasFlag(MessageFlags.Waits))
        {
            return true;
        }

        Timers.Add(message.Place(target.Key));
        return false;
    }

    public void DeleteMessage(long key, long seq) => DeleteMessages(key, message => message.Seq == seq);

    public void DeleteMessages(long key) => DeleteMessages(key, static _ => true);

    public List<Message> DeleteBoundMessages(Instance instance)
    {
        var gone = DeleteMessages(instance.Key, static message => message.Generation is not null);
        return instance.Inbox.FindAll(message => !gone.Contains(message.Seq));
    }

    public IReadOnlyList<Message> Arrived(Instance instance) => instance.Inbox;

    public void MoveMessage(long key, long seq, Instance target, long newSeq, DateTime arrivesAt)
    {
        var message = Begun.Inbox(key).Single(one => one.Seq == seq);
        _image = _image.WithInbox(key, _image.Inbox(key).Remove(message));
        _image = _image.WithInbox(target.Key, _image.Inbox(target.Key).Add(message with { Seq = newSeq, ArrivesAt = arrivesAt }));
    }

    public bool HasMessages(long key) => !_image.Inbox(key).IsEmpty;

    public byte[] ReadMessage(long key, long seq) => _image.Inbox(key).Single(message => message.Seq == seq).Payload;

    public byte[] ReadStart(long key) => _image.Inbox(key).First(message => message.Flags.HasFlag(MessageFlags.Starts)).Payload;

    public void InsertTask(ActivityUnit unit, ActivityRequest stored)
    {
        _image = Begun with { Tasks = _image.Tasks.Add(unit.Seq, TaskRecord.Of(unit, stored)) };
        _activities.Add(unit.Seq, unit);
    }

    public void DeleteTask(ActivityUnit unit)
    {
        _image = Begun with { Tasks = _image.Tasks.Remove(unit.Seq) };
        ForgetDeliveries(unit.InstanceKey, unit.Seq);
        _activities.Remove(unit.Seq);
    }

    public void WriteProgress(ActivityUnit unit) =>
        _image = Begun with { Tasks = _image.Tasks.SetItem(unit.Seq, _image.Tasks[unit.Seq] with { Progress = unit.Progress }) };

    public IReadOnlyList<ActivityUnit> DeleteTasks(long key)
    {
        List<ActivityUnit> units = [.. _activities.Values.Where(unit => unit.InstanceKey == key).OrderBy(unit => unit.Seq)];
        units.ForEach(DeleteTask);
        return units;
    }

    public ActivityUnit? FindTask(long key, long seq) => _activities.GetValueOrDefault(seq);

    public HashSet<int> TaskIds(long key) =>
        [.. _image.Tasks.Values.Where(task => task.Key == key).Select(task => ActivityRequest.Parser.ParseFrom(task.Request).TaskId)];

    public ActivityRequest ReadTask(long key, long seq) => ActivityRequest.Parser.ParseFrom(_image.Tasks[seq].Request);

    public int CountDelivery(long key, long seq, bool wasLost)
    {
        var before = Math.Max(Begun.Deliveries.GetValueOrDefault((key, seq)), wasLost ? 1 : 0);
        _image = _image with { Deliveries = _image.Deliveries.SetItem((key, seq), before + 1) };
        return before;
    }

    public int UncountDelivery(long key, long seq)
    {
        var left = Math.Max(0, Begun.Deliveries.GetValueOrDefault((key, seq)) - 1);
        _image = _image with { Deliveries = left > 0 ? _image.Deliveries.SetItem((key, seq), left) : _image.Deliveries.Remove((key, seq)) };
        return left;
    }

    public void ForgetDeliveries(long key, long seq) => _image = Begun with { Deliveries = _image.Deliveries.Remove((key, seq)) };

    public void WriteEntity(long key, EntityState entity, DateTime now) => _image = Begun with
    {
        Entities = _image.Entities.SetItem(key, new EntityRecord(entity.State, entity.LockedBy, entity.CriticalSection)),
    };

    public void DeleteEntity(long key) => _image = Begun with { Entities = _image.Entities.Remove(key) };

    public void AddLock(Instance orchestration, long entityKey) => LocksOf(orchestration.Id).Add(entityKey);

    public void RemoveLock(string orchestrationId, long entityKey) => LocksOf(orchestrationId).Remove(entityKey);

    public IReadOnlyCollection<long> LocksOf(Instance orchestration) => [.. LocksOf(orchestration.Id).Order()];

    private void DeletePayloads(long instanceKey, Func<string, bool> isGone) => _image = Begun with
    {
        Payloads = _image.Payloads.RemoveRange(
            _image.Payloads.Keys.Where(payload => payload.Key == instanceKey && isGone(payload.PayloadKey))),
    };

    private MemoryImage Begun
    {
        get
        {
            if (!_begun)
            {
                faults.Hit(CrashPoints.CommitBeforeBegin);
                _begun = true;
                faults.Hit(CrashPoints.CommitAfterBegin);
            }

            return _image;
        }
    }

    private HashSet<long> LocksOf(string id)
    {
        if (!_locks.TryGetValue(id, out var held))
        {
            _locks[id] = held = [];
        }

        return held;
    }

    private void Change(long key, Func<InstanceRecord, InstanceRecord> change) =>
        _image = Begun with { Instances = _image.Instances.SetItem(key, change(_image.Instances[key])) };

    private HashSet<long> DeleteMessages(long key, Func<MessageRecord, bool> isGone)
    {
        var gone = Begun.Inbox(key).Where(isGone).ToList();
        gone.ForEach(message => Timers.Remove(message.Place(key)));
        _image = _image.WithInbox(key, _image.Inbox(key).Except(gone));
        return [.. gone.Select(message => message.Seq)];
    }
}
