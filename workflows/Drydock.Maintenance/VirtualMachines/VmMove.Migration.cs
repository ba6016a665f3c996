namespace Drydock.Maintenance.VirtualMachines;

/// <summary>The rungs that are about a migration.</summary>
internal sealed partial class VmMove
{
    // A target pod that is scheduled at once is none to look at, and KubeVirt's Event comes after the migration it is about.
    private static readonly TimeSpan LookAgainForReason = TimeSpan.FromSeconds(5);

    /// <summary>Its migration was told to end; KubeVirt itself would wait for that for ever.</summary>
    public VmStep? Aborting()
    {
        if (_migration is not { IsFinished: false, IsBeingDeleted: true } || IsExternal)
        {
            return null;
        }

        var clock = Clock($"{_migration.Uid}/aborting", now);
        var deadline = clock.ClockSince!.Value + VmLadder.AbortMustFinishWithin;
        return now < deadline
            ? Wait(VmProgress.Migrating, "Its migration is being aborted.", deadline, clock)
            : ByPolicy(
                policy.OnStuck, $"The abort of its migration hangs in {_migration.Phase}.", "migration-abort-hangs", null,
                $"Look at virt-handler on {node}{(_migration.TargetNode is { } target ? $" and {target}" : "")}: KubeVirt has no time-out for this.", clock);
    }

    /// <summary>A migration failed that was not counted yet.</summary>
    public VmStep? MigrationThatFailed()
    {
        // KubeVirt makes the next one at once: the one that failed may be behind it already. The API's times have no fractions of a second.
        if (state.AskedAt is null || IsExternal || (seen.LastFailure ?? _migration) is not { Phase: "Failed", IsBeingDeleted: false } failed || failed.Uid == state.CountedMigration
            || failed.Since < state.AskedAt - TimeSpan.FromSeconds(1))
        {
            return null;
        }

        // As long as the mark is there KubeVirt tries again by itself, for ever: after the last attempt the request is withdrawn.
        var attempts = state.Attempts + 1;
        var next = _migration is { IsFinished: false } ? _migration : null;
        if (next is { IsWaiting: false } || (attempts < policy.MaxAttempts && _instance?.EvacuationNode is not null))
        {
            return new VmStep.Count(failed.Uid, failed.FailureReason);
        }

        var reason = failed.FailureReason ?? "no reason given";
        return new VmStep.Abort(
            next?.Name, next?.Uid, attempts == 1 ? $"Its migration failed ({reason})." : $"{attempts} migrations did not succeed (the last: {reason}).",
            failed.TargetNode, failed.Uid);
    }

    /// <summary>Its migrations did not succeed as often as the policy allows, and the policy does not wait.</summary>
    public VmStep? GivingUp()
    {
        var isOver = state.Attempts >= policy.MaxAttempts && state.AskedAt is null && _instance is { IsFinal: false };
        var canActNow = policy.OnStuck is StuckVmPolicy.Fail or StuckVmPolicy.Skip
            || (policy.OnStuck == StuckVmPolicy.ShutDown && (state.RunStrategy is not null || state.OtherOwner is not null));
        return isOver && canActNow ? ByPolicy(policy.OnStuck, Tried(), "migration-stuck", null, "") : null;
    }

    /// <summary>A migration waits, is scheduled or runs.</summary>
    public VmStep? MigrationUnderWay() => _migration switch
    {
        null or { IsFinished: true } => null,
        _ when IsExternal => OfExternalActor(_migration),
        { IsWaiting: true } => Pending(_migration),
        { IsScheduling: true } => Scheduling(_migration),
        _ => Running(_migration),
    };

    private string ExternalClock => $"{_instance?.Uid}/external";

    // Not ours to end, however long it takes: the time of whoever moves it stands still, and goes on after one that failed.
    private VmStep OfExternalActor(ObservedMigration migration)
    {
        var clock = Clock(ExternalClock, now);
        var stopped = seen.LeavesForeign ? clock with { ClockStoodSince = clock.ClockStoodSince ?? now } : state with { ClockFor = null, ClockSince = null };
        var message = $"Whoever moves it has begun: its migration{(migration.TargetNode is { } to ? $" to {to}" : "")} is {(migration.IsWaiting ? "Pending" : $"in {migration.Phase}")}.";
        var patience = migration.IsWaiting ? policy.PendingTimeout : migration.IsScheduling ? policy.SchedulingTimeout : policy.RunningTimeout;
        return now < migration.Since + patience
            ? Wait(VmProgress.Migrating, message, migration.Since + patience, stopped)
            : Wait(
                VmProgress.Blocked, $"{message} It takes longer than {Spoken.Of(patience)}, and is not ours to end.", null, stopped, "migration-of-others",
                $"See it through, or end it by hand: kubectl delete virtualmachineinstancemigration{(seen.Launcher is { } launcher ? $" -n {launcher.Pod.Namespace}" : "")} {migration.Name}");
    }

    /// <summary>Its migrations did not succeed as often as the policy allows: from now on at long intervals.</summary>
    public VmStep? TriedTooOften() =>
        state.Attempts >= policy.MaxAttempts && state.RetryAt > now
            ? ByPolicy(
                StuckVmPolicy.Wait, $"{Tried()} The next is tried at {state.RetryAt:HH:mm:ss}.", "migration-stuck",
                state.RetryAt, "Free capacity on a node that can take it, migrate or stop it by hand, or let the policy shut it down.")
            : null;

    /// <summary>Between two attempts.</summary>
    public VmStep? Pausing() =>
        state.RetryAt > now
            ? Wait(
                VmProgress.Blocked,
                $"Migration {state.Attempts} of {policy.MaxAttempts} did not succeed{Last}; the next is tried at {state.RetryAt:HH:mm:ss}.", state.RetryAt, null,
                "migration-retry", "It is tried again by itself; see to what was in the way of the last one, or migrate it by hand.") with { NextTry = state.RetryAt }
            : null;

    private string NoCancel => !state.CannotWithdraw ? ""
        : " " + (state.WhyNotWithdrawn ?? "This KubeVirt has no evacuate/cancel (before 1.7): it goes on making migrations by itself.");

    private VmStep Scheduling(ObservedMigration migration)
    {
        var clock = Clock($"{migration.Uid}/scheduling", migration.Since);
        var deadline = clock.ClockSince!.Value + policy.SchedulingTimeout;
        if (now >= deadline)
        {
            return new VmStep.Abort(
                migration.Name, migration.Uid,
                $"Its migration is in Scheduling for {Spoken.Of(policy.SchedulingTimeout)}: {seen.Unschedulable ?? "its target pod does not start"}.",
                migration.TargetNode);
        }

        if (seen.Unschedulable is { } sentence)
        {
            return Wait(
                VmProgress.Migrating, $"Its migration waits for a node that can take it: {sentence}{NoCancel}", deadline, clock, "migration-scheduling",
                "Free capacity or uncordon a node that can take it; KubeVirt goes on by itself when there is one.");
        }

        var look = clock.ClockSince!.Value + LookAgainForReason;
        return Wait(VmProgress.Migrating, "The target pod of its migration is starting.", look > now && look < deadline ? look : deadline, clock) with { Deadline = deadline };
    }

    private VmStep Running(ObservedMigration migration)
    {
        var clock = Clock($"{migration.Uid}/running", migration.Since);
        var deadline = clock.ClockSince!.Value + policy.RunningTimeout;
        return now >= deadline
            ? new VmStep.Abort(
                migration.Name, migration.Uid, $"Its migration is in {migration.Phase} for {Spoken.Of(policy.RunningTimeout)}: it does not finish.", migration.TargetNode)
            : Wait(
                VmProgress.Migrating, $"Its migration{(migration.TargetNode is { } to ? $" to {to}" : "")} is in {migration.Phase}.", deadline, clock);
    }

    // The clock of Pending runs only while a slot is free: a machine behind others would lose its place if it were cancelled.
    private VmStep Pending(ObservedMigration? migration)
    {
        if (!seen.HasFreeSlot)
        {
            var stuck = seen.AheadIsStuck is { } holder ? " " + holder : "";
            return Wait(
                VmProgress.Queued, $"Queued behind {string.Join(", ", seen.Ahead)}.{stuck}", null, state with { ClockFor = null, ClockSince = null });
        }

        var clock = Clock($"{migration?.Uid}/pending", now);
        var deadline = clock.ClockSince!.Value + policy.PendingTimeout;
        if (now >= deadline)
        {
            var what = migration is null ? "KubeVirt has made no migration of it for" : "Its migration is Pending for";
            return new VmStep.Abort(
                migration?.Name, migration?.Uid, $"{what} {Spoken.Of(policy.PendingTimeout)} although a slot is free: {seen.PendingReason ?? "no reason is given"}.");
        }

        var progress = migration is null ? VmProgress.Requested : VmProgress.Migrating;
        if (seen.PendingReason is { } reason)
        {
            return Wait(progress, migration is null ? $"It is marked, and KubeVirt has made no migration yet: {reason}" : $"Its migration is Pending: {reason}", deadline, clock);
        }

        var look = clock.ClockSince!.Value + LookAgainForReason;
        var silence = migration is null ? "It is marked, and KubeVirt has made no migration yet: see virt-controller's log." : "Pending without a reason: see virt-controller's log.";
        return Wait(progress, silence, look > now && look < deadline ? look : deadline, clock) with { Deadline = deadline };
    }

    private string Tried() => $"{Spoken.Count(state.Attempts, "migration", "migrations")} did not succeed{Last}.{NoCancel}";

    private string Last => state.LastAnswer is { } last ? $" ({(state.Attempts == 1 ? "" : "the last: ")}{last.TrimEnd('.')})" : "";
}
