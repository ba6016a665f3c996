using Drydock.Api;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>Says what is persisted of actions, approvals and the health gate in the words of the API.</summary>
internal static class ActionViews
{
    /// <summary>What the action or the health check under way says of itself; null if none is.</summary>
    public static string? Message(InstanceTree tree)
    {
        var id = tree.Root.InstanceId;
        return tree.Status switch
        {
            { IsCancelling: true } => null,
            { Step: MaintenanceStep.Health } => (Child(tree, InstanceIds.HealthAgain(id)) ?? Child(tree, InstanceIds.Health(id)))?.ReadCustomStatusAs<HealthStatus>()?.Message,
            { IsHolding: false, Actions: [.., { Outcome: null } action] } =>
                Child(tree, InstanceIds.Action(id, action.Key))?.ReadCustomStatusAs<ActionStatus>()?.Message,
            _ => null,
        };
    }

    /// <summary>When the step in hand must be over; of a power-cycle, which has one after the other, the wait that it is in.</summary>
    public static DateTimeOffset? Deadline(InstanceTree tree) =>
        tree.Status is { IsCancelling: false, Actions: [.., { Outcome: null, Step.Kind: MaintenanceAction.PowerCycle } action] }
            && Child(tree, InstanceIds.Action(tree.Root.InstanceId, action.Key))?.ReadCustomStatusAs<ActionStatus>() is { } status
            ? status.Deadline
            : tree.Status?.Deadline;

    /// <summary>Who decided what.</summary>
    public static IReadOnlyList<ApprovalView> Approvals(InstanceTree tree) =>
    [
        .. (tree.Report?.Approvals ?? tree.Status?.Approvals ?? []).Select(static decision => new ApprovalView(
            decision.Gate.ToString(), decision.IsApproved, decision.By, decision.Reason, decision.AskedAt, decision.At)),
    ];

    /// <summary>The actions so far.</summary>
    public static IReadOnlyList<ActionView> Actions(InstanceTree tree) =>
    [
        .. (tree.Report?.Actions ?? tree.Status?.Actions ?? []).Select(action => new ActionView(
            action.Key,
            action.Point.ToString(),
            action.Step.Kind.ToString(),
            action.Step.Options.Template,
            action.Outcome is null ? Message(tree) ?? action.Message : action.Message,
            action.From)
        {
            To = action.To,
            Outcome = action.Outcome?.ToString(),
        }),
    ];

    /// <summary>A plan's steps.</summary>
    public static IReadOnlyList<PlannedStepView> Steps(MaintenancePlan plan) =>
        [.. plan.Steps.Select(static step => new PlannedStepView(step.Kind, step.Message))];

    private static OrchestrationMetadata? Child(InstanceTree tree, string id) => tree.Children.FirstOrDefault(child => child.InstanceId == id);
}
