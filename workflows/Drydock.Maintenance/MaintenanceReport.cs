using System.Text.Json.Serialization;
using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>What was done, when and how often it was tried: the output of <c>node.maintenance</c>.</summary>
public sealed record MaintenanceReport(string Node, MaintenanceOutcome Outcome, string Message)
{
    /// <summary>The steps with their times.</summary>
    public IReadOnlyList<StepTime> Steps { get; init; } = [];

    /// <summary>What became of each pod that had to go.</summary>
    public IReadOnlyList<PodResult> Pods { get; init; } = [];

    /// <summary>What became of each virtual machine.</summary>
    public IReadOnlyList<VmResult> VirtualMachines { get; init; } = [];

    /// <summary>Who approved what, when and why.</summary>
    public IReadOnlyList<ApprovalRecord> Approvals { get; init; } = [];

    /// <summary>The actions that were taken, with how they ended.</summary>
    public IReadOnlyList<ActionRecord> Actions { get; init; } = [];

    /// <summary>Why it was refused or failed: findings with next steps.</summary>
    public IReadOnlyList<PlanFinding> Findings { get; init; } = [];

    /// <summary>The node was put back as it was.</summary>
    public bool IsRestored { get; init; }

    /// <summary>What is still changed in the cluster, one sentence each; empty if nothing.</summary>
    public IReadOnlyList<string> LeftBehind { get; init; } = [];

    /// <summary>
    /// The node stays out of service whatever the failure policy says: it is not healthy, its machine may be down, or somebody at work on it.
    /// False in what was stored before this was kept.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsNodeKept { get; init; }

    /// <summary>
    /// It never began, because somebody else holds the node or its turn in the control plane. That somebody did when the plan was read, and it
    /// was refused for another reason later, is not it. A method: what is a property is persisted.
    /// </summary>
    public bool IsHeldByOther() =>
        Outcome == MaintenanceOutcome.Refused
        && Findings.Any(static finding => finding is { Severity: FindingSeverity.Refuses, Kind: "lease-held" or Drydock.Maintenance.Node.ControlPlane.Busy });
}

/// <summary>What became of a pod.</summary>
/// <param name="Pod">Which pod.</param>
/// <param name="Uid">Which life of it.</param>
/// <param name="IsGone">It left the node.</param>
/// <param name="Attempts">Evictions sent for it.</param>
/// <param name="AcceptedAt">When the API server accepted one, or null.</param>
/// <param name="GoneAt">When it was seen to be gone, or null.</param>
/// <param name="LastAnswer">The last answer, if it was not accepted.</param>
public sealed record PodResult(
    ObjectRef Pod, string Uid, bool IsGone, int Attempts, DateTimeOffset? AcceptedAt, DateTimeOffset? GoneAt, string? LastAnswer)
{
    /// <summary>It is the launcher pod that a virtual machine left behind.</summary>
    public bool IsLauncher { get; init; }
}

/// <summary>How a virtual machine left. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<VmOutcome>))]
public enum VmOutcome
{
    /// <summary>It migrated without a stop.</summary>
    Migrated,

    /// <summary>It was shut down and runs elsewhere.</summary>
    RestartedElsewhere,

    /// <summary>It was shut down and is down, as its run strategy says.</summary>
    StaysDown,

    /// <summary>We stopped it; Restore starts it again.</summary>
    Stopped,

    /// <summary>It was gone before anything was done.</summary>
    AlreadyGone,

    /// <summary>It is still on the node.</summary>
    StillThere,

    /// <summary>It left but is not Running where it was restarted.</summary>
    NotRunningAgain,

    /// <summary>It was left on the node, as the policy says.</summary>
    Skipped,
}

/// <summary>What became of a virtual machine.</summary>
/// <param name="Vmi">Which instance.</param>
/// <param name="Outcome">How it left.</param>
/// <param name="Attempts">Migrations tried.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="StoppedRunStrategy">The run strategy it had when we stopped it, or null if we did not.</param>
public sealed record VmResult(ObjectRef Vmi, VmOutcome Outcome, int Attempts, string Message, string? StoppedRunStrategy = null)
{
    /// <summary>Where it runs now, if that is known.</summary>
    public string? Node { get; init; }

    /// <summary>It was started again with its original run strategy.</summary>
    public bool IsRestored { get; init; }

    /// <summary>It was not started again since it was deleted, or stopped by somebody else, meanwhile.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsUnwanted { get; init; }
}
