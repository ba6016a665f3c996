using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes;

/// <summary>The cluster behind one API server.</summary>
public sealed class KubernetesCluster : ICluster, IAsyncDisposable
{
    /// <summary>Opens the connection; nothing is sent before the first call.</summary>
    /// <exception cref="ClusterConnectionException">The connection cannot be used.</exception>
    public static KubernetesCluster Open(ClusterConnection connection, TimeProvider clock, ILoggerFactory? loggers = null) =>
        throw new NotSupportedException("KubernetesCluster is being built.");

    /// <summary>The NodeMaintenance resources of the same cluster.</summary>
    public INodeMaintenances NodeMaintenances => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public ClusterCounts Counts => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<ClusterIdentity> GetIdentityAsync(CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<IReadOnlyList<AccessRule>> GetMissingAccessAsync(IReadOnlyList<AccessRule> needed, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<NodeSnapshot?> GetNodeAsync(string name, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<IReadOnlyList<NodeSnapshot>> ListNodesAsync(CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<NodeSnapshot?> ChangeNodeAsync(NodeSnapshot node, NodeChange change, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<PodSnapshot?> GetPodAsync(ObjectRef pod, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<IReadOnlyList<PodSnapshot>> ListPodsOnNodeAsync(string node, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<IReadOnlyList<BudgetSnapshot>> ListBudgetsAsync(CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<bool> DaemonSetExistsAsync(ObjectRef daemonSet, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<EvictionOutcome> EvictPodAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<EvictionOutcome> DeletePodAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<KubeVirtSnapshot?> GetKubeVirtAsync(CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<VmiSnapshot?> GetVmiAsync(ObjectRef vmi, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<IReadOnlyList<VmiSnapshot>> ListVmisOnNodeAsync(string node, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<VmSnapshot?> GetVmAsync(ObjectRef vm, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<IReadOnlyList<VmSnapshot>> ListMarkedVmsAsync(string? heldBy, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<IReadOnlyList<MigrationSnapshot>> ListMigrationsAsync(ObjectRef? vmi, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<VmSnapshot?> MarkVmAsync(VmSnapshot vm, HoldMark? mark, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<VmCallOutcome> CallVmAsync(ObjectRef vm, VmCall call, TimeSpan? gracePeriod, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<VmSnapshot?> SetRunStrategyAsync(VmSnapshot vm, string runStrategy, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<bool> CancelEvacuationAsync(VmiSnapshot vmi, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task DeleteMigrationAsync(ObjectRef migration, string uid, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<LeaseSnapshot?> GetLeaseAsync(string node, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<LeaseOutcome> AcquireLeaseAsync(string node, string? nodeUid, string holder, TimeSpan duration, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<LeaseOutcome> RenewLeaseAsync(string node, string holder, TimeSpan duration, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<bool> MarkLeaseCancelledAsync(string node, string holder, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task ReleaseLeaseAsync(string node, string holder, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task RecordEventAsync(NodeEvent nodeEvent, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <inheritdoc/>
    public Task<string> WaitForChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken) => throw new NotSupportedException("KubernetesCluster is being built.");

    /// <summary>Ends the watches and closes the connection.</summary>
    public ValueTask DisposeAsync() => throw new NotSupportedException("KubernetesCluster is being built.");
}
