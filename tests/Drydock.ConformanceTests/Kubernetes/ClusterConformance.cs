using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Simulator;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Drydock.ConformanceTests.Kubernetes;

/// <summary>
/// What the cluster owes the maintenance, against a whole simulated cluster with its controllers. One subclass per way of reaching it.
/// </summary>
public abstract partial class ClusterConformance : IAsyncLifetime
{
    private const string Scene = """
        name: conformance
        description: One node with everything that can hold a pod up.
        evictionStrategy: LiveMigrate
        nodes:
          - name: node-1
          - name: node-2
          - name: node-3
        workloads:
          - deployment: shop/web
            replicas: 2
            on: [node-1, node-1]
            terminateAfter: 300s
          - deployment: shop/api
            replicas: 2
            on: [node-1, node-1]
            startAfter: 60s
          - deployment: shop/never
            on: node-1
          - deployment: shop/free
            replicas: 3
            on: [node-1, node-1, node-1]
          - deployment: shop/slow
            on: node-1
            terminateAfter: 60s
          - daemonSet: kube-system/node-agent
        budgets:
          - name: shop/api
            maxUnavailable: 1
          - name: shop/never
            maxUnavailable: 0
        virtualMachines:
          - name: vms/database
            on: node-1
            copy: 2s
          - name: vms/fixed
            on: node-1
            notMigratable: HostDeviceNotLiveMigratable
        maintain: node-1
        """;

    private readonly SimulatedCluster _simulation = SimulatedCluster.Create(
        Scenario.Load(Scene), TimeProvider.System, NullLoggerFactory.Instance, seed: 1, speed: 5);

    private KubernetesCluster? _cluster;

    protected KubernetesCluster Cluster => _cluster!;

    protected SimulatedCluster Simulation => _simulation;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    protected abstract Task<ClusterConnection> ReachAsync(SimulatedCluster cluster);

    public async ValueTask InitializeAsync()
    {
        await _simulation.StartAsync(Token);
        _cluster = KubernetesCluster.Open(await ReachAsync(_simulation), TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster!.DisposeAsync();
        await _simulation.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task It_is_told_from_other_clusters_and_knows_what_is_installed()
    {
        var identity = await Cluster.GetIdentityAsync(Token);

        identity.Uid.ShouldBe((string?)_simulation.Store.Get(ResourceTypes.Namespaces, null, "kube-system")!["metadata"]!["uid"]);
        identity.Version.ShouldStartWith("v1.");
        (identity.HasKubeVirt, identity.HasNodeMaintenance).ShouldBe((true, true));
    }

    [Fact]
    public async Task Nodes_pods_budgets_and_machines_are_read()
    {
        (await Cluster.ListNodesAsync(Token)).Select(node => node.Name).ShouldBe(["node-1", "node-2", "node-3"]);
        (await Cluster.GetNodeAsync("nowhere", Token)).ShouldBeNull();
        var pods = await Cluster.ListPodsOnNodeAsync("node-1", Token);
        pods.Count(pod => pod.Ref.Namespace == "shop").ShouldBe(9);
        pods.ShouldAllBe(pod => pod.Node == "node-1" && pod.IsReady);
        var agent = pods.Single(pod => pod.Controller?.Kind == "DaemonSet");
        (await Cluster.FindDaemonSetAsync(new ObjectRef(agent.Ref.Namespace, agent.Controller!.Name), Token)).ShouldNotBeNull()
            .Selects((await Cluster.GetNodeAsync("node-1", Token))!).ShouldBeTrue();
        (await Cluster.FindDaemonSetAsync(new ObjectRef(agent.Ref.Namespace, "nowhere"), Token)).ShouldBeNull();
        (await Cluster.ListBudgetsAsync(Token)).Select(budget => budget.Ref.Name).ShouldBe(["api", "never"]);
        (await Cluster.GetKubeVirtAsync(Token))!.EvictionStrategy.ShouldBe("LiveMigrate");
        (await Cluster.ListVmisOnNodeAsync("node-1", Token)).Select(vmi => (vmi.Ref.Name, vmi.IsLiveMigratable))
            .ShouldBe([("database", true), ("fixed", false)]);
        (await Cluster.ListLaunchersOnNodeAsync("node-1", Token)).Select(pod => (pod.Vmi?.Name, pod.Node))
            .ShouldBe([("database", "node-1"), ("fixed", "node-1")]);
        (await Cluster.ListLaunchersOnNodeAsync("node-2", Token)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_node_is_cordoned_and_marked_in_one_step_and_left_as_it_was()
    {
        var before = (await Cluster.GetNodeAsync("node-1", Token))!;
        var taint = new NodeTaint("medik8s.io/drain", null, "NoSchedule");
        var mark = new HoldMark("drydock/hub/m-1", """{"unschedulable":false}""");

        var held = await ChangeAsync(new NodeChange
        {
            Unschedulable = true,
            AddTaints = [taint],
            SetMark = mark,
            Labels = new Dictionary<string, string?> { ["remediation.medik8s.io/exclude-from-remediation"] = "true" },
        });
        (held.Unschedulable, held.Mark, held.Taints.Contains(taint)).ShouldBe((true, mark, true));

        var after = await ChangeAsync(new NodeChange
        {
            Unschedulable = false,
            RemoveTaints = [taint],
            ClearMark = true,
            Labels = new Dictionary<string, string?> { ["remediation.medik8s.io/exclude-from-remediation"] = null },
        });
        (after.Unschedulable, after.Mark).ShouldBe((false, null));
        after.Labels.ShouldBe(before.Labels, ignoreOrder: true);
    }

    [Fact]
    public async Task A_node_that_somebody_changed_meanwhile_is_not_changed()
    {
        var stale = (await Cluster.GetNodeAsync("node-1", Token))!;
        await ChangeAsync(new NodeChange { Labels = new Dictionary<string, string?> { ["somebody"] = "else" } });

        (await Cluster.ChangeNodeAsync(stale, new NodeChange { Unschedulable = true }, Token)).ShouldBeNull();

        (await Cluster.GetNodeAsync("node-1", Token))!.Unschedulable.ShouldBeFalse();
    }

    [Fact]
    public async Task A_missing_permission_is_named_and_found_beforehand()
    {
        using var denial = _simulation.Api.Access.Deny("patch", "nodes");
        var node = (await Cluster.GetNodeAsync("node-1", Token))!;

        var thrown = await Should.ThrowAsync<ClusterException>(
            () => Cluster.ChangeNodeAsync(node, new NodeChange { Unschedulable = true }, Token));

        thrown.Kind.ShouldBe(ClusterErrorKind.Forbidden);
        thrown.Message.ShouldContain("is not allowed to patch nodes");
        AccessRule[] needed = [new("get", "", "nodes"), new("patch", "", "nodes")];
        (await Cluster.GetMissingAccessAsync(needed, Token)).ShouldBe([needed[1]]);
    }

    [Fact]
    public async Task An_event_about_a_node_is_found_by_its_name()
    {
        await Cluster.RecordEventAsync(new NodeEvent("node-1", null, false, "BeginMaintenance", "Begin a node maintenance", "m-1"), Token);
        await Cluster.RecordEventAsync(new NodeEvent("node-1", null, false, "BeginMaintenance", "Begin a node maintenance", "m-1"), Token);

        var recorded = _simulation.Store.List(ResourceTypes.Events, "default").Single(found => (string?)found["reason"] == "BeginMaintenance");
        ((string?)recorded["involvedObject"]!["uid"], (int?)recorded["count"], (string?)recorded["source"]!["component"])
            .ShouldBe(("node-1", 2, "drydock"));
    }

    [Fact]
    public async Task A_lease_has_one_holder_until_it_is_released()
    {
        var hour = TimeSpan.FromHours(1);
        var node = (await Cluster.GetNodeAsync("node-1", Token))!;

        (await Cluster.AcquireLeaseAsync("node-1", node.Uid, "drydock/h/a", hour, Token)).IsOurs.ShouldBeTrue();
        (await Cluster.AcquireLeaseAsync("node-1", node.Uid, "drydock/h/b", hour, Token)).Holder.ShouldBe("drydock/h/a");
        (await Cluster.RenewLeaseAsync("node-1", "drydock/h/b", hour, Token)).IsOurs.ShouldBeFalse();
        (await Cluster.MarkLeaseCancelledAsync("node-1", "drydock/h/a", Token)).ShouldBeTrue();
        (await Cluster.RenewLeaseAsync("node-1", "drydock/h/a", hour, Token)).IsCancelled.ShouldBeTrue();
        await Cluster.ReleaseLeaseAsync("node-1", "drydock/h/b", Token);
        (await Cluster.GetLeaseAsync("node-1", Token)).ShouldNotBeNull();
        await Cluster.ReleaseLeaseAsync("node-1", "drydock/h/a", Token);
        (await Cluster.GetLeaseAsync("node-1", Token)).ShouldBeNull();

        (await Cluster.AcquireLeaseAsync("node-1", node.Uid, "drydock/h/b", TimeSpan.FromSeconds(1), Token)).IsOurs.ShouldBeTrue();
        await Task.Delay(TimeSpan.FromSeconds(1.2), TimeProvider.System, Token);
        (await Cluster.AcquireLeaseAsync("node-1", node.Uid, "drydock/h/c", hour, Token)).ShouldSatisfyAllConditions(
            lease => lease.IsOurs.ShouldBeTrue(), lease => lease.IsCancelled.ShouldBeFalse());
    }

    [Fact]
    public async Task A_NodeMaintenance_is_seen_finalized_reported_on_and_let_go()
    {
        var resources = Cluster.NodeMaintenances;
        await using var names = resources.WatchAsync(Token).GetAsyncEnumerator(Token);
        var type = _simulation.Store.Types.Single(found => found.Plural == "nodemaintenances");
        _simulation.Store.Create(type, JsonNode.Parse("""
            {"apiVersion":"nodemaintenance.medik8s.io/v1beta1","kind":"NodeMaintenance","metadata":{"name":"nm"},"spec":{"nodeName":"node-1","reason":"disk"}}
            """)!.AsObject());

        (await NextAsync(names)).ShouldBe("nm");
        var resource = (await resources.GetAsync("nm", Token))!;
        (resource.NodeName, resource.Reason, resource.HasFinalizer).ShouldBe(("node-1", "disk", false));
        (await resources.SetFinalizerAsync(resource, present: true, Token)).ShouldBeTrue();
        (await resources.SetFinalizerAsync(resource, present: true, Token)).ShouldBeFalse();
        var status = new NodeMaintenanceStatus { Phase = "Running", DrainProgress = 40, PendingPods = [new ObjectRef("shop", "web")], TotalPods = 9 };
        await resources.WriteStatusAsync(resource, status, Token);

        var written = _simulation.Store.Get(type, null, "nm")!["status"]!;
        ((string?)written["pendingPods"]![0], (int?)written["totalpods"]).ShouldBe(("web", 9));
        _simulation.Store.Delete(type, null, "nm", new Deletion());
        var deleted = (await resources.GetAsync("nm", Token))!;
        (deleted.IsBeingDeleted, deleted.HasFinalizer, deleted.Status.DrainProgress).ShouldBe((true, true, 40));
        (await resources.SetFinalizerAsync(deleted, present: false, Token)).ShouldBeTrue();
        (await resources.ListAsync(Token)).ShouldBeEmpty();
    }

    private static async Task<string> NextAsync(IAsyncEnumerator<string> names)
    {
        (await names.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Token)).ShouldBeTrue();
        return names.Current;
    }

    private async Task<NodeSnapshot> ChangeAsync(NodeChange change)
    {
        // Kubelets and virt-handlers write to the node too: read and decide again, as every caller must.
        while (true)
        {
            var node = (await Cluster.GetNodeAsync("node-1", Token))!;
            if (await Cluster.ChangeNodeAsync(node, change, Token) is { } changed)
            {
                return changed;
            }
        }
    }
}

/// <summary>Inside this process.</summary>
public sealed class InMemoryClusterConformance : ClusterConformance
{
    protected override Task<ClusterConnection> ReachAsync(SimulatedCluster cluster) =>
        Task.FromResult(ClusterConnection.InMemory(cluster.Api.CreateHandler(), new Uri("http://simulated")));
}

/// <summary>Over HTTP, by a kubeconfig.</summary>
public sealed class HttpClusterConformance : ClusterConformance
{
    protected override async Task<ClusterConnection> ReachAsync(SimulatedCluster cluster) =>
        ClusterConnection.FromText(Simulator.Api.SimulatedApiServer.Kubeconfig(await cluster.ListenAsync(0, TestContext.Current.CancellationToken)));
}
