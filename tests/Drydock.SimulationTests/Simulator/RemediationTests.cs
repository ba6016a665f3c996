using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class RemediationTests
{
    private const string Dying = """
        name: test
        nodes: [{name: 'node-{n}', count: 5, machine: 'machines/m-{n}', bareMetalHost: 'machines/h-{n}', rebootTakes: 30s}]
        workloads: [{deployment: web, on: node-1}, {pod: bare, on: node-1}]
        faults: [{kubeletDies: node-1}]

        """;

    private const string WithNodeHealthCheck = Dying + "nodeHealthChecks: [{name: workers, unhealthyAfter: 60s}]\n";
    private const string WithMachineHealthCheck = Dying + "machineHealthChecks: [{name: machines/workers, unhealthyAfter: 60s}]\n";

    [Fact]
    public void A_silent_node_is_fenced_its_pods_start_elsewhere_and_it_is_given_back_when_it_is_healthy()
    {
        var cluster = new TestCluster(WithNodeHealthCheck);
        var boot = cluster.Node("node-1").Text("status", "nodeInfo", "bootID");

        cluster.PassUntil(() => Remediations(cluster).Count == 1, atMost: 130).ShouldBeInRange(100, 112);
        cluster.Pass(1);
        cluster.Node("node-1").Objects("spec", "taints").Select(taint => taint.Text("key")).ShouldContain("medik8s.io/remediation");
        Lease(cluster).Text("spec", "holderIdentity").ShouldBe("NodeHealthCheck-workers");
        Check(cluster).Text("status", "phase").ShouldBe("Remediating");
        cluster.Pass(60);

        Remediations(cluster).ShouldBeEmpty();
        cluster.Node("node-1").Text("status", "nodeInfo", "bootID").ShouldNotBe(boot);
        cluster.Node("node-1").At("spec", "taints").ShouldBeOneOf(null, new JsonArray());
        cluster.Node("node-1").Flag("spec", "unschedulable").ShouldBeFalse();
        cluster.PodsOf("web").Single(pod => !pod.IsDeleting()).Node().ShouldNotBe("node-1");
        Lease(cluster).ShouldBeNull();
        Check(cluster).Text("status", "phase").ShouldBe("Enabled");
    }

    [Fact]
    public void A_node_that_is_excluded_is_not_fenced()
    {
        var cluster = new TestCluster(WithNodeHealthCheck);
        Change(cluster, ResourceTypes.Nodes, cluster.Node("node-1"), node =>
            node.Ensure("metadata", "labels")["remediation.medik8s.io/exclude-from-remediation"] = "true");

        cluster.Pass(600);

        Remediations(cluster).ShouldBeEmpty();
        Check(cluster).Number("status", "healthyNodes").ShouldBe(4);
    }

    [Fact]
    public void A_paused_check_fences_nothing_until_the_request_is_taken_back()
    {
        var cluster = new TestCluster(WithNodeHealthCheck);
        Change(cluster, HardwareTypes.NodeHealthChecks, Check(cluster), check => check.Ensure("spec")["pauseRequests"] = new JsonArray("upgrade"));

        cluster.Pass(600);
        Remediations(cluster).ShouldBeEmpty();
        Check(cluster).Text("status", "phase").ShouldBe("Paused");
        Change(cluster, HardwareTypes.NodeHealthChecks, Check(cluster), check => check.Ensure("spec").Remove("pauseRequests"));
        cluster.Pass(1);

        Remediations(cluster).Count.ShouldBe(1);
    }

    [Fact]
    public void A_node_whose_lease_somebody_else_holds_is_not_fenced_until_it_is_free()
    {
        var cluster = new TestCluster(WithNodeHealthCheck);
        cluster.Store.Create(ResourceTypes.Leases, new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "node-node-1", ["namespace"] = "medik8s-leases" },
            ["spec"] = new JsonObject { ["holderIdentity"] = "drydock", ["leaseDurationSeconds"] = 300, ["renewTime"] = cluster.Now.MicroStamp() },
        });

        cluster.Pass(299);
        Remediations(cluster).ShouldBeEmpty();

        cluster.PassUntil(() => Remediations(cluster).Count == 1, atMost: 62);
    }

    [Fact]
    public void With_too_few_healthy_nodes_nothing_is_fenced()
    {
        var cluster = new TestCluster(
            WithNodeHealthCheck.Replace("[{kubeletDies: node-1}]", "[{kubeletDies: node-1}, {kubeletDies: node-2}, {kubeletDies: node-3}]", StringComparison.Ordinal));

        cluster.Pass(600);

        Remediations(cluster).ShouldBeEmpty();
        Check(cluster).Text("status", "reason")!.ShouldContain("2 of 5 nodes are healthy, 3 are needed");
    }

    [Theory]
    [InlineData("machine.openshift.io")]
    [InlineData("cluster.x-k8s.io")]
    public void A_machine_health_check_deletes_the_machine_its_node_and_its_power(string api)
    {
        var cluster = new TestCluster(WithMachineHealthCheck + $"machineApi: {api}\n");

        cluster.PassUntil(() => cluster.Store.Get(ResourceTypes.Nodes, null, "node-1") is null, atMost: 130).ShouldBeInRange(100, 112);
        cluster.Pass(45);

        cluster.Store.Get(Machines(api), "machines", "m-1").ShouldBeNull();
        cluster.Store.Get(HardwareTypes.Hosts, "machines", "h-1").Flag("status", "poweredOn").ShouldBeFalse();
        cluster.PodsOf("web").ShouldHaveSingleItem().Node().ShouldNotBe("node-1");
    }

    [Fact]
    public void A_paused_machine_health_check_and_a_machine_to_be_skipped_are_left_alone()
    {
        var paused = new TestCluster(WithMachineHealthCheck);
        var check = paused.Store.Get(HardwareTypes.OpenShiftHealthChecks, "machines", "workers")!;
        Change(paused, HardwareTypes.OpenShiftHealthChecks, check, item => item.Set(string.Empty, "metadata", "annotations", "cluster.x-k8s.io/paused"));
        var skipping = new TestCluster(WithMachineHealthCheck);
        var machine = skipping.Store.Get(HardwareTypes.OpenShiftMachines, "machines", "m-1")!;
        Change(skipping, HardwareTypes.OpenShiftMachines, machine, item => item.Set(string.Empty, "metadata", "annotations", "cluster.x-k8s.io/skip-remediation"));

        paused.Pass(600);
        skipping.Pass(600);

        paused.Node("node-1").ShouldNotBeNull();
        skipping.Node("node-1").ShouldNotBeNull();
    }

    private static ResourceType Machines(string api) =>
        api == "cluster.x-k8s.io" ? HardwareTypes.ClusterMachines : HardwareTypes.OpenShiftMachines;

    private static IReadOnlyList<JsonObject> Remediations(TestCluster cluster) => cluster.Store.List(HardwareTypes.SelfNodeRemediations);

    private static JsonObject Check(TestCluster cluster) => cluster.Store.Get(HardwareTypes.NodeHealthChecks, null, "workers")!;

    private static JsonObject? Lease(TestCluster cluster) => cluster.Store.Get(ResourceTypes.Leases, "medik8s-leases", "node-node-1");

    private static void Change(TestCluster cluster, ResourceType type, JsonObject item, Action<JsonObject> change) =>
        cluster.Store.Update(type, item.NamespaceOf(), item.NameOf(), current =>
        {
            change(current);
            return true;
        });
}
