using System.Text.Json.Nodes;
using Drydock.Kubernetes.Access;
using Drydock.Kubernetes.Admission;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Changes;
using Drydock.Kubernetes.Eviction;
using Drydock.Kubernetes.Leases;
using Drydock.Kubernetes.Maintenances;
using Drydock.Kubernetes.Reading;
using Drydock.Kubernetes.Watching;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.Kubernetes;

/// <summary>The cluster behind one API server.</summary>
public sealed partial class KubernetesCluster : ICluster, INeighbours, IAsyncDisposable
{

    private readonly ApiClient _api;
    private readonly Evictions _evictions;
    private readonly NamedLeases _leases;
    private readonly NamedLeases _turns;
    private readonly NodeEvents _events;
    private readonly VirtualMachines _vms;
    private readonly ChangeFeed _changes;

    private KubernetesCluster(ClusterConnection connection, ApiClient api, ILoggerFactory loggers)
    {
        _api = api;
        _evictions = new Evictions(api);
        _leases = new NamedLeases(api, connection.LeaseNamespace, "node-");
        _turns = new NamedLeases(api, connection.LeaseNamespace, "drydock-");
        _events = new NodeEvents(api, loggers.CreateLogger<NodeEvents>());
        _vms = new VirtualMachines(api);
        _changes = new ChangeFeed(api, loggers.CreateLogger<ChangeFeed>());
        AccessReviews = new AccessReviews(api);
        Admission = new AdmissionObjects(api);
        NodeConditions = new NodeConditions(api);
        OperatorLease = new OperatorLease(_turns);
        Resources = new DrydockResources(api, loggers.CreateLogger<DrydockResources>());
        NodeMaintenances = new NodeMaintenances(api, _events, loggers.CreateLogger<NodeMaintenances>());
    }

    /// <summary>Opens the connection; nothing is sent before the first call.</summary>
    /// <exception cref="ClusterConnectionException">The connection cannot be used.</exception>
    public static KubernetesCluster Open(ClusterConnection connection, TimeProvider clock, ILoggerFactory? loggers = null) =>
        new(connection, ApiConnection.Open(connection, clock), loggers ?? NullLoggerFactory.Instance);

    /// <summary>The NodeMaintenance resources of the same cluster.</summary>
    public INodeMaintenances NodeMaintenances { get; }

    /// <summary>What its API server says about callers.</summary>
    public IAccessReviews AccessReviews { get; }

    /// <summary>The objects of our own kinds in the same cluster.</summary>
    public IDrydockResources Resources { get; }

    /// <summary>The lifecycle conditions of its nodes.</summary>
    public INodeConditions NodeConditions { get; }

    /// <summary>Which of several servers acts on resources.</summary>
    public IOperatorLease OperatorLease { get; }

    /// <summary>What our webhook keeps in the same cluster.</summary>
    public IAdmissionObjects Admission { get; }

    /// <inheritdoc/>
    public TimeSpan? ServerAhead => _api.ServerAhead;

    /// <inheritdoc/>
    public ClusterCounts Counts => new(_api.InFlight, _changes.ParkedWaits) { WatchEventsSeen = _changes.EventsSeen, Watches = _api.Watches.All };

    /// <inheritdoc/>
    public async Task<ClusterIdentity> GetIdentityAsync(CancellationToken cancellationToken)
    {
        var system = _api.DoAsync(new ApiCall("get", Resource.Namespaces) { Name = "kube-system" }, cancellationToken);
        var version = _api.DoAsync(new ApiCall("get", Resource.Version), cancellationToken);
        var served = Task.WhenAll(((Resource[])[Resource.Vmis, Resource.NodeMaintenances, Resource.Rollouts, Resource.ClusterVersions])
            .Select(resource => IsServedAsync(resource, cancellationToken)));
        await Task.WhenAll(system, version, served);
        var isServed = await served;
        return new ClusterIdentity((await system).Uid(), (await version).Text("gitVersion") ?? "", _api.Server, isServed[0], isServed[1])
        {
            HasDrydockResources = isServed[2],
            HasOpenShift = isServed[3],
        };
    }

    /// <inheritdoc/>
    public async Task<bool> IsSimulatedAsync(CancellationToken cancellationToken)
    {
        var answer = await _api.SendAsync(new ApiCall("get", Resource.SimulatedFaults), cancellationToken);
        return answer.IsSuccess || (answer.Code is 401 or 403 or 404 ? false : throw ApiErrors.From(answer));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<AccessRule>> GetMissingAccessAsync(
        IReadOnlyList<AccessRule> needed, CancellationToken cancellationToken)
    {
        var allowed = await Task.WhenAll(needed.Select(rule => IsAllowedAsync(rule, cancellationToken)));
        return [.. needed.Where((_, index) => !allowed[index])];
    }

    /// <inheritdoc/>
    public async Task<NodeSnapshot?> GetNodeAsync(string name, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.Nodes, @namespace: null, name, cancellationToken) is { } node ? NodeSnapshots.From(node) : null;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<NodeSnapshot>> ListNodesAsync(CancellationToken cancellationToken) =>
    [
        .. (await _api.ListAllAsync(Resource.Nodes, selector: null, NodeSnapshots.From, cancellationToken))
            .OrderBy(node => node.Name, StringComparer.Ordinal),
    ];

    /// <inheritdoc/>
    public async Task<NodeSnapshot?> ChangeNodeAsync(NodeSnapshot node, NodeChange change, CancellationToken cancellationToken)
    {
        var taints = default(System.Text.Json.JsonElement);
        if (NodePatch.ChangesTaints(node, change))
        {
            var fresh = await _api.DoAsync(new ApiCall("get", Resource.Nodes) { Name = node.Name }, cancellationToken);
            if (fresh.ResourceVersion() != node.ResourceVersion)
            {
                return null;
            }

            taints = fresh.At("spec", "taints");
        }

        if (NodePatch.From(node, change, taints) is not { } patch)
        {
            return node;
        }

        var answer = await _api.SendAsync(
            new ApiCall("patch", Resource.Nodes) { Name = node.Name, Body = patch.ToJsonString() }, cancellationToken);
        return answer.Code == 409 ? null : answer.IsSuccess ? NodeSnapshots.From(answer.Body) : throw ApiErrors.From(answer);
    }

    /// <inheritdoc/>
    public async Task<PodSnapshot?> GetPodAsync(ObjectRef pod, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.Pods, pod.Namespace, pod.Name, cancellationToken) is { } found ? PodSnapshots.From(found) : null;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PodSnapshot>> ListPodsOnNodeAsync(string node, CancellationToken cancellationToken) =>
        InOrder(await _api.ListAllAsync(Resource.Pods, Selectors.OnNode(node), PodSnapshots.From, cancellationToken), pod => pod.Ref);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PodSnapshot>> ListPodsAsync(CancellationToken cancellationToken) =>
        InOrder(await _api.ListAllAsync(Resource.Pods, Selectors.Running, PodSnapshots.From, cancellationToken), pod => pod.Ref);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PodSnapshot>> ListUnscheduledPodsAsync(string? @namespace, CancellationToken cancellationToken) => InOrder(
        (await _api.ListAsync(Resource.Pods, @namespace, Selectors.Unscheduled, PodSnapshots.From, cancellationToken))?.Items ?? [], pod => pod.Ref);

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, string>> GetNamespaceLabelsAsync(string name, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.Namespaces, @namespace: null, name, cancellationToken) is { } found
            ? found.Map("metadata", "labels")
            : new Dictionary<string, string>(StringComparer.Ordinal);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<VolumePlace>> ListVolumePlacesAsync(CancellationToken cancellationToken) =>
        [.. (await _api.ListAllAsync(Resource.Volumes, selector: null, VolumePlaces.From, cancellationToken)).OfType<VolumePlace>()];

    /// <inheritdoc/>
    public Task<IReadOnlyList<VolumeAttachmentSnapshot>> ListVolumeAttachmentsAsync(
        string node, IReadOnlyList<PodSnapshot> stay, CancellationToken cancellationToken) =>
        VolumeAttachments.ListAsync(_api, node, stay, cancellationToken);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<BudgetSnapshot>> ListBudgetsAsync(CancellationToken cancellationToken) =>
        InOrder(await _api.ListAllAsync(Resource.Budgets, selector: null, BudgetSnapshots.From, cancellationToken), budget => budget.Ref);

    /// <inheritdoc/>
    public IReadOnlyList<BudgetSnapshot>? WatchedBudgets => _changes.Budgets;

    /// <inheritdoc/>
    public async Task<PodPlacement?> FindDaemonSetAsync(ObjectRef daemonSet, CancellationToken cancellationToken) =>
        await _api.GetAsync(Resource.DaemonSets, daemonSet.Namespace, daemonSet.Name, cancellationToken) is { } found
            ? Placements.From(found.At("spec", "template"))
            : null;

    /// <inheritdoc/>
    public Task<EvictionOutcome> EvictPodAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken) =>
        _evictions.EvictAsync(pod, gracePeriod, cancellationToken);

    /// <inheritdoc/>
    public Task<EvictionOutcome> DeletePodAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken) =>
        _evictions.DeleteAsync(pod, gracePeriod, cancellationToken);

    /// <inheritdoc/>
    public Task<LeaseSnapshot?> GetLeaseAsync(string node, CancellationToken cancellationToken) => _leases.GetAsync(node, cancellationToken);

    /// <inheritdoc/>
    public Task<LeaseOutcome> AcquireLeaseAsync(
        string node, string? nodeUid, string holder, TimeSpan duration, CancellationToken cancellationToken) =>
        _leases.AcquireAsync(node, nodeUid, holder, duration, cancellationToken);

    /// <inheritdoc/>
    public Task<LeaseOutcome> RenewLeaseAsync(string node, string holder, TimeSpan duration, CancellationToken cancellationToken) =>
        _leases.RenewAsync(node, holder, duration, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> MarkLeaseCancelledAsync(string node, string holder, CancellationToken cancellationToken) =>
        _leases.MarkCancelledAsync(node, holder, cancellationToken);

    /// <inheritdoc/>
    public Task ReleaseLeaseAsync(string node, string holder, CancellationToken cancellationToken) =>
        _leases.ReleaseAsync(node, holder, cancellationToken);

    /// <inheritdoc/>
    public Task<LeaseOutcome> AcquireTurnAsync(ClusterTurn turn, string holder, TimeSpan duration, CancellationToken cancellationToken) =>
        _turns.AcquireAsync(NameOf(turn), nodeUid: null, holder, duration, cancellationToken);

    /// <inheritdoc/>
    public Task ReleaseTurnAsync(ClusterTurn turn, string holder, CancellationToken cancellationToken) =>
        _turns.ReleaseAsync(NameOf(turn), holder, cancellationToken);

    /// <inheritdoc/>
    public Task RecordEventAsync(NodeEvent nodeEvent, CancellationToken cancellationToken) => _events.RecordAsync(nodeEvent, cancellationToken);

    /// <inheritdoc/>
    public Task<string> WaitForChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken) =>
        _changes.WaitAsync(node, WaitFor.Anything, cursor, until, cancellationToken);

    /// <inheritdoc/>
    public Task<string> WaitForBudgetChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken) =>
        _changes.WaitAsync(node, WaitFor.Budgets, cursor, until, cancellationToken);

    /// <inheritdoc/>
    public Task<string> WaitForMachineChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken) =>
        _changes.WaitAsync(node, WaitFor.Machines, cursor, until, cancellationToken);

    /// <summary>Ends the watches and closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        await _changes.DisposeAsync();
        _api.Dispose();
    }

    private static string NameOf(ClusterTurn turn) => turn switch
    {
        ClusterTurn.ControlPlane => "control-plane",
        ClusterTurn.Inbound => "inbound",
        _ => throw new ArgumentOutOfRangeException(nameof(turn), turn, "Not a turn."),
    };

    private static IReadOnlyList<T> InOrder<T>(IEnumerable<T> items, Func<T, ObjectRef> name) =>
    [
        .. items.OrderBy(item => name(item).Namespace, StringComparer.Ordinal).ThenBy(item => name(item).Name, StringComparer.Ordinal),
    ];

    private async Task<bool> IsServedAsync(Resource resource, CancellationToken cancellationToken)
    {
        var answer = await _api.SendAsync(new ApiCall("get", resource.Discovery), cancellationToken);
        return answer.IsSuccess
            ? answer.Body.At("resources").Items().Any(served => served.Text("name") == resource.Plural)
            : answer.Code == 404 ? false : throw ApiErrors.From(answer);
    }

    private async Task<bool> IsAllowedAsync(AccessRule rule, CancellationToken cancellationToken)
    {
        var attributes = new JsonObject { ["verb"] = rule.Verb, ["group"] = rule.Group, ["resource"] = rule.Resource };
        if (rule.Subresource is not null)
        {
            attributes["subresource"] = rule.Subresource;
        }

        if (rule.Namespace is not null)
        {
            attributes["namespace"] = rule.Namespace;
        }

        var review = new JsonObject
        {
            ["apiVersion"] = "authorization.k8s.io/v1",
            ["kind"] = "SelfSubjectAccessReview",
            ["spec"] = new JsonObject { ["resourceAttributes"] = attributes },
        };
        var answer = await _api.DoAsync(new ApiCall("create", Resource.AccessReviews) { Body = review.ToJsonString() }, cancellationToken);
        return answer.Flag("status", "allowed") == true;
    }
}
