using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class StartTests
{
    public static TheoryData<string> Names => [.. Scenario.Names];

    [Fact]
    public void Healthy_is_the_first_scenario() => Scenario.Names[0].ShouldBe("healthy");

    [Theory]
    [MemberData(nameof(Names))]
    public void A_started_cluster_has_every_pod_ready_and_every_machine_running(string name)
    {
        var cluster = new TestCluster(Scenario.Named(name));

        cluster.Store.List(ResourceTypes.Nodes).ShouldAllBe(node => node.IsTrue("Ready"));
        cluster.Store.List(ResourceTypes.Pods).Where(pod => !pod.IsReady()).Select(pod => pod.ToJsonString()).ShouldBeEmpty();
        cluster.Store.List(KubeVirtTypes.Instances).ShouldAllBe(vmi => vmi.InstancePhase() == "Running");
        cluster.Store.List(KubeVirtTypes.Instances).Count.ShouldBe(Scenario.Named(name).VirtualMachines.Count);
    }

    [Fact]
    public void Pods_and_machines_start_where_the_scenario_says()
    {
        var cluster = new TestCluster(Scenario.Named("healthy"));

        var names = cluster.PodsOn("node-1").Select(pod => pod.Label("vm.kubevirt.io/name") ?? pod.Label("app")).Order().ToList();
        names.ShouldBe(["api", "database", "frontend", "metrics", "node-agent", "queue", "web", "web"]);
    }

    [Fact]
    public void Starting_takes_no_time_and_leaves_nothing_to_do()
    {
        var cluster = new TestCluster(Scenario.Named("healthy"));

        cluster.Simulated.PendingWork.ShouldBe(0);
        cluster.Now.ShouldBe(cluster.Started);
        cluster.Simulated.NextDue!.Value.ShouldBeInRange(cluster.Now, cluster.Now + TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void The_same_seed_gives_the_same_cluster()
    {
        var names = (TestCluster cluster) => cluster.Store.List(ResourceTypes.Pods).Select(pod => $"{pod.NameOf()} {pod.UidOf()} {pod.Node()}").ToList();

        names(new(Scenario.Named("healthy"))).ShouldBe(names(new(Scenario.Named("healthy"))));
    }

    [Fact]
    public void The_check_of_an_untouched_cluster_says_what_has_not_happened()
    {
        var cluster = new TestCluster(Scenario.Named("healthy"));

        var wrong = cluster.Simulated.Check().Where(each => !each.Ok).Select(each => each.Statement).ToList();
        wrong.ShouldBe(
        [
            "7 of the 7 pods that were on node-1 have left it",
            "VM vms/database was migrated without a stop",
            "VM vms/frontend was migrated without a stop",
        ]);
    }
}
