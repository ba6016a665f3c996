using System.Text.Json;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Drain;
using Drydock.Maintenance.Steering;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance.Drain;

/// <summary>Which pods a drain tries when, and what it tells of the others.</summary>
public sealed partial class DrainBookTests
{
    private const string Budget = "shop/web";

    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static readonly DrainPolicy Policy = new();

    [Fact]
    public void As_many_pods_of_a_budget_are_tried_as_it_allows_and_one_after_the_other()
    {
        var state = Seen(5, allowed: 2);

        Due(state, Now).ShouldHaveSingleItem().Select(pod => pod.Uid).ShouldBe(["u0", "u1"]);
    }

    [Fact]
    public void An_exhausted_budget_is_probed_every_ten_seconds_with_one_pod()
    {
        var state = Seen(5, allowed: 0);

        Due(state, Now).ShouldBeEmpty();
        PodSchedule.NextDue(state.Pods, state.Allowed).ShouldBe(Now.AddSeconds(10));
        Due(state, Now.AddSeconds(10)).ShouldHaveSingleItem().Count.ShouldBe(1);

        state = Tried(state, new PodTry("u0", Answers.BudgetExhausted, "no", "poddisruptionbudget/shop/web", null), Now.AddSeconds(10));
        Due(state, Now.AddSeconds(19)).ShouldBeEmpty();
        Due(state, Now.AddSeconds(20)).Single().Single().Uid.ShouldBe("u1");
    }

    [Fact]
    public void A_held_pod_is_tried_at_once_when_its_budget_rises()
    {
        var state = Seen(5, allowed: 0);

        state = DrainBook.Seen(state, Sight(Now.AddSeconds(3), allowed: 1), Policy);

        Due(state, Now.AddSeconds(3)).ShouldHaveSingleItem().Count.ShouldBe(1);
    }

    [Fact]
    public void A_time_that_the_server_named_is_obeyed_even_if_the_budget_rises()
    {
        var state = Tried(Seen(1, allowed: 1), new PodTry("u0", "budget-not-observed", "…", null, TimeSpan.FromSeconds(10)), Now);

        state = DrainBook.Seen(state, Sight(Now.AddSeconds(3), allowed: 5), Policy);

        Due(state, Now.AddSeconds(9)).ShouldBeEmpty();
        PodSchedule.NextDue(state.Pods, state.Allowed).ShouldBe(Now.AddSeconds(10));
        Due(state, Now.AddSeconds(10)).ShouldNotBeEmpty();
    }

    [Fact]
    public void A_throttled_server_is_left_in_peace_for_as_long_as_it_asks() =>
        Tried(Seen(3, allowed: 3), new PodTry("u0", Answers.Throttled, "busy", null, TimeSpan.FromSeconds(7)), Now)
            .ThrottledUntil.ShouldBe(Now.AddSeconds(7));

    [Fact]
    public void Pods_of_a_higher_order_wait_until_those_of_a_lower_order_are_gone()
    {
        var state = new DrainState { Pods = [Pod(0) with { Order = 5 }, Pod(1), Pod(2) with { Order = -1 }] };
        Due(state, Now).Single().Single().Uid.ShouldBe("u2");

        state = state with { Pods = [state.Pods[0], state.Pods[1], state.Pods[2] with { IsLeaving = true }] };
        Due(state, Now).ShouldBeEmpty();

        state = state with { Pods = [state.Pods[0], state.Pods[1], state.Pods[2] with { GoneAt = Now }] };
        Due(state, Now).Single().Single().Uid.ShouldBe("u1");
    }

    [Fact]
    public void Pods_that_leave_last_wait_for_those_that_are_waited_for_or_refused_and_for_virtual_machines()
    {
        PodEntry last = Pod(0) with { Order = 1 };

        PodSchedule.Due([last, Pod(1) with { Waits = true }], new Dictionary<string, int>(), Now).ShouldBeEmpty();
        PodSchedule.Due([last, Pod(1) with { Denied = "unmanaged" }], new Dictionary<string, int>(), Now).ShouldBeEmpty();
        PodSchedule.Due([last], new Dictionary<string, int>(), Now, machines: 0).ShouldBeEmpty();
        PodSchedule.Due([last with { Order = 0 }, Pod(1) with { Order = -1 }], new Dictionary<string, int>(), Now, machines: 0).Single().Single().Uid.ShouldBe("u1");
        PodSchedule.Due([last, Pod(1) with { Waits = true, GoneAt = Now }], new Dictionary<string, int>(), Now).Single().Single().Uid.ShouldBe("u0");
    }

    [Theory]
    [InlineData(DeadlinePolicy.Fail, null)]
    [InlineData(DeadlinePolicy.Wait, null)]
    [InlineData(DeadlinePolicy.Force, 5)]
    public void A_pod_that_comes_when_the_node_was_empty_has_a_deadline_only_where_that_does_something(DeadlinePolicy onTimeout, int? minutes)
    {
        var policy = Policy with { OnTimeout = onTimeout, PodTimeout = TimeSpan.FromMinutes(5) };

        var state = DrainBook.Seen(new DrainState { WasEmpty = true }, Sight(Now, 0, Pod(0)), policy);

        state.Pods.Single().Deadline.ShouldBe(minutes is { } time ? Now.AddMinutes(time) : null);
    }

    [Fact]
    public void The_longest_patience_that_was_asked_for_holds_whichever_answer_comes_last()
    {
        var state = Tried(Seen(3, allowed: 3), new PodTry("u0", Answers.Throttled, "busy", null, TimeSpan.FromSeconds(60)), Now);

        state = DrainBook.Tried(state, new PodsEvicted(Verdict.Done, ["u1"], []), isForced: false, Now);
        state.ThrottledUntil.ShouldBe(Now.AddSeconds(60));

        DrainBook.Tried(state, new PodsEvicted(Verdict.Done, [], []) { RetryAfter = TimeSpan.FromSeconds(90) }, isForced: false, Now)
            .ThrottledUntil.ShouldBe(Now.AddSeconds(90));
    }

    [Fact]
    public void What_a_batch_left_untried_is_taken_up_in_a_moment()
    {
        var state = DrainBook.Tried(Seen(2, allowed: 2), new PodsEvicted(Verdict.Done, ["u0"], []) { Untried = ["u1"] }, isForced: false, Now);

        PodSchedule.NextDue(state.Pods, state.Allowed).ShouldBe(Now.AddSeconds(1));
        DrainTelling.Blockers(state, Now).ShouldBeEmpty();
    }

    [Fact]
    public void What_was_left_untried_because_the_server_asked_for_patience_is_taken_up_when_that_is_over_and_says_so_meanwhile()
    {
        var state = DrainBook.Tried(
            Seen(2, allowed: 2), new PodsEvicted(Verdict.Done, ["u0"], []) { Untried = ["u1"], RetryAfter = TimeSpan.FromSeconds(7) }, isForced: false, Now);

        (state.ThrottledUntil, PodSchedule.NextDue(state.Pods, state.Allowed)).ShouldBe((Now.AddSeconds(7), Now.AddSeconds(7)));
        DrainTelling.Blockers(state, Now).ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            blocker => (blocker.Pod, blocker.Kind, blocker.Attempts).ShouldBe(("shop/web-1", Answers.Throttled, 0)));
    }

    [Fact]
    public void A_server_that_asks_for_an_hour_is_asked_again_after_a_minute() =>
        PodSchedule.AskAgain(Answers.Throttled, TimeSpan.FromHours(1), Now).ShouldBe(Now.AddMinutes(1));

    [Fact]
    public void A_pod_that_comes_back_does_not_keep_the_others_of_its_budget_waiting()
    {
        var state = Seen(2, allowed: 0);
        state = state with { Pods = [state.Pods[0], state.Pods[1] with { HeldBy = Answers.ComesBack, NextTry = Now.AddSeconds(300), MustWait = true }] };

        PodSchedule.NextDue(state.Pods, state.Allowed).ShouldBe(Now.AddSeconds(10));
        Due(state, Now.AddSeconds(10)).Single().Single().Uid.ShouldBe("u0");

        // Alone it goes by its own time; and what is due then is asked, or the drain would look again without a rest.
        state = state with { Pods = [state.Pods[1]] };
        PodSchedule.NextDue(state.Pods, state.Allowed).ShouldBe(Now.AddSeconds(300));
        Due(state, Now.AddSeconds(299)).ShouldBeEmpty();
        Due(state, Now.AddSeconds(300)).Single().Single().Uid.ShouldBe("u1");
    }

    [Fact]
    public void A_webhook_that_refuses_one_pod_does_not_use_up_the_budget_of_the_others()
    {
        var state = Tried(Seen(3, allowed: 2), new PodTry("u0", "webhook-denied", "no", null, null), Now);

        Due(state, Now).Single().Select(pod => pod.Uid).ShouldBe(["u1", "u2"]);
        PodSchedule.NextDue([state.Pods[0]], state.Allowed).ShouldBe(Now.AddSeconds(10));
    }

    [Fact]
    public void Pods_of_one_owner_that_come_again_and_again_are_evicted_ever_more_seldom_and_told()
    {
        const string Owner = "replicaset/shop/pinned";
        var state = DrainBook.Seen(new DrainState(), Sight(Now, 0, Pod(0) with { Owner = Owner }), Policy);
        var waits = new List<double>();
        for (var number = 1; number <= 10; number++)
        {
            var at = Now.AddMinutes(10 * number);
            state = DrainBook.Seen(state, Sight(at, 0, Pod(number) with { Owner = Owner }), Policy);
            waits.Add(((PodSchedule.NextDue([state.Pods[^1]], state.Allowed) ?? at) - at).TotalSeconds);
            if (number == 3)
            {
                var blocker = DrainTelling.Blockers(state, at).ShouldHaveSingleItem();
                (blocker.Kind, blocker.Object, blocker.Since).ShouldBe(("comes-back", Owner, Now.AddMinutes(10)));
                blocker.NextStep.ShouldContain(Owner);
                Due(state, at.AddSeconds(9)).SelectMany(group => group).ShouldNotContain(pod => pod.Uid == "u3");
                DrainBook.Forced(state with { IsForced = true }, at).SelectMany(group => group).ShouldNotContain(pod => pod.Uid == "u3");
            }
        }

        waits.ShouldBe([0, 0, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    [Fact]
    public void A_generation_does_not_carry_more_than_500_pods_that_are_gone_but_counts_them()
    {
        var gone = Enumerable.Range(0, 700).Select(number => Pod(number) with { GoneAt = Now.AddSeconds(number) });
        var state = DrainBook.Shortened(new DrainState { Pods = [Pod(1000), .. gone] });

        state.Pods.Count.ShouldBe(501);
        state.Pods.ShouldContain(pod => pod.Uid == "u1000");
        state.Pods.ShouldNotContain(pod => pod.Uid == "u199");
        (DrainTelling.StatusOf(state, Now, Policy, Now) is { Total: 701, Gone: 700 }).ShouldBeTrue();
    }

    [Fact]
    public void A_deadline_of_a_pod_counts_from_when_it_was_first_seen()
    {
        var policy = Policy with { PodTimeout = TimeSpan.FromMinutes(5) };
        var state = DrainBook.Seen(new DrainState(), Sight(Now, allowed: 0, Pod(0)), policy);

        state = DrainBook.Seen(state, Sight(Now.AddMinutes(2), allowed: 0) with { Changed = [Pod(0) with { IgnoresBudget = true }] }, policy);

        state.Pods.Single().Deadline.ShouldBe(Now.AddMinutes(5));
    }

    [Fact]
    public void A_pod_that_need_not_go_any_more_holds_nothing_and_is_not_called_gone()
    {
        var state = DrainBook.Seen(Seen(1, allowed: 1), Sight(Now, allowed: 1) with { Released = ["u0"] }, Policy);

        DrainBook.IsEmpty(state).ShouldBeTrue();
        DrainTelling.ResultOf(state.Pods.Single()).IsGone.ShouldBeFalse();
        state.Pods.Single().Code.ShouldBe(PodEntry.ReleasedCode);
    }

    [Fact]
    public void A_node_is_not_empty_while_a_volume_is_attached_and_says_which()
    {
        var state = DrainBook.Seen(new DrainState(), Sight(Now, 0) with { Attached = ["csi-1: still in use"] }, Policy);

        DrainBook.IsEmpty(state).ShouldBeFalse();
        var blocker = DrainTelling.Blockers(state, Now).ShouldHaveSingleItem();
        (blocker.Kind, blocker.Object, blocker.Message).ShouldBe(("volume-attached", "volumeattachment/csi-1", "csi-1: still in use"));
    }

    [Fact]
    public void Launchers_that_machines_left_behind_are_not_counted_with_the_pods()
    {
        var state = new DrainState { Pods = [Pod(0) with { GoneAt = Now }, Pod(1) with { IsLauncher = true, GoneAt = Now }, Pod(2)] };

        var status = DrainTelling.StatusOf(state, Now, Policy, Now);

        (status.Total, status.Gone).ShouldBe((2, 1));
    }

    [Fact]
    public void What_is_extended_is_extended_for_each_pod_too()
    {
        var state = new DrainState { Pods = [Pod(0) with { Deadline = Now.AddMinutes(5) }, Pod(1)] };
        var input = new DrainInput("node-1", "h", "m1", Policy, Now.AddHours(1), false, state);

        (input, state) = DrainSteering.After([new ChildSteer(SteerKind.Extend, Now) { From = Now.AddHours(1), To = Now.AddHours(2) }], input, state);

        (input.Deadline, state.Pods[0].Deadline, state.Pods[1].Deadline).ShouldBe((Now.AddHours(2), Now.AddMinutes(65), null));
    }

    [Fact]
    public void Machines_that_the_parent_was_not_told_of_before_the_next_look_are_still_to_be_told()
    {
        var found = new ObjectRef("vms", "db");
        var state = DrainBook.Seen(new DrainState(), Sight(Now, 0) with { NewVms = [found] }, Policy);

        state = DrainBook.Seen(state, Sight(Now, 0) with { StillThere = [found] }, Policy);

        DrainBook.TakeVms(state, inOrder: false).News.ShouldBe([found]);
        DrainBook.TakeVms(DrainBook.TakeVms(state, inOrder: false).State, inOrder: false).News.ShouldBeEmpty();
    }

    [Fact]
    public void Machines_are_told_when_what_has_a_lower_order_is_gone_and_pods_of_a_higher_one_wait_for_them()
    {
        ObjectRef db = new("vms", "db"), last = new("vms", "last");
        var orders = new Dictionary<string, int> { ["vms/last"] = 2 };
        var state = DrainBook.Seen(
            new DrainState(), Sight(Now, 0, Pod(0) with { Order = -1 }, Pod(1) with { Order = 1 }) with { NewVms = [db, last], Launchers = 2, VmOrders = orders }, Policy);
        (state, var first) = DrainBook.TakeVms(state, inOrder: true);
        var told = DrainTelling.StatusOf(state, Now.AddHours(1), Policy, Now);
        state = DrainBook.Seen(state, Sight(Now, 0) with { Gone = ["u0"], StillThere = [db, last], Launchers = 2, VmOrders = orders }, Policy);
        (state, var second) = DrainBook.TakeVms(state, inOrder: true);
        var whileThere = PodSchedule.Due(state.Pods, state.Allowed, Now, state.MachineOrder);
        state = DrainBook.Seen(state, Sight(Now, 0) with { StillThere = [last], Launchers = 1, VmOrders = orders }, Policy);
        (state, var third) = DrainBook.TakeVms(state, inOrder: true);
        var afterIt = PodSchedule.Due(state.Pods, state.Allowed, Now, state.MachineOrder);
        state = DrainBook.Seen(state, Sight(Now, 0) with { Gone = ["u1"], StillThere = [last], Launchers = 1, VmOrders = orders }, Policy);

        first.ShouldBeEmpty();
        told.MachinesInOrder.ShouldBe([db, last]);
        told.OrderInHand.ShouldBe(-1);
        second.ShouldBe([db]);
        whileThere.ShouldBeEmpty();
        third.ShouldBeEmpty();
        afterIt.Single().Single().Uid.ShouldBe("u1");
        (state, var fourth) = DrainBook.TakeVms(state, inOrder: true);
        fourth.ShouldBe([last]);
        DrainTelling.StatusOf(state, Now.AddHours(1), Policy, Now).MachinesInOrder.ShouldBeNull();
    }

    [Fact]
    public void All_that_an_exhausted_budget_holds_are_tried_again_when_it_is_probed_next()
    {
        var state = Tried(Seen(3, allowed: 0), new PodTry("u0", Answers.BudgetExhausted, "no", "poddisruptionbudget/shop/web", null), Now.AddMinutes(5));

        DrainTelling.Blockers(state, Now.AddMinutes(5)).Select(blocker => blocker.NextTry).ShouldAllBe(next => next == Now.AddMinutes(5).AddSeconds(10));
    }

    [Fact]
    public void What_a_pod_of_another_node_took_of_the_budget_is_no_attempt_and_is_taken_up_as_soon_as_the_budget_rises()
    {
        var unsent = new PodTry("u0", Answers.BudgetExhausted, "taken", "poddisruptionbudget/shop/web", null) { IsUnsent = true };

        var state = Tried(Seen(1, allowed: 1), unsent, Now);

        (state.Pods[0].Attempts, state.Pods[0].HeldBy, state.Pods[0].NextTry, state.Allowed[Budget]).ShouldBe((0, Answers.BudgetExhausted, Now.AddSeconds(10), 0));
        Due(DrainBook.Seen(state, Sight(Now.AddSeconds(2), allowed: 1), Policy), Now.AddSeconds(2)).ShouldHaveSingleItem();
    }

    [Fact]
    public void The_blockers_fit_into_a_custom_status_however_long_their_names_and_answers_are()
    {
        var name = new string('n', 250);
        var state = new DrainState
        {
            Pods = [.. Enumerable.Range(0, 30).Select(number => new PodEntry(name, $"{name}{number}", $"u{number}") { HeldBy = "webhook-denied", Message = new string('ä', 5000), Object = name })],
        };

        var blockers = DrainTelling.Blockers(state, Now);

        blockers.Count.ShouldBeInRange(3, 19);
        JsonSerializer.SerializeToUtf8Bytes(blockers).Length.ShouldBeLessThan(16 * 1024);
    }

    private static IReadOnlyList<IReadOnlyList<PodEntry>> Due(DrainState state, DateTimeOffset now) => PodSchedule.Due(state.Pods, state.Allowed, now);

    private static DrainState Seen(int pods, int allowed) =>
        DrainBook.Seen(new DrainState(), Sight(Now, allowed, [.. Enumerable.Range(0, pods).Select(Covered)]), Policy);

    private static DrainState Tried(DrainState state, PodTry answer, DateTimeOffset now) =>
        DrainBook.Tried(state, new PodsEvicted(Verdict.Done, [], [answer]), isForced: false, now);

    private static PodsSeen Sight(DateTimeOffset at, int allowed, params PodEntry[] news) =>
        new("c", at, [], news, [], 0, news.Length, new Dictionary<string, int> { [Budget] = allowed });

    private static PodEntry Covered(int number) => Pod(number) with { Budget = Budget };

    private static PodEntry Pod(int number) => new("shop", $"web-{number}", $"u{number}");
}
