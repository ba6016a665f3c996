using System.Text.Json.Nodes;
using Drydock.Api;
using Drydock.Cli.Output;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Cli;

public sealed class ProgressLinesTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly FakeTimeProvider _clock = new(Start);
    private readonly MaintenanceView _view = new("m-1", "worker-1", MaintenanceState.Running, "Drain", "Evicting pods.") { StartedAt = Start };

    [Fact]
    public void A_view_that_says_the_same_again_gives_no_line()
    {
        var lines = new ProgressLines(_clock);
        lines.Next(_view with { Pods = new(9, 5, 2, 1) }).Count.ShouldBe(2);

        lines.Next(_view with { Pods = new(9, 5, 2, 1) }).ShouldBeEmpty();
    }

    [Fact]
    public void Each_line_begins_with_the_time_since_the_maintenance_began()
    {
        var lines = new ProgressLines(_clock);
        _clock.Advance(TimeSpan.FromSeconds(12.34));

        lines.Next(_view with { Pods = new(9, 5, 2, 1) })[1].ShouldBe("[ 12.3 s] pods      2/5 gone, 1 terminating");
    }

    [Fact]
    public void Pods_that_joined_later_never_make_more_gone_than_there_were() =>
        ProgressLines.PodsText(new PodCounts(9, 5, 6, 1)).ShouldBe("6/7 gone, 1 terminating");

    [Fact]
    public void A_deadline_says_when_and_how_long_that_is()
    {
        var lines = new ProgressLines(_clock);

        lines.Next(_view with { Deadline = Start.AddMinutes(5) }).Single().ShouldContain("(until 12:05:00Z, in 5m00s)");
    }

    [Fact]
    public void A_suspension_its_end_and_an_extension_are_said_once_with_who_and_why()
    {
        var lines = new ProgressLines(_clock);
        lines.Next(_view);
        var suspended = _view with
        {
            State = MaintenanceState.Suspended, Message = "Suspended by ann.", Suspension = new("ann", null, Start), Steers = [new("Suspend", "ann", null, Start)],
        };
        var resumed = _view with { Deadline = Start.AddMinutes(5), Steers = [.. suspended.Steers, new("Resume", "bob", "repaired", Start)] };

        lines.Next(suspended).Single().ShouldEndWith("state     Suspended: Suspended by ann.");
        lines.Next(suspended).ShouldBeEmpty();
        lines.Next(resumed).Single().ShouldEndWith("state     Resumed by bob: repaired (until 12:05:00Z, in 5m00s)");
        lines.Next(resumed with { Steers = [.. resumed.Steers, new("Extend", "ann", null, Start)] }).Single().ShouldContain("Extended by ann (until");
    }

    [Fact]
    public void A_lease_that_is_lost_while_it_is_being_cancelled_is_said_once()
    {
        var lines = new ProgressLines(_clock);
        var cancelling = _view with { State = MaintenanceState.Cancelling, Step = "Restore", Message = "Cancelled by ann." };
        lines.Next(cancelling).ShouldContain(static line => line.Contains("Cancelling: Cancelled by ann."));
        var lost = cancelling with { LeaseLostAt = Start, Message = "The lease is lost." };

        lines.Next(lost).Single().ShouldEndWith("state     LeaseLost: The lease is lost.");
        lines.Next(lost).ShouldBeEmpty();
    }

    [Fact]
    public void A_machine_that_was_left_on_the_node_is_told_so() => ProgressLines.VmText(
        new VmView("vms", "db", "Blocked", "") { Outcome = "Skipped" }).ShouldBe("left on the node, as the policy says");

    [Fact]
    public void A_blocker_is_said_once_when_it_lasted_and_once_when_it_went()
    {
        var lines = new ProgressLines(_clock);
        var held = _view with
        {
            Blockers = [new("budget-exhausted", "shop/web-1", "poddisruptionbudget/shop/web", "Cannot evict pod.", Start, 1, null, null, "Wait for the other pods.")],
        };
        lines.Next(held).ShouldNotContain(line => line.Contains("held"));
        _clock.Advance(TimeSpan.FromSeconds(3));

        lines.Next(held).Single().ShouldContain("shop/web-1 by poddisruptionbudget/shop/web: Cannot evict pod. -> Wait for the other pods.");
        lines.Next(held).ShouldBeEmpty();
        lines.Next(_view).Single().ShouldContain("freed");
    }

    [Fact]
    public void A_blocker_tells_since_when_how_often_when_again_until_when_and_what_to_do()
    {
        _clock.Advance(TimeSpan.FromSeconds(125));

        new ProgressLines(_clock).Next(_view with { Blockers = [Held] })[^1].ShouldBe(
            "[  2m05s] held      shop/web-1 by poddisruptionbudget/shop/web: Cannot evict pod. -> Wait for the other pods."
            + " [held 2m05s since 12:00:00Z, tried 13 times, next try in 8.0 s, deadline 12:10:00Z in 7m55s]");
    }

    [Fact]
    public void A_blocker_that_is_tried_now_and_has_no_deadline_says_so()
    {
        ProgressLines.BlockerTimes(Held with { Attempts = 1, NextTry = Start, Deadline = null }, Start.AddSeconds(4))
            .ShouldBe("held 4.0 s since 12:00:00Z, tried once, next try now, no deadline");
        ProgressLines.BlockerTimes(Held with { Attempts = 0, NextTry = null }, Start.AddMinutes(11)).ShouldBe("held 11m00s since 12:00:00Z, deadline 12:10:00Z passed");
    }

    [Fact]
    public void A_blocker_that_lasts_is_said_again_more_and_more_seldom()
    {
        var lines = new ProgressLines(_clock);
        var said = new List<int>();
        for (var second = 0; second <= 600; second++)
        {
            if (lines.Next(_view with { Blockers = [Held] }).Any(line => line.Contains(" held ")))
            {
                said.Add(second);
            }

            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        said.ShouldBe([2, 62, 124, 248, 496]);
    }

    [Fact]
    public void What_is_shown_once_leaves_out_no_blocker() =>
        new ProgressLines(_clock, worthSaying: TimeSpan.Zero).Next(_view with { Blockers = [Held] })[^1].ShouldContain("held 0.0 s since 12:00:00Z");

    [Fact]
    public async Task On_a_terminal_each_blocker_has_its_times_beside_it()
    {
        _clock.Advance(TimeSpan.FromSeconds(125));
        using var written = new StringWriter();

        await new LiveOutput(written, _clock).FollowAsync(Once(_view with { Blockers = [Held] }), TestContext.Current.CancellationToken);

        string.Join(' ', written.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).ShouldContain(
            "held shop/web-1 by poddisruptionbudget/shop/web: Cannot evict pod. -> Wait for the other pods."
            + " held 2m05s since 12:00:00Z, tried 13 times, next try in 8.0 s, deadline 12:10:00Z in 7m55s");
    }

    [Fact]
    public async Task For_programs_each_blocker_has_its_times_as_instants()
    {
        using var written = new StringWriter();

        await new JsonOutput(written, _clock).FollowAsync(Once(_view with { Blockers = [Held] }), TestContext.Current.CancellationToken);

        var blocker = JsonNode.Parse(written.ToString())!["maintenance"]!["blockers"]![0]!;
        (blocker["since"]!.ToString(), blocker["attempts"]!.ToString(), blocker["nextTry"]!.ToString(), blocker["deadline"]!.ToString(), blocker["nextStep"]!.ToString())
            .ShouldBe(("2026-03-01T12:00:00+00:00", "13", "2026-03-01T12:02:13+00:00", "2026-03-01T12:10:00+00:00", "Wait for the other pods."));
    }

    private static BlockerView Held { get; } = new(
        "budget-exhausted", "shop/web-1", "poddisruptionbudget/shop/web", "Cannot evict pod.", Start, 13, Start.AddSeconds(133), Start.AddMinutes(10), "Wait for the other pods.");

    private static async IAsyncEnumerable<ProgressEvent> Once(MaintenanceView view)
    {
        yield return new ProgressEvent.Changed(view);
        await Task.CompletedTask;
    }

    [Fact]
    public void A_VM_is_said_again_when_the_phase_of_its_migration_changes()
    {
        var lines = new ProgressLines(_clock);
        var vm = new VmView("vms", "db", "Migrating", "On its way.") { Phase = "Scheduling", Attempts = 2 };
        lines.Next(_view with { Vms = [vm] });

        lines.Next(_view with { Vms = [vm with { Phase = "Running" }] }).Single().ShouldContain("vms/db: Migrating, migration Running, attempt 2");
    }
}
