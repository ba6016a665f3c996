using System.Globalization;
using System.Net;
using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using k8s;
using k8s.Autorest;
using k8s.LeaderElection;
using k8s.LeaderElection.ResourceLock;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using KubernetesClient = k8s.Kubernetes;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>The official client of .NET, with nothing of ours around it, finds a Kubernetes API in the simulated cluster.</summary>
public sealed class KubernetesClientTests : IAsyncLifetime
{
    private const string Shop = "shop";
    private const int Writers = 50;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    private readonly SimulatedCluster _cluster =
        SimulatedCluster.Create(Scenario.Named("healthy"), TimeProvider.System, NullLoggerFactory.Instance, seed: 1, speed: 10);

    private KubernetesClient? _client;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private KubernetesClient Client => _client!;

    public async ValueTask InitializeAsync()
    {
        await _cluster.StartAsync(Token);
        var address = await _cluster.ListenAsync(0, Token);
        _client = new KubernetesClient(new KubernetesClientConfiguration { Host = address.ToString(), AccessToken = Access.AdministratorToken });
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task Pages_hold_every_pod_once_and_are_of_one_moment()
    {
        var names = new List<string>();
        string? next = null;
        do
        {
            var page = await Client.CoreV1.ListPodForAllNamespacesAsync(limit: 4, continueParameter: next, cancellationToken: Token);
            page.Items.Count.ShouldBeLessThanOrEqualTo(4);
            names.AddRange(page.Items.Select(pod => $"{pod.Namespace()}/{pod.Name()}"));
            next = page.Continue();
            if (names.Count == 4)
            {
                // Made after the first page: it is not of that moment.
                await Client.CoreV1.CreateNamespacedPodAsync(Pod("late"), Shop, cancellationToken: Token);
            }
        }
        while (!string.IsNullOrEmpty(next));

        names.ShouldBe(names.Distinct());
        names.ShouldNotContain("shop/late");
        var all = (await Client.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: Token)).Items.Select(pod => $"{pod.Namespace()}/{pod.Name()}");
        names.Append("shop/late").ShouldBe(all, ignoreOrder: true);
    }

    [Fact]
    public async Task A_watch_tells_every_change_and_goes_on_from_its_last_bookmark()
    {
        var list = await Client.CoreV1.ListNamespacedConfigMapAsync(Shop, cancellationToken: Token);
        await WriteAsync("first");

        // Twenty seconds of the cluster, two of ours; the bookmark comes shortly before the end.
        var seen = await WatchAsync(list.ResourceVersion(), timeoutSeconds: 20);
        await WriteAsync("second");
        var resumed = await WatchAsync(seen[^1].Version, timeoutSeconds: 20);

        seen[0].ShouldBe((WatchEventType.Added, "first", seen[0].Version));
        seen[^1].Type.ShouldBe(WatchEventType.Bookmark);
        Number(seen[^1].Version).ShouldBeGreaterThanOrEqualTo(Number(seen[0].Version));
        resumed.Where(e => e.Type != WatchEventType.Bookmark).Select(e => (e.Type, e.Name)).ShouldBe([(WatchEventType.Added, "second")]);
    }

    [Fact]
    public async Task A_watch_from_a_version_that_is_forgotten_is_told_so_and_a_new_list_helps()
    {
        var old = (await Client.CoreV1.ListNamespacedConfigMapAsync(Shop, cancellationToken: Token)).ResourceVersion();
        await WriteAsync("between");
        ((ObjectStore)_cluster.Store).Compact();

        var failure = await Should.ThrowAsync<KubernetesException>(() => WatchAsync(old, timeoutSeconds: 20));
        var list = await Client.CoreV1.ListNamespacedConfigMapAsync(Shop, cancellationToken: Token);
        await WriteAsync("after");
        var seen = await WatchAsync(list.ResourceVersion(), timeoutSeconds: 20);

        (failure.Status.Code, failure.Status.Reason).ShouldBe((410, "Expired"));
        list.Items.ShouldContain(item => item.Name() == "between");
        seen.ShouldContain(e => e.Type == WatchEventType.Added && e.Name == "after");
        seen.ShouldNotContain(e => e.Name == "between");
    }

    [Fact]
    public async Task Of_fifty_parallel_writers_none_loses_what_it_wrote()
    {
        await WriteAsync("counter");

        var conflicts = await Task.WhenAll(Enumerable.Range(0, Writers).Select(CountAsync));

        var counter = await Client.CoreV1.ReadNamespacedConfigMapAsync("counter", Shop, cancellationToken: Token);
        counter.Data["count"].ShouldBe(Writers.ToString(CultureInfo.InvariantCulture));
        counter.Data.Keys.Count(key => key.StartsWith("writer-", StringComparison.Ordinal)).ShouldBe(Writers);
        conflicts.Sum().ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task One_leads_and_another_follows_when_it_falls_silent()
    {
        using var stopFirst = new CancellationTokenSource();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var first = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var second = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);

        var leading = LeadAsync("one", first, stopFirst.Token);
        (await first.Task.WaitAsync(_patience, TimeProvider.System, Token)).ShouldBe("one");
        var waiting = LeadAsync("two", second, stop.Token);
        await stopFirst.CancelAsync();
        await leading;
        (await second.Task.WaitAsync(_patience, TimeProvider.System, Token)).ShouldBe("two");

        var lease = await Client.CoordinationV1.ReadNamespacedLeaseAsync("leader", "medik8s-leases", cancellationToken: Token);
        (lease.Spec.HolderIdentity, lease.Spec.LeaseTransitions).ShouldBe(("two", 1));
        await stop.CancelAsync();
        await waiting;
    }

    private static V1Pod Pod(string name) => new()
    {
        Metadata = new V1ObjectMeta { Name = name },
        Spec = new V1PodSpec { Containers = [new V1Container { Name = "main", Image = "nginx" }] },
    };

    private static long Number(string version) => long.Parse(version, CultureInfo.InvariantCulture);

    private Task WriteAsync(string name) => Client.CoreV1.CreateNamespacedConfigMapAsync(
        new V1ConfigMap { Metadata = new V1ObjectMeta { Name = name }, Data = new Dictionary<string, string> { ["count"] = "0" } }, Shop, cancellationToken: Token);

    private async Task<List<(WatchEventType Type, string? Name, string Version)>> WatchAsync(string version, int timeoutSeconds)
    {
        var seen = new List<(WatchEventType, string?, string)>();
        Exception? failure = null;
        await foreach (var (type, item) in Client.CoreV1.WatchListNamespacedConfigMapAsync(
            Shop, resourceVersion: version, allowWatchBookmarks: true, timeoutSeconds: timeoutSeconds,
            onError: error => failure = error, cancellationToken: Token))
        {
            seen.Add((type, item.Name(), item.ResourceVersion()));
        }

        return failure is null ? seen : throw failure;
    }

    /// <summary>Adds one to the counter, as often as it takes, and returns how often somebody else was faster.</summary>
    private async Task<int> CountAsync(int writer)
    {
        for (var conflicts = 0; ; conflicts++)
        {
            var counter = await Client.CoreV1.ReadNamespacedConfigMapAsync("counter", Shop, cancellationToken: Token);
            counter.Data["count"] = (Number(counter.Data["count"]) + 1).ToString(CultureInfo.InvariantCulture);
            counter.Data[$"writer-{writer}"] = "done";
            try
            {
                await Client.CoreV1.ReplaceNamespacedConfigMapAsync(counter, "counter", Shop, cancellationToken: Token);

                return conflicts;
            }
            catch (HttpOperationException refusal) when (refusal.Response.StatusCode == HttpStatusCode.Conflict)
            {
                // The next round reads what was written meanwhile.
            }
        }
    }

    private async Task LeadAsync(string identity, TaskCompletionSource<string> started, CancellationToken stop)
    {
        using var elector = new LeaderElector(new LeaderElectionConfig(new LeaseLock(Client, "medik8s-leases", "leader", identity))
        {
            LeaseDuration = TimeSpan.FromSeconds(3),
            RenewDeadline = TimeSpan.FromSeconds(2),
            RetryPeriod = TimeSpan.FromSeconds(0.25),
        });
        elector.OnStartedLeading += () => started.TrySetResult(identity);
        try
        {
            await elector.RunUntilLeadershipLostAsync(stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // It fell silent, as it was told to; its lease runs out by itself.
        }
    }
}
