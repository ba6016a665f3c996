namespace Drydock.Kubernetes;

/// <summary>The NodeMaintenance resources (<c>nodemaintenance.medik8s.io/v1beta1</c>) of the cluster.</summary>
public interface INodeMaintenances
{
    /// <summary>All of them, by name; empty if the type is not served.</summary>
    Task<IReadOnlyList<NodeMaintenanceSnapshot>> ListAsync(CancellationToken cancellationToken);

    /// <summary>One, or null.</summary>
    Task<NodeMaintenanceSnapshot?> GetAsync(string name, CancellationToken cancellationToken);

    /// <summary>
    /// Yields the name of each resource to reconcile: all at the start, then each that changed or went, all again every ten minutes and
    /// whenever a watch could not go on where it was. Never ends by itself and never gives up.
    /// </summary>
    IAsyncEnumerable<string> WatchAsync(CancellationToken cancellationToken);

    /// <summary>Adds or removes the finalizer <c>foregroundDeleteNodeMaintenance</c> if the resource version is still that of the snapshot.</summary>
    /// <returns>False if it changed meanwhile.</returns>
    Task<bool> SetFinalizerAsync(NodeMaintenanceSnapshot resource, bool present, CancellationToken cancellationToken);

    /// <summary>Writes the status; nothing is written if it says the same already (apart from <c>lastUpdate</c>).</summary>
    Task WriteStatusAsync(NodeMaintenanceSnapshot resource, NodeMaintenanceStatus status, CancellationToken cancellationToken);

    /// <summary>Records a Kubernetes Event on the resource, once for each life of it. Never throws for a refusal: an event is a courtesy.</summary>
    Task RecordEventAsync(NodeMaintenanceSnapshot resource, bool isWarning, string reason, string message, CancellationToken cancellationToken);
}

/// <summary>A NodeMaintenance as it was read.</summary>
public sealed record NodeMaintenanceSnapshot(string Name, string Uid, string ResourceVersion, string NodeName)
{
    /// <summary><c>spec.reason</c>.</summary>
    public string? Reason { get; init; }

    /// <summary>Annotations: our extras (policy, action) come by them.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Its deletion was asked for.</summary>
    public bool IsBeingDeleted { get; init; }

    /// <summary>When its deletion was asked for, or null.</summary>
    public DateTimeOffset? DeletionRequestedAt { get; init; }

    /// <summary>Our finalizer is on it.</summary>
    public bool HasFinalizer { get; init; }

    /// <summary>The status as it was read.</summary>
    public NodeMaintenanceStatus Status { get; init; } = new();
}

/// <summary>The status fields of the Node Maintenance Operator, by their JSON names.</summary>
public sealed record NodeMaintenanceStatus
{
    /// <summary><c>phase</c>: "", Running, Succeeded, Failed.</summary>
    public string Phase { get; init; } = "";

    /// <summary><c>drainProgress</c>, per cent.</summary>
    public int DrainProgress { get; init; }

    /// <summary><c>lastError</c>.</summary>
    public string? LastError { get; init; }

    /// <summary><c>pendingPods</c> (names) and <c>pendingPodsRefs</c> are both written from this.</summary>
    public IReadOnlyList<ObjectRef> PendingPods { get; init; } = [];

    /// <summary><c>totalpods</c>: all pods on the node at the start.</summary>
    public int TotalPods { get; init; }

    /// <summary><c>evictionPods</c>: pods to evict at the start.</summary>
    public int EvictionPods { get; init; }

    /// <summary><c>errorOnLeaseCount</c>.</summary>
    public int ErrorOnLeaseCount { get; init; }
}
