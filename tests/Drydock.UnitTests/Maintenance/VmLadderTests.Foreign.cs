using Drydock.Maintenance;
using Drydock.Maintenance.VirtualMachines;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <content>Machines that are not here yet, or not any more, or that somebody else ends.</content>
public sealed partial class VmLadderTests
{
    [Theory]
    [InlineData(StuckVmPolicy.Wait)]
    [InlineData(StuckVmPolicy.ShutDown)]
    [InlineData(StuckVmPolicy.Skip)]
    [InlineData(StuckVmPolicy.Fail)]
    public void One_that_still_starts_is_waited_for_whatever_the_policy_does_with_those_that_cannot_migrate(StuckVmPolicy policy)
    {
        var starting = OnNode() with { Instance = new ObservedInstance("vmi", null, "Scheduling", "LiveMigrate", false) { IsStarting = true } };

        var wait = VmLadder.Decide(starting, Untouched, Node, Policy with { OnNotMigratable = policy }, Now).ShouldBeOfType<VmStep.Wait>();

        wait.Message.ShouldBe("It is still starting (Scheduling): whether it can migrate is known when it runs.");
        wait.Blocker.ShouldBeNull();
        wait.Until.ShouldBe(Now + Policy.RestartTimeout);
        var late = wait.State with { ClockSince = Now - Policy.RestartTimeout };
        VmLadder.Decide(starting, late, Node, Policy with { OnNotMigratable = StuckVmPolicy.ShutDown }, Now).ShouldBeOfType<VmStep.Stop>();
    }

    [Fact]
    public void One_that_is_on_no_node_has_not_migrated() =>
        Decide(OnNode() with { Launcher = null, Instance = new ObservedInstance("vmi", null, "Scheduling", "None", false) { IsStarting = true } }, Untouched)
            .ShouldBeOfType<VmStep.Wait>();

    [Theory]
    [InlineData(StuckVmPolicy.Wait)]
    [InlineData(StuckVmPolicy.ShutDown)]
    [InlineData(StuckVmPolicy.Skip)]
    [InlineData(StuckVmPolicy.Fail)]
    public void One_that_runs_elsewhere_is_left_alone_and_its_pod_here_is_told_when_it_stays(StuckVmPolicy policy)
    {
        var seen = OnNode(migratable: false);
        seen = seen with { Instance = seen.Instance! with { Node = "node-2" } };
        var tried = Untouched with { Attempts = Policy.MaxAttempts };

        var wait = VmLadder.Decide(seen, tried, Node, Policy with { OnStuck = policy, OnNotMigratable = policy }, Now).ShouldBeOfType<VmStep.Wait>();
        var late = VmLadder.Decide(seen, wait.State with { ClockSince = Now - TimeSpan.FromMinutes(1) }, Node, Policy with { OnStuck = policy }, Now)
            .ShouldBeOfType<VmStep.Wait>();

        (wait.Blocker, wait.Until).ShouldBe((null, Now + TimeSpan.FromMinutes(1)));
        wait.Message.ShouldBe("It runs on node-2, and its launcher pod here has not ended.");
        (late.Blocker, late.LookAt).ShouldBe(("stuck-terminating", "pod/vms/virt-launcher-one"));
        late.NextStep.ShouldNotBeNull().ShouldContain("kubectl delete pod -n vms virt-launcher-one");
    }

    [Fact]
    public void One_that_somebody_stops_is_waited_for_and_is_down_when_it_is_down()
    {
        var going = OnNode() with { Machine = new("Halted", "Stopping") };

        Decide(going, Untouched).ShouldBeOfType<VmStep.Wait>().Progress.ShouldBe(VmProgress.Stopping);
        Decide(new VmObservation(Now) { LeavesForeign = true, Machine = new("Halted", "Stopped") }, Untouched with { WasEnded = true })
            .ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.StaysDown);
    }

    [Fact]
    public void One_that_somebody_ended_is_followed_until_it_runs_elsewhere()
    {
        var ending = OnNode() with { Launcher = OnNode().Launcher! with { IsTerminating = true } };

        var state = Decide(ending, Untouched).ShouldBeOfType<VmStep.Wait>().State;
        var between = Decide(new VmObservation(Now) { LeavesForeign = true, Machine = new("Always", "Starting") }, state).ShouldBeOfType<VmStep.Wait>();

        state.WasEnded.ShouldBeTrue();
        between.Blocker.ShouldBe("vm-pending-after-restart");
        Decide(Elsewhere("vmi-2", "Running"), between.State).ShouldBeOfType<VmStep.Done>().Outcome.ShouldBe(VmOutcome.RestartedElsewhere);
        Decide(new VmObservation(Now) { LeavesForeign = true, Machine = new("Always", "Starting") }, new VmLadderState()).ShouldBeOfType<VmStep.Done>()
            .Outcome.ShouldBe(VmOutcome.AlreadyGone, "it was gone at the first look");
    }

    [Fact]
    public void One_that_its_owner_stops_or_deletes_while_it_is_down_is_not_waited_for()
    {
        var down = Asked with { IsShuttingDown = true, GoneSince = Now - TimeSpan.FromMinutes(1) };

        Decide(new VmObservation(Now) { LeavesForeign = true, Machine = new("Halted", "Stopped") }, down).ShouldBeOfType<VmStep.Done>().ShouldSatisfyAllConditions(
            done => done.Outcome.ShouldBe(VmOutcome.StaysDown), done => done.Message.ShouldContain("somebody gave it run strategy Halted meanwhile"));
        Decide(new VmObservation(Now) { LeavesForeign = true }, down).ShouldBeOfType<VmStep.Done>().ShouldSatisfyAllConditions(
            done => done.Outcome.ShouldBe(VmOutcome.StaysDown), done => done.Message.ShouldContain("was deleted meanwhile"));
    }

    [Fact]
    public void One_that_its_owner_stops_while_its_eviction_shuts_it_down_is_not_started_again()
    {
        var evicted = Asked with { RunStrategy = "RerunOnFailure", IsShuttingDown = true, NeedsStart = true };
        var going = OnNode() with { Machine = new("RerunOnFailure", "Stopping") { IsStopAsked = true } };

        var state = Decide(going, evicted).ShouldBeOfType<VmStep.Wait>().State;

        Decide(new VmObservation(Now) { LeavesForeign = true, Machine = new("RerunOnFailure", "Stopped") }, state).ShouldBeOfType<VmStep.Done>().ShouldSatisfyAllConditions(
            done => done.Outcome.ShouldBe(VmOutcome.StaysDown), done => done.Message.ShouldContain("somebody stopped it meanwhile"));
        Decide(new VmObservation(Now) { LeavesForeign = true, Machine = new("RerunOnFailure", "Stopped") }, evicted).ShouldBeOfType<VmStep.Start>();
    }

    [Fact]
    public void What_an_older_program_has_seen_is_decided_as_it_was_then()
    {
        var elsewhere = OnNode() with { LeavesForeign = false, Instance = OnNode().Instance! with { Node = "node-2" } };

        Decide(elsewhere, Untouched).ShouldBeOfType<VmStep.EvictLauncher>();
        Decide(OnNode() with { LeavesForeign = false, Machine = new("Halted", "Stopping") }, Untouched).ShouldBeOfType<VmStep.EvictLauncher>();
    }

    [Fact]
    public void The_time_of_an_external_actor_stands_still_while_a_migration_of_his_runs_and_does_not_begin_anew()
    {
        var marked = OnNode();
        marked = marked with { Instance = marked.Instance! with { Strategy = "External", EvacuationNode = Node } };
        var begun = Now;
        var state = Decide(marked, Asked).ShouldBeOfType<VmStep.Wait>().State;

        At(marked with { Migration = Migration("Running") }, 20);
        At(marked with { Migration = Migration("Running") }, 25);
        At(marked with { Migration = Migration("Failed") }, 30).Until.ShouldBe(begun + Policy.ExternalTimeout + TimeSpan.FromMinutes(10));
        At(marked with { Migration = Migration("Failed") }, 31).Until.ShouldBe(begun + Policy.ExternalTimeout + TimeSpan.FromMinutes(10));

        VmStep.Wait At(VmObservation seen, int minute)
        {
            var wait = VmLadder.Decide(seen, state, Node, Policy, begun + TimeSpan.FromMinutes(minute)).ShouldBeOfType<VmStep.Wait>();
            state = wait.State;
            return wait;
        }
    }

    [Theory]
    [InlineData("Manual", "Halted", true)]
    [InlineData("RerunOnFailure", "Halted", false)]
    [InlineData("Always", "Halted", false)]
    [InlineData("Always", "Manual", true)]
    public void What_somebody_made_of_a_machine_meanwhile_holds(string prior, string now, bool isTheirs) =>
        new VmPrior(Node, prior, null).NextUndo(new(new("vms", "one"), "vm", "1") { RunStrategy = now }, null).WasChanged.ShouldBe(isTheirs);
}
