using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;

namespace Drydock.Server;

/// <summary>
/// What the hub does not do for ever, and what it does not keep in its rows. Section <c>hubLimits</c> of the configuration;
/// <c>--max-deliveries</c>, <c>--retain</c> and <c>--large-payload-threshold</c> go before it.
/// </summary>
public sealed record HubLimits
{
    /// <summary>How often a step is given out whose worker ends each time before it answers, 0 to 1000; 0: no limit. The default is 10.</summary>
    public int MaxDeliveries { get; init; } = 10;

    /// <summary>How long what was completed is kept; null, the default: for ever.</summary>
    public TimeSpan? RetainCompleted { get; init; }

    /// <summary>The same of what failed.</summary>
    public TimeSpan? RetainFailed { get; init; }

    /// <summary>The same of what was terminated.</summary>
    public TimeSpan? RetainTerminated { get; init; }

    /// <summary>
    /// From how many characters on an input, result or payload is stored once and apart from what refers to it, 0 to 1,000,000. The
    /// default is 16,384.
    /// </summary>
    public int LargePayloadThreshold { get; init; } = 16 * 1024;

    internal void ApplyTo(TaskHubOptions hub)
    {
        hub.MaximumDeliveries = MaxDeliveries;
        hub.LargePayloadThreshold = LargePayloadThreshold;
        foreach (var (status, age) in new[]
        {
            (OrchestrationStatus.Completed, RetainCompleted), (OrchestrationStatus.Failed, RetainFailed), (OrchestrationStatus.Terminated, RetainTerminated),
        })
        {
            if (age is { } kept)
            {
                hub.Retention[status] = kept;
            }
        }
    }
}
