namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>What the entity of a schedule keeps. It is stored: it only gains optional members.</summary>
internal sealed class ScheduleState
{
    public ScheduleStatus Status { get; set; }

    public string ExecutionToken { get; set; } = "";

    public DateTimeOffset? ScheduleCreatedAt { get; set; }

    public DateTimeOffset? ScheduleLastModifiedAt { get; set; }

    public DateTimeOffset? LastRunAt { get; set; }

    public DateTimeOffset? NextRunAt { get; set; }

    public ScheduleConfiguration? ScheduleConfiguration { get; set; }

    public ScheduleDescription Describe(string id) => new()
    {
        ScheduleId = id,
        OrchestrationName = ScheduleConfiguration?.OrchestrationName,
        OrchestrationInput = ScheduleConfiguration?.OrchestrationInput,
        OrchestrationInstanceId = ScheduleConfiguration?.OrchestrationInstanceId,
        StartAt = ScheduleConfiguration?.StartAt,
        EndAt = ScheduleConfiguration?.EndAt,
        Interval = ScheduleConfiguration is { CronExpression: null } byInterval ? byInterval.Interval : null,
        CronExpression = ScheduleConfiguration?.CronExpression,
        TimeZone = ScheduleConfiguration?.TimeZone,
        StartImmediatelyIfLate = ScheduleConfiguration?.StartImmediatelyIfLate,
        Status = Status,
        ExecutionToken = ExecutionToken,
        CreatedAt = ScheduleCreatedAt,
        LastRunAt = LastRunAt,
        NextRunAt = NextRunAt,
    };
}

/// <summary>What is to be started, and when. It is stored: it only gains optional members.</summary>
internal sealed record ScheduleConfiguration
{
    public string OrchestrationName { get; init; } = "";

    public string? OrchestrationInput { get; init; }

    public string? OrchestrationInstanceId { get; init; }

    public DateTimeOffset? StartAt { get; init; }

    public DateTimeOffset? EndAt { get; init; }

    public TimeSpan Interval { get; init; }

    public string? CronExpression { get; init; }

    public string? TimeZone { get; init; }

    public bool StartImmediatelyIfLate { get; init; }

    public static ScheduleConfiguration Of(ScheduleCreationOptions options) => Checked(options.ScheduleId, new ScheduleConfiguration
    {
        OrchestrationName = options.OrchestrationName,
        OrchestrationInput = options.OrchestrationInput,
        OrchestrationInstanceId = NullIfEmpty(options.OrchestrationInstanceId),
        StartAt = options.StartAt,
        EndAt = options.EndAt,
        Interval = options.Interval,
        CronExpression = options.CronExpression,
        TimeZone = options.TimeZone,
        StartImmediatelyIfLate = options.StartImmediatelyIfLate,
    });

    /// <summary>Whether runs of both are due at the same times.</summary>
    public bool HasTimesOf(ScheduleConfiguration other) => (StartAt, EndAt, Interval, CronExpression, TimeZone, StartImmediatelyIfLate)
        == (other.StartAt, other.EndAt, other.Interval, other.CronExpression, other.TimeZone, other.StartImmediatelyIfLate);

    /// <summary>The same with what is given.</summary>
    /// <exception cref="ScheduleClientValidationException">What comes of it makes no sense.</exception>
    public ScheduleConfiguration With(string scheduleId, ScheduleUpdateOptions options)
    {
        if (options is { Interval: not null, CronExpression: not null })
        {
            throw new ScheduleClientValidationException(scheduleId, "it follows either an interval or a cron expression.");
        }

        var cron = options.Interval is null ? options.CronExpression ?? CronExpression : null;
        return Checked(scheduleId, this with
        {
            OrchestrationName = string.IsNullOrEmpty(options.OrchestrationName) ? OrchestrationName : options.OrchestrationName,
            OrchestrationInput = options.OrchestrationInput ?? OrchestrationInput,
            OrchestrationInstanceId = NullIfEmpty(options.OrchestrationInstanceId ?? OrchestrationInstanceId),
            StartAt = options.StartAt ?? StartAt,
            EndAt = options.EndAt ?? EndAt,
            Interval = options.Interval ?? (cron is null ? Interval : TimeSpan.Zero),
            CronExpression = cron,
            TimeZone = cron is null ? null : options.TimeZone ?? TimeZone,
            StartImmediatelyIfLate = options.StartImmediatelyIfLate ?? StartImmediatelyIfLate,
        });
    }

    private static ScheduleConfiguration Checked(string scheduleId, ScheduleConfiguration configuration)
    {
        if (configuration.StartAt > configuration.EndAt)
        {
            throw new ScheduleClientValidationException(scheduleId, $"its end, {configuration.EndAt:O}, is before its start, {configuration.StartAt:O}.");
        }

        if (configuration.CronExpression is { } cron)
        {
            try
            {
                Recurrence.CheckCron(cron, configuration.TimeZone);
            }
            catch (ArgumentException mistake)
            {
                throw new ScheduleClientValidationException(scheduleId, mistake.Message);
            }
        }

        return configuration;
    }

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
