namespace Drydock.Api;

/// <summary>Where a maintenance stands.</summary>
public enum MaintenanceState
{
    /// <summary>It is recorded and has not begun.</summary>
    Pending,

    /// <summary>It is under way.</summary>
    Running,

    /// <summary>The node is drained and held until told to go on.</summary>
    Holding,

    /// <summary>It waits until somebody approves.</summary>
    AwaitingApproval,

    /// <summary>A cancel was received; everything is being put back.</summary>
    Cancelling,

    /// <summary>The lease is somebody else's: nothing is changed until it is ours again. While it is being cancelled it stays <see cref="Cancelling"/>.</summary>
    LeaseLost,

    /// <summary>Somebody suspended it: nothing new is begun until it is resumed, and no deadline passes.</summary>
    Suspended,

    /// <summary>Everything was done and everything was put back.</summary>
    Completed,

    /// <summary>It never started; nothing was changed.</summary>
    Refused,

    /// <summary>Somebody cancelled it; everything was put back.</summary>
    Cancelled,

    /// <summary>A deadline, a refusal or a fault ended it.</summary>
    Failed,

    /// <summary>It was ended by force; its marks may still be on the node.</summary>
    Abandoned,
}

/// <summary>One maintenance as it stands now.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Node">The node.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Step">The step in hand: Plan, Lease, Mark, Drain, Action, Health, Restore or Done.</param>
/// <param name="Message">One sentence on what is going on, or how it ended.</param>
public sealed record MaintenanceView(string Id, string Node, MaintenanceState State, string Step, string Message)
{
    /// <summary>Why it was asked for.</summary>
    public string? Reason { get; init; }

    /// <summary>Who asked.</summary>
    public string? RequestedBy { get; init; }

    /// <summary>What happens between the drain and the health check.</summary>
    public string? Action { get; init; }

    /// <summary>When it was asked for.</summary>
    public DateTimeOffset StartedAt { get; init; }

    /// <summary>When it was over, or null.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>When the step in hand began.</summary>
    public DateTimeOffset? StepSince { get; init; }

    /// <summary>Since when its lease is lost; null: it is not.</summary>
    public DateTimeOffset? LeaseLostAt { get; init; }

    /// <summary>When the step in hand must be over, or null.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The steps that are over.</summary>
    public IReadOnlyList<StepView> Steps { get; init; } = [];

    /// <summary>The gate at which it waits until somebody approves, or null.</summary>
    public string? AwaitsApproval { get; init; }

    /// <summary>The wait that somebody must complete, by the key of its action: <c>action</c>, <c>before-drain-1</c>; or null.</summary>
    public string? AwaitsComplete { get; init; }

    /// <summary>Who approved or rejected what, when and why.</summary>
    public IReadOnlyList<ApprovalView> Approvals { get; init; } = [];

    /// <summary>The actions that were taken, the last of them perhaps still under way.</summary>
    public IReadOnlyList<ActionView> Actions { get; init; } = [];

    /// <summary>Who suspended it, why and since when; null: it goes on.</summary>
    public SuspensionView? Suspension { get; init; }

    /// <summary>Who suspended, resumed or extended it: the last ten times.</summary>
    public IReadOnlyList<SteerView> Steers { get; init; } = [];

    /// <summary>The pods, counted.</summary>
    public PodCounts Pods { get; init; } = new(0, 0, 0, 0);

    /// <summary>The virtual machines.</summary>
    public IReadOnlyList<VmView> Vms { get; init; } = [];

    /// <summary>What holds it up, the longest first.</summary>
    public IReadOnlyList<BlockerView> Blockers { get; init; } = [];

    /// <summary>Why it was refused or failed.</summary>
    public IReadOnlyList<FindingView> Findings { get; init; } = [];

    /// <summary>What is still changed in the cluster, one sentence each.</summary>
    public IReadOnlyList<string> LeftBehind { get; init; } = [];

    /// <summary>What was done, once it is over.</summary>
    public ReportView? Report { get; init; }

    /// <summary>It will not change any more.</summary>
    public bool IsOver => State is MaintenanceState.Completed or MaintenanceState.Refused or MaintenanceState.Cancelled
        or MaintenanceState.Failed or MaintenanceState.Abandoned;
}

/// <summary>A decision.</summary>
/// <param name="Gate">Start, Action or Uncordon.</param>
/// <param name="IsApproved">Approved, or rejected.</param>
/// <param name="By">Who.</param>
/// <param name="Reason">Why, or null.</param>
/// <param name="AskedAt">Since when it waited.</param>
/// <param name="At">When it was decided.</param>
public sealed record ApprovalView(string Gate, bool IsApproved, string By, string? Reason, DateTimeOffset AskedAt, DateTimeOffset At);

/// <summary>A suspension.</summary>
/// <param name="By">Who.</param>
/// <param name="Reason">Why, or null.</param>
/// <param name="Since">Since when.</param>
public sealed record SuspensionView(string By, string? Reason, DateTimeOffset Since);

/// <summary>A word of somebody that a maintenance obeyed.</summary>
/// <param name="Kind">Suspend, Resume or Extend.</param>
/// <param name="By">Who.</param>
/// <param name="Reason">Why, or null.</param>
/// <param name="At">When it was obeyed.</param>
public sealed record SteerView(string Kind, string By, string? Reason, DateTimeOffset At)
{
    /// <summary>Extend: the deadline before.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Extend: the deadline after.</summary>
    public DateTimeOffset? To { get; init; }
}

/// <summary>An action.</summary>
/// <param name="Key">Names it within the maintenance: <c>action</c>, <c>before-drain-1</c>; a call-back names it.</param>
/// <param name="Point">BeforeDrain, AfterDrain, Action or BeforeUncordon.</param>
/// <param name="Kind">Hold, Reboot, PowerCycle, Job or Webhook.</param>
/// <param name="Template">Which job or webhook of the policy, or null.</param>
/// <param name="Message">One sentence.</param>
/// <param name="From">When it began.</param>
public sealed record ActionView(string Key, string Point, string Kind, string? Template, string Message, DateTimeOffset From)
{
    /// <summary>When it was over, or null.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Done, Failed or Cancelled; null while it is under way.</summary>
    public string? Outcome { get; init; }
}

/// <summary>A step that is over.</summary>
public sealed record StepView(string Step, DateTimeOffset From, DateTimeOffset To);

/// <summary>The pods of the node, counted when the drain began.</summary>
/// <param name="Total">All pods on the node.</param>
/// <param name="ToEvict">Those that must leave.</param>
/// <param name="Gone">Those that left.</param>
/// <param name="Terminating">Evicted, and still terminating.</param>
public sealed record PodCounts(int Total, int ToEvict, int Gone, int Terminating);

/// <summary>One virtual machine on its way.</summary>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="Progress">Waiting, Requested, Queued, Migrating, Blocked, Stopping, Starting or Gone.</param>
/// <param name="Message">One sentence for people.</param>
public sealed record VmView(string Namespace, string Name, string Progress, string Message)
{
    /// <summary>Phase of its migration, or null.</summary>
    public string? Phase { get; init; }

    /// <summary>Migrations tried so far.</summary>
    public int Attempts { get; init; }

    /// <summary>Since when it is in this state.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>When the next rung of the ladder is taken, or null.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>How it left, once that is known: Migrated, RestartedElsewhere, StaysDown, Stopped, AlreadyGone, StillThere, NotRunningAgain, Skipped.</summary>
    public string? Outcome { get; init; }

    /// <summary>Where it runs now, if that is known.</summary>
    public string? Node { get; init; }

    /// <summary>It was stopped by the maintenance and started again with its original run strategy.</summary>
    public bool IsRestored { get; init; }
}

/// <summary>Something that holds a maintenance up.</summary>
/// <param name="Kind">Stable name in kebab case, such as <c>budget-exhausted</c>.</param>
/// <param name="Pod">The pod or virtual machine.</param>
/// <param name="Object">The object to look at, or null.</param>
/// <param name="Message">What the server said.</param>
/// <param name="Since">Since when.</param>
/// <param name="Attempts">How often it was tried.</param>
/// <param name="NextTry">When it is tried next, or null.</param>
/// <param name="Deadline">When policy decides, or null.</param>
/// <param name="NextStep">What a person can do.</param>
public sealed record BlockerView(
    string Kind, string Pod, string? Object, string? Message, DateTimeOffset Since, int Attempts, DateTimeOffset? NextTry, DateTimeOffset? Deadline, string NextStep);

/// <summary>One thing the plan or the maintenance found.</summary>
/// <param name="Severity">Refuses, Blocks or Notes.</param>
/// <param name="Kind">Stable name in kebab case.</param>
/// <param name="Message">One sentence.</param>
/// <param name="Object">The object to look at, or null.</param>
/// <param name="NextStep">What to do about it, or null.</param>
public sealed record FindingView(string Severity, string Kind, string Message, string? Object, string? NextStep);

/// <summary>What was done, when and how often it was tried.</summary>
/// <param name="Outcome">Completed, Refused, Cancelled or Failed.</param>
/// <param name="Message">How it ended.</param>
/// <param name="IsRestored">The node was put back as it was.</param>
public sealed record ReportView(string Outcome, string Message, bool IsRestored)
{
    /// <summary>What became of each pod that had to go.</summary>
    public IReadOnlyList<PodResultView> Pods { get; init; } = [];
}

/// <summary>What became of a pod.</summary>
public sealed record PodResultView(
    string Namespace, string Name, string Uid, bool IsGone, int Attempts, DateTimeOffset? AcceptedAt, DateTimeOffset? GoneAt, string? LastAnswer);

/// <summary>A page of maintenances, the newest first.</summary>
/// <param name="Items">The maintenances; lists leave out the report's pods.</param>
/// <param name="Next">Pass as <c>after</c> to get the next page; null at the end.</param>
public sealed record MaintenanceList(IReadOnlyList<MaintenanceView> Items, string? Next);

/// <summary>A page of what happened, in order of time.</summary>
/// <param name="Items">The lines.</param>
/// <param name="Next">Pass as <c>after</c> to get the next page; null at the end.</param>
public sealed record HistoryPage(IReadOnlyList<HistoryEventView> Items, string? Next);

/// <summary>One line of what happened, readable.</summary>
/// <param name="At">When.</param>
/// <param name="Instance">The orchestration it belongs to: the maintenance, or one of its parts.</param>
/// <param name="Kind">Stable name in kebab case, such as <c>activity-completed</c>.</param>
/// <param name="Name">The name of the activity, event, part or timer; null if it has none.</param>
/// <param name="Text">One sentence.</param>
/// <param name="Sequence">Counts the events of that orchestration.</param>
public sealed record HistoryEventView(DateTimeOffset At, string Instance, string Kind, string? Name, string Text, int Sequence)
{
    /// <summary>The data that went in or came out, as JSON text, cut at 4 KiB; null if there was none.</summary>
    public string? Data { get; init; }
}
