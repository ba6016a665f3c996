using Drydock.Simulator.Store;
using Shouldly;

namespace Drydock.ConformanceTests.Kubectl;

/// <summary>What kubectl shows of the simulated cluster.</summary>
public sealed class KubectlReadTests(KubectlCluster cluster) : IClassFixture<KubectlCluster>
{
    [Fact]
    public async Task Nodes_are_listed_as_ready()
    {
        var rows = (await cluster.RunAsync("get", "nodes")).Rows;

        rows[0].ShouldBe(["NAME", "STATUS", "ROLES", "AGE", "VERSION"]);
        rows.Skip(1).Select(row => (row[0], row[1])).ShouldBe([("node-1", "Ready"), ("node-2", "Ready"), ("node-3", "Ready")]);
    }

    [Fact]
    public async Task The_wide_list_of_nodes_has_addresses_and_systems()
    {
        var output = (await cluster.RunAsync("get", "nodes", "-o", "wide")).Output;

        output.ShouldContain("INTERNAL-IP");
        output.ShouldContain("10.0.0.2");
        output.ShouldContain("containerd://");
    }

    [Fact]
    public async Task Pods_of_all_namespaces_are_listed_as_running()
    {
        var rows = (await cluster.RunAsync("get", "pods", "-A")).Rows;

        rows[0].ShouldBe(["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]);
        rows.Count.ShouldBe(14);
        rows.Skip(1).ShouldAllBe(row => row[2] == "1/1" && row[3] == "Running");
    }

    [Fact]
    public async Task Virtual_machines_and_their_instances_are_listed_with_the_columns_of_KubeVirt()
    {
        var instances = (await cluster.RunAsync("get", "vmi", "-A")).Rows;
        var machines = (await cluster.RunAsync("get", "vm", "-A")).Rows;

        instances[0].ShouldBe(["NAMESPACE", "NAME", "AGE", "PHASE", "IP", "NODENAME", "READY"]);
        instances.Skip(1).Select(row => (row[1], row[3], row[5], row[6]))
            .ShouldBe([("database", "Running", "node-1", "True"), ("frontend", "Running", "node-1", "True")]);
        machines.Skip(1).Select(row => (row[1], row[3], row[4])).ShouldBe([("database", "Running", "True"), ("frontend", "Running", "True")]);
    }

    [Fact]
    public async Task There_is_no_NodeMaintenance_before_one_is_made() =>
        (await cluster.RunAsync("get", "nm")).Error.ShouldContain("No resources found");

    [Fact]
    public async Task A_node_is_described_with_its_conditions_pods_and_lease()
    {
        var output = (await cluster.RunAsync("describe", "node", "node-1")).Output;

        output.ShouldContain("KubeletReady");
        output.ShouldContain("Non-terminated Pods:          (8 in total)");
        output.ShouldContain("HolderIdentity:  node-1");
        output.ShouldContain("virt-launcher-database");
    }

    [Fact]
    public async Task A_pod_is_described_with_its_controller_and_events()
    {
        var output = (await cluster.RunAsync("describe", "pod", "queue-0", "-n", "shop")).Output;

        output.ShouldContain("Controlled By:");
        output.ShouldContain("StatefulSet/queue");
        output.ShouldContain("Successfully assigned shop/queue-0 to node-1");
    }

    [Fact]
    public async Task An_object_is_printed_as_yaml_and_a_field_by_its_path()
    {
        (await cluster.RunAsync("get", "node", "node-1", "-o", "yaml")).Output.ShouldContain("kind: Node\n");
        (await cluster.RunAsync("get", "vmi", "database", "-n", "vms", "-o", "jsonpath={.status.nodeName}")).Output.ShouldBe("node-1");
        (await cluster.RunAsync("get", "pods", "-A", "--field-selector", "spec.nodeName=node-2", "-l", "app=queue", "-o", "name"))
            .Output.ShouldBe("pod/queue-1\n");
    }

    [Fact]
    public async Task Resources_are_discovered_with_their_short_names()
    {
        var rows = (await cluster.RunAsync("api-resources", "--no-headers")).Rows;

        rows.ShouldContain(row => row[0] == "nodemaintenances" && row.Contains("nm") && row.Last() == "NodeMaintenance");
        rows.ShouldContain(row => row[0] == "virtualmachineinstancemigrations" && row.Last() == "VirtualMachineInstanceMigration");
        rows.ShouldContain(row => row[0] == "poddisruptionbudgets" && row.Contains("pdb"));
    }

    [Fact]
    public async Task A_permission_is_asked_for_before_it_is_needed()
    {
        (await cluster.RunAsync("auth", "can-i", "create", "pods/eviction", "-n", "shop")).Output.ShouldBe("yes\n");
        (await cluster.RunAsync("auth", "can-i", "--list")).Output.ShouldContain("*.*");

        using var denial = cluster.Simulation.Api.Access.Deny("patch", "nodes");
        var denied = await cluster.TryAsync(null, "auth", "can-i", "patch", "nodes");

        (denied.Code, denied.Output.Trim().Split(' ')[0]).ShouldBe((1, "no"));
    }

    [Fact]
    public async Task A_watch_shows_a_change_while_it_happens()
    {
        using var watch = cluster.Start("get", "leases", "-n", "medik8s-leases", "--watch", "-o", "name");
        try
        {
            watch.StandardInput.Close();
            var line = watch.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask();
            await cluster.SendAsync(
                "---\n{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: node-9, namespace: medik8s-leases}, spec: {holderIdentity: me}}",
                "create");

            (await line.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken))
                .ShouldBe("lease.coordination.k8s.io/node-9");
            cluster.Simulation.Store.Get(ResourceTypes.Leases, "medik8s-leases", "node-9").ShouldNotBeNull();
        }
        finally
        {
            watch.Kill();
        }
    }
}
