using System.Diagnostics.Metrics;

namespace Drydock.DurableTask.TaskHub;

/// <summary>What the hubs of this process measure.</summary>
internal static class HubMeter
{
    /// <summary>The name of the meter, for whoever exports it.</summary>
    public const string Name = "Drydock.TaskHub";

    private static readonly Meter Meter = new(Name);

    /// <summary>From taking up a batch of writes until it is on disk.</summary>
    public static readonly Histogram<double> CommitDuration = Meter.CreateHistogram<double>(
        "drydock.hub.commit.duration", "s", "Time until a batch of writes is on disk.");

    /// <summary>Writes that share one commit.</summary>
    public static readonly Histogram<int> CommitSize = Meter.CreateHistogram<int>("drydock.hub.commit.size", null, "Writes that shared one commit.");
}
