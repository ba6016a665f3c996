using System.Text;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.State;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Data.Sqlite;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>One connection that reads.</summary>
internal sealed class HubReader : IDisposable
{
    private const string Columns =
        """
        i.key, i.id, i.status, i.execution_id, i.name, i.version, i.parent_id, i.created_at, i.updated_at, i.completed_at,
        i.scheduled_at, v.started, i.custom_status, v.failure, v.input, v.output
        """;

    private const string SelectEntities =
        """
        SELECT i.key, i.id, e.state, e.locked_by, e.modified_at, (SELECT count(*) FROM inbox m WHERE m.instance_key = i.key)
        FROM entities e JOIN instances i ON i.key = e.key
        """;

    private const int ColumnsWithoutValues = 12;
    private readonly SqliteConnection _connection;
    private readonly Statement _instance;
    private readonly Statement _place;
    private readonly Statement _history;
    private readonly Statement _payload;

    public HubReader(SqliteConnection connection)
    {
        _connection = connection;
        _instance = new Statement(
            connection, $"SELECT {Columns} FROM instances i JOIN instance_values v ON v.key = i.key WHERE i.id = ?1");
        _place = new Statement(connection, "SELECT key, execution_id, history_length FROM instances WHERE id = ?1 AND status <> -1");
        _payload = new Statement(connection, HubWriter.SelectPayload);
        _history = new Statement(
            connection,
            """
            SELECT h.seq, h.payload FROM history h JOIN instances i ON i.key = h.instance_key
            WHERE h.instance_key = ?1 AND h.seq >= ?2 AND h.seq < ?3 AND i.execution_id = ?4 ORDER BY h.seq
            """);
    }

    public OrchestrationState? Instance(string id, bool values)
    {
        _instance.Bind(1, id);
        var state = _instance.Step() ? State(_instance, values) : null;
        _instance.Reset();
        return state;
    }

    /// <summary>Which execution an instance is in, and how long its history is.</summary>
    public (long Key, string ExecutionId, long Length)? Place(string id)
    {
        _place.Bind(1, id);
        (long, string, long)? place = _place.Step() ? (_place.Int64(0), _place.Text(1), _place.Int64(2)) : null;
        _place.Reset();
        return place;
    }

    /// <summary>About <paramref name="bytes"/> of history from an event on; nothing if the execution has ended or gone.</summary>
    public (HistoryChunk Chunk, long Next) History(long key, string executionId, long from, long until, int bytes)
    {
        var chunk = new HistoryChunk();
        _history.Bind(1, key).Bind(2, from).Bind(3, until).Bind(4, executionId);
        var size = 0;
        while (size < bytes && _history.Step())
        {
            var payload = _history.Blob(1);
            var turn = HistoryChunk.Parser.ParseFrom(payload);
            size += payload.Length + turn.Events.Sum(LargePayloads.CharactersApart);
            Fill(key, turn);
            from = _history.Int64(0) + turn.Events.Count;
            chunk.Events.Add(turn.Events);
        }

        _history.Reset();
        return (chunk, from);
    }

    /// <summary>The instances that a filter lets through, in the order in which they were created, after a key.</summary>
    public List<(long Key, OrchestrationState State)> Query(InstanceFilter filter, long after, int limit, bool values)
    {
        var sql = new StringBuilder(
            $"SELECT {Columns} FROM instances i JOIN instance_values v ON v.key = i.key WHERE i.key > ?1 AND i.status <> -1");
        filter.AppendTo(sql);
        sql.Append(" ORDER BY i.key LIMIT ?2");
        using var statement = new Statement(_connection, sql.ToString());
        filter.Bind(statement.Bind(1, after).Bind(2, limit));
        var rows = new List<(long, OrchestrationState)>();
        while (statement.Step())
        {
            rows.Add((statement.Int64(0), State(statement, values)));
        }

        return rows;
    }

    /// <summary>Ids that no instance has, for which events are kept that all came before a moment, and how many.</summary>
    public List<(string Id, int Count)> KeptEvents(DateTime before, int limit)
    {
        using var statement = new Statement(
            _connection,
            """
            SELECT i.id, (SELECT count(*) FROM inbox m WHERE m.instance_key = i.key) FROM instances i
            WHERE i.status = -1 AND i.created_at <= ?1
              AND NOT EXISTS (SELECT 1 FROM inbox m WHERE m.instance_key = i.key AND m.arrives_at > ?1) ORDER BY i.key LIMIT ?2
            """);
        statement.Bind(1, before.Ticks).Bind(2, limit);
        List<(string, int)> kept = [];
        while (statement.Step())
        {
            kept.Add((statement.Text(0), (int)statement.Int64(1)));
        }

        return kept;
    }

    /// <summary>The activities of an instance that have no result yet, in the order in which they were scheduled.</summary>
    public List<OpenActivity> Activities(string id)
    {
        using var statement = new Statement(
            _connection,
            "SELECT t.name, t.payload, t.progress, t.progress_at FROM tasks t JOIN instances i ON i.key = t.instance_key WHERE i.id = ?1 ORDER BY t.seq");
        statement.Bind(1, id);
        List<OpenActivity> activities = [];
        while (statement.Step())
        {
            var progress = statement.TextOrNull(2);
            activities.Add(new OpenActivity(
                ActivityRequest.Parser.ParseFrom(statement.Blob(1)).TaskId,
                statement.Text(0),
                progress,
                progress is null ? null : new DateTimeOffset(statement.Int64(3), TimeSpan.Zero)));
        }

        return activities;
    }

    /// <summary>An entity that has a state; without one it is as if it were not there.</summary>
    public EntityMetadata? Entity(string id, bool withState)
    {
        using var statement = new Statement(_connection, $"{SelectEntities} WHERE i.id = ?1 AND e.state IS NOT NULL");
        return statement.Bind(1, id).Step() ? Entity(statement, withState) : null;
    }

    /// <summary>The entities that a query lets through, in the order in which they were created, after a key.</summary>
    public List<(long Key, EntityMetadata Entity)> QueryEntities(EntityQuery query, long after, int limit)
    {
        var sql = new StringBuilder(SelectEntities).Append(
            " WHERE i.key > ?1 AND (?3 = '' OR substr(i.id, 1, length(?3)) = ?3) AND (?4 IS NULL OR e.modified_at >= ?4) AND (?5 IS NULL OR e.modified_at <= ?5)");
        if (!query.IncludeTransient)
        {
            sql.Append(" AND e.state IS NOT NULL");
        }

        using var statement = new Statement(_connection, sql.Append(" ORDER BY i.key LIMIT ?2").ToString());
        statement.Bind(1, after).Bind(2, limit).Bind(3, query.InstanceIdStartsWith ?? string.Empty)
            .Bind(4, query.LastModifiedFrom?.ToDateTime().Ticks).Bind(5, query.LastModifiedTo?.ToDateTime().Ticks);
        List<(long, EntityMetadata)> rows = [];
        while (statement.Step())
        {
            rows.Add((statement.Int64(0), Entity(statement, query.IncludeState)));
        }

        return rows;
    }

    private static EntityMetadata Entity(Statement row, bool withState) => new()
    {
        InstanceId = row.Text(1),
        SerializedState = withState ? row.TextOrNull(2) : null,
        LockedBy = row.TextOrNull(3),
        LastModifiedTime = Time(row.Int64(4)),
        BacklogQueueSize = (int)row.Int64(5),
    };

    public void Dispose()
    {
        _instance.Dispose();
        _place.Dispose();
        _history.Dispose();
        _payload.Dispose();
        _connection.Dispose();
    }

    // The statement that reads the rows is still open, so both see the same state of the database.
    private void Fill(long key, HistoryChunk turn)
    {
        foreach (var historyEvent in turn.Events)
        {
            if (LargePayloads.KeyIn(historyEvent) is { } payload)
            {
                LargePayloads.Fill(historyEvent, HubWriter.ReadPayload(_payload, key, payload));
            }
        }
    }

    private string? Text(long key, string? text) =>
        LargePayloads.KeyIn(text) is { } payload ? HubWriter.ReadPayload(_payload, key, payload) : text;

    private OrchestrationState State(Statement row, bool values)
    {
        var started = ExecutionStartedEvent.Parser.ParseFrom(row.Blob(11));
        var state = new OrchestrationState
        {
            InstanceId = row.Text(1),
            OrchestrationStatus = (OrchestrationStatus)row.Int64(2),
            ExecutionId = row.Text(3),
            Name = row.Text(4),
            Version = row.TextOrNull(5),
            ParentInstanceId = row.TextOrNull(6),
            CreatedTimestamp = Time(row.Int64(7)),
            LastUpdatedTimestamp = Time(row.Int64(8)),
            CompletedTimestamp = Time(row.Int64OrNull(9)),
            ScheduledStartTimestamp = Time(row.Int64OrNull(10)),
            Tags = { started.Tags },
        };
        if (values)
        {
            var key = row.Int64(0);
            state.CustomStatus = Text(key, row.TextOrNull(ColumnsWithoutValues));
            state.FailureDetails = row.BlobOrNull(13) is { } failure ? Failure.Parser.ParseFrom(failure) : null;
            state.Input = Text(key, row.TextOrNull(14));
            state.Output = Text(key, row.TextOrNull(15));
        }

        return state;
    }

    private static Timestamp? Time(long? ticks) => ticks is { } value ? Timestamp.FromDateTime(new DateTime(value, DateTimeKind.Utc)) : null;
}
