using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Google.Protobuf;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>Instances, their values and their history.</summary>
internal sealed partial class PostgreSqlStore
{
    public Instance? Find(string id)
    {
        if (!_byId.TryGetValue(id, out var row))
        {
            row = Lock($"SELECT {InstanceRow.Columns} FROM instances WHERE id = $1 FOR UPDATE", id);
            _byId[id] = row;
        }

        return WithInbox(row);
    }

    public Instance? Find(long key)
    {
        if (!_rows.TryGetValue(key, out var row))
        {
            row = Lock($"SELECT {InstanceRow.Columns} FROM instances WHERE key = $1 FOR UPDATE", key);
        }

        return WithInbox(row);
    }

    /// <summary>The row of an instance that was found in this transaction.</summary>
    public InstanceRow RowOf(Instance instance) => _rows[instance.Key];

    public long InsertInstance(
        string id, OrchestrationStatus status, string executionId, ExecutionStartedEvent started, long? parentKey, DateTime now)
    {
        var key = NextKey();
        Add(
            """
            INSERT INTO instances (key, id, is_entity, status, execution_id, name, name_key, version, parent_key, parent_id, created_at,
              updated_at, scheduled_at, started)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13)
            """,
            key,
            id,
            id.StartsWith('@'),
            (short)status,
            executionId,
            started.Name,
            NameKey(started.Name),
            OrNull(started.Version),
            OrNull(parentKey),
            OrNull(started.ParentInstance?.OrchestrationInstance.InstanceId),
            now.Ticks,
            OrNull(started.ScheduledStartTimestamp?.ToDateTime().Ticks),
            started.ToByteArray());
        var row = new InstanceRow { IsDirty = true };
        _rows[key] = row;
        _byId[id] = row;
        return key;
    }

    public void InsertValues(long key, string? input, ExecutionStartedEvent startedWithoutInput) =>
        Add("INSERT INTO instance_values (key, input) VALUES ($1, $2)", key, OrNull(input));

    public void UpdateInstance(Instance instance, string? customStatus, DateTime? completedAt)
    {
        var row = Touch(instance);
        row.IsUpdated = true;
        row.CustomStatus = customStatus;
        row.CompletedAt = completedAt;
    }

    public void UpdateResult(long key, string? output, Failure? failure) =>
        Add("UPDATE instance_values SET output = $2, failure = $3 WHERE key = $1", key, OrNull(output), OrNull(failure));

    public void UpdateStart(long key, string? input, ExecutionStartedEvent startedWithoutInput)
    {
        Add("UPDATE instance_values SET input = $2 WHERE key = $1", key, OrNull(input));
        Add("UPDATE instances SET started = $2 WHERE key = $1", key, startedWithoutInput.ToByteArray());
    }

    public void DeleteInstance(long key)
    {
        Add("DELETE FROM instances WHERE key = $1", key);
        Add("DELETE FROM instance_values WHERE key = $1", key);
        DeleteHistory(key);
        if (_rows.Remove(key, out var row) && row.Instance is { } instance)
        {
            _byId[instance.Id] = null;
        }
    }

    public List<long> Children(long parentKey)
    {
        using var reader = Query("SELECT key FROM instances WHERE parent_key = $1 ORDER BY key", parentKey);
        List<long> keys = [];
        while (reader.Read())
        {
            keys.Add(reader.GetInt64(0));
        }

        return keys;
    }

    public string? ReadInput(long key) => ReadText("SELECT input FROM instance_values WHERE key = $1", key);

    public string? ReadOutput(long key) => ReadText("SELECT output FROM instance_values WHERE key = $1", key);

    public string? ReadCustomStatus(long key) => ReadText("SELECT custom_status FROM instances WHERE key = $1", key);

    public void InsertHistory(long key, long seq, ReadOnlySpan<byte> payload) =>
        Add("INSERT INTO history (instance_key, seq, payload) VALUES ($1, $2, $3)", key, seq, payload.ToArray());

    public void DeleteHistory(long key) => Add("DELETE FROM history WHERE instance_key = $1", key);

    public IEnumerable<HistoryEvent> ReadHistory(long key)
    {
        using var reader = Query("SELECT payload FROM history WHERE instance_key = $1 ORDER BY seq", key);
        List<HistoryEvent> events = [];
        while (reader.Read())
        {
            events.AddRange(HistoryChunk.Parser.ParseFrom((byte[])reader[0]).Events);
        }

        return events;
    }

    public void WriteEntity(long key, EntityState entity, DateTime now)
    {
        Add(
            "UPDATE instances SET entity_state = $2, locked_by = $3, critical_section = $4, modified_at = $5 WHERE key = $1",
            key,
            OrNull(entity.State),
            OrNull(entity.LockedBy),
            OrNull(entity.CriticalSection),
            now.Ticks);
        Touch(key);
    }

    /// <summary>It goes with the row of its instance.</summary>
    public void DeleteEntity(long key)
    {
    }

    public void AddLock(Instance orchestration, long entityKey) => Touch(orchestration).HasLocks = true;

    /// <summary>The row of the entity says it; see <see cref="WriteEntity"/>.</summary>
    public void RemoveLock(string orchestrationId, long entityKey)
    {
    }

    public IReadOnlyCollection<long> LocksOf(Instance orchestration)
    {
        if (!_rows.TryGetValue(orchestration.Key, out var row) || !row.HasLocks)
        {
            return [];
        }

        using var reader = Query("SELECT key FROM instances WHERE locked_by = $1 ORDER BY key", orchestration.Id);
        List<long> keys = [];
        while (reader.Read())
        {
            keys.Add(reader.GetInt64(0));
        }

        return keys;
    }

    private string? ReadText(string sql, long key)
    {
        using var reader = Query(sql, key);
        return reader.Read() ? reader.Text(0) : null;
    }

    private InstanceRow? Lock(string sql, object value)
    {
        using var reader = Query(sql, value);
        if (!reader.Read())
        {
            return null;
        }

        var row = InstanceRow.Read(reader);
        if (_rows.TryGetValue(row.Instance!.Key, out var known))
        {
            return known;
        }

        Remember(row);
        return row;
    }

    /// <summary>An entity decides by its whole inbox; an orchestration's is read when it gets a turn.</summary>
    private Instance? WithInbox(InstanceRow? row)
    {
        if (row?.Instance is { IsEntity: true } entity)
        {
            entity.Inbox.Clear();
            entity.Inbox.AddRange(ReadArrived(entity.Key));
        }

        return row?.Instance;
    }

    private InstanceRow Touch(Instance instance)
    {
        if (!_rows.TryGetValue(instance.Key, out var row))
        {
            _rows[instance.Key] = row = new InstanceRow();
        }

        row.Instance ??= instance;
        row.IsDirty = true;
        return row;
    }

    /// <summary>What an entity has in hand is over, or it had nothing to do after all: it is decided anew.</summary>
    public void EndLease(Instance instance) => Touch(instance).Ends = true;

    private void Touch(long key)
    {
        if (_rows.TryGetValue(key, out var row))
        {
            row.IsDirty = true;
        }
    }

    private static string NameKey(string name) => name.ToUpperInvariant();
}
