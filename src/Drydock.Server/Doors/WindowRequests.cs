using System.Globalization;
using Drydock.Api;
using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Server;

/// <summary>Turns what a caller sent about windows into what is persisted, or into everything that is wrong with it.</summary>
internal sealed class WindowRequests(RolloutRequests rollouts)
{
    private const int MostTimes = 50;
    private const int MostBlackouts = 200;
    private const int LongestCalendar = 64 * 1024;
    private const string InstantAllowed = "an instant such as 2026-03-01T22:00:00+01:00, of the years 1970 to 9000";
    private const int FirstYear = 1970;
    private const int LastYear = 9000;
    private static readonly TimeSpan LongestWindow = TimeSpan.FromDays(31);

    /// <summary>Reads a window.</summary>
    /// <param name="create">What was sent.</param>
    /// <param name="requestedBy">Who asks.</param>
    /// <param name="mustExist">The nodes that it names must be there now.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<Answer<WindowRequest>> ReadAsync(WindowCreate create, Requester requestedBy, bool mustExist, CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        if (create.Name is null || !KubernetesName.IsLabel(create.Name))
        {
            reader.Fail("name", create.Name, "lower-case letters, digits and '-', at most 63 characters");
        }

        var request = ReadCalendar(reader, create) with
        {
            OnClose = reader.Choice("onClose", create.OnClose, WindowClosePolicy.Finish, WindowClosePolicy.Finish, WindowClosePolicy.Pause, WindowClosePolicy.Cancel),
        };
        if (create.Rollout is null)
        {
            reader.Fail("rollout", null, "what to start when the window opens");
        }
        else
        {
            request = request with { Rollout = await rollouts.ReadAsync(reader, "rollout.", create.Rollout, requestedBy, mustExist ? NodeCheck.Named : NodeCheck.None, cancellationToken) };
        }

        return reader.Errors.Count == 0 ? request : Problems.Invalid(reader.Errors);
    }

    /// <summary>Reads when it is open.</summary>
    public static WindowRequest ReadCalendar(FieldReader reader, WindowCreate create)
    {
        var zone = ReadZone(reader, "timeZone", create.TimeZone, "UTC");
        var times = create.Times ?? [];
        if (create.Cron is null && times.Count == 0)
        {
            reader.Fail("cron", null, "a cron expression such as '0 22 * * 1-5', or 'times'");
        }

        if (times.Count > MostTimes)
        {
            reader.Fail("times", $"{times.Count} windows", $"at most {MostTimes}");
        }

        var first = create.Cron is null ? null : ReadRecurring(reader, "", create.Cron, create.Duration, zone);
        return new WindowRequest(new RolloutRequest([]))
        {
            Cron = first?.Cron,
            Duration = first?.Duration ?? TimeSpan.Zero,
            TimeZone = zone,
            Times = [.. times.Take(MostTimes).Select((one, i) => ReadTimes(reader, $"times[{i}].", one, zone))],
            Blackouts = ReadBlackouts(reader, create.Blackouts ?? [], zone),
            BlackoutCalendar = ReadICalendar(reader, create.BlackoutCalendar),
        };
    }

    private static WindowTimes ReadTimes(FieldReader reader, string prefix, WindowTimesCreate times, string zone)
    {
        if (times.Cron is not null)
        {
            return ReadRecurring(reader, prefix, times.Cron, times.Duration, ReadZone(reader, prefix + "timeZone", times.TimeZone, zone));
        }

        var from = ReadInstant(reader, prefix + "from", times.From);
        var to = ReadInstant(reader, prefix + "to", times.To);
        if (to <= from || to - from > LongestWindow)
        {
            reader.Fail(prefix + "to", times.To, $"a moment after 'from', {LongestWindow.TotalDays:0} days later at the most");
        }

        return new WindowTimes { From = from, To = to };
    }

    private static WindowTimes ReadRecurring(FieldReader reader, string prefix, string cron, string? duration, string zone)
    {
        try
        {
            WindowCalendar.ReadCron(cron);
        }
        catch (FormatException)
        {
            reader.Fail(prefix + "cron", cron, "a cron expression such as '0 22 * * 1-5'");
        }

        if (duration is null)
        {
            reader.Fail(prefix + "duration", null, DurationText.Allowed);
        }

        return new WindowTimes
        {
            Cron = cron,
            Duration = reader.Duration(prefix + "duration", duration, TimeSpan.FromHours(1), TimeSpan.FromSeconds(1), LongestWindow),
            TimeZone = zone,
        };
    }

    private static string ReadZone(FieldReader reader, string field, string? zone, string otherwise)
    {
        if (zone is not null && !TimeZoneInfo.TryFindSystemTimeZoneById(zone, out _))
        {
            reader.Fail(field, zone, "an IANA time zone such as Europe/Berlin");
            return otherwise;
        }

        return zone ?? otherwise;
    }

    private static DateTimeOffset? ReadInstant(FieldReader reader, string field, string? text)
    {
        if (TryInstant(text, out var at))
        {
            return at;
        }

        reader.Fail(field, text, InstantAllowed);
        return null;
    }

    private static IReadOnlyList<Blackout> ReadBlackouts(FieldReader reader, IReadOnlyList<string> texts, string zone)
    {
        if (texts.Count > MostBlackouts)
        {
            reader.Fail("blackouts", $"{texts.Count} of them", $"at most {MostBlackouts}; an iCalendar text takes more");
            return [];
        }

        var blackouts = new List<Blackout>(texts.Count);
        for (var i = 0; i < texts.Count; i++)
        {
            if (ReadBlackout(texts[i], WindowCalendar.ReadZone(zone)) is { } blackout && blackout.To > blackout.From)
            {
                blackouts.Add(blackout);
            }
            else
            {
                reader.Fail($"blackouts[{i}]", texts[i], "2026-12-24, 2026-12-24/2027-01-01 (the last day included), or two instants with '/' between, of the years 1970 to 9000");
            }
        }

        return blackouts;
    }

    private static Blackout? ReadBlackout(string text, TimeZoneInfo zone)
    {
        var parts = text.Split('/', StringSplitOptions.TrimEntries);
        if (parts.Length is 1 or 2 && TryDate(parts[0], out var first) && TryDate(parts[^1], out var last))
        {
            return new Blackout(
                WindowCalendar.Local(first.ToDateTime(TimeOnly.MinValue), zone), WindowCalendar.Local(last.AddDays(1).ToDateTime(TimeOnly.MinValue), zone));
        }

        return parts is [var from, var to] && TryInstant(from, out var opens) && TryInstant(to, out var closes) ? new Blackout(opens, closes) : null;
    }

    private static string? ReadICalendar(FieldReader reader, string? text)
    {
        if (text is null)
        {
            return null;
        }

        var why = "";
        try
        {
            if (text.Length <= LongestCalendar)
            {
                WindowCalendar.ReadCalendar(text);
                return text;
            }
        }
        catch (FormatException mistake)
        {
            why = $" ({mistake.Message.TrimEnd('.')})";
        }

        reader.Fail(
            "blackoutCalendar", text.Length > 60 ? text[..60] + "…" : text,
            $"an iCalendar text (RFC 5545) with at least one VEVENT, times in UTC or in IANA time zones, at most {LongestCalendar} characters{why}");
        return null;
    }

    private static bool TryDate(string text, out DateOnly date) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out date) && date.Year is >= FirstYear and <= LastYear;

    // An instant without an offset would mean another moment on another machine.
    private static bool TryInstant(string? text, out DateTimeOffset at)
    {
        at = default;
        return text is [.., 'Z'] or [.., '+' or '-', _, _, ':', _, _]
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out at)
            && at.Year is >= FirstYear and <= LastYear;
    }
}
