using System.Text.Json.Nodes;
using Drydock.Simulator.Store;
using Shouldly;

namespace Drydock.ConformanceTests.Kubectl;

/// <summary>What Debian's kubectl makes of manifests of every kind, and the ways of draining that change nothing or ask no budget.</summary>
public sealed class KubectlManifestTests(KubectlCluster cluster) : IClassFixture<KubectlCluster>
{
    private const string Template = "template: {metadata: {labels: {app: NAME}}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: nginx}]}}";
    private const string Selector = "selector: {matchLabels: {app: NAME}}";

    private const string Maintenance =
        "---\n{apiVersion: nodemaintenance.medik8s.io/v1beta1, kind: NodeMaintenance, metadata: {name: tried}, spec: {nodeName: node-3, FIELD: why}}";

    [Theory]
    [InlineData("Deployment", "--for=condition=Available")]
    [InlineData("StatefulSet", null)]
    [InlineData("DaemonSet", null)]
    public async Task A_workload_is_created_rolled_out_and_deleted_with_its_pods(string kind, string? condition)
    {
        var name = "made-" + kind.ToLowerInvariant();
        var replicas = kind == "DaemonSet" ? "" : "replicas: 2, ";
        var service = kind == "StatefulSet" ? "serviceName: NAME, " : "";
        var manifest = $"---\n{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: NAME, namespace: shop}}, spec: {{{replicas}{service}{Selector}, {Template}}}}}"
            .Replace("NAME", name, StringComparison.Ordinal);

        (await cluster.SendAsync(manifest, "create")).Output.ShouldContain($"{kind.ToLowerInvariant()}.apps/{name} created");
        await cluster.RunAsync("rollout", "status", kind, name, "-n", "shop", "--timeout=50s");
        if (condition is not null)
        {
            (await cluster.RunAsync("wait", condition, $"{kind}/{name}", "-n", "shop", "--timeout=50s")).Output.ShouldContain("condition met");
        }

        var pods = await cluster.RunAsync("get", "pods", "-n", "shop", "-l", $"app={name}", "-o", "jsonpath={.items[*].status.phase}");
        pods.Output.Split(' ').ShouldAllBe(phase => phase == "Running");
        (await cluster.TryAsync(manifest, "create", "-f", "-")).Error.ShouldContain("already exists");

        await cluster.RunAsync("delete", kind, name, "-n", "shop", "--timeout=50s");
        await cluster.WaitUntilGoneAsync($"app={name}");
        Pods(name).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_job_runs_to_its_end_and_is_waited_for()
    {
        const string Job = """
            ---
            {apiVersion: batch/v1, kind: Job, metadata: {name: once, namespace: shop}, spec: {template: {metadata: {labels: {app: once}},
              spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: [sleep, "1"]}]}}}}
            """;
        (await cluster.SendAsync(Job, "create")).Output.ShouldContain("job.batch/once created");

        (await cluster.RunAsync("wait", "--for=condition=complete", "job/once", "-n", "shop", "--timeout=50s")).Output.ShouldContain("condition met");
        (await cluster.RunAsync("get", "job", "once", "-n", "shop", "-o", "jsonpath={.status.succeeded}")).Output.ShouldBe("1");
    }

    [Fact]
    public async Task A_definition_is_created_waited_for_and_its_objects_served()
    {
        const string Definition = """
            ---
            {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.made.example}, spec: {group: made.example, scope: Namespaced,
              names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList, shortNames: [wd]},
              versions: [{name: v1, served: true, storage: true, additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}],
                schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]}}
            """;
        await cluster.SendAsync(Definition, "create");
        await cluster.RunAsync("wait", "--for=condition=Established", "crd/widgets.made.example", "--timeout=50s");
        await cluster.SendAsync("---\n{apiVersion: made.example/v1, kind: Widget, metadata: {name: one, namespace: shop}, spec: {size: 3}}", "create");

        (await cluster.RunAsync("get", "wd", "-n", "shop")).Rows.Select(row => (row[0], row[1])).ShouldBe([("NAME", "SIZE"), ("one", "3")]);
        (await cluster.RunAsync("api-resources", "--api-group=made.example")).Rows[1].ShouldContain("Widget");
        await cluster.RunAsync("delete", "crd", "widgets.made.example", "--timeout=50s");
        (await cluster.TryAsync(null, "get", "widgets.made.example", "-n", "shop")).Error.ShouldContain("the server doesn't have a resource type");
    }

    [Fact]
    public async Task A_drain_on_trial_evicts_nothing()
    {
        var before = Pods(null, "node-1");

        var drained = await cluster.TryAsync(
            null, "drain", "node-1", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--dry-run=server", "--pod-selector=!kubevirt.io", "--timeout=50s");

        drained.Output.ShouldContain("node/node-1 cordoned (server dry run)");
        if (drained.Code != 0)
        {
            // kubectl 1.20 takes each pod for an object of the kind "", and looks for its definition in a version no server of today has.
            drained.Error.ShouldContain("failed to check CRD", customMessage: drained.Error);
        }

        Pods(null, "node-1").ShouldBe(before);
        Node("node-1").Flag("spec", "unschedulable").ShouldBeFalse();
    }

    [Fact]
    public async Task What_is_tried_on_the_server_changes_nothing()
    {
        var tried = new List<KubectlRun>
        {
            await cluster.RunAsync("cordon", "node-3", "--dry-run=server"),
            await cluster.RunAsync("delete", "pod", "queue-1", "-n", "shop", "--dry-run=server"),
            await cluster.SendAsync("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: tried, namespace: shop}}", "apply", "--dry-run=server"),
            await cluster.SendAsync(Maintenance.Replace("FIELD", "reason", StringComparison.Ordinal), "apply", "--dry-run=server"),
        };

        // Of these, kubectl 1.20 does not say that they were only tried.
        await cluster.RunAsync("label", "node", "node-3", "tried=yes", "--dry-run=server");
        await cluster.RunAsync("taint", "node", "node-3", "tried=yes:NoExecute", "--dry-run=server");

        tried.ShouldAllBe(run => run.Output.Contains("(server dry run)"));
        Node("node-3").At("spec", "taints").ShouldBeNull();
        Node("node-3").At("metadata", "labels", "tried").ShouldBeNull();
        Node("node-3").Flag("spec", "unschedulable").ShouldBeFalse();
        cluster.Simulation.Store.Get(ResourceTypes.Pods, "shop", "queue-1").At("metadata", "deletionTimestamp").ShouldBeNull();
        (await cluster.TryAsync(null, "get", "configmap", "tried", "-n", "shop")).Error.ShouldContain("not found");
        (await cluster.RunAsync("get", "nm", "-o", "name")).Output.ShouldBe("");
    }

    [Fact]
    public async Task A_custom_resource_is_explained_and_an_unknown_field_of_it_named()
    {
        var explained = (await cluster.RunAsync("explain", "nm.spec")).Output;
        explained.ShouldContain("nodeName");
        explained.ShouldContain("<string>");

        var refused = await cluster.TryAsync(Maintenance.Replace("FIELD", "reson", StringComparison.Ordinal), "apply", "-f", "-");

        refused.Code.ShouldBe(1);
        refused.Error.ShouldContain("unknown field");
        refused.Error.ShouldContain("reson");
    }

    [Theory]
    [InlineData("pod", "spec", "What is to run")]
    [InlineData("pod.spec.containers", "image", "One program in a pod")]
    [InlineData("node.spec", "unschedulable", "cordoned")]
    [InlineData("node.status.conditions", "reason", "MemoryPressure")]
    [InlineData("deployment.spec", "replicas", "How many pods there are to be")]
    [InlineData("pdb.spec", "maxUnavailable", "may be missing")]
    [InlineData("lease.spec", "holderIdentity", "Who holds it")]
    [InlineData("vmi", "metadata", "A virtual machine that runs")]
    public async Task A_built_in_kind_is_explained(string path, string field, string meaning)
    {
        var explained = (await cluster.RunAsync("explain", path)).Output;

        explained.ShouldContain(field);
        string.Join(' ', explained.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).ShouldContain(meaning);
    }

    [Fact]
    public async Task An_apply_takes_back_what_it_gave_and_leaves_what_others_added()
    {
        const string Manifest = """
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: merged, namespace: shop}
            spec:
              replicas: 0
              selector: {matchLabels: {app: merged}}
              template:
                metadata: {labels: {app: merged}}
                spec:
                  containers:
                  - {name: main, image: shop/main:1, env: [{name: KEPT, value: a}, {name: GONE, value: b}]}
                  - {name: old, image: shop/old:1}
            """;
        await cluster.SendAsync(Manifest, "apply");
        await cluster.RunAsync(
            "patch", "deployment", "merged", "-n", "shop", "-p", """{"spec":{"template":{"spec":{"containers":[{"name":"injected","image":"mesh:1"}]}}}}""");

        await cluster.SendAsync(
            Manifest.Replace(", {name: GONE, value: b}", "").Replace("      - {name: old, image: shop/old:1}", "").TrimEnd(), "apply");

        var containers = cluster.Simulation.Store.Get(ResourceTypes.Deployments, "shop", "merged").Objects("spec", "template", "spec", "containers").ToList();
        containers.Select(each => each.Text("name")).ShouldBe(["main", "injected"], ignoreOrder: true);
        containers.Single(each => each.Text("name") == "main").Objects("env").Select(each => each.Text("name")).ShouldBe(["KEPT"]);
    }

    [Fact]
    public async Task A_drain_without_evictions_deletes_in_spite_of_a_budget()
    {
        const string Held = """
            ---
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: held, namespace: shop}, spec: {maxUnavailable: 0, selector: {matchLabels: {app: held}}}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: held, namespace: shop, labels: {app: held}},
             spec: {nodeName: node-2, terminationGracePeriodSeconds: 1, containers: [{name: main, image: nginx}]}}
            """;
        await cluster.SendAsync(Held, "create");
        await cluster.RunAsync("wait", "--for=condition=Ready", "pod/held", "-n", "shop", "--timeout=50s");

        var drained = await cluster.RunAsync("drain", "node-2", "--pod-selector=app=held", "--force", "--disable-eviction", "--timeout=50s");
        await cluster.RunAsync("uncordon", "node-2");

        (drained.Output + drained.Error).ShouldContain("held");
        Pods("held").ShouldBeEmpty();
    }

    private JsonObject Node(string name) => cluster.Simulation.Store.Get(ResourceTypes.Nodes, null, name)!;

    private List<string> Pods(string? app, string? node = null) =>
        [.. cluster.Simulation.Store.List(ResourceTypes.Pods)
            .Where(pod => (app is null || pod.Text("metadata", "labels", "app") == app) && (node is null || pod.Text("spec", "nodeName") == node))
            .Select(pod => pod.UidOf())];
}
