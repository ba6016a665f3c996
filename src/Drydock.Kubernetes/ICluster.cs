namespace Drydock.Kubernetes;

/// <summary>
/// The one Kubernetes cluster that this process maintains, as snapshots of the fields we need and as the few changes we make.
/// Reads are fresh GETs or LISTs from the API server; nothing here proves anything from a cache (design D7).
/// </summary>
/// <remarks>
/// Expected answers are values. What is not expected is thrown as <see cref="ClusterException"/>, whose kind tells whether another
/// try can help. No method retries on its own; a throttled or unreachable server is the caller's to wait for.
/// </remarks>
public interface ICluster
{
    /// <summary>Reads who the cluster is and what is installed in it.</summary>
    Task<ClusterIdentity> GetIdentityAsync(CancellationToken cancellationToken);

    /// <summary>Whether it is the simulated cluster: it has the page <c>/simulator/faults</c>, which no Kubernetes API server has.</summary>
    Task<bool> IsSimulatedAsync(CancellationToken cancellationToken);

    /// <summary>Asks the API server which of these calls the caller may make (SelfSubjectAccessReview); returns those it may not.</summary>
    Task<IReadOnlyList<AccessRule>> GetMissingAccessAsync(IReadOnlyList<AccessRule> needed, CancellationToken cancellationToken);

    /// <summary>The node, or null if there is none of that name.</summary>
    Task<NodeSnapshot?> GetNodeAsync(string name, CancellationToken cancellationToken);

    /// <summary>All nodes, by name.</summary>
    Task<IReadOnlyList<NodeSnapshot>> ListNodesAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Applies a change in one patch that only succeeds if the node still has the resource version of the snapshot.
    /// </summary>
    /// <returns>The node after the change, or null if it changed meanwhile: read again and decide again.</returns>
    /// <exception cref="ClusterException"><c>NotFound</c>: the node is gone.</exception>
    Task<NodeSnapshot?> ChangeNodeAsync(NodeSnapshot node, NodeChange change, CancellationToken cancellationToken);

    /// <summary>The pod, or null.</summary>
    Task<PodSnapshot?> GetPodAsync(ObjectRef pod, CancellationToken cancellationToken);

    /// <summary>All pods whose <c>spec.nodeName</c> is the node, by namespace and name.</summary>
    Task<IReadOnlyList<PodSnapshot>> ListPodsOnNodeAsync(string node, CancellationToken cancellationToken);

    /// <summary>The launcher pods on a node, those that terminate or have finished included, by namespace and name.</summary>
    Task<IReadOnlyList<PodSnapshot>> ListLaunchersOnNodeAsync(string node, CancellationToken cancellationToken);

    /// <summary>All pods of the cluster that are on a node and have not finished: what the scheduler counts.</summary>
    Task<IReadOnlyList<PodSnapshot>> ListPodsAsync(CancellationToken cancellationToken);

    /// <summary>
    /// The pods that wait for a node (phase Pending, no <c>spec.nodeName</c>), by namespace and name; those that the scheduler refused say why
    /// in <see cref="PodSnapshot.UnschedulableMessage"/>.
    /// </summary>
    /// <param name="namespace">Of this namespace, or of all if null.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<IReadOnlyList<PodSnapshot>> ListUnscheduledPodsAsync(string? @namespace, CancellationToken cancellationToken);

    /// <summary>The labels of a namespace; none if it is gone.</summary>
    Task<IReadOnlyDictionary<string, string>> GetNamespaceLabelsAsync(string name, CancellationToken cancellationToken);

    /// <summary>Where the volumes of claims can be used, of those that cannot be used everywhere.</summary>
    Task<IReadOnlyList<VolumePlace>> ListVolumePlacesAsync(CancellationToken cancellationToken);

    /// <summary>The volumes that are attached to the node (VolumeAttachment), but for those of pods that stay.</summary>
    /// <param name="node">The node.</param>
    /// <param name="stay">Pods that stay: the volumes of their claims stay with them.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<IReadOnlyList<VolumeAttachmentSnapshot>> ListVolumeAttachmentsAsync(
        string node, IReadOnlyList<PodSnapshot> stay, CancellationToken cancellationToken);

    /// <summary>All disruption budgets of the cluster.</summary>
    Task<IReadOnlyList<BudgetSnapshot>> ListBudgetsAsync(CancellationToken cancellationToken);

    /// <summary>
    /// All disruption budgets as the watch last told them, or null while no watch is open. Good for choosing what to ask the server for;
    /// proves nothing.
    /// </summary>
    IReadOnlyList<BudgetSnapshot>? WatchedBudgets { get; }

    /// <summary>
    /// Where the pods of a DaemonSet may be placed, as its template says; null: it does not exist, and kubectl treats its pods as unmanaged.
    /// </summary>
    Task<PodPlacement?> FindDaemonSetAsync(ObjectRef daemonSet, CancellationToken cancellationToken);

    /// <summary>
    /// Evicts this instance of a pod through the Eviction API: reads the pod first, sends the uid as precondition, tries once.
    /// A replacement of the same name, or a pod that is on another node by now, is never touched.
    /// </summary>
    Task<EvictionOutcome> EvictPodAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken);

    /// <summary>Deletes this instance of a pod, past every budget. Needs its own permission (<c>pods/delete</c>).</summary>
    Task<EvictionOutcome> DeletePodAsync(PodInstance pod, TimeSpan? gracePeriod, CancellationToken cancellationToken);

    /// <summary>KubeVirt's settings, or null if KubeVirt is not installed.</summary>
    Task<KubeVirtSnapshot?> GetKubeVirtAsync(CancellationToken cancellationToken);

    /// <summary>The running instance of a VM, or null.</summary>
    Task<VmiSnapshot?> GetVmiAsync(ObjectRef vmi, CancellationToken cancellationToken);

    /// <summary>The instances whose <c>status.nodeName</c> is the node, by namespace and name; empty without KubeVirt.</summary>
    Task<IReadOnlyList<VmiSnapshot>> ListVmisOnNodeAsync(string node, CancellationToken cancellationToken);

    /// <summary>All instances of the cluster, by namespace and name; empty without KubeVirt.</summary>
    Task<IReadOnlyList<VmiSnapshot>> ListVmisAsync(CancellationToken cancellationToken);

    /// <summary>
    /// How many instances a VirtualMachineInstanceReplicaSet wants (<c>spec.replicas</c>, one if it does not say); none if it is gone. Null if
    /// that cannot be told: the type is not served, or the caller may not get it.
    /// </summary>
    Task<int?> FindVmiReplicasAsync(ObjectRef replicaSet, CancellationToken cancellationToken);

    /// <summary>All virtual machines of the cluster, by namespace and name; empty without KubeVirt.</summary>
    Task<IReadOnlyList<VmSnapshot>> ListVmsAsync(CancellationToken cancellationToken);

    /// <summary>The launcher pods of one life of an instance, wherever they are or if they are on no node yet: its own and those of migrations.</summary>
    Task<IReadOnlyList<PodSnapshot>> ListLaunchersAsync(ObjectRef vmi, string uid, CancellationToken cancellationToken);

    /// <summary>The Events about one object, the newest first.</summary>
    Task<IReadOnlyList<EventSnapshot>> ListEventsAsync(string @namespace, string uid, CancellationToken cancellationToken);

    /// <summary>The virtual machine, or null.</summary>
    Task<VmSnapshot?> GetVmAsync(ObjectRef vm, CancellationToken cancellationToken);

    /// <summary>All virtual machines that carry a mark of this holder, or any mark if null.</summary>
    Task<IReadOnlyList<VmSnapshot>> ListMarkedVmsAsync(string? heldBy, CancellationToken cancellationToken);

    /// <summary>The migrations of one instance, newest first; all of the cluster if null.</summary>
    Task<IReadOnlyList<MigrationSnapshot>> ListMigrationsAsync(ObjectRef? vmi, CancellationToken cancellationToken);

    /// <summary>
    /// The migrations of the cluster that have not finished, as the watch last told them, or null while no watch is open. Good for telling who
    /// takes KubeVirt's slots: a cluster keeps thousands of finished ones, and every list has them all. Proves nothing.
    /// </summary>
    IReadOnlyList<MigrationSnapshot>? WatchedMigrations { get; }

    /// <summary>Writes or removes (null) the mark of a virtual machine if its resource version is still that of the snapshot.</summary>
    /// <returns>The machine after the change, or null if it changed meanwhile.</returns>
    Task<VmSnapshot?> MarkVmAsync(VmSnapshot vm, HoldMark? mark, CancellationToken cancellationToken);

    /// <summary>Calls <c>start</c>, <c>stop</c>, <c>restart</c> or <c>migrate</c> of a virtual machine, once.</summary>
    Task<VmCallOutcome> CallVmAsync(ObjectRef vm, VmCall call, TimeSpan? gracePeriod, CancellationToken cancellationToken);

    /// <summary>
    /// Calls <c>migrate</c> with <c>addedNodeSelector</c>, once: the target must carry these labels too. KubeVirt before 1.6 ignores them.
    /// </summary>
    Task<VmCallOutcome> MigrateVmAsync(ObjectRef vm, IReadOnlyDictionary<string, string> addedNodeSelector, CancellationToken cancellationToken);

    /// <summary>Deletes this life of an instance: it shuts down, and nothing starts a bare one again. Done too if it is gone.</summary>
    Task DeleteVmiAsync(ObjectRef vmi, string uid, CancellationToken cancellationToken);

    /// <summary>Sets <c>spec.runStrategy</c> if the resource version is still that of the snapshot.</summary>
    /// <returns>The machine after the change, or null if it changed meanwhile.</returns>
    Task<VmSnapshot?> SetRunStrategyAsync(VmSnapshot vm, string runStrategy, CancellationToken cancellationToken);

    /// <summary>
    /// Withdraws the mark that makes KubeVirt evacuate an instance (<c>evacuate/cancel</c>); done too if it is not marked.
    /// </summary>
    /// <returns>
    /// Not accepted with 404 or 405 if this KubeVirt has no such call (before 1.7), and with 400 while the node carries KubeVirt's drain taint, which
    /// would begin the evacuation again (facts 2.3.10).
    /// </returns>
    Task<VmCallOutcome> CancelEvacuationAsync(VmiSnapshot vmi, CancellationToken cancellationToken);

    /// <summary>Deletes a migration, which aborts it if it runs. Done too if it is gone.</summary>
    Task DeleteMigrationAsync(ObjectRef migration, string uid, CancellationToken cancellationToken);

    /// <summary>The maintenance lease of a node, or null.</summary>
    Task<LeaseSnapshot?> GetLeaseAsync(string node, CancellationToken cancellationToken);

    /// <summary>
    /// Takes the lease <c>medik8s-leases/node-&lt;node&gt;</c> (namespace created if missing) or renews it if it is ours already;
    /// takes over one that expired. Owned by the Node, as the medik8s library writes it.
    /// </summary>
    Task<LeaseOutcome> AcquireLeaseAsync(string node, string? nodeUid, string holder, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Renews the lease if it is still ours; never takes it from another.</summary>
    Task<LeaseOutcome> RenewLeaseAsync(string node, string holder, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Writes the cancel mark on the lease if it is ours: from then on no activity changes anything but to undo.</summary>
    /// <returns>False if the lease is not ours.</returns>
    Task<bool> MarkLeaseCancelledAsync(string node, string holder, CancellationToken cancellationToken);

    /// <summary>Deletes the lease if it is ours; done too if it is gone or somebody else's.</summary>
    Task ReleaseLeaseAsync(string node, string holder, CancellationToken cancellationToken);

    /// <summary>
    /// Takes a turn that one at a time has in the whole cluster: a lease <c>drydock-control-plane</c> or <c>drydock-inbound</c> beside those
    /// of the nodes. Renews it if it is ours already; takes over one that expired.
    /// </summary>
    Task<LeaseOutcome> AcquireTurnAsync(ClusterTurn turn, string holder, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Gives a turn back if it is ours; done too if it is gone or somebody else's.</summary>
    Task ReleaseTurnAsync(ClusterTurn turn, string holder, CancellationToken cancellationToken);

    /// <summary>Records a Kubernetes Event on the node. Never throws for a refusal: an event is a courtesy.</summary>
    Task RecordEventAsync(NodeEvent nodeEvent, CancellationToken cancellationToken);

    /// <summary>
    /// Waits until something changed that can matter to the maintenance of a node, since the cursor: its pods, its VMIs and their
    /// migrations, any budget, the node itself, any node that became schedulable. Returns at <paramref name="until"/> at the latest,
    /// at once if the cursor is null or from another process. Changes that come close together wake once.
    /// </summary>
    /// <returns>The cursor for the next wait.</returns>
    Task<string> WaitForChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken);

    /// <summary>The same for who waits that a budget allows more: pods do not end it, but for those of virtual machines.</summary>
    /// <returns>The cursor for the next wait, of any kind.</returns>
    Task<string> WaitForBudgetChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken);

    /// <summary>
    /// The same for who waits for a virtual machine of the node: neither pods of other workloads end it nor budgets that cover no machine of
    /// the node, and what happens elsewhere does half a second later, all of that time together. A node that loses hundreds of pods, or a
    /// cluster in which something begins at every moment, would else wake each machine for each of them.
    /// </summary>
    /// <returns>The cursor for the next wait, of any kind.</returns>
    Task<string> WaitForMachineChangeAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken);

    /// <summary>How much is under way, so that a test knows when time may jump.</summary>
    ClusterCounts Counts { get; }

    /// <summary>
    /// How far the API server's clock is ahead of ours, by its last answer and to about a second; negative: behind. Null: none told its time.
    /// </summary>
    TimeSpan? ServerAhead { get; }
}

/// <summary>What is under way between this process and the API server.</summary>
/// <param name="RequestsInFlight">Calls that wait for an answer; watches do not count.</param>
/// <param name="ParkedWaits">Callers inside <see cref="ICluster.WaitForChangeAsync"/> that have nothing to do.</param>
public sealed record ClusterCounts(int RequestsInFlight, int ParkedWaits)
{
    /// <summary>How many watch events were taken in since the start: a test compares it with how many the server sent.</summary>
    public long WatchEventsSeen { get; init; }

    /// <summary>The watches that run now: none while nothing is waited for.</summary>
    public IReadOnlyList<WatchState> Watches { get; init; } = [];
}

/// <summary>One watch.</summary>
/// <param name="Resource">Such as <c>nodes</c>.</param>
/// <param name="HeardAt">When the server last said something: a list, an event, a bookmark, or that it opened the watch.</param>
/// <param name="Broken">Why it broke, while it is being taken up again; else null.</param>
public sealed record WatchState(string Resource, DateTimeOffset HeardAt, string? Broken);

/// <summary>Why the API server could not be asked or did not do what it was asked.</summary>
public enum ClusterErrorKind
{
    /// <summary>No connection, a time-out, a reset: try again later.</summary>
    Unreachable,

    /// <summary>401: the credentials are not accepted.</summary>
    Unauthorized,

    /// <summary>403: the message names verb and resource.</summary>
    Forbidden,

    /// <summary>404.</summary>
    NotFound,

    /// <summary>409.</summary>
    Conflict,

    /// <summary>400 or 422: the request itself is wrong.</summary>
    Invalid,

    /// <summary>429 from priority and fairness: wait <see cref="ClusterException.RetryAfter"/>.</summary>
    Throttled,

    /// <summary>5xx: try again later.</summary>
    Server,
}

/// <summary>An answer of the API server that no caller expects, with what was asked.</summary>
public sealed class ClusterException(ClusterErrorKind kind, string verb, string resource, string message, Exception? innerException = null)
    : Exception(message, innerException)
{
    /// <summary>What kind of failure.</summary>
    public ClusterErrorKind Kind { get; } = kind;

    /// <summary>The verb asked for, such as <c>patch</c>.</summary>
    public string Verb { get; } = verb;

    /// <summary>The resource asked for, such as <c>nodes</c>.</summary>
    public string Resource { get; } = resource;

    /// <summary>The HTTP code, or null if no answer came.</summary>
    public int? Code { get; init; }

    /// <summary>How long the server asks to wait, if it did.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the same call can succeed later without anybody changing anything.</summary>
    public bool IsTransient => Kind is ClusterErrorKind.Unreachable or ClusterErrorKind.Throttled or ClusterErrorKind.Server or ClusterErrorKind.Conflict;
}

/// <summary>What one at a time does in the whole cluster, whichever process it is of.</summary>
public enum ClusterTurn
{
    /// <summary>Takes a control-plane node out.</summary>
    ControlPlane,

    /// <summary>Looks how many migrations are on their way to each node, and begins one more.</summary>
    Inbound,
}
