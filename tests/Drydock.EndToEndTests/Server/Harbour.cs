using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Server;
using Drydock.Simulator;
using Drydock.Simulator.Scenarios;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>A simulated cluster and the real server over it, with its hub in a folder of its own.</summary>
internal sealed class Harbour : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-tests-");
    private readonly SimulatedCluster _cluster;
    private readonly Func<DrydockOptions, DrydockOptions>? _configure;
    private readonly Action<IServiceCollection>? _services;
    private readonly Func<HttpMessageHandler, HttpMessageHandler> _wire;
    private WebApplication? _server;

    private Harbour(
        Scenario scenario, int seed, Func<DrydockOptions, DrydockOptions>? configure, Action<IServiceCollection>? services, Func<HttpMessageHandler, HttpMessageHandler>? wire)
    {
        (_configure, _services, _wire) = (configure, services, wire ?? (static handler => handler));
        _cluster = SimulatedCluster.Create(scenario, TimeProvider.System, NullLoggerFactory.Instance, seed);
    }

    /// <summary>The simulated cluster.</summary>
    public SimulatedCluster Cluster => _cluster;

    /// <summary>What the server is told.</summary>
    public DrydockOptions Options => new()
    {
        Hub = $"Data Source={Path.Combine(_folder.FullName, "hub.db")}",
        Cluster = ClusterConnection.InMemory(_wire(RecordedCalls.HandlerOf(_cluster.Api)), new Uri("http://simulated")),
        Urls = ["http://127.0.0.1:0"],
        LogLevel = LogLevel.Warning,
    };

    /// <summary>The server's client; null after a stop.</summary>
    public DrydockApiClient Api { get; private set; } = null!;

    /// <summary>The server's address.</summary>
    public HttpClient Http { get; private set; } = null!;

    /// <summary>Talks to the API server of the cluster as a person with kubectl would.</summary>
    public HttpClient Kubernetes { get; private set; } = null!;

    /// <summary>A token for one test: it ends with the run, or when the test hangs.</summary>
    public static CancellationToken Deadline() => CancellationTokenSource.CreateLinkedTokenSource(
        TestContext.Current.CancellationToken, new CancellationTokenSource(TimeSpan.FromMinutes(5), TimeProvider.System).Token).Token;

    /// <summary>A cluster and a server, both up.</summary>
    public static async Task<Harbour> OpenAsync(
        CancellationToken cancellationToken, int seed = 1, Func<DrydockOptions, DrydockOptions>? configure = null, Action<IServiceCollection>? services = null, Func<HttpMessageHandler, HttpMessageHandler>? wire = null,
        string scenario = "healthy", Scenario? cluster = null)
    {
        var harbour = new Harbour(cluster ?? Scenario.Named(scenario), seed, configure, services, wire);
        await harbour._cluster.StartAsync(cancellationToken);
        harbour.Kubernetes = new HttpClient(harbour._cluster.Api.CreateHandler()) { BaseAddress = new Uri("http://simulated") };
        await harbour.StartServerAsync(cancellationToken);
        return harbour;
    }

    /// <summary>Starts the server on the hub of before.</summary>
    public async Task StartServerAsync(CancellationToken cancellationToken)
    {
        _server = DrydockHost.Build(_configure?.Invoke(Options) ?? Options, _services);
        await _server.StartAsync(cancellationToken);
        Http = new HttpClient { BaseAddress = new Uri(_server.Urls.Single()), Timeout = Timeout.InfiniteTimeSpan };
        Api = new DrydockApiClient(Http);
    }

    /// <summary>Stops the server; the cluster goes on.</summary>
    public async Task StopServerAsync()
    {
        if (_server is { } server)
        {
            _server = null;
            Http.Dispose();
            await server.StopAsync(CancellationToken.None);
            await server.DisposeAsync();
        }
    }

    /// <summary>A part of the running server.</summary>
    public T Service<T>()
        where T : notnull => _server!.Services.GetRequiredService<T>();

    /// <summary>Reads an object of the cluster, or null.</summary>
    public async Task<JsonNode?> GetAsync(string path, CancellationToken cancellationToken)
    {
        var answer = await Kubernetes.GetAsync(path, cancellationToken);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<JsonNode>(cancellationToken) : null;
    }

    /// <summary>Watches until the maintenance is over, or a condition holds before.</summary>
    public async Task<MaintenanceView> WatchAsync(string id, Func<MaintenanceView, bool> until, CancellationToken cancellationToken)
    {
        await foreach (var view in Api.WatchMaintenanceAsync(id, cancellationToken))
        {
            if (view.IsOver || until(view))
            {
                return view;
            }
        }

        throw new InvalidOperationException($"The stream of {id} ended before the maintenance did.");
    }

    /// <summary>Waits until something in the cluster is so.</summary>
    public async Task<JsonNode?> UntilAsync(string path, Func<JsonNode?, bool> holds, CancellationToken cancellationToken)
    {
        while (true)
        {
            var found = await GetAsync(path, cancellationToken);
            if (holds(found))
            {
                return found;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopServerAsync();
        Kubernetes.Dispose();
        RecordedCalls.Keep(_cluster.Api);
        await _cluster.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
