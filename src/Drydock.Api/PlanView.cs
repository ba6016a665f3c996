namespace Drydock.Api;

/// <summary>What a maintenance of a node would do, and every reason it could not. Nothing was changed to find out.</summary>
/// <param name="Node">The node.</param>
/// <param name="At">When it was read.</param>
/// <param name="CanStart">Nothing refuses the maintenance.</param>
/// <param name="WasCordoned">The node is cordoned already, by somebody else, and would stay so.</param>
public sealed record PlanView(string Node, DateTimeOffset At, bool CanStart, bool WasCordoned)
{
    /// <summary>Every pod on the node.</summary>
    public IReadOnlyList<PlannedPod> Pods { get; init; } = [];

    /// <summary>Every virtual machine on the node.</summary>
    public IReadOnlyList<PlannedVm> Vms { get; init; } = [];

    /// <summary>Refusals first, then what will hold things up, then what is worth knowing.</summary>
    public IReadOnlyList<FindingView> Findings { get; init; } = [];
}

/// <summary>What would happen to a pod.</summary>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="Verdict">Keep, Evict, Deny or MoveVm.</param>
/// <param name="Rule">The rule that decides, such as <c>daemon-set</c>.</param>
/// <param name="Reason">One sentence.</param>
public sealed record PlannedPod(string Namespace, string Name, string Verdict, string Rule, string Reason);

/// <summary>What would happen to a virtual machine.</summary>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="Fate">Migrates, RestartsElsewhere, StaysDown, StoppedAndRestored, WaitsForExternal or Blocks.</param>
/// <param name="Reason">One sentence.</param>
public sealed record PlannedVm(string Namespace, string Name, string Fate, string Reason)
{
    /// <summary>The eviction strategy that holds.</summary>
    public string? EvictionStrategy { get; init; }

    /// <summary>Where it comes from.</summary>
    public string? StrategySource { get; init; }

    /// <summary>What KubeVirt says.</summary>
    public bool IsLiveMigratable { get; init; }

    /// <summary>The VM's run strategy, or null for a bare instance.</summary>
    public string? RunStrategy { get; init; }
}
