namespace Drydock.Api;

/// <summary>A node as the cluster shows it, and what Drydock has to do with it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsReady">Its Ready condition is True.</param>
/// <param name="IsCordoned">It takes no new pods.</param>
/// <param name="IsControlPlane">It belongs to the control plane.</param>
public sealed record NodeView(string Name, bool IsReady, bool IsCordoned, bool IsControlPlane)
{
    /// <summary>The version of its kubelet.</summary>
    public string? KubeletVersion { get; init; }

    /// <summary>Its taints, each as <c>key=value:effect</c>.</summary>
    public IReadOnlyList<string> Taints { get; init; } = [];

    /// <summary>The maintenance that is under way for it in this Drydock, or null.</summary>
    public string? MaintenanceId { get; init; }

    /// <summary>Where that maintenance stands.</summary>
    public MaintenanceState? MaintenanceState { get; init; }

    /// <summary>Who marked it as held (<c>drydock.dev/held-by</c>), or null: there too after a database was lost.</summary>
    public string? HeldBy { get; init; }

    /// <summary>Its maintenance lease, or null if nobody holds it.</summary>
    public LeaseView? Lease { get; init; }
}

/// <summary>The maintenance lease of a node.</summary>
/// <param name="Holder">Who holds it: a Drydock, or another operator.</param>
/// <param name="RenewedAt">When it was renewed last.</param>
/// <param name="ExpiresAt">When it lapses unless it is renewed.</param>
/// <param name="IsExpired">It has lapsed.</param>
public sealed record LeaseView(string Holder, DateTimeOffset? RenewedAt, DateTimeOffset? ExpiresAt, bool IsExpired);

/// <summary>A page of nodes, by name.</summary>
/// <param name="Items">The nodes.</param>
/// <param name="Next">Pass as <c>after</c> to get the next page; null at the end.</param>
public sealed record NodeList(IReadOnlyList<NodeView> Items, string? Next);

/// <summary>A page of the pods that a maintenance had to evict, by namespace and name.</summary>
/// <param name="Items">The pods.</param>
/// <param name="Next">Pass as <c>after</c> to get the next page; null at the end.</param>
public sealed record PodList(IReadOnlyList<PodResultView> Items, string? Next);

/// <summary>A page of the virtual machines of a maintenance, by namespace and name.</summary>
/// <param name="Items">The virtual machines.</param>
/// <param name="Next">Pass as <c>after</c> to get the next page; null at the end.</param>
public sealed record VmList(IReadOnlyList<VmView> Items, string? Next);
