using System.Text.Json;
using Drydock.Api;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>Starts, signals and reads rollouts. What it acknowledges is durable.</summary>
public sealed class Rollouts
{
    private readonly DurableTaskClient _client;
    private readonly RolloutRequests _requests;
    private readonly InstanceFeed _feed;
    private readonly TimeProvider _clock;

    internal Rollouts(DurableTaskClient client, RolloutRequests requests, InstanceFeed feed, TimeProvider clock) =>
        (_client, _requests, _feed, _clock) = (client, requests, feed, clock);

    /// <summary>Starts a rollout and returns it; the same idempotency key with the same request returns the one that was started then.</summary>
    public async Task<Answer<RolloutView>> CreateAsync(
        RolloutCreate create, Requester requestedBy, string? idempotencyKey, CancellationToken cancellationToken)
    {
        if (Problems.OfKey(idempotencyKey) is { } badKey)
        {
            return badKey;
        }

        var id = idempotencyKey is null ? Instances.NewId("r", _clock) : Instances.KeyedId("r", idempotencyKey);

        // A repetition is that also when what it chose then is not there any more.
        var isRepetition = idempotencyKey is not null && await ReadAsync(id, cancellationToken) is not null;
        var read = await _requests.ReadAsync(create, requestedBy, mustExist: !isRepetition, cancellationToken);
        if (!read.IsOk)
        {
            return read.Problem;
        }

        try
        {
            await _client.ScheduleNewOrchestrationInstanceAsync(
                Orchestrations.Rollout, read.Value, Instances.StartOnce(id), cancellationToken);
        }
        catch (OrchestrationAlreadyExistsException) when (idempotencyKey is not null)
        {
            var before = await ReadAsync(id, cancellationToken);
            if (before?.ReadInputAs<RolloutRequest>() is not { } first || !Same(first, read.Value))
            {
                return Problems.KeyReused(idempotencyKey, id);
            }
        }

        return await FindAsync(id, cancellationToken) is { } view ? view : Problems.NotFound("rollout", id);
    }

    /// <summary>The rollout, or null if there is none of that id.</summary>
    public async Task<RolloutView?> FindAsync(string id, CancellationToken cancellationToken) =>
        await ReadAsync(id, cancellationToken) is { } instance ? View(instance) : null;

    /// <summary>The rollout as it stands and whenever it looks different; ends when it is over.</summary>
    public IAsyncEnumerable<RolloutView> WatchAsync(string id, CancellationToken cancellationToken) =>
        _feed.FollowAsync(id, FindAsync, static view => view.IsOver, cancellationToken);

    /// <summary>One page of rollouts, the newest first, or what is wrong with where it should begin.</summary>
    /// <param name="limit">How many at most.</param>
    /// <param name="after">The <c>next</c> of the page before, or null.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<Answer<RolloutList>> ListAsync(int limit, string? after, CancellationToken cancellationToken)
    {
        var page = await NewestFirst.ReadAsync(_client, Orchestrations.Rollout, onlyRunning: false, static _ => true, limit, after, cancellationToken);
        return page.IsOk ? new RolloutList([.. page.Value.Items.Select(View)], page.Value.Next) : page.Problem;
    }

    /// <summary>Takes no new node and cancels those under maintenance.</summary>
    public Task<Answer<RolloutView>> CancelAsync(string id, Requester by, string? reason, CancellationToken cancellationToken) =>
        SignalAsync(id, RolloutEvents.Cancel, by, reason, static (by, reason) => new Cancel(by.Name, reason) { RequestedFrom = by.Address }, cancellationToken);

    /// <summary>Takes no new node; those under maintenance go on to their end.</summary>
    public Task<Answer<RolloutView>> StopAsync(string id, Requester by, string? reason, CancellationToken cancellationToken) =>
        SignalAsync(id, RolloutEvents.Stop, by, reason, static (by, reason) => new Cancel(by.Name, reason) { RequestedFrom = by.Address }, cancellationToken);

    /// <summary>
    /// Lets a paused rollout go on with a new failure budget. Heard after a pause that was said before; of one that is not paused it changes
    /// nothing.
    /// </summary>
    public Task<Answer<RolloutView>> ResumeAsync(string id, Requester by, string? reason, CancellationToken cancellationToken) =>
        SignalAsync(id, RolloutEvents.Steer, by, reason, static (by, reason) => new Steer(SteerKind.Resume, by.Name, reason) { RequestedFrom = by.Address }, cancellationToken);

    /// <summary>Takes no new node until told to resume. Repeating it is harmless.</summary>
    public Task<Answer<RolloutView>> PauseAsync(string id, Requester by, string? reason, CancellationToken cancellationToken) =>
        SignalAsync(id, RolloutEvents.Steer, by, reason, static (by, reason) => new Steer(SteerKind.Suspend, by.Name, reason) { RequestedFrom = by.Address }, cancellationToken);

    /// <summary>Leaves a node out whose turn has not come.</summary>
    public Task<Answer<RolloutView>> SkipAsync(string id, RolloutNodeRequest request, Requester by, CancellationToken cancellationToken) =>
        SignalNodeAsync(id, RolloutEvents.Skip, request, by, "Only a node whose turn has not come can be left out; cancel its maintenance", [nameof(RolloutNodeState.Waiting)], cancellationToken);

    /// <summary>Takes a node again that failed, was refused, was cancelled or was left out.</summary>
    public Task<Answer<RolloutView>> RetryAsync(string id, RolloutNodeRequest request, Requester by, CancellationToken cancellationToken) =>
        SignalNodeAsync(
            id,
            RolloutEvents.Retry,
            request,
            by,
            "Only a node that failed, was refused, cancelled or left out can be taken again",
            [nameof(MaintenanceOutcome.Failed), nameof(MaintenanceOutcome.Refused), nameof(MaintenanceOutcome.Cancelled), nameof(RolloutNodeState.Skipped)],
            cancellationToken);

    private async Task<Answer<RolloutView>> SignalNodeAsync(
        string id, string name, RolloutNodeRequest request, Requester by, string rule, IReadOnlyList<string> states, CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        var node = reader.NodeName("node", request.Node);
        var reason = reader.Reason("reason", request.Reason);
        if (reader.Errors.Count > 0)
        {
            return Problems.Invalid(reader.Errors);
        }

        if (await FindAsync(id, cancellationToken) is not { } view)
        {
            return Problems.NotFound("rollout", id);
        }

        return view.Nodes.FirstOrDefault(one => one.Node == node) switch
        {
            null => Problems.Invalid(new FieldError("node", node, $"a node of rollout {id}")),
            var found when !states.Contains(found.State) => Problems.WrongState(id, $"Node {node} of rollout {id} is {found.State}. {rule}."),
            _ => await RaiseAsync(id, name, new RolloutNodeOrder(node, by.Name, reason) { RequestedFrom = by.Address }, cancellationToken),
        };
    }

    private async Task<Answer<RolloutView>> SignalAsync(
        string id, string name, Requester by, string? reason, Func<Requester, string?, object> payload, CancellationToken cancellationToken) =>
        Problems.OfReason(reason) is { } invalid ? invalid : await RaiseAsync(id, name, payload(by, reason), cancellationToken);

    private async Task<Answer<RolloutView>> RaiseAsync(string id, string name, object payload, CancellationToken cancellationToken)
    {
        if (await ReadAsync(id, cancellationToken) is not { } instance)
        {
            return Problems.NotFound("rollout", id);
        }

        if (instance.IsCompleted)
        {
            return Problems.WrongState(id, $"Rollout {id} is over already: {View(instance).State}.");
        }

        await _client.RaiseEventAsync(id, name, payload, cancellationToken);
        return await FindAsync(id, cancellationToken) ?? View(instance);
    }

    private async Task<OrchestrationMetadata?> ReadAsync(string id, CancellationToken cancellationToken) =>
        await _client.GetInstanceAsync(id, getInputsAndOutputs: true, cancellationToken) is { Name: Orchestrations.Rollout } instance
            ? instance
            : null;

    private static RolloutView View(OrchestrationMetadata instance)
    {
        var request = instance.ReadInputAs<RolloutRequest>();
        var output = instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed ? instance.ReadOutputAs<RolloutStatus>() : null;
        var status = output ?? instance.ReadCustomStatusAs<RolloutStatus>();
        var nodes = output?.Nodes ?? request?.NodesWith(instance.InstanceId, status) ?? status?.Nodes ?? [];
        return new RolloutView(
            instance.InstanceId, State(instance, status), instance.FailureDetails?.ErrorMessage ?? status?.Message ?? "It begins.")
        {
            Reason = request?.Template.Reason,
            RequestedBy = request?.Template.RequestedBy,
            StartedAt = instance.CreatedAt,
            EndedAt = instance.IsCompleted ? instance.LastUpdatedAt : null,
            Total = status?.Total ?? nodes.Count,
            Done = status?.Done ?? 0,
            Failed = status?.Failed ?? 0,
            WaitsFor = instance.IsCompleted ? null : status?.WaitsFor,
            EstimatedEnd = instance.IsCompleted ? null : status?.EstimatedEnd,
            Nodes = [.. nodes.Select(View)],
        };
    }

    private static RolloutNodeView View(RolloutNode node) => new(
        node.Node,
        node is { State: RolloutNodeState.Done, Outcome: { } outcome } ? outcome.ToString() : node.State.ToString(),
        node.State is RolloutNodeState.UnderMaintenance or RolloutNodeState.Done ? node.InstanceId : null,
        node.Message);

    private static string State(OrchestrationMetadata instance, RolloutStatus? status) => instance.RuntimeStatus switch
    {
        OrchestrationRuntimeStatus.Running => status switch { { IsStopping: true } => "Stopping", { IsPaused: true } => "Paused", { IsClosed: true } => "Closed", _ => "Running" },
        OrchestrationRuntimeStatus.Terminated => "Abandoned",
        var other => other.ToString(),
    };

    private static bool Same(RolloutRequest one, RolloutRequest other) => Text(one) == Text(other);

    private static string Text(RolloutRequest request) =>
        JsonSerializer.Serialize(request with { State = null, Template = request.Template with { RequestedBy = null, RequestedFrom = null, HubId = "" } });
}
