using System.Globalization;
using Drydock.DurableTask.ScheduledTasks;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.ScheduledTasks;

/// <summary>When runs are due, as a pure function.</summary>
public sealed class RecurrenceTests
{
    private static readonly DateTimeOffset Origin = At("2026-01-02T03:00:00Z");

    [Theory]
    [InlineData("2026-01-02T02:00:00Z", false, "2026-01-02T03:00:00Z")] // before the beginning: the beginning
    [InlineData("2026-01-02T03:00:00Z", true, "2026-01-02T03:00:00Z")]
    [InlineData("2026-01-02T03:00:00Z", false, "2026-01-02T03:10:00Z")]
    [InlineData("2026-01-02T03:09:59Z", false, "2026-01-02T03:10:00Z")]
    [InlineData("2026-01-02T03:10:00Z", true, "2026-01-02T03:10:00Z")]
    [InlineData("2027-01-02T03:10:00Z", false, "2027-01-02T03:20:00Z")]
    public void An_interval_counts_from_its_origin(string moment, bool inclusive, string next) =>
        Recurrence.After(Every(TimeSpan.FromMinutes(10)), Origin, At(moment), inclusive).ShouldBe(At(next));

    [Fact]
    public void Nothing_is_due_after_the_end_or_beyond_the_calendar()
    {
        var ends = Every(TimeSpan.FromMinutes(10)) with { EndAt = Origin.AddMinutes(10) };

        Recurrence.After(ends, Origin, Origin, inclusive: false).ShouldBe(Origin.AddMinutes(10));
        Recurrence.After(ends, Origin, Origin.AddMinutes(10), inclusive: false).ShouldBeNull();
        Recurrence.After(Every(TimeSpan.MaxValue), Origin, Origin, inclusive: false).ShouldBeNull();
        Recurrence.After(Cron("0 0 30 2 *", null), Origin, Origin, inclusive: false).ShouldBeNull();
    }

    [Theory]
    // Clocks go forward at 01:00Z: 02:30 does not exist, and becomes 03:00.
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z 2026-03-29T01:00:00Z 2026-03-30T00:30:00Z")]
    // Clocks go back at 01:00Z: 02:30 comes twice, and counts once.
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-24T00:30:00Z 2026-10-25T00:30:00Z 2026-10-26T01:30:00Z")]
    // Every hour goes on every hour through both nights.
    [InlineData("0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T00:00:00Z 2026-03-29T01:00:00Z 2026-03-29T02:00:00Z")]
    [InlineData("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T00:00:00Z 2026-10-25T01:00:00Z 2026-10-25T02:00:00Z")]
    [InlineData("30 1 * * *", "America/New_York", "2026-10-31T00:00:00Z", "2026-10-31T05:30:00Z 2026-11-01T05:30:00Z 2026-11-02T06:30:00Z")]
    // Half an hour of difference.
    [InlineData("0 2 * * *", "Australia/Lord_Howe", "2026-10-02T00:00:00Z", "2026-10-02T15:30:00Z 2026-10-03T15:30:00Z 2026-10-04T15:00:00Z")]
    [InlineData("*/20 0 0 * * *", null, "2026-01-02T00:00:00Z", "2026-01-02T00:00:20Z 2026-01-02T00:00:40Z 2026-01-03T00:00:00Z")]
    [InlineData("0 8 * * MON-FRI", "UTC", "2026-01-02T09:00:00Z", "2026-01-05T08:00:00Z 2026-01-06T08:00:00Z 2026-01-07T08:00:00Z")]
    public void A_cron_expression_follows_the_clock_of_its_zone(string expression, string? zone, string from, string runs)
    {
        List<string> found = [];
        var moment = At(from);
        while (found.Count < 3)
        {
            moment = Recurrence.After(Cron(expression, zone), At("2026-01-01T00:00:00Z"), moment, inclusive: false)!.Value;
            found.Add(moment.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        }

        string.Join(' ', found).ShouldBe(runs);
    }

    [Theory]
    [InlineData("61 * * * *", null, "'61 * * * *' is no cron expression")]
    [InlineData("* * * *", null, "'* * * *' is no cron expression")]
    [InlineData("* * * * *", "Europe/Atlantis", "no time zone named 'Europe/Atlantis'")]
    public void What_cannot_be_read_is_refused_with_its_text(string expression, string? zone, string message) =>
        Should.Throw<ArgumentException>(() => new ScheduleCreationOptions("s", "Job", expression, zone)).Message.ShouldContain(message);

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(0.999)]
    public void An_interval_has_at_least_a_second(double seconds)
    {
        var interval = TimeSpan.FromSeconds(seconds);

        Should.Throw<ArgumentException>(() => new ScheduleCreationOptions("s", "Job", interval)).Message.ShouldContain("at least 00:00:01");
        Should.Throw<ArgumentException>(() => new ScheduleUpdateOptions { Interval = interval }).Message.ShouldContain("at least 00:00:01");
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    private static ScheduleConfiguration Every(TimeSpan interval) => new() { Interval = interval };

    private static ScheduleConfiguration Cron(string expression, string? zone) => new() { CronExpression = expression, TimeZone = zone };
}
