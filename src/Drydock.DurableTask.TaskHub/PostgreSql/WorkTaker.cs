using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.State;
using Npgsql;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>
/// Takes work for the streams of this process that have room: what is ready and nobody has, each with a new fencing token. What another
/// process is at just then is left out, not waited for.
/// </summary>
internal sealed class WorkTaker(long replica, long lastToken, DateTime now, IReadOnlyList<WorkStream> streams)
{
    // More comes with the next round.
    private const int Most = 200;
    private const int MostMessages = 2000;

    private const string Alive =
        "EXISTS (SELECT FROM replicas WHERE id = $3 AND NOT lost AND lease_until > clock_timestamp())";

    private const string Named =
        " AND (name_key = ANY($4) OR name_key || chr(10) || coalesce(version, '') = ANY($5))";

    private readonly long _mark = lastToken;
    private readonly Dictionary<long, Instance> _instances = [];
    private readonly List<(Kind Kind, int Limit)> _asked = [];

    private enum Kind
    {
        Turn,
        Entity,
        Activity,
    }

    public List<Instance> Turns { get; } = [];

    public List<Instance> Entities { get; } = [];

    public List<ActivityUnit> Activities { get; } = [];

    /// <summary>All that was taken.</summary>
    public IEnumerable<WorkUnit> Units => Turns.Concat<WorkUnit>(Entities).Concat(Activities);

    /// <summary>The largest token that this process has got.</summary>
    public long LastToken { get; private set; } = lastToken;

    /// <summary>Perhaps there is more.</summary>
    public bool MayHaveMore { get; private set; }

    /// <summary>When the next work is ready that nobody has; null if there is none.</summary>
    public DateTime? NextReady { get; private set; }

    public void AddTo(PostgreSqlStore store)
    {
        foreach (var stream in streams)
        {
            Take(store, Kind.Turn, stream.OrchestratorRoom, stream.Orchestrators);
            Take(store, Kind.Entity, stream.EntityRoom, stream.Entities);
            Take(store, Kind.Activity, stream.ActivityRoom, stream.Activities);
        }

        // A statement of its own: what the ones above locked may have changed since they began to look.
        store.Add(
            $"""
            SELECT m.instance_key, m.seq, m.flags, m.payload, {Content("m")} FROM instances i CROSS JOIN LATERAL (
              SELECT * FROM inbox WHERE instance_key = i.key AND (flags & 1 = 0 OR arrives_at <= $1)
              ORDER BY flags & 2 DESC, arrives_at, seq LIMIT {MostMessages}) m
            WHERE i.holder = $2 AND i.token > $3 ORDER BY m.instance_key, m.flags & 2 DESC, m.arrives_at, m.seq
            """,
            now.Ticks,
            replica,
            _mark);
        store.Add(
            """
            SELECT least((SELECT min(ready_at) FROM instances WHERE holder IS NULL AND ready_at > $1),
              (SELECT min(ready_at) FROM tasks WHERE holder IS NULL AND ready_at > $1))
            """,
            now.Ticks);
    }

    public void Read(NpgsqlDataReader reader)
    {
        foreach (var (kind, limit) in _asked)
        {
            var count = 0;
            while (reader.Read())
            {
                count++;
                Read(kind, reader);
            }

            MayHaveMore |= count == limit;
            reader.NextResult();
        }

        while (reader.Read())
        {
            var message = new Message(reader.GetInt64(1), (MessageFlags)reader.GetInt16(2)) { Payload = (byte[])reader[3] };
            if (reader.Text(4) is { } content)
            {
                message.Event = HistoryEvent.Parser.ParseFrom(message.Payload);
                message.CharactersApart = content.Length;
                LargePayloads.Fill(message.Event, content);
            }

            _instances[reader.GetInt64(0)].Inbox.Add(message);
        }

        reader.NextResult();
        if (reader.Read() && reader.Number(0) is { } ticks)
        {
            NextReady = new DateTime(ticks, DateTimeKind.Utc);
        }

        Turns.Sort(static (one, other) => one.LeaseToken.CompareTo(other.LeaseToken));
        Activities.Sort(static (one, other) => one.Seq.CompareTo(other.Seq));
    }

    private void Take(PostgreSqlStore store, Kind kind, int room, NameFilter? filter)
    {
        var limit = Math.Min(room, Most);
        if (limit <= 0)
        {
            return;
        }

        var named = filter is null ? "" : Named;
        object[] filtered = filter is null ? [] : [filter.AnyVersion, filter.OneVersion];
        var sql = kind == Kind.Activity
            ? $"""
              WITH ready AS (SELECT instance_key, seq FROM tasks WHERE ready_at <= $1 AND holder IS NULL AND {Alive}{named}
                ORDER BY ready_at, seq LIMIT $2 FOR UPDATE SKIP LOCKED)
              UPDATE tasks t SET holder = $3, token = nextval('hub_tokens'), deliveries = deliveries + 1 FROM ready r
              WHERE t.instance_key = r.instance_key AND t.seq = r.seq
              RETURNING t.instance_key, t.seq, t.generation, t.name, t.version, t.payload, t.token, t.deliveries, {Content("t")}, t.progress
              """
            : $"""
              WITH ready AS (SELECT key AS ready_key FROM instances
                WHERE ready_at <= $1 AND holder IS NULL AND {(kind == Kind.Entity ? "" : "NOT ")}is_entity AND {Alive}{named}
                ORDER BY ready_at, key LIMIT $2 FOR UPDATE SKIP LOCKED)
              UPDATE instances SET holder = $3, token = nextval('hub_tokens'), deliveries = deliveries + 1 FROM ready WHERE key = ready_key
              RETURNING {InstanceRow.Columns}
              """;
        store.Add(sql, [now.Ticks, (long)limit, replica, .. filtered]);
        _asked.Add((kind, limit));
    }

    /// <summary>The payload of a row, if it is stored apart from it.</summary>
    private static string Content(string row) =>
        $"(SELECT content FROM payloads p WHERE p.instance_key = {row}.instance_key AND p.payload_key = {row}.payload_key)";

    private void Read(Kind kind, NpgsqlDataReader reader)
    {
        if (kind == Kind.Activity)
        {
            var unit = new ActivityUnit(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetString(3), reader.Text(4))
            {
                Request = ActivityRequest.Parser.ParseFrom((byte[])reader[5]),
                LeaseToken = reader.GetInt64(6),
                Deliveries = reader.GetInt32(7),
                Progress = reader.Text(9),
            };
            if (reader.Text(8) is { } content)
            {
                unit.Request.Input = content;
            }

            LastToken = Math.Max(LastToken, unit.LeaseToken);
            Activities.Add(unit);
            return;
        }

        var instance = InstanceRow.Read(reader).Instance!;
        instance.Turn = null;
        instance.Phase = Phase.Idle;
        LastToken = Math.Max(LastToken, instance.LeaseToken);
        _instances[instance.Key] = instance;
        (kind == Kind.Entity ? Entities : Turns).Add(instance);
    }
}
