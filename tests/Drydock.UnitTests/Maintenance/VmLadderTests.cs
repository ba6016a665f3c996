using Drydock.Maintenance;
using Drydock.Maintenance.VirtualMachines;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>The ladder of one virtual machine, rung by rung.</summary>
public sealed partial class VmLadderTests
{
    private const string Node = "node-1";

    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private const string NoNode = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.";

    private static readonly VirtualMachinePolicy Policy = new();

    private static readonly VmLadderState Untouched = new() { OriginalUid = "vmi", RunStrategy = "Always" };

    private static readonly VmLadderState Asked = Untouched with { AskedAt = Now - TimeSpan.FromSeconds(1), Asked = 1 };

    [Fact]
    public void A_machine_that_can_migrate_is_evicted_so_that_KubeVirt_migrates_it() =>
        Decide(OnNode(), Untouched).ShouldBeOfType<VmStep.EvictLauncher>().Why.ShouldBe("so that KubeVirt migrates it");

    [Fact]
    public void A_machine_behind_others_is_queued_and_its_clock_stands_still()
    {
        var running = Asked with { ClockFor = "m/pending", ClockSince = Now - TimeSpan.FromHours(1) };

        var wait = Decide(OnNode() with { Migration = Migration("Pending"), HasFreeSlot = false, Ahead = ["vms/two"] }, running)
            .ShouldBeOfType<VmStep.Wait>();

        wait.Progress.ShouldBe(VmProgress.Queued);
        wait.Message.ShouldBe("Queued behind vms/two.");
        wait.State.ClockSince.ShouldBeNull();
    }

    [Fact]
    public void Pending_with_a_free_slot_is_aborted_when_its_time_is_over_and_not_before()
    {
        var seen = OnNode() with { Migration = Migration("Pending") };
        var almost = Asked with { ClockFor = "m/pending", ClockSince = Now - Policy.PendingTimeout + TimeSpan.FromSeconds(1) };
        var over = almost with { ClockSince = Now - Policy.PendingTimeout };

        Decide(seen, almost).ShouldBeOfType<VmStep.Wait>().Message.ShouldBe("Pending without a reason: see virt-controller's log.");
        Decide(seen, over).ShouldBeOfType<VmStep.Abort>().MigrationUid.ShouldBe("m");
    }

    [Fact]
    public void Scheduling_too_long_is_aborted_with_the_schedulers_sentence()
    {
        var seen = OnNode() with { Migration = Migration("Scheduling", since: Now - Policy.SchedulingTimeout), Unschedulable = NoNode };

        Decide(seen, Asked).ShouldBeOfType<VmStep.Abort>().Why.ShouldContain(NoNode);
    }

    [Fact]
    public void A_target_pod_that_only_starts_is_no_blocker_and_is_looked_at_again_soon()
    {
        var wait = Decide(OnNode() with { Migration = Migration("Scheduling", Now) }, Asked).ShouldBeOfType<VmStep.Wait>();

        wait.Blocker.ShouldBeNull();
        wait.Until.ShouldBe(Now + TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void Behind_a_holder_that_is_stuck_it_says_so_and_is_still_not_retried()
    {
        var seen = OnNode() with
        {
            Migration = Migration("Pending", Now - TimeSpan.FromHours(2)),
            HasFreeSlot = false,
            Ahead = ["vms/two"],
            AheadIsStuck = "vms/two is in Scheduling since 2026-01-02 03:00:00Z.",
        };

        Decide(seen, Asked).ShouldBeOfType<VmStep.Wait>().Message
            .ShouldBe("Queued behind vms/two. vms/two is in Scheduling since 2026-01-02 03:00:00Z.");
    }

    [Fact]
    public void Pending_with_a_free_slot_tells_the_condition_or_event_there_is() =>
        Decide(OnNode() with { Migration = Migration("Pending"), PendingReason = "backoff migrating vmi vms/one (MigrationBackoff)." }, Asked)
            .ShouldBeOfType<VmStep.Wait>().Message.ShouldBe("Its migration is Pending: backoff migrating vmi vms/one (MigrationBackoff).");

    [Fact]
    public void An_abort_that_does_not_end_is_waited_for_two_minutes_and_then_the_policy_decides()
    {
        var aborting = OnNode() with { Migration = Migration("PreparingTarget") with { IsBeingDeleted = true, TargetNode = "node-2" } };
        var since = Untouched with { Attempts = Policy.MaxAttempts, ClockFor = "m/aborting", ClockSince = Now - TimeSpan.FromMinutes(2) };

        Decide(aborting, Untouched).ShouldBeOfType<VmStep.Wait>().Until.ShouldBe(Now + TimeSpan.FromMinutes(2));
        Decide(aborting, since).ShouldBeOfType<VmStep.Wait>().Blocker.ShouldBe("migration-abort-hangs");
        VmLadder.Decide(aborting, since, Node, Policy with { OnStuck = StuckVmPolicy.ShutDown }, Now).ShouldBeOfType<VmStep.Stop>();
    }

    [Fact]
    public void After_a_target_failed_another_one_is_asked_for_and_when_all_failed_none()
    {
        var failed = Untouched with { Attempts = 1, FailedTargets = ["node-2"] };
        var seen = OnNode() with { Targets = [new("node-2", "node-2"), new("node-3", "host-3")] };

        Decide(seen, failed).ShouldBeOfType<VmStep.MigrateTo>().Target.ShouldBe(new ObservedTarget("node-3", "host-3"));
        Decide(seen, failed with { FailedTargets = ["node-2", "node-3"] }).ShouldBeOfType<VmStep.EvictLauncher>();
        Decide(seen with { Machine = null }, failed).ShouldBeOfType<VmStep.EvictLauncher>();
    }

    [Fact]
    public void Our_own_limit_holds_back_what_would_migrate_and_nothing_else()
    {
        var held = OnNode() with { InboundHold = "Node node-2 has 2 inbound migrations." };

        Decide(held, Untouched).ShouldBeOfType<VmStep.Wait>().Progress.ShouldBe(VmProgress.Queued);
        Decide(held with { Instance = held.Instance! with { Strategy = "None", IsLiveMigratable = false } }, Untouched)
            .ShouldBeOfType<VmStep.EvictLauncher>();
    }

    [Theory]
    [InlineData("Always", typeof(VmStep.Stop))]
    [InlineData("Once", typeof(VmStep.Stop))]
    [InlineData("WaitAsReceiver", typeof(VmStep.Wait))]
    public void A_machine_that_nothing_would_start_again_is_not_stopped(string strategy, Type step) =>
        VmLadder.Decide(
            OnNode(migratable: false) with { Machine = new(strategy, "Running") }, Untouched with { RunStrategy = strategy }, Node,
            Policy with { OnNotMigratable = StuckVmPolicy.ShutDown }, Now).ShouldBeOfType(step);

    [Fact]
    public void A_machine_with_both_keys_is_not_touched_and_the_reason_is_KubeVirts() =>
        VmLadder.Decide(
            OnNode(migratable: false) with { Machine = new("Always", "Running") { HasBothKeys = true } }, Untouched, Node,
            Policy with { OnNotMigratable = StuckVmPolicy.ShutDown }, Now).ShouldBeOfType<VmStep.Wait>()
            .Message.ShouldContain("Running and RunStrategy are both set");

    [Fact]
    public void An_instance_of_a_replica_set_is_deleted_and_made_again() =>
        VmLadder.Decide(
            OnNode(migratable: false) with { Machine = null }, Untouched with { RunStrategy = null, OtherOwner = "VirtualMachineInstanceReplicaSet" },
            Node, Policy with { OnNotMigratable = StuckVmPolicy.ShutDown }, Now)
            .ShouldBeOfType<VmStep.DeleteInstance>().Why.ShouldContain("its VirtualMachineInstanceReplicaSet makes another");

    [Fact]
    public void A_stop_is_forced_at_its_deadline_and_then_only_told()
    {
        var stopping = Untouched with { IsStopped = true, StopDeadline = Now };

        Decide(OnNode(), stopping with { StopDeadline = Now.AddSeconds(1) }).ShouldBeOfType<VmStep.Wait>().Until.ShouldBe(Now.AddSeconds(1));
        Decide(OnNode(), stopping).ShouldBeOfType<VmStep.ForceStop>();
        Decide(OnNode(), stopping with { IsForced = true }).ShouldBeOfType<VmStep.Wait>().Blocker.ShouldBe("vm-does-not-stop");
    }

    [Fact]
    public void A_refused_eviction_is_not_asked_for_again_before_its_time_whatever_happens_to_the_machine()
    {
        var throttled = Untouched with { Refusal = new("throttled", "Too many requests.", null, Now.AddSeconds(45)) { MustWait = true } };

        Decide(OnNode(), throttled).ShouldBeOfType<VmStep.Wait>().ShouldSatisfyAllConditions(
            wait => wait.Blocker.ShouldBe("throttled"),
            wait => wait.Message.ShouldBe("Too many requests."),
            wait => wait.Until.ShouldBe(Now.AddSeconds(45)));
        Decide(OnNode(), throttled with { Refusal = throttled.Refusal with { Until = Now } }).ShouldBeOfType<VmStep.EvictLauncher>();
        Decide(Elsewhere("vmi", "Running"), throttled).ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.Migrated);
    }

    [Theory]
    [InlineData("budget-exhausted", "v2", true, false, typeof(VmStep.EvictLauncher))]
    [InlineData("budget-exhausted", "v2", false, false, typeof(VmStep.Wait))]
    [InlineData("budget-exhausted", "v1", true, false, typeof(VmStep.Wait))]
    [InlineData("budget-not-observed", "v2", true, true, typeof(VmStep.Wait))]
    [InlineData("webhook-denied", "v2", true, false, typeof(VmStep.Wait))]
    public void A_budget_that_frees_up_ends_the_wait_unless_the_server_named_a_time(string kind, string version, bool isFree, bool mustWait, Type step)
    {
        var refused = Untouched with
        {
            Refusal = new(kind, "No.", "poddisruptionbudget/vms/all", Now.AddSeconds(10)) { BudgetVersion = "v1", MustWait = mustWait },
        };
        var seen = OnNode();
        seen = seen with { Launcher = seen.Launcher! with { Budget = new("vms/all", version, isFree) } };

        var next = Decide(seen, refused);

        next.ShouldBeOfType(step);
        (next as VmStep.Wait)?.LookAt.ShouldBe("poddisruptionbudget/vms/all");
    }

    [Fact]
    public void A_launcher_that_goes_is_looked_at_again_when_it_is_late_and_is_a_blocker_from_then_on()
    {
        var evicted = Untouched with { IsShuttingDown = true };
        var going = OnNode() with { Launcher = new(new("vms", "virt-launcher-one"), "pod", true) { LateAt = Now.AddSeconds(90) } };
        const string Why = "It should have been gone at 2026-01-02 03:03:00Z; the kubelet of its node has not ended it.";
        var late = going with { Launcher = going.Launcher! with { LateAt = Now, Stuck = Why } };

        Decide(going, evicted).ShouldBeOfType<VmStep.Wait>().ShouldSatisfyAllConditions(
            wait => wait.Blocker.ShouldBeNull(), wait => wait.Until.ShouldBe(Now.AddSeconds(90)));
        Decide(late, evicted).ShouldBeOfType<VmStep.Wait>().ShouldSatisfyAllConditions(
            wait => wait.Blocker.ShouldBe("stuck-terminating"),
            wait => wait.Message.ShouldBe("Its launcher pod does not end. " + Why),
            wait => wait.NextStep.ShouldNotBeNull().ShouldContain("the kubelet of its node"));
        Decide(late, Untouched with { IsStopped = true, IsForced = true, StopDeadline = Now }).ShouldBeOfType<VmStep.Wait>().ShouldSatisfyAllConditions(
            wait => wait.Blocker.ShouldBe("vm-does-not-stop"), wait => wait.Message.ShouldEndWith(Why));
        late.Fingerprint().ShouldNotBe(going.Fingerprint());
    }

    [Theory]
    [InlineData(StuckVmPolicy.Wait, typeof(VmStep.Wait))]
    [InlineData(StuckVmPolicy.ShutDown, typeof(VmStep.Stop))]
    [InlineData(StuckVmPolicy.Skip, typeof(VmStep.Done))]
    [InlineData(StuckVmPolicy.Fail, typeof(VmStep.Failed))]
    public void An_external_actor_has_a_deadline_and_then_the_policy_decides(StuckVmPolicy policy, Type step)
    {
        var marked = OnNode();
        marked = marked with { Instance = marked.Instance! with { Strategy = "External", EvacuationNode = Node } };
        var late = Asked with { ClockFor = "vmi/external", ClockSince = Now - Policy.ExternalTimeout };

        VmLadder.Decide(marked, late, Node, Policy with { OnStuck = policy }, Now).ShouldBeOfType(step);
        VmLadder.Decide(marked, late with { ClockSince = Now }, Node, Policy with { OnStuck = policy }, Now)
            .ShouldBeOfType<VmStep.Wait>().Until.ShouldBe(Now + Policy.ExternalTimeout);
    }

    [Fact]
    public void A_KubeVirt_that_cannot_take_an_evacuation_back_is_named()
    {
        var tried = Untouched with { Attempts = Policy.MaxAttempts, RetryAt = Now.AddMinutes(5), CannotWithdraw = true };

        Decide(OnNode(), tried).ShouldBeOfType<VmStep.Wait>().Message.ShouldContain("no evacuate/cancel (before 1.7)");
    }

    [Fact]
    public void Scheduling_in_time_is_told_as_a_blocker_with_its_deadline()
    {
        var since = Now - TimeSpan.FromMinutes(1);

        var wait = Decide(OnNode() with { Migration = Migration("Scheduling", since), Unschedulable = NoNode }, Asked).ShouldBeOfType<VmStep.Wait>();

        wait.Blocker.ShouldBe("migration-scheduling");
        wait.Message.ShouldBe("Its migration waits for a node that can take it: " + NoNode);
        wait.Until.ShouldBe(since + Policy.SchedulingTimeout);
    }

    [Fact]
    public void A_migration_that_KubeVirt_failed_is_counted_once()
    {
        var seen = OnNode() with { Migration = Migration("Failed", Now) };
        var marked = seen with { Instance = seen.Instance! with { EvacuationNode = Node } };

        Decide(marked, Asked).ShouldBeOfType<VmStep.Count>();
        Decide(marked, Asked with { CountedMigration = "m", Attempts = 1 }).ShouldBeOfType<VmStep.Wait>();
        Decide(seen, Asked).ShouldBeOfType<VmStep.Abort>("KubeVirt makes no other: the next is ours to ask for");
    }

    [Fact]
    public void The_last_allowed_failure_withdraws_the_evacuation() =>
        Decide(OnNode() with { Migration = Migration("Failed", Now) }, Asked with { Attempts = Policy.MaxAttempts - 1 })
            .ShouldBeOfType<VmStep.Abort>();

    [Theory]
    [InlineData(StuckVmPolicy.ShutDown, typeof(VmStep.Stop))]
    [InlineData(StuckVmPolicy.Fail, typeof(VmStep.Failed))]
    [InlineData(StuckVmPolicy.Wait, typeof(VmStep.Wait))]
    [InlineData(StuckVmPolicy.Skip, typeof(VmStep.Done))]
    public void After_the_last_attempt_the_policy_decides(StuckVmPolicy policy, Type step)
    {
        var tried = Untouched with { Attempts = Policy.MaxAttempts, RetryAt = Now + TimeSpan.FromMinutes(5) };

        VmLadder.Decide(OnNode(), tried, Node, Policy with { OnStuck = policy }, Now).ShouldBeOfType(step);
    }

    [Theory]
    [InlineData(StuckVmPolicy.ShutDown, typeof(VmStep.Stop))]
    [InlineData(StuckVmPolicy.Fail, typeof(VmStep.Failed))]
    [InlineData(StuckVmPolicy.Wait, typeof(VmStep.Wait))]
    public void A_machine_that_cannot_migrate_is_never_evicted_the_policy_decides(StuckVmPolicy policy, Type step) =>
        VmLadder.Decide(OnNode(migratable: false), Untouched, Node, Policy with { OnNotMigratable = policy }, Now).ShouldBeOfType(step);

    [Fact]
    public void A_bare_instance_is_never_stopped_since_that_would_delete_it() =>
        VmLadder.Decide(
            OnNode(migratable: false) with { Machine = null }, Untouched with { RunStrategy = null }, Node,
            Policy with { OnNotMigratable = StuckVmPolicy.ShutDown }, Now).ShouldBeOfType<VmStep.Wait>().Message.ShouldContain("delete it for good");

    [Fact]
    public void The_same_instance_on_another_node_has_migrated() =>
        Decide(Elsewhere("vmi", "Running"), Asked).ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.Migrated);

    [Fact]
    public void Another_instance_that_runs_elsewhere_was_restarted() =>
        Decide(Elsewhere("vmi-2", "Running"), Asked with { IsShuttingDown = true }).ShouldBeOfType<VmStep.Done>()
            .Outcome.ShouldBe(VmOutcome.RestartedElsewhere);

    [Fact]
    public void A_restarted_machine_that_stays_Pending_is_a_blocker_and_then_what_the_policy_says()
    {
        var gone = Asked with { IsShuttingDown = true };
        var seen = Elsewhere("vmi-2", "Scheduling") with { Unschedulable = "0/3 nodes are available" };

        var wait = Decide(seen, gone).ShouldBeOfType<VmStep.Wait>();
        wait.Blocker.ShouldBe("vm-pending-after-restart");
        wait.Message.ShouldContain("0/3 nodes are available");

        var late = gone with { GoneSince = Now - Policy.RestartTimeout };
        Decide(seen, late).ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.NotRunningAgain);
        VmLadder.Decide(seen, late, Node, Policy with { OnRestartTimeout = StuckVmPolicy.Fail }, Now).ShouldBeOfType<VmStep.Failed>();
    }

    [Theory]
    [InlineData("Manual")]
    [InlineData("Once")]
    public void A_machine_that_does_not_come_back_by_itself_stays_down(string strategy) =>
        Decide(new VmObservation(Now) { Machine = new(strategy, "Stopped") }, Asked with { RunStrategy = strategy, IsShuttingDown = true })
            .ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.StaysDown);

    [Fact]
    public void A_machine_that_we_stopped_is_told_as_stopped_when_it_is_down() =>
        Decide(new VmObservation(Now) { Machine = new("Halted", "Stopped") }, Untouched with { IsStopped = true })
            .ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.Stopped);

    [Fact]
    public void External_is_evicted_once_to_mark_it_and_then_waits()
    {
        var external = OnNode();
        external = external with { Instance = external.Instance! with { Strategy = "External" } };
        Decide(external, Untouched).ShouldBeOfType<VmStep.EvictLauncher>();

        var marked = external with { Instance = external.Instance! with { EvacuationNode = Node } };
        Decide(marked, Asked).ShouldBeOfType<VmStep.Wait>().Blocker.ShouldBe("vm-external");
    }

    [Fact]
    public void The_pause_between_attempts_doubles_and_ends_at_five_minutes()
    {
        VmLadder.Pause(Policy, 1).ShouldBe(TimeSpan.FromSeconds(20));
        VmLadder.Pause(Policy, 2).ShouldBe(TimeSpan.FromSeconds(40));
        VmLadder.Pause(Policy, 3).ShouldBe(TimeSpan.FromMinutes(5));
    }

    private static VmStep Decide(VmObservation seen, VmLadderState state) => VmLadder.Decide(seen, state, Node, Policy, Now);

    private static VmObservation OnNode(bool migratable = true) => new(Now)
    {
        LeavesForeign = true,
        Instance = new ObservedInstance("vmi", Node, "Running", "LiveMigrate", migratable) { WhyNot = "DisksNotLiveMigratable: disk" },
        Launcher = new ObservedLauncher(new("vms", "virt-launcher-one"), "pod", false),
        Machine = new ObservedMachine("Always", "Running"),
    };

    private static VmObservation Elsewhere(string uid, string phase) => new(Now)
    {
        LeavesForeign = true,
        Instance = new ObservedInstance(uid, phase == "Running" ? "node-2" : null, phase, "LiveMigrate", true),
        Machine = new ObservedMachine("Always", phase),
    };

    private static ObservedMigration Migration(string phase, DateTimeOffset? since = null) => new("m", "m", phase, since ?? Now);
}
