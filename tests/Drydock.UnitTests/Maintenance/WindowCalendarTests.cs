using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>When windows are open, as exact instants, in the nights in which clocks change too.</summary>
public sealed class WindowCalendarTests
{
    // In 2026 Europe/Berlin changes on 29 March at 01:00Z and on 25 October at 01:00Z; America/New_York on 8 March at 07:00Z and on
    // 1 November at 06:00Z.
    [Theory]
    [InlineData("an ordinary night", "0 22 * * *", 8, "Europe/Berlin", "2026-01-10T12:00Z", "2026-01-10T21:00Z", "2026-01-11T05:00Z")]
    [InlineData("clocks go forward within", "0 22 * * *", 8, "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-28T21:00Z", "2026-03-29T05:00Z")]
    [InlineData("the night after is an hour earlier in UTC", "0 22 * * *", 8, "Europe/Berlin", "2026-03-29T12:00Z", "2026-03-29T20:00Z", "2026-03-30T04:00Z")]
    [InlineData("02:30 does not exist: 03:00 is the first that does", "30 2 * * *", 1, "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z")]
    [InlineData("clocks go back within", "0 22 * * *", 8, "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-24T20:00Z", "2026-10-25T04:00Z")]
    [InlineData("02:30 comes twice: the first", "30 2 * * *", 1, "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T00:30Z", "2026-10-25T01:30Z")]
    [InlineData("and it is not opened a second time", "30 2 * * *", 1, "Europe/Berlin", "2026-10-25T01:30Z", "2026-10-26T01:30Z", "2026-10-26T02:30Z")]
    [InlineData("an ordinary night", "0 22 * * *", 8, "America/New_York", "2026-01-10T12:00Z", "2026-01-11T03:00Z", "2026-01-11T11:00Z")]
    [InlineData("clocks go forward within", "0 22 * * *", 8, "America/New_York", "2026-03-07T12:00Z", "2026-03-08T03:00Z", "2026-03-08T11:00Z")]
    [InlineData("02:30 does not exist: 03:00 is the first that does", "30 2 * * *", 1, "America/New_York", "2026-03-07T12:00Z", "2026-03-08T07:00Z", "2026-03-08T08:00Z")]
    [InlineData("clocks go back within", "0 22 * * *", 8, "America/New_York", "2026-10-31T12:00Z", "2026-11-01T02:00Z", "2026-11-01T10:00Z")]
    [InlineData("01:30 comes twice: the first", "30 1 * * *", 1, "America/New_York", "2026-10-31T12:00Z", "2026-11-01T05:30Z", "2026-11-01T06:30Z")]
    [InlineData("asked within, past midnight: the one under way", "0 22 * * *", 8, "Europe/Berlin", "2026-01-11T04:59Z", "2026-01-10T21:00Z", "2026-01-11T05:00Z")]
    [InlineData("asked at its end: the next", "0 22 * * *", 8, "Europe/Berlin", "2026-01-11T05:00Z", "2026-01-11T21:00Z", "2026-01-12T05:00Z")]
    [InlineData("once a year", "0 3 29 2 *", 2, "UTC", "2026-01-01T00:00Z", "2028-02-29T03:00Z", "2028-02-29T05:00Z")]
    public void A_recurring_window_opens_and_closes_at(string why, string cron, int hours, string zone, string after, string from, string to)
    {
        var request = new WindowRequest(new RolloutRequest([])) { Cron = cron, Duration = TimeSpan.FromHours(hours), TimeZone = zone };

        WindowCalendar.Next(request, At(after)).ShouldBe(new RolloutOpening(At(from), At(to)), why);
    }

    [Fact]
    public void Several_windows_that_overlap_or_touch_are_one_and_single_openings_count_too()
    {
        var request = new WindowRequest(new RolloutRequest([]))
        {
            Times =
            [
                Every("0 1 * * *", 2), Every("0 3 * * *", 1),
                new WindowTimes { From = At("2026-01-10T02:00Z"), To = At("2026-01-10T09:00Z") },
                new WindowTimes { From = At("2026-01-10T20:00Z"), To = At("2026-01-10T21:00Z") },
            ],
        };

        Coming(request, "2026-01-10T00:00Z", 3).ShouldBe(
            ["2026-01-10 01:00Z to 2026-01-10 09:00Z", "2026-01-10 20:00Z to 2026-01-10 21:00Z", "2026-01-11 01:00Z to 2026-01-11 04:00Z"]);
    }

    [Fact]
    public void A_window_that_opened_once_never_opens_again()
    {
        var request = new WindowRequest(new RolloutRequest([])) { Times = [new WindowTimes { From = At("2026-01-10T02:00Z"), To = At("2026-01-10T09:00Z") }] };

        WindowCalendar.Next(request, At("2026-01-10T09:00Z")).ShouldBeNull();
    }

    [Fact]
    public void Blackouts_are_cut_out_of_windows()
    {
        var request = new WindowRequest(new RolloutRequest([]))
        {
            Cron = "0 22 * * *",
            Duration = TimeSpan.FromHours(8),
            Blackouts = [new(At("2026-12-24T00:00Z"), At("2026-12-27T00:00Z"), "Christmas"), new(At("2026-12-28T01:00Z"), At("2026-12-28T02:00Z"))],
        };

        Coming(request, "2026-12-23T12:00Z", 4).ShouldBe(
        [
            "2026-12-23 22:00Z to 2026-12-24 00:00Z", "2026-12-27 00:00Z to 2026-12-27 06:00Z", "2026-12-27 22:00Z to 2026-12-28 01:00Z",
            "2026-12-28 02:00Z to 2026-12-28 06:00Z",
        ]);
    }

    [Fact]
    public void An_iCalendar_file_blacks_out_whole_days_and_recurring_events_in_their_zone()
    {
        var request = new WindowRequest(new RolloutRequest([]))
        {
            Cron = "0 20 * * *",
            Duration = TimeSpan.FromHours(2),
            TimeZone = "Europe/Berlin",
            BlackoutCalendar = """
                BEGIN:VCALENDAR
                VERSION:2.0
                PRODID:-//test//test//EN
                BEGIN:VEVENT
                UID:1
                DTSTART;VALUE=DATE:20261224
                DTEND;VALUE=DATE:20261227
                SUMMARY:Christmas
                END:VEVENT
                BEGIN:VEVENT
                UID:2
                DTSTART;TZID=America/New_York:20261201T140000
                DTEND;TZID=America/New_York:20261201T143000
                RRULE:FREQ=DAILY;COUNT=60
                SUMMARY:trading closes
                END:VEVENT
                END:VCALENDAR
                """.ReplaceLineEndings("\r\n"),
        };

        // 20:00 in Berlin is 19:00Z in winter; 14:00 in New York is 19:00Z.
        Coming(request, "2026-12-23T12:00Z", 2).ShouldBe(["2026-12-23 19:30Z to 2026-12-23 21:00Z", "2026-12-27 19:30Z to 2026-12-27 21:00Z"]);
    }

    [Fact]
    public void A_freeze_that_comes_every_year_and_lasts_for_months_is_closed_to_its_end()
    {
        var request = new WindowRequest(new RolloutRequest([])) { Cron = "0 2 * * *", Duration = TimeSpan.FromHours(1), BlackoutCalendar = Calendar("DTSTART;VALUE=DATE:20241101", "DTEND;VALUE=DATE:20250110", "RRULE:FREQ=YEARLY") };

        Coming(request, "2026-10-31T00:00Z", 2).ShouldBe(["2026-10-31 02:00Z to 2026-10-31 03:00Z", "2027-01-10 02:00Z to 2027-01-10 03:00Z"]);
        Coming(request, "2027-01-08T00:00Z", 1).ShouldBe(["2027-01-10 02:00Z to 2027-01-10 03:00Z"]);
    }

    [Fact]
    public void A_freeze_for_good_is_closed_and_one_beyond_all_years_is_refused()
    {
        var request = new WindowRequest(new RolloutRequest([])) { Cron = "0 2 * * *", Duration = TimeSpan.FromHours(1), BlackoutCalendar = Calendar("DTSTART;VALUE=DATE:20261101", "DTEND;VALUE=DATE:40990101") };

        WindowCalendar.Next(request, At("2026-11-02T00:00Z")).ShouldBeNull();
        Coming(request, "2026-10-30T00:00Z", 9).ShouldBe(["2026-10-30 02:00Z to 2026-10-30 03:00Z", "2026-10-31 02:00Z to 2026-10-31 03:00Z"]);
        Should.Throw<FormatException>(() => WindowCalendar.ReadCalendar(Calendar("DTSTART;VALUE=DATE:20261101", "DTEND;VALUE=DATE:99990101")))
            .Message.ShouldBe("An event of the calendar goes on into the year 9999; the last that can be followed is 9000.");
    }

    [Theory]
    [InlineData("Customized Time Zone")]
    [InlineData("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna")]
    public void A_calendar_in_a_time_zone_that_nobody_knows_is_refused_by_its_name(string zone)
    {
        var text = Calendar($"DTSTART;TZID=\"{zone}\":20261201T140000", $"DTEND;TZID=\"{zone}\":20261201T150000");

        Should.Throw<FormatException>(() => WindowCalendar.ReadCalendar(text)).Message.ShouldBe($"There is no time zone named '{zone}'.");
    }

    [Theory]
    [InlineData("sometimes", "UTC", null, "'sometimes' is no cron expression")]
    [InlineData("0 2 * * *", "Mars/Olympus", null, "There is no time zone named 'Mars/Olympus'.")]
    [InlineData("0 2 * * *", "UTC", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "The calendar has no event")]
    [InlineData("0 2 * * *", "UTC", "no calendar", "The calendar")]
    public void What_cannot_be_read_is_told_in_one_sentence(string cron, string zone, string? calendar, string sentence)
    {
        var request = new WindowRequest(new RolloutRequest([])) { Cron = cron, Duration = TimeSpan.FromHours(1), TimeZone = zone, BlackoutCalendar = calendar };

        Should.Throw<FormatException>(() => WindowCalendar.Next(request, At("2026-01-01T00:00Z"))).Message.ShouldStartWith(sentence);
    }

    private static string Calendar(params string[] lines) =>
        string.Join("\r\n", ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//test//EN", "BEGIN:VEVENT", "UID:1", .. lines, "END:VEVENT", "END:VCALENDAR", ""]);

    private static WindowTimes Every(string cron, int hours) => new() { Cron = cron, Duration = TimeSpan.FromHours(hours) };

    private static IEnumerable<string> Coming(WindowRequest request, string from, int count) => WindowCalendar.Coming(request, At(from), count)
        .Select(opening => $"{opening.From.UtcDateTime:yyyy-MM-dd HH:mm}Z to {opening.To.UtcDateTime:yyyy-MM-dd HH:mm}Z");

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text);
}
