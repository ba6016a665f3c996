using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class NodeTests
{
    private const string Dying = TestCluster.ThreeNodes
        + "workloads: [{deployment: web, on: node-1}]\nvirtualMachines: [{name: vm, on: node-1}]\nfaults: [{kubeletDies: node-1, for: 500s}]\n";

    [Fact]
    public void A_cordon_taints_the_node_and_an_uncordon_removes_the_taint()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);

        cluster.Cordon("node-1");
        cluster.Pass(0);
        var taint = cluster.Node("node-1").Objects("spec", "taints").ShouldHaveSingleItem();
        (taint.Text("key"), taint.Text("effect")).ShouldBe(("node.kubernetes.io/unschedulable", "NoSchedule"));
        taint.Text("timeAdded").ShouldNotBeNull();
        cluster.Cordon("node-1", cordon: false);
        cluster.Pass(0);

        cluster.Node("node-1").At("spec", "taints").ShouldBeNull();
    }

    [Fact]
    public void A_kubelet_renews_its_lease_every_ten_seconds()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);

        cluster.Pass(35);

        var lease = cluster.Store.Get(ResourceTypes.Leases, "kube-node-lease", "node-1")!;
        (cluster.Now - lease.Time("spec", "renewTime")!.Value).TotalSeconds.ShouldBeLessThanOrEqualTo(10);
        lease.Text("spec", "holderIdentity").ShouldBe("node-1");
    }

    [Fact]
    public void A_virt_handler_says_every_minute_that_its_node_takes_virtual_machines()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        DateTimeOffset Heartbeat() => DateTimeOffset.Parse(cluster.Node("node-2").Annotation("kubevirt.io/heartbeat")!);
        cluster.Node("node-2").Label("kubevirt.io/schedulable").ShouldBe("true");
        cluster.Node("node-2").Object("metadata", "labels")!.Select(each => each.Key).ShouldContain(label => label.StartsWith("cpu-model-migration.node.kubevirt.io/", StringComparison.Ordinal));

        var first = Heartbeat();
        cluster.PassUntil(() => Heartbeat() != first, atMost: 61);
        var second = Heartbeat();
        cluster.PassUntil(() => Heartbeat() != second, atMost: 61).ShouldBeInRange(59, 61);
    }

    [Fact]
    public void A_silent_node_becomes_Unknown_after_50_seconds_with_the_recorded_words_and_taints()
    {
        var cluster = new TestCluster(Dying);

        cluster.PassUntil(() => cluster.Node("node-1").Condition("Ready").Text("status") == "Unknown", atMost: 70).ShouldBeInRange(40, 51);
        cluster.Pass(0);

        cluster.Node("node-1").Condition("Ready").Text("message").ShouldBe("Kubelet stopped posting node status.");
        cluster.Node("node-1").Objects("spec", "taints").Select(each => $"{each.Text("key")}:{each.Text("effect")}")
            .ShouldBe(["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"]);
        cluster.PodsOn("node-1").ShouldAllBe(pod => !pod.IsReady());
        cluster.Vmi("vm").IsTrue("Ready").ShouldBeFalse();
        cluster.Vmi("vm").InstancePhase().ShouldBe("Running");
    }

    [Fact]
    public void After_five_more_minutes_its_pods_are_deleted_but_end_only_when_the_node_comes_back()
    {
        var cluster = new TestCluster(Dying);

        cluster.PassUntil(() => cluster.PodsOn("node-1").TrueForAll(pod => pod.IsDeleting()), atMost: 400).ShouldBeInRange(340, 352);
        cluster.Node("node-1").Label("kubevirt.io/schedulable").ShouldBe("false");
        cluster.Vmi("vm").Condition("Ready").Text("reason").ShouldBe("PodTerminating");
        cluster.Pass(100);
        cluster.PodsOn("node-1").Count.ShouldBe(2);
        cluster.Pass(80);

        cluster.PodsOn("node-1").ShouldNotContain(pod => pod.IsDeleting());
        cluster.Node("node-1").IsTrue("Ready").ShouldBeTrue();
        cluster.Node("node-1").Label("kubevirt.io/schedulable").ShouldBe("true");
        cluster.Vmi("vm").InstancePhase().ShouldBe("Running");
    }

    [Fact]
    public void A_node_without_a_machine_that_never_reports_gets_the_recorded_conditions()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        cluster.Store.Create(ResourceTypes.Nodes, new JsonObject { ["metadata"] = new JsonObject { ["name"] = "silent" } });

        cluster.Pass(51);

        cluster.Node("silent").Condition("MemoryPressure").Text("reason").ShouldBe("NodeStatusNeverUpdated");
    }

    [Fact]
    public void A_pod_ends_as_the_recorded_kubelet_ends_one()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{pod: bare, terminateAfter: 2s}]\n");
        var seen = new List<string>();
        using var watch = cluster.Store.Subscribe(change =>
        {
            if (change.Type.Equals(ResourceTypes.Pods))
            {
                seen.Add($"{change.Kind} {change.Object.Phase()} grace {change.Object.Number("metadata", "deletionGracePeriodSeconds")} "
                    + $"{change.Object.Condition("Ready").Text("reason")}".TrimEnd());
            }
        });

        cluster.Delete(ResourceTypes.Pods, cluster.PodsOf("bare").Single());
        cluster.Pass(1.9);
        cluster.PodsOf("bare").ShouldHaveSingleItem();
        cluster.Pass(0.2);

        seen.ShouldBe(
        [
            "Modified Running grace 30 ", "Modified Succeeded grace 30 PodCompleted", "Modified Succeeded grace 0 PodCompleted", "Deleted Succeeded grace 0 PodCompleted",
        ]);
    }

    [Fact]
    public void A_pod_that_outlasts_its_grace_is_killed()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{pod: slow, terminateAfter: 60s}, {pod: stuck, neverTerminates: true}]\n");

        cluster.Delete(ResourceTypes.Pods, cluster.PodsOf("slow").Single(), grace: 5);
        cluster.Delete(ResourceTypes.Pods, cluster.PodsOf("stuck").Single(), grace: 5);
        cluster.Pass(4.9);
        cluster.PodsOf("slow").ShouldHaveSingleItem();
        cluster.Pass(0.2);

        cluster.PodsOf("slow").ShouldBeEmpty();
        cluster.Pass(60);
        cluster.PodsOf("stuck").ShouldHaveSingleItem();
    }

    [Fact]
    public void A_node_may_come_back_from_a_reboot_without_becoming_ready()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "faults: [{nodeNotReady: node-1, since: reboot, for: 20s}]\n");
        var boot = cluster.Node("node-1").Text("status", "nodeInfo", "bootID");
        cluster.Store.Create(ResourceTypes.Pods, new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "rebooter", ["namespace"] = "default" },
            ["spec"] = new JsonObject
            {
                ["nodeName"] = "node-1",
                ["hostPID"] = true,
                ["restartPolicy"] = "Never",
                ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "tool", ["command"] = new JsonArray("sh", "-c", "systemctl reboot") }),
            },
        });

        cluster.PassUntil(() => cluster.Node("node-1").Text("status", "nodeInfo", "bootID") != boot);
        cluster.Pass(1);
        cluster.Node("node-1").Condition("Ready").Text("message")!.ShouldStartWith("container runtime network not ready");
        cluster.Pass(18);
        cluster.Node("node-1").IsTrue("Ready").ShouldBeFalse();
        cluster.Pass(2);

        cluster.Node("node-1").IsTrue("Ready").ShouldBeTrue();
    }

    [Fact]
    public void A_node_cordoned_by_somebody_else_is_cordoned_from_the_start()
    {
        var cluster = new TestCluster("name: test\nnodes: [{name: a, cordoned: true}, {name: b}]\nworkloads: [{deployment: web, on: a}]\n");

        cluster.Node("a").Flag("spec", "unschedulable").ShouldBeTrue();
        cluster.PodsOn("a").ShouldHaveSingleItem();
    }
}
