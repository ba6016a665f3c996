using Drydock.Simulator.Controllers;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class SchedulerTests
{
    private const string NotHelpful = "no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.";
    private const string NoVictims = "no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.";

    [Theory]
    [InlineData("nodeSelector: {disk: ssd}", "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. " + NotHelpful)]
    [InlineData("cpu: '20'", "0/3 nodes are available: 3 Insufficient cpu. " + NotHelpful)]
    [InlineData("memory: 40Gi", "0/3 nodes are available: 3 Insufficient memory. " + NoVictims)]
    public void A_pod_no_node_can_take_says_why(string wants, string message)
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: full, replicas: 3, memory: 40Gi, spread: true}]\n");
        var wanted = Scenario.Load($"name: x\nnodes: []\nworkloads: [{{pod: new, {wants}}}]").Workloads.Single();
        cluster.Store.Create(ResourceTypes.Pods, ScenarioObjects.Workload(wanted).Item);
        cluster.Pass(0);

        var condition = cluster.PodsOf("new").Single().Condition("PodScheduled");
        (condition.Text("status"), condition.Text("reason"), condition.Text("message")).ShouldBe(("False", "Unschedulable", message));
    }

    [Fact]
    public void A_waiting_pod_is_bound_when_room_appears()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{pod: new, nodeSelector: {disk: ssd}}]\n");

        cluster.Store.Update(ResourceTypes.Nodes, null, "node-2", node =>
        {
            node.Ensure("metadata", "labels")["disk"] = "ssd";
            return true;
        });
        cluster.Pass(2);

        var pod = cluster.PodsOf("new").Single();
        (pod.Node(), pod.IsReady()).ShouldBe(("node-2", true));
    }

    [Fact]
    public void Replicas_spread_over_the_nodes()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: web, replicas: 6}]\n");

        cluster.PodsOf("web").GroupBy(pod => pod.Node()).Select(group => group.Count()).ShouldBe([2, 2, 2]);
    }

    [Fact]
    public void A_pod_with_required_anti_affinity_waits_rather_than_share_a_node()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: web, replicas: 4, spread: true}]\n");

        var waiting = cluster.PodsOf("web").Single(pod => pod.Node() is null);
        waiting.Condition("PodScheduled").Text("message")!.ShouldStartWith("0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.");
    }

    [Fact]
    public void Anti_affinity_by_zone_keeps_the_second_replica_out_of_the_whole_zone()
    {
        var cluster = new TestCluster(
            "name: test\nnodes: [{name: a1, zone: a}, {name: a2, zone: a}, {name: b1, zone: b}]\n"
            + "workloads: [{deployment: web, replicas: 3, spread: topology.kubernetes.io/zone}]\n");

        cluster.PodsOf("web").Where(pod => pod.Node() is not null)
            .Select(pod => cluster.Node(pod.Node()!).Label("topology.kubernetes.io/zone")).Order().ShouldBe(["a", "b"]);
        cluster.PodsOf("web").Single(pod => pod.Node() is null).Condition("PodScheduled").Text("message")!
            .ShouldStartWith("0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.");
    }

    [Fact]
    public void A_pod_without_rules_is_kept_out_of_the_zone_of_one_that_repels_it()
    {
        var cluster = new TestCluster(
            "name: test\nnodes: [{name: a1, zone: a}, {name: a2, zone: a}, {name: b1, zone: b}]\n"
            + "workloads: [{deployment: web, on: a1, spread: topology.kubernetes.io/zone}]\n");
        var other = Scenario.Load("name: x\nnodes: []\nworkloads: [{pod: web, replicas: 1}]").Workloads.Single();

        var pod = ScenarioObjects.Workload(other).Item;
        pod["metadata"]!["name"] = "alone";
        cluster.Store.Create(ResourceTypes.Pods, pod);
        cluster.Pass(2);

        cluster.PodsOf("web").Single(each => each.NameOf() == "alone").Node().ShouldBe("b1");
    }

    [Fact]
    public void A_node_short_of_two_resources_counts_for_both()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        var wanted = Scenario.Load("name: x\nnodes: []\nworkloads: [{pod: new, cpu: '20', memory: 100Gi}]").Workloads.Single();

        cluster.Store.Create(ResourceTypes.Pods, ScenarioObjects.Workload(wanted).Item);
        cluster.Pass(0);

        cluster.PodsOf("new").Single().Condition("PodScheduled").Text("message")!
            .ShouldStartWith("0/3 nodes are available: 3 Insufficient cpu, 3 Insufficient memory.");
    }

    [Fact]
    public void An_Event_is_gone_an_hour_after_it_was_last_seen()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{pod: bare}]\n");
        cluster.Delete(ResourceTypes.Pods, cluster.PodsOf("bare").Single());
        var wanted = Scenario.Load("name: x\nnodes: []\nworkloads: [{pod: new}]").Workloads.Single();
        cluster.Store.Create(ResourceTypes.Pods, ScenarioObjects.Workload(wanted).Item);
        cluster.Pass(10);
        cluster.Store.List(ResourceTypes.Events).ShouldNotBeEmpty();

        cluster.Pass(3580);
        cluster.Store.List(ResourceTypes.Events).ShouldNotBeEmpty();
        cluster.Pass(20);

        cluster.Store.List(ResourceTypes.Events).ShouldBeEmpty();
    }

    [Fact]
    public void A_control_plane_takes_only_what_tolerates_it()
    {
        var cluster = new TestCluster("name: test\nnodes: [{name: master, controlPlane: true}, {name: worker}]\nworkloads: [{deployment: web, replicas: 2}, {daemonSet: agent}]\n");

        cluster.PodsOn("master").ShouldBeEmpty();
        cluster.PodsOn("worker").Count.ShouldBe(3);
    }
}
