using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class StorageTests
{
    private const string Databases = TestCluster.ThreeNodes
        + "storage: {driver: disk.example.com, detachTakes: 10s, registersAfter: 5s}\n"
        + "workloads: [{statefulSet: db, volume: 10Gi, on: node-1}, {deployment: web, volume: 1Gi, on: node-1}]\n";

    [Fact]
    public void The_volumes_of_running_pods_are_attached_to_their_nodes()
    {
        var cluster = new TestCluster(Databases);

        Attachments(cluster).Select(each => each.Text("spec", "nodeName")).ShouldBe(["node-1", "node-1"]);
        Attachments(cluster).Count(each => each.Flag("status", "attached")).ShouldBe(2);
        cluster.Store.Get(ResourceTypes.PersistentVolumeClaims, "default", "data-db-0").Text("status", "phase").ShouldBe("Bound");
    }

    [Fact]
    public void A_volume_is_detached_some_time_after_its_pod_is_gone_and_its_next_pod_waits_for_that()
    {
        var cluster = new TestCluster(Databases);
        cluster.Cordon("node-1");

        cluster.Delete(ResourceTypes.Pods, cluster.PodsOf("db").Single());
        cluster.PassUntil(() => cluster.PodsOf("db").Exists(pod => pod.Node() is { } node && node != "node-1"));
        Attachments(cluster).Count(each => each.Text("spec", "nodeName") == "node-1").ShouldBe(2);
        cluster.PodsOf("db").Single().Phase().ShouldBe("Pending");
        cluster.PassUntil(() => cluster.PodsOf("db").Single().IsReady()).ShouldBeInRange(10, 13);

        Attachments(cluster).Count(each => each.Text("spec", "nodeName") == "node-1").ShouldBe(1);
        cluster.Store.List(ResourceTypes.Events).Select(each => each.Text("reason")).ShouldContain("FailedAttachVolume");
    }

    [Fact]
    public void A_volume_that_is_never_detached_keeps_its_attachment()
    {
        var cluster = new TestCluster(Databases.Replace("detachTakes: 10s", "neverDetaches: true", StringComparison.Ordinal));

        cluster.Cordon("node-1");
        cluster.Delete(ResourceTypes.Pods, cluster.PodsOf("db").Single());
        cluster.Pass(600);

        Attachments(cluster).Count(each => each.Text("spec", "nodeName") == "node-1" && each.IsDeleting()).ShouldBe(1);
        cluster.PodsOf("db").Single().IsReady().ShouldBeFalse();
    }

    [Fact]
    public void A_driver_registers_some_time_after_each_boot()
    {
        var cluster = new TestCluster(Databases + "machineApi: machine.openshift.io\n");
        Drivers(cluster).ShouldBe(["disk.example.com"]);

        var boot = cluster.Node("node-1").Text("status", "nodeInfo", "bootID");
        Reboot(cluster);
        cluster.PassUntil(() => cluster.Node("node-1").Text("status", "nodeInfo", "bootID") != boot);
        cluster.Pass(1);
        Drivers(cluster).ShouldBeEmpty();
        cluster.Pass(5);

        Drivers(cluster).ShouldBe(["disk.example.com"]);
    }

    [Fact]
    public void A_kubelet_may_have_another_version_after_a_reboot()
    {
        var cluster = new TestCluster("name: test\nnodes: [{name: node-1, kubeletVersion: v1.35.1, kubeletVersionAfterReboot: v1.36.2}]\n");
        Version(cluster).ShouldBe("v1.35.1");

        Reboot(cluster);
        cluster.Pass(10);
        Version(cluster).ShouldBe("v1.36.2");
        cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", node =>
        {
            node.Ensure("metadata", "annotations")["fake-kubelet/version-after-boot"] = "v1.37.0";
            return true;
        });
        Reboot(cluster);
        cluster.Pass(10);

        Version(cluster).ShouldBe("v1.37.0");
    }

    private static IReadOnlyList<JsonObject> Attachments(TestCluster cluster) => cluster.Store.List(ResourceTypes.VolumeAttachments);

    private static string? Version(TestCluster cluster) => cluster.Node("node-1").Text("status", "nodeInfo", "kubeletVersion");

    private static IEnumerable<string?> Drivers(TestCluster cluster) =>
        cluster.Store.Get(ResourceTypes.Of("csinodes.storage.k8s.io"), null, "node-1").Objects("spec", "drivers").Select(each => each.Text("name"));

    private static void Reboot(TestCluster cluster) => cluster.Store.Create(ResourceTypes.Pods, new JsonObject
    {
        ["metadata"] = new JsonObject { ["generateName"] = "rebooter-", ["namespace"] = "default" },
        ["spec"] = new JsonObject
        {
            ["nodeName"] = "node-1",
            ["hostPID"] = true,
            ["restartPolicy"] = "Never",
            ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "tool", ["command"] = new JsonArray("reboot") }),
        },
    });
}
