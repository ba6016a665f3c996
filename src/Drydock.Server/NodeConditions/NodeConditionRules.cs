using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Server.NodeConditions;

/// <summary>What the lifecycle conditions of a node (KEP-5683) should say of its maintenance. Pure.</summary>
internal static class NodeConditionRules
{
    // Reasons of the KEP: who or what caused the state.
    private const string Requested = "AdminRequested";
    private const string Drained = "DrainCompleted";
    private const string Over = "MaintenanceEnded";

    private static readonly Version _since = new(1, 37);

    /// <summary>Whether an API server of this version knows the conditions: they came with Kubernetes 1.37.</summary>
    /// <param name="gitVersion">Such as <c>v1.37.0+k3s1</c>.</param>
    public static bool AreKnownTo(string gitVersion)
    {
        var parts = gitVersion.TrimStart('v').Split('.');
        return parts.Length >= 2 && int.TryParse(parts[0], out var major) && int.TryParse(parts[1].TrimEnd('+'), out var minor) && new Version(major, minor) >= _since;
    }

    /// <summary>The conditions as they should be, or null: nothing is to be said now, because the node is not ours.</summary>
    /// <param name="isOver">The maintenance is over.</param>
    /// <param name="status">Its progress, or null before it said anything.</param>
    public static IReadOnlyList<LifecycleCondition>? Of(bool isOver, MaintenanceStatus? status) => (isOver, status) switch
    {
        (true, _) => All(null, null, null, null),
        (_, null or { IsLeaseLost: true }) => null,
        (_, { IsCancelling: true } or { Step: MaintenanceStep.Restore }) => All(null, null, null, "The node is being put back."),
        (_, { IsHolding: true } or { Step: MaintenanceStep.Action or MaintenanceStep.Health }) => All(null, "All that had to leave has left.", null, "The node is under maintenance."),
        (_, { Step: MaintenanceStep.Approve, Steps: var steps }) when steps.Any(static step => step.Step == MaintenanceStep.Drain) =>
            All(null, "All that had to leave has left.", null, "The node is under maintenance, which waits for an approval."),
        (_, { Step: MaintenanceStep.Approve }) => All("Its maintenance waits for an approval.", null, null, null),
        (_, { Step: MaintenanceStep.Mark or MaintenanceStep.Drain }) => All("It is drained for its maintenance.", null, "Pods are evicted and virtual machines moved.", null),
        _ => null,
    };

    private static IReadOnlyList<LifecycleCondition> All(string? planned, string? drained, string? draining, string? maintained) =>
    [
        Of("MaintenancePlanned", planned, Requested),
        Of("DrainInProgress", draining, Requested),
        Of("Drained", drained, Drained),
        Of("MaintenanceInProgress", maintained, Requested),
    ];

    private static LifecycleCondition Of(string type, string? message, string reason) =>
        new(type, message is not null, message is null ? Over : reason, message ?? "It is so no more.");
}
