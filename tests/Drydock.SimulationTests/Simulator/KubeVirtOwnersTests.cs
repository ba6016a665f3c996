using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>Instances that are not made by a plain VirtualMachine, and installations that are not a plain KubeVirt.</summary>
public sealed class KubeVirtOwnersTests
{
    public static TheoryData<string> Reasons => [.. MigrationReasons.All];

    private const string WithMachine = TestCluster.ThreeNodes + "evictionStrategy: LiveMigrate\nvirtualMachines: [{name: vm, on: node-1, copy: 2s}]\n";

    [Fact]
    public void A_replica_set_replaces_an_instance_that_was_evicted()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        var set = Item("VirtualMachineInstanceReplicaSet", "kubevirt.io/v1", "web");
        set["spec"] = new JsonObject { ["replicas"] = 2, ["template"] = InstanceTemplate() };
        cluster.Store.Create(KubeVirtTypes.ReplicaSets, set);
        cluster.PassUntil(() => Instances(cluster).Count(vmi => vmi.InstancePhase() == "Running") == 2);
        var first = Instances(cluster)[0];

        cluster.Delete(ResourceTypes.Pods, Launcher(cluster, first));
        cluster.PassUntil(() => Instances(cluster).Count(vmi => vmi.InstancePhase() == "Running" && vmi.UidOf() != first.UidOf()) == 2);

        cluster.Store.Get(KubeVirtTypes.ReplicaSets, "default", "web").Number("status", "readyReplicas").ShouldBe(2);
    }

    [Fact]
    public void A_pool_makes_numbered_machines_and_another_one_for_a_deleted_one()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        var pool = Item("VirtualMachinePool", "pool.kubevirt.io/v1beta1", "pool");
        pool["spec"] = new JsonObject
        {
            ["replicas"] = 2,
            ["virtualMachineTemplate"] = new JsonObject { ["spec"] = new JsonObject { ["runStrategy"] = "Always", ["template"] = InstanceTemplate() } },
        };
        cluster.Store.Create(KubeVirtTypes.Pools, pool);
        cluster.PassUntil(() => cluster.Vmi("pool-0").InstancePhase() == "Running" && cluster.Vmi("pool-1").InstancePhase() == "Running");

        cluster.Delete(KubeVirtTypes.VirtualMachines, cluster.Vm("pool-0")!);
        cluster.PassUntil(() => cluster.Vmi("pool-2").InstancePhase() == "Running");
        cluster.Pass(5);

        cluster.Vm("pool-0").ShouldBeNull();
        cluster.Vm("pool-2").Controller().Text("kind").ShouldBe("VirtualMachinePool");
    }

    [Fact]
    public async Task A_bare_instance_gets_the_eviction_strategy_of_the_cluster_and_is_gone_for_good_when_it_is_evicted()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "evictionStrategy: LiveMigrateIfPossible\n");
        using var http = new HttpClient(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        var item = Item("VirtualMachineInstance", "kubevirt.io/v1", "bare");
        item["spec"] = InstanceTemplate()["spec"]!.DeepClone();
        using var body = new StringContent(item.ToJsonString(), System.Text.Encoding.UTF8, "application/json");
        (await http.PostAsync("/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances", body, CancellationToken.None)).EnsureSuccessStatusCode();
        cluster.PassUntil(() => cluster.Vmi("bare").InstancePhase() == "Running");

        cluster.Vmi("bare").EvictionStrategy().ShouldBe("LiveMigrateIfPossible");
        cluster.Delete(ResourceTypes.Pods, cluster.Launcher("bare"));
        cluster.Pass(30);

        cluster.Vmi("bare").InstancePhase().ShouldBe("Succeeded");
        cluster.PodsOf("bare").ShouldBeEmpty();
    }

    [Fact]
    public void A_plugged_volume_has_an_attachment_pod_that_cannot_be_evicted_and_moves_along()
    {
        var cluster = new TestCluster(WithMachine.Replace("copy: 2s", "copy: 2s, hotplug: true", StringComparison.Ordinal));
        var plugged = Attachments(cluster).ShouldHaveSingleItem();
        plugged.Node().ShouldBe("node-1");

        var refusal = Should.Throw<ApiException>(() => new EvictionInterceptor(cluster.Store).Review(new EvictionReview(plugged, DryRun: false)));
        refusal.Code.ShouldBe(429);
        refusal.Message.ShouldBe(
            "admission webhook \"hotplug-pod-eviction-interceptor.kubevirt.io\" denied the request: "
            + $"cannot evict hotplug pod: {plugged.NameOf()} associated with running vmi: vm in namespace default");
        cluster.Mark("vm");
        cluster.PassUntil(() => cluster.Vmi("vm").InstanceNode() != "node-1" && cluster.Migrations("vm").TrueForAll(each => each.IsFinal()));
        cluster.Pass(5);

        Attachments(cluster).Where(pod => pod.Node() == cluster.Vmi("vm").InstanceNode()).ShouldHaveSingleItem();
    }

    [Fact]
    public void A_machine_that_waits_as_receiver_has_an_instance_that_waits()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "virtualMachines: [{name: vm, runStrategy: WaitAsReceiver}]\n");

        cluster.Pass(60);

        cluster.Vmi("vm").InstancePhase().ShouldBe("WaitingForSync");
        cluster.Vm("vm").Text("status", "printableStatus").ShouldBe("WaitingForReceiver");
        cluster.PodsOf("vm").ShouldBeEmpty();
    }

    [Fact]
    public void HyperConverged_puts_back_what_is_written_into_its_KubeVirt()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "hyperConverged: true\nmigrations: {parallelMigrationsPerCluster: 3}\n");
        JsonObject KubeVirt() => cluster.Store.List(KubeVirtTypes.KubeVirts).Single();
        KubeVirt().Controller().Text("kind").ShouldBe("HyperConverged");
        KubeVirt().Text("spec", "configuration", "evictionStrategy").ShouldBe("LiveMigrate");
        KubeVirt().Number("spec", "configuration", "migrations", "parallelOutboundMigrationsPerNode").ShouldBe(1);
        KubeVirt().Number("spec", "configuration", "migrations", "parallelMigrationsPerCluster").ShouldBe(3);

        cluster.Store.Update(KubeVirtTypes.KubeVirts, KubeVirt().NamespaceOf(), KubeVirt().NameOf(), current =>
        {
            current.Ensure("spec", "configuration")["evictionStrategy"] = "None";
            return true;
        });
        cluster.Pass(1);

        KubeVirt().Text("spec", "configuration", "evictionStrategy").ShouldBe("LiveMigrate");
    }

    [Fact]
    public void The_drain_taint_of_KubeVirt_evacuates_a_node_and_then_an_evacuation_cannot_be_cancelled()
    {
        var cluster = new TestCluster(WithMachine);
        cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", node =>
        {
            node.Ensure("spec")["taints"] = new JsonArray(new JsonObject { ["key"] = "kubevirt.io/drain", ["effect"] = "NoSchedule" });
            return true;
        });

        cluster.Pass(0.5);
        cluster.Migrations("vm").ShouldHaveSingleItem();
        Should.Throw<ApiException>(() => new KubeVirtSubresources(cluster.Store, cluster.Simulated.Clock).Call(
            new("PUT", "subresources.kubevirt.io", "v1", "default", "virtualmachines", "vm", "evacuate/cancel", null, DryRun: false))).Code.ShouldBe(400);

        cluster.PassUntil(() => cluster.Vmi("vm").InstanceNode() != "node-1");
    }

    [Theory]
    [InlineData("copy-stalls", "true", "1Gi", 150, "Live migration stuck for 150 seconds and has been aborted")]
    [InlineData("copy", "1000", "2Gi", 300, "Live migration is not completed after 300 seconds and has been aborted")]
    public void A_copy_that_stalls_or_takes_too_long_is_aborted_by_KubeVirt(string what, string value, string memory, int seconds, string reason)
    {
        var cluster = new TestCluster(WithMachine.Replace("copy: 2s", $"memory: {memory}", StringComparison.Ordinal));
        cluster.Store.Update(KubeVirtTypes.Instances, "default", "vm", vmi =>
        {
            vmi.Ensure("metadata", "annotations")[$"fake-virt-handler/{what}"] = value;
            return true;
        });
        cluster.Mark("vm");
        cluster.PassUntil(() => cluster.Migrations("vm") is [var migration] && migration.InstancePhase() == "Running");

        cluster.PassUntil(() => cluster.Migrations("vm")[0].InstancePhase() == "Failed", atMost: 1000).ShouldBe(seconds, 1);

        cluster.Migrations("vm")[0].Text("status", "migrationState", "failureReason").ShouldBe(reason);
        cluster.Vmi("vm").InstancePhase().ShouldBe("Running");
    }

    [Theory]
    [InlineData("""{"domain":{"devices":{"hostDevices":[{"name":"gpu"}]}}}""", "HostDeviceNotLiveMigratable")]
    [InlineData("""{"domain":{"cpu":{"model":"host-passthrough"}}}""", "CPUModeLiveMigratable")]
    [InlineData("""{"domain":{"devices":{"filesystems":[{"virtiofs":{}}]}}}""", "VirtIOFSNotLiveMigratable")]
    [InlineData("""{"domain":{"launchSecurity":{"sev":{}}}}""", "SEVNotLiveMigratable")]
    [InlineData("""{"domain":{"launchSecurity":{"tdx":{}}}}""", "TDXNotLiveMigratable")]
    [InlineData("""{"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"private"}}]}""", "DisksNotLiveMigratable")]
    [InlineData("""{"networks":[{"name":"n","pod":{}}],"domain":{"devices":{"interfaces":[{"name":"n","bridge":{}}]}}}""", "InterfaceNotLiveMigratable")]
    [InlineData("""{"domain":{}}""", null)]
    public void What_a_machine_has_says_whether_it_can_be_migrated(string spec, string? reason)
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        var claim = Item("PersistentVolumeClaim", "v1", "private");
        claim["spec"] = new JsonObject { ["accessModes"] = new JsonArray("ReadWriteOnce") };
        cluster.Store.Create(ResourceTypes.PersistentVolumeClaims, claim);
        var vmi = Item("VirtualMachineInstance", "kubevirt.io/v1", "vm");
        vmi["spec"] = JsonNode.Parse(spec);

        MigrationReasons.Of(vmi, cluster.Store).ShouldBe(reason);
    }

    [Theory]
    [MemberData(nameof(Reasons))]
    public async Task Each_reason_stands_in_the_condition_and_in_the_refusal_of_a_migration(string reason)
    {
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}virtualMachines: [{{name: vm, on: node-1, notMigratable: {reason}, evictionStrategy: LiveMigrate}}]\n");
        var condition = cluster.Vmi("vm").Condition("LiveMigratable");
        (condition.Text("status"), condition.Text("reason")).ShouldBe(("False", reason));
        condition.Text("message").ShouldNotBeNullOrEmpty();

        var migration = Item("VirtualMachineInstanceMigration", "kubevirt.io/v1", "move");
        migration["spec"] = new JsonObject { ["vmiName"] = "vm" };
        Should.Throw<ApiException>(() => new KubeVirtAdmission(cluster.Store, cluster.Simulated.Clock).Review(KubeVirtTypes.Migrations, migration, null, dryRun: false))
            .Message.ShouldEndWith($"Cannot migrate VMI, Reason: {reason}, Message: {condition.Text("message")}");
        (await ObservedTests.EvictAsync(cluster, cluster.Launcher("vm"), dryRun: false)).Answer.Text("message").ShouldEndWith("is not live-migratable");
    }

    [Fact]
    public void A_restart_with_a_grace_period_is_refused()
    {
        var cluster = new TestCluster(WithMachine);

        var refusal = Should.Throw<ApiException>(() => new KubeVirtSubresources(cluster.Store, cluster.Simulated.Clock).Call(new(
            "PUT", "subresources.kubevirt.io", "v1", "default", "virtualmachines", "vm", "restart", new() { ["gracePeriodSeconds"] = 5 }, DryRun: false)));

        (refusal.Code, refusal.Message).ShouldBe((400, "For force restart, only gracePeriod=0 is supported for now"));
    }

    private static JsonObject Item(string kind, string apiVersion, string name) => new()
    {
        ["apiVersion"] = apiVersion,
        ["kind"] = kind,
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default" },
    };

    private static JsonObject InstanceTemplate() => new()
    {
        ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["app"] = "bare" } },
        ["spec"] = new JsonObject { ["domain"] = new JsonObject { ["memory"] = new JsonObject { ["guest"] = "1Gi" } } },
    };

    private static List<JsonObject> Instances(TestCluster cluster) => [.. cluster.Store.List(KubeVirtTypes.Instances)];

    private static JsonObject Launcher(TestCluster cluster, JsonObject vmi) => cluster.Store.OwnedBy(ResourceTypes.Pods, vmi.UidOf())[0];

    private static List<JsonObject> Attachments(TestCluster cluster) =>
        [.. cluster.Store.List(ResourceTypes.Pods).Where(pod => pod.NameOf().StartsWith("hp-volume-", StringComparison.Ordinal) && !pod.IsFinished())];
}
