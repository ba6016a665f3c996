using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.EndToEndTests.Cli;

/// <summary>A simulated cluster on a port of this machine, a kubeconfig for it and a folder for state; gone with the test.</summary>
internal sealed class LiveCluster : IAsyncDisposable
{
    private LiveCluster(SimulatedCluster cluster, string folder) => (Cluster, Folder) = (cluster, folder);

    public SimulatedCluster Cluster { get; }

    public string Folder { get; }

    public string Kubeconfig => Path.Combine(Folder, "kubeconfig");

    public string Node => Cluster.Scenario.Maintain!;

    /// <summary>Starts a scenario that the simulator brings along. Another seed is another cluster.</summary>
    public static Task<LiveCluster> StartAsync(string scenario = "healthy", int seed = 1, TimeSpan? copy = null)
    {
        var chosen = Scenario.Named(scenario);
        if (copy is { } time)
        {
            chosen = chosen with { VirtualMachines = [.. chosen.VirtualMachines.Select(vm => vm with { Copy = time })] };
        }

        return StartAsync(chosen, seed);
    }

    /// <summary>Starts a scenario.</summary>
    public static async Task<LiveCluster> StartAsync(Scenario scenario, int seed = 1)
    {
        var cluster = SimulatedCluster.Create(scenario, TimeProvider.System, NullLoggerFactory.Instance, seed);
        await cluster.StartAsync(CancellationToken.None);
        var live = new LiveCluster(cluster, Directory.CreateTempSubdirectory("drydock-test-").FullName);
        var address = await cluster.ListenAsync(0, CancellationToken.None);
        await File.WriteAllTextAsync(live.Kubeconfig, SimulatedApiServer.Kubeconfig(address));
        return live;
    }

    public DrydockProcess Start(params string[] arguments) => DrydockProcess.Start(Folder, [.. arguments, "--kubeconfig", Kubeconfig]);

    public Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) =>
        DrydockProcess.RunAsync(Folder, [.. arguments, "--kubeconfig", Kubeconfig]);

    /// <summary>Requests that would change something, whatever the answer was.</summary>
    public IReadOnlyList<RequestRecord> Changes() =>
    [
        .. Cluster.Api.RequestLog.All.Where(request =>
            request.Verb is "create" or "update" or "patch" or "delete" && request.Resource?.Contains("reviews.", StringComparison.Ordinal) != true),
    ];

    public bool IsCordoned() => (bool?)Cluster.Store.Get(ResourceTypes.Nodes, null, Node)!["spec"]?["unschedulable"] == true;

    /// <summary>Evictions the API server accepted, by pod.</summary>
    public IReadOnlyDictionary<string, int> Evictions() => Cluster.Api.RequestLog.Of("create", "pods", "eviction")
        .Where(request => request.Code is 200 or 201).GroupBy(request => $"{request.Namespace}/{request.Name}").ToDictionary(group => group.Key, group => group.Count());

    public async ValueTask DisposeAsync()
    {
        RecordedCalls.Keep(Cluster.Api, user: null);
        await Cluster.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
