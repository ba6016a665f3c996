namespace Drydock.DurableTask;

/// <summary>The tags of an activity call that carry its limits from the orchestrator to the hub and on to the worker.</summary>
internal static class ActivityLimits
{
    /// <summary>How long the activity may take, as a <see cref="TimeSpan"/>.</summary>
    public const string StartToCloseTag = "drydock.start-to-close";

    /// <summary>How long it may be silent, as a <see cref="TimeSpan"/>.</summary>
    public const string HeartbeatTag = "drydock.heartbeat";

    /// <summary>What the last heartbeat of an earlier attempt said.</summary>
    public const string ProgressTag = "drydock.progress";
}
