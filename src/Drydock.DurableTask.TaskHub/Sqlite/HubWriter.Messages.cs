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

    public void InsertMessage(long key, long seq, DateTime arrivesAt, MessageFlags flags, long? generation, ReadOnlySpan<byte> payload)
    {
        Begin();
        _insertMessage
            .Bind(1, key).Bind(2, seq).Bind(3, arrivesAt.Ticks).Bind(4, (long)flags).Bind(5, generation).Bind(6, payload)
            .Execute();
    }

    public void DeleteMessage(long key, long seq)
    {
        Begin();
        _deleteMessage.Bind(1, key).Bind(2, seq).Execute();
    }

    /// <summary>Deletes the whole inbox and returns what was in it.</summary>
    public List<TimerQueue.Entry> DeleteMessages(long key) => Delete(_deleteMessages, key);

    /// <summary>Deletes the answers to one execution and returns what they were; what was sent to the instance stays.</summary>
    public List<TimerQueue.Entry> DeleteBoundMessages(long key) => Delete(_deleteBoundMessages, key);

    /// <summary>Gives a message a new place in an inbox, as if it had just arrived.</summary>
    public void MoveMessage(long key, long seq, long newKey, long newSeq, DateTime arrivesAt)
    {
        Begin();
        _moveMessage.Bind(1, key).Bind(2, seq).Bind(3, newKey).Bind(4, newSeq).Bind(5, arrivesAt.Ticks).Execute();
    }

    /// <summary>The inbox of an instance in order of arrival, without contents.</summary>
    public List<TimerQueue.Entry> MessagesOf(long key) => Places(_messagesOf.Bind(1, key));

    public byte[] ReadMessage(long key, long seq)
    {
        _readMessage.Bind(1, key).Bind(2, seq).Step();
        var payload = _readMessage.Blob(0);
        _readMessage.Reset();
        return payload;
    }

    /// <summary>All messages of all instances, without contents.</summary>
    public List<TimerQueue.Entry> AllMessages() => Places(_allMessages);

    public void InsertTask(long key, long seq, long generation, string name, string? version, ReadOnlySpan<byte> payload)
    {
        Begin();
        _insertTask
            .Bind(1, key).Bind(2, seq).Bind(3, generation).Bind(4, name).Bind(5, version).Bind(6, payload)
            .Execute();
    }

    public void DeleteTask(long key, long seq)
    {
        Begin();
        _deleteTask.Bind(1, key).Bind(2, seq).Execute();
    }

    /// <summary>Deletes the activities of an instance and returns their numbers.</summary>
    public List<long> DeleteTasks(long key)
    {
        Begin();
        var seqs = new List<long>();
        _deleteTasks.Bind(1, key);
        while (_deleteTasks.Step())
        {
            seqs.Add(_deleteTasks.Int64(0));
        }

        _deleteTasks.Reset();
        return seqs;
    }

    public ActivityRequest ReadTask(long key, long seq)
    {
        _readTask.Bind(1, key).Bind(2, seq).Step();
        var request = ActivityRequest.Parser.ParseFrom(_readTask.Blob(0));
        _readTask.Reset();
        return request;
    }

    /// <summary>All activities of all instances in the order they were scheduled, without contents.</summary>
    public List<ActivityUnit> AllTasks()
    {
        var tasks = new List<ActivityUnit>();
        while (_allTasks.Step())
        {
            tasks.Add(new ActivityUnit(
                _allTasks.Int64(0), _allTasks.Int64(1), _allTasks.Int64(2), _allTasks.Text(3), _allTasks.TextOrNull(4)));
        }

        _allTasks.Reset();
        return tasks;
    }

    private List<TimerQueue.Entry> Delete(Statement statement, long key)
    {
        Begin();
        return Places(statement.Bind(1, key));
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
            "INSERT INTO inbox (instance_key, seq, arrives_at, flags, generation, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
        _deleteMessage = Prepare("DELETE FROM inbox WHERE instance_key = ?1 AND seq = ?2");
        _deleteMessages = Prepare($"DELETE FROM inbox WHERE instance_key = ?1 RETURNING {place}");
        _deleteBoundMessages = Prepare($"DELETE FROM inbox WHERE instance_key = ?1 AND generation IS NOT NULL RETURNING {place}");
        _moveMessage = Prepare(
            "UPDATE inbox SET instance_key = ?3, seq = ?4, arrives_at = ?5 WHERE instance_key = ?1 AND seq = ?2");
        _messagesOf = Prepare($"SELECT {place} FROM inbox WHERE instance_key = ?1 ORDER BY arrives_at, seq");
        _readMessage = Prepare("SELECT payload FROM inbox WHERE instance_key = ?1 AND seq = ?2");
        _allMessages = Prepare($"SELECT {place} FROM inbox ORDER BY arrives_at, seq");
        _insertTask = Prepare(
            "INSERT INTO tasks (instance_key, seq, generation, name, version, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
        _deleteTask = Prepare("DELETE FROM tasks WHERE instance_key = ?1 AND seq = ?2");
        _deleteTasks = Prepare("DELETE FROM tasks WHERE instance_key = ?1 RETURNING seq");
        _readTask = Prepare("SELECT payload FROM tasks WHERE instance_key = ?1 AND seq = ?2");
        _allTasks = Prepare("SELECT instance_key, seq, generation, name, version FROM tasks ORDER BY seq");
    }
}
