using System.Text.Json.Serialization;
using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>The steps of a maintenance, in order. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<MaintenanceStep>))]
public enum MaintenanceStep
{
    /// <summary>Reading what is there.</summary>
    Plan,

    /// <summary>Waiting until somebody approves.</summary>
    Approve,

    /// <summary>Taking the lease, or waiting for it.</summary>
    Lease,

    /// <summary>Cordon, taints, label.</summary>
    Mark,

    /// <summary>Evicting pods and moving virtual machines.</summary>
    Drain,

    /// <summary>The node is empty; the action is under way.</summary>
    Action,

    /// <summary>An action before or after the drain, or before the node takes work again.</summary>
    Hook,

    /// <summary>Waiting until the node is healthy.</summary>
    Health,

    /// <summary>Putting back what was changed.</summary>
    Restore,

    /// <summary>Over.</summary>
    Done,
}

/// <summary>How a maintenance ended. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<MaintenanceOutcome>))]
public enum MaintenanceOutcome
{
    /// <summary>Everything was done and everything was put back.</summary>
    Completed,

    /// <summary>It never started: the plan, the lease or a missing permission refused it; nothing was changed.</summary>
    Refused,

    /// <summary>Somebody cancelled it; everything was put back.</summary>
    Cancelled,

    /// <summary>A deadline or a refusal ended it; the report says which, and whether the node was restored.</summary>
    Failed,
}

/// <summary>
/// The custom status of <c>node.maintenance</c>, under 16 KiB (design D13). The custom status of its children
/// <c>INSTANCE:pods</c> (<see cref="DrainStatus"/>) and <c>INSTANCE:vm:NAMESPACE/NAME</c> (<see cref="VmStatus"/>) adds the details.
/// </summary>
public sealed record MaintenanceStatus(string Node, MaintenanceStep Step, string Message)
{
    /// <summary>When the step began.</summary>
    public DateTimeOffset StepSince { get; init; }

    /// <summary>When the step must be over, or null.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Steps that are over, with their times.</summary>
    public IReadOnlyList<StepTime> Steps { get; init; } = [];

    /// <summary>Pods to evict when the drain began.</summary>
    public int PodsToEvict { get; init; }

    /// <summary>All pods on the node when the drain began.</summary>
    public int PodsTotal { get; init; }

    /// <summary>Virtual machines to move when the drain began.</summary>
    public int VmsTotal { get; init; }

    /// <summary>A cancel was received.</summary>
    public bool IsCancelling { get; init; }

    /// <summary>The lease is somebody else's: nothing is changed until it is ours again.</summary>
    public bool IsLeaseLost { get; init; }

    /// <summary>Since when, or null.</summary>
    public DateTimeOffset? LeaseLostAt { get; init; }

    /// <summary>The drain is over and the node is held until told to go on.</summary>
    public bool IsHolding { get; init; }

    /// <summary>The gate at which it waits until somebody approves, or null.</summary>
    public ApprovalGate? AwaitsApproval { get; init; }

    /// <summary>Who approved what, when and why.</summary>
    public IReadOnlyList<ApprovalRecord> Approvals { get; init; } = [];

    /// <summary>The actions that were taken, the last of them perhaps still under way.</summary>
    public IReadOnlyList<ActionRecord> Actions { get; init; } = [];

    /// <summary>The wait that somebody must complete, by the key of its action; null: none. A method: what is a property is persisted.</summary>
    public string? AwaitsComplete() => IsHolding && Actions is [.., { } action] ? action.Key : null;

    /// <summary>Somebody suspended it; null: it goes on.</summary>
    public Suspension? Suspension { get; init; }

    /// <summary>Who suspended, resumed or extended it: the last ten times.</summary>
    public IReadOnlyList<SteerRecord> Steers { get; init; } = [];
}

/// <summary>When a step began and ended.</summary>
public sealed record StepTime(MaintenanceStep Step, DateTimeOffset From, DateTimeOffset To);

/// <summary>The custom status of the child that evicts pods.</summary>
public sealed record DrainStatus(int Total, int Gone)
{
    /// <summary>Accepted evictions whose pods still terminate.</summary>
    public int Terminating { get; init; }

    /// <summary>When the drain must be over.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The longest held pods, 20 at the most.</summary>
    public IReadOnlyList<Blocker> Blockers { get; init; } = [];

    /// <summary>Virtual machines whose turn has not come, since something of a lower order is still there: 20 at the most. Null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ObjectRef>? MachinesInOrder { get; init; }

    /// <summary>What has this order must leave first; 0 where nothing waits for it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int OrderInHand { get; init; }
}

/// <summary>Something that holds the drain up.</summary>
/// <param name="Kind">Stable name in kebab case: the <see cref="EvictionAnswer"/> or the VM's situation, such as <c>budget-exhausted</c>, <c>migration-scheduling</c>.</param>
/// <param name="Pod">The pod or VM.</param>
/// <param name="Object">The object to look at, or null.</param>
/// <param name="Message">What the server said.</param>
/// <param name="Since">Since when.</param>
/// <param name="Attempts">How often it was tried.</param>
/// <param name="NextTry">When it is tried next, or null.</param>
/// <param name="Deadline">When policy decides, or null.</param>
/// <param name="NextStep">One sentence on what a person can do.</param>
public sealed record Blocker(
    string Kind, string Pod, string? Object, string? Message, DateTimeOffset Since, int Attempts, DateTimeOffset? NextTry, DateTimeOffset? Deadline, string NextStep);

/// <summary>Where a virtual machine is on its way. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<VmProgress>))]
public enum VmProgress
{
    /// <summary>Nothing was done yet.</summary>
    Waiting,

    /// <summary>Marked for evacuation; no migration object yet.</summary>
    Requested,

    /// <summary>Its migration waits for a slot behind others.</summary>
    Queued,

    /// <summary>Its migration is under way: see the phase.</summary>
    Migrating,

    /// <summary>It is blocked: see the blocker.</summary>
    Blocked,

    /// <summary>It is being shut down.</summary>
    Stopping,

    /// <summary>It is being started elsewhere or restored.</summary>
    Starting,

    /// <summary>It left the node.</summary>
    Gone,
}

/// <summary>The custom status of <c>node.restore</c>: the virtual machines that were stopped and are started again.</summary>
public sealed record RestoreStatus(IReadOnlyList<VmStatus> VirtualMachines);

/// <summary>The custom status of the child that moves one virtual machine.</summary>
public sealed record VmStatus(ObjectRef Vmi, VmProgress Progress, string Message)
{
    /// <summary>Phase of the migration, or null.</summary>
    public string? MigrationPhase { get; init; }

    /// <summary>Migrations tried so far.</summary>
    public int Attempts { get; init; }

    /// <summary>Since when it is in this state.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>When the next rung of the ladder is taken, or null.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>What is in its way, or null.</summary>
    public Blocker? Blocker { get; init; }
}

/// <summary>Custom status of the orchestration that holds the lease. Persisted: only gains optional members.</summary>
/// <param name="Failures">How many tries in a row did not leave it ours; 0 again with the first that does.</param>
public sealed record HoldLeaseStatus(int Failures);
