using Drydock.DurableTask.Entities;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>
/// The entity of a schedule. It has one signal to itself on the way, which arrives when the next run is due. What an operation changes,
/// the orchestration it starts and the signal it sends are one transaction, and so is the arrival of the signal: a crash loses no run and
/// doubles none. Names and states are those of the official package, so that a client of it gets on with this.
/// </summary>
internal sealed class Schedule(TimeProvider clock, ILogger<Schedule> logger) : TaskEntity<ScheduleState>
{
    /// <summary>When the times of a schedule cannot be found out here, such as for lack of time zone data, it is tried again.</summary>
    private static readonly TimeSpan _retryDelay = TimeSpan.FromMinutes(1);

    /// <summary>Creates the schedule or takes the place of what it was; the same once more changes nothing.</summary>
    public void CreateSchedule(TaskEntityContext context, ScheduleCreationOptions options)
    {
        var configuration = ScheduleConfiguration.Of(options);
        if (State.ScheduleConfiguration == configuration)
        {
            return;
        }

        var now = clock.GetUtcNow();
        State = new ScheduleState
        {
            Status = ScheduleStatus.Active,
            ScheduleConfiguration = configuration,
            ScheduleCreatedAt = now,
            ScheduleLastModifiedAt = now,
        };
        Plan(context, now);
    }

    /// <summary>Changes what is given.</summary>
    public void UpdateSchedule(TaskEntityContext context, ScheduleUpdateOptions options)
    {
        var before = Configuration(context);
        var after = before.With(context.Id.Key, options);
        if (after == before)
        {
            return;
        }

        var now = clock.GetUtcNow();
        if (State.Status == ScheduleStatus.Active && State.NextRunAt <= now)
        {
            // It is due already; its signal must not be lost with the times it stood for.
            RunNow(context, now);
        }

        State.ScheduleConfiguration = after;
        State.ScheduleLastModifiedAt = now;
        if (State.Status == ScheduleStatus.Active && (State.NextRunAt is null || !after.HasTimesOf(before)))
        {
            Plan(context, now);
        }
    }

    /// <summary>Starts nothing any more; what was due and not started is not made up for.</summary>
    public void PauseSchedule(TaskEntityContext context)
    {
        Transition(context, nameof(PauseSchedule), ScheduleStatus.Active, ScheduleStatus.Paused);
        State.NextRunAt = null;
        State.ExecutionToken = "";
    }

    /// <summary>Goes on with the next run that becomes due.</summary>
    public void ResumeSchedule(TaskEntityContext context)
    {
        Transition(context, nameof(ResumeSchedule), ScheduleStatus.Paused, ScheduleStatus.Active);
        Plan(context, clock.GetUtcNow());
    }

    /// <summary>The next run is due.</summary>
    public void RunSchedule(TaskEntityContext context, string executionToken)
    {
        if (State.ScheduleConfiguration is null)
        {
            // It was deleted; no trace of it may come back.
            State = null!;
            return;
        }

        if (State.Status != ScheduleStatus.Active || executionToken != State.ExecutionToken)
        {
            return;
        }

        // The clock that brought this was the hub's; here another may be behind it.
        var now = clock.GetUtcNow() is var here && here > State.NextRunAt ? here : State.NextRunAt ?? here;
        if (State.NextRunAt is not null)
        {
            RunNow(context, now);
        }

        Plan(context, now);
    }

    private void RunNow(TaskEntityContext context, DateTimeOffset now)
    {
        var configuration = State.ScheduleConfiguration!;
        State.NextRunAt = null;
        if (now > configuration.EndAt)
        {
            return;
        }

        State.LastRunAt = now;
        context.ScheduleNewOrchestration(
            configuration.OrchestrationName,
            configuration.OrchestrationInput,
            configuration.OrchestrationInstanceId is { } id ? new StartOrchestrationOptions(id) : null);
    }

    /// <summary>Finds the next run and has itself woken then. What was planned before does not count any more.</summary>
    private void Plan(TaskEntityContext context, DateTimeOffset now)
    {
        State.ExecutionToken = Guid.NewGuid().ToString("N");
        try
        {
            State.NextRunAt = Next(now);
        }
        catch (ArgumentException mistake)
        {
            State.NextRunAt = null;
            Log.ScheduleNotPlanned(logger, mistake, context.Id.Key, _retryDelay);
            Wake(context, now + _retryDelay);
        }

        if (State.NextRunAt is { } due)
        {
            Wake(context, due);
        }
    }

    private DateTimeOffset? Next(DateTimeOffset now)
    {
        var configuration = State.ScheduleConfiguration!;
        var origin = configuration.StartAt ?? State.ScheduleCreatedAt ?? now;
        if (State.LastRunAt is null && configuration.StartImmediatelyIfLate && !(now > configuration.EndAt)
            && Recurrence.After(configuration, origin, origin, inclusive: true) <= now)
        {
            return now;
        }

        // A schedule that begins now begins with a run, if it was said that it is to begin now.
        return Recurrence.After(configuration, origin, now, inclusive: configuration.StartAt is not null && State.LastRunAt is null);
    }

    private void Wake(TaskEntityContext context, DateTimeOffset due) =>
        context.SignalEntity(context.Id, nameof(RunSchedule), State.ExecutionToken, new SignalEntityOptions { SignalTime = due });

    private ScheduleConfiguration Configuration(TaskEntityContext context) =>
        State.ScheduleConfiguration ?? throw new ScheduleNotFoundException(context.Id.Key);

    private void Transition(TaskEntityContext context, string operation, ScheduleStatus from, ScheduleStatus to)
    {
        Configuration(context);
        if (State.Status != from)
        {
            throw new ScheduleInvalidTransitionException(context.Id.Key, State.Status, to, operation);
        }

        State.Status = to;
        State.ScheduleLastModifiedAt = clock.GetUtcNow();
    }
}
