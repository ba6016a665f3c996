using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class BareMetalHostTests
{
    private const string Hosts = """
        name: test
        nodes: [{name: 'node-{n}', count: 3, bareMetalHost: 'metal/host-{n}', machine: 'metal/machine-{n}', rebootTakes: 20s}]
        workloads: [{deployment: web, on: node-1}]
        maintain: node-1

        """;

    [Fact]
    public void A_host_leads_to_its_node_by_its_machine_and_back()
    {
        var cluster = new TestCluster(Hosts);

        var consumer = Host(cluster).Object("spec", "consumerRef");
        var machine = cluster.Store.Get(HardwareTypes.OpenShiftMachines, consumer.Text("namespace"), consumer.Text("name")!)!;

        machine.Text("status", "nodeRef", "name").ShouldBe("node-1");
        machine.Text("status", "nodeRef", "uid").ShouldBe(cluster.Node("node-1").UidOf());
        machine.Annotation("metal3.io/BareMetalHost").ShouldBe("metal/host-1");
        cluster.Node("node-1").Annotation("machine.openshift.io/machine").ShouldBe("metal/machine-1");
    }

    [Fact]
    public void A_keyed_annotation_keeps_the_host_off_until_it_is_removed_and_the_node_comes_back_with_a_new_boot()
    {
        var cluster = new TestCluster(Hosts);
        var boot = BootOf(cluster);

        Annotate(cluster, "reboot.metal3.io/drydock", """{"mode":"soft"}""");
        cluster.PassUntil(() => !Host(cluster).Flag("status", "poweredOn")).ShouldBe(2);
        cluster.Node("node-1").Condition("Ready").Text("message").ShouldBe("node is shutting down");
        cluster.PassUntil(() => cluster.Node("node-1").Condition("Ready").Text("status") == "Unknown", atMost: 70).ShouldBeInRange(40, 51);
        cluster.Pass(600);
        Host(cluster).Flag("status", "poweredOn").ShouldBeFalse();
        Host(cluster).Flag("spec", "online").ShouldBeTrue();

        Annotate(cluster, "reboot.metal3.io/drydock", null);
        cluster.PassUntil(() => cluster.Node("node-1").IsTrue("Ready")).ShouldBe(20);

        Host(cluster).Flag("status", "poweredOn").ShouldBeTrue();
        BootOf(cluster).ShouldNotBe(boot);
    }

    [Fact]
    public void With_two_keys_the_host_stays_off_until_both_are_gone()
    {
        var cluster = new TestCluster(Hosts);

        Annotate(cluster, "reboot.metal3.io/one", string.Empty);
        Annotate(cluster, "reboot.metal3.io/two", """{"mode":"hard"}""");
        cluster.Pass(5);
        Annotate(cluster, "reboot.metal3.io/one", null);
        cluster.Pass(60);
        Host(cluster).Flag("status", "poweredOn").ShouldBeFalse();
        Annotate(cluster, "reboot.metal3.io/two", null);
        cluster.Pass(1);

        Host(cluster).Flag("status", "poweredOn").ShouldBeTrue();
    }

    [Fact]
    public void The_annotation_without_a_key_reboots_once_and_is_removed()
    {
        var cluster = new TestCluster(Hosts);
        var boot = BootOf(cluster);

        Annotate(cluster, "reboot.metal3.io", """{"mode":"hard"}""");
        cluster.PassUntil(() => BootOf(cluster) != boot).ShouldBe(20);
        boot = BootOf(cluster);

        Host(cluster).Annotation("reboot.metal3.io").ShouldBeNull();
        cluster.Pass(120);
        BootOf(cluster).ShouldBe(boot);
    }

    [Fact]
    public void Hard_takes_the_kubelet_down_without_a_word()
    {
        var cluster = new TestCluster(Hosts);

        Annotate(cluster, "reboot.metal3.io/drydock", """{"mode":"hard"}""");
        cluster.Pass(1);

        Host(cluster).Flag("status", "poweredOn").ShouldBeFalse();
        cluster.Node("node-1").IsTrue("Ready").ShouldBeTrue();
        cluster.PassUntil(() => cluster.Node("node-1").Condition("Ready").Text("status") == "Unknown", atMost: 70).ShouldBeInRange(40, 51);
    }

    [Fact]
    public void Offline_is_off_and_online_is_on()
    {
        var cluster = new TestCluster(Hosts);

        Online(cluster, false);
        cluster.Pass(3);
        Host(cluster).Flag("status", "poweredOn").ShouldBeFalse();
        Online(cluster, true);
        cluster.Pass(3);

        Host(cluster).Flag("status", "poweredOn").ShouldBeTrue();
    }

    [Fact]
    public void A_host_that_does_not_shut_down_is_switched_off_hard_after_an_error()
    {
        var cluster = new TestCluster(Hosts.Replace("rebootTakes", "ignoresSoftPowerOff: true, rebootTakes", StringComparison.Ordinal));

        Annotate(cluster, "reboot.metal3.io/drydock", string.Empty);
        cluster.Pass(179);
        Host(cluster).Flag("status", "poweredOn").ShouldBeTrue();
        var errors = new List<string?>();
        using var watch = cluster.Store.Subscribe(change => errors.Add(change.Type.Equals(HardwareTypes.Hosts) ? change.Object.Text("status", "errorType") : null));
        cluster.Pass(2);

        errors.ShouldContain("power management error");
        Host(cluster).Flag("status", "poweredOn").ShouldBeFalse();
        Host(cluster).Text("status", "errorType").ShouldBe(string.Empty);
    }

    [Fact]
    public void A_management_controller_that_does_not_answer_is_a_power_management_error_until_it_answers()
    {
        var cluster = new TestCluster(Hosts + "faults: [{powerFails: node-1, for: 60s}]\n");

        Annotate(cluster, "reboot.metal3.io/drydock", """{"mode":"hard"}""");
        cluster.Pass(50);
        Host(cluster).Text("status", "operationalStatus").ShouldBe("error");
        Host(cluster).Text("status", "errorType").ShouldBe("power management error");
        Host(cluster).Number("status", "errorCount").ShouldBe(3);
        Host(cluster).Flag("status", "poweredOn").ShouldBeTrue();
        cluster.Pass(30);

        Host(cluster).Flag("status", "poweredOn").ShouldBeFalse();
        Host(cluster).Text("status", "operationalStatus").ShouldBe("OK");
    }

    [Fact]
    public void A_host_that_must_not_be_switched_off_is_reset_instead()
    {
        var cluster = new TestCluster(Hosts);
        var boot = BootOf(cluster);
        Change(cluster, host => host.Ensure("spec")["disablePowerOff"] = true);

        Annotate(cluster, "reboot.metal3.io", string.Empty);
        cluster.PassUntil(() => BootOf(cluster) != boot).ShouldBe(20);

        Host(cluster).Flag("status", "poweredOn").ShouldBeTrue();
        Host(cluster).Annotation("reboot.metal3.io").ShouldBeNull();
    }

    [Fact]
    public void A_power_cycle_wakes_a_kubelet_that_hung()
    {
        var cluster = new TestCluster(Hosts + "faults: [{kubeletDies: node-1}]\n");
        cluster.PassUntil(() => !cluster.Node("node-1").IsTrue("Ready"));

        Annotate(cluster, "reboot.metal3.io", """{"mode":"hard"}""");

        cluster.PassUntil(() => cluster.Node("node-1").IsTrue("Ready")).ShouldBeInRange(19, 21);
    }

    [Fact]
    public void Machines_can_be_those_of_Cluster_API()
    {
        var cluster = new TestCluster(Hosts + "machineApi: cluster.x-k8s.io\n");

        cluster.Store.List(HardwareTypes.ClusterMachines).Count.ShouldBe(3);
        Host(cluster).Text("spec", "consumerRef", "apiVersion").ShouldBe("cluster.x-k8s.io/v1beta1");
        cluster.Node("node-1").Annotation("cluster.x-k8s.io/machine").ShouldBe("machine-1");
    }

    private static JsonObject Host(TestCluster cluster) => cluster.Store.Get(HardwareTypes.Hosts, "metal", "host-1")!;

    private static string? BootOf(TestCluster cluster) => cluster.Node("node-1").Text("status", "nodeInfo", "bootID");

    private static void Annotate(TestCluster cluster, string name, string? value) =>
        Change(cluster, host => host.Set(value, "metadata", "annotations", name));

    private static void Online(TestCluster cluster, bool online) => Change(cluster, host => host.Ensure("spec")["online"] = online);

    private static void Change(TestCluster cluster, Action<JsonObject> change) => cluster.Store.Update(HardwareTypes.Hosts, "metal", "host-1", host =>
    {
        change(host);
        return true;
    });
}
