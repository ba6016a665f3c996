using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;

namespace Drydock.DurableTask.TaskHub.Sqlite;

internal sealed partial class HubWriter
{
    private Statement _insertMessage = null!;
    private Statement _deleteMessage = null!;
    private Statement _deleteMessages = null!;
    private Statement _deleteBoundMessages = null!;
    private Statement _moveMessage = null!;
    private Statement _messagesOf = null!;
    private Statement _readMessage = null!;
    private Statement _allMessages = null!;
    private Statement _insertTask = null!;
    private Statement _deleteTask = null!;
    private Statement _deleteTasks = null!;
    private Statement _readTask = null!;
    private Statement _allTasks = null!;
    private Statement _writeProgress = null!;

    public bool InsertMessage(
        Instance target, long seq, DateTime arrivesAt, MessageFlags flags, long? generation, byte[] payload, string? payloadKey)
    {
        var message = new Unstored(target.Key, seq, arrivesAt, flags, generation, payload, payloadKey);
        if (!flags.HasFlag(MessageFlags.Waits))
        {
            Keep(message);
            return true;
        }

        Insert(message);
        Timers.Add(new TimerQueue.Entry(arrivesAt.Ticks, seq, target.Key, flags));
        return false;
    }

    public void DeleteMessage(long key, long seq)
    {
        if (Forget(key, seq))
        {
            return;
        }

        Begin();
        _deleteMessage.Bind(1, key).Bind(2, seq).Execute();
    }

    public void DeleteMessages(long key)
    {
        _unstored.Remove(key);
        Delete(_deleteMessages, key);
    }

    public List<Message> DeleteBoundMessages(Instance instance)
    {
        Store(instance.Key);
        var gone = Delete(_deleteBoundMessages, instance.Key).Select(place => place.Seq).ToHashSet();
        return instance.Inbox.FindAll(message => !gone.Contains(message.Seq));
    }

    public IReadOnlyList<Message> Arrived(Instance instance) => instance.Inbox;

    public void MoveMessage(long key, long seq, Instance target, long newSeq, DateTime arrivesAt)
    {
        Store(key);
        Begin();
        _moveMessage.Bind(1, key).Bind(2, seq).Bind(3, target.Key).Bind(4, newSeq).Bind(5, arrivesAt.Ticks).Execute();
    }

    public bool HasMessages(long key) => _unstored.ContainsKey(key) || Places(_messagesOf.Bind(1, key)).Count > 0;

    public byte[] ReadStart(long key)
    {
        Store(key);
        return ReadMessage(key, Places(_messagesOf.Bind(1, key)).First(place => place.Flags.HasFlag(MessageFlags.Starts)).Seq);
    }

    public byte[] ReadMessage(long key, long seq)
    {
        Store(key);
        _readMessage.Bind(1, key).Bind(2, seq).Step();
        var payload = _readMessage.Blob(0);
        _readMessage.Reset();
        return payload;
    }

    public void InsertTask(ActivityUnit unit, ActivityRequest stored)
    {
        Begin();
        _insertTask
            .Bind(1, unit.InstanceKey).Bind(2, unit.Seq).Bind(3, unit.Generation).Bind(4, unit.Name).Bind(5, unit.Version)
            .Bind(6, Bytes(stored)).Bind(7, State.LargePayloads.KeyIn(stored.Input)).Execute();
        _activities.Add(unit.Seq, unit);
    }

    public void DeleteTask(ActivityUnit unit)
    {
        Begin();
        _deleteTask.Bind(1, unit.InstanceKey).Bind(2, unit.Seq).Execute();
        ForgetDeliveries(unit.InstanceKey, unit.Seq);
        _activities.Remove(unit.Seq);
    }

    public IReadOnlyList<ActivityUnit> DeleteTasks(long key)
    {
        Begin();
        List<ActivityUnit> units = [];
        _deleteTasks.Bind(1, key);
        while (_deleteTasks.Step())
        {
            if (_activities.Remove(_deleteTasks.Int64(0), out var unit))
            {
                ForgetDeliveries(key, unit.Seq);
                units.Add(unit);
            }
        }

        _deleteTasks.Reset();
        return units;
    }

    public void WriteProgress(ActivityUnit unit)
    {
        Begin();
        _writeProgress.Bind(1, unit.InstanceKey).Bind(2, unit.Seq).Bind(3, unit.Progress).Bind(4, unit.ProgressAt.Ticks).Execute();
    }

    public ActivityRequest ReadTask(long key, long seq)
    {
        _readTask.Bind(1, key).Bind(2, seq).Step();
        var request = ActivityRequest.Parser.ParseFrom(_readTask.Blob(0));
        _readTask.Reset();
        return request;
    }

    /// <summary>All activities of all instances in the order they were scheduled, without contents.</summary>
    private List<ActivityUnit> AllTasks()
    {
        var tasks = new List<ActivityUnit>();
        while (_allTasks.Step())
        {
            tasks.Add(new ActivityUnit(
                _allTasks.Int64(0), _allTasks.Int64(1), _allTasks.Int64(2), _allTasks.Text(3), _allTasks.TextOrNull(4))
            {
                Progress = _allTasks.TextOrNull(5),
            });
        }

        _allTasks.Reset();
        return tasks;
    }

    private List<TimerQueue.Entry> Delete(Statement statement, long key)
    {
        Begin();
        var places = Places(statement.Bind(1, key));
        places.ForEach(Timers.Remove);
        return places;
    }

    private static List<TimerQueue.Entry> Places(Statement rows)
    {
        var places = new List<TimerQueue.Entry>();
        while (rows.Step())
        {
            places.Add(new TimerQueue.Entry(rows.Int64(0), rows.Int64(1), rows.Int64(2), (MessageFlags)rows.Int64(3)));
        }

        rows.Reset();
        return places;
    }

    private void PrepareMessages()
    {
        const string place = "arrives_at, seq, instance_key, flags";
        _insertMessage = Prepare(
            "INSERT INTO inbox (instance_key, seq, arrives_at, flags, generation, payload, payload_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        _deleteMessage = Prepare("DELETE FROM inbox WHERE instance_key = ?1 AND seq = ?2");
        _deleteMessages = Prepare($"DELETE FROM inbox WHERE instance_key = ?1 RETURNING {place}");
        _deleteBoundMessages = Prepare($"DELETE FROM inbox WHERE instance_key = ?1 AND generation IS NOT NULL RETURNING {place}");
        _moveMessage = Prepare(
            "UPDATE inbox SET instance_key = ?3, seq = ?4, arrives_at = ?5 WHERE instance_key = ?1 AND seq = ?2");
        _messagesOf = Prepare($"SELECT {place} FROM inbox WHERE instance_key = ?1 ORDER BY arrives_at, seq");
        _readMessage = Prepare("SELECT payload FROM inbox WHERE instance_key = ?1 AND seq = ?2");
        _allMessages = Prepare($"SELECT {place} FROM inbox ORDER BY arrives_at, seq");
        _insertTask = Prepare(
            "INSERT INTO tasks (instance_key, seq, generation, name, version, payload, payload_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        _deleteTask = Prepare("DELETE FROM tasks WHERE instance_key = ?1 AND seq = ?2");
        _deleteTasks = Prepare("DELETE FROM tasks WHERE instance_key = ?1 RETURNING seq");
        _readTask = Prepare("SELECT payload FROM tasks WHERE instance_key = ?1 AND seq = ?2");
        _allTasks = Prepare("SELECT instance_key, seq, generation, name, version, progress FROM tasks ORDER BY seq");
        _writeProgress = Prepare("UPDATE tasks SET progress = ?3, progress_at = ?4 WHERE instance_key = ?1 AND seq = ?2");
    }
}
