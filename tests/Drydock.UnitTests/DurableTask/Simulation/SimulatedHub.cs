using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.Sqlite;
using Drydock.DurableTask.TaskHub.State;
using Microsoft.Data.Sqlite;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>
/// The hub's state, dispatch and store on one thread and a clock that the simulation moves, with a store that fails where it is told
/// to. It makes transactions as <c>HubLoop</c> does; nothing in it depends on real time or on threads, so a seed repeats a run.
/// </summary>
internal sealed class SimulatedHub : IDisposable
{
    private readonly string _connectionString;
    private readonly SqliteTaskHubOptions _options;
    private readonly Faults _faults;
    private readonly VirtualClock _clock;
    private SqliteConnection _connection = null!;
    private HubWriter _writer = null!;
    private HubReader _reader = null!;
    private Dispatcher _dispatcher = null!;
    private HubState _state = null!;
    private bool _imageLost;

    public SimulatedHub(string path, VirtualClock clock, Faults faults)
    {
        _connectionString = $"Data Source={path};Pooling=False";
        _clock = clock;
        _faults = faults;
        _options = new SqliteTaskHubOptions { Path = path, CrashPoints = faults, MaximumDeliveries = 1000 };
        Open();
    }

    public WorkStream Stream { get; private set; } = null!;

    public HubState State => _state;

    public Dispatcher Dispatcher => _dispatcher;

    /// <summary>When the next timer, or the next abandoned item, is due.</summary>
    public DateTime? NextDue => new[] { _writer.Timers.Earliest, _dispatcher.EarliestDelayed }.Min();

    public bool IsIdle => _dispatcher.Outstanding == 0 && _state.Turns.Count == 0 && _state.Activities.Count == 0;

    /// <summary>Makes one transaction of the commands; true if it is committed. While it is open, <paramref name="inside"/> may take turns that it caused.</summary>
    public bool Commit(IReadOnlyList<Action<HubState>> commands, Func<IReadOnlyList<Action<HubState>>> inside)
    {
        var committed = false;
        try
        {
            Restore();
            _state.BeginBatch(_clock.Now);
            _dispatcher.Expire(_clock.Now);
            Apply(commands);
            _dispatcher.Speculate();
            while (inside() is { Count: > 0 } more)
            {
                Apply(more);
                _dispatcher.Speculate();
            }

            _writer.Commit();
            committed = true;
            _state.Ending.ForEach(_dispatcher.Release);
            _state.Ending.Clear();
            _state.Lost.Clear();
            _state.Changed.Clear();
        }
        catch (SimulatedFaultException)
        {
            // After the commit the process would have died; here it goes on, which is the same to those who wait.
            _imageLost = true;
        }

        HandOut();
        return committed;
    }

    /// <summary>Ends the process and starts another on the same file.</summary>
    public void Crash()
    {
        Close();
        Open();
    }

    /// <summary>The history of an instance that is committed.</summary>
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

    public long Number(string sql)
    {
        using var statement = new Statement(_connection, sql);
        statement.Step();
        return statement.Int64(0);
    }

    public Statement Query(string sql) => new(_connection, sql);

    public void Dispose() => Close();

    private void Apply(IReadOnlyList<Action<HubState>> commands)
    {
        foreach (var command in commands)
        {
            command(_state);
            _faults.Hit(CrashPoints.CommitAfterCommand);
        }
    }

    private void HandOut()
    {
        try
        {
            Restore();
            _dispatcher.Dispatch(_clock.Now);
            _writer.Commit();
            _dispatcher.LetGo();
            _state.Changed.Clear();
        }
        catch (SimulatedFaultException)
        {
            _dispatcher.TakeBack();
            _imageLost = true;
        }
    }

    private void Restore()
    {
        if (_imageLost)
        {
            _writer.Rollback();
            _state.Load(_clock.Now);
            _dispatcher.Reattach();
            _imageLost = false;
        }
    }

    private void Open()
    {
        _connection = new SqliteConnection(_connectionString);
        _connection.Open();
        using (var pragma = _connection.CreateCommand())
        {
            // A crash here is one of the process, not of the machine: nothing need reach the disk.
            pragma.CommandText = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF";
            pragma.ExecuteNonQuery();
        }

        using (var isNew = new Statement(_connection, "SELECT count(*) FROM sqlite_schema"))
        {
            isNew.Step();
            if (isNew.Int64(0) == 0)
            {
                HubSchema.Migrate(_connection, 0, CrashPoints.None);
            }
        }

        var reading = new SqliteConnection(_connectionString);
        reading.Open();
        _reader = new HubReader(reading);
        _writer = new HubWriter(_connection, _faults);
        _state = new HubState(_writer, _faults);
        _dispatcher = new Dispatcher(_state, _writer, _options, _clock);
        _state.Load(_clock.Now);
        Stream = new WorkStream(
            new GetWorkItemsRequest { MaxConcurrentActivityWorkItems = 8, MaxConcurrentOrchestrationWorkItems = 8 }, keepsOrchestrators: true) { Speculates = true };
        _dispatcher.Open(Stream);
        _imageLost = false;
        HandOut();
    }

    private void Close()
    {
        _writer.Rollback();
        _writer.Dispose();
        _reader.Dispose();
        _connection.Dispose();
    }
}

/// <summary>Fails now and then at a named point, as the seed says.</summary>
internal sealed class Faults(Random random) : ICrashPoints
{
    /// <summary>One passage in so many fails; 0 for none.</summary>
    public int OneIn { get; set; }

    /// <summary>How often it has failed.</summary>
    public int Count { get; private set; }

    public void Hit(string name)
    {
        // After the commit it has happened, and what follows is a crash of the process: the simulation has those apart.
        if (OneIn > 0 && name is not (CrashPoints.CommitAfterCommit or CrashPoints.CommitAfterAcknowledge) && random.Next(OneIn) == 0)
        {
            Count++;
            throw new SimulatedFaultException();
        }
    }
}

/// <summary>The store failed on purpose.</summary>
internal sealed class SimulatedFaultException() : Exception("The store failed on purpose.");

/// <summary>A clock that stands until it is moved.</summary>
internal sealed class VirtualClock : TimeProvider
{
    public DateTime Now { get; set; } = new(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    public override DateTimeOffset GetUtcNow() => new(Now);
}
