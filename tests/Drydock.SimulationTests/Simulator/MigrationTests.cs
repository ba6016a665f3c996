using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>The time lines recorded from a real virt-controller: order of phases, limits, back-off, time-outs, aborts.</summary>
public sealed class MigrationTests
{
    private const string OneMachine = TestCluster.ThreeNodes + "evictionStrategy: LiveMigrate\nvirtualMachines: [{name: vm, on: node-1}]\n";

    [Fact]
    public void A_marked_machine_moves_without_a_stop_through_all_phases()
    {
        var cluster = new TestCluster(OneMachine);
        var before = cluster.Vmi("vm")!;
        var source = cluster.Launcher("vm");

        cluster.Mark("vm");
        cluster.PassUntil(() => cluster.Migrations("vm") is [var each] && each.IsFinal());
        cluster.Pass(1);

        var migration = cluster.Migrations("vm").ShouldHaveSingleItem();
        migration.Objects("status", "phaseTransitionTimestamps").Select(each => each.Text("phase"))
            .ShouldBe(["Pending", "Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running", "Succeeded"]);
        migration.NameOf().ShouldStartWith("kubevirt-evacuation-");
        migration.Annotation("kubevirt.io/evacuationMigration").ShouldBe("node-1");
        migration.Text("spec", "priority").ShouldBe("system-critical");
        migration.HasFinalizer("kubevirt.io/migrationJobFinalize").ShouldBeFalse();
        var after = cluster.Vmi("vm")!;
        after.UidOf().ShouldBe(before.UidOf());
        after.InstanceNode().ShouldNotBe("node-1");
        after.Text("status", "evacuationNodeName").ShouldBeNull();
        after.Condition("EvictionRequested").ShouldBeNull();
        after.IsTrue("Ready").ShouldBeTrue();
        cluster.Store.Get(ResourceTypes.Pods, "default", source.NameOf()).Phase().ShouldBe("Succeeded");
        cluster.Launcher("vm").IsReady().ShouldBeTrue();
    }

    [Fact]
    public void The_machine_shows_Migrating_only_while_it_copies()
    {
        var cluster = new TestCluster(OneMachine);
        cluster.Mark("vm");

        cluster.PassUntil(() => cluster.Migrations("vm") is [var each] && each.InstancePhase() == "PreparingTarget");
        cluster.Vm("vm").Text("status", "printableStatus").ShouldBe("Running");
        cluster.PassUntil(() => cluster.Migrations("vm")[0].InstancePhase() == "Running");
        cluster.Vm("vm").Text("status", "printableStatus").ShouldBe("Migrating");
        cluster.PassUntil(() => cluster.Migrations("vm")[0].IsFinal());
        cluster.Vm("vm").Text("status", "printableStatus").ShouldBe("Running");
    }

    [Fact]
    public void Of_eight_machines_on_a_node_two_move_at_a_time_and_the_others_wait_in_Pending()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "evictionStrategy: LiveMigrate\nvirtualMachines: ["
            + string.Join(", ", Enumerable.Range(1, 8).Select(n => $"{{name: vm{n}, on: node-1}}")) + "]\n");
        for (var n = 1; n <= 8; n++)
        {
            cluster.Mark($"vm{n}");
        }

        var most = 0;
        var seconds = cluster.PassUntil(() =>
        {
            var migrations = cluster.Store.List(KubeVirtTypes.Migrations);
            most = Math.Max(most, migrations.Count(each => !each.IsFinal() && each.InstancePhase() is not ("" or "Pending")));
            return migrations.Count == 8 && migrations.All(Instances.IsFinal);
        });

        most.ShouldBe(2);
        seconds.ShouldBeInRange(14, 26);
        cluster.Store.List(KubeVirtTypes.Instances).ShouldAllBe(vmi => vmi.InstanceNode() != "node-1");
    }

    [Fact]
    public void At_most_five_move_in_the_cluster()
    {
        var cluster = new TestCluster("name: test\nnodes: [{name: 'node-{n}', count: 6}]\nevictionStrategy: LiveMigrate\nvirtualMachines: ["
            + string.Join(", ", Enumerable.Range(0, 12).Select(n => $"{{name: vm{n}, on: node-{(n % 6) + 1}}}")) + "]\n");
        for (var n = 0; n < 12; n++)
        {
            cluster.Mark($"vm{n}");
        }

        var most = 0;
        cluster.PassUntil(() =>
        {
            var migrations = cluster.Store.List(KubeVirtTypes.Migrations);
            most = Math.Max(most, migrations.Count(each => !each.IsFinal() && each.InstancePhase() is not ("" or "Pending")));
            return migrations.Count == 12 && migrations.All(Instances.IsFinal);
        });

        most.ShouldBe(5);
    }

    [Fact]
    public void Without_a_target_a_migration_stays_in_Scheduling_for_300_seconds_and_the_next_backs_off_20()
    {
        var cluster = Unschedulable();

        var stuck = cluster.PassUntil(() => cluster.Migrations("vm") is [var first, ..] && first.IsFinal(), atMost: 400);
        var pause = cluster.PassUntil(() => cluster.Migrations("vm").Exists(each => each.InstancePhase() == "Scheduling"));

        stuck.ShouldBeInRange(299, 301);
        pause.ShouldBeInRange(19, 21);
        cluster.Vmi("vm").Text("status", "evacuationNodeName").ShouldBe("node-1");
        cluster.Vm("vm").Text("status", "printableStatus").ShouldBe("Running");
        Reasons(cluster).ShouldContain("Warning migrationTargetPodUnschedulable Migration target pod for VMI [default/vm] is currently unschedulable.");
        Reasons(cluster).ShouldContain("Warning FailedMigration Migration target pod was removed during active migration.");
        Reasons(cluster).ShouldContain("Warning MigrationBackoff backoff migrating vmi default/vm");
    }

    [Fact]
    public void The_scheduler_says_why_a_target_pod_waits()
    {
        var cluster = Unschedulable();
        cluster.Pass(1);

        var target = cluster.Store.List(ResourceTypes.Pods).Single(pod => pod.Label("kubevirt.io/migrationJobUID") is not null);
        target.Condition("PodScheduled").Text("message").ShouldBe(
            "0/3 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 2 node(s) were unschedulable. no new claims to deallocate, "
            + "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.");
    }

    [Fact]
    public void The_patience_with_an_unschedulable_target_can_be_shortened_while_it_waits()
    {
        var cluster = Unschedulable();
        cluster.Pass(2);
        var migration = cluster.Migrations("vm").Single();

        cluster.Store.Update(KubeVirtTypes.Migrations, "default", migration.NameOf(), current =>
        {
            current.Ensure("metadata", "annotations")["kubevirt.io/migrationUnschedulablePodTimeoutSeconds"] = "10";
            return true;
        });

        cluster.PassUntil(() => cluster.Migrations("vm").Exists(Instances.IsFinal)).ShouldBeInRange(7, 9);
    }

    [Theory]
    [InlineData(null, 900)]
    [InlineData("30", 30)]
    public void A_target_that_has_a_node_and_never_starts_is_given_up_after_a_quarter_of_an_hour(string? shortened, int seconds)
    {
        var cluster = new TestCluster(OneMachine);
        cluster.Mark("vm");
        cluster.PassUntil(() => cluster.Migrations("vm") is [var each] && each.InstancePhase() == "Scheduling");
        var target = cluster.Store.List(ResourceTypes.Pods).Single(pod => pod.Label("kubevirt.io/migrationJobUID") is not null);
        cluster.Store.Update(ResourceTypes.Pods, "default", target.NameOf(), pod =>
        {
            pod.Ensure("metadata", "annotations")["fake-kubelet/never-start"] = "true";
            return true;
        });
        cluster.Store.Update(KubeVirtTypes.Migrations, "default", cluster.Migrations("vm").Single().NameOf(), current =>
        {
            current.Set(shortened, "metadata", "annotations", "kubevirt.io/migrationPendingPodTimeoutSeconds");
            return true;
        });

        cluster.PassUntil(() => cluster.Migrations("vm").Exists(Instances.IsFinal), atMost: 1000).ShouldBeInRange(seconds - 1, seconds + 1);

        cluster.Migrations("vm")[0].InstancePhase().ShouldBe("Failed");
        Reasons(cluster).ShouldContain($"Normal SuccessfulDelete pending pod default/{target.NameOf()} timeout period exceeded");
    }

    [Fact]
    public void A_waiting_target_is_scheduled_when_a_node_is_uncordoned()
    {
        var cluster = Unschedulable();
        cluster.Pass(10);

        cluster.Cordon("node-2", cordon: false);
        cluster.PassUntil(() => cluster.Migrations("vm") is [var each] && each.InstancePhase() == "Succeeded");

        cluster.Vmi("vm").InstanceNode().ShouldBe("node-2");
    }

    [Fact]
    public void A_migration_deleted_in_Scheduling_is_gone_at_once_and_followed_by_a_new_one_without_a_pause()
    {
        var cluster = Unschedulable();
        cluster.Pass(2);
        var first = cluster.Migrations("vm").Single();

        cluster.Delete(KubeVirtTypes.Migrations, first);
        cluster.Pass(0.5);

        var second = cluster.Migrations("vm").ShouldHaveSingleItem();
        second.UidOf().ShouldNotBe(first.UidOf());
        second.InstancePhase().ShouldBe("Scheduling");
    }

    [Fact]
    public void Cancelling_the_evacuation_first_makes_the_deletion_final()
    {
        var cluster = Unschedulable();
        cluster.Pass(2);

        Cancel(cluster, "node-1").ShouldBe(200);
        cluster.Pass(0.1);
        cluster.Migrations("vm").ShouldHaveSingleItem();
        cluster.Delete(KubeVirtTypes.Migrations, cluster.Migrations("vm").Single());
        cluster.Pass(60);

        cluster.Migrations("vm").ShouldBeEmpty();
        cluster.Vmi("vm").InstanceNode().ShouldBe("node-1");
        cluster.Vmi("vm").Condition("EvictionRequested").ShouldBeNull();
    }

    [Fact]
    public void Cancelling_without_the_marked_node_is_an_internal_error_and_on_an_unmarked_machine_nothing()
    {
        var cluster = Unschedulable();

        Cancel(cluster, null).ShouldBe(500);
        Cancel(cluster, "node-1").ShouldBe(200);
        Cancel(cluster, null).ShouldBe(200);
    }

    [Fact]
    public void A_failing_migration_is_tried_again_after_20_then_40_seconds()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "evictionStrategy: LiveMigrate\nvirtualMachines: [{name: vm, on: node-1, failingMigrations: 2}]\n");
        cluster.Mark("vm");

        var seconds = cluster.PassUntil(() => cluster.Migrations("vm").Exists(each => each.InstancePhase() == "Succeeded"), atMost: 120);

        seconds.ShouldBeInRange(60, 72);
        cluster.Migrations("vm").Count(each => each.InstancePhase() == "Failed").ShouldBe(2);
        cluster.Migrations("vm")[0].Text("status", "migrationState", "failureReason").ShouldStartWith("Live migration failed");
    }

    [Fact]
    public void A_copy_is_aborted_by_deleting_its_migration()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "evictionStrategy: LiveMigrate\nvirtualMachines: [{name: vm, on: node-1, copy: 60s}]\n");
        cluster.Mark("vm");
        cluster.PassUntil(() => cluster.Migrations("vm") is [var each] && each.InstancePhase() == "Running");
        Cancel(cluster, "node-1").ShouldBe(200);

        cluster.Delete(KubeVirtTypes.Migrations, cluster.Migrations("vm").Single());
        cluster.Pass(0.2);
        cluster.Migrations("vm").Single().IsTrue("migrationAbortRequested").ShouldBeTrue();
        cluster.Vmi("vm").Flag("status", "migrationState", "abortRequested").ShouldBeTrue();
        cluster.Pass(1);

        cluster.Migrations("vm").ShouldBeEmpty();
        cluster.Vmi("vm").Text("status", "migrationState", "failureReason").ShouldBe("Live migration has been aborted");
        cluster.Vmi("vm").InstanceNode().ShouldBe("node-1");
        cluster.PodsOn("node-2").Concat(cluster.PodsOn("node-3")).ShouldBeEmpty();
    }

    [Fact]
    public void A_copy_whose_abort_never_comes_stays_Running_and_deleted()
    {
        var cluster = new TestCluster(OneMachine);
        Steer(cluster, "abort-never-ends", "copy-never-ends");
        cluster.Mark("vm");
        cluster.PassUntil(() => cluster.Migrations("vm") is [var each] && each.InstancePhase() == "Running");

        cluster.Delete(KubeVirtTypes.Migrations, cluster.Migrations("vm").Single());
        cluster.Pass(600);

        var migration = cluster.Migrations("vm").ShouldHaveSingleItem();
        (migration.InstancePhase(), migration.IsDeleting(), migration.IsTrue("migrationAbortRequested")).ShouldBe(("Running", true, true));
    }

    [Fact]
    public void A_migration_deleted_while_its_target_never_gets_ready_stays_in_PreparingTarget_without_any_time_out()
    {
        var cluster = new TestCluster(OneMachine);
        Steer(cluster, "target-never-ready");
        cluster.Mark("vm");
        cluster.PassUntil(() => cluster.Migrations("vm") is [var each] && each.InstancePhase() == "PreparingTarget");

        cluster.Delete(KubeVirtTypes.Migrations, cluster.Migrations("vm").Single());
        cluster.Pass(1200);

        var migration = cluster.Migrations("vm").ShouldHaveSingleItem();
        (migration.InstancePhase(), migration.IsDeleting(), migration.IsTrue("migrationAbortRequested")).ShouldBe(("PreparingTarget", true, true));
    }

    [Fact]
    public void A_second_migration_of_a_machine_that_moves_is_refused()
    {
        var cluster = new TestCluster(OneMachine);
        cluster.Mark("vm");
        cluster.Pass(1);
        var migration = new JsonObject { ["metadata"] = new JsonObject { ["namespace"] = "default" }, ["spec"] = new JsonObject { ["vmiName"] = "vm" } };

        Should.Throw<ApiException>(() => new KubeVirtAdmission(cluster.Store, cluster.Simulated.Clock).Review(KubeVirtTypes.Migrations, migration, null, dryRun: false))
            .Message.ShouldContain("in-flight migration detected.");
    }

    [Fact]
    public void Five_finished_migrations_are_kept()
    {
        var cluster = new TestCluster(OneMachine);
        for (var round = 0; round < 7; round++)
        {
            cluster.Mark("vm");
            cluster.Pass(10);
        }

        cluster.Migrations("vm").Count.ShouldBe(5);
    }

    private static TestCluster Unschedulable()
    {
        var cluster = new TestCluster(OneMachine);
        cluster.Cordon("node-2");
        cluster.Cordon("node-3");
        cluster.Pass(1);
        cluster.Mark("vm");
        cluster.Pass(0);
        return cluster;
    }

    private static void Steer(TestCluster cluster, params string[] annotations) => cluster.Store.Update(KubeVirtTypes.Instances, "default", "vm", vmi =>
    {
        foreach (var annotation in annotations)
        {
            vmi.Ensure("metadata", "annotations")["fake-virt-handler/" + annotation] = "true";
        }

        return true;
    });

    private static int Cancel(TestCluster cluster, string? node)
    {
        var body = node is null ? null : new JsonObject { ["evacuationNodeName"] = node };
        try
        {
            return new KubeVirtSubresources(cluster.Store, cluster.Simulated.Clock)
                .Call(new("PUT", "subresources.kubevirt.io", "v1", "default", "virtualmachines", "vm", "evacuate/cancel", body, DryRun: false)).Code;
        }
        catch (ApiException refusal)
        {
            return refusal.Code;
        }
    }

    private static List<string> Reasons(TestCluster cluster) =>
        [.. cluster.Store.List(ResourceTypes.Events).Select(each => $"{each.Text("type")} {each.Text("reason")} {each.Text("message")}")];
}
