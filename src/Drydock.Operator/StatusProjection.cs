using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Operator;

/// <summary>The phases of a NodeMaintenance.</summary>
internal static class NodeMaintenancePhases
{
    public const string Running = "Running";
    public const string Succeeded = "Succeeded";
    public const string Failed = "Failed";
}

/// <summary>Says a maintenance in the status fields of the Node Maintenance Operator. Pure.</summary>
internal static class StatusProjection
{
    /// <summary>The status that the resource should have.</summary>
    /// <param name="resource">The resource; its status is where this one starts from.</param>
    /// <param name="instance">The maintenance with its input, output and custom status.</param>
    /// <param name="drain">The progress of the drain, or null before it began.</param>
    /// <param name="lease">How its lease is held, or null before it was taken.</param>
    /// <param name="podsOnNode">The pods that are on the node now.</param>
    public static NodeMaintenanceStatus Project(
        NodeMaintenanceSnapshot resource, OrchestrationMetadata instance, DrainStatus? drain, HoldLeaseStatus? lease, IReadOnlyList<PodSnapshot> podsOnNode)
    {
        if (instance.IsCompleted)
        {
            return Ended(resource, instance);
        }

        var status = instance.ReadCustomStatusAs<MaintenanceStatus>();
        var counted = resource.Status with
        {
            TotalPods = status is { PodsTotal: > 0 } ? status.PodsTotal : resource.Status.TotalPods,
            EvictionPods = status is { PodsToEvict: > 0 } ? status.PodsToEvict : resource.Status.EvictionPods,
            ErrorOnLeaseCount = lease?.Failures ?? 0,
        };
        if (status is { IsHolding: true })
        {
            return counted with { Phase = NodeMaintenancePhases.Succeeded, DrainProgress = 100, LastError = Steered(status), PendingPods = [] };
        }

        // The node is empty: what held its drain up holds nothing up any more.
        if (status is { Step: MaintenanceStep.Health, IsCancelling: false })
        {
            counted = counted with { DrainProgress = 100, LastError = Steered(status), PendingPods = [] };
        }

        // On the way back (a deletion) the phase stays what it was: nothing in the operator's vocabulary says "being restored".
        if (status is { Step: MaintenanceStep.Health or MaintenanceStep.Restore or MaintenanceStep.Done } or { IsCancelling: true })
        {
            return counted with { Phase = counted.Phase.Length == 0 ? NodeMaintenancePhases.Running : counted.Phase };
        }

        return counted with
        {
            Phase = NodeMaintenancePhases.Running,
            DrainProgress = Progress(counted.EvictionPods, drain),
            PendingPods = [.. podsOnNode.Where(Leaves).Select(static pod => pod.Ref)],
            LastError = Steered(status) ?? (status is { Step: MaintenanceStep.Lease } ? status.Message : drain?.Blockers is [var first, ..] ? first.Message : null),
        };
    }

    /// <summary>Why nothing is changed although nothing is in the way, or null.</summary>
    private static string? Steered(MaintenanceStatus? status) => status switch
    {
        { Suspension: { } suspension } => $"{suspension.Sentence()} Nothing new is begun until it is resumed.",
        { IsLeaseLost: true } => status.Message,
        _ => null,
    };

    private static NodeMaintenanceStatus Ended(NodeMaintenanceSnapshot resource, OrchestrationMetadata instance)
    {
        var report = instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed ? instance.ReadOutputAs<MaintenanceReport>() : null;
        var why = report switch
        {
            { Outcome: MaintenanceOutcome.Refused or MaintenanceOutcome.Failed } => report.Message,
            { } => $"{report.Message} The node is not held any more; delete this NodeMaintenance.",
            null => instance.FailureDetails?.ErrorMessage ?? "The maintenance was ended by force.",
        };

        if (!resource.IsBeingDeleted && NodeMaintenanceReconciler.IsHeldByOther(instance))
        {
            return resource.Status with { Phase = NodeMaintenancePhases.Running, LastError = why, PendingPods = [] };
        }

        // Nothing was to be held: it is over, and that is what was asked for.
        if (report is { Outcome: MaintenanceOutcome.Completed } && !resource.IsBeingDeleted && instance.ReadInputAs<MaintenanceRequest>() is { Action: MaintenanceAction.None })
        {
            return resource.Status with { Phase = NodeMaintenancePhases.Succeeded, DrainProgress = 100, LastError = null, PendingPods = [] };
        }

        // While it is being deleted the end is what was asked for.
        return resource.IsBeingDeleted && report?.Outcome is MaintenanceOutcome.Completed or MaintenanceOutcome.Cancelled
            ? resource.Status with { PendingPods = [] }
            : resource.Status with { Phase = NodeMaintenancePhases.Failed, LastError = why, PendingPods = [] };
    }

    private static int Progress(int toEvict, DrainStatus? drain) =>
        drain is null ? 0 : toEvict == 0 ? 100 : Math.Clamp(drain.Gone * 100 / toEvict, 0, 99);

    private static bool Leaves(PodSnapshot pod) => !pod.IsMirror && pod.Controller?.Kind != "DaemonSet";
}
