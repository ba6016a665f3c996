using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Google.Protobuf;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>Inboxes and activities.</summary>
internal sealed partial class PostgreSqlStore
{
    private readonly Dictionary<(long Key, long Seq), long?> _tasks = [];

    public bool InsertMessage(
        Instance target, long seq, DateTime arrivesAt, MessageFlags flags, long? generation, byte[] payload, string? payloadKey)
    {
        var row = Touch(target);
        var waits = flags.HasFlag(MessageFlags.Waits);
        var at = waits ? arrivesAt.Ticks : Arrive(row, arrivesAt);
        Add(
            "INSERT INTO inbox (instance_key, seq, arrives_at, flags, generation, payload, payload_key) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            target.Key,
            seq,
            at,
            (short)flags,
            OrNull(generation),
            payload,
            OrNull(payloadKey));
        Note(row, waits ? at : _now.Ticks);
        return target.IsEntity && !waits;
    }

    public void DeleteMessage(long key, long seq)
    {
        Add("DELETE FROM inbox WHERE instance_key = $1 AND seq = $2", key, seq);
        Touch(key);
    }

    public void DeleteMessages(long key)
    {
        Add("DELETE FROM inbox WHERE instance_key = $1", key);
        Touch(key);
    }

    public List<Message> DeleteBoundMessages(Instance instance)
    {
        Add("DELETE FROM inbox WHERE instance_key = $1 AND generation IS NOT NULL", instance.Key);
        Touch(instance);
        return ReadArrived(instance.Key);
    }

    public IReadOnlyList<Message> Arrived(Instance instance) => ReadArrived(instance.Key);

    public void MoveMessage(long key, long seq, Instance target, long newSeq, DateTime arrivesAt)
    {
        var row = Touch(target);
        Add(
            "UPDATE inbox SET instance_key = $3, seq = $4, arrives_at = $5 WHERE instance_key = $1 AND seq = $2",
            key,
            seq,
            target.Key,
            newSeq,
            Arrive(row, arrivesAt));
        Note(row, _now.Ticks);
    }

    public bool HasMessages(long key)
    {
        using var reader = Query("SELECT EXISTS (SELECT FROM inbox WHERE instance_key = $1)", key);
        reader.Read();
        return reader.GetBoolean(0);
    }

    public byte[] ReadMessage(long key, long seq) => ReadBytes("SELECT payload FROM inbox WHERE instance_key = $1 AND seq = $2", key, seq);

    public byte[] ReadStart(long key) =>
        ReadBytes("SELECT payload FROM inbox WHERE instance_key = $1 AND flags & 2 = 2 ORDER BY seq LIMIT 1", key);

    public void InsertTask(ActivityUnit unit, ActivityRequest stored)
    {
        Add(
            """
            INSERT INTO tasks (instance_key, seq, generation, name, name_key, version, task_id, payload, ready_at, payload_key)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            unit.InstanceKey,
            unit.Seq,
            unit.Generation,
            unit.Name,
            NameKey(unit.Name),
            OrNull(unit.Version),
            stored.TaskId,
            stored.ToByteArray(),
            _now.Ticks,
            OrNull(State.LargePayloads.KeyIn(stored.Input)));
        MadeReady = true;
    }

    public void DeleteTask(ActivityUnit unit) =>
        Add("DELETE FROM tasks WHERE instance_key = $1 AND seq = $2", unit.InstanceKey, unit.Seq);

    public void WriteProgress(ActivityUnit unit) => Add(
        "UPDATE tasks SET progress = $4, progress_at = $5 WHERE instance_key = $1 AND seq = $2 AND token = $3",
        unit.InstanceKey,
        unit.Seq,
        unit.LeaseToken,
        OrNull(unit.Progress),
        unit.ProgressAt.Ticks);

    public IReadOnlyList<ActivityUnit> DeleteTasks(long key)
    {
        using var reader = Query("DELETE FROM tasks WHERE instance_key = $1 RETURNING token, holder", key);
        while (reader.Read())
        {
            if (!reader.IsDBNull(1))
            {
                LostTokens.Add(reader.GetInt64(0));
            }
        }

        return [];
    }

    public ActivityUnit? FindTask(long key, long seq) => null;

    public HashSet<int> TaskIds(long key)
    {
        using var reader = Query("SELECT task_id FROM tasks WHERE instance_key = $1", key);
        HashSet<int> ids = [];
        while (reader.Read())
        {
            ids.Add(reader.GetInt32(0));
        }

        return ids;
    }

    public ActivityRequest ReadTask(long key, long seq) =>
        ActivityRequest.Parser.ParseFrom(ReadBytes("SELECT payload FROM tasks WHERE instance_key = $1 AND seq = $2", key, seq));

    /// <summary>Locks activities that are about to end, in one round trip.</summary>
    public void LockTasks(IReadOnlyCollection<ActivityUnit> units)
    {
        foreach (var unit in units)
        {
            _tasks[(unit.InstanceKey, unit.Seq)] = null;
        }

        using var reader = Query(
            """
            SELECT t.instance_key, t.seq, t.token FROM unnest($1, $2) AS wanted (key, seq)
            JOIN tasks t ON t.instance_key = wanted.key AND t.seq = wanted.seq ORDER BY t.instance_key, t.seq FOR UPDATE OF t
            """,
            units.Select(unit => unit.InstanceKey).ToArray(),
            units.Select(unit => unit.Seq).ToArray());
        while (reader.Read())
        {
            _tasks[(reader.GetInt64(0), reader.GetInt64(1))] = reader.GetInt64(2);
        }
    }

    /// <summary>The fencing token of an activity; null if it is not there any more.</summary>
    public long? TokenOf(ActivityUnit unit)
    {
        if (!_tasks.ContainsKey((unit.InstanceKey, unit.Seq)))
        {
            LockTasks([unit]);
        }

        return _tasks[(unit.InstanceKey, unit.Seq)];
    }

    /// <summary>Nobody here has it in hand any more. Its token stays: until somebody takes it, a late answer counts.</summary>
    public void GiveBack(ActivityUnit unit)
    {
        Add(
            "UPDATE tasks SET holder = NULL, deliveries = deliveries - $4 WHERE instance_key = $1 AND seq = $2 AND token = $3 AND holder IS NOT NULL",
            unit.InstanceKey,
            unit.Seq,
            unit.LeaseToken,
            Excused(unit));
        MadeReady = true;
    }

    /// <summary>Likewise, a turn. What it has to do is looked at anew.</summary>
    public void GiveBack(Instance instance)
    {
        Add(
            "UPDATE instances SET holder = NULL, deliveries = deliveries - $3 WHERE key = $1 AND token = $2 AND holder IS NOT NULL",
            instance.Key,
            instance.LeaseToken,
            Excused(instance));
        MadeReady = true;
    }

    /// <summary>Work whose worker ended without a word stays counted as given out.</summary>
    private static int Excused(WorkUnit unit) => unit.WasLost ? 0 : 1;

    private List<Message> ReadArrived(long key)
    {
        using var reader = Query(
            """
            SELECT seq, flags, payload FROM inbox WHERE instance_key = $1 AND (flags & 1 = 0 OR arrives_at <= $2)
            ORDER BY arrives_at, seq
            """,
            key,
            _now.Ticks);
        List<Message> messages = [];
        while (reader.Read())
        {
            messages.Add(new Message(reader.GetInt64(0), (MessageFlags)reader.GetInt16(1)) { Payload = (byte[])reader[2] });
        }

        return messages;
    }

    private byte[] ReadBytes(string sql, params object?[] values)
    {
        using var reader = Query(sql, values);
        return reader.Read()
            ? (byte[])reader[0]
            : throw new TaskHubException(Grpc.Core.StatusCode.NotFound, "It was taken by somebody else; nothing was written.");
    }

    /// <summary>A message arrives after all that arrived before, even if another process with another clock wrote those.</summary>
    private static long Arrive(InstanceRow row, DateTime at) => row.ArrivedAt = Math.Max(at.Ticks, row.ArrivedAt + 1);

    private static void Note(InstanceRow row, long arrival) =>
        row.Arrival = row.Arrival is { } earlier ? Math.Min(earlier, arrival) : arrival;
}
