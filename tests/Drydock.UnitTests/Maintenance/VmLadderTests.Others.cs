using Drydock.Maintenance;
using Drydock.Maintenance.VirtualMachines;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <content>What is not ours to end, what is a fact, and what a suspension does to the clocks.</content>
public sealed partial class VmLadderTests
{
    [Theory]
    [InlineData("Pending")]
    [InlineData("Scheduling")]
    [InlineData("Running")]
    public void A_migration_of_whoever_moves_machines_of_strategy_External_is_told_and_never_ended(string phase)
    {
        var others = Migration(phase, Now - TimeSpan.FromHours(9)) with { IsOthers = true };
        var external = OnNode() with { Instance = OnNode().Instance! with { Strategy = "External", EvacuationNode = Node }, Migration = others };

        var told = Decide(external, Asked).ShouldBeOfType<VmStep.Wait>();
        told.Blocker.ShouldBe("migration-of-others");
        told.NextStep.ShouldNotBeNull().ShouldEndWith($": kubectl delete virtualmachineinstancemigration -n {external.Launcher!.Pod.Namespace} {others.Name}");
        Decide(external with { Migration = others with { Phase = "Failed", TargetNode = "node-2" } }, Asked).ShouldBeOfType<VmStep.Wait>().Blocker.ShouldBe("vm-external");
        Decide(external with { Migration = others with { IsBeingDeleted = true } }, Asked).ShouldBeOfType<VmStep.Wait>().Blocker.ShouldBe("migration-of-others");
    }

    [Fact]
    public void A_machine_of_strategy_External_is_never_migrated_by_us_and_our_limit_does_not_hold_it()
    {
        var external = OnNode() with
        {
            Instance = OnNode().Instance! with { Strategy = "External" }, Targets = [new("node-3", "host-3")], InboundHold = "Node node-2 has 2 inbound migrations.",
        };

        Decide(external, Untouched with { Attempts = 1, FailedTargets = ["node-2"] }).ShouldBeOfType<VmStep.EvictLauncher>().Why.ShouldBe("so that it is marked for whoever moves it");
    }

    [Fact]
    public void A_machine_that_had_left_before_its_turn_was_not_migrated_by_us()
    {
        var elsewhere = OnNode() with { Launcher = null, Instance = OnNode().Instance! with { Node = "node-2" } };

        Decide(elsewhere, Untouched with { WasElsewhere = true }).ShouldBe(
            new VmStep.Done(VmOutcome.AlreadyGone, "It runs on node-2; it was not on the node when its turn came.", "node-2"));
        Decide(elsewhere, Asked with { WasElsewhere = true }).ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.Migrated, "it came back and was moved");
    }

    [Theory]
    [InlineData(VmOutcome.Migrated, true)]
    [InlineData(VmOutcome.RestartedElsewhere, true)]
    [InlineData(VmOutcome.Stopped, true)]
    [InlineData(VmOutcome.StaysDown, true)]
    [InlineData(VmOutcome.AlreadyGone, true)]
    [InlineData(VmOutcome.NotRunningAgain, false)]
    [InlineData(VmOutcome.Skipped, false)]
    public void While_it_is_suspended_what_is_a_fact_counts_and_no_machine_is_given_up(VmOutcome outcome, bool counts)
    {
        var done = new VmStep.Done(outcome, "so");

        VmLadder.WhileSuspended(done, Asked).ShouldBe(counts ? done : new VmStep.Wait(
            VmProgress.Waiting, "The maintenance is suspended: nothing new is begun for it.", null, null, null, Asked));
        VmLadder.WhileSuspended(new VmStep.Failed(outcome, "so"), Asked).ShouldBeOfType<VmStep.Wait>();
    }

    [Fact]
    public void Once_it_is_resumed_each_deadline_is_as_far_away_as_it_was()
    {
        var (since, at) = (Now, Now + TimeSpan.FromHours(2));
        var before = Asked with
        {
            ClockFor = "m/running", ClockSince = since - TimeSpan.FromMinutes(7), StopDeadline = since + TimeSpan.FromMinutes(3),
            RetryAt = since + TimeSpan.FromMinutes(1), GoneSince = since + TimeSpan.FromMinutes(30),
        };

        before.Resumed(since, at).ShouldBe(before with
        {
            ClockSince = at - TimeSpan.FromMinutes(7), StopDeadline = at + TimeSpan.FromMinutes(3), RetryAt = at + TimeSpan.FromMinutes(1), GoneSince = at,
        });
        Asked.Resumed(since, at).ShouldBe(Asked);
    }

    [Theory]
    [InlineData("None", true)]
    [InlineData("LiveMigrateIfPossible", false)]
    public void A_bare_instance_that_its_eviction_would_end_is_not_evicted_without_force(string strategy, bool isMigratable)
    {
        var bare = OnNode() with { Machine = null, Instance = OnNode().Instance! with { Strategy = strategy, IsLiveMigratable = isMigratable } };
        var state = Untouched with { RunStrategy = null };

        Decide(bare, state).ShouldBeOfType<VmStep.Wait>().Message.ShouldBe(
            $"Its eviction strategy {strategy} would shut it down. It has no VirtualMachine: stopping it would delete it for good.");
        VmLadder.Decide(bare, state, Node, Policy with { OnNotMigratable = StuckVmPolicy.Skip }, Now).ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.Skipped);
        Decide(bare, state with { OtherOwner = "VirtualMachineInstanceReplicaSet" }).ShouldBeOfType<VmStep.EvictLauncher>();
    }

    [Theory]
    [InlineData("RerunOnFailure", "Stopped", null, typeof(VmStep.Start))]
    [InlineData("RerunOnFailure", "Stopped", "Succeeded", typeof(VmStep.Wait))]
    [InlineData("RerunOnFailure", "Starting", "Scheduling", typeof(VmStep.Wait))]
    [InlineData("RerunOnFailure", "Running", "Running", typeof(VmStep.Done))]
    [InlineData("Always", "Stopped", null, typeof(VmStep.Wait))]
    [InlineData("Halted", "Stopped", null, typeof(VmStep.Done))]
    [InlineData("Manual", "Stopped", "Succeeded", typeof(VmStep.Done))]
    [InlineData(null, null, null, typeof(VmStep.Done))]
    public void One_that_KubeVirt_leaves_down_is_started_when_it_is_down_and_nobody_wants_otherwise(string? strategy, string? status, string? phase, Type step)
    {
        var seen = new VmObservation(Now)
        {
            Instance = phase is null ? null : new ObservedInstance("vmi-2", "node-2", phase, "None", true),
            Machine = strategy is null ? null : new ObservedMachine(strategy, status),
        };

        var decided = Decide(seen, Evicted);

        decided.ShouldBeOfType(step);
        (decided as VmStep.Done)?.Outcome.ShouldBe(phase == "Running" ? VmOutcome.RestartedElsewhere : VmOutcome.StaysDown);
        VmLadder.WhileSuspended(decided, Evicted).ShouldBe(decided, "what was shut down is not left down until somebody resumes");
    }

    [Fact]
    public void One_that_was_started_is_waited_for_and_one_whose_start_is_refused_is_given_up_at_the_deadline_with_the_answer()
    {
        var down = new VmObservation(Now) { Machine = new("RerunOnFailure", "Stopped") };
        var since = Now - Policy.RestartTimeout + TimeSpan.FromSeconds(1);
        var refused = Evicted with { GoneSince = since, LastAnswer = "no endpoints available" };

        Decide(down, refused).ShouldBeOfType<VmStep.Start>();
        Decide(down, refused with { IsStarted = true }).ShouldBeOfType<VmStep.Wait>().Until.ShouldBe(since + Policy.RestartTimeout);
        Decide(down, refused with { GoneSince = Now - Policy.RestartTimeout }).ShouldBe(
            new VmStep.Done(VmOutcome.NotRunningAgain, "It was shut down and is not Running after 10m (no endpoints available)."));
    }

    [Fact]
    public void One_whose_move_began_before_we_started_such_stays_down_as_it_was_told_then() =>
        Decide(new VmObservation(Now) { Machine = new("RerunOnFailure", "Stopped") }, Evicted with { NeedsStart = false })
            .ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.StaysDown);

    private static VmLadderState Evicted => Asked with { RunStrategy = "RerunOnFailure", IsShuttingDown = true, NeedsStart = true };

    [Fact]
    public void One_that_another_maintenance_has_marked_is_neither_stopped_nor_evicted_where_that_shuts_it_down()
    {
        var held = new VmHold("drydock/hub/m0", "node-2");
        var marked = OnNode(migratable: false) with { Machine = new("Always", "Running") { Held = held } };
        var shutsDown = OnNode() with { Machine = new("RerunOnFailure", "Running") { Held = held } };
        shutsDown = shutsDown with { Instance = shutsDown.Instance! with { Strategy = "None", NeedsStart = true } };

        foreach (var step in new[] { VmLadder.Decide(marked, Untouched, Node, Policy with { OnNotMigratable = StuckVmPolicy.ShutDown }, Now), Decide(shutsDown, Untouched) })
        {
            step.ShouldBeOfType<VmStep.Wait>().ShouldSatisfyAllConditions(
                static wait => wait.Blocker.ShouldBe("vm-held-by-other"), static wait => wait.NextStep.ShouldNotBeNull().ShouldEndWith("drydock restore node-2"));
        }

        marked.Fingerprint().ShouldNotBe((marked with { Machine = new("Always", "Running") }).Fingerprint());
        Decide(OnNode() with { Machine = new("Always", "Running") { Held = held } }, Untouched).ShouldBeOfType<VmStep.EvictLauncher>("it migrates");
    }

    [Fact]
    public void One_that_we_stopped_is_told_as_stopped_also_where_it_left_in_that_moment() =>
        Decide(Elsewhere("vmi", "Running"), Untouched with { IsStopped = true }).ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.Stopped);

    [Fact]
    public void One_that_waits_for_a_slot_without_a_migration_is_queued_and_its_clock_stands_still()
    {
        var waits = OnNode() with { HasFreeSlot = false, Ahead = ["vms/two"], TellsQueue = true };
        waits = waits with { Instance = waits.Instance! with { EvacuationNode = Node } };

        var wait = Decide(waits, Asked with { ClockFor = "/pending", ClockSince = Now - TimeSpan.FromHours(1) }).ShouldBeOfType<VmStep.Wait>();

        (wait.Progress, wait.Message, wait.State.ClockSince).ShouldBe((VmProgress.Queued, "Queued behind vms/two.", null));
    }

    [Fact]
    public void One_for_which_KubeVirt_makes_no_migration_is_told_as_that()
    {
        var marked = OnNode();
        marked = marked with { Instance = marked.Instance! with { EvacuationNode = Node } };
        var late = Asked with { ClockFor = "/pending", ClockSince = Now - Policy.PendingTimeout };

        Decide(marked, Asked).ShouldBeOfType<VmStep.Wait>().Message.ShouldBe("It is marked, and KubeVirt has made no migration yet: see virt-controller's log.");
        Decide(marked with { PendingReason = "backoff (MigrationBackoff)." }, Asked).ShouldBeOfType<VmStep.Wait>()
            .Message.ShouldBe("It is marked, and KubeVirt has made no migration yet: backoff (MigrationBackoff).");
        Decide(marked, late).ShouldBeOfType<VmStep.Abort>().Why.ShouldBe("KubeVirt has made no migration of it for 5m although a slot is free: no reason is given.");
    }

    [Fact]
    public void Who_is_before_it_in_the_queue_is_news_only_where_it_waits_and_after_a_while()
    {
        var marked = OnNode() with { HasFreeSlot = false, Ahead = ["vms/two"], TellsQueue = true };
        marked = marked with { Instance = marked.Instance! with { EvacuationNode = Node } };
        var external = marked with { Instance = marked.Instance! with { Strategy = "External" } };
        var known = marked.Fingerprint();

        foreach (var next in new[] { marked with { Ahead = ["vms/three"] }, marked with { HasFreeSlot = true, Ahead = [] } })
        {
            next.Fingerprint().ShouldNotBe(known);
            next.DiffersForAMoment(known).ShouldBeTrue();
            (next with { TellsQueue = false }).Fingerprint().ShouldBe((marked with { TellsQueue = false }).Fingerprint(), "as when it was stored");
            (next with { Instance = external.Instance }).Fingerprint().ShouldBe(external.Fingerprint(), "others move it");
            (next with { Migration = Migration("Running") }).Fingerprint().ShouldBe((marked with { Migration = Migration("Running") }).Fingerprint());
        }

        marked.DiffersForAMoment(known).ShouldBeFalse();
        marked.DiffersForAMoment((marked with { HasFreeSlot = true }).Fingerprint()).ShouldBeFalse("a slot that is taken is told at once: the clock stands still");
        (marked with { Migration = Migration("Pending"), HasFreeSlot = true }).DiffersForAMoment(known).ShouldBeFalse();
    }
}
