using Drydock.Api;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.Converters;
using Drydock.Maintenance;
using Drydock.Server.Notifications;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server.Notifications;

public sealed class NoticeRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Quarter = TimeSpan.FromMinutes(15);

    private static MaintenanceView Running => new("m-1", "node-1", MaintenanceState.Running, "Drain", "Evicting.")
    {
        StepSince = Now.AddMinutes(-30),
        Steps = [new StepView("Plan", Now.AddMinutes(-32), Now.AddMinutes(-31)), new StepView("Lease", Now.AddMinutes(-31), Now.AddMinutes(-30))],
    };

    [Fact]
    public void It_has_begun_once_it_holds_the_lease()
    {
        NoticeRules.Of(Running with { Steps = [] }, Now, Quarter).ShouldBeEmpty();

        var begun = NoticeRules.Of(Running, Now, Quarter).ShouldHaveSingleItem();
        (begun.Kind, begun.Id, begun.At).ShouldBe((NoticeKind.Begun, "notice-m-1~begun", Now.AddMinutes(-30)));
    }

    [Fact]
    public void Pods_held_by_one_budget_are_one_message_and_only_after_the_time()
    {
        var view = Running with
        {
            Blockers = [Blocker("shop/web-1", "shop/web", 20), Blocker("shop/web-2", "shop/web", 16), Blocker("shop/db-0", "shop/db", 5)],
        };

        var blocked = NoticeRules.Of(view, Now, Quarter).Where(static notice => notice.Kind == NoticeKind.Blocked).ShouldHaveSingleItem();
        blocked.Title.ShouldContain("shop/web for 20m");
        blocked.Text.ShouldContain("shop/web-2");
        blocked.At.ShouldBe(Now.AddMinutes(-5));

        // Later the same budget is the same message, and the other one has become one.
        var later = NoticeRules.Of(view, Now.AddMinutes(12), Quarter).Where(static notice => notice.Kind == NoticeKind.Blocked).ToList();
        later.Count.ShouldBe(2);
        later.ShouldContain(notice => notice.Id == blocked.Id && notice.At == blocked.At);
    }

    [Fact]
    public void Each_suspension_and_resumption_is_told_once_with_who_and_why()
    {
        SteerView Steer(string kind, int minute, string? reason) => new(kind, "ann", reason, Now.AddMinutes(minute));
        var view = Running with { Steers = [Steer("Suspend", -9, "the storage is down"), Steer("Extend", -8, null), Steer("Resume", -5, null), Steer("Suspend", -1, "again")] };

        var told = NoticeRules.Of(view, Now, Quarter).Where(static notice => notice.Kind == NoticeKind.Steered).ToList();

        told.Select(static notice => notice.Title).ShouldBe(
            ["Node node-1: maintenance was suspended", "Node node-1: maintenance was resumed", "Node node-1: maintenance was suspended"]);
        told.Select(static notice => notice.Id).Distinct().Count().ShouldBe(3);
        told[0].Text.ShouldBe("By ann: the storage is down\nNothing new is begun and no deadline passes until somebody says: drydock resume m-1");
        NoticeRules.Of(view, Now.AddHours(1), Quarter).Where(static notice => notice.Kind == NoticeKind.Steered).Select(static notice => (notice.Id, notice.At))
            .ShouldBe(told.Select(static notice => (notice.Id, notice.At)));
    }

    [Fact]
    public void Waiting_for_a_person_and_a_lost_lease_are_told()
    {
        Kinds(Running with { State = MaintenanceState.AwaitingApproval, AwaitsApproval = "Start" }).ShouldContain(NoticeKind.NeedsPerson);
        Kinds(Running with { State = MaintenanceState.Holding }).ShouldContain(NoticeKind.NeedsPerson);
        Kinds(Running with { State = MaintenanceState.LeaseLost }).ShouldContain(NoticeKind.LeaseLost);
    }

    [Theory]
    [InlineData(MaintenanceState.Completed, NoticeKind.Completed)]
    [InlineData(MaintenanceState.Cancelled, NoticeKind.Cancelled)]
    [InlineData(MaintenanceState.Refused, NoticeKind.Failed)]
    [InlineData(MaintenanceState.Failed, NoticeKind.Failed)]
    [InlineData(MaintenanceState.Abandoned, NoticeKind.Failed)]
    public void An_end_is_told_by_how_it_ended_with_what_is_left_behind(MaintenanceState state, NoticeKind kind)
    {
        var ended = NoticeRules.Of(Running with { State = state, EndedAt = Now, LeftBehind = ["Node node-1 is cordoned."], Blockers = [Blocker("a/b", null, 60)] }, Now, Quarter).Last();

        (ended.Kind, ended.Id, ended.At).ShouldBe((kind, "notice-m-1~ended", Now));
        ended.Text.ShouldContain("is cordoned");
    }

    [Fact]
    public void Of_the_nodes_of_a_rollout_only_what_is_in_the_way_is_told_and_no_id_is_part_of_the_rollout()
    {
        var node = Running with { Id = "r-1:node-1" };

        NoticeRules.Of(node, Now, Quarter).ShouldBeEmpty();
        NoticeRules.Of(node with { State = MaintenanceState.Completed, EndedAt = Now }, Now, Quarter).ShouldBeEmpty();
        NoticeRules.Of(node with { State = MaintenanceState.Failed, EndedAt = Now }, Now, Quarter).ShouldHaveSingleItem().Id.ShouldBe("notice-r-1/node-1~ended");
    }

    [Fact]
    public void A_paused_rollout_is_told_once_for_each_reason_and_its_end_too()
    {
        var first = Rollout(new RolloutStatus([]) { IsPaused = true, Failed = 2, Message = "Paused: the failure budget is used up. 5 of 9 nodes done, 2 failed." });
        var goesOn = Rollout(new RolloutStatus([]) { IsPaused = true, Failed = 2, Message = "Paused: the failure budget is used up. 6 of 9 nodes done, 2 failed." });
        var again = Rollout(new RolloutStatus([]) { IsPaused = true, Failed = 4, Message = "Paused: the failure budget is used up. 8 of 9 nodes done, 4 failed." });

        NoticeRules.Of(goesOn, Now).Single().Id.ShouldBe(NoticeRules.Of(first, Now).Single().Id);
        NoticeRules.Of(again, Now).Single().Id.ShouldNotBe(NoticeRules.Of(first, Now).Single().Id);
        NoticeRules.Of(Rollout(new RolloutStatus([]) { Message = "Under way." }), Now).ShouldBeEmpty();
        NoticeRules.Of(Rollout(new RolloutStatus([]) { Message = "9 of 9 nodes done." }, OrchestrationRuntimeStatus.Completed), Now).Single()
            .ShouldSatisfyAllConditions(static notice => notice.Kind.ShouldBe(NoticeKind.RolloutFinished), static notice => notice.Text.ShouldBe("9 of 9 nodes done."));
    }

    [Fact]
    public void A_second_pause_for_the_same_reason_and_a_second_loss_of_the_lease_are_news()
    {
        OrchestrationMetadata Paused(int minute) =>
            Rollout(new RolloutStatus([]) { IsPaused = true, PausedAt = Now.AddMinutes(minute), Failed = 1, Message = "Paused: the failure budget is used up. 1 of 9 nodes done." });
        Notice Lost(int minute) =>
            NoticeRules.Of(Running with { State = MaintenanceState.LeaseLost, LeaseLostAt = Now.AddMinutes(minute) }, Now, Quarter).Single(static notice => notice.Kind == NoticeKind.LeaseLost);

        NoticeRules.Of(Paused(5), Now).Single().Id.ShouldNotBe(NoticeRules.Of(Paused(1), Now).Single().Id);
        NoticeRules.Of(Paused(1), Now.AddHours(1)).Single().Id.ShouldBe(NoticeRules.Of(Paused(1), Now).Single().Id);
        Lost(-5).Id.ShouldNotBe(Lost(-90).Id);
        (Lost(-5).Id, Lost(-5).At).ShouldBe((Lost(-5).Id, Now.AddMinutes(-5)));
    }

    [Fact]
    public void Each_hold_is_told_once()
    {
        string Told(string step, string key) => NoticeRules.Of(Running with { State = MaintenanceState.Holding, Step = step, AwaitsComplete = key }, Now, Quarter)
            .Single(static notice => notice.Kind == NoticeKind.NeedsPerson).Id;

        new[] { Told("Hook", "before-drain-1"), Told("Hook", "after-drain-1"), Told("Action", "action") }.ShouldBe(
            ["notice-m-1~complete-before-drain-1", "notice-m-1~complete-after-drain-1", "notice-m-1~complete-Action"]);
    }

    [Fact]
    public void A_lease_that_is_lost_during_a_cancel_is_told_too() =>
        Kinds(Running with { State = MaintenanceState.Cancelling, LeaseLostAt = Now }).ShouldContain(NoticeKind.LeaseLost);

    private static List<NoticeKind> Kinds(MaintenanceView view) => [.. NoticeRules.Of(view, Now, Quarter).Select(static notice => notice.Kind)];

    private static BlockerView Blocker(string pod, string? budget, int minutes) =>
        new("budget-exhausted", pod, budget, "Cannot evict pod.", Now.AddMinutes(-minutes), 3, null, null, "Add a replica.");

    private static OrchestrationMetadata Rollout(RolloutStatus status, OrchestrationRuntimeStatus state = OrchestrationRuntimeStatus.Running) =>
        new(Orchestrations.Rollout, "r-1")
        {
            RuntimeStatus = state,
            CreatedAt = Now,
            LastUpdatedAt = Now,
            SerializedCustomStatus = JsonDataConverter.Default.Serialize(status),
            SerializedOutput = state == OrchestrationRuntimeStatus.Completed ? JsonDataConverter.Default.Serialize(status) : null,
        };
}
