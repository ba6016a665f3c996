namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>There is no such schedule.</summary>
public class ScheduleNotFoundException(string scheduleId) : Exception($"There is no schedule with the id '{scheduleId}'.")
{
    /// <summary>The id that was asked for.</summary>
    public string ScheduleId { get; } = scheduleId;
}

/// <summary>What was asked of a schedule cannot be done in the state in which it is.</summary>
public class ScheduleInvalidTransitionException(string scheduleId, ScheduleStatus fromStatus, ScheduleStatus toStatus, string operationName)
    : InvalidOperationException($"{operationName}: the schedule '{scheduleId}' is {fromStatus}, from which it cannot become {toStatus}.")
{
    /// <summary>The schedule.</summary>
    public string ScheduleId { get; } = scheduleId;

    /// <summary>What it is.</summary>
    public ScheduleStatus FromStatus { get; } = fromStatus;

    /// <summary>What it was to become.</summary>
    public ScheduleStatus ToStatus { get; } = toStatus;

    /// <summary>What was asked.</summary>
    public string OperationName { get; } = operationName;
}

/// <summary>What a schedule is to be makes no sense.</summary>
public class ScheduleClientValidationException(string scheduleId, string message)
    : InvalidOperationException($"The schedule '{scheduleId}' cannot be so: {message}")
{
    /// <summary>The schedule.</summary>
    public string ScheduleId { get; } = scheduleId;
}
