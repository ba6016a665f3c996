using Drydock.Api;
using Drydock.Cli.Demo;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Cli;

public sealed class DemoNumbersTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Waiting_is_counted_once_where_activities_overlap_and_not_beyond_the_end() =>
        DemoNumbers.WaitedFor(
            [
                At(1, "activity-scheduled", "wait", "m"), At(2, "activity-scheduled", "wait", "m:vm"),
                At(4, "activity-completed", "wait", "m"), At(5, "activity-completed", "wait", "m:vm"),
                At(8, "activity-scheduled", "wait", "m"), At(20, "activity-completed", "wait", "m"),
            ],
            Start,
            Start.AddSeconds(10)).ShouldBe(TimeSpan.FromSeconds(6));

    [Fact]
    public void A_timer_counts_only_if_it_fired() =>
        DemoNumbers.WaitedFor(
            [
                At(1, "timer-set", null, "m", "A timer was set for 2026-03-01T12:00:04.0000000+00:00."),
                At(1, "timer-set", null, "m", "A timer was set for 2026-03-01T13:00:00.0000000+00:00."),
                At(4, "timer-fired", null, "m", "The timer of 2026-03-01T12:00:04.0000000+00:00 fired."),
            ],
            Start,
            Start.AddSeconds(10)).ShouldBe(TimeSpan.FromSeconds(3));

    private static HistoryEventView At(int second, string kind, string? name, string instance, string text = "") =>
        new(Start.AddSeconds(second), instance, kind, name, text, second);
}
