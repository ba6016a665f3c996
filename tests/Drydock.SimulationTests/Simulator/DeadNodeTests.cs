using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>What was observed of a node that died under three virtual machines, row by row: one to be moved, one to be shut down, one left alone.</summary>
public sealed class DeadNodeTests
{
    private const string Dying = TestCluster.ThreeNodes + "faults: [{kubeletDies: node-1}]\n"
        + "virtualMachines: [{name: moved, on: node-1, evictionStrategy: LiveMigrate}, {name: stopped, on: node-1}, {name: plain, on: node-1}]\n";

    public static TheoryData<string> Rows => [.. ObservedTests.Table("j)").Select(row => row[0])];

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task Each_stage_is_as_observed(string seconds)
    {
        var cluster = new TestCluster(Dying);
        cluster.Pass(5);
        (await ObservedTests.EvictAsync(cluster, cluster.Launcher("moved"), dryRun: false)).Code.ShouldBe(429);
        (await ObservedTests.EvictAsync(cluster, cluster.Launcher("stopped"), dryRun: false)).Code.ShouldBe(201);
        switch (seconds)
        {
            case "0–48":
                Evicted(cluster);
                break;
            case "49":
                Unreachable(cluster);
                break;
            case "297":
                Unschedulable(cluster);
                break;
            case "349":
                Deleted(cluster);
                break;
            default:
                throw new InvalidDataException($"The table has a row nobody knows how to see: {seconds}");
        }

        cluster.Store.List(KubeVirtTypes.Instances).ShouldAllBe(vmi => vmi.InstancePhase() == "Running" && vmi.InstanceNode() == "node-1");
    }

    [Fact]
    public void Nothing_starts_elsewhere_until_the_pod_is_deleted_by_force()
    {
        var cluster = new TestCluster(Dying);
        cluster.Pass(600);
        var before = cluster.Vmi("plain")!;

        cluster.Delete(ResourceTypes.Pods, cluster.Launcher("plain"), grace: 0);
        cluster.PassUntil(() => cluster.Vmi("plain") is { } vmi && vmi.UidOf() != before.UidOf() && vmi.InstancePhase() == "Running");

        cluster.Vmi("plain").InstanceNode().ShouldNotBe("node-1");
        cluster.Vmi("stopped").InstanceNode().ShouldBe("node-1");
    }

    private static void Evicted(TestCluster cluster)
    {
        cluster.Pass(30);

        cluster.Node("node-1").IsTrue("Ready").ShouldBeTrue();

        // The source never starts the copy.
        cluster.Migrations("moved").ShouldHaveSingleItem().InstancePhase().ShouldBe("TargetReady");
        cluster.Launcher("stopped").IsDeleting().ShouldBeTrue();
        cluster.Launcher("plain").IsReady().ShouldBeTrue();
    }

    private static void Unreachable(TestCluster cluster)
    {
        cluster.Pass(47);

        cluster.Node("node-1").Condition("Ready").Text("status").ShouldBe("Unknown");
        cluster.Node("node-1").Objects("spec", "taints").Select(each => $"{each.Text("key")}:{each.Text("effect")}")
            .ShouldBe(["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"]);
        cluster.PodsOn("node-1").ShouldAllBe(pod => !pod.IsReady());
        cluster.Store.List(KubeVirtTypes.Instances).ShouldAllBe(vmi => !vmi.IsTrue("Ready"));
        cluster.Vm("plain").Text("status", "printableStatus").ShouldBe("Running");
    }

    private static void Unschedulable(TestCluster cluster)
    {
        // The last heartbeat was at most a minute before the death, and five minutes are waited for the next.
        cluster.PassUntil(() => cluster.Node("node-1").Label("kubevirt.io/schedulable") == "false", atMost: 300).ShouldBeGreaterThan(234);

        cluster.Launcher("plain").IsDeleting().ShouldBeFalse();
    }

    private static void Deleted(TestCluster cluster)
    {
        cluster.PassUntil(() => cluster.PodsOn("node-1").TrueForAll(pod => pod.IsDeleting()), atMost: 350).ShouldBeGreaterThan(334);
        cluster.Pass(120);

        cluster.PodsOn("node-1").Select(pod => pod.IsDeleting()).ShouldBe([true, true, true]);
        foreach (var vm in (string[])["moved", "stopped", "plain"])
        {
            cluster.Vmi(vm).Condition("Ready").Text("reason").ShouldBe("PodTerminating");
        }
    }
}
