using System.Text.Json.Serialization;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>What was done for a virtual machine so far; survives the loop's continue-as-new.</summary>
internal sealed record VmLadderState
{
    /// <summary>The instance that ran on the node when the move began.</summary>
    public string? OriginalUid { get; init; }

    /// <summary>Its run strategy then; null for a bare instance.</summary>
    public string? RunStrategy { get; init; }

    /// <summary>Something other than a VirtualMachine owns and replaces it.</summary>
    public string? OtherOwner { get; init; }

    /// <summary>The name of that owner; null in what was stored before what it makes instead was followed.</summary>
    public string? OtherOwnerName { get; init; }

    /// <summary>What that owner made after this is made in its place.</summary>
    public DateTimeOffset? NewestSibling { get; init; }

    /// <summary>Its launcher's eviction was accepted: it shuts down.</summary>
    public bool IsShuttingDown { get; init; }

    /// <summary>Once its eviction has shut it down we start it again: nobody else does.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool NeedsStart { get; init; }

    /// <summary>We did.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsStarted { get; init; }

    /// <summary>Somebody asked for its stop: nobody starts it again.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsUnwanted { get; init; }

    /// <summary>It was seen to go down although nothing of ours had ended it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool WasEnded { get; init; }

    /// <summary>An eviction or delete that would shut it down was asked for, and what came of it is not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool MayBeShuttingDown { get; init; }

    /// <summary>Its stop was asked for, and what came of it is not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool MayBeStopped { get; init; }

    /// <summary>We stopped it: restore starts it again.</summary>
    public bool IsStopped { get; init; }

    /// <summary>When a stop is forced, or is told to hang; null before a stop.</summary>
    public DateTimeOffset? StopDeadline { get; init; }

    /// <summary>The stop was forced, or the launcher pod of one that was not stopped was deleted at once.</summary>
    public bool IsForced { get; init; }

    /// <summary>Its stop was refused, and not accepted since; null: it was not.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public VmStopRefusal? StopRefusal { get; init; }

    /// <summary>Nodes that a migration did not reach.</summary>
    public IReadOnlyList<string> FailedTargets { get; init; } = [];

    /// <summary>The node the last migration was pinned to, or null.</summary>
    public string? PinnedTo { get; init; }

    /// <summary>KubeVirt could not take an evacuation back.</summary>
    public bool CannotWithdraw { get; init; }

    /// <summary>Why not, one sentence; null in what was stored before it was kept: it has no such call.</summary>
    public string? WhyNotWithdrawn { get; init; }

    /// <summary>The migration that was made for us and goes on although its evacuation was withdrawn, or null: ours to delete.</summary>
    public string? WithdrawnMigration { get; init; }

    /// <summary>Something was asked for that is still there, or may be: a mark, or a migration that was made for it.</summary>
    [JsonIgnore]
    public bool IsAskedFor => AskedAt is not null || CannotWithdraw || WithdrawnMigration is not null;

    /// <summary>Evictions of the launcher asked for.</summary>
    public int Asked { get; init; }

    /// <summary>Since when KubeVirt owes us a migration; null if none was asked for.</summary>
    public DateTimeOffset? AskedAt { get; init; }

    /// <summary>Migrations that failed or were aborted.</summary>
    public int Attempts { get; init; }

    /// <summary>The last migration that was counted.</summary>
    public string? CountedMigration { get; init; }

    /// <summary>No new eviction before that.</summary>
    public DateTimeOffset? RetryAt { get; init; }

    /// <summary>The migration whose phase the clock runs for.</summary>
    public string? ClockFor { get; init; }

    /// <summary>Since when it waits in Pending although a slot is free, or is in its phase.</summary>
    public DateTimeOffset? ClockSince { get; init; }

    /// <summary>Since when that clock stands still, since somebody else's migration of it is under way; null: it runs.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public DateTimeOffset? ClockStoodSince { get; init; }

    /// <summary>Since when it is in the state the status shows.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Since when it is gone from the node and not Running elsewhere.</summary>
    public DateTimeOffset? GoneSince { get; init; }

    /// <summary>What the last eviction was answered, where it says more than we see.</summary>
    public string? LastAnswer { get; init; }

    /// <summary>The last eviction of its launcher was refused for a reason of its own; null: it was not.</summary>
    public VmRefusal? Refusal { get; init; }

    /// <summary>It ran on another node when it was first looked at, so that it is not we who moved it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool WasElsewhere { get; init; }

    /// <summary>The same after a suspension: no clock ran meanwhile, and what is left until each deadline is what was left then.</summary>
    /// <param name="since">Since when it was suspended.</param>
    /// <param name="at">When it was resumed.</param>
    public VmLadderState Resumed(DateTimeOffset since, DateTimeOffset at) => this with
    {
        ClockSince = ClockSince + (at - Later(ClockSince, since)),
        ClockStoodSince = ClockStoodSince + (at - Later(ClockStoodSince, since)),
        GoneSince = GoneSince + (at - Later(GoneSince, since)),
        StopDeadline = StopDeadline + (at - since),
        RetryAt = RetryAt + (at - since),
    };

    private static DateTimeOffset Later(DateTimeOffset? one, DateTimeOffset other) => one > other ? one.Value : other;

    /// <summary>For an instance for which nothing was done yet.</summary>
    public static VmLadderState Of(ObservedInstance instance, ObservedMachine? machine) => new()
    {
        OriginalUid = instance.Uid,
        RunStrategy = machine?.RunStrategy,
        OtherOwner = instance.OtherOwner,
        OtherOwnerName = instance.OtherOwnerName,
        NewestSibling = instance.NewestSibling,
    };
}

/// <summary>An eviction of a launcher that was refused: what was answered, and until when that is not asked again.</summary>
/// <param name="Kind">The answer by its stable name (<see cref="Drain.Answers"/>).</param>
/// <param name="Message">The server's words, or null.</param>
/// <param name="Object">The object to look at, or null.</param>
/// <param name="Until">Not asked again before that.</param>
internal sealed record VmRefusal(string Kind, string? Message, string? Object, DateTimeOffset Until)
{
    /// <summary>The server named that time: nothing shortens it.</summary>
    public bool MustWait { get; init; }

    /// <summary>The version of the budget that was known then, or null: none covers it alone.</summary>
    public string? BudgetVersion { get; init; }
}

/// <summary>A stop that was refused.</summary>
/// <param name="Message">KubeVirt's words.</param>
/// <param name="Since">Since when.</param>
internal sealed record VmStopRefusal(string Message, DateTimeOffset Since)
{
    /// <summary>When it was refused last.</summary>
    public DateTimeOffset Last { get; init; }
}

/// <summary>What is to be done next for a virtual machine.</summary>
internal abstract record VmStep
{
    private VmStep()
    {
    }

    /// <summary>Evict its launcher pod: KubeVirt migrates it or shuts it down.</summary>
    internal sealed record EvictLauncher(string Why) : VmStep;

    /// <summary>Migrate it to this node: another target failed.</summary>
    internal sealed record MigrateTo(ObservedTarget Target, string Why) : VmStep;

    /// <summary>Withdraw the evacuation, delete the migration, count it, or the one before it that failed, and pause.</summary>
    internal sealed record Abort(string? Migration, string? MigrationUid, string Why, string? Target = null, string? Counted = null) : VmStep;

    /// <summary>Count a migration that failed by itself, then decide again.</summary>
    internal sealed record Count(string MigrationUid, string? Why) : VmStep;

    /// <summary>Mark it, stop it; restore starts it again.</summary>
    internal sealed record Stop(string Why) : VmStep;

    /// <summary>Stop it again without a grace period.</summary>
    internal sealed record ForceStop(string Why) : VmStep;

    /// <summary>Start it again: its eviction has shut it down, and nobody else does.</summary>
    internal sealed record Start(string Why) : VmStep;

    /// <summary>Delete the instance: it has no virtual machine that could be stopped.</summary>
    internal sealed record DeleteInstance(string Why) : VmStep;

    /// <summary>Wait for a change, until then at the latest.</summary>
    /// <param name="Progress">Where it is.</param>
    /// <param name="Message">One sentence.</param>
    /// <param name="Until">When to decide again without a change, or null.</param>
    /// <param name="Blocker">Kind of blocker, or null if it is on its way.</param>
    /// <param name="NextStep">What a person can do about it.</param>
    /// <param name="State">The state with its clocks started or stopped.</param>
    internal sealed record Wait(
        VmProgress Progress, string Message, DateTimeOffset? Until, string? Blocker, string? NextStep, VmLadderState State) : VmStep
    {
        /// <summary>The object to look at; null: the instance itself.</summary>
        public string? LookAt { get; init; }

        /// <summary>When the next rung is taken, where it is looked at sooner; null: then.</summary>
        public DateTimeOffset? Deadline { get; init; }

        /// <summary>When something is asked for again, which decides nothing; null: nothing is.</summary>
        public DateTimeOffset? NextTry { get; init; }

        /// <summary>When it is decided about, or null.</summary>
        public DateTimeOffset? Decides => Deadline ?? (NextTry is null ? Until : null);
    }

    /// <summary>It left.</summary>
    internal sealed record Done(VmOutcome Outcome, string Message, string? Node = null) : VmStep;

    /// <summary>The policy says that the maintenance fails.</summary>
    internal sealed record Failed(VmOutcome Outcome, string Message) : VmStep;
}

/// <summary>
/// The ladder of a virtual machine: migrate ▸ retry ▸ abort ▸ elsewhere ▸ stop ▸ force. Pure: an observation, what was done so far and the policy in, the
/// next step out. The rules stand in the order they apply.
/// </summary>
internal static class VmLadder
{
    /// <summary>How often an eviction that was refused is asked for again.</summary>
    public static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(10);

    /// <summary>How long the abort of a migration may take.</summary>
    public static readonly TimeSpan AbortMustFinishWithin = TimeSpan.FromMinutes(2);

    /// <summary>How long a launcher pod may stay when its machine runs on another node.</summary>
    public static readonly TimeSpan LauncherMustEndWithin = TimeSpan.FromMinutes(1);

    /// <summary>The longest pause between attempts.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    /// <summary>The next step.</summary>
    public static VmStep Decide(
        VmObservation seen, VmLadderState state, string node, VirtualMachinePolicy policy, DateTimeOffset now)
    {
        var move = new VmMove(seen, state, node, policy, now);
        return move.Gone()
            ?? move.RunsElsewhere()
            ?? move.GoingDown()
            ?? move.Aborting()
            ?? move.MigrationThatFailed()
            ?? move.GivingUp()
            ?? move.MigrationUnderWay()
            ?? move.Starting()
            ?? move.NotMigratable()
            ?? move.EndsForGood()
            ?? move.TriedTooOften()
            ?? move.Pausing()
            ?? move.ExternalActor()
            ?? move.AlreadyAsked()
            ?? move.Refused()
            ?? move.HeldByOther()
            ?? move.InboundLimit()
            ?? move.Elsewhere()
            ?? new VmStep.EvictLauncher(move.WhyEvict());
    }

    /// <summary>
    /// The same while the maintenance is suspended: a machine that is on its way goes on and may arrive, or turn out to be down; one that was shut
    /// down is started again; nothing is begun for one, nor is it given up.
    /// </summary>
    public static VmStep WhileSuspended(VmStep step, VmLadderState state) =>
        step is VmStep.Wait or VmStep.Start
            or VmStep.Done { Outcome: VmOutcome.Migrated or VmOutcome.RestartedElsewhere or VmOutcome.Stopped or VmOutcome.StaysDown or VmOutcome.AlreadyGone }
            ? step
            : new VmStep.Wait(VmProgress.Waiting, "The maintenance is suspended: nothing new is begun for it.", null, null, null, state);

    /// <summary>The pause before the next attempt: doubles with each, five minutes at the most.</summary>
    public static TimeSpan Pause(VirtualMachinePolicy policy, int attempts)
    {
        if (attempts >= policy.MaxAttempts)
        {
            return LongestPause;
        }

        var pause = policy.RetryDelay * Math.Pow(2, Math.Clamp(attempts - 1, 0, 16));
        return pause < LongestPause ? pause : LongestPause;
    }

    /// <summary>Whether the eviction of its launcher shuts it down (facts 2.3.3).</summary>
    public static bool ShutsDown(ObservedInstance instance) => instance switch
    {
        { Strategy: Planning.VmForecasts.LiveMigrate or Planning.VmForecasts.External } => false,
        { Strategy: Planning.VmForecasts.LiveMigrateIfPossible } => !instance.IsLiveMigratable,
        _ => true,
    };

    /// <summary>Whether it is started again elsewhere after its instance ended.</summary>
    public static bool ComesBack(VmLadderState state) => state.RunStrategy is "Always" or "RerunOnFailure" || state.OtherOwner is not null;
}
