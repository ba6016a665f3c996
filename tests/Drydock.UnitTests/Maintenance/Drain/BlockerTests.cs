using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Drain;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance.Drain;

/// <summary>Whatever holds a pod: its blocker says what to look at, since when, how often it was tried, when next, and what to do.</summary>
public sealed class BlockerTests
{
    private static readonly DateTimeOffset Since = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static readonly DateTimeOffset Now = Since.AddSeconds(30);

    private static readonly DateTimeOffset Deadline = Since.AddHours(1);

    /// <summary>Every answer, and how soon it is asked for again; null: it is no blocker.</summary>
    public static TheoryData<EvictionAnswer, int?> Answered => new()
    {
        { EvictionAnswer.BudgetExhausted, 10 },
        { EvictionAnswer.BudgetCanNeverBeMet, 10 },
        { EvictionAnswer.SeveralBudgets, 30 },
        { EvictionAnswer.BudgetNotObserved, 10 },
        { EvictionAnswer.VmNotMigratable, 10 },
        { EvictionAnswer.HotplugVolumePod, 10 },
        { EvictionAnswer.NamespaceTerminating, 10 },
        { EvictionAnswer.WebhookDenied, 10 },
        { EvictionAnswer.WebhookUnreachable, 10 },
        { EvictionAnswer.Throttled, 10 },
        { EvictionAnswer.Forbidden, 30 },
        { EvictionAnswer.Refused, 30 },
        { EvictionAnswer.VmMigrating, null },
        { EvictionAnswer.MigrationTarget, null },
        { EvictionAnswer.Accepted, null },
        { EvictionAnswer.Terminating, null },
        { EvictionAnswer.Gone, null },
    };

    [Theory]
    [MemberData(nameof(Answered))]
    public void Every_answer_is_a_blocker_that_says_all_or_none(EvictionAnswer answer, int? again)
    {
        var kind = Kebab.Of(answer.ToString());
        var state = Tried(new DrainState { Pods = [new PodEntry("shop", "web-0", "u0")] }, new PodTry("u0", kind, "The server's words.", null, null), Since);
        state = Tried(state, new PodTry("u0", kind, "The server's words.", null, null), Now);

        var blockers = DrainTelling.Blockers(state, Now, Deadline);

        if (again is not { } seconds)
        {
            blockers.ShouldBeEmpty();
            return;
        }

        var blocker = blockers.ShouldHaveSingleItem();
        (blocker.Kind, blocker.Pod, blocker.Object, blocker.Message).ShouldBe((kind, "shop/web-0", "pod/shop/web-0", "The server's words."));
        (blocker.Since, blocker.Attempts, blocker.NextTry, blocker.Deadline).ShouldBe((Since, 2, Now.AddSeconds(seconds), Deadline));
        blocker.NextStep.ShouldEndWith(".");
        if (answer != EvictionAnswer.Refused)
        {
            blocker.NextStep.ShouldNotBe("See the message.");
        }
    }

    [Fact]
    public void Every_answer_of_the_Eviction_API_is_in_the_table() =>
        Enum.GetValues<EvictionAnswer>().ShouldAllBe(answer => Answered.Any(row => row.Data.Item1 == answer));

    [Fact]
    public void A_pod_that_a_rule_refuses_names_the_pod_and_the_rule()
    {
        var blocker = Told(new PodEntry("shop", "web-0", "u0") { Denied = "unmanaged", Message = "Nothing will bring it back." });

        (blocker.Kind, blocker.Object, blocker.Message).ShouldBe(("denied", "pod/shop/web-0", "Nothing will bring it back."));
    }

    [Fact]
    public void A_pod_that_is_waited_for_is_told_with_the_earlier_of_its_deadline_and_that_of_the_drain()
    {
        var blocker = Told(new PodEntry("shop", "job-0", "u0") { Waits = true, Message = "The rule for app=job waits.", Deadline = Since.AddMinutes(5) });

        (blocker.Kind, blocker.Deadline).ShouldBe(("await-completion", Since.AddMinutes(5)));
    }

    [Fact]
    public void A_pod_that_does_not_end_names_why_and_since_when_its_deletion_was_asked_for()
    {
        var blocker = Told(new PodEntry("shop", "web-0", "u0") { IsLeaving = true, LeavingSince = Since, Stuck = "Its finalizers keep it: example.com/hold." });

        (blocker.Kind, blocker.Since, blocker.Message).ShouldBe(("stuck-terminating", Since, "Its finalizers keep it: example.com/hold."));
    }

    [Fact]
    public void What_is_refused_or_waited_for_holds_since_it_was_first_seen_and_not_since_now()
    {
        PodsSeen Sight(DateTimeOffset at, params PodEntry[] news) => new("c", at, [], news, [], 0, 2, new Dictionary<string, int>());
        var state = DrainBook.Seen(
            new DrainState(),
            Sight(Since, new PodEntry("shop", "bare", "u0") { Denied = "unmanaged" }, new PodEntry("shop", "batch", "u1") { Waits = true }),
            new DrainPolicy());

        state = DrainBook.Seen(state, Sight(Since.AddMinutes(20)), new DrainPolicy());

        DrainTelling.Blockers(state, Since.AddMinutes(20)).Select(blocker => (blocker.Kind, blocker.Since)).ShouldBe([("denied", Since), ("await-completion", Since)]);
    }

    [Fact]
    public void What_is_left_is_counted_whole_and_each_thing_as_what_it_is()
    {
        var held = Enumerable.Range(0, 25).Select(number => new PodEntry("shop", $"web-{number}", $"u{number}") { HeldBy = Answers.BudgetExhausted, HeldSince = Since.AddSeconds(-number) });
        var left = DrainTelling.WhatIsLeft(
            new DrainState
            {
                Pods =
                [
                    .. held,
                    new PodEntry("shop", "db-0", "d") { IsLeaving = true, LeavingSince = Since, Deadline = Now },
                    new PodEntry("shop", "last-0", "l") { Order = 1 },
                    new PodEntry("shop", "gone", "g") { GoneAt = Now },
                    new PodEntry("vms", "virt-launcher-a", "v") { IsLauncher = true, IsLeaving = true },
                ],
                Attached = ["csi-1"],
            },
            Now);

        left!.ToString().ShouldBe(
            "25 pods are held (the longest shop/web-24 (budget-exhausted)), 1 pod is still terminating (the longest shop/db-0, since 2026-01-02 03:04:05Z), "
            + "1 pod waits for a turn, 1 volume is still attached");
        left.LateAlone.ShouldBe("shop/db-0");
        DrainTelling.WhatIsLeft(new DrainState { Pods = [new PodEntry("shop", "gone", "g") { GoneAt = Now }] }, Now).ShouldBeNull();
    }

    private static Blocker Told(PodEntry pod) => DrainTelling.Blockers(new DrainState { Pods = [pod] }, Now, Deadline).ShouldHaveSingleItem();

    private static DrainState Tried(DrainState state, PodTry answer, DateTimeOffset now)
    {
        var accepted = answer.Kind == Answers.Accepted;
        return DrainBook.Tried(state, new PodsEvicted(Verdict.Done, accepted ? ["u0"] : [], accepted ? [] : [answer]), isForced: false, now);
    }
}
