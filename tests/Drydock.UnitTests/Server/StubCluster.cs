using Drydock.Kubernetes;

namespace Drydock.UnitTests.Server;

/// <summary>A cluster with nodes and nothing on them; every change of the cluster is a test failure.</summary>
internal sealed class StubCluster(params string[] nodes) : ICluster
{
    /// <summary>The events recorded on nodes, by reason.</summary>
    public List<string> Events { get; } = [];

    /// <summary>The pods on every node, or on the one they name.</summary>
    public IReadOnlyList<PodSnapshot> Pods { get; set; } = [];

    /// <summary>Whether it is OpenShift.</summary>
    public bool HasOpenShift { get; set; }

    /// <summary>All budgets.</summary>
    public IReadOnlyList<BudgetSnapshot> Budgets { get; set; } = [];

    /// <summary>Labels that every node has besides its zone.</summary>
    public IReadOnlyDictionary<string, string> NodeLabels { get; set; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Labels that a node has besides those.</summary>
    public Func<string, IReadOnlyDictionary<string, string>> LabelsOf { get; init; } = static _ => new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The conditions of every node.</summary>
    public IReadOnlyList<Condition> NodeConditions { get; init; } = [];

    /// <summary>Nodes that have left.</summary>
    public HashSet<string> Gone { get; } = new(StringComparer.Ordinal);

    /// <summary>The mark on every node.</summary>
    public HoldMark? Mark { get; set; }

    /// <summary>The virtual machines that are marked; null: nobody asks.</summary>
    public IReadOnlyList<VmSnapshot>? MarkedVms { get; init; }

    /// <summary>What comes of a renewal.</summary>
    public LeaseOutcome? Renewed { get; set; }

    /// <summary>How far its clock is ahead of ours.</summary>
    public TimeSpan? ServerAhead { get; set; }

    /// <summary>What it says of its watches.</summary>
    public ClusterCounts Counts { get; set; } = new(0, 0);

    public Task<ClusterIdentity> GetIdentityAsync(CancellationToken cancellationToken) =>
        Task.FromResult(new ClusterIdentity("uid", "v1.36.2", "https://cluster", HasKubeVirt: false, HasNodeMaintenance: true) { HasOpenShift = HasOpenShift });

    /// <summary>Whether it says that it is simulated.</summary>
    public bool IsSimulated { get; init; } = true;

    public Task<bool> IsSimulatedAsync(CancellationToken cancellationToken) => Task.FromResult(IsSimulated);

    public Task<IReadOnlyList<AccessRule>> GetMissingAccessAsync(IReadOnlyList<AccessRule> needed, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<AccessRule>>([]);

    public Task<NodeSnapshot?> GetNodeAsync(string name, CancellationToken cancellationToken) =>
        Task.FromResult(nodes.Contains(name) && !Gone.Contains(name) ? Node(name) : null);

    public Task<IReadOnlyList<NodeSnapshot>> ListNodesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<NodeSnapshot>>([.. nodes.Where(node => !Gone.Contains(node)).Select(Node)]);

    public Task<IReadOnlyList<PodSnapshot>> ListPodsOnNodeAsync(string node, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<PodSnapshot>>([.. Pods.Where(pod => pod.Node is null || pod.Node == node || !nodes.Contains(pod.Node))]);

    public Task<IReadOnlyList<PodSnapshot>> ListPodsAsync(CancellationToken cancellationToken) => Task.FromResult(Pods);

    public Task<IReadOnlyList<PodSnapshot>> ListUnscheduledPodsAsync(string? @namespace, CancellationToken cancellationToken) => throw Unexpected();

    public Task<IReadOnlyDictionary<string, string>> GetNamespaceLabelsAsync(string name, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyDictionary<string, string>>(new Dictionary<string, string>(StringComparer.Ordinal));

    public Task<IReadOnlyList<VolumeAttachmentSnapshot>> ListVolumeAttachmentsAsync(
        string node, IReadOnlyList<PodSnapshot> stay, CancellationToken cancellationToken) => throw Unexpected();

    public Task<IReadOnlyList<BudgetSnapshot>> ListBudgetsAsync(CancellationToken cancellationToken) => Task.FromResult(Budgets);

    public IReadOnlyList<BudgetSnapshot>? WatchedBudgets => null;

    public IReadOnlyList<MigrationSnapshot>? WatchedMigrations => null;

    public Task<IReadOnlyList<VmiSnapshot>> ListVmisOnNodeAsync(string node, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<VmiSnapshot>>([]);

    public Task<LeaseSnapshot?> GetLeaseAsync(string node, CancellationToken cancellationToken) => Task.FromResult<LeaseSnapshot?>(null);

    public Task RecordEventAsync(NodeEvent nodeEvent, CancellationToken cancellationToken)
    {
        Events.Add(nodeEvent.Reason);
        return Task.CompletedTask;
    }

    public Task<NodeSnapshot?> ChangeNodeAsync(NodeSnapshot node, NodeChange change, CancellationToken cancellationToken) => throw Unexpected();

    public Task<PodSnapshot?> GetPodAsync(ObjectRef pod, CancellationToken cancellationToken) => throw Unexpected();

    public Task<PodPlacement?> FindDaemonSetAsync(ObjectRef daemonSet, CancellationToken cancellationToken) => throw Unexpected();

    public Task<EvictionOutcome> EvictPodAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken) => throw Unexpected();

    public Task<EvictionOutcome> DeletePodAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken) => throw Unexpected();

    public Task<KubeVirtSnapshot?> GetKubeVirtAsync(CancellationToken cancellationToken) => throw Unexpected();

    public Task<VmiSnapshot?> GetVmiAsync(ObjectRef vmi, CancellationToken cancellationToken) => throw Unexpected();

    public Task<VmSnapshot?> GetVmAsync(ObjectRef vm, CancellationToken cancellationToken) => throw Unexpected();

    public Task<IReadOnlyList<VmSnapshot>> ListMarkedVmsAsync(string? heldBy, CancellationToken cancellationToken) =>
        MarkedVms is { } marked ? Task.FromResult(marked) : throw Unexpected();

    public Task<IReadOnlyList<MigrationSnapshot>> ListMigrationsAsync(ObjectRef? vmi, CancellationToken cancellationToken) => throw Unexpected();

    public Task<VmSnapshot?> MarkVmAsync(VmSnapshot vm, HoldMark? mark, CancellationToken cancellationToken) => throw Unexpected();

    public Task<VmCallOutcome> CallVmAsync(ObjectRef vm, VmCall call, TimeSpan? gracePeriod, CancellationToken cancellationToken) =>
        throw Unexpected();

    public Task<IReadOnlyList<VmiSnapshot>> ListVmisAsync(CancellationToken cancellationToken) => throw Unexpected();

    public Task<int?> FindVmiReplicasAsync(ObjectRef replicaSet, CancellationToken cancellationToken) => throw Unexpected();

    public Task<IReadOnlyList<VmSnapshot>> ListVmsAsync(CancellationToken cancellationToken) => throw Unexpected();

    public Task<IReadOnlyList<PodSnapshot>> ListLaunchersAsync(ObjectRef vmi, string uid, CancellationToken cancellationToken) =>
        throw Unexpected();

    public Task<IReadOnlyList<EventSnapshot>> ListEventsAsync(string @namespace, string uid, CancellationToken cancellationToken) =>
        throw Unexpected();

    public Task<VmCallOutcome> MigrateVmAsync(
        ObjectRef vm, IReadOnlyDictionary<string, string> addedNodeSelector, CancellationToken cancellationToken) => throw Unexpected();

    public Task DeleteVmiAsync(ObjectRef vmi, string uid, CancellationToken cancellationToken) => throw Unexpected();

    public Task<VmSnapshot?> SetRunStrategyAsync(VmSnapshot vm, string runStrategy, CancellationToken cancellationToken) => throw Unexpected();

    public Task<VmCallOutcome> CancelEvacuationAsync(VmiSnapshot vmi, CancellationToken cancellationToken) => throw Unexpected();

    public Task DeleteMigrationAsync(ObjectRef migration, string uid, CancellationToken cancellationToken) => throw Unexpected();

    public Task<LeaseOutcome> AcquireLeaseAsync(
        string node, string? nodeUid, string holder, TimeSpan duration, CancellationToken cancellationToken) => throw Unexpected();

    public Task<LeaseOutcome> RenewLeaseAsync(string node, string holder, TimeSpan duration, CancellationToken cancellationToken) =>
        Renewed is { } renewed ? Task.FromResult(renewed) : throw Unexpected();

    public Task<bool> MarkLeaseCancelledAsync(string node, string holder, CancellationToken cancellationToken) => throw Unexpected();

    public Task<IReadOnlyList<VolumePlace>> ListVolumePlacesAsync(CancellationToken cancellationToken) => throw Unexpected();

    public Task<LeaseOutcome> AcquireTurnAsync(ClusterTurn turn, string holder, TimeSpan duration, CancellationToken cancellationToken) => throw Unexpected();

    public Task ReleaseTurnAsync(ClusterTurn turn, string holder, CancellationToken cancellationToken) => throw Unexpected();

    public Task ReleaseLeaseAsync(string node, string holder, CancellationToken cancellationToken) => throw Unexpected();

    public Task<string> WaitForChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken) =>
        throw Unexpected();

    public Task<string> WaitForBudgetChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken) =>
        throw Unexpected();

    public Task<string> WaitForMachineChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken) =>
        throw Unexpected();

    public Task<IReadOnlyList<PodSnapshot>> ListLaunchersOnNodeAsync(string node, CancellationToken cancellationToken) => throw Unexpected();

    private NodeSnapshot Node(string name) => new(name, "uid-" + name, "1")
    {
        Labels = new Dictionary<string, string>(NodeLabels.Concat(LabelsOf(name)), StringComparer.Ordinal) { ["zone"] = name[^1..] },
        Conditions = NodeConditions,
        Mark = Mark,
    };

    private static InvalidOperationException Unexpected() => new("A door reads; it does not touch the cluster.");
}
