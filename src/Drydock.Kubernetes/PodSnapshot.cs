namespace Drydock.Kubernetes;

/// <summary>A pod as it was read.</summary>
public sealed record PodSnapshot(ObjectRef Ref, string Uid, string? Node)
{
    /// <summary>Phase: Pending, Running, Succeeded, Failed, Unknown.</summary>
    public string Phase { get; init; } = "Unknown";

    /// <summary>The owner with <c>controller: true</c>, or null: unmanaged.</summary>
    public OwnerRef? Controller { get; init; }

    /// <summary>Annotation <c>kubernetes.io/config.mirror</c>: the kubelet owns it.</summary>
    public bool IsMirror { get; init; }

    /// <summary>Has an emptyDir volume.</summary>
    public bool HasEmptyDir { get; init; }

    /// <summary>When its deletion was asked for, or null.</summary>
    public DateTimeOffset? DeletionRequestedAt { get; init; }

    /// <summary><c>metadata.deletionTimestamp</c>: when its grace period ends and it should be gone, or null.</summary>
    public DateTimeOffset? GoneBy { get; init; }

    /// <summary><c>metadata.finalizers</c>.</summary>
    public IReadOnlyList<string> Finalizers { get; init; } = [];

    /// <summary>The claims whose volumes it mounts.</summary>
    public IReadOnlyList<string> Claims { get; init; } = [];

    /// <summary>Labels.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The Ready condition is True.</summary>
    public bool IsReady { get; init; }

    /// <summary>The Ready condition is Unknown: nobody has said lately whether it is ready, so it may be.</summary>
    public bool IsReadinessUnknown { get; init; }

    /// <summary>The exit code of its first container that ended with another one than 0, or null.</summary>
    public int? ExitCode { get; init; }

    /// <summary>
    /// Why its first container that waits cannot start, reason and message; null: none waits, or only for what every container waits for.
    /// </summary>
    public string? Waiting { get; init; }

    /// <summary>Why the scheduler cannot place it (PodScheduled=False), or null.</summary>
    public string? UnschedulableMessage { get; init; }

    /// <summary>Grace period in seconds.</summary>
    public int TerminationGracePeriodSeconds { get; init; } = 30;

    /// <summary>Sum of requests in milli-CPU.</summary>
    public long RequestedMilliCpu { get; init; }

    /// <summary>Sum of requests in bytes.</summary>
    public long RequestedMemory { get; init; }

    /// <summary>Sum of the other requests by name, in whole units: <c>ephemeral-storage</c>, huge pages, extended resources.</summary>
    public IReadOnlyDictionary<string, long> OtherRequests { get; init; } = new Dictionary<string, long>(StringComparer.Ordinal);

    /// <summary>Which nodes it may be placed on.</summary>
    public PodPlacement Placement { get; init; } = PodPlacement.Anywhere;

    /// <summary>When it was created.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Succeeded or Failed.</summary>
    public bool IsFinished => Phase is "Succeeded" or "Failed";

    /// <summary>The eviction subresource asks no budget about it, however many cover it: it has finished, is Pending, or terminates already.</summary>
    public bool IgnoresBudgets => IsFinished || Phase == "Pending" || DeletionRequestedAt is not null;

    /// <summary>A virt-launcher pod: labelled <c>kubevirt.io=virt-launcher</c>.</summary>
    public bool IsVirtLauncher => Labels.TryGetValue("kubevirt.io", out var value) && value == "virt-launcher";

    /// <summary>
    /// A pod that attaches a hot-plugged volume to a running virtual machine: named <c>hp-volume-*</c> and owned by the launcher pod, with
    /// which it comes and goes (facts 2.3.3).
    /// </summary>
    public bool IsHotplugVolume => Ref.Name.StartsWith("hp-volume-", StringComparison.Ordinal) && Controller is { Kind: "Pod" };

    /// <summary>The VMI of a launcher pod: its controller of kind VirtualMachineInstance.</summary>
    public ObjectRef? Vmi => Controller is { Kind: "VirtualMachineInstance" } owner ? new ObjectRef(Ref.Namespace, owner.Name) : null;

    /// <summary>This life of the pod.</summary>
    public PodInstance Instance => new(Ref, Uid, Node ?? "");
}
