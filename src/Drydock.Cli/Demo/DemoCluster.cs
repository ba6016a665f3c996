using Drydock.Kubernetes;
using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.Cli.Demo;

/// <summary>The simulated cluster of a demonstration: served over HTTP to the server, looked at directly by us.</summary>
internal sealed class DemoCluster : IAsyncDisposable
{
    private readonly SimulatedCluster _cluster;
    private HashSet<string> _podsAtStart = [];

    private DemoCluster(SimulatedCluster cluster, Uri address) => (_cluster, Address) = (cluster, address);

    /// <summary>The scenario it plays.</summary>
    public Scenario Scenario => _cluster.Scenario;

    /// <summary>Where its API server listens.</summary>
    public Uri Address { get; }

    /// <summary>Starts the cluster of a scenario behind a Kubernetes API.</summary>
    /// <param name="scenario">What is in it and what goes wrong.</param>
    /// <param name="port">The port of 127.0.0.1; 0 takes a free one.</param>
    /// <param name="speed">How many times faster than ours its time passes.</param>
    /// <param name="seed">The same seed gives the same names, durations and faults.</param>
    /// <param name="clock">Our time.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static Task<DemoCluster> StartAsync(Scenario scenario, int port, double speed, int seed, TimeProvider clock, CancellationToken cancellationToken) =>
        StartAsync(scenario, port, speed, seed, clock, null, cancellationToken);

    /// <summary>The same, with its objects kept over restarts in a file, if one is given.</summary>
    public static async Task<DemoCluster> StartAsync(
        Scenario scenario, int port, double speed, int seed, TimeProvider clock, string? stateFile, CancellationToken cancellationToken)
    {
        var cluster = SimulatedCluster.Create(scenario, clock, NullLoggerFactory.Instance, seed, speed, stateFile);
        await cluster.StartAsync(cancellationToken);
        return new DemoCluster(cluster, await cluster.ListenAsync(port, cancellationToken));
    }

    /// <summary>How a server in this process reaches it.</summary>
    public ClusterConnection Connection => ClusterConnection.FromText(SimulatedApiServer.Kubeconfig(Address));

    /// <summary>Writes a kubeconfig for it.</summary>
    public Task WriteKubeconfigAsync(string path, CancellationToken cancellationToken) =>
        File.WriteAllTextAsync(path, SimulatedApiServer.Kubeconfig(Address, Scenario.Users), cancellationToken);

    /// <summary>Remembers which pods the plan evicts, so that <see cref="PodsGone"/> can count them.</summary>
    public void RememberPods(IEnumerable<(string Namespace, string Name)> pods) =>
        _podsAtStart = [.. pods.Select(pod => (string?)_cluster.Store.Get(ResourceTypes.Pods, pod.Namespace, pod.Name)?["metadata"]?["uid"]).OfType<string>()];

    /// <summary>How many of those left the node, and how many there were.</summary>
    public (int Gone, int Total) PodsGone()
    {
        var here = _cluster.Store.PodsOnNode(Scenario.Maintain!).Select(pod => (string?)pod["metadata"]?["uid"]).ToHashSet();
        return (_podsAtStart.Count(uid => !here.Contains(uid)), _podsAtStart.Count);
    }

    /// <summary>A migration that copies memory just now, or null.</summary>
    public string? RunningMigration() => _cluster.Store.List(KubeVirtTypes.Migrations)
        .Where(migration => (string?)migration["status"]?["phase"] == "Running")
        .Select(migration => $"migration {(string?)migration["metadata"]?["name"]} of {(string?)migration["metadata"]?["namespace"]}/{(string?)migration["spec"]?["vmiName"]} is Running")
        .FirstOrDefault();

    /// <summary>The cluster's time.</summary>
    public DateTimeOffset Now => _cluster.Clock.GetUtcNow();

    /// <summary>
    /// Whether an activity asked the API server for something since then: a change, or a fresh look at one node, pod or VM. What a
    /// server asks at its start (who the cluster is, permissions, lists and watches) does not count.
    /// </summary>
    public bool HasActedSince(DateTimeOffset since) => _cluster.Api.RequestLog.All.Any(request => request.Time > since && request is
        { Verb: "get", Name: not null, Resource: "nodes" or "pods" or "virtualmachineinstances.kubevirt.io" or "virtualmachines.kubevirt.io" }
        or { Verb: "patch" or "delete" } or { Subresource: "eviction" });

    /// <summary>Every pod that the API server evicted more than once, and every VM with more than one migration.</summary>
    public IReadOnlyList<ProofLine> Repetitions()
    {
        var evicted = _cluster.Api.RequestLog.Of("create", "pods", "eviction").Where(request => request.Code is 200 or 201)
            .GroupBy(request => $"{request.Namespace}/{request.Name}").ToList();
        var migrated = _cluster.Store.List(KubeVirtTypes.Migrations)
            .Where(migration => (string?)migration["status"]?["phase"] == "Succeeded")
            .GroupBy(migration => $"{(string?)migration["metadata"]?["namespace"]}/{(string?)migration["spec"]?["vmiName"]}").ToList();
        return
        [
            Once("no pod was evicted twice", "evictions accepted", evicted),
            Once("no virtual machine was migrated twice", "migrations succeeded", migrated),
        ];
    }

    /// <summary>What the scenario expects at the end, checked against the store.</summary>
    public IReadOnlyList<ProofLine> Check() => [.. _cluster.Check().Select(result => new ProofLine(result.Statement, result.Saw, result.Ok))];

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    private static ProofLine Once<T>(string statement, string what, IReadOnlyList<IGrouping<string, T>> groups)
    {
        var twice = groups.Where(group => group.Count() > 1).Select(group => $"{group.Key} {group.Count()} times").ToList();
        return new ProofLine(statement, twice.Count == 0 ? $"{groups.Count} {what}, each once" : string.Join(", ", twice), twice.Count == 0);
    }
}
