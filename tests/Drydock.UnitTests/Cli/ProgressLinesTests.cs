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
    public void A_VM_is_said_again_when_the_phase_of_its_migration_changes()
    {
        var lines = new ProgressLines(_clock);
        var vm = new VmView("vms", "db", "Migrating", "On its way.") { Phase = "Scheduling", Attempts = 2 };
        lines.Next(_view with { Vms = [vm] });

        lines.Next(_view with { Vms = [vm with { Phase = "Running" }] }).Single().ShouldContain("vms/db: Migrating, migration Running, attempt 2");
    }
}
