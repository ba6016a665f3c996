using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

public sealed class JobTests
{
    private const string Agents = TestCluster.ThreeNodes + "workloads: [{daemonSet: agent, startAfter: 3s}]\n";

    [Fact]
    public void A_privileged_Job_on_a_node_reboots_it_once_and_is_complete()
    {
        var cluster = new TestCluster(Agents);
        var boot = BootOf(cluster);

        Create(cluster, "nsenter -t 1 -m -- systemctl reboot", spec => spec["hostPID"] = true);
        cluster.PassUntil(() => BootOf(cluster) != boot);
        boot = BootOf(cluster);
        cluster.PodsOf("agent").Single(pod => pod.Node() == "node-1").IsReady().ShouldBeFalse();
        cluster.Pass(600);

        BootOf(cluster).ShouldBe(boot);
        Job(cluster).IsTrue("Complete").ShouldBeTrue();
        cluster.PodsOf("agent").ShouldAllBe(pod => pod.IsReady());
        Restarts(cluster, "agent", "node-1").ShouldBe(1);
    }

    [Fact]
    public void Without_privileges_nothing_is_rebooted_and_the_Job_fails()
    {
        var cluster = new TestCluster(Agents);
        var boot = BootOf(cluster);

        Create(cluster, "systemctl reboot");
        cluster.Pass(5);

        Job(cluster).Condition("Failed").Text("reason").ShouldBe("BackoffLimitExceeded");
        BootOf(cluster).ShouldBe(boot);
    }

    [Fact]
    public void A_pod_that_goes_on_after_asking_for_a_reboot_dies_with_the_machine_and_counts_as_failed()
    {
        var cluster = new TestCluster(Agents);

        Create(cluster, "systemctl reboot; sleep infinity", spec => spec["hostPID"] = true);
        cluster.PassUntil(() => Job(cluster).IsTrue("Failed"));

        cluster.PodsOf("job").Single().Objects("status", "containerStatuses").Single().Number("state", "terminated", "exitCode").ShouldBe(255);
    }

    [Fact]
    public void A_script_that_looks_at_the_boot_ID_first_does_not_reboot_twice()
    {
        var cluster = new TestCluster(Agents);
        var boot = BootOf(cluster);
        var script = $"[ \"$(cat /proc/sys/kernel/random/boot_id)\" = \"{boot}\" ] || exit 0; exec systemctl reboot; sleep 60";

        Create(cluster, script, spec => spec["hostPID"] = true, job => job.Ensure("spec")["backoffLimit"] = 3);
        cluster.PassUntil(() => Job(cluster).IsTrue("Complete"));

        Job(cluster).Number("status", "failed").ShouldBe(1);
        Restarts(cluster, "agent", "node-1").ShouldBe(1);
    }

    [Theory]
    [InlineData("sleep 7; exit 3", 7, 3)]
    [InlineData("true", 1, 0)]
    [InlineData("false", 1, 1)]
    [InlineData("/opt/update.sh", 1, 0)]
    public void A_command_takes_its_time_and_ends_with_its_code(string command, int seconds, int code)
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        Create(cluster, command);
        cluster.PassUntil(() => cluster.PodsOf("job").Exists(pod => pod.IsRunning()));

        cluster.PassUntil(() => cluster.PodsOf("job").Exists(pod => pod.IsFinished())).ShouldBe(seconds);

        cluster.PodsOf("job").Single().Objects("status", "containerStatuses").Single().Number("state", "terminated", "exitCode").ShouldBe(code);
    }

    [Fact]
    public void Pods_fail_as_often_as_they_are_told_with_a_doubling_back_off_between_them()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);

        Create(cluster, "work", template: meta => meta["fake-kubelet/failing-pods"] = "2", job: job => job.Ensure("spec")["backoffLimit"] = 3);
        cluster.PassUntil(() => Job(cluster).IsTrue("Complete"), atMost: 120).ShouldBeInRange(30, 42);

        Job(cluster).Number("status", "failed").ShouldBe(2);
        Job(cluster).Number("status", "succeeded").ShouldBe(1);
    }

    [Fact]
    public void A_pod_with_restart_policy_OnFailure_is_started_again_in_place_until_the_limit()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);

        Create(cluster, "false", spec => spec["restartPolicy"] = "OnFailure", job => job.Ensure("spec")["backoffLimit"] = 1);
        cluster.PassUntil(() => Job(cluster).IsTrue("Failed"), atMost: 90);

        Job(cluster).Condition("Failed").Text("message").ShouldBe("Job has reached the specified backoff limit");
        cluster.PodsOf("job").ShouldAllBe(pod => !pod.IsRunning());
    }

    [Fact]
    public void The_deadline_of_a_Job_ends_its_pods_first_and_then_the_Job()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);

        Create(cluster, "sleep infinity", job: job => job.Ensure("spec")["activeDeadlineSeconds"] = 20);
        cluster.PassUntil(() => Job(cluster).IsTrue("FailureTarget")).ShouldBe(20, 1);
        Job(cluster).IsTrue("Failed").ShouldBeFalse();
        cluster.PassUntil(() => Job(cluster).IsTrue("Failed")).ShouldBe(1, 0.1);

        Job(cluster).Condition("Failed").Text("reason").ShouldBe("DeadlineExceeded");
        Job(cluster).Condition("Failed").Text("message").ShouldBe("Job was active longer than specified deadline");
        cluster.PodsOf("job").ShouldBeEmpty();
    }

    [Fact]
    public void A_finished_Job_goes_when_its_time_to_live_is_over_and_takes_its_pods_along()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);

        Create(cluster, "true", job: job => job.Ensure("spec")["ttlSecondsAfterFinished"] = 30);
        cluster.PassUntil(() => Job(cluster).IsTrue("Complete"));
        cluster.Pass(29);
        Job(cluster).ShouldNotBeNull();
        cluster.Pass(3);

        Job(cluster).ShouldBeNull();
        cluster.PodsOf("job").ShouldBeEmpty();
    }

    [Fact]
    public void Two_completions_at_a_time_make_two_pods()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);

        Create(cluster, "sleep 5", job: job =>
        {
            job.Ensure("spec")["completions"] = 3;
            job.Ensure("spec")["parallelism"] = 2;
        });
        cluster.Pass(1);
        cluster.PodsOf("job").Count.ShouldBe(2);
        cluster.PassUntil(() => Job(cluster).IsTrue("Complete"));

        Job(cluster).Number("status", "succeeded").ShouldBe(3);
    }

    [Fact]
    public void A_suspended_Job_has_no_pods()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes);
        Create(cluster, "sleep 60");
        cluster.Pass(5);

        cluster.Store.Update(ResourceTypes.Jobs, "default", "job", job => job.Ensure("spec").TryAdd("suspend", true) || (job["spec"]!["suspend"] = true) is not null);
        cluster.Pass(5);

        cluster.PodsOf("job").ShouldBeEmpty();
        Job(cluster).Condition("Suspended").Text("status").ShouldBe("True");
    }

    private static void Create(
        TestCluster cluster, string script, Action<JsonObject>? spec = null, Action<JsonObject>? job = null, Action<JsonObject>? template = null)
    {
        var content = new JsonObject
        {
            ["restartPolicy"] = "Never",
            ["nodeName"] = "node-1",
            ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "tool", ["command"] = new JsonArray("/bin/sh", "-c", script) }),
        };
        spec?.Invoke(content);
        var annotations = new JsonObject();
        template?.Invoke(annotations);
        var item = new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "job", ["namespace"] = "default" },
            ["spec"] = new JsonObject
            {
                ["backoffLimit"] = 0,
                ["template"] = new JsonObject
                {
                    ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["app"] = "job" }, ["annotations"] = annotations },
                    ["spec"] = content,
                },
            },
        };
        job?.Invoke(item);
        cluster.Store.Create(ResourceTypes.Jobs, item);
    }

    private static JsonObject? Job(TestCluster cluster) => cluster.Store.Get(ResourceTypes.Jobs, "default", "job");

    private static string? BootOf(TestCluster cluster) => cluster.Node("node-1").Text("status", "nodeInfo", "bootID");

    private static int Restarts(TestCluster cluster, string app, string node) =>
        PodStatuses.Restarts(cluster.PodsOf(app).Single(pod => pod.Node() == node));
}
