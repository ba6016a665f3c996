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

/// <summary>Limits of activities, which the official surface does not have. A hub other than Drydock's keeps none of them.</summary>
public static class ActivityLimitExtensions
{
    /// <summary>
    /// The activity fails as <see cref="TimeoutException"/> if it has not ended so long after a worker was given it; it can be retried
    /// like any failure. Whoever runs it is told to stop.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is not positive.</exception>
    public static TaskOptions WithStartToCloseTimeout(this TaskOptions options, TimeSpan timeout) =>
        options.With(ActivityLimits.StartToCloseTag, timeout);

    /// <summary>
    /// The activity fails as <see cref="TimeoutException"/> if so long passes without a heartbeat
    /// (<see cref="TaskActivityContextExtensions.HeartbeatAsync"/>). Whoever runs it is told to stop.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is not positive.</exception>
    public static TaskOptions WithHeartbeatTimeout(this TaskOptions options, TimeSpan timeout) =>
        options.With(ActivityLimits.HeartbeatTag, timeout);

    private static TaskOptions With(this TaskOptions options, string tag, TimeSpan timeout)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        return options with
        {
            Tags = new Dictionary<string, string>(options.Tags ?? new Dictionary<string, string>()) { [tag] = timeout.ToString("c") },
        };
    }
}
