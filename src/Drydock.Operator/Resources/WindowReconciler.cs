using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Operator.Resources;

/// <summary>
/// MaintenanceWindow: the window of that name, as long as it is there. A changed spec ends the window of before, whose node in hand is
/// finished, and sets up the new one.
/// </summary>
internal sealed class WindowReconciler(IDrydockResources resources, IResourceRequests requests, DurableTaskClient client, TimeProvider clock)
    : ResourceReconciler<WindowRequest>(resources, client, clock)
{
    private const int Upcoming = 3;

    public override string Kind => "MaintenanceWindow";

    protected override DrydockKind Type => DrydockKind.Window;

    protected override string Orchestration => Orchestrations.Window;

    protected override string IdOf(DrydockResource resource) => InstanceIds.Window(resource.Name);

    protected override string? RequestedBy(OrchestrationMetadata instance) =>
        instance.Name == Orchestrations.Window ? instance.ReadInputAs<WindowRequest>()?.Rollout.Template.RequestedBy : null;

    protected override Task<SpecReading<WindowRequest>> ReadAsync(DrydockResource resource, CancellationToken cancellationToken) =>
        requests.ReadWindowAsync(resource.Name, resource.Spec, By(resource), cancellationToken);

    protected override async Task<bool> StepAsync(
        DrydockResource resource, WindowRequest request, OrchestrationMetadata? instance, CancellationToken cancellationToken)
    {
        var running = instance is null ? null : instance.ReadInputAs<WindowRequest>();
        var isSame = running is not null && Text(running) == Text(request);

        // A spec that became what it was before, while its window was on its way out, asks for that window again. One that never opens
        // again is left at its end.
        if (instance is null || (instance.IsCompleted && (!isSame || IsCancelled(instance))))
        {
            await StartAsync(request, IdOf(resource), cancellationToken);
            return true;
        }

        if (!isSame)
        {
            await EndAsync(instance, By(resource), cancellationToken);
        }

        return false;
    }

    protected override Task ProjectAsync(DrydockResource resource, OrchestrationMetadata instance, CancellationToken cancellationToken)
    {
        var request = instance.ReadInputAs<WindowRequest>()!;
        var status = instance.ReadCustomStatusAs<WindowStatus>();
        var isEnding = instance.IsCompleted || IsCancelled(instance);
        var phase = instance.IsCompleted ? "Ended" : isEnding ? "Ending" : status is { ClosesAt: not null } ? "Open" : "Waiting";
        var more = new JsonObject
        {
            ["nextOpenings"] = isEnding ? null : new JsonArray([.. WindowCalendar.Coming(request, Now, Upcoming).Select(Json)]),
            ["closesAt"] = ResourceStatus.Stamp(status?.ClosesAt),
            ["rolloutId"] = status?.Rollout,
        };
        var message = instance.FailureDetails?.ErrorMessage ?? status?.Message ?? "It begins.";
        return WriteAsync(resource, phase, message, more, Conditions(instance, phase, message), cancellationToken);
    }

    // Over is over by its calendar: whether the last nodes were done, the message and the rollout say. Else it died, and nothing opens.
    private static ResourceCondition[] Conditions(OrchestrationMetadata instance, string phase, string message)
    {
        var isOver = instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed && !IsCancelled(instance);
        return
        [
            new("Accepted", true, "SetUp", $"It runs as {instance.InstanceId}."),
            new("Complete", isOver, isOver ? "NeverOpensAgain" : phase, message),
            instance.IsCompleted && !isOver
                ? new("Degraded", true, "Ended", $"No window opens any more. {message}")
                : new("Degraded", false, "AsExpected", "Nothing is wrong with it."),
        ];
    }

    // May be told again at each look: it is heard once.
    protected override Task EndAsync(OrchestrationMetadata instance, string by, CancellationToken cancellationToken) =>
        Client.RaiseEventAsync(instance.InstanceId, WindowEvents.Cancel, new Cancel(by), cancellationToken);

    private static bool IsCancelled(OrchestrationMetadata instance) => instance.ReadCustomStatusAs<WindowStatus>() is { IsCancelled: true };

    private static JsonObject Json(RolloutOpening opening) => new()
    {
        ["from"] = ResourceStatus.Stamp(opening.From), ["to"] = ResourceStatus.Stamp(opening.To),
    };

    private static string Text(WindowRequest request) => JsonSerializer.Serialize(request with { State = null });

    private async Task StartAsync(WindowRequest request, string id, CancellationToken cancellationToken)
    {
        var unlessRunning = new StartOrchestrationOptions(id).WithDedupeStatuses(
            OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running, OrchestrationRuntimeStatus.Suspended);
        try
        {
            await Client.ScheduleNewOrchestrationInstanceAsync(Orchestrations.Window, request, unlessRunning, cancellationToken);
        }
        catch (OrchestrationAlreadyExistsException)
        {
            // Another delivery of the same news was faster.
        }
    }
}
