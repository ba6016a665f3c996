namespace Drydock.Kubernetes;

/// <summary>Names an object in a namespace.</summary>
public readonly record struct ObjectRef(string Namespace, string Name)
{
    /// <summary><c>namespace/name</c>.</summary>
    public override string ToString() => $"{Namespace}/{Name}";
}

/// <summary>Names one life of a pod: a replacement with the same name has another uid.</summary>
/// <param name="Pod">Namespace and name.</param>
/// <param name="Uid">The uid that was read.</param>
/// <param name="Node">The node it was on when it was read.</param>
public sealed record PodInstance(ObjectRef Pod, string Uid, string Node);

/// <summary>Who the cluster is.</summary>
/// <param name="Uid">The uid of namespace kube-system: the same for as long as the cluster lives.</param>
/// <param name="Version">The API server's version, such as <c>v1.36.2</c>.</param>
/// <param name="Server">The address, for messages.</param>
/// <param name="HasKubeVirt">Whether kubevirt.io/v1 is served.</param>
/// <param name="HasNodeMaintenance">Whether nodemaintenance.medik8s.io/v1beta1 is served.</param>
public sealed record ClusterIdentity(string Uid, string Version, string Server, bool HasKubeVirt, bool HasNodeMaintenance)
{
    /// <summary>Whether our own kinds (drydock.dev/v1alpha1) are served.</summary>
    public bool HasDrydockResources { get; init; }

    /// <summary>Whether config.openshift.io/v1 is served.</summary>
    public bool HasOpenShift { get; init; }
}

/// <summary>One call that a feature needs to be allowed to make.</summary>
public sealed record AccessRule(string Verb, string Group, string Resource, string? Subresource = null, string? Namespace = null)
{
    /// <summary>For people: <c>patch nodes</c>, <c>create pods/eviction</c>.</summary>
    public override string ToString() =>
        $"{Verb} {Resource}{(Subresource is null ? "" : "/" + Subresource)}{(Group.Length == 0 ? "" : "." + Group)}";
}

/// <summary>A taint of a node.</summary>
public sealed record NodeTaint(string Key, string? Value, string Effect);

/// <summary>A condition of a node or another object.</summary>
public sealed record Condition(string Type, string Status, string? Reason, string? Message, DateTimeOffset? Since);

/// <summary>
/// The mark that says an object is held by a maintenance and what it was before (design D8): annotations
/// <c>drydock.dev/held-by</c> and <c>drydock.dev/prior</c>.
/// </summary>
/// <param name="HeldBy">The holder, <c>drydock/&lt;hub id&gt;/&lt;instance id&gt;</c>.</param>
/// <param name="Prior">The prior state as JSON, enough to undo without any database.</param>
public sealed record HoldMark(string HeldBy, string Prior);

/// <summary>A node as it was read.</summary>
public sealed record NodeSnapshot(string Name, string Uid, string ResourceVersion)
{
    /// <summary><c>spec.unschedulable</c>.</summary>
    public bool Unschedulable { get; init; }

    /// <summary><c>spec.taints</c>.</summary>
    public IReadOnlyList<NodeTaint> Taints { get; init; } = [];

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>All conditions, Ready and the pressures among them.</summary>
    public IReadOnlyList<Condition> Conditions { get; init; } = [];

    /// <summary><c>status.nodeInfo.bootID</c>.</summary>
    public string? BootId { get; init; }

    /// <summary><c>spec.providerID</c>, or null.</summary>
    public string? ProviderId { get; init; }

    /// <summary><c>status.nodeInfo.kubeletVersion</c>.</summary>
    public string? KubeletVersion { get; init; }

    /// <summary>When it was created.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary><c>status.allocatable</c> in milli-CPU.</summary>
    public long AllocatableMilliCpu { get; init; }

    /// <summary><c>status.allocatable</c> in bytes.</summary>
    public long AllocatableMemory { get; init; }

    /// <summary><c>status.allocatable.pods</c>: how many pods it takes; null if the node does not say.</summary>
    public long? AllocatablePods { get; init; }

    /// <summary>The rest of <c>status.allocatable</c> by name, in whole units: <c>ephemeral-storage</c>, huge pages, extended resources.</summary>
    public IReadOnlyDictionary<string, long> OtherAllocatable { get; init; } = new Dictionary<string, long>(StringComparer.Ordinal);

    /// <summary>The mark, if a maintenance holds the node.</summary>
    public HoldMark? Mark { get; init; }

    /// <summary>The Ready condition is True.</summary>
    public bool IsReady => Conditions.Any(c => c.Type == "Ready" && c.Status == "True");

    /// <summary>Labelled <c>node-role.kubernetes.io/control-plane</c>, <c>master</c> or <c>etcd</c>.</summary>
    public bool IsControlPlane =>
        Labels.ContainsKey("node-role.kubernetes.io/control-plane") || Labels.ContainsKey("node-role.kubernetes.io/master") || IsEtcd;

    /// <summary>Labelled <c>node-role.kubernetes.io/etcd</c>, as RKE2 and k3s label a node that has a member of etcd.</summary>
    public bool IsEtcd => Labels.ContainsKey("node-role.kubernetes.io/etcd");

    /// <summary>Label <c>kubevirt.io/schedulable</c>, or null without it.</summary>
    public bool? KubeVirtSchedulable =>
        Labels.TryGetValue("kubevirt.io/schedulable", out var value) ? value == "true" : null;

    /// <summary>Annotation <c>kubevirt.io/heartbeat</c>, or null without it.</summary>
    public DateTimeOffset? KubeVirtHeartbeat =>
        Annotations.TryGetValue("kubevirt.io/heartbeat", out var value) && DateTimeOffset.TryParse(value, out var at) ? at : null;
}

/// <summary>What to change on a node, in one patch. Null leaves a thing as it is.</summary>
public sealed record NodeChange
{
    /// <summary>New value of <c>spec.unschedulable</c>.</summary>
    public bool? Unschedulable { get; init; }

    /// <summary>Taints to add if they are missing.</summary>
    public IReadOnlyList<NodeTaint> AddTaints { get; init; } = [];

    /// <summary>Taints to remove if they are there.</summary>
    public IReadOnlyList<NodeTaint> RemoveTaints { get; init; } = [];

    /// <summary>Labels to set; a null value removes the label.</summary>
    public IReadOnlyDictionary<string, string?> Labels { get; init; } = new Dictionary<string, string?>(StringComparer.Ordinal);

    /// <summary>Annotations to set; a null value removes the annotation.</summary>
    public IReadOnlyDictionary<string, string?> Annotations { get; init; } = new Dictionary<string, string?>(StringComparer.Ordinal);

    /// <summary>The mark to write.</summary>
    public HoldMark? SetMark { get; init; }

    /// <summary>Remove the mark.</summary>
    public bool ClearMark { get; init; }
}

/// <summary>The controller of a pod.</summary>
public sealed record OwnerRef(string Kind, string Name, string Uid);

/// <summary>A disruption budget as it was read.</summary>
public sealed record BudgetSnapshot(ObjectRef Ref, LabelSelector Selector)
{
    /// <summary><c>metadata.resourceVersion</c>: differs after every eviction that it let through.</summary>
    public string ResourceVersion { get; init; } = "";

    /// <summary><c>status.disruptionsAllowed</c>.</summary>
    public int DisruptionsAllowed { get; init; }

    /// <summary><c>status.currentHealthy</c>.</summary>
    public int CurrentHealthy { get; init; }

    /// <summary><c>status.desiredHealthy</c>.</summary>
    public int DesiredHealthy { get; init; }

    /// <summary><c>status.expectedPods</c>.</summary>
    public int ExpectedPods { get; init; }

    /// <summary><c>spec.minAvailable</c> as written, or null.</summary>
    public string? MinAvailable { get; init; }

    /// <summary><c>spec.maxUnavailable</c> as written, or null.</summary>
    public string? MaxUnavailable { get; init; }

    /// <summary>The controller has seen the current generation.</summary>
    public bool IsObserved { get; init; } = true;

    /// <summary><c>spec.unhealthyPodEvictionPolicy</c> is AlwaysAllow.</summary>
    public bool AlwaysAllowUnhealthy { get; init; }

    /// <summary>
    /// No number of healthy pods makes it allow a disruption: <c>maxUnavailable: 0</c>, <c>minAvailable: 100%</c>, or its controller cannot
    /// count its pods, because they have no owner with a scale (recorded cases 350–353).
    /// </summary>
    public bool CanNeverAllow =>
        MaxUnavailable is "0" or "0%" || MinAvailable is "100%"
        || (IsObserved && ExpectedPods == 0 && CurrentHealthy > 0 && (MaxUnavailable ?? MinAvailable) is not null);

    /// <summary>It wants as many healthy pods as it has: it allows a disruption only when there are more of them.</summary>
    public bool WantsAll => ExpectedPods > 0 && DesiredHealthy >= ExpectedPods;

    /// <summary>Whether the budget covers the pod.</summary>
    public bool Covers(PodSnapshot pod) => pod.Ref.Namespace == Ref.Namespace && Selector.Matches(pod.Labels);

    /// <summary>The eviction subresource lets the pod go whatever the budget allows: it asks none about it, or it is unready where that is allowed.</summary>
    public bool LetsGo(PodSnapshot pod) =>
        pod.IgnoresBudgets
        || (!pod.IsReady && (AlwaysAllowUnhealthy || (DesiredHealthy > 0 && CurrentHealthy >= DesiredHealthy)));
}

/// <summary>A volume that is attached to a node.</summary>
/// <param name="Name">Of the VolumeAttachment.</param>
/// <param name="Node"><c>spec.nodeName</c>.</param>
/// <param name="PersistentVolume"><c>spec.source.persistentVolumeName</c>, or null.</param>
public sealed record VolumeAttachmentSnapshot(string Name, string Node, string? PersistentVolume)
{
    /// <summary><c>status.detachError.message</c>, or null.</summary>
    public string? DetachError { get; init; }
}

/// <summary>KubeVirt's settings.</summary>
/// <param name="Ref">The KubeVirt object.</param>
/// <param name="EvictionStrategy">The cluster-wide strategy, or null: None.</param>
/// <param name="ParallelMigrationsPerCluster">Default 5.</param>
/// <param name="ParallelOutboundMigrationsPerNode">Default 2.</param>
/// <param name="Version">The operator's observed version, if known.</param>
/// <param name="ManagedByHyperConverged">The HyperConverged operator owns the settings.</param>
public sealed record KubeVirtSnapshot(
    ObjectRef Ref,
    string? EvictionStrategy,
    int ParallelMigrationsPerCluster,
    int ParallelOutboundMigrationsPerNode,
    string? Version,
    bool ManagedByHyperConverged)
{
    /// <summary>Its version is known and before that one.</summary>
    public bool IsOlderThan(int major, int minor) =>
        System.Version.TryParse(Version?.TrimStart('v').Split('-', '+')[0], out var version) && version < new Version(major, minor);
}

/// <summary>A running virtual machine instance as it was read.</summary>
public sealed record VmiSnapshot(ObjectRef Ref, string Uid, string? Node)
{
    /// <summary>Phase: Pending, Scheduling, Scheduled, Running, Succeeded, Failed, Unknown.</summary>
    public string Phase { get; init; } = "";

    /// <summary><c>spec.evictionStrategy</c>, or null if unset.</summary>
    public string? EvictionStrategy { get; init; }

    /// <summary>The LiveMigratable condition; null while it is not there.</summary>
    public Condition? LiveMigratable { get; init; }

    /// <summary>The Ready condition; null while it is not there.</summary>
    public Condition? Ready { get; init; }

    /// <summary>The PodScheduled condition: KubeVirt copies it from the launcher pod while that is not scheduled; else null.</summary>
    public Condition? PodScheduled { get; init; }

    /// <summary>The Synchronized condition: False while KubeVirt cannot make the launcher pod, as with an exceeded quota; else null.</summary>
    public Condition? Synchronized { get; init; }

    /// <summary><c>status.migrationState.migrationUid</c>: the migration that moves it, or moved it last; else null.</summary>
    public string? MigrationUid { get; init; }

    /// <summary><c>status.migrationState.targetNode</c>: where that goes, once that is decided; else null.</summary>
    public string? MigrationTarget { get; init; }

    /// <summary>It has a <c>metadata.deletionTimestamp</c>: its guest is shutting down, for as long as its grace period; the phase stays Running.</summary>
    public bool IsBeingDeleted { get; init; }

    /// <summary><c>status.evacuationNodeName</c>: marked for evacuation from this node.</summary>
    public string? EvacuationNode { get; init; }

    /// <summary>The controller: a VirtualMachine, a VirtualMachineInstanceReplicaSet, or null for a bare instance.</summary>
    public OwnerRef? Controller { get; init; }

    /// <summary>Annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>When it was created.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>The LiveMigratable condition is True.</summary>
    public bool IsLiveMigratable => LiveMigratable?.Status == "True";

    /// <summary>It does not run yet, and virt-handler has not said whether it can migrate: the LiveMigratable condition comes with the phase Running.</summary>
    public bool IsStarting => LiveMigratable is null && Phase is not ("Running" or "Succeeded" or "Failed");

    /// <summary>The virtual machine it belongs to, or null.</summary>
    public ObjectRef? Vm => Controller is { Kind: "VirtualMachine" } owner ? new ObjectRef(Ref.Namespace, owner.Name) : null;
}

/// <summary>A virtual machine as it was read.</summary>
public sealed record VmSnapshot(ObjectRef Ref, string Uid, string ResourceVersion)
{
    /// <summary><c>spec.runStrategy</c>; null if <c>spec.running</c> is used.</summary>
    public string? RunStrategy { get; init; }

    /// <summary>The deprecated <c>spec.running</c>; null if it is not used.</summary>
    public bool? Running { get; init; }

    /// <summary><c>spec.template.spec.evictionStrategy</c>, or null if unset.</summary>
    public string? TemplateEvictionStrategy { get; init; }

    /// <summary><c>status.printableStatus</c>.</summary>
    public string? PrintableStatus { get; init; }

    /// <summary>There are unprocessed <c>status.stateChangeRequests</c>.</summary>
    public bool HasStateChangeRequests { get; init; }

    /// <summary>What those ask for, in their order: <c>Start</c>, <c>Stop</c>.</summary>
    public IReadOnlyList<string> StateChangeRequests { get; init; } = [];

    /// <summary>Annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The controller, such as a VirtualMachinePool, or null.</summary>
    public OwnerRef? Controller { get; init; }

    /// <summary>The mark, if a maintenance stopped it.</summary>
    public HoldMark? Mark { get; init; }
}

/// <summary>An Event of Kubernetes about an object.</summary>
/// <param name="IsWarning">Its type is Warning.</param>
/// <param name="Reason">Such as <c>MigrationBackoff</c>.</param>
/// <param name="Message">In the words of whoever recorded it.</param>
/// <param name="At">When it happened last.</param>
public sealed record EventSnapshot(bool IsWarning, string Reason, string Message, DateTimeOffset At);

/// <summary>A VirtualMachineInstanceMigration as it was read.</summary>
public sealed record MigrationSnapshot(ObjectRef Ref, string Uid, ObjectRef Vmi)
{
    /// <summary>Phase: "", Pending, Scheduling, Scheduled, PreparingTarget, TargetReady, Running, Succeeded, Failed, …</summary>
    public string Phase { get; init; } = "";

    /// <summary>When it entered its phase.</summary>
    public DateTimeOffset? PhaseSince { get; init; }

    /// <summary>When it was created.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>The node it migrates from, if known.</summary>
    public string? SourceNode { get; init; }

    /// <summary>The node it migrates to, if known. While it runs only the instance knows it: <see cref="PlacedBy"/>.</summary>
    public string? TargetNode { get; init; }

    /// <summary>The same with its target, if this is its instance and knows it.</summary>
    public MigrationSnapshot PlacedBy(VmiSnapshot? vmi) =>
        TargetNode is null && vmi is not null && vmi.MigrationUid == Uid ? this with { TargetNode = vmi.MigrationTarget } : this;

    /// <summary>Why it failed, or null.</summary>
    public string? FailureReason { get; init; }

    /// <summary>Its deletion was asked for.</summary>
    public bool IsBeingDeleted { get; init; }

    /// <summary>Its conditions, such as <c>migrationRejectedByResourceQuota</c>.</summary>
    public IReadOnlyList<Condition> Conditions { get; init; } = [];

    /// <summary>Made by the evacuation controller, not by a user.</summary>
    public bool IsEvacuation { get; init; }

    /// <summary>Succeeded or Failed.</summary>
    public bool IsFinished => Phase is "Succeeded" or "Failed";

    /// <summary>Takes a slot of KubeVirt's limits: everything from Scheduling on until the end.</summary>
    public bool IsActive => !IsFinished && Phase is not ("" or "Pending");
}

/// <summary>A lease as it was read.</summary>
/// <param name="Holder">holderIdentity, or null.</param>
/// <param name="RenewedAt">renewTime.</param>
/// <param name="Duration">leaseDurationSeconds.</param>
/// <param name="IsCancelled">The maintenance that holds it was cancelled.</param>
public sealed record LeaseSnapshot(string? Holder, DateTimeOffset? RenewedAt, TimeSpan Duration, bool IsCancelled)
{
    /// <summary>When it lapses unless renewed.</summary>
    public DateTimeOffset? ExpiresAt => RenewedAt + Duration;

    /// <summary>
    /// Whether another may take it then: nobody holds it, it lapsed, or its renewal lies so far ahead that a clock was wrong (as medik8s decides).
    /// </summary>
    public bool IsFreeAt(DateTimeOffset now) => Holder is null || ExpiresAt is not { } expires || expires < now || RenewedAt > now + Duration;
}

/// <summary>What to record as a Kubernetes Event on a node.</summary>
public sealed record NodeEvent(string Node, string? NodeUid, bool IsWarning, string Reason, string Message, string InstanceId);
