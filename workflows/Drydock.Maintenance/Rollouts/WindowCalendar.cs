using Cronos;
using Ical.Net.DataTypes;

namespace Drydock.Maintenance.Rollouts;

/// <summary>When maintenance windows are open. Pure: the same request gives the same instants, as long as the time zone data is the same.</summary>
/// <remarks>
/// A window opens at a local time and stays open for an elapsed time. In the night in which clocks go forward, a local time that does not
/// exist is the first one that does; in the night in which they go back, a local time that comes twice is the first of the two.
/// </remarks>
public static class WindowCalendar
{
    /// <summary>How far ahead the next opening is looked for, in steps, because most windows open soon.</summary>
    private static readonly IReadOnlyList<TimeSpan> Horizons = [TimeSpan.FromDays(8), TimeSpan.FromDays(62), TimeSpan.FromDays(400), TimeSpan.FromDays(3000)];

    private const int MostOccurrences = 20_000;
    private const int MostTried = 100;
    private const int LastYear = 9000;

    /// <summary>The first opening that ends after that moment; it may have begun before. Null: there is none in the next eight years.</summary>
    /// <exception cref="FormatException">A cron expression, a time zone or the iCalendar text cannot be read; the message says which.</exception>
    public static RolloutOpening? Next(WindowRequest request, DateTimeOffset after)
    {
        ArgumentNullException.ThrowIfNull(request);
        foreach (var horizon in Horizons)
        {
            var open = Openings(request, after, after + horizon);
            if (open.FirstOrDefault(opening => opening.To > after) is { } next && (next.To < after + horizon || horizon == Horizons[^1]))
            {
                return next;
            }
        }

        return null;
    }

    /// <summary>The coming openings, the one under way included.</summary>
    /// <exception cref="FormatException">As for the next one.</exception>
    public static IReadOnlyList<RolloutOpening> Coming(WindowRequest request, DateTimeOffset from, int count)
    {
        var coming = new List<RolloutOpening>(count);
        while (coming.Count < count && Next(request, from) is { } opening)
        {
            coming.Add(opening);
            from = opening.To;
        }

        return coming;
    }

    /// <summary>Reads five fields of cron, or six with seconds.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static CronExpression ReadCron(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var fields = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
        try
        {
            return CronExpression.Parse(text, fields == 6 ? CronFormat.IncludeSeconds : CronFormat.Standard);
        }
        catch (CronFormatException mistake)
        {
            throw new FormatException($"'{text}' is no cron expression: {mistake.Message}", mistake);
        }
    }

    /// <summary>The same to show; none of a window that was set up by a version that took more than this one can follow: it says so itself when it comes to it.</summary>
    public static IReadOnlyList<RolloutOpening> Shown(WindowRequest request, DateTimeOffset from, int count)
    {
        try
        {
            return [.. Coming(request, from, count)];
        }
        catch (FormatException)
        {
            return [];
        }
    }

    /// <summary>Reads a time zone by its IANA name.</summary>
    /// <exception cref="FormatException">There is none of that name.</exception>
    public static TimeZoneInfo ReadZone(string name) =>
        TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) ? zone : throw new FormatException($"There is no time zone named '{name}'.");

    /// <summary>Reads an iCalendar text.</summary>
    /// <exception cref="FormatException">It is none, or has no event.</exception>
    public static Ical.Net.Calendar ReadCalendar(string text)
    {
        Ical.Net.Calendar? calendar;
        try
        {
            calendar = Ical.Net.Calendar.Load(text);
        }
        catch (Exception mistake) when (mistake is not OutOfMemoryException)
        {
            // The library throws what its parts throw.
            throw new FormatException($"The calendar cannot be read: {mistake.Message}", mistake);
        }

        if (calendar is not { Events.Count: > 0 })
        {
            throw new FormatException("The calendar has no event (VEVENT).");
        }

        if (calendar.Events.Any(static one => one.DtStart is null))
        {
            throw new FormatException("An event of the calendar has no beginning (DTSTART).");
        }

        // The library takes a zone that it does not know for the one whose name it finds in the text, or fails when the event is due.
        var zones = calendar.Events.SelectMany(static one => new[] { one.DtStart?.TzId, one.DtEnd?.TzId }).OfType<string>().Distinct(StringComparer.Ordinal);
        foreach (var zone in zones.Where(static zone => zone.Length > 0))
        {
            ReadZone(zone);
        }

        var years = calendar.Events.SelectMany(static one => new[] { one.DtStart?.Value.Year, one.DtEnd?.Value.Year }).OfType<int>();
        if (years.Max() is > LastYear and var last)
        {
            throw new FormatException($"An event of the calendar goes on into the year {last}; the last that can be followed is {LastYear}.");
        }

        Enumerate(calendar, DateTime.UnixEpoch, MostTried);
        return calendar;
    }

    private static List<Occurrence> Enumerate(Ical.Net.Calendar calendar, DateTime from, int most, Func<Occurrence, bool>? isWanted = null)
    {
        try
        {
            return [.. calendar.GetOccurrences(new CalDateTime(from)).Take(most).TakeWhile(isWanted ?? (static _ => true))];
        }
        catch (Exception mistake) when (mistake is not (OutOfMemoryException or FormatException))
        {
            throw new FormatException($"The calendar cannot be followed: {mistake.Message}", mistake);
        }
    }

    private static List<RolloutOpening> Openings(WindowRequest request, DateTimeOffset from, DateTimeOffset to)
    {
        var open = Merge(request.AllTimes.SelectMany(times => Occurrences(times, from, to)));
        var closed = request.Blackouts.Select(blackout => new RolloutOpening(blackout.From, blackout.To)).Concat(CalendarEvents(request, from, to));
        return closed.Aggregate(open, Subtract);
    }

    private static IEnumerable<RolloutOpening> Occurrences(WindowTimes times, DateTimeOffset from, DateTimeOffset to)
    {
        if (times.Cron is null)
        {
            return times is { From: { } opens, To: { } closes } && closes > opens ? [new RolloutOpening(opens, closes)] : [];
        }

        return ReadCron(times.Cron)
            .GetOccurrences(from - times.Duration, to, ReadZone(times.TimeZone))
            .Take(MostOccurrences)
            .Select(at => new RolloutOpening(at.ToUniversalTime(), at.ToUniversalTime() + times.Duration));
    }

    private static IEnumerable<RolloutOpening> CalendarEvents(WindowRequest request, DateTimeOffset from, DateTimeOffset to)
    {
        if (request.BlackoutCalendar is null)
        {
            return [];
        }

        // Events without a zone, such as whole days, are in that of the first window.
        var zone = ReadZone(request.AllTimes.FirstOrDefault(times => times.Cron is not null)?.TimeZone ?? "UTC");
        var calendar = ReadCalendar(request.BlackoutCalendar);
        var longest = calendar.Events.Max(static one => one.EffectiveDuration.ToTimeSpanUnspecified()) + TimeSpan.FromDays(1);
        var begin = longest < from - DateTimeOffset.UnixEpoch ? from - longest : DateTimeOffset.UnixEpoch;
        return Enumerate(
                calendar, begin.UtcDateTime, MostOccurrences, occurrence => Instant(occurrence.Period.StartTime, zone) < to)
            .Select(occurrence => new RolloutOpening(
                Instant(occurrence.Period.StartTime, zone), Instant(occurrence.Period.EffectiveEndTime ?? occurrence.Period.StartTime.AddDays(1), zone)));
    }

    private static DateTimeOffset Instant(CalDateTime time, TimeZoneInfo zone) => time.IsFloating
        ? Local(time.Value, zone)
        : new DateTimeOffset(DateTime.SpecifyKind(time.AsUtc, DateTimeKind.Utc));

    /// <summary>A local time as an instant; one that does not exist is the first one that does, of two the first.</summary>
    public static DateTimeOffset Local(DateTime local, TimeZoneInfo zone)
    {
        ArgumentNullException.ThrowIfNull(zone);
        local = DateTime.SpecifyKind(local, DateTimeKind.Unspecified);
        while (zone.IsInvalidTime(local))
        {
            local = local.AddMinutes(1);
        }

        var offset = zone.IsAmbiguousTime(local) ? zone.GetAmbiguousTimeOffsets(local).Max() : zone.GetUtcOffset(local);
        return new DateTimeOffset(local, offset).ToUniversalTime();
    }

    /// <summary>Windows that overlap or touch are one.</summary>
    private static List<RolloutOpening> Merge(IEnumerable<RolloutOpening> openings)
    {
        var merged = new List<RolloutOpening>();
        foreach (var opening in openings.OrderBy(one => one.From))
        {
            if (merged is [.., var last] && opening.From <= last.To)
            {
                merged[^1] = last with { To = opening.To > last.To ? opening.To : last.To };
            }
            else
            {
                merged.Add(opening);
            }
        }

        return merged;
    }

    private static List<RolloutOpening> Subtract(List<RolloutOpening> openings, RolloutOpening closed) =>
    [
        .. openings.SelectMany(open => closed.To <= open.From || closed.From >= open.To
            ? [open]
            : new[] { open with { To = closed.From }, open with { From = closed.To } }.Where(rest => rest.To > rest.From)),
    ];
}
