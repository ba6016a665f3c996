using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>What the recorded workload controllers do when a pod goes (cases 400 to 428).</summary>
public sealed class WorkloadTests
{
    [Fact]
    public void A_Deployments_pod_is_replaced_at_once_while_the_old_one_still_terminates()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: web, replicas: 2, startAfter: 0.5s, terminateAfter: 1s}]\n");
        var old = cluster.PodsOf("web")[0];

        cluster.Delete(ResourceTypes.Pods, old);
        cluster.Pass(0);

        cluster.PodsOf("web").Count.ShouldBe(3);
        cluster.PassUntil(() => cluster.PodsOf("web").Count(Pods.IsReady) == 3 || cluster.PodsOf("web").Count == 2).ShouldBe(0.5, 0.01);
        cluster.Pass(0.6);
        cluster.PodsOf("web").ShouldNotContain(pod => pod.UidOf() == old.UidOf());
        cluster.PodsOf("web").Count(Pods.IsReady).ShouldBe(2);
    }

    [Fact]
    public void A_Deployment_and_its_ReplicaSet_look_as_recorded()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: web, replicas: 2}]\n");

        var deployment = cluster.Store.List(ResourceTypes.Deployments).Single();
        var set = cluster.Store.List(ResourceTypes.ReplicaSets).Single();
        var pod = cluster.PodsOf("web")[0];
        deployment.Object("status")!.Select(pair => pair.Key).ShouldBe(
            ["observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "terminatingReplicas", "conditions"], ignoreOrder: true);
        deployment.Condition("Available").Text("reason").ShouldBe("MinimumReplicasAvailable");
        deployment.Condition("Progressing").Text("message").ShouldBe($"ReplicaSet \"{set.NameOf()}\" has successfully progressed.");
        set.NameOf().ShouldBe($"web-{set.Label("pod-template-hash")}");
        set.Object("metadata", "annotations")!.ToJsonString().ShouldBe(
            """{"deployment.kubernetes.io/desired-replicas":"2","deployment.kubernetes.io/max-replicas":"3","deployment.kubernetes.io/revision":"1"}""");
        pod.NameOf().ShouldStartWith(set.NameOf() + "-");
        pod.Label("pod-template-hash").ShouldBe(set.Label("pod-template-hash"));
        pod.Label("topology.kubernetes.io/zone").ShouldBe("zone-1");
    }

    [Fact]
    public void A_Deployment_rolls_to_a_new_template_without_falling_below_what_must_be_available()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: web, replicas: 4}]\n");

        cluster.Store.Update(ResourceTypes.Deployments, "default", "web", deployment =>
        {
            deployment.Ensure("spec", "template", "metadata", "labels")["version"] = "two";
            return true;
        });
        var fewest = 4;
        cluster.PassUntil(() =>
        {
            fewest = Math.Min(fewest, cluster.PodsOf("web").Count(pod => pod.IsReady() && !pod.IsDeleting()));
            return cluster.PodsOf("web").Count(pod => pod.IsReady() && pod.Label("version") == "two") == 4 && cluster.PodsOf("web").Count == 4;
        });

        fewest.ShouldBeGreaterThanOrEqualTo(3);
    }

    [Fact]
    public void A_StatefulSets_pod_comes_back_under_its_name_only_when_the_old_one_is_gone()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{statefulSet: db, replicas: 2, startAfter: 0.5s, terminateAfter: 1s}]\n");
        var old = cluster.Store.Get(ResourceTypes.Pods, "default", "db-0")!;

        cluster.Delete(ResourceTypes.Pods, old);
        cluster.Pass(0.9);
        cluster.Store.Get(ResourceTypes.Pods, "default", "db-0")!.UidOf().ShouldBe(old.UidOf());
        cluster.Pass(0.7);

        var replaced = cluster.Store.Get(ResourceTypes.Pods, "default", "db-0")!;
        replaced.UidOf().ShouldNotBe(old.UidOf());
        replaced.Label("apps.kubernetes.io/pod-index").ShouldBe("0");
        cluster.Pass(0.2);
        cluster.Store.Get(ResourceTypes.Pods, "default", "db-0").IsReady().ShouldBeTrue();
    }

    [Fact]
    public void A_StatefulSet_starts_its_pods_one_after_the_other()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{statefulSet: db, replicas: 3, startAfter: 0.5s}]\n");

        var starts = Enumerable.Range(0, 3).Select(n => cluster.Store.Get(ResourceTypes.Pods, "default", $"db-{n}")!.Condition("Ready").Time("lastTransitionTime")).ToList();

        starts.ShouldBeInOrder();
    }

    [Fact]
    public void A_DaemonSets_pod_comes_back_on_its_node_although_that_is_cordoned()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{daemonSet: agent}]\n");
        cluster.Cordon("node-1");
        cluster.Pass(1);
        var old = cluster.PodsOn("node-1").Single();

        cluster.Delete(ResourceTypes.Pods, old);
        cluster.Pass(4);

        var pod = cluster.PodsOn("node-1").Single();
        pod.UidOf().ShouldNotBe(old.UidOf());
        pod.IsReady().ShouldBeTrue();
        cluster.Store.List(ResourceTypes.DaemonSets).Single().Number("status", "numberReady").ShouldBe(3);
    }

    [Fact]
    public void A_Job_is_complete_when_its_pod_has_ended_well()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        cluster.Store.Create(ResourceTypes.Jobs, Job("work", ["true"], completeAfter: 2));

        cluster.PassUntil(() => cluster.Store.Get(ResourceTypes.Jobs, "default", "work").IsTrue("Complete")).ShouldBeInRange(2, 4);

        cluster.Store.Get(ResourceTypes.Jobs, "default", "work").Number("status", "succeeded").ShouldBe(1);
        cluster.PodsOf("work").Single().HasFinalizer("batch.kubernetes.io/job-tracking").ShouldBeFalse();
    }

    [Fact]
    public void An_evicted_pod_of_a_Job_counts_as_failed_and_is_replaced_only_after_the_back_off()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        cluster.Store.Create(ResourceTypes.Jobs, Job("work", ["sleep"], completeAfter: null));
        cluster.PassUntil(() => cluster.PodsOf("work").Exists(Pods.IsReady));

        cluster.Delete(ResourceTypes.Pods, cluster.PodsOf("work").Single());
        cluster.Pass(5);
        cluster.Store.Get(ResourceTypes.Jobs, "default", "work").Number("status", "failed").ShouldBe(1);
        cluster.PodsOf("work").ShouldBeEmpty();
        cluster.Pass(8);

        cluster.PodsOf("work").ShouldHaveSingleItem();
    }

    [Fact]
    public void A_Job_whose_command_reboots_gives_its_node_a_new_boot_ID()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: web, replicas: 3, spread: true}]\n");
        var before = cluster.Node("node-1").Text("status", "nodeInfo", "bootID");
        var job = Job("reboot", ["nsenter", "-t1", "--", "systemctl", "reboot"], completeAfter: null);
        job.Ensure("spec", "template", "spec")["nodeName"] = "node-1";
        job.Ensure("spec", "template", "spec")["hostPID"] = true;
        cluster.Store.Create(ResourceTypes.Jobs, job);

        cluster.PassUntil(() => !cluster.Node("node-1").IsTrue("Ready"));
        cluster.Node("node-1").Condition("Ready").Text("message").ShouldBe("node is shutting down");
        cluster.PassUntil(() => cluster.Node("node-1").IsTrue("Ready")).ShouldBe(4, 0.1);
        cluster.Pass(2);

        cluster.Node("node-1").Text("status", "nodeInfo", "bootID").ShouldNotBe(before);
        cluster.PodsOf("web").Single(pod => pod.Node() == "node-1").Objects("status", "containerStatuses").Single().Number("restartCount").ShouldBe(1);
        cluster.PodsOf("web").ShouldAllBe(pod => pod.IsReady());
        cluster.Store.Get(ResourceTypes.Jobs, "default", "reboot").IsTrue("Complete").ShouldBeTrue();
    }

    [Fact]
    public void Deleting_a_Deployment_takes_its_ReplicaSets_and_pods_along()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{deployment: web, replicas: 2}]\n");

        cluster.Delete(ResourceTypes.Deployments, cluster.Store.List(ResourceTypes.Deployments).Single());
        cluster.Pass(3);

        cluster.Store.List(ResourceTypes.ReplicaSets).ShouldBeEmpty();
        cluster.PodsOf("web").ShouldBeEmpty();
    }

    [Fact]
    public void Deleting_in_the_foreground_keeps_the_owner_until_its_pods_are_gone()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{statefulSet: db, replicas: 2}]\n");

        cluster.Store.Delete(ResourceTypes.StatefulSets, "default", "db", new(PropagationPolicy: "Foreground"));
        cluster.Pass(0.5);
        cluster.Store.List(ResourceTypes.StatefulSets).ShouldHaveSingleItem();
        cluster.Pass(3);

        cluster.Store.List(ResourceTypes.StatefulSets).ShouldBeEmpty();
        cluster.PodsOf("db").ShouldBeEmpty();
    }

    [Fact]
    public void Orphaned_pods_stay_and_lose_their_owner()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "workloads: [{daemonSet: agent}]\n");

        cluster.Store.Delete(ResourceTypes.DaemonSets, "default", "agent", new(PropagationPolicy: "Orphan"));
        cluster.Pass(2);

        cluster.Store.List(ResourceTypes.DaemonSets).ShouldBeEmpty();
        cluster.PodsOf("agent").Count.ShouldBe(3);
        cluster.PodsOf("agent").Where(pod => pod.Controller() is not null).ShouldBeEmpty();
    }

    private static JsonObject Job(string name, string[] command, int? completeAfter)
    {
        var annotations = new JsonObject();
        annotations.Set(completeAfter?.ToString(), "fake-kubelet/complete-after");
        return new()
        {
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default" },
            ["spec"] = new JsonObject
            {
                ["template"] = new JsonObject
                {
                    ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["app"] = name }, ["annotations"] = annotations },
                    ["spec"] = new JsonObject
                    {
                        ["restartPolicy"] = "Never",
                        ["containers"] = new JsonArray(new JsonObject
                        {
                            ["name"] = "c",
                            ["image"] = "tool",
                            ["command"] = new JsonArray([.. command.Select(word => (JsonNode)word)]),
                        }),
                    },
                },
            },
        };
    }
}
