using System.Text.Json.Serialization;

namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>
/// An orchestration that is to be started again and again: at a fixed distance, or by a cron expression in a time zone.
/// </summary>
/// <remarks>
/// <para>By interval, runs are due at <see cref="StartAt"/> and every interval of elapsed time after it; without it, from one interval
/// after the creation on. By cron, they are due when the clock of the time zone says so, from <see cref="StartAt"/> on. In the night in
/// which that clock goes forward, a time that is left out becomes the first one after the gap; in the night in which it goes back, a time
/// that comes twice counts once, except for an expression with a step or a wildcard in the hours or minutes, which goes on through both.</para>
/// <para>Every run that is due is started once. If nobody could start it in time, because hub or worker were away, it is started as soon
/// as they are back, and whatever else became due meanwhile is not made up for: one late run stands for all of them.</para>
/// </remarks>
public record ScheduleCreationOptions
{
    /// <summary>Runs at a fixed distance.</summary>
    /// <param name="scheduleId">The id of the schedule; what is created under an id that exists takes its place.</param>
    /// <param name="orchestrationName">The orchestration to start.</param>
    /// <param name="interval">The distance; at least a second.</param>
    /// <exception cref="ArgumentException">An argument is empty, or the interval too short.</exception>
    public ScheduleCreationOptions(string scheduleId, string orchestrationName, TimeSpan interval)
        : this(scheduleId, orchestrationName, interval, cronExpression: null, timeZone: null)
    {
    }

    /// <summary>Runs by a cron expression.</summary>
    /// <param name="scheduleId">The id of the schedule; what is created under an id that exists takes its place.</param>
    /// <param name="orchestrationName">The orchestration to start.</param>
    /// <param name="cronExpression">Five fields, or six of which the first are seconds.</param>
    /// <param name="timeZone">The IANA name of the time zone; null means UTC.</param>
    /// <exception cref="ArgumentException">An argument is empty, the expression cannot be read, or there is no such time zone.</exception>
    public ScheduleCreationOptions(string scheduleId, string orchestrationName, string cronExpression, string? timeZone = null)
        : this(scheduleId, orchestrationName, TimeSpan.Zero, cronExpression ?? throw new ArgumentNullException(nameof(cronExpression)), timeZone)
    {
    }

    [JsonConstructor]
    private ScheduleCreationOptions(string scheduleId, string orchestrationName, TimeSpan interval, string? cronExpression, string? timeZone)
    {
        ArgumentException.ThrowIfNullOrEmpty(scheduleId);
        ArgumentException.ThrowIfNullOrEmpty(orchestrationName);
        if (cronExpression is null)
        {
            Recurrence.CheckInterval(interval, nameof(interval));
        }
        else
        {
            Recurrence.CheckCron(cronExpression, timeZone);
        }

        (ScheduleId, OrchestrationName, Interval, CronExpression, TimeZone) = (scheduleId, orchestrationName, interval, cronExpression, timeZone);
    }

    /// <summary>The id of the schedule.</summary>
    public string ScheduleId { get; }

    /// <summary>The orchestration to start.</summary>
    public string OrchestrationName { get; }

    /// <summary>The distance between runs; zero if they follow a cron expression.</summary>
    public TimeSpan Interval { get; }

    /// <summary>The cron expression; null if runs follow an interval.</summary>
    public string? CronExpression { get; }

    /// <summary>The IANA name of the time zone of the cron expression; null means UTC.</summary>
    public string? TimeZone { get; }

    /// <summary>What every run gets as its input.</summary>
    public string? OrchestrationInput { get; init; }

    /// <summary>
    /// The instance id of every run: one that is due while the one before it has not ended is left out. Null, the default: each run gets
    /// an id of its own, and runs may overlap.
    /// </summary>
    public string? OrchestrationInstanceId { get; init; }

    /// <summary>No run is due before; null means the creation.</summary>
    public DateTimeOffset? StartAt { get; init; }

    /// <summary>No run is started after; null means never ending.</summary>
    public DateTimeOffset? EndAt { get; init; }

    /// <summary>
    /// Whether the first run is started at once if it was due when the schedule was created, resumed or updated. The default is false:
    /// then the first run is the next one that becomes due.
    /// </summary>
    public bool StartImmediatelyIfLate { get; init; }
}

/// <summary>What of a schedule is to change; null leaves a value as it is. When a time changes, the next run is found anew.</summary>
public record ScheduleUpdateOptions
{
    private readonly TimeSpan? _interval;

    /// <summary>The orchestration to start.</summary>
    public string? OrchestrationName { get; init; }

    /// <summary>What every run gets as its input.</summary>
    public string? OrchestrationInput { get; init; }

    /// <summary>The instance id of every run; "" gives each an id of its own.</summary>
    public string? OrchestrationInstanceId { get; init; }

    /// <summary>No run is due before.</summary>
    public DateTimeOffset? StartAt { get; init; }

    /// <summary>No run is started after.</summary>
    public DateTimeOffset? EndAt { get; init; }

    /// <summary>The distance between runs, in the place of a cron expression if there was one; at least a second.</summary>
    /// <exception cref="ArgumentException">It is shorter.</exception>
    public TimeSpan? Interval
    {
        get => _interval;
        init
        {
            if (value is { } interval)
            {
                Recurrence.CheckInterval(interval, nameof(value));
            }

            _interval = value;
        }
    }

    /// <summary>A cron expression, in the place of an interval if there was one.</summary>
    public string? CronExpression { get; init; }

    /// <summary>The IANA name of the time zone of the cron expression.</summary>
    public string? TimeZone { get; init; }

    /// <summary>Whether a first run that was due is started at once.</summary>
    public bool? StartImmediatelyIfLate { get; init; }
}
