using Cronos;

namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>When runs are due. Pure: the same configuration gives the same instants, as long as the time zone data is the same.</summary>
internal static class Recurrence
{
    private static readonly TimeSpan _shortestInterval = TimeSpan.FromSeconds(1);

    /// <summary>The first run that is due after a moment, or at it; null if there is none until the end.</summary>
    /// <param name="configuration">The schedule.</param>
    /// <param name="origin">When its runs begin: the first one of an interval.</param>
    /// <param name="moment">The moment.</param>
    /// <param name="inclusive">Whether one that is due at that very moment counts.</param>
    /// <exception cref="ArgumentException">The time zone is not known on this machine.</exception>
    public static DateTimeOffset? After(ScheduleConfiguration configuration, DateTimeOffset origin, DateTimeOffset moment, bool inclusive)
    {
        if (moment < origin)
        {
            (moment, inclusive) = (origin, true);
        }

        var next = configuration.CronExpression is { } cron
            ? ReadCron(cron).GetNextOccurrence(moment.ToUniversalTime(), ReadZone(configuration.TimeZone), inclusive)?.ToUniversalTime()
            : NextOf(configuration.Interval, origin, moment, inclusive);
        return next > configuration.EndAt ? null : next;
    }

    /// <summary>Returns if a schedule may have that interval.</summary>
    /// <exception cref="ArgumentException">It is shorter than a second.</exception>
    public static void CheckInterval(TimeSpan interval, string name)
    {
        if (interval < _shortestInterval)
        {
            throw new ArgumentException($"An interval of {interval:c} is too short: at least {_shortestInterval:c} is allowed.", name);
        }
    }

    /// <summary>Returns if a schedule may have that expression and that time zone.</summary>
    /// <exception cref="ArgumentException">The expression cannot be read, or there is no such time zone.</exception>
    public static void CheckCron(string expression, string? timeZone)
    {
        ReadCron(expression);
        ReadZone(timeZone);
    }

    private static DateTimeOffset? NextOf(TimeSpan interval, DateTimeOffset origin, DateTimeOffset moment, bool inclusive)
    {
        var passed = (moment - origin).Ticks;
        var count = passed % interval.Ticks == 0 && inclusive ? passed / interval.Ticks : (passed / interval.Ticks) + 1;

        // Beyond the end of the calendar nothing is due.
        return count > (DateTimeOffset.MaxValue.UtcTicks - origin.UtcTicks) / interval.Ticks
            ? null
            : origin.ToUniversalTime() + TimeSpan.FromTicks(count * interval.Ticks);
    }

    private static CronExpression ReadCron(string cronExpression)
    {
        var fields = cronExpression.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
        try
        {
            return CronExpression.Parse(cronExpression, fields == 6 ? CronFormat.IncludeSeconds : CronFormat.Standard);
        }
        catch (CronFormatException mistake)
        {
            throw new ArgumentException($"'{cronExpression}' is no cron expression: {mistake.Message}", nameof(cronExpression), mistake);
        }
    }

    private static TimeZoneInfo ReadZone(string? timeZone)
    {
        if (timeZone is null)
        {
            return TimeZoneInfo.Utc;
        }

        return TimeZoneInfo.TryFindSystemTimeZoneById(timeZone, out var zone)
            ? zone
            : throw new ArgumentException($"There is no time zone named '{timeZone}': an IANA name such as Europe/Berlin is wanted.", nameof(timeZone));
    }
}
