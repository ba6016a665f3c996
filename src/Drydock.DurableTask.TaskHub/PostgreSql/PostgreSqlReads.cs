using System.Text;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.State;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Npgsql;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>Reads what is committed, whichever process wrote it.</summary>
internal sealed class PostgreSqlReads(PostgreSqlDatabase database) : IHubReads
{
    private const string Columns =
        """
        i.key, i.id, i.status, i.execution_id, i.name, i.version, i.parent_id, i.created_at, i.updated_at, i.completed_at,
        i.scheduled_at, i.started
        """;

    // A token says where the text is: see LargePayloads.
    private static readonly string ColumnsWithValues =
        $"{Columns}, {Text("i.custom_status")}, v.failure, {Text("v.input")}, {Text("v.output")}";

    private const string SelectEntities =
        """
        SELECT i.key, i.id, i.entity_state, i.locked_by, i.modified_at, (SELECT count(*) FROM inbox m WHERE m.instance_key = i.key)
        FROM instances i WHERE i.is_entity AND i.status <> -1
        """;

    public async ValueTask<OrchestrationState?> InstanceAsync(string id, bool values, CancellationToken cancellationToken)
    {
        var rows = await ReadAsync(
            $"{SelectInstances(values)} WHERE i.id = $1 AND i.status <> -1",
            [id],
            row => State(row, values),
            cancellationToken);
        return rows.FirstOrDefault();
    }

    public async ValueTask<(long Key, string ExecutionId, long Length)?> PlaceAsync(string id, CancellationToken cancellationToken)
    {
        var rows = await ReadAsync(
            "SELECT key, execution_id, history_length FROM instances WHERE id = $1 AND status <> -1",
            [id],
            static row => (row.GetInt64(0), row.GetString(1), row.GetInt64(2)),
            cancellationToken);
        return rows is [var place] ? place : null;
    }

    public async ValueTask<(HistoryChunk Chunk, long Next)> HistoryAsync(
        long key, string executionId, long from, long until, int bytes, CancellationToken cancellationToken)
    {
        const string sql =
            """
            SELECT h.seq, h.payload FROM history h JOIN instances i ON i.key = h.instance_key
            WHERE h.instance_key = $1 AND h.seq >= $2 AND h.seq < $3 AND i.execution_id = $4 ORDER BY h.seq
            """;
        var chunk = new HistoryChunk();
        var size = 0;
        await using var connection = await OpenAsync(cancellationToken);
        await using (var command = Command(connection, sql, [key, from, until, executionId]))
        {
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (size < bytes && await reader.ReadAsync(cancellationToken))
            {
                var payload = (byte[])reader[1];
                var turn = HistoryChunk.Parser.ParseFrom(payload);
                size += payload.Length + turn.Events.Sum(LargePayloads.CharactersApart);
                from = reader.GetInt64(0) + turn.Events.Count;
                chunk.Events.Add(turn.Events);
            }
        }

        return await FillAsync(connection, key, chunk, cancellationToken) ? (chunk, from) : (new HistoryChunk(), from);
    }

    /// <summary>Puts the payloads into events; false if the execution has ended meanwhile, and they have gone with it.</summary>
    private static async Task<bool> FillAsync(NpgsqlConnection connection, long key, HistoryChunk chunk, CancellationToken cancellationToken)
    {
        var wanted = chunk.Events.Where(historyEvent => LargePayloads.KeyIn(historyEvent) is not null)
            .ToLookup(historyEvent => LargePayloads.KeyIn(historyEvent)!);
        if (wanted.Count == 0)
        {
            return true;
        }

        const string sql = "SELECT payload_key, content FROM payloads WHERE instance_key = $1 AND payload_key = ANY($2)";
        await using var command = Command(connection, sql, [key, wanted.Select(events => events.Key).ToArray()]);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var found = 0;
        for (; await reader.ReadAsync(cancellationToken); found++)
        {
            var content = reader.GetString(1);
            foreach (var historyEvent in wanted[reader.GetString(0)])
            {
                LargePayloads.Fill(historyEvent, content);
            }
        }

        return found == wanted.Count;
    }

    public async ValueTask<List<(long Key, OrchestrationState State)>> QueryAsync(
        InstanceFilter filter, long after, int limit, bool values, CancellationToken cancellationToken)
    {
        var sql = new StringBuilder(
            $"{SelectInstances(values)} WHERE i.key > $1 AND i.status <> -1");
        List<object> parameters = [after, (long)limit];
        if (filter.Statuses.Count > 0)
        {
            parameters.Add(filter.Statuses.Select(status => (short)status).ToArray());
            sql.Append(" AND i.status = ANY($3)");
        }

        if (filter.NotOfEndedParents)
        {
            sql.Append(" AND NOT EXISTS (SELECT 1 FROM instances p WHERE p.key = i.parent_key AND p.completed_at IS NOT NULL)");
        }

        Append(sql, parameters, "i.created_at >= ", filter.CreatedFrom);
        Append(sql, parameters, "i.created_at <= ", filter.CreatedTo);
        Append(sql, parameters, "i.completed_at >= ", filter.CompletedFrom);
        Append(sql, parameters, "i.completed_at <= ", filter.CompletedTo);
        if (!string.IsNullOrEmpty(filter.IdPrefix))
        {
            parameters.Add(filter.IdPrefix);
            sql.Append(System.Globalization.CultureInfo.InvariantCulture, $" AND i.id >= ${parameters.Count} AND starts_with(i.id, ${parameters.Count})");
        }

        if (filter.IdEnd is { } end)
        {
            // The column is in bytewise order, whatever the database is in.
            parameters.Add(end);
            sql.Append(System.Globalization.CultureInfo.InvariantCulture, $" AND i.id < ${parameters.Count}");
        }

        return await ReadAsync(
            sql.Append(" ORDER BY i.key LIMIT $2").ToString(), parameters, row => (row.GetInt64(0), State(row, values)), cancellationToken);
    }

    public async ValueTask<List<(string Id, int Count)>> KeptEventsAsync(DateTime before, int limit, CancellationToken cancellationToken)
    {
        const string sql =
            """
            SELECT i.id, (SELECT count(*) FROM inbox m WHERE m.instance_key = i.key) FROM instances i
            WHERE i.status = -1 AND i.created_at <= $1
              AND NOT EXISTS (SELECT 1 FROM inbox m WHERE m.instance_key = i.key AND m.arrives_at > $1) ORDER BY i.key LIMIT $2
            """;
        return await ReadAsync(sql, [before.Ticks, (long)limit], static row => (row.GetString(0), (int)row.GetInt64(1)), cancellationToken);
    }

    public async ValueTask<List<OpenActivity>> ActivitiesAsync(string id, CancellationToken cancellationToken) => await ReadAsync(
        "SELECT t.task_id, t.name, t.progress, t.progress_at FROM tasks t JOIN instances i ON i.key = t.instance_key WHERE i.id = $1 ORDER BY t.seq",
        [id],
        static row => new OpenActivity(
            row.GetInt32(0), row.GetString(1), row.Text(2), row.Number(3) is { } ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null),
        cancellationToken);

    public async ValueTask<EntityMetadata?> EntityAsync(string id, bool withState, CancellationToken cancellationToken)
    {
        var rows = await ReadAsync(
            $"{SelectEntities} AND i.id = $1 AND i.entity_state IS NOT NULL", [id], row => Entity(row, withState), cancellationToken);
        return rows.FirstOrDefault();
    }

    public async ValueTask<List<(long Key, EntityMetadata Entity)>> QueryEntitiesAsync(
        EntityQuery query, long after, int limit, CancellationToken cancellationToken)
    {
        var sql = new StringBuilder(SelectEntities).Append(" AND i.key > $1 AND starts_with(i.id, $3)");
        List<object> parameters = [after, (long)limit, query.InstanceIdStartsWith ?? string.Empty];
        Append(sql, parameters, "i.modified_at >= ", query.LastModifiedFrom);
        Append(sql, parameters, "i.modified_at <= ", query.LastModifiedTo);
        if (!query.IncludeTransient)
        {
            sql.Append(" AND i.entity_state IS NOT NULL");
        }

        return await ReadAsync(
            sql.Append(" ORDER BY i.key LIMIT $2").ToString(),
            parameters,
            row => (row.GetInt64(0), Entity(row, query.IncludeState)),
            cancellationToken);
    }

    /// <summary>What is ready, what waits for its time, what is held by all processes, and when the next work is ready.</summary>
    public async Task<(int Ready, int Timers, int Held, DateTime? Next)> CountAsync(DateTime now, CancellationToken cancellationToken)
    {
        const string sql =
            """
            SELECT (SELECT count(*) FROM instances WHERE holder IS NULL AND ready_at <= $1) + (SELECT count(*) FROM tasks WHERE holder IS NULL AND ready_at <= $1),
              (SELECT count(*) FROM inbox WHERE flags & 1 = 1 AND arrives_at > $1),
              (SELECT count(*) FROM instances WHERE holder IS NOT NULL) + (SELECT count(*) FROM tasks WHERE holder IS NOT NULL),
              (SELECT min(arrives_at) FROM inbox WHERE flags & 1 = 1 AND arrives_at > $1)
            """;
        var rows = await ReadAsync(
            sql,
            [now.Ticks],
            static row => ((int)row.GetInt64(0), (int)row.GetInt64(1), (int)row.GetInt64(2), row.Number(3) is { } ticks ? new DateTime(ticks, DateTimeKind.Utc) : (DateTime?)null),
            cancellationToken);
        return rows[0];
    }

    /// <summary>The instances that changed since a moment, without those that are gone.</summary>
    public async Task<List<string>> ChangedSinceAsync(DateTime from, CancellationToken cancellationToken) => await ReadAsync(
        "SELECT id FROM instances WHERE updated_at >= $1 AND status <> -1", [from.Ticks], static row => row.GetString(0), cancellationToken);

    /// <summary>What is written about the hub itself; the first to ask writes it.</summary>
    public async Task<string> InfoAsync(string key, string first, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using (var write = Command(
            connection, "INSERT INTO hub_info (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", [key, first]))
        {
            await write.ExecuteNonQueryAsync(cancellationToken);
        }

        await using var read = Command(connection, "SELECT value FROM hub_info WHERE key = $1", [key]);
        return (string)(await read.ExecuteScalarAsync(cancellationToken))!;
    }

    private async Task<List<T>> ReadAsync<T>(
        string sql, IReadOnlyList<object> parameters, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await OpenAsync(cancellationToken);
            await using var command = Command(connection, sql, parameters);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            List<T> rows = [];
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(read(reader));
            }

            return rows;
        }
        catch (Exception e) when (PostgreSqlFaults.IsConnectionLost(e) || e is PostgresException)
        {
            throw Refusal(e);
        }
    }

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await database.OpenAsync(cancellationToken);
        }
        catch (Exception e) when (PostgreSqlFaults.IsConnectionLost(e) || e is PostgresException)
        {
            throw Refusal(e);
        }
    }

    private TaskHubException Refusal(Exception e) => new(
        StatusCode.Unavailable, $"The task hub '{database.Description}' cannot be read: {e.Message.TrimEnd('.')}.", e);

    private static NpgsqlCommand Command(NpgsqlConnection connection, string sql, IEnumerable<object> parameters)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        return command;
    }

    private static string SelectInstances(bool values) =>
        $"SELECT {(values ? ColumnsWithValues : Columns)} FROM instances i JOIN instance_values v ON v.key = i.key";

    private static string Text(string column) =>
        $"CASE WHEN starts_with({column}, {LargePayloads.PrefixInSql}) THEN (SELECT content FROM payloads p WHERE p.instance_key = i.key "
        + $"AND p.payload_key = substr({column}, length({LargePayloads.PrefixInSql}) + 1)) ELSE {column} END";

    private static void Append(StringBuilder sql, List<object> parameters, string condition, Timestamp? time)
    {
        if (time is not null)
        {
            parameters.Add(time.ToDateTime().Ticks);
            sql.Append(System.Globalization.CultureInfo.InvariantCulture, $" AND {condition}${parameters.Count}");
        }
    }

    private static EntityMetadata Entity(NpgsqlDataReader row, bool withState) => new()
    {
        InstanceId = row.GetString(1),
        SerializedState = withState ? row.Text(2) : null,
        LockedBy = row.Text(3),
        LastModifiedTime = Time(row.Number(4)),
        BacklogQueueSize = (int)row.GetInt64(5),
    };

    private static OrchestrationState State(NpgsqlDataReader row, bool values)
    {
        var started = ExecutionStartedEvent.Parser.ParseFrom((byte[])row[11]);
        var state = new OrchestrationState
        {
            InstanceId = row.GetString(1),
            OrchestrationStatus = (OrchestrationStatus)row.GetInt16(2),
            ExecutionId = row.GetString(3),
            Name = row.GetString(4),
            Version = row.Text(5),
            ParentInstanceId = row.Text(6),
            CreatedTimestamp = Time(row.GetInt64(7)),
            LastUpdatedTimestamp = Time(row.GetInt64(8)),
            CompletedTimestamp = Time(row.Number(9)),
            ScheduledStartTimestamp = Time(row.Number(10)),
            Tags = { started.Tags },
        };
        if (values)
        {
            state.CustomStatus = row.Text(12);
            state.FailureDetails = row.Bytes(13) is { } failure ? Failure.Parser.ParseFrom(failure) : null;
            state.Input = row.Text(14);
            state.Output = row.Text(15);
        }

        return state;
    }

    private static Timestamp? Time(long? ticks) => ticks is { } value ? Timestamp.FromDateTime(new DateTime(value, DateTimeKind.Utc)) : null;
}
