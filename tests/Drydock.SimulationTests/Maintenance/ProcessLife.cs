using Drydock.DurableTask.Client;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.Worker;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// One life of the process: a hub on a file, a client, a worker, a connection to the cluster. When it dies the hub's thread stops where
/// it is and no request reaches the cluster any more; what is on the disk then is what the next life finds.
/// </summary>
internal sealed class ProcessLife : ICrashPoints, IAsyncDisposable
{
    private readonly string _file;
    private readonly SimulatedApiServer _api;
    private readonly Stillness _stillness;
    private readonly CancellationTokenSource _death = new();
    private readonly TaskCompletionSource _died = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _buried = new();
    private readonly IHost _host;
    private volatile Kill? _kill;
    private volatile RequestKill? _killAt;

    private ProcessLife(
        string file, SimulatedApiServer api, VirtualTime time, Stillness stillness, bool replaysAlways, Action<IServiceCollection>? configure)
    {
        (_file, _api) = (file, api);
        _stillness = stillness;
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddKubernetesCluster(
            ClusterConnection.InMemory(new Wire(this, RecordedCalls.HandlerOf(api), _death.Token), new Uri("http://simulated.local/")));
        builder.Services.AddSqliteTaskHub(file, options => options.CrashPoints = this);
        builder.Services.AddDurableTaskClient(client => client.UseTaskHub());
        builder.Services.AddDurableTaskWorker(worker => worker.AddTasks(tasks => tasks.AddMaintenance()).UseTaskHub(options =>
        {
            options.DrainTimeout = TimeSpan.Zero;
            options.CompareWithReplay = !replaysAlways;
            options.MaximumLiveOrchestrators = replaysAlways ? 0 : 1000;
        }));
        configure?.Invoke(builder.Services);
        _host = builder.Build();
    }

    public bool IsDead => _died.Task.IsCompleted;

    /// <summary>Ends what waits for the hub when it dies.</summary>
    public CancellationToken Death => _death.Token;

    public DurableTaskClient Client => _host.Services.GetRequiredService<DurableTaskClient>();

    public ICluster Kubernetes => _host.Services.GetRequiredService<ICluster>();

    public INeighbours Neighbours => _host.Services.GetRequiredService<INeighbours>();

    public ActionPlanner Planner => _host.Services.GetActionPlanner();

    public SqliteTaskHub Hub => _host.Services.GetRequiredService<SqliteTaskHub>();

    public static async Task<ProcessLife> StartAsync(
        string file, SimulatedApiServer api, VirtualTime time, Stillness stillness, bool replaysAlways, Action<IServiceCollection>? configure)
    {
        var life = new ProcessLife(file, api, time, stillness, replaysAlways, configure);
        await life._host.StartAsync(CancellationToken.None);
        return life;
    }

    /// <summary>It will die when the hub is at that point of <see cref="CrashPoints"/> for the nth time from now on.</summary>
    public void KillAt(string point, int nth) => _kill = new Kill(point, nth);

    /// <summary>It will die just before, or just after, the nth such request to the API server is carried out.</summary>
    public void KillAtRequest(Func<HttpRequestMessage, bool> which, int nth, bool after) => _killAt = new RequestKill(which, nth, after);

    /// <summary>Kills it where it is.</summary>
    public async Task KillAsync()
    {
        if (!IsDead)
        {
            KillAt(CrashPoints.CommitAfterAcknowledge, 1);
            _ = Hub.HelloAsync(CancellationToken.None);
            await _died.Task;
        }
    }

    /// <summary>Copies what a dead process left on the disk.</summary>
    public void CopyTo(string file)
    {
        File.Copy(_file, file);
        if (File.Exists(_file + "-wal"))
        {
            File.Copy(_file + "-wal", file + "-wal");
        }
    }

    /// <summary>Called by the hub's thread.</summary>
    public void Hit(string name)
    {
        _stillness.Hit(name);
        if (_kill is { } kill && kill.Point == name && --kill.Left == 0)
        {
            // First that it is so, then to those who waited for it.
            _died.TrySetResult();
            _death.Cancel();
            _buried.Wait();
        }
    }

    public async ValueTask DisposeAsync()
    {
        // Whatever it still does, it does to a file that nobody opens again.
        _kill = null;
        await _death.CancelAsync();
        _buried.Set();
        await Hub.DisposeAsync();
        try
        {
            await _host.StopAsync(new CancellationToken(canceled: true));
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or AggregateException)
        {
            // A dead process does not stop in an orderly way.
        }

        await ((IAsyncDisposable)_host).DisposeAsync();
        RecordedCalls.Keep(_api);
    }

    private sealed class Kill(string point, int nth)
    {
        public string Point => point;

        public int Left { get; set; } = nth;
    }

    private sealed class RequestKill(Func<HttpRequestMessage, bool> which, int nth, bool after)
    {
        private int _left = nth;

        public bool After => after;

        public bool IsHit(HttpRequestMessage request) => which(request) && Interlocked.Decrement(ref _left) == 0;
    }

    /// <summary>Nothing comes through it from a dead process.</summary>
    private sealed class Wire(ProcessLife life, HttpMessageHandler inner, CancellationToken death) : DelegatingHandler(inner)
    {
        private volatile bool _isCut;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var kill = life._killAt;
            if (kill?.IsHit(request) == true)
            {
                // The answer is lost with the process: what is persisted next is not persisted any more.
                life.KillAt(CrashPoints.CommitBeforeCommit, 1);
                _isCut = true;
                if (kill.After)
                {
                    (await base.SendAsync(request, CancellationToken.None)).Dispose();
                }
            }

            return _isCut || death.IsCancellationRequested
                ? throw new HttpRequestException("The process is dead.")
                : await base.SendAsync(request, cancellationToken);
        }
    }
}
