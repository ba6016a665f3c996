using System.Text.Json.Serialization;
using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>What a maintenance of a node would do, and every reason it could not. Read-only; persisted in the history.</summary>
public sealed record MaintenancePlan(string Node, DateTimeOffset At)
{
    /// <summary>The node exists, with this uid.</summary>
    public string? NodeUid { get; init; }

    /// <summary>It is cordoned already, by somebody else.</summary>
    public bool WasCordoned { get; init; }

    /// <summary>Every pod on the node with the rule that decides it.</summary>
    public IReadOnlyList<PodDecision> Pods { get; init; } = [];

    /// <summary>Every virtual machine on the node with what will happen to it.</summary>
    public IReadOnlyList<VmForecast> VirtualMachines { get; init; } = [];

    /// <summary>What stands in the way: refusals first, then what will hold things up, then what is worth knowing.</summary>
    public IReadOnlyList<PlanFinding> Findings { get; init; } = [];

    /// <summary>What will be done besides the drain, in order: approvals, hooks, the action, the health check.</summary>
    public IReadOnlyList<PlannedStep> Steps { get; init; } = [];

    /// <summary>The policy as it was when the plan was made, or null: what the maintenance goes by from then on.</summary>
    public MaintenancePolicy? Policy { get; init; }

    /// <summary>The BareMetalHost that is power-cycled, or null.</summary>
    public ObjectRef? Host { get; init; }

    /// <summary>Before its machine goes down the gate is passed and the node empty once more; false in what was stored before that: its history must replay.</summary>
    public bool GuardsPower { get; init; }

    /// <summary>
    /// Virtual machines wait for pods of a lower order, as pods do; false where none need, and in what was stored before that: its history must
    /// replay.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool OrdersMachines { get; init; }

    /// <summary>
    /// Where its start is approved only after a while it is read again; false where nobody approves that, and in what was stored before that: its
    /// history must replay.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool GoesStale { get; init; }

    /// <summary>
    /// Before the node is put back it is looked at whether its machine is surely up, whatever was cancelled or failed, and once more whether it is
    /// healthy, after a hook or a gate that took its time; false in what was stored before that: its history must replay.
    /// </summary>
    public bool SeesMachineBack { get; init; }

    /// <summary>
    /// After a cancel or a suspension nothing is begun, also where it was about to be; false in what was stored before that: its history must
    /// replay.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool EndsPromptly { get; init; }

    /// <summary>
    /// What was read before a long wait for the lease is read again after it, and what keeps the lease and the marks is heard also while it is
    /// suspended when its work has ended; false in what was stored before that: its history must replay.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool StaysCurrent { get; init; }

    /// <summary>No finding refuses the maintenance.</summary>
    public bool CanStart => Findings.All(finding => finding.Severity != FindingSeverity.Refuses);
}

/// <summary>What draining several nodes together would do.</summary>
/// <param name="Nodes">The plan of each node.</param>
public sealed record NodesPlan(IReadOnlyList<MaintenancePlan> Nodes)
{
    /// <summary>What follows from draining them together, and what the rest of the cluster has to do with it; the worst first.</summary>
    public IReadOnlyList<PlanFinding> Findings { get; init; } = [];

    /// <summary>No finding refuses it.</summary>
    public bool CanStart => Nodes.All(node => node.CanStart) && Findings.All(finding => finding.Severity != FindingSeverity.Refuses);
}

/// <summary>One thing that will be done besides the drain.</summary>
/// <param name="Kind">Stable name in kebab case: <c>approval</c>, <c>drain</c>, <c>health</c>, or the kind of an action.</param>
/// <param name="Message">One sentence for people.</param>
public sealed record PlannedStep(string Kind, string Message);

/// <summary>How bad a finding is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FindingSeverity>))]
public enum FindingSeverity
{
    /// <summary>The maintenance does not start.</summary>
    Refuses,

    /// <summary>It starts, and this will hold it up until somebody acts or a deadline decides.</summary>
    Blocks,

    /// <summary>Worth knowing.</summary>
    Notes,
}

/// <summary>One thing the plan found.</summary>
/// <param name="Severity">How bad it is.</param>
/// <param name="Kind">Stable name, kebab case, such as <c>node-not-found</c>, <c>lease-held</c>, <c>budget-exhausted</c>.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="Object">The object to look at, or null.</param>
/// <param name="NextStep">What to do about it, one sentence, or null.</param>
public sealed record PlanFinding(FindingSeverity Severity, string Kind, string Message, string? Object = null, string? NextStep = null);

/// <summary>What happens to a pod.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PodVerdict>))]
public enum PodVerdict
{
    /// <summary>It stays where it is.</summary>
    Keep,

    /// <summary>It is evicted.</summary>
    Evict,

    /// <summary>It refuses the drain.</summary>
    Deny,

    /// <summary>It goes with a virtual machine: the machine's own ladder moves it.</summary>
    MoveVm,

    /// <summary>It is not evicted, and the drain waits until it has finished.</summary>
    AwaitCompletion,
}

/// <summary>What was decided about a pod.</summary>
/// <param name="Pod">Which pod.</param>
/// <param name="Uid">Which life of it.</param>
/// <param name="Verdict">What happens.</param>
/// <param name="Rule">The rule that decided, kebab case, such as <c>daemon-set</c>.</param>
/// <param name="Reason">One sentence for people.</param>
public sealed record PodDecision(ObjectRef Pod, string Uid, PodVerdict Verdict, string Rule, string Reason)
{
    /// <summary>Pods of a higher order leave when those of every lower order are gone.</summary>
    public int Order { get; init; }
}

/// <summary>What will happen to a virtual machine.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<VmFate>))]
public enum VmFate
{
    /// <summary>It migrates and never stops.</summary>
    Migrates,

    /// <summary>It is shut down by the eviction and comes back on another node (Always, RerunOnFailure, instances of a set).</summary>
    RestartsElsewhere,

    /// <summary>It is shut down by the eviction and stays down (Manual, Once, bare instances).</summary>
    StaysDown,

    /// <summary>It is stopped by us and started again after the maintenance, by policy.</summary>
    StoppedAndRestored,

    /// <summary>It is marked and an external actor must move it.</summary>
    WaitsForExternal,

    /// <summary>It blocks until somebody acts.</summary>
    Blocks,

    /// <summary>A selector, a rule or the policy for it leaves it on the node, or the drain waits until somebody has ended it.</summary>
    Stays,
}

/// <summary>What the plan says about a virtual machine.</summary>
/// <param name="Vmi">Which instance.</param>
/// <param name="Uid">Which life of it.</param>
/// <param name="Fate">What will happen.</param>
/// <param name="EvictionStrategy">The effective strategy.</param>
/// <param name="StrategySource">Where it comes from: <c>VirtualMachineInstance</c>, <c>KubeVirt</c>, <c>HyperConverged</c>, <c>default</c>; where that cannot be told, <c>VirtualMachineInstance or</c> one of the others.</param>
/// <param name="IsLiveMigratable">What KubeVirt says.</param>
/// <param name="RunStrategy">The VM's run strategy, or null for a bare instance.</param>
/// <param name="Reason">One sentence for people.</param>
public sealed record VmForecast(
    ObjectRef Vmi, string Uid, VmFate Fate, string EvictionStrategy, string StrategySource, bool IsLiveMigratable, string? RunStrategy, string Reason)
{
    /// <summary>Why KubeVirt cannot migrate it, one sentence; null if it can.</summary>
    public string? WhyNotMigratable { get; init; }

    /// <summary>What to do about one that blocks, or null.</summary>
    public string? NextStep { get; init; }

    /// <summary>Stable name of what blocks it, where that is not that it cannot migrate; else null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? Blocker { get; init; }

    /// <summary>The mark of another maintenance on its VirtualMachine, or null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public VirtualMachines.VmHold? Held { get; init; }
}
