using System.Text.Json.Serialization;

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

    /// <summary>What will be done besides the drain, in order: approvals, hooks, the action, the health check.</summary>
    public IReadOnlyList<PlannedStepView> Steps { get; init; } = [];

    /// <summary>Refusals first, then what will hold things up, then what is worth knowing.</summary>
    public IReadOnlyList<FindingView> Findings { get; init; } = [];
}

/// <summary>Asks what draining these nodes together would do.</summary>
public sealed record PlanCreate : MaintenanceSettings
{
    /// <summary>Of no node yet, with default settings.</summary>
    [JsonConstructor]
    public PlanCreate()
    {
    }

    /// <summary>Of no node yet, with these settings.</summary>
    public PlanCreate(MaintenanceSettings settings)
        : base(settings)
    {
    }

    /// <summary>The names of the nodes, each once, 100 at the most.</summary>
    public IReadOnlyList<string>? Nodes { get; init; }
}

/// <summary>What draining several nodes together would do. Nothing was changed to find out.</summary>
/// <param name="CanStart">Nothing refuses it.</param>
public sealed record PlansView(bool CanStart)
{
    /// <summary>The plan of each node, in the order asked for.</summary>
    public IReadOnlyList<PlanView> Plans { get; init; } = [];

    /// <summary>What follows from draining them together, and what the rest of the cluster has to do with it; the worst first.</summary>
    public IReadOnlyList<FindingView> Findings { get; init; } = [];
}

/// <summary>One thing that will be done besides the drain.</summary>
/// <param name="Kind">Stable name in kebab case: approval, drain, health, or the kind of an action.</param>
/// <param name="Message">One sentence.</param>
public sealed record PlannedStepView(string Kind, string Message);

/// <summary>What would happen to a pod.</summary>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="Verdict">Keep, Evict, AwaitCompletion, Deny or MoveVm.</param>
/// <param name="Rule">The rule that decides, such as <c>daemon-set</c>.</param>
/// <param name="Reason">One sentence.</param>
public sealed record PlannedPod(string Namespace, string Name, string Verdict, string Rule, string Reason)
{
    /// <summary>Pods of a higher order leave when those of every lower order are gone.</summary>
    public int Order { get; init; }
}

/// <summary>What would happen to a virtual machine.</summary>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="Fate">Migrates, RestartsElsewhere, StaysDown, StoppedAndRestored, WaitsForExternal, Blocks or Stays.</param>
/// <param name="Reason">One sentence.</param>
public sealed record PlannedVm(string Namespace, string Name, string Fate, string Reason)
{
    /// <summary>The eviction strategy that holds.</summary>
    public string? EvictionStrategy { get; init; }

    /// <summary>Where it comes from: VirtualMachineInstance, KubeVirt, HyperConverged or default; where that cannot be told, two of them with "or" between.</summary>
    public string? StrategySource { get; init; }

    /// <summary>What KubeVirt says.</summary>
    public bool IsLiveMigratable { get; init; }

    /// <summary>Why it cannot migrate, one sentence; null if it can.</summary>
    public string? WhyNotMigratable { get; init; }

    /// <summary>The VM's run strategy, or null for a bare instance.</summary>
    public string? RunStrategy { get; init; }
}
