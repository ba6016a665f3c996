using Drydock.Api;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>Suspends, resumes and extends maintenances. What it acknowledges is durable; the maintenance obeys it as soon as it is told.</summary>
internal sealed class Steering(DurableTaskClient client)
{
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Most = TimeSpan.FromDays(30);

    /// <summary>Lets nothing new begin. Of one that is suspended it changes nothing.</summary>
    /// <param name="id">The maintenance.</param>
    /// <param name="by">Who says so.</param>
    /// <param name="request">Why.</param>
    /// <param name="key">The idempotency key, or null.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public Task<Answer<MaintenanceView>> SuspendAsync(string id, Requester by, SteerRequest request, string? key, CancellationToken cancellationToken) =>
        SteerAsync(id, new Steer(SteerKind.Suspend, by.Name, request.Reason) { RequestedFrom = by.Address }, TimeSpan.Zero, key, cancellationToken);

    /// <summary>Lets it go on. Of one that is not suspended it changes nothing.</summary>
    /// <inheritdoc cref="SuspendAsync"/>
    public Task<Answer<MaintenanceView>> ResumeAsync(string id, Requester by, SteerRequest request, string? key, CancellationToken cancellationToken) =>
        SteerAsync(id, new Steer(SteerKind.Resume, by.Name, request.Reason) { RequestedFrom = by.Address }, TimeSpan.Zero, key, cancellationToken);

    /// <summary>Moves the deadline of the step in hand as it is now; if it has moved by the time the maintenance hears of it, nothing is done.</summary>
    /// <inheritdoc cref="SuspendAsync"/>
    public async Task<Answer<MaintenanceView>> ExtendAsync(string id, Requester by, ExtendRequest request, string? key, CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        if (request.By is null)
        {
            reader.Fail("by", null, $"{DurationText.Allowed}, from {DurationText.Format(Least)} to {DurationText.Format(Most)}");
        }

        var span = reader.Duration("by", request.By, Least, Least, Most);
        return reader.Errors.Count > 0
            ? Problems.Invalid(reader.Errors)
            : await SteerAsync(id, new Steer(SteerKind.Extend, by.Name, request.Reason) { RequestedFrom = by.Address }, span, key, cancellationToken);
    }

    private async Task<Answer<MaintenanceView>> SteerAsync(string id, Steer steer, TimeSpan span, string? key, CancellationToken cancellationToken)
    {
        if ((Problems.OfReason(steer.Reason) ?? Problems.OfKey(key)) is { } invalid)
        {
            return invalid;
        }

        if (await InstanceTree.ReadAsync(client, id, cancellationToken) is not { } tree)
        {
            return Problems.NotFound("maintenance", id);
        }

        var view = MaintenanceViews.View(tree, withPods: true);
        var name = key is null ? null : Instances.KeyedId("s", key);
        if (name is not null && tree.Status?.Steers.FirstOrDefault(before => before.Key == name) is { } obeyed)
        {
            return obeyed.Kind == steer.Kind && (obeyed.To - obeyed.From ?? TimeSpan.Zero) == span ? view : Problems.KeyReused(key!, id);
        }

        if (Refusal(tree, view, steer.Kind) is { } why)
        {
            return Problems.WrongState(id, why);
        }

        var deadline = steer.Kind == SteerKind.Extend ? tree.Status!.Deadline : null;
        await client.RaiseEventAsync(id, MaintenanceEvents.Steer, steer with { From = deadline, To = deadline + span, Key = name }, cancellationToken);
        return await InstanceTree.ReadAsync(client, id, cancellationToken) is { } now ? MaintenanceViews.View(now, withPods: true) : view;
    }

    private static string? Refusal(InstanceTree tree, MaintenanceView view, SteerKind kind)
    {
        var (id, done) = (view.Id, kind switch { SteerKind.Suspend => "suspended", SteerKind.Resume => "resumed", _ => "extended" });
        return view switch
        {
            { IsOver: true } => $"Maintenance {id} is over already: {view.State}. {view.Message}",
            { State: MaintenanceState.Cancelling } => $"Maintenance {id} is being cancelled; what puts the node back is not {done}.",
            { Step: nameof(MaintenanceStep.Restore) } => $"Maintenance {id} is putting the node back; that is not {done}.",
            _ when kind == SteerKind.Resume => null,
            _ when tree.Status is { Actions: [.., { Outcome: null, Step.Kind: MaintenanceAction.PowerCycle }] } =>
                $"Maintenance {id} has a power-cycle in hand, which is not {done}: a machine is not left between off and on. Wait until it is done, or cancel the maintenance.",
            _ when kind == SteerKind.Extend && tree.Status?.Deadline is null =>
                $"Maintenance {id} has no deadline now that could be extended: {(tree.Status is null ? "it has not begun" : $"the step in hand is {view.Step}, which may take as long as it takes")}.",
            _ => null,
        };
    }
}
