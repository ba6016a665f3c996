namespace Drydock.Kubernetes;

/// <summary>
/// What stands around a node and matters to its maintenance: the machine under it, who would remediate it, the jobs that run on it for
/// us. As <see cref="ICluster"/>: fresh reads, one try, expected answers as values, <see cref="ClusterException"/> for the rest.
/// </summary>
public interface INeighbours
{
    /// <summary>All objects of a kind; none if the kind is not served.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ClusterException"><c>Forbidden</c>: it is served, and the caller may not list it.</exception>
    Task<IReadOnlyList<NeighbourSnapshot>> ListNeighboursAsync(NeighbourKind kind, CancellationToken cancellationToken);

    /// <summary>Which of these kinds are served and may not be listed by the caller: the permissions that it lacks.</summary>
    Task<IReadOnlyList<AccessRule>> FindUnreadableAsync(IReadOnlyList<NeighbourKind> kinds, CancellationToken cancellationToken);

    /// <summary>Which of these kinds are served, and only in versions whose objects are not read here: the lists of such a kind are empty.</summary>
    Task<IReadOnlyList<UnknownVersions>> FindUnknownVersionsAsync(IReadOnlyList<NeighbourKind> kinds, CancellationToken cancellationToken);

    /// <summary>What the account lacks to change objects of these kinds in these namespaces; an empty one for kinds of the cluster.</summary>
    Task<IReadOnlyList<AccessRule>> FindUnchangeableAsync(IReadOnlyList<(NeighbourKind Kind, string Namespace)> held, CancellationToken cancellationToken);

    /// <summary>The object, or null.</summary>
    Task<NeighbourSnapshot?> GetNeighbourAsync(NeighbourKind kind, ObjectRef name, CancellationToken cancellationToken);

    /// <summary>
    /// Changes annotations (a null value removes one) and, where given, <c>spec.pauseRequests</c>, in one patch that only succeeds if the
    /// object still has the resource version of the snapshot.
    /// </summary>
    /// <returns>The object after the change, or null if it changed meanwhile or is gone: read again and decide again.</returns>
    Task<NeighbourSnapshot?> ChangeNeighbourAsync(
        NeighbourSnapshot neighbour,
        IReadOnlyDictionary<string, string?> annotations,
        IReadOnlyList<string>? pauseRequests,
        CancellationToken cancellationToken);

    /// <summary>The job, or null.</summary>
    Task<JobSnapshot?> GetJobAsync(ObjectRef job, CancellationToken cancellationToken);

    /// <summary>Creates a job from its manifest as JSON.</summary>
    /// <returns>False if one of that name is there already.</returns>
    Task<bool> CreateJobAsync(ObjectRef job, string manifest, CancellationToken cancellationToken);

    /// <summary>Deletes this life of a job with its pods. Done too if it is gone, or another life of it is there.</summary>
    Task DeleteJobAsync(ObjectRef job, string uid, CancellationToken cancellationToken);

    /// <summary>The names of the CSI drivers that are registered on a node (<c>CSINode.spec.drivers</c>); none without a CSINode.</summary>
    Task<IReadOnlyList<string>> ListCsiDriversAsync(string node, CancellationToken cancellationToken);

    /// <summary>The pods of a namespace, or of all if null, that match a label selector as kubectl writes it; by namespace and name.</summary>
    Task<IReadOnlyList<PodSnapshot>> ListPodsAsync(string? @namespace, string selector, CancellationToken cancellationToken);

    /// <summary>
    /// Who leads the Node Maintenance Operator now: the holder of its leader lease <c>135b1886.medik8s.io</c> if that is fresh, else null.
    /// </summary>
    Task<string?> FindNodeMaintenanceOperatorAsync(CancellationToken cancellationToken);
}

/// <summary>A kind of which no version is known.</summary>
/// <param name="Resource">Such as <c>machines.cluster.x-k8s.io</c>.</param>
/// <param name="Served">The versions that are served.</param>
public sealed record UnknownVersions(string Resource, IReadOnlyList<string> Served);

/// <summary>The kinds of objects around a node. Serialised by name.</summary>
public enum NeighbourKind
{
    /// <summary><c>BareMetalHost</c> of metal3: the power of the machine.</summary>
    BareMetalHost,

    /// <summary><c>NodeHealthCheck</c> of medik8s, cluster-scoped: remediates nodes.</summary>
    NodeHealthCheck,

    /// <summary><c>Machine</c> of OpenShift.</summary>
    OpenShiftMachine,

    /// <summary><c>MachineHealthCheck</c> of OpenShift: remediates machines.</summary>
    OpenShiftHealthCheck,

    /// <summary><c>Machine</c> of Cluster API.</summary>
    ClusterMachine,

    /// <summary><c>MachineHealthCheck</c> of Cluster API.</summary>
    ClusterHealthCheck,
}

/// <summary>An object around a node as it was read.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Ref">Its name; the namespace is empty for cluster-scoped kinds.</param>
/// <param name="Uid">Its uid.</param>
/// <param name="ResourceVersion">The version that was read.</param>
public sealed record NeighbourSnapshot(NeighbourKind Kind, ObjectRef Ref, string Uid, string ResourceVersion)
{
    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Of a health check: which nodes (NodeHealthCheck) or machines it looks after.</summary>
    public LabelSelector Selector { get; init; } = LabelSelector.Everything;

    /// <summary>Of a NodeHealthCheck: <c>spec.pauseRequests</c>.</summary>
    public IReadOnlyList<string> PauseRequests { get; init; } = [];

    /// <summary>Of a machine: <c>status.nodeRef.name</c>.</summary>
    public string? Node { get; init; }

    /// <summary>Of a machine: <c>status.nodeRef.uid</c>, or null.</summary>
    public string? NodeUid { get; init; }

    /// <summary>Of a machine: <c>spec.providerID</c>, or null.</summary>
    public string? ProviderId { get; init; }

    /// <summary>Of a machine of Cluster API: <c>spec.infrastructureRef.name</c>.</summary>
    public string? Infrastructure { get; init; }

    /// <summary>Of a BareMetalHost.</summary>
    public HostPower? Power { get; init; }

    /// <summary>
    /// It is the machine of that node: not by the name alone, since the Machines of other clusters may stand here too, and their nodes be called
    /// alike.
    /// </summary>
    public bool IsMachineOf(NodeSnapshot node)
    {
        ArgumentNullException.ThrowIfNull(node);
        // Cluster API writes the uid once: that of a node which was deleted and registered again is another, and its providerID the same.
        return Node == node.Name
            && (NodeUid == node.Uid || (ProviderId is { } provider && node.ProviderId is { } its ? provider == its : NodeUid is null));
    }
}

/// <summary>The power of a BareMetalHost.</summary>
/// <param name="IsOn"><c>status.poweredOn</c>.</param>
/// <param name="IsWantedOn"><c>spec.online</c>.</param>
public sealed record HostPower(bool IsOn, bool IsWantedOn)
{
    /// <summary><c>spec.disablePowerOff</c>: it can be reset, never switched off.</summary>
    public bool CannotBeOff { get; init; }

    /// <summary><c>status.errorType</c>, or null if there is no error.</summary>
    public string? ErrorType { get; init; }

    /// <summary><c>status.errorMessage</c>, or null.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary><c>spec.consumerRef</c>, kind and name, or null.</summary>
    public OwnerRef? Consumer { get; init; }

    /// <summary><c>spec.consumerRef.namespace</c>, or null.</summary>
    public string? ConsumerNamespace { get; init; }
}

/// <summary>A Job as it was read.</summary>
/// <param name="Ref">Its name.</param>
/// <param name="Uid">Which life of it.</param>
public sealed record JobSnapshot(ObjectRef Ref, string Uid)
{
    /// <summary>Condition Complete is True.</summary>
    public bool IsComplete { get; init; }

    /// <summary>Condition Failed is True: why; else null.</summary>
    public string? Failure { get; init; }

    /// <summary>Annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}
