using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.TaskHub.Dispatch;
using Drydock.DurableTask.TaskHub.State;

namespace Drydock.UnitTests.DurableTask.Simulation;

/// <summary>
/// The hub's state and dispatch on one thread and a clock that the simulation moves, over a store that fails where it is told to. It
/// makes transactions as <c>HubLoop</c> does; nothing in it depends on real time or on threads, so a seed repeats a run.
/// </summary>
internal sealed class SimulatedHub : IDisposable
{
    private readonly SqliteTaskHubOptions _options;
    private readonly Faults _faults;
    private readonly VirtualClock _clock;
    private Dispatcher _dispatcher = null!;
    private HubState _state = null!;
    private bool _imageLost;

    /// <summary>A hub on a store.</summary>
    /// <param name="store">What it writes to.</param>
    /// <param name="clock">Its clock.</param>
    /// <param name="faults">Where it fails.</param>
    /// <param name="largePayloadThreshold">Payloads of more characters are stored apart; null for what a hub does by itself.</param>
    public SimulatedHub(ISimulatedStore store, VirtualClock clock, Faults faults, int? largePayloadThreshold = null)
    {
        Store = store;
        _clock = clock;
        _faults = faults;
        _options = new SqliteTaskHubOptions { CrashPoints = faults, MaximumDeliveries = 1000, EntityBatch = 3 };
        _options.LargePayloadThreshold = largePayloadThreshold ?? _options.LargePayloadThreshold;
        Open();
    }

    public ISimulatedStore Store { get; }

    public WorkStream Stream { get; private set; } = null!;

    public Dispatcher Dispatcher => _dispatcher;

    /// <summary>When the next timer, or the next abandoned item, is due.</summary>
    public DateTime? NextDue => new[] { Store.EarliestTimer, _dispatcher.EarliestDelayed }.Min();

    public bool IsIdle => _dispatcher.Outstanding == 0 && _state.Turns.Count == 0 && _state.Activities.Count == 0 && _state.Entities.Count == 0;

    /// <summary>
    /// Makes one transaction of the commands; true if it was acknowledged, in which case it is committed. While it is open, and the
    /// clock goes on, <paramref name="inside"/> may take turns that it caused.
    /// </summary>
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

            Store.Commit();
            committed = true;
            _state.Ending.ForEach(_dispatcher.Release);
            _state.Ending.Clear();
            _state.Lost.Clear();
            _state.Changed.Clear();
        }
        catch (SimulatedFaultException)
        {
            // It may have happened: those who wait are told that it failed, and must find out.
            _imageLost = true;
        }

        HandOut();
        return committed;
    }

    /// <summary>Ends the process and starts another on what was committed.</summary>
    public void Crash()
    {
        Store.Reopen();
        Open();
    }

    /// <summary>The worker's stream ends, and with it whatever it was sent and had not answered; another opens.</summary>
    public void LoseWorker()
    {
        _dispatcher.Close(Stream);
        OpenStream();
        HandOut();
    }

    /// <summary>A worker gives an item back; false if it is to say so again, since it was not acknowledged.</summary>
    public bool Abandon(string token) => Commit([_ => _dispatcher.Abandon(token)], static () => []);

    public void Dispose() => Store.Dispose();

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
            Store.Commit();
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
            Store.Rollback();
            _state.Load(_clock.Now);
            _dispatcher.Reattach();
            _imageLost = false;
        }
    }

    private void Open()
    {
        _state = new HubState(Store.Hub, _faults, _options);
        _dispatcher = new Dispatcher(_state, Store.Hub, _options, _clock);
        _state.Load(_clock.Now);
        _imageLost = false;
        OpenStream();
        HandOut();
    }

    private void OpenStream()
    {
        var request = new GetWorkItemsRequest
        {
            MaxConcurrentActivityWorkItems = 8, MaxConcurrentOrchestrationWorkItems = 8, MaxConcurrentEntityWorkItems = 4,
        };
        Stream = new WorkStream(request, keepsOrchestrators: true) { Speculates = true };
        _dispatcher.Open(Stream);
    }
}

/// <summary>Fails now and then at a named point, as the seed says.</summary>
internal sealed class Faults(Random random) : ICrashPoints
{
    /// <summary>One passage in so many fails; 0 for none.</summary>
    public int OneIn { get; set; }

    /// <summary>How often it has failed with nothing committed.</summary>
    public int Before { get; private set; }

    /// <summary>How often it has failed although it was committed.</summary>
    public int After { get; private set; }

    public void Hit(string name)
    {
        if (OneIn == 0 || random.Next(name == CrashPoints.CommitAfterCommit ? Math.Max(1, OneIn / 4) : OneIn) > 0)
        {
            return;
        }

        if (name == CrashPoints.CommitAfterCommit)
        {
            After++;
        }
        else
        {
            Before++;
        }

        throw new SimulatedFaultException();
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
