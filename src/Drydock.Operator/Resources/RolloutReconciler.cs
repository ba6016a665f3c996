using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Operator.Resources;

/// <summary>MaintenanceRollout: creating it starts a rollout, <c>spec.paused</c> holds it, deleting it cancels it.</summary>
internal sealed class RolloutReconciler(IDrydockResources resources, IResourceRequests requests, DurableTaskClient client, TimeProvider clock)
    : ResourceReconciler<RolloutRequest>(resources, client, clock)
{
    private const int MostNodes = 20;

    public override string Kind => "MaintenanceRollout";

    protected override DrydockKind Type => DrydockKind.Rollout;

    protected override string Orchestration => Orchestrations.Rollout;

    protected override string IdOf(DrydockResource resource) => "mro-" + resource.Uid;

    protected override bool IsOver(DrydockResource resource) =>
        resource.Status["phase"]?.ToString() is "Completed" or "Ended" or "Failed" && resource.Status["rolloutId"]?.ToString() == IdOf(resource);

    protected override string? RequestedBy(OrchestrationMetadata instance) =>
        instance.Name == Orchestrations.Rollout ? instance.ReadInputAs<RolloutRequest>()?.Template.RequestedBy : null;

    // What was right when it began is not wrong because a node left since: the rollout tells that of the node.
    protected override Task<SpecReading<RolloutRequest>> ReadAsync(DrydockResource resource, OrchestrationMetadata? instance, CancellationToken cancellationToken) =>
        requests.ReadRolloutAsync(resource.Spec, By(resource), mustExist: instance is null, cancellationToken);

    protected override async Task<bool> StepAsync(
        DrydockResource resource, RolloutRequest request, OrchestrationMetadata? instance, CancellationToken cancellationToken)
    {
        if (instance is null)
        {
            // Not told afterwards: it would have taken its first nodes by then.
            var paused = IsPaused(resource) ? $"{PausedBy(resource)}." : null;
            await StartAsync(request with { PausedBecause = paused }, IdOf(resource), cancellationToken);
            return true;
        }

        var status = instance.ReadCustomStatusAs<RolloutStatus>();
        if (instance.IsCompleted || status is null)
        {
            return false;
        }

        // Level-triggered: told as long as it is not so. What else paused it, such as its failure budget, is not ours to undo.
        var isPausedByUs = status.IsPaused && status.Message.StartsWith(PausedBy(resource), StringComparison.Ordinal);
        if (IsPaused(resource) && !status.IsPaused)
        {
            await Client.RaiseEventAsync(instance.InstanceId, RolloutEvents.Steer, new Steer(SteerKind.Suspend, By(resource)), cancellationToken);
        }
        else if (!IsPaused(resource) && isPausedByUs)
        {
            await Client.RaiseEventAsync(instance.InstanceId, RolloutEvents.Steer, new Steer(SteerKind.Resume, By(resource)), cancellationToken);
        }

        return false;
    }

    protected override Task ProjectAsync(DrydockResource resource, OrchestrationMetadata instance, CancellationToken cancellationToken)
    {
        var output = instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed ? instance.ReadOutputAs<RolloutStatus>() : null;
        var status = output ?? instance.ReadCustomStatusAs<RolloutStatus>() ?? new RolloutStatus([]);
        var nodes = output?.Nodes ?? instance.ReadInputAs<RolloutRequest>()?.NodesWith(instance.InstanceId, status) ?? status.Nodes;
        var phase = instance.RuntimeStatus switch
        {
            OrchestrationRuntimeStatus.Completed => status.Failed > 0 || status.IsStopping ? "Ended" : "Completed",
            OrchestrationRuntimeStatus.Failed or OrchestrationRuntimeStatus.Terminated => "Failed",
            _ => status switch { { IsStopping: true } => "Stopping", { IsPaused: true } => "Paused", { IsClosed: true } => "Closed", _ => "Running" },
        };
        var message = instance.FailureDetails?.ErrorMessage ?? (status.Message.Length > 0 ? status.Message : "It begins.");
        var more = new JsonObject
        {
            ["rolloutId"] = instance.InstanceId,
            ["total"] = status.Total,
            ["done"] = status.Done,
            ["failed"] = status.Failed,
            ["underMaintenance"] = Names(nodes, RolloutNodeState.UnderMaintenance),
            ["estimatedEnd"] = instance.IsCompleted ? null : ResourceStatus.Stamp(status.EstimatedEnd),
        };
        return WriteAsync(
            resource,
            phase,
            message,
            more,
            [
                new("Accepted", true, "Started", $"It runs as {instance.InstanceId}."),
                RolloutConditions.Complete(phase, message, nodes, instance.IsCompleted),
                RolloutConditions.Degraded(phase, message, status, nodes, IsPaused(resource) && message.StartsWith(PausedBy(resource), StringComparison.Ordinal)),
            ],
            cancellationToken);
    }

    protected override async Task EndAsync(OrchestrationMetadata instance, string by, CancellationToken cancellationToken)
    {
        // One that was only stopped still has nodes in hand, perhaps held for good.
        if (instance.ReadCustomStatusAs<RolloutStatus>() is not { IsCancelled: true })
        {
            await Client.RaiseEventAsync(
                instance.InstanceId, RolloutEvents.Cancel, new Cancel(by, "The MaintenanceRollout was deleted."), cancellationToken);
        }
    }

    private string PausedBy(DrydockResource resource) => $"Paused by {By(resource)}";

    private static bool IsPaused(DrydockResource resource) =>
        resource.Spec.ValueKind == JsonValueKind.Object && resource.Spec.TryGetProperty("paused", out var paused) && paused.ValueKind == JsonValueKind.True;

    private static JsonArray? Names(IReadOnlyList<RolloutNode> nodes, RolloutNodeState state)
    {
        var names = nodes.Where(node => node.State == state).Select(node => node.Node).Take(MostNodes).ToList();
        return names.Count == 0 ? null : new JsonArray([.. names.Select(name => JsonValue.Create(name))]);
    }

    private async Task StartAsync(RolloutRequest request, string id, CancellationToken cancellationToken)
    {
        var once = new StartOrchestrationOptions(id).WithDedupeStatuses(
            OrchestrationRuntimeStatus.Pending,
            OrchestrationRuntimeStatus.Running,
            OrchestrationRuntimeStatus.Suspended,
            OrchestrationRuntimeStatus.Completed,
            OrchestrationRuntimeStatus.Failed,
            OrchestrationRuntimeStatus.Terminated);
        try
        {
            await Client.ScheduleNewOrchestrationInstanceAsync(Orchestrations.Rollout, request, once, cancellationToken);
        }
        catch (OrchestrationAlreadyExistsException)
        {
            // Another delivery of the same news was faster.
        }
    }
}
