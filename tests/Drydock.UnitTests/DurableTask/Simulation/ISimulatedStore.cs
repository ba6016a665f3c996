using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.TaskHub.Sqlite;
using Drydock.DurableTask.TaskHub.State;
using Microsoft.Data.Sqlite;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>A store of the simulation, and what is read from outside of what is committed in it.</summary>
internal interface ISimulatedStore : IDisposable
{
    /// <summary>What the hub of the process that runs just now writes to.</summary>
    IHubStore Hub { get; }

    /// <summary>When the next message that waits is due.</summary>
    DateTime? EarliestTimer { get; }

    void Commit();

    void Rollback();

    /// <summary>The process ends, another opens what was committed.</summary>
    void Reopen();

    /// <summary>The history of an instance; empty if there is none.</summary>
    List<HistoryEvent> History(string id);

    OrchestrationState? Instance(string id);

    string? EntityState(string id);

    /// <summary>The orchestrations in the order in which they were created, finished or not.</summary>
    IReadOnlyList<(string Id, bool IsFinished)> Instances();

    /// <summary>Messages, activities, payloads, counts and locks that are there although nothing goes on any more.</summary>
    long Leftovers();
}

/// <summary>The store in memory.</summary>
internal sealed class SimulatedMemory : ISimulatedStore
{
    private readonly ICrashPoints _faults;
    private MemoryStore _store;

    public SimulatedMemory(ICrashPoints faults)
    {
        _faults = faults;
        _store = new MemoryStore(MemoryImage.Empty, faults);
    }

    public IHubStore Hub => _store;

    public DateTime? EarliestTimer => _store.Timers.Earliest;

    // Reads what is committed: what is being written is another store's.
    private LargePayloads Payloads => new(new MemoryStore(_store.Committed, _faults), 0);

    private IEnumerable<InstanceRecord> Orchestrations => _store.Committed.Instances.Values.Where(record => record.Exists && record.Id[0] != '@');

    public void Commit() => _store.Commit();

    public void Rollback() => _store.Rollback();

    public void Reopen() => _store = new MemoryStore(_store.Committed, _faults);

    public List<HistoryEvent> History(string id) => Find(id) is { } record ? [.. record.Events().Select(item => Payloads.Read(record.Key, item))] : [];

    public OrchestrationState? Instance(string id)
    {
        if (Find(id) is not { } record)
        {
            return null;
        }

        var state = record.ToState();
        state.Input = Payloads.Read(record.Key, state.Input);
        state.Output = Payloads.Read(record.Key, state.Output);
        state.CustomStatus = Payloads.Read(record.Key, state.CustomStatus);
        return state;
    }

    public string? EntityState(string id) => Find(id) is { } record ? _store.Committed.Entities[record.Key].State : null;

    public IReadOnlyList<(string Id, bool IsFinished)> Instances() => [.. Orchestrations.Select(record => (record.Id, record.CompletedAt is not null))];

    public long Leftovers()
    {
        var committed = _store.Committed;

        // Events are kept for instances that may come.
        return committed.Inboxes.Count(inbox => committed.Instances.GetValueOrDefault(inbox.Key) is not { Exists: false }) + committed.Tasks.Count + committed.Deliveries.Count
            + committed.Entities.Count(entity => entity.Value.LockedBy is not null)
            + committed.Payloads.Keys.Count(payload => !committed.Instances.ContainsKey(payload.Key));
    }

    public void Dispose()
    {
    }

    private InstanceRecord? Find(string id) =>
        _store.Committed.Ids.TryGetValue(id, out var key) && _store.Committed.Instances[key] is { Exists: true } record ? record : null;
}

/// <summary>The store that ships, on a file.</summary>
internal sealed class SimulatedFile : ISimulatedStore
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-simulation-");
    private readonly ICrashPoints _faults;
    private SqliteConnection _connection = null!;
    private HubWriter _writer = null!;
    private HubReader _reader = null!;

    public SimulatedFile(ICrashPoints faults)
    {
        _faults = faults;
        Open();
    }

    public IHubStore Hub => _writer;

    public DateTime? EarliestTimer => _writer.Timers.Earliest;

    public void Commit() => _writer.Commit();

    public void Rollback() => _writer.Rollback();

    public void Reopen()
    {
        Close();
        Open();
    }

    public List<HistoryEvent> History(string id)
    {
        List<HistoryEvent> events = [];
        if (_reader.Place(id) is { } place)
        {
            for (long next = 0; next < place.Length;)
            {
                (var chunk, next) = _reader.History(place.Key, place.ExecutionId, next, place.Length, 1 << 20);
                events.AddRange(chunk.Events);
            }
        }

        return events;
    }

    public OrchestrationState? Instance(string id) => _reader.Instance(id, values: true);

    public string? EntityState(string id) => _reader.Entity(id, withState: true)?.SerializedState;

    public IReadOnlyList<(string Id, bool IsFinished)> Instances()
    {
        List<(string, bool)> instances = [];
        using var statement = new Statement(
            _connection, "SELECT id, completed_at FROM instances WHERE status >= 0 AND substr(id, 1, 1) <> '@' ORDER BY key");
        while (statement.Step())
        {
            instances.Add((statement.Text(0), statement.Int64OrNull(1) is not null));
        }

        return instances;
    }

    public long Leftovers() => Number(
            """
            SELECT (SELECT count(*) FROM inbox WHERE instance_key NOT IN (SELECT key FROM instances WHERE status < 0))
              + (SELECT count(*) FROM tasks) + (SELECT count(*) FROM deliveries)
              + (SELECT count(*) FROM entities WHERE locked_by IS NOT NULL)
              + (SELECT count(*) FROM payloads WHERE instance_key NOT IN (SELECT key FROM instances))
              + (SELECT count(*) FROM history WHERE instance_key NOT IN (SELECT key FROM instances))
            """);

    /// <summary>How many rows each table has.</summary>
    public IReadOnlyDictionary<string, long> Rows() => new[] { "instances", "instance_values", "history", "inbox", "tasks", "deliveries", "entities" }
        .ToDictionary(table => table, table => Number($"SELECT count(*) FROM {table}"), StringComparer.Ordinal);

    /// <summary>What the database takes, in bytes.</summary>
    public long Bytes() => Number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");

    public void Dispose()
    {
        Close();
        _folder.Delete(recursive: true);
    }

    private long Number(string sql)
    {
        using var statement = new Statement(_connection, sql);
        statement.Step();
        return statement.Int64(0);
    }

    private void Open()
    {
        var connectionString = $"Data Source={Path.Combine(_folder.FullName, "hub.db")};Pooling=False";
        _connection = new SqliteConnection(connectionString);
        _connection.Open();
        using (var pragma = _connection.CreateCommand())
        {
            // A crash here is one of the process, not of the machine: nothing need reach the disk.
            pragma.CommandText = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF";
            pragma.ExecuteNonQuery();
        }

        if (Number("SELECT count(*) FROM sqlite_schema") == 0)
        {
            HubSchema.Migrate(_connection, 0, CrashPoints.None);
        }

        var reading = new SqliteConnection(connectionString);
        reading.Open();
        _reader = new HubReader(reading);
        _writer = new HubWriter(_connection, _faults);
    }

    private void Close()
    {
        _writer.Rollback();
        _writer.Dispose();
        _reader.Dispose();
        _connection.Dispose();
    }
}
