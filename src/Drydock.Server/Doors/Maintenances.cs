using System.Text.Json;
using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>The one place where doors start, signal and read maintenances. What it acknowledges is durable.</summary>
public sealed class Maintenances : IDisposable
{
    private const int PageSize = 50;

    private readonly DurableTaskClient _client;
    private readonly ICluster _cluster;
    private readonly HistoryReader _history;
    private readonly InstanceFeed _feed;
    private readonly HubIdentity _hub;
    private readonly TimeProvider _clock;
    private readonly PlanReader _plans;
    private readonly ActionPlanner _actions;

    // Two creates for one node in this process see each other; across processes the lease decides.
    private readonly SemaphoreSlim _creating = new(1);

    internal Maintenances(
        DurableTaskClient client,
        ICluster cluster,
        ActionPlanner actions,
        HistoryReader history,
        InstanceFeed feed,
        HubIdentity hub,
        TimeProvider clock)
    {
        (_client, _cluster, _actions, _history, _feed, _hub, _clock) = (client, cluster, actions, history, feed, hub, clock);
        _plans = new PlanReader(cluster, clock, actions);
    }

    /// <inheritdoc/>
    public void Dispose() => _creating.Dispose();

    /// <summary>
    /// Starts a maintenance and returns it, or the problem that forbids it. The same idempotency key with the same request returns the
    /// maintenance that was started then.
    /// </summary>
    /// <param name="create">What is asked for.</param>
    /// <param name="requestedBy">Who asks, as the door knows it.</param>
    /// <param name="idempotencyKey">Makes a repetition harmless; null: every call is a new request.</param>
    /// <param name="cancellationToken">Gives up waiting; what was started by then goes on.</param>
    public async Task<Answer<MaintenanceView>> CreateAsync(
        MaintenanceCreate create, Requester requestedBy, string? idempotencyKey, CancellationToken cancellationToken)
    {
        var read = MaintenanceRequests.Read(create);
        if (!read.IsOk)
        {
            return read.Problem;
        }

        if (Problems.OfKey(idempotencyKey) is { } badKey)
        {
            return badKey;
        }

        var request = read.Value with { RequestedBy = requestedBy.Name, RequestedFrom = requestedBy.Address, HubId = _hub.Id };
        await _creating.WaitAsync(cancellationToken);
        try
        {
            return await CreateAsync(request, idempotencyKey, cancellationToken);
        }
        finally
        {
            _creating.Release();
        }
    }

    /// <summary>The maintenance, or null if there is none of that id.</summary>
    public async Task<MaintenanceView?> FindAsync(string id, CancellationToken cancellationToken) =>
        await InstanceTree.ReadAsync(_client, id, cancellationToken) is { } tree ? MaintenanceViews.View(tree, withPods: true) : null;

    /// <summary>The maintenance of a node that is not over, or null.</summary>
    public async Task<MaintenanceView?> FindRunningAsync(string node, CancellationToken cancellationToken)
    {
        await foreach (var instance in Instances.RunningAsync(_client, Orchestrations.Maintenance, cancellationToken))
        {
            if (instance.ReadInputAs<MaintenanceRequest>()?.Node == node)
            {
                return await FindAsync(instance.InstanceId, cancellationToken);
            }
        }

        return null;
    }

    /// <summary>The first page of maintenances, the newest first.</summary>
    /// <param name="node">Only of this node, if not null.</param>
    /// <param name="onlyRunning">Only those that are not over.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<MaintenanceList> ListAsync(string? node, bool onlyRunning, CancellationToken cancellationToken) =>
        (await ListAsync(new MaintenanceFilter { Node = node, OnlyRunning = onlyRunning }, PageSize, null, cancellationToken)).ValueOrThrow();

    /// <summary>One page of the maintenances that a filter lets through, the newest first, or what is wrong with where it should begin.</summary>
    internal async Task<Answer<MaintenanceList>> ListAsync(MaintenanceFilter filter, int limit, string? after, CancellationToken cancellationToken)
    {
        var page = await NewestFirst.ReadAsync(_client, Orchestrations.Maintenance, filter.OnlyRunning, filter.Takes, limit, after, cancellationToken);
        if (!page.IsOk)
        {
            return page.Problem;
        }

        var views = new List<MaintenanceView>(page.Value.Items.Count);
        foreach (var instance in page.Value.Items)
        {
            if (await InstanceTree.ReadAsync(_client, instance.InstanceId, cancellationToken) is { } tree)
            {
                views.Add(MaintenanceViews.View(tree, withPods: false));
            }
        }

        return new MaintenanceList(views, page.Value.Next);
    }

    /// <summary>All pods that a maintenance had to evict, by namespace and name: from its report, or while it runs from the drain's own history.</summary>
    internal async Task<Answer<IReadOnlyList<PodResultView>>> PodsAsync(string id, CancellationToken cancellationToken)
    {
        if (await InstanceTree.ReadAsync(_client, id, cancellationToken) is not { } tree)
        {
            return Problems.NotFound("maintenance", id);
        }

        var pods = tree.Report?.Pods;
        if (pods is null && tree.Children.FirstOrDefault(static child => child.Name == Orchestrations.Drain) is { } drain)
        {
            var (input, answers) = await _history.ReadAnswersAsync(drain.InstanceId, cancellationToken);
            pods = DrainPods.Read(input, answers);
        }

        return Answer<IReadOnlyList<PodResultView>>.Of([.. (pods ?? []).Select(MaintenanceViews.View)
            .OrderBy(static pod => pod.Namespace, StringComparer.Ordinal).ThenBy(static pod => pod.Name, StringComparer.Ordinal).ThenBy(static pod => pod.Uid, StringComparer.Ordinal)]);
    }

    /// <summary>Asks to cancel. Repeating it is harmless; a maintenance that is over cannot be cancelled.</summary>
    public async Task<Answer<MaintenanceView>> CancelAsync(string id, Requester by, MaintenanceCancelRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(request);
        var reader = new FieldReader();
        CancelledMigrations? migrations = request.Migrations is null
            ? null
            : reader.Choice("migrations", request.Migrations, CancelledMigrations.Finish, Enum.GetValues<CancelledMigrations>());
        reader.Reason("reason", request.Reason);
        if (reader.Errors.Count > 0)
        {
            return Problems.Invalid(reader.Errors);
        }

        if (await InstanceTree.ReadAsync(_client, id, cancellationToken) is not { } tree)
        {
            return Problems.NotFound("maintenance", id);
        }

        var view = MaintenanceViews.View(tree, withPods: true);
        if (view.IsOver)
        {
            return Problems.WrongState(id, $"Maintenance {id} is over already: {view.State}. {view.Message}");
        }

        if (tree.Status is { Step: MaintenanceStep.Restore, IsCancelling: false })
        {
            return Problems.WrongState(
                id, $"Maintenance {id} is putting back what was changed already, and a cancel changes nothing of that. If the node is still cordoned when it is over: drydock restore {view.Node}");
        }

        await _client.RaiseEventAsync(id, MaintenanceEvents.Cancel, new Cancel(by.Name, request.Reason, migrations) { RequestedFrom = by.Address }, cancellationToken);
        return await FindAsync(id, cancellationToken) ?? view;
    }

    /// <summary>Lets a held node go on to its health check and be restored.</summary>
    public async Task<Answer<MaintenanceView>> CompleteAsync(string id, Requester by, CompleteRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(request);
        if (Problems.OfReason(request.Reason) is { } invalid)
        {
            return invalid;
        }

        if (await InstanceTree.ReadAsync(_client, id, cancellationToken) is not { } tree)
        {
            return Problems.NotFound("maintenance", id);
        }

        // Said while it is suspended, it counts once it is resumed; and while the lease is lost the wait goes on, with its deadline.
        var view = MaintenanceViews.View(tree, withPods: true);
        if (view.IsOver || tree.Status is not { IsHolding: true, IsCancelling: false })
        {
            return Problems.WrongState(id, $"Maintenance {id} is not holding its node: {view.State}. {view.Message}");
        }

        if (request.SkipHealth && await MustCheckHealthAsync(id, tree, cancellationToken) is { } refused)
        {
            return refused;
        }

        var waits = tree.Status!.AwaitsComplete();
        if (request.Wait is { } wait && wait != waits)
        {
            return Problems.WrongState(id, $"Maintenance {id} does not wait for '{wait}' to be completed; it waits for '{waits}'. {view.Message}");
        }

        // By its name, so that a second one, or one that comes late, does not complete the wait after it.
        var complete = new Complete(by.Name, request.SkipHealth, request.Reason) { RequestedFrom = by.Address, Wait = waits };
        await _client.RaiseEventAsync(id, MaintenanceEvents.Complete, complete, cancellationToken);
        return await FindAsync(id, cancellationToken) ?? view;
    }

    // Whoever may end a hold may not set aside what an admin requires, nor decide about what is done to the node only later.
    private async Task<Problem?> MustCheckHealthAsync(string id, InstanceTree tree, CancellationToken cancellationToken) =>
        await _actions.FindPolicyAsync(tree.Request, cancellationToken) is { RequiredProbes: { Count: > 0 } probes } policy
            ? Problems.Invalid(new FieldError(
                "skipHealth", "true", $"false, since policy {policy.Name} requires {string.Join(", ", probes)} of every maintenance under it"))
            : tree.Status?.Actions is [.., { Point: ActionPoint.BeforeDrain or ActionPoint.AfterDrain }]
                ? Problems.WrongState(id, $"Maintenance {id} is held before its action: whether the node is healthy afterwards can be left unchecked only then. Complete it without skipHealth.")
                : null;

    /// <summary>Approves or rejects the gate at which a maintenance waits.</summary>
    public async Task<Answer<MaintenanceView>> DecideAsync(string id, Approval decision, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(decision);
        if (Problems.OfReason(decision.Reason) is { } invalid)
        {
            return invalid;
        }

        if (await InstanceTree.ReadAsync(_client, id, cancellationToken) is not { } tree)
        {
            return Problems.NotFound("maintenance", id);
        }

        var view = MaintenanceViews.View(tree, withPods: true);
        if (view.IsOver || tree.Status is not { AwaitsApproval: { } gate, IsCancelling: false })
        {
            return Problems.WrongState(id, $"Maintenance {id} does not wait for an approval: {view.State}. {view.Message}");
        }

        await _client.RaiseEventAsync(id, MaintenanceEvents.Approval(gate), decision, cancellationToken);
        return await FindAsync(id, cancellationToken) ?? view;
    }

    /// <summary>
    /// Takes the call-back of a webhook. Its signature is its credential, so a wrong one learns no more than that there is no such call.
    /// </summary>
    /// <param name="id">The maintenance.</param>
    /// <param name="key">The action.</param>
    /// <param name="isSigned">Whether the call-back is signed with the key of that secret file.</param>
    /// <param name="callback">What it says.</param>
    /// <param name="cancellationToken">Gives up.</param>
    internal async Task<Problem?> CallBackAsync(
        string id, string key, Func<string, Task<bool>> isSigned, WebhookCallback callback, CancellationToken cancellationToken)
    {
        var action = await _client.GetInstanceAsync(InstanceIds.Action(id, key), getInputsAndOutputs: true, cancellationToken);
        if (action?.IsCompleted != false
            || action.ReadCustomStatusAs<ActionStatus>()?.CallbackSecretFile is not { } secretFile
            || !await isSigned(secretFile))
        {
            return Problems.NotFound("call that waits for this call-back", $"{id}/{key}");
        }

        await _client.RaiseEventAsync(action.InstanceId, ActionEvents.Callback, callback, cancellationToken);
        return null;
    }

    /// <summary>What a maintenance would do. Reads only.</summary>
    public async Task<Answer<PlanView>> PlanAsync(MaintenanceCreate create, CancellationToken cancellationToken)
    {
        var read = MaintenanceRequests.Read(create);
        if (!read.IsOk)
        {
            return read.Problem;
        }

        if (await CheckNodeAsync(read.Value.Node, cancellationToken) is { } unknown)
        {
            return unknown;
        }

        var plan = await _plans.ReadTogetherAsync([read.Value], cancellationToken);
        return MaintenanceViews.View(plan.Nodes[0] with { Findings = [.. plan.Nodes[0].Findings.Concat(plan.Findings).OrderBy(static finding => finding.Severity)] });
    }

    /// <summary>What draining several nodes together would do. Reads only.</summary>
    public async Task<Answer<PlansView>> PlanTogetherAsync(PlanCreate create, CancellationToken cancellationToken)
    {
        var read = MaintenanceRequests.Read(create);
        if (!read.IsOk)
        {
            return read.Problem;
        }

        foreach (var request in read.Value)
        {
            if (await CheckNodeAsync(request.Node, cancellationToken) is { } unknown)
            {
                return unknown;
            }
        }

        return MaintenanceViews.View(await _plans.ReadTogetherAsync(read.Value, cancellationToken));
    }

    /// <summary>Everything that happened in a maintenance and its parts, in order of time.</summary>
    public async Task<Answer<IReadOnlyList<HistoryEventView>>> HistoryAsync(string id, CancellationToken cancellationToken)
    {
        if (await InstanceTree.ReadAsync(_client, id, cancellationToken) is not { } tree)
        {
            return Problems.NotFound("maintenance", id);
        }

        var instances = tree.Children.Select(static child => child.InstanceId).Prepend(id);
        return Answer<IReadOnlyList<HistoryEventView>>.Of(await _history.ReadAsync(instances, cancellationToken));
    }

    /// <summary>The histories of a maintenance and its parts as they are stored, as JSON.</summary>
    public async Task<Answer<string>> StoredHistoryAsync(string id, CancellationToken cancellationToken)
    {
        if (await InstanceTree.ReadAsync(_client, id, cancellationToken) is not { } tree)
        {
            return Problems.NotFound("maintenance", id);
        }

        return Answer<string>.Of(await _history.ReadStoredAsync(tree.Children.Select(static child => child.InstanceId).Prepend(id), cancellationToken));
    }

    /// <summary>
    /// Yields the maintenance as it stands and then after each change, five times a second at the most; ends when it is over or gone.
    /// </summary>
    public IAsyncEnumerable<MaintenanceView> WatchAsync(string id, CancellationToken cancellationToken) =>
        _feed.FollowAsync(id, FindAsync, static view => view.IsOver, cancellationToken);

    private async Task<Answer<MaintenanceView>> CreateAsync(MaintenanceRequest request, string? key, CancellationToken cancellationToken)
    {
        var id = key is null ? Instances.NewId("m-" + request.Node, _clock) : Instances.KeyedId("m", key);
        if (key is not null && await InstanceTree.ReadAsync(_client, id, cancellationToken) is { } before)
        {
            return SameRequest(before.Request, request) ? MaintenanceViews.View(before, withPods: true) : Problems.KeyReused(key, id);
        }

        if (await CheckNodeAsync(request.Node, cancellationToken) is { } unknown)
        {
            return unknown;
        }

        if (await FindRunningAsync(request.Node, cancellationToken) is { } running)
        {
            return Problems.AlreadyUnderMaintenance(request.Node, running.Id, running.State);
        }

        try
        {
            await _client.ScheduleNewOrchestrationInstanceAsync(
                Orchestrations.Maintenance, request, Instances.StartOnce(id), cancellationToken);
        }
        catch (OrchestrationAlreadyExistsException) when (key is not null)
        {
            // Another server got the same key in the same moment.
            if (await InstanceTree.ReadAsync(_client, id, cancellationToken) is not { } other || !SameRequest(other.Request, request))
            {
                return Problems.KeyReused(key, id);
            }
        }

        return await FindAsync(id, cancellationToken) is { } view
            ? view
            : throw new InvalidOperationException($"Maintenance '{id}' was started and is not there.");
    }

    private async Task<Problem?> CheckNodeAsync(string node, CancellationToken cancellationToken)
    {
        if (await _cluster.GetNodeAsync(node, cancellationToken) is not null)
        {
            return null;
        }

        var nodes = await _cluster.ListNodesAsync(cancellationToken);
        return Problems.NodeNotFound("node", node, [.. nodes.Select(static known => known.Name)]);
    }

    // As text: records that hold lists are equal only to themselves.
    private static bool SameRequest(MaintenanceRequest one, MaintenanceRequest other) =>
        JsonSerializer.Serialize(WithoutCaller(one)) == JsonSerializer.Serialize(WithoutCaller(other));

    private static MaintenanceRequest WithoutCaller(MaintenanceRequest request) => request with { RequestedBy = null, RequestedFrom = null, HubId = "" };
}
