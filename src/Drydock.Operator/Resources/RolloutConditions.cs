using Drydock.Maintenance;

namespace Drydock.Operator.Resources;

/// <summary>The conditions of a MaintenanceRollout beside <c>Accepted</c>. Pure.</summary>
internal static class RolloutConditions
{
    /// <summary>True: it is over and every node that was not left out was maintained. It never becomes false again.</summary>
    /// <param name="phase">The phase, the reason while it is false.</param>
    /// <param name="message">One sentence.</param>
    /// <param name="nodes">All nodes.</param>
    /// <param name="isOver">It is over.</param>
    public static ResourceCondition Complete(string phase, string message, IReadOnlyList<RolloutNode> nodes, bool isOver) =>
        isOver && phase != "Failed" && nodes.All(IsDone)
            ? new("Complete", true, "NodesDone", message)
            : new("Complete", false, phase == "Completed" ? "Ended" : phase, message);

    /// <summary>
    /// True: somebody should look. Nodes failed, it is paused by something else than its own spec, or it ended before all nodes were done.
    /// </summary>
    /// <param name="phase">The phase.</param>
    /// <param name="message">One sentence.</param>
    /// <param name="status">Where it stands.</param>
    /// <param name="nodes">All nodes.</param>
    /// <param name="isPausedBySpec">It is paused, and <c>spec.paused</c> is why.</param>
    public static ResourceCondition Degraded(
        string phase, string message, RolloutStatus status, IReadOnlyList<RolloutNode> nodes, bool isPausedBySpec) =>
        status.Failed > 0 ? new("Degraded", true, "NodesFailed", message)
        : phase == "Paused" && !isPausedBySpec ? new("Degraded", true, "Paused", message)
        : phase is "Failed" or "Ended" || (phase == "Completed" && !nodes.All(IsDone)) ? new("Degraded", true, "Ended", message)
        : new("Degraded", false, "AsExpected", "Nothing is wrong with it.");

    private static bool IsDone(RolloutNode node) =>
        node.Outcome == MaintenanceOutcome.Completed || node.State is RolloutNodeState.Skipped or RolloutNodeState.Left;
}
