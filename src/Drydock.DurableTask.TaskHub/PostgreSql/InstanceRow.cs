using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Npgsql;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>The row of an instance that the transaction has locked, and what the transaction changes in it.</summary>
internal sealed class InstanceRow
{
    public const string Columns =
        """
        key, id, status, execution_id, generation, updated_at, history_length, history_bytes, trace, started, holder, token, last_turn,
        arrived_at, has_locks, is_entity, entity_state, locked_by, critical_section, deliveries
        """;

    // Somebody has it in hand; what exactly is known to that process.
    private static readonly Turn Elsewhere = new(new HistoryEvent(), []);

    /// <summary>Null until the decisions have made one of a row that is new.</summary>
    public Instance? Instance { get; set; }

    public long? Holder { get; set; }

    public long Token { get; set; }

    public long ArrivedAt { get; set; }

    public bool HasLocks { get; set; }

    /// <summary>Something of the row, or of the inbox, changed.</summary>
    public bool IsDirty { get; set; }

    /// <summary>What every turn changes changed; with it nobody has a turn in hand any more.</summary>
    public bool IsUpdated { get; set; }

    /// <summary>The lease is over: its turn was committed.</summary>
    public bool Ends { get; set; }

    public string? CustomStatus { get; set; }

    public DateTime? CompletedAt { get; set; }

    /// <summary>When what came in has arrived or will; the earliest.</summary>
    public long? Arrival { get; set; }

    public static InstanceRow Read(NpgsqlDataReader reader)
    {
        var instance = new Instance(reader.GetInt64(0), reader.GetString(1))
        {
            Status = (OrchestrationStatus)reader.GetInt16(2),
            ExecutionId = reader.GetString(3),
            Generation = reader.GetInt64(4),
            UpdatedAt = new DateTime(reader.GetInt64(5), DateTimeKind.Utc),
            HistoryLength = reader.GetInt64(6),
            HistoryBytes = reader.GetInt64(7),
            Trace = reader.IsDBNull(8) ? null : OrchestrationTraceContext.Parser.ParseFrom((byte[])reader[8]),
            Started = ExecutionStartedEvent.Parser.ParseFrom((byte[])reader[9]),
            LastTurn = reader.Text(12),
            LeaseToken = reader.GetInt64(11),
            Deliveries = reader.GetInt32(19),
        };
        if (reader.GetBoolean(15) && instance.Exists)
        {
            instance.Entity = new EntityState { State = reader.Text(16), LockedBy = reader.Text(17), CriticalSection = reader.Text(18) };
        }

        var row = new InstanceRow
        {
            Instance = instance,
            Holder = reader.IsDBNull(10) ? null : reader.GetInt64(10),
            Token = instance.LeaseToken,
            ArrivedAt = reader.GetInt64(13),
            HasLocks = reader.GetBoolean(14),
        };
        if (row.Holder is not null)
        {
            instance.Turn = Elsewhere;
            instance.Phase = Phase.InHand;
        }

        return row;
    }
}

/// <summary>Reads what may be null.</summary>
internal static class RowValues
{
    public static string? Text(this NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    public static long? Number(this NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt64(column);

    public static byte[]? Bytes(this NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : (byte[])reader[column];
}
