using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.Sqlite;

internal sealed partial class HubWriter
{
    private const string Columns =
        "i.key, i.id, i.status, i.execution_id, i.generation, i.updated_at, i.history_length, i.history_bytes, i.trace, v.started";

    private Statement _findById = null!;
    private Statement _findByKey = null!;
    private Statement _insertInstance = null!;
    private Statement _lastKey = null!;
    private Statement _insertValues = null!;
    private Statement _updateInstance = null!;
    private Statement _updateResult = null!;
    private Statement _updateStart = null!;
    private Statement _deleteInstance = null!;
    private Statement _deleteValues = null!;
    private Statement _children = null!;
    private Statement _insertHistory = null!;
    private Statement _deleteHistory = null!;
    private Statement _readHistory = null!;
    private Statement _readInput = null!;
    private Statement _readOutput = null!;
    private Statement _readCustomStatus = null!;

    public Instance? Find(string id) => WithInbox(Read(_findById.Bind(1, id)));

    public Instance? Find(long key) => WithInbox(Read(_findByKey.Bind(1, key)));

    /// <summary>Writes a new instance and returns its key.</summary>
    public long InsertInstance(string id, OrchestrationStatus status, string executionId, ExecutionStartedEvent started, long? parentKey, DateTime now)
    {
        Begin();
        _insertInstance
            .Bind(1, id).Bind(2, (long)status).Bind(3, executionId).Bind(4, started.Name).Bind(5, started.Version)
            .Bind(6, parentKey).Bind(7, started.ParentInstance?.OrchestrationInstance.InstanceId).Bind(8, now.Ticks)
            .Bind(9, started.ScheduledStartTimestamp?.ToDateTime().Ticks)
            .Execute();
        _lastKey.Step();
        var key = _lastKey.Int64(0);
        _lastKey.Reset();
        return key;
    }

    public void InsertValues(long key, string? input, ExecutionStartedEvent startedWithoutInput)
    {
        Begin();
        _insertValues.Bind(1, key).Bind(2, input).Bind(3, Bytes(startedWithoutInput)).Execute();
    }

    /// <summary>Writes what every turn changes.</summary>
    public void UpdateInstance(Instance instance, string? customStatus, DateTime? completedAt)
    {
        Begin();
        _updateInstance
            .Bind(1, instance.Key).Bind(2, (long)instance.Status).Bind(3, instance.ExecutionId).Bind(4, instance.Generation)
            .Bind(5, instance.Version).Bind(6, instance.UpdatedAt.Ticks).Bind(7, completedAt?.Ticks).Bind(8, instance.HistoryLength)
            .Bind(9, instance.HistoryBytes).Bind(10, customStatus).Bind(11, Bytes(instance.Trace))
            .Execute();
    }

    public void UpdateResult(long key, string? output, Failure? failure)
    {
        Begin();
        _updateResult.Bind(1, key).Bind(2, output).Bind(3, Bytes(failure)).Execute();
    }

    public void UpdateStart(long key, string? input, ExecutionStartedEvent startedWithoutInput)
    {
        Begin();
        _updateStart.Bind(1, key).Bind(2, input).Bind(3, Bytes(startedWithoutInput)).Execute();
    }

    /// <summary>Deletes the rows of an instance itself; messages, tasks and history have methods of their own.</summary>
    public void DeleteInstance(long key)
    {
        Begin();
        _deleteInstance.Bind(1, key).Execute();
        _deleteValues.Bind(1, key).Execute();
        DeleteHistory(key);
        ForgetDeliveries(key, 0);
    }

    public List<long> Children(long parentKey)
    {
        var keys = new List<long>();
        _children.Bind(1, parentKey);
        while (_children.Step())
        {
            keys.Add(_children.Int64(0));
        }

        _children.Reset();
        return keys;
    }

    public string? ReadInput(long key) => ReadText(_readInput, key);

    public string? ReadOutput(long key) => ReadText(_readOutput, key);

    public string? ReadCustomStatus(long key) => ReadText(_readCustomStatus, key);

    public void InsertHistory(long key, long seq, ReadOnlySpan<byte> payload)
    {
        Begin();
        _insertHistory.Bind(1, key).Bind(2, seq).Bind(3, payload).Execute();
    }

    public void DeleteHistory(long key)
    {
        Begin();
        _deleteHistory.Bind(1, key).Execute();
    }

    /// <summary>The whole history of the current execution.</summary>
    public IEnumerable<HistoryEvent> ReadHistory(long key)
    {
        var events = new List<HistoryEvent>();
        _readHistory.Bind(1, key);
        while (_readHistory.Step())
        {
            events.AddRange(HistoryChunk.Parser.ParseFrom(_readHistory.Blob(0)).Events);
        }

        _readHistory.Reset();
        return events;
    }

    private void PrepareInstances()
    {
        const string select = $"SELECT {Columns} FROM instances i LEFT JOIN instance_values v ON v.key = i.key";
        _findById = Prepare($"{select} WHERE i.id = ?1");
        _findByKey = Prepare($"{select} WHERE i.key = ?1");
        _insertInstance = Prepare(
            """
            INSERT INTO instances (id, status, execution_id, generation, name, version, parent_key, parent_id, created_at, updated_at,
              scheduled_at, history_length, history_bytes)
            VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?8, ?9, 0, 0)
            """);
        _lastKey = Prepare("SELECT last_insert_rowid()");
        _insertValues = Prepare("INSERT INTO instance_values (key, input, started) VALUES (?1, ?2, ?3)");
        _updateInstance = Prepare(
            """
            UPDATE instances SET status = ?2, execution_id = ?3, generation = ?4, version = ?5, updated_at = ?6, completed_at = ?7,
              history_length = ?8, history_bytes = ?9, custom_status = ?10, trace = ?11
            WHERE key = ?1
            """);
        _updateResult = Prepare("UPDATE instance_values SET output = ?2, failure = ?3 WHERE key = ?1");
        _updateStart = Prepare("UPDATE instance_values SET input = ?2, started = ?3 WHERE key = ?1");
        _deleteInstance = Prepare("DELETE FROM instances WHERE key = ?1");
        _deleteValues = Prepare("DELETE FROM instance_values WHERE key = ?1");
        _children = Prepare("SELECT key FROM instances WHERE parent_key = ?1 ORDER BY key");
        _insertHistory = Prepare("INSERT INTO history (instance_key, seq, payload) VALUES (?1, ?2, ?3)");
        _deleteHistory = Prepare("DELETE FROM history WHERE instance_key = ?1");
        _readHistory = Prepare("SELECT payload FROM history WHERE instance_key = ?1 ORDER BY seq");
        _readCustomStatus = Prepare("SELECT custom_status FROM instances WHERE key = ?1");
        _readOutput = Prepare("SELECT output FROM instance_values WHERE key = ?1");
        _readInput = Prepare("SELECT input FROM instance_values WHERE key = ?1");
    }

    private static string? ReadText(Statement row, long key)
    {
        row.Bind(1, key);
        var text = row.Step() ? row.TextOrNull(0) : null;
        row.Reset();
        return text;
    }

    private static Instance? Read(Statement row)
    {
        Instance? instance = null;
        if (row.Step())
        {
            instance = new Instance(row.Int64(0), row.Text(1))
            {
                Status = (OrchestrationStatus)row.Int64(2),
                ExecutionId = row.Text(3),
                Generation = row.Int64(4),
                UpdatedAt = new DateTime(row.Int64(5), DateTimeKind.Utc),
                HistoryLength = row.Int64(6),
                HistoryBytes = row.Int64(7),
                Trace = Trace(row.BlobOrNull(8)),
                Started = row.BlobOrNull(9) is { } started ? ExecutionStartedEvent.Parser.ParseFrom(started) : new(),
            };
        }

        row.Reset();
        return instance;
    }
}
