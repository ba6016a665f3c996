namespace Drydock.Api;

/// <summary>A virtual machine of the cluster as it stands.</summary>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Name">Its name.</param>
public sealed record VirtualMachineView(string Namespace, string Name)
{
    /// <summary>The run strategy; <c>running</c> told by the name it stands for. Null for an instance without a virtual machine.</summary>
    public string? RunStrategy { get; init; }

    /// <summary>What KubeVirt prints about it, such as <c>Running</c> or <c>ErrorUnschedulable</c>.</summary>
    public string? Status { get; init; }

    /// <summary>The phase of its instance, or null: it is down.</summary>
    public string? Phase { get; init; }

    /// <summary>Where it runs, or null.</summary>
    public string? Node { get; init; }

    /// <summary>What an eviction does to it, or null: it is down.</summary>
    public string? EvictionStrategy { get; init; }

    /// <summary>It can be migrated; null: it is down.</summary>
    public bool? IsLiveMigratable { get; init; }

    /// <summary>Why it cannot, or null.</summary>
    public string? WhyNotMigratable { get; init; }

    /// <summary>The phase of the migration that is under way, or null.</summary>
    public string? Migrating { get; init; }

    /// <summary>Who stopped it and will start it again, or null.</summary>
    public string? HeldBy { get; init; }
}

/// <summary>Asks for a start, stop, restart or migration. What is left out takes KubeVirt's default.</summary>
public sealed record VirtualMachineCall
{
    /// <summary>Of a stop: how long the guest may take. Of a restart only <c>0s</c>: by force.</summary>
    public string? GracePeriod { get; init; }

    /// <summary>Of a migration: the node to go to.</summary>
    public string? ToNode { get; init; }

    /// <summary>Why, in the words of whoever asks.</summary>
    public string? Reason { get; init; }
}

/// <summary>What came of it.</summary>
/// <param name="Id">The call, for the log.</param>
/// <param name="Namespace">The machine's namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="IsChanged">False: it was so already, and nothing was changed.</param>
/// <param name="Message">One sentence.</param>
public sealed record VirtualMachineCallView(string Id, string Namespace, string Name, bool IsChanged, string Message)
{
    /// <summary>The run strategy before.</summary>
    public string? RunStrategyBefore { get; init; }

    /// <summary>The run strategy after, as the cluster says.</summary>
    public string? RunStrategyAfter { get; init; }

    /// <summary>What KubeVirt prints about it now.</summary>
    public string? Status { get; init; }
}

/// <summary>A page of the virtual machines of the cluster, by namespace and name.</summary>
/// <param name="Items">The virtual machines.</param>
/// <param name="Next">Pass as <c>after</c> to get the next page; null at the end.</param>
public sealed record VirtualMachineList(IReadOnlyList<VirtualMachineView> Items, string? Next);
