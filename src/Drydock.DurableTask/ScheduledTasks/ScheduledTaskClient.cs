namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>Makes and finds schedules. What a method acknowledged is durable.</summary>
public abstract class ScheduledTaskClient
{
    /// <summary>A client of one schedule, whether or not there is one.</summary>
    public abstract ScheduleClient GetScheduleClient(string scheduleId);

    /// <summary>Reads schedules.</summary>
    public abstract AsyncPageable<ScheduleDescription> ListSchedulesAsync(ScheduleQuery? filter = null);

    /// <summary>
    /// Makes a schedule. One that has this id already is replaced and counts from now, unless it is just the same: then nothing changes, so
    /// that a program can make its schedules whenever it starts, and one that somebody has paused stays paused.
    /// </summary>
    /// <exception cref="InvalidOperationException">It makes no sense; the message says why.</exception>
    public abstract Task<ScheduleClient> CreateScheduleAsync(ScheduleCreationOptions creationOptions, CancellationToken cancellation = default);

    /// <summary>Reads a schedule; null if there is none.</summary>
    public abstract Task<ScheduleDescription?> GetScheduleAsync(string scheduleId, CancellationToken cancellation = default);
}

/// <summary>A client of one schedule.</summary>
public abstract class ScheduleClient
{
    /// <summary>Names the schedule.</summary>
    protected ScheduleClient(string scheduleId)
    {
        ArgumentException.ThrowIfNullOrEmpty(scheduleId);
        ScheduleId = scheduleId;
    }

    /// <summary>The id of the schedule.</summary>
    public string ScheduleId { get; }

    /// <summary>Makes the schedule, as <see cref="ScheduledTaskClient.CreateScheduleAsync"/> does.</summary>
    /// <exception cref="ArgumentException">The options are for another schedule.</exception>
    public abstract Task CreateAsync(ScheduleCreationOptions creationOptions, CancellationToken cancellation = default);

    /// <summary>Reads the schedule.</summary>
    /// <exception cref="ScheduleNotFoundException">There is none.</exception>
    public abstract Task<ScheduleDescription> DescribeAsync(CancellationToken cancellation = default);

    /// <summary>Deletes the schedule, if there is one. What it has started goes on.</summary>
    public abstract Task DeleteAsync(CancellationToken cancellation = default);

    /// <summary>Nothing is started until it is resumed. What it has started goes on.</summary>
    /// <exception cref="ScheduleNotFoundException">There is none.</exception>
    /// <exception cref="InvalidOperationException">It is paused already.</exception>
    public abstract Task PauseAsync(CancellationToken cancellation = default);

    /// <summary>It goes on with the next run that becomes due.</summary>
    /// <exception cref="ScheduleNotFoundException">There is none.</exception>
    /// <exception cref="InvalidOperationException">It is not paused.</exception>
    public abstract Task ResumeAsync(CancellationToken cancellation = default);

    /// <summary>Changes the schedule. A run that is due is started as it was before.</summary>
    /// <exception cref="ScheduleNotFoundException">There is none.</exception>
    /// <exception cref="InvalidOperationException">What comes of it makes no sense; the message says why.</exception>
    public abstract Task UpdateAsync(ScheduleUpdateOptions updateOptions, CancellationToken cancellation = default);
}
