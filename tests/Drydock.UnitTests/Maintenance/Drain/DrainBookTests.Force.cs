using Drydock.Maintenance;
using Drydock.Maintenance.Drain;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance.Drain;

/// <content>What is deleted by force, what is not, and when that is over.</content>
public sealed partial class DrainBookTests
{
    [Fact]
    public void What_a_rule_refuses_is_not_deleted_by_force_and_is_told_apart_from_what_may_still_go()
    {
        var state = new DrainState { IsForced = true, Pods = [Pod(0) with { Denied = "local-storage" }, Pod(1) with { Waits = true }] };

        DrainBook.Forced(state, Now).Single().Single().Uid.ShouldBe("u1");
        DrainBook.IsDeniedOnly(state).ShouldBeFalse();
        DrainBook.IsDeniedOnly(state with { Pods = [state.Pods[0], state.Pods[1] with { GoneAt = Now }] }).ShouldBeTrue();
        DrainBook.IsDeniedOnly(state with { Pods = [] }).ShouldBeFalse();
    }

    [Fact]
    public void What_not_even_force_could_delete_is_asked_for_again_after_ten_seconds_whatever_its_rule()
    {
        var state = new DrainState { IsForced = true, Pods = [Pod(0) with { Waits = true }, Pod(1)] };
        state = DrainBook.Tried(
            state, new PodsEvicted(Verdict.Done, [], [new("u0", "webhook-denied", "no", null, null), new("u1", "webhook-denied", "no", null, null)]), isForced: true, Now);

        DrainBook.Forced(state, Now.AddSeconds(9)).ShouldBeEmpty();
        DrainBook.NextForced(state, Now).ShouldBe(Now.AddSeconds(10));
        DrainBook.Forced(state, Now.AddSeconds(10)).Count.ShouldBe(2);
    }

    [Fact]
    public void A_pod_whose_own_deadline_has_passed_is_forced_alone()
    {
        var state = new DrainState { Pods = [Pod(0) with { Deadline = Now }, Pod(1) with { Deadline = Now.AddSeconds(1) }, Pod(2) with { Deadline = Now, IsLeaving = true }] };

        DrainBook.Forced(state, Now).Single().Single().Uid.ShouldBe("u0");
        DrainBook.Forced(state with { IsForced = true }, Now).Count.ShouldBe(2);
    }

    [Fact]
    public void A_pods_own_time_begins_with_its_turn_and_force_takes_only_those_whose_turn_it_is()
    {
        var policy = Policy with { OnTimeout = DeadlinePolicy.Force, PodTimeout = TimeSpan.FromMinutes(5) };
        var state = DrainBook.Seen(new DrainState(), Sight(Now, 0, Pod(0) with { Waits = true }, Pod(1) with { Order = 1 }), policy);
        state.Pods.Select(pod => pod.Deadline).ShouldBe([Now.AddMinutes(5), null]);
        DrainBook.Forced(state with { IsForced = true }, Now).Single().Single().Uid.ShouldBe("u0");

        state = DrainBook.Seen(state, Sight(Now.AddMinutes(7), 0) with { Gone = ["u0"] }, policy);

        state.Pods[1].Deadline.ShouldBe(Now.AddMinutes(12));
        DrainBook.Forced(state, Now.AddMinutes(11)).ShouldBeEmpty();
        DrainBook.Forced(state, Now.AddMinutes(12)).Single().Single().Uid.ShouldBe("u1");
    }

    [Fact]
    public void Only_what_nothing_can_make_go_counts_as_stuck()
    {
        var stuck = new DrainState { Pods = [Pod(0) with { IsLeaving = true, Stuck = "its kubelet does not answer" }, Pod(1) with { Denied = "local-storage" }], Attached = ["csi-1"] };

        DrainBook.IsStuckOnly(stuck).ShouldBeTrue();
        DrainBook.IsStuckOnly(stuck with { Launchers = 1 }).ShouldBeFalse();
        DrainBook.IsStuckOnly(stuck with { Pods = [.. stuck.Pods, Pod(2) with { IsLeaving = true }] }).ShouldBeFalse();
    }

    [Fact]
    public void What_is_late_or_refused_is_not_waited_for_when_force_ends_and_keeps_none_of_a_higher_order()
    {
        var stuck = Pod(0) with { IsLeaving = true, Stuck = "its kubelet does not answer" };
        var state = new DrainState { IsForced = true, Pods = [stuck, Pod(1) with { Denied = "local-storage" }, Pod(2) with { Order = 10, HeldBy = "forbidden", WasForced = true }] };

        DrainBook.Forced(state, Now).Single().Single().Uid.ShouldBe("u2");
        DrainBook.Forced(state, Now, passesStuck: false).ShouldBeEmpty();
        DrainBook.Forced(state with { Pods = [.. state.Pods, Pod(3) with { IsLeaving = true }] }, Now).ShouldBeEmpty("its turn ends when that has gone");
        DrainBook.IsGoing(state, Now, waitsForTries: true).ShouldBeFalse();
        DrainBook.IsGoing(state with { Pods = [.. state.Pods, Pod(3) with { Order = 10 }] }, Now, waitsForTries: true).ShouldBeTrue("it was not deleted yet");
        DrainBook.IsGoing(state with { Pods = [.. state.Pods, Pod(3) with { IsLeaving = true }] }, Now, waitsForTries: true).ShouldBeTrue();
        DrainBook.IsGoing(state with { Pods = [.. state.Pods, Pod(3) with { IsLeaving = true, Arrival = 3 }] }, Now, waitsForTries: true).ShouldBeFalse("it comes back");
    }

    [Fact]
    public void A_machine_whose_end_is_waited_for_is_not_deleted_by_force_and_keeps_none_of_a_higher_order()
    {
        var machine = Pod(0) with { Waits = true, IsLauncher = true, IsOfMachine = true, Deadline = Now };
        var state = new DrainState { IsForced = true, Pods = [machine, Pod(1) with { Order = 10 }] };

        DrainBook.Forced(state, Now).Single().Single().Uid.ShouldBe("u1");
        DrainBook.Forced(state with { IsForced = false }, Now).ShouldBeEmpty("nor when its own time is over");
        DrainBook.IsGoing(state with { Pods = [machine] }, Now, waitsForTries: true).ShouldBeFalse();
        DrainBook.Forced(state with { Pods = [machine with { IsOfMachine = false }] }, Now).ShouldHaveSingleItem("a drain that began before this goes on as it did");
    }

    [Fact]
    public void A_machine_is_waited_for_when_force_ends_if_somebody_moves_it_and_not_for_ever()
    {
        var state = new DrainState { IsForced = true, Launchers = 1, Vms = [new("vms", "db")] };

        DrainBook.IsGoing(state, Now, waitsForTries: true).ShouldBeTrue();
        DrainBook.IsGoing(state, Now, waitsForTries: false).ShouldBeFalse();
        DrainBook.IsGoing(state with { NewVms = state.Vms }, Now, waitsForTries: true).ShouldBeFalse("its turn has not come");
    }
}
