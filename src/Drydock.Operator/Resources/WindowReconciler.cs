using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Operator.Resources;

/// <summary>
/// MaintenanceWindow: the window of that name, as long as it is there. A changed spec ends the window of before, whose node in hand is
/// finished, and sets up the new one. Nodes that nothing would give back are put back, and after an hour so are those that were not finished.
/// </summary>
internal sealed class WindowReconciler(IDrydockResources resources, IResourceRequests requests, DurableTaskClient client, TimeProvider clock)
    : ResourceReconciler<WindowRequest>(resources, client, clock)
{
    private const int Upcoming = 3;
    private static readonly TimeSpan FinishWithin = TimeSpan.FromHours(1);

    public override string Kind => "MaintenanceWindow";

    protected override DrydockKind Type => DrydockKind.Window;

    protected override string Orchestration => Orchestrations.Window;

    protected override string IdOf(DrydockResource resource) => InstanceIds.Window(resource.Name);

    protected override bool IsOver(DrydockResource resource) =>
        resource.Status["phase"]?.ToString() == "Ended" && resource.Status["observedGeneration"]?.ToString() == resource.Generation.ToString(CultureInfo.InvariantCulture);

    protected override string? RequestedBy(OrchestrationMetadata instance) =>
        instance.Name == Orchestrations.Window ? instance.ReadInputAs<WindowRequest>()?.Rollout.Template.RequestedBy : null;

    // What was right when it was set up is not wrong because a node left since; a changed spec is looked at as a new one.
    protected override async Task<SpecReading<WindowRequest>> ReadAsync(DrydockResource resource, OrchestrationMetadata? instance, CancellationToken cancellationToken)
    {
        var reading = await requests.ReadWindowAsync(resource.Name, resource.Spec, By(resource), mustExist: false, cancellationToken);
        return reading.Request is { } request && instance?.ReadInputAs<WindowRequest>() is { } running && Text(running) == Text(request)
            ? reading
            : await requests.ReadWindowAsync(resource.Name, resource.Spec, By(resource), mustExist: true, cancellationToken);
    }

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
            await EndAsync(instance, By(resource), "The MaintenanceWindow was changed.", cancellationToken);
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
            ["nextOpenings"] = isEnding ? null : new JsonArray([.. WindowCalendar.Shown(request, Now, Upcoming).Select(Json)]),
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

    protected override TimeSpan LongestDeletion => FinishWithin + base.LongestDeletion;

    protected override Task EndAsync(OrchestrationMetadata instance, string by, CancellationToken cancellationToken) =>
        EndAsync(instance, by, "The MaintenanceWindow was deleted.", cancellationToken);

    // The nodes in hand were to be finished, and something is in their way: nothing is left behind all the same.
    protected override async Task EndLateAsync(OrchestrationMetadata instance, string by, TimeSpan waited, CancellationToken cancellationToken)
    {
        await EndAsync(instance, by, cancellationToken);
        if (waited >= FinishWithin && instance.ReadCustomStatusAs<WindowStatus>() is { Rollout: { } rollout })
        {
            var why = $"The MaintenanceWindow was deleted more than {FinishWithin.TotalHours:0} h ago.";
            await Client.RaiseEventAsync(rollout, RolloutEvents.Cancel, new Cancel(by, why), cancellationToken);
        }
    }

    // May be told again at each look: it is heard once.
    private Task EndAsync(OrchestrationMetadata instance, string by, string why, CancellationToken cancellationToken) =>
        Client.RaiseEventAsync(instance.InstanceId, WindowEvents.Cancel, new Cancel(by, why) { PutsBack = true }, cancellationToken);

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
