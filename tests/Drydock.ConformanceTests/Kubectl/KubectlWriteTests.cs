using System.Text.Json.Nodes;
using Drydock.Simulator.Store;
using Shouldly;

namespace Drydock.ConformanceTests.Kubectl;

/// <summary>What kubectl does to the simulated cluster.</summary>
public sealed class KubectlWriteTests(KubectlCluster cluster) : IClassFixture<KubectlCluster>
{
    private const string Deployment = """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: applied, namespace: shop}
        spec:
          replicas: 1
          selector: {matchLabels: {app: applied}}
          template:
            metadata: {labels: {app: applied}}
            spec:
              containers: [{name: main, image: nginx}]
              volumes: [{name: scratch, emptyDir: {}}]
        """;

    [Fact]
    public async Task A_node_is_cordoned_and_uncordoned()
    {
        (await cluster.RunAsync("cordon", "node-2")).Output.ShouldContain("node/node-2 cordoned");
        (await cluster.RunAsync("get", "node", "node-2")).Output.ShouldContain("Ready,SchedulingDisabled");
        (await cluster.RunAsync("uncordon", "node-2")).Output.ShouldContain("node/node-2 uncordoned");
        Node("node-2")["spec"]!["unschedulable"].ShouldBeNull();
    }

    [Fact]
    public async Task A_node_is_drained_within_its_budgets()
    {
        var drained = await cluster.RunAsync(
            "drain", "node-3", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=50s");

        (drained.Output + drained.Error).ShouldContain("ignoring DaemonSet-managed Pods: kube-system/node-agent-");
        drained.Output.ShouldContain(" evicted");
        var pods = await cluster.RunAsync("get", "pods", "-A", "--field-selector", "spec.nodeName=node-3", "-o", "name");
        pods.Rows.ShouldHaveSingleItem()[0].ShouldStartWith("pod/node-agent-");
        await cluster.RunAsync("uncordon", "node-3");
    }

    [Fact]
    public async Task An_eviction_that_a_budget_refuses_is_tried_again_until_the_time_is_over()
    {
        await cluster.SendAsync(
            "---\n{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: metrics, namespace: monitoring}, "
            + "spec: {maxUnavailable: 0, selector: {matchLabels: {app: metrics}}}}", "apply");

        var drained = await cluster.TryAsync(null, "drain", "node-1", "--ignore-daemonsets", "--pod-selector=app=metrics", "--timeout=7s");
        await cluster.RunAsync("uncordon", "node-1");

        drained.Code.ShouldBe(1);
        drained.Error.ShouldContain("Cannot evict pod as it would violate the pod's disruption budget.");
    }

    [Fact]
    public async Task A_NodeMaintenance_is_applied_twice_shown_and_deleted()
    {
        const string manifest = """
            apiVersion: nodemaintenance.medik8s.io/v1beta1
            kind: NodeMaintenance
            metadata: {name: fix-the-fan}
            spec: {nodeName: node-2, reason: "fan 2"}
            """;

        (await cluster.SendAsync(manifest, "apply")).Output.ShouldContain("/fix-the-fan created");
        (await cluster.SendAsync(manifest, "apply")).Output.ShouldContain("/fix-the-fan unchanged");
        (await cluster.RunAsync("get", "nm")).Rows[1][0].ShouldBe("fix-the-fan");
        (await cluster.RunAsync("describe", "nm", "fix-the-fan")).Output.ShouldContain("fan 2");
        (await cluster.RunAsync("delete", "nm", "fix-the-fan")).Output.ShouldContain("deleted");
        (await cluster.RunAsync("get", "nm", "-o", "name")).Output.ShouldBe("");
    }

    [Fact]
    public async Task A_NodeMaintenance_that_its_schema_refuses_is_not_made()
    {
        var refused = await cluster.TryAsync(
            "---\n{apiVersion: nodemaintenance.medik8s.io/v1beta1, kind: NodeMaintenance, metadata: {name: bad}, spec: {reason: x}}",
            "apply", "-f", "-");

        refused.Code.ShouldBe(1);
        refused.Error.ShouldContain("nodeName");
    }

    [Fact]
    public async Task A_Deployment_is_applied_changed_rolled_out_scaled_and_deleted()
    {
        (await cluster.SendAsync(Deployment, "apply")).Output.ShouldContain("deployment.apps/applied created");
        (await cluster.SendAsync(Deployment.Replace("replicas: 1", "replicas: 2", StringComparison.Ordinal), "apply"))
            .Output.ShouldContain("deployment.apps/applied configured");
        (await cluster.RunAsync("rollout", "status", "deployment", "applied", "-n", "shop", "--timeout=40s"))
            .Output.ShouldContain("successfully rolled out");
        (await cluster.SendAsync(Deployment, "apply", "--server-side", "--force-conflicts")).Output.ShouldContain("serverside-applied");
        await cluster.RunAsync("scale", "deployment", "applied", "-n", "shop", "--replicas=3");
        (await cluster.RunAsync("get", "deployment", "applied", "-n", "shop", "-o", "jsonpath={.spec.replicas}")).Output.ShouldBe("3");

        await cluster.RunAsync("delete", "deployment", "applied", "-n", "shop");
        await cluster.WaitUntilGoneAsync("app=applied");

        cluster.Simulation.Store.List(ResourceTypes.Pods, "shop").ShouldNotContain(pod => pod.NameOf().StartsWith("applied-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_namespace_and_a_ConfigMap_are_created_by_name()
    {
        await cluster.RunAsync("create", "namespace", "made");
        await cluster.RunAsync("create", "configmap", "settings", "-n", "made", "--from-literal=colour=blue");

        (await cluster.RunAsync("get", "configmap", "settings", "-n", "made", "-o", "jsonpath={.data.colour}")).Output.ShouldBe("blue");
        await cluster.RunAsync("delete", "namespace", "made", "--timeout=40s");
        (await cluster.TryAsync(null, "get", "namespace", "made")).Error.ShouldContain("namespaces \"made\" not found");
    }

    [Fact]
    public async Task A_node_is_tainted_labelled_and_annotated_and_set_back()
    {
        await cluster.RunAsync("taint", "nodes", "node-2", "disk=broken:PreferNoSchedule");
        await cluster.RunAsync("label", "node", "node-2", "rack=7");
        await cluster.RunAsync("annotate", "node", "node-2", "note=hello");
        var changed = Node("node-2");
        ((string?)changed["spec"]!["taints"]![0]!["key"], (string?)changed["metadata"]!["labels"]!["rack"],
            (string?)changed["metadata"]!["annotations"]!["note"]).ShouldBe(("disk", "7", "hello"));

        await cluster.RunAsync("taint", "nodes", "node-2", "disk-");
        await cluster.RunAsync("label", "node", "node-2", "rack-");
        await cluster.RunAsync("annotate", "node", "node-2", "note-");
        var back = Node("node-2");
        (back["spec"]!["taints"], back["metadata"]!["labels"]!["rack"], back["metadata"]!["annotations"]!["note"]).ShouldBe((null, null, null));
    }

    [Theory]
    [InlineData("strategic", """{"metadata":{"labels":{"patched":"strategic"}}}""")]
    [InlineData("merge", """{"metadata":{"labels":{"patched":"merge"}}}""")]
    [InlineData("json", """[{"op":"add","path":"/metadata/labels/patched","value":"json"}]""")]
    public async Task A_node_is_patched_in_each_of_the_three_ways(string way, string patch)
    {
        await cluster.RunAsync("patch", "node", "node-2", "--type", way, "-p", patch);

        ((string?)Node("node-2")["metadata"]!["labels"]!["patched"]).ShouldBe(way);
    }

    private JsonObject Node(string name) => cluster.Simulation.Store.Get(ResourceTypes.Nodes, null, name)!;
}
