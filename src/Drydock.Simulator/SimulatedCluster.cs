using Drydock.Simulator.Api;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;

namespace Drydock.Simulator;

/// <summary>A simulated Kubernetes cluster with KubeVirt: objects, API server, controllers, kubelets, and the faults of a scenario.</summary>
public sealed class SimulatedCluster : IAsyncDisposable
{
    // Simulated time in which the cluster starts up before it is handed over; none of it passes in reality. What does not stand by then
    // goes on starting in front of everybody's eyes.
    private static readonly TimeSpan History = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan StartGrain = TimeSpan.FromSeconds(0.25);

    private readonly Scenario _scenario;
    private readonly int _seed;
    private readonly SimulationClock _clock;
    private readonly ObjectStore _store;
    private readonly ClusterParts _parts;
    private readonly ControllerLoop _loop;
    private readonly ILoggerFactory _logs;
    private SimulatedApiServer? _api;
    private readonly TimeProvider _real;
    private Snapshot? _start;
    private string? _stateFile;
    private StateFile? _state;

    private SimulatedCluster(Scenario scenario, TimeProvider clock, ILoggerFactory logs, int seed, double speed)
    {
        _scenario = scenario;
        _seed = seed;
        _logs = logs;
        _real = clock;
        _clock = new SimulationClock(clock, speed, History);
        var store = new ObjectStore(_clock, seed);
        Store = _store = store;
        _parts = new ClusterParts(scenario, store, _clock, new Random(seed));
        _loop = new ControllerLoop(store, _parts.Controllers, _clock, logs.CreateLogger<ControllerLoop>());
        _parts.WakeThrough(_loop);
    }

    /// <summary>The objects of the cluster.</summary>
    public IObjectStore Store { get; }

    /// <summary>Its API server, once it is started.</summary>
    public SimulatedApiServer Api => _api ?? throw new InvalidOperationException("The cluster was not started.");

    /// <summary>The cluster's time.</summary>
    public TimeProvider Clock => _clock;

    /// <summary>The scenario it plays.</summary>
    public Scenario Scenario => _scenario;

    /// <summary>Changes no controller has seen yet and keys queued or being looked at; not what is due in the future.</summary>
    public int PendingWork => _loop.PendingWork;

    /// <summary>When a controller next acts although nothing changes, or null if none will.</summary>
    public DateTimeOffset? NextDue => _loop.NextDue;

    /// <summary>Makes a cluster; it is empty until it is started.</summary>
    /// <param name="scenario">What is in it.</param>
    /// <param name="clock">The time.</param>
    /// <param name="logs">Where its controllers log.</param>
    /// <param name="seed">The same seed gives the same names, uids and durations.</param>
    /// <param name="speed">How many times faster than the clock its time passes.</param>
    /// <param name="stateFile">Where its objects are kept over restarts; null: nowhere. A file that exists is where it goes on from.</param>
    public static SimulatedCluster Create(
        Scenario scenario, TimeProvider clock, ILoggerFactory logs, int seed = 1, double speed = 1, string? stateFile = null) =>
        new(scenario, clock, logs, seed, speed) { _stateFile = stateFile };

    /// <summary>
    /// Brings the cluster to the settled start state of its scenario (every pod running and ready, every VM running) without waiting,
    /// then lets time run.
    /// </summary>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StartPaused();
        _loop.GoLive();
        return Task.CompletedTask;
    }

    /// <summary>Serves its API on 127.0.0.1.</summary>
    /// <param name="port">The port; 0 for any that is free.</param>
    /// <param name="cancellationToken">Gives up starting.</param>
    /// <returns>The address.</returns>
    public Task<Uri> ListenAsync(int port, CancellationToken cancellationToken) => Api.ListenAsync(port, cancellationToken);

    /// <summary>Compares the cluster with the end its scenario expects.</summary>
    public IReadOnlyList<CheckResult> Check() =>
        ScenarioCheck.Run(_scenario, _start ?? throw new InvalidOperationException("The cluster was not started."), Store);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _loop.DisposeAsync();
        if (_state is not null)
        {
            await _state.DisposeAsync();
        }

        if (_api is not null)
        {
            await _api.DisposeAsync();
        }
    }

    /// <summary>As <see cref="StartAsync"/>, but nothing runs until <see cref="RunReady"/> is called: for tests in virtual time.</summary>
    internal void StartPaused()
    {
        var end = _clock.GetUtcNow() + History;
        if (_stateFile is not null && File.Exists(_stateFile))
        {
            _clock.JumpTo(end);
            _parts.Resume(() => StateFile.Restore(_store, _stateFile));
        }
        else
        {
            _parts.CreateObjects(_loop.RunReady);
            Settle(end, _parts.IsSettled);
            _parts.StartUpIsOver();
            Settle(end, () => false);
        }

        _clock.Run();
        // Nobody has seen a version of the start: nobody can ask what came after it.
        _store.Compact();
        _state = _stateFile is null ? null : StateFile.Keep(_store, _stateFile, _real, _logs.CreateLogger<SimulatedCluster>());
        _start = Snapshot.Of(Store);
        // Only now: what the server does by itself would come between the seeded writes of the start.
        var virtApi = new VirtApi(_parts.IsBroken);
        _api = new SimulatedApiServer(
            Store,
            [virtApi.Guard(new KubeVirtAdmission(Store, _clock))],
            [virtApi.Guard(new EvictionInterceptor(Store))],
            [virtApi.Guard(new KubeVirtSubresources(Store, _clock))],
            _clock, _logs, _seed);
        foreach (var user in _scenario.Users)
        {
            _api.Access.AddToken(user.Token, user.Name, user.Groups);
        }

        _parts.BeginFaults(_loop, _api);
    }

    /// <summary>Does all that is ready, on the calling thread.</summary>
    internal void RunReady() => _loop.RunReady();

    /// <summary>Makes changes of the store that no controller sees half done.</summary>
    internal void Together(Action changes) => _loop.Together(changes);

    // Time jumps to the next due look and what is due soon after it: a thousand pods that start within a second are seen together.
    private void Settle(DateTimeOffset end, Func<bool> isEnough)
    {
        _loop.RunReady();
        while (!isEnough() && _loop.NextDue is { } due && due <= end)
        {
            var together = due + StartGrain;
            _clock.JumpTo(together < end ? together : end);
            _loop.RunReady();
        }
    }
}
