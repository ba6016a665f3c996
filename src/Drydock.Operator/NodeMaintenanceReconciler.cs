using Drydock.Kubernetes;
using Drydock.Maintenance;
using Microsoft.Extensions.Logging;

namespace Drydock.Operator;

/// <summary>What a reconcile found.</summary>
/// <param name="InstanceId">The maintenance whose changes matter to the resource, or null.</param>
/// <param name="Again">When to look again although nothing changes, or null.</param>
internal sealed record ReconcileResult(string? InstanceId, TimeSpan? Again = null);

/// <summary>Brings one NodeMaintenance and its maintenance into step. May run any number of times.</summary>
internal sealed class NodeMaintenanceReconciler(
    INodeMaintenances resources,
    ICluster cluster,
    DurableTaskClient client,
    IMaintenancePolicies policies,
    Func<string> hubId,
    TimeProvider clock,
    ILogger<NodeMaintenanceReconciler> logger) : IReconciler
{
    private const string RequestedByPrefix = "nodemaintenance/";
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(200);

    // A feed may lose a change when it reconnects; a deletion must not hang on it.
    private static readonly TimeSpan WhileEnding = TimeSpan.FromSeconds(10);

    // Nobody could ever delete it otherwise; what is still marked then is told, and 'drydock restore' puts it back.
    private static readonly TimeSpan LongestDeletion = TimeSpan.FromHours(1);

    // Told once per life of this process: a raised event is durable, and every wake-up would raise another.
    private readonly HashSet<string> _told = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Kind => "NodeMaintenance";

    /// <inheritdoc/>
    public IAsyncEnumerable<string> WatchAsync(CancellationToken cancellationToken) => resources.WatchAsync(cancellationToken);

    /// <summary>The instance id of a resource: a new life of the same name is a new maintenance.</summary>
    public static string InstanceIdOf(string uid) => "nm-" + uid;

    /// <summary>The instance that puts a node back whose maintenance could not.</summary>
    public static string UndoIdOf(string id) => id + ":undo";

    /// <summary>Reads both sides and does what is missing.</summary>
    public async Task<ReconcileResult> ReconcileAsync(string name, CancellationToken cancellationToken)
    {
        if (await resources.GetAsync(name, cancellationToken) is not { } resource)
        {
            // Somebody took the finalizer off by hand: what we started for it must not stay.
            await EndOrphansAsync(cancellationToken);
            return new ReconcileResult(null);
        }

        var id = InstanceIdOf(resource.Uid);
        var instance = await client.GetInstanceAsync(id, getInputsAndOutputs: true, cancellationToken);
        if (resource.IsBeingDeleted)
        {
            return await ReconcileDeletionAsync(resource, id, instance, cancellationToken);
        }

        if (!resource.HasFinalizer && !await resources.SetFinalizerAsync(resource, present: true, cancellationToken))
        {
            return new ReconcileResult(id, Soon);
        }

        var wish = await NodeMaintenanceWish.ReadAsync(resource, client, clock.GetUtcNow(), cancellationToken);
        if (instance is null)
        {
            // What is over is over, also when the hub has forgotten it: its status stays, and nothing begins again.
            if (IsOver(resource, wish))
            {
                return new ReconcileResult(null);
            }

            return wish.Problem is null && wish.WaitsUntil is null
                ? await StartAsync(resource, wish, id, isAgain: false, cancellationToken)
                : await WaitAsync(resource, wish, cancellationToken);
        }

        if (IsHeldByOther(instance) && wish.Problem is null)
        {
            // What the Node Maintenance Operator does: try again until the other is done, and say for whom it waits.
            await ProjectAsync(resource, id, instance, cancellationToken);
            return await StartAsync(resource, wish, id, isAgain: true, cancellationToken);
        }

        await ProjectAsync(resource, id, instance, cancellationToken);
        return new ReconcileResult(id);
    }

    /// <summary>The maintenance never began, because somebody else holds the node or its turn in the control plane.</summary>
    internal static bool IsHeldByOther(OrchestrationMetadata instance) =>
        instance.RuntimeStatus == OrchestrationRuntimeStatus.Completed && instance.ReadOutputAs<MaintenanceReport>()?.IsHeldByOther() == true;

    // A held node whose maintenance is not there was not forgotten but lost, with the hub: it is held again.
    private static bool IsOver(NodeMaintenanceSnapshot resource, NodeMaintenanceWish wish) => resource.Status.Phase switch
    {
        NodeMaintenancePhases.Failed => !NodeMaintenanceWish.IsProblem(resource.Status.LastError),
        NodeMaintenancePhases.Succeeded => wish.Action == MaintenanceAction.None,
        _ => false,
    };

    /// <summary>It does not begin yet, or never will as it is written: its status says why.</summary>
    private async Task<ReconcileResult> WaitAsync(NodeMaintenanceSnapshot resource, NodeMaintenanceWish wish, CancellationToken cancellationToken)
    {
        var status = resource.Status with
        {
            Phase = wish.Problem is null ? NodeMaintenancePhases.Running : NodeMaintenancePhases.Failed, LastError = wish.Problem ?? wish.WaitsFor,
        };
        await resources.WriteStatusAsync(resource, status, cancellationToken);
        return new ReconcileResult(null, wish.WaitsUntil is { } until ? until - clock.GetUtcNow() : null);
    }

    /// <summary>Ends every maintenance that was started for a resource which is not there any more.</summary>
    public async Task EndOrphansAsync(CancellationToken cancellationToken)
    {
        var running = new OrchestrationQuery(
            Statuses: [OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running, OrchestrationRuntimeStatus.Suspended],
            InstanceIdPrefix: "nm-",
            FetchInputsAndOutputs: true);
        await foreach (var instance in client.GetAllInstancesAsync(running).WithCancellation(cancellationToken))
        {
            if (instance.Name != Orchestrations.Maintenance
                || instance.ReadInputAs<MaintenanceRequest>()?.RequestedBy is not { } by
                || !by.StartsWith(RequestedByPrefix, StringComparison.Ordinal))
            {
                continue;
            }

            var resource = await resources.GetAsync(by[RequestedByPrefix.Length..], cancellationToken);
            if (resource is null || InstanceIdOf(resource.Uid) != instance.InstanceId)
            {
                logger.LogInformation("{By} is gone; maintenance {Instance} ends.", by, instance.InstanceId);
                await EndAsync(instance, by, resource: null, cancellationToken);
            }
        }
    }

    private async Task<ReconcileResult> ReconcileDeletionAsync(
        NodeMaintenanceSnapshot resource, string id, OrchestrationMetadata? instance, CancellationToken cancellationToken)
    {
        if (!resource.HasFinalizer)
        {
            return new ReconcileResult(id);
        }

        var isOverdue = clock.GetUtcNow() - (resource.DeletionRequestedAt ?? clock.GetUtcNow()) >= LongestDeletion;
        if (instance is { IsCompleted: false })
        {
            await EndAsync(instance, RequestedByPrefix + resource.Name, resource, cancellationToken);
            await ProjectAsync(resource, id, instance, cancellationToken);
        }

        var kept = await KeptAsync(resource, instance, cancellationToken);
        if (instance is { IsCompleted: false }
            || (kept is null && await HolderAsync(resource, id, instance, cancellationToken) is { } holder
                && !await IsUndoneAsync(resource, id, holder, cancellationToken)))
        {
            if (!isOverdue)
            {
                return new ReconcileResult(id, WhileEnding);
            }

            logger.LogWarning(
                "NodeMaintenance {Name} goes after {Longest} although {Instance} is not over; see 'drydock restore {Node}'.",
                resource.Name, LongestDeletion, id, resource.NodeName);
        }

        // The finalizer goes last: as long as it is there, the node may still be marked.
        if (!await resources.SetFinalizerAsync(resource, present: false, cancellationToken))
        {
            return new ReconcileResult(id, Soon);
        }

        _told.Remove(id);
        if (kept is not null)
        {
            await resources.RecordEventAsync(
                resource, isWarning: true, "NodeKept",
                $"{kept} Node {resource.NodeName} stays out of service, since it was to be given back only when it is healthy. When it is fit: drydock restore {resource.NodeName}",
                cancellationToken);
        }

        await resources.RecordEventAsync(resource, isWarning: false, "RemovedMaintenance", "Removed a node maintenance", cancellationToken);
        return new ReconcileResult(null);
    }

    /// <summary>Why its maintenance keeps a node that is to be given back only when it is healthy, or null: it does not, or nobody asked for that.</summary>
    private async Task<string?> KeptAsync(NodeMaintenanceSnapshot resource, OrchestrationMetadata? instance, CancellationToken cancellationToken) =>
        instance is { RuntimeStatus: OrchestrationRuntimeStatus.Completed } && instance.ReadOutputAs<MaintenanceReport>() is { IsNodeKept: true } report
            && await AsksForHealthAsync(resource, instance, cancellationToken) ? report.Message : null;

    /// <summary>Whose marks are to be undone, or null: none are left. The node itself tells first: a hub may have been lost, and have forgotten its maintenance.</summary>
    private async Task<string?> HolderAsync(
        NodeMaintenanceSnapshot resource, string id, OrchestrationMetadata? instance, CancellationToken cancellationToken) =>
        await MarkedByAsync(resource, id, cancellationToken)
        ?? (instance is not null && MayBeLeftBehind(instance) ? Holder.Of(instance.ReadInputAs<MaintenanceRequest>()?.HubId ?? hubId(), id) : null);

    /// <summary>The holder that the node is marked by, if that is this maintenance, on whatever hub; else null.</summary>
    private async Task<string?> MarkedByAsync(NodeMaintenanceSnapshot resource, string id, CancellationToken cancellationToken) =>
        (await cluster.GetNodeAsync(resource.NodeName, cancellationToken))?.Mark?.HeldBy is { } by && Holder.InstanceOf(by) == id ? by : null;

    // A maintenance that ended well, or was refused, has put everything back itself.
    private static bool MayBeLeftBehind(OrchestrationMetadata instance) =>
        instance.RuntimeStatus != OrchestrationRuntimeStatus.Completed
        || instance.ReadOutputAs<MaintenanceReport>() is null or { LeftBehind.Count: > 0 };

    /// <summary>Deleting the resource asks for the node back, however its maintenance ended: from the marks, once.</summary>
    private async Task<bool> IsUndoneAsync(NodeMaintenanceSnapshot resource, string id, string holder, CancellationToken cancellationToken)
    {
        var undo = UndoIdOf(id);
        if (await client.GetInstanceAsync(undo, getInputsAndOutputs: true, cancellationToken) is not { } instance)
        {
            var request = new RestoreRequest(resource.NodeName) { Holder = holder, EvenIfRunning = true, TellsToStay = true };
            await StartOnceAsync(Orchestrations.Restore, request, undo, replacesCompleted: false, cancellationToken);
            return false;
        }

        if (instance.IsCompleted && instance.ReadOutputAs<RestoreResult>()?.LeftBehind is not { Count: 0 })
        {
            // The resource goes all the same: nobody could ever delete it otherwise.
            logger.LogWarning("NodeMaintenance {Name} goes, and {Node} may still be marked: see {Instance}.", resource.Name, resource.NodeName, undo);
        }

        return instance.IsCompleted;
    }

    // One that was refused because another holds the node is replaced: it never began. A node that it holds since a hub that was lost is held
    // on under the name it had there: the lease, the marks and what they say are its own.
    private async Task<ReconcileResult> StartAsync(
        NodeMaintenanceSnapshot resource, NodeMaintenanceWish wish, string id, bool isAgain, CancellationToken cancellationToken)
    {
        var hub = Holder.HubOf(await MarkedByAsync(resource, id, cancellationToken)) ?? hubId();
        await StartOnceAsync(Orchestrations.Maintenance, wish.Apply(RequestOf(resource, hub)), id, isAgain, cancellationToken);
        logger.LogInformation("NodeMaintenance {Name} starts {Instance} on {Node}.", resource.Name, id, resource.NodeName);
        return new ReconcileResult(id, Soon);
    }

    private async Task StartOnceAsync(
        string orchestration, object input, string id, bool replacesCompleted, CancellationToken cancellationToken)
    {
        List<OrchestrationRuntimeStatus> kept =
        [
            OrchestrationRuntimeStatus.Pending,
            OrchestrationRuntimeStatus.Running,
            OrchestrationRuntimeStatus.Suspended,
            OrchestrationRuntimeStatus.Failed,
            OrchestrationRuntimeStatus.Terminated,
        ];
        if (!replacesCompleted)
        {
            kept.Add(OrchestrationRuntimeStatus.Completed);
        }

        var once = new StartOrchestrationOptions(id).WithDedupeStatuses([.. kept]);
        try
        {
            await client.ScheduleNewOrchestrationInstanceAsync(orchestration, input, once, cancellationToken);
        }
        catch (OrchestrationAlreadyExistsException)
        {
            // Another delivery of the same news was faster.
        }
    }

    /// <summary>What the Node Maintenance Operator does: drain without giving up, keep the node, restore on deletion.</summary>
    internal static MaintenanceRequest RequestOf(NodeMaintenanceSnapshot resource, string hubId) => new(resource.NodeName)
    {
        Reason = resource.Reason,
        RequestedBy = RequestedByPrefix + resource.Name,
        HubId = hubId,
        Action = MaintenanceAction.Hold,
        OnFailure = FailurePolicy.Restore,

        // The lease is asked for every few seconds that long, then the whole plan again.
        LeaseWait = TimeSpan.FromMinutes(2),
        Drain = new DrainPolicy
        {
            OnTimeout = DeadlinePolicy.Wait, EvictUnmanaged = true, DeleteEmptyDirData = true, IgnoreDaemonSets = true,
        },
    };

    /// <summary>Tells a maintenance to put its node back.</summary>
    /// <param name="instance">The maintenance.</param>
    /// <param name="by">Who says so.</param>
    /// <param name="resource">Its resource, or null: that is gone, and only the policy it was under can still ask for health.</param>
    /// <param name="cancellationToken">Gives up.</param>
    private async Task EndAsync(OrchestrationMetadata instance, string by, NodeMaintenanceSnapshot? resource, CancellationToken cancellationToken)
    {
        var id = instance.InstanceId;
        var status = instance.ReadCustomStatusAs<MaintenanceStatus>();
        if (status is { IsCancelling: true } or { Step: MaintenanceStep.Health, Suspension: null } or { Step: MaintenanceStep.Restore or MaintenanceStep.Done }
            || _told.Contains(id))
        {
            return;
        }

        // Without a health gate unless it is asked for: whoever deletes it wants the node back. A cancel that arrives when the node is held by now
        // restores it too, also without a health check, and ends a suspension.
        var checksHealth = await AsksForHealthAsync(resource, instance, cancellationToken);
        if (checksHealth && status is { Suspension: not null } and ({ IsHolding: true } or { Step: MaintenanceStep.Health }))
        {
            await client.RaiseEventAsync(id, MaintenanceEvents.Steer, new Steer(SteerKind.Resume, by), cancellationToken);
        }

        if (status is { IsHolding: true } && (checksHealth || status.Suspension is null))
        {
            await client.RaiseEventAsync(id, MaintenanceEvents.Complete, new Complete(by, SkipHealth: !checksHealth) { Wait = status.AwaitsComplete() }, cancellationToken);
        }
        else if (!checksHealth || status is not { Step: MaintenanceStep.Health })
        {
            await client.RaiseEventAsync(id, MaintenanceEvents.Cancel, new Cancel(by, "The NodeMaintenance was deleted."), cancellationToken);
        }

        _told.Add(id);
    }

    private async Task ProjectAsync(
        NodeMaintenanceSnapshot resource, string id, OrchestrationMetadata instance, CancellationToken cancellationToken)
    {
        var drain = await client.GetInstanceAsync(InstanceIds.Pods(id), getInputsAndOutputs: true, cancellationToken);
        var lease = await client.GetInstanceAsync(InstanceIds.Lease(id), getInputsAndOutputs: true, cancellationToken);
        var pods = instance.IsCompleted ? [] : await cluster.ListPodsOnNodeAsync(resource.NodeName, cancellationToken);
        var status = StatusProjection.Project(resource, instance, drain?.ReadCustomStatusAs<DrainStatus>(), lease?.ReadCustomStatusAs<HoldLeaseStatus>(), pods);
        await resources.WriteStatusAsync(resource, status, cancellationToken);
        if (status.Phase == resource.Status.Phase)
        {
            return;
        }

        // After the status, so that a crash in between loses an event rather than repeating it at every start. On the resource: those on
        // the node are the maintenance's own.
        if (resource.Status.Phase.Length == 0)
        {
            await resources.RecordEventAsync(resource, isWarning: false, "BeginMaintenance", "Begin a node maintenance", cancellationToken);
        }

        if (status.Phase == NodeMaintenancePhases.Succeeded)
        {
            await resources.RecordEventAsync(resource, isWarning: false, "SucceedMaintenance", "Node maintenance was succeeded", cancellationToken);
        }
        else if (status.Phase == NodeMaintenancePhases.Failed)
        {
            await resources.RecordEventAsync(resource, isWarning: true, "FailedMaintenance", "Failed a node maintenance", cancellationToken);
        }
    }

    // The policy that it was started under: who takes the annotation off later is still under it.
    private async Task<bool> AsksForHealthAsync(NodeMaintenanceSnapshot? resource, OrchestrationMetadata instance, CancellationToken cancellationToken) =>
        resource?.Annotations.GetValueOrDefault(NodeMaintenanceAnnotations.HealthOnDelete) == "true"
        || (instance.ReadInputAs<MaintenanceRequest>()?.Policy is { } policy
            && await policies.FindAsync(policy, cancellationToken) is { HealthOnDelete: true });
}
