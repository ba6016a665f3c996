namespace Drydock.DurableTask.Client;

/// <summary>The state of an orchestration.</summary>
public enum OrchestrationRuntimeStatus
{
    /// <summary>It has begun.</summary>
    Running = 0,

    /// <summary>It has ended well.</summary>
    Completed = 1,

    /// <summary>Never seen: a continued orchestration is running.</summary>
    [Obsolete("A continued orchestration is Running.")]
    ContinuedAsNew = 2,

    /// <summary>It has ended with a failure.</summary>
    Failed = 3,

    /// <summary>Never seen.</summary>
    [Obsolete("Orchestrations are terminated, not cancelled.")]
    Canceled = 4,

    /// <summary>It was ended from outside.</summary>
    Terminated = 5,

    /// <summary>It has not begun.</summary>
    Pending = 6,

    /// <summary>It does nothing until it is resumed.</summary>
    Suspended = 7,
}
