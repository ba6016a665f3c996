namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>What a schedule does just now.</summary>
public enum ScheduleStatus
{
    /// <summary>There is none.</summary>
    Uninitialized,

    /// <summary>It starts what is due.</summary>
    Active,

    /// <summary>It starts nothing until it is resumed.</summary>
    Paused,
}

/// <summary>A schedule as it stands.</summary>
public record ScheduleDescription
{
    /// <summary>The id of the schedule.</summary>
    public string ScheduleId { get; init; } = "";

    /// <summary>The orchestration it starts.</summary>
    public string? OrchestrationName { get; init; }

    /// <summary>What every run gets as its input.</summary>
    public string? OrchestrationInput { get; init; }

    /// <summary>The instance id of every run; null if each has its own.</summary>
    public string? OrchestrationInstanceId { get; init; }

    /// <summary>No run is due before.</summary>
    public DateTimeOffset? StartAt { get; init; }

    /// <summary>No run is started after.</summary>
    public DateTimeOffset? EndAt { get; init; }

    /// <summary>The distance between runs; null if they follow a cron expression.</summary>
    public TimeSpan? Interval { get; init; }

    /// <summary>The cron expression; null if runs follow an interval.</summary>
    public string? CronExpression { get; init; }

    /// <summary>The IANA name of the time zone of the cron expression; null means UTC.</summary>
    public string? TimeZone { get; init; }

    /// <summary>Whether a first run that was due is started at once.</summary>
    public bool? StartImmediatelyIfLate { get; init; }

    /// <summary>What it does just now.</summary>
    public ScheduleStatus Status { get; init; }

    /// <summary>Changes whenever what was planned before no longer counts.</summary>
    public string ExecutionToken { get; init; } = "";

    /// <summary>When it was created.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When the last run was started; null before the first.</summary>
    public DateTimeOffset? LastRunAt { get; init; }

    /// <summary>When the next run is due; null if there is none, because it is paused or has come to its end.</summary>
    public DateTimeOffset? NextRunAt { get; init; }
}

/// <summary>Which schedules are wanted.</summary>
public record ScheduleQuery
{
    /// <summary>How many a page has, if nothing else is said.</summary>
    public const int DefaultPageSize = 100;

    /// <summary>Only those; null for all.</summary>
    public ScheduleStatus? Status { get; init; }

    /// <summary>The beginning of their ids.</summary>
    public string? ScheduleIdPrefix { get; init; }

    /// <summary>Created after.</summary>
    public DateTimeOffset? CreatedFrom { get; init; }

    /// <summary>Created before.</summary>
    public DateTimeOffset? CreatedTo { get; init; }

    /// <summary>How many schedules are looked at for a page, which has those of them that are wanted.</summary>
    public int? PageSize { get; init; }

    /// <summary>Where to go on; null from the beginning.</summary>
    public string? ContinuationToken { get; init; }
}
