using Drydock.DurableTask.TaskHub.Dispatch;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>When an instance has work next, and whether somebody has it in hand: written once, when all is decided.</summary>
internal sealed partial class PostgreSqlStore
{
    // The first message in order of arrival; one that has arrived counts as of now, whatever another process's clock said.
    private const string FirstMessage =
        """
        (SELECT CASE WHEN m.flags & 1 = 1 THEN m.arrives_at ELSE least(m.arrives_at, $2) END
         FROM inbox m WHERE m.instance_key = $1 ORDER BY m.arrives_at, m.seq LIMIT 1)
        """;

    // Before its start message is there, an instance takes no turn, whatever else arrives.
    private const string StartMessage =
        """
        (SELECT CASE WHEN m.flags & 1 = 1 THEN m.arrives_at ELSE least(m.arrives_at, $2) END
         FROM inbox m WHERE m.instance_key = $1 AND m.flags & 2 = 2 ORDER BY m.arrives_at, m.seq LIMIT 1)
        """;

    private const string NextTimer =
        "(SELECT min(m.arrives_at) FROM inbox m WHERE m.instance_key = $1 AND m.flags & 1 = 1 AND m.arrives_at > $2)";

    private const string Turn =
        """
        status = $5, execution_id = $6, generation = $7, version = $8, updated_at = $9, completed_at = $10, history_length = $11,
        history_bytes = $12, custom_status = $13, trace = $14, last_turn = $15, holder = NULL, token = 0, deliveries = 0
        """;

    /// <summary>Writes the rows that changed, each once.</summary>
    public void WriteRows()
    {
        foreach (var (key, row) in _rows)
        {
            if (row is { IsDirty: true, Instance: { } instance })
            {
                Write(key, row, instance);
                (row.IsDirty, row.IsUpdated, row.Ends, row.Arrival) = (false, false, false, null);
            }
        }
    }

    private void Write(long key, InstanceRow row, Instance instance)
    {
        if (row.IsUpdated)
        {
            WriteTurn(key, row, instance);
        }
        else if (instance.IsEntity)
        {
            WriteEntityRow(key, row, instance);
        }
        else if (instance.HistoryLength > 0 && row.Arrival is { } arrival && !instance.IsFinished)
        {
            MadeReady |= arrival <= _now.Ticks;
            Add(
                "UPDATE instances SET ready_at = CASE WHEN ready_at < $2 THEN ready_at ELSE $2 END, arrived_at = $3, has_locks = $4 WHERE key = $1",
                key, arrival, row.ArrivedAt, row.HasLocks);
        }
        else
        {
            MadeReady = true;
            Add(
                $"UPDATE instances SET ready_at = {ReadyAt(instance)}, arrived_at = $3, has_locks = $4 WHERE key = $1 AND $2 > 0",
                key, _now.Ticks, row.ArrivedAt, row.HasLocks);
        }
    }

    private void WriteTurn(long key, InstanceRow row, Instance instance)
    {
        MadeReady = true;
        (row.Holder, row.Token) = (null, 0);
        Add(
            $"UPDATE instances SET ready_at = {ReadyAt(instance)}, arrived_at = $3, has_locks = $4, {Turn} WHERE key = $1 AND $2 > 0",
            key,
            _now.Ticks,
            row.ArrivedAt,
            row.HasLocks,
            (short)instance.Status,
            instance.ExecutionId,
            instance.Generation,
            OrNull(instance.Version),
            instance.UpdatedAt.Ticks,
            OrNull(row.CompletedAt?.Ticks),
            instance.HistoryLength,
            instance.HistoryBytes,
            OrNull(row.CustomStatus),
            OrNull(instance.Trace),
            OrNull(instance.LastTurn));
    }

    private void WriteEntityRow(long key, InstanceRow row, Instance entity)
    {
        // While it is in hand it counts as ready, so that whoever takes it over looks at it.
        var ready = entity.Phase == Phase.Ready || (row.Holder is not null && !row.Ends);
        MadeReady |= ready;
        var lease = row.Ends ? ", holder = NULL, token = 0, deliveries = 0" : "";
        if (row.Ends)
        {
            (row.Holder, row.Token) = (null, 0);
        }

        Add(
            $"UPDATE instances SET ready_at = {(ready ? "$2" : NextTimer)}, arrived_at = $3{lease} WHERE key = $1 AND $2 > 0",
            key,
            _now.Ticks,
            row.ArrivedAt);
    }

    private static string ReadyAt(Instance instance) => instance switch
    {
        { Exists: false } or { IsFinished: true } => "NULL",
        { HistoryLength: > 0 } => FirstMessage,
        _ => StartMessage,
    };
}
