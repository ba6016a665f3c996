using System.Text.Json.Serialization;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>Everything the ladder needs to know about one virtual machine, read at one moment.</summary>
internal sealed record VmObservation(DateTimeOffset At)
{
    /// <summary>For the next wait.</summary>
    public string? Cursor { get; init; }

    /// <summary>The running instance, or null.</summary>
    public ObservedInstance? Instance { get; init; }

    /// <summary>The launcher pod of the instance on the node under maintenance, unless it has finished.</summary>
    public ObservedLauncher? Launcher { get; init; }

    /// <summary>The migration under way, else the newest that ended.</summary>
    public ObservedMigration? Migration { get; init; }

    /// <summary>The newest migration that failed, also where KubeVirt has made another by now; or null.</summary>
    public ObservedMigration? LastFailure { get; init; }

    /// <summary>What the owner made in the place of an instance that was shut down, or null; read only where that is followed.</summary>
    public ObservedSuccessor? Successor { get; init; }

    /// <summary>How many instances the owner wants, if it has that many without another in the place of this one; else null.</summary>
    public int? OwnerHasEnoughAt { get; init; }

    /// <summary>The virtual machine, or null for a bare instance.</summary>
    public ObservedMachine? Machine { get; init; }

    /// <summary>Fewer migrations are active than KubeVirt allows for the node and for the cluster.</summary>
    public bool HasFreeSlot { get; init; } = true;

    /// <summary>The virtual machines whose migrations take the slots.</summary>
    public IReadOnlyList<string> Ahead { get; init; } = [];

    /// <summary>One of those that takes long, in a sentence, or null.</summary>
    public string? AheadIsStuck { get; init; }

    /// <summary>Why the scheduler cannot place the instance or its migration target, or null.</summary>
    public string? Unschedulable { get; init; }

    /// <summary>What a condition or an event says about a migration that is Pending although a slot is free, or null.</summary>
    public string? PendingReason { get; init; }

    /// <summary>Why no further migration may begin by our own limit, or null.</summary>
    public string? InboundHold { get; init; }

    /// <summary>Nodes that could take it, those with the fewest inbound migrations first; read only where a target failed.</summary>
    public IReadOnlyList<ObservedTarget> Targets { get; init; } = [];

    /// <summary>
    /// What is here no longer, or not yet, or what somebody else ends, is left to that; false in what was observed before it was: its history must
    /// replay.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool LeavesForeign { get; init; }

    /// <summary>
    /// Who is before it in the queue is news also where the machine waits without a migration; false in what was observed before it was: its history
    /// must replay.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool TellsQueue { get; init; }

    /// <summary>It is marked, and KubeVirt has made no migration for that, or none after one that ended. Of one with strategy External others make it.</summary>
    [JsonIgnore]
    public bool WaitsForMigration =>
        Migration is null or { IsFinished: true } && Instance is { EvacuationNode: not null, Strategy: not Planning.VmForecasts.External };

    /// <summary>Its instance runs on another node than this.</summary>
    public bool RunsElsewhere(string node) => LeavesForeign && Instance is { IsFinal: false, Node: { } other } && other != node;

    /// <summary>It is on its way down: by what was done for it, by itself, or since somebody stops it.</summary>
    public bool IsGoingDown(VmLadderState state) =>
        state.IsShuttingDown || Launcher is { IsTerminating: true } || Instance is { IsFinal: true }
        || (LeavesForeign && !state.IsStopped && Machine is { RunStrategy: "Halted" } or { IsStopAsked: true });

    /// <summary>What must differ for the orchestrator to be told: not the times, and of the others only whether a slot is free.</summary>
    public string Fingerprint() => string.Join(
        '|', Instance?.Fingerprint(), Launcher?.Uid, Launcher?.IsTerminating, Migration?.Uid, Migration?.Phase, Migration?.IsBeingDeleted,
        Machine?.RunStrategy, Machine?.Status, Unschedulable, Migration is { IsWaiting: true } && !TellsQueue ? HasFreeSlot : null,
        Migration is null or { IsFinished: true } && Instance?.EvacuationNode is null ? InboundHold is null : null)
        + (Machine is { IsStopAsked: true } ? "|stop asked" : "")
        + (Machine is { Held: { } held } ? $"|held by {held.By}" : "")
        + (Successor is { } next ? $"|{next.Name}|{next.Phase}|{next.Node}" : "")
        + (Launcher is { Stuck: { } stuck } ? $"|{stuck}" : "")
        + (Launcher is { IsTerminating: false, Budget: { } budget } ? $"|{budget.Name} {(budget.IsFree ? budget.Version : "allows none")}" : "")
        + (OwnerHasEnoughAt is { } enough ? $"|enough at {enough}" : "")
        + (LastFailure is { } failed && failed.Uid != Migration?.Uid ? "|" + failed.Uid : "")
        + (TellsQueue && (Migration is { IsWaiting: true } || WaitsForMigration) ? Queue + (HasFreeSlot ? Free : string.Join(',', Ahead)) : "");

    private const string Queue = "|queue: ";

    private const string Free = "free";

    /// <summary>
    /// Whether it differs from what is known in nothing but the queue of migrations, and in what may be over in a moment. That a slot that was free is
    /// taken is not: the machine's time stands still from then on.
    /// </summary>
    public bool DiffersForAMoment(string? known) => known is not null && !known.EndsWith(Queue + Free, StringComparison.Ordinal)
        && Fingerprint() is var own && own != known && WithoutQueue(own) == WithoutQueue(known);

    private static string WithoutQueue(string fingerprint) =>
        fingerprint.LastIndexOf(Queue, StringComparison.Ordinal) is var at and >= 0 ? fingerprint[..at] : fingerprint;
}

/// <summary>A running instance.</summary>
internal sealed record ObservedInstance(string Uid, string? Node, string Phase, string Strategy, bool IsLiveMigratable)
{
    /// <summary>Why it cannot migrate, or null.</summary>
    public string? WhyNot { get; init; }

    /// <summary>It does not run yet, and KubeVirt has not said whether it can migrate.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsStarting { get; init; }

    /// <summary>The node it is to be evacuated from, or null.</summary>
    public string? EvacuationNode { get; init; }

    /// <summary>The owner that replaces it, where that is not a VirtualMachine.</summary>
    public string? OtherOwner { get; init; }

    /// <summary>The name of that owner, or null.</summary>
    public string? OtherOwnerName { get; init; }

    /// <summary>When the newest of that owner's instances was made; read only at the first look.</summary>
    public DateTimeOffset? NewestSibling { get; init; }

    /// <summary>Once its eviction has shut it down, KubeVirt leaves it down: we start it. False in what was stored before that was done.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool NeedsStart { get; init; }

    /// <summary>Over.</summary>
    public bool IsFinal => Phase is "Succeeded" or "Failed";

    public string Fingerprint() => string.Join('|', Uid, Node, Phase, Strategy, IsLiveMigratable, EvacuationNode);
}

/// <summary>An instance that was made in the place of another.</summary>
internal sealed record ObservedSuccessor(string Name, string Phase, string? Node);

/// <summary>A launcher pod that has not finished.</summary>
internal sealed record ObservedLauncher(ObjectRef Pod, string Uid, bool IsTerminating)
{
    /// <summary>When its deletion was asked for, or null.</summary>
    public DateTimeOffset? LeavingSince { get; init; }

    /// <summary>From when on its end is overdue; null: it is not being deleted, or that was not kept yet.</summary>
    public DateTimeOffset? LateAt { get; init; }

    /// <summary>Why it is still there although it is overdue, one sentence, or null.</summary>
    public string? Stuck { get; init; }

    /// <summary>The budget that alone covers it, as the watch knows it; or null.</summary>
    public ObservedBudget? Budget { get; init; }
}

/// <summary>A budget that covers a launcher pod.</summary>
/// <param name="Name">Namespace and name.</param>
/// <param name="Version">Of the object.</param>
/// <param name="IsFree">It allows a disruption now.</param>
internal sealed record ObservedBudget(string Name, string Version, bool IsFree);

/// <summary>A node that could take it.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Hostname">Its label <c>kubernetes.io/hostname</c>, which a selector names it by.</param>
internal sealed record ObservedTarget(string Node, string Hostname);

/// <summary>A migration.</summary>
internal sealed record ObservedMigration(string Name, string Uid, string Phase, DateTimeOffset Since)
{
    /// <summary>Where to, if known.</summary>
    public string? TargetNode { get; init; }

    /// <summary>Why it failed, or null.</summary>
    public string? FailureReason { get; init; }

    /// <summary>KubeVirt did not make it for an evacuation.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsOthers { get; init; }

    /// <summary>Its deletion was asked for.</summary>
    public bool IsBeingDeleted { get; init; }

    public bool IsFinished => Phase is "Succeeded" or "Failed";

    public bool IsWaiting => Phase is "" or "Pending";

    public bool IsScheduling => Phase is "Scheduling";
}

/// <summary>A virtual machine.</summary>
internal sealed record ObservedMachine(string RunStrategy, string? Status)
{
    /// <summary>A stop was asked for that KubeVirt has not carried out; it may be ours.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsStopAsked { get; init; }

    /// <summary>The mark of another maintenance on it; null: there is none, or it was not read when this was observed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public VmHold? Held { get; init; }

    /// <summary>What its annotations say about it, if the policy lets them count.</summary>
    public VirtualMachineOverride? Annotated { get; init; }

    /// <summary>Both <c>spec.running</c> and <c>spec.runStrategy</c> are set: KubeVirt refuses every change of it.</summary>
    public bool HasBothKeys { get; init; }
}
