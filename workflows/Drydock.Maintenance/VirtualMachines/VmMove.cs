using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>The rungs of <see cref="VmLadder"/>: each answers, or gives null and the next is asked.</summary>
internal sealed class VmMove(VmObservation seen, VmLadderState state, string node, VirtualMachinePolicy policy, DateTimeOffset now)
{
    private readonly ObservedInstance? _instance = seen.Instance;

    private readonly ObservedMigration? _migration = seen.Migration;

    private bool IsOnNode => seen.Launcher is not null || (_instance is { IsFinal: false } && _instance.Node == node);

    private bool IsTheSame => _instance?.Uid == state.OriginalUid;

    /// <summary>It is not on the node any more.</summary>
    public VmStep? Gone()
    {
        if (IsOnNode)
        {
            return null;
        }

        if (_migration is { IsFinished: false } inbound && inbound.TargetNode == node)
        {
            return Wait(VmProgress.Waiting, "A migration brings it here; it can leave when that is over.", null);
        }

        if (_instance is { IsFinal: false } && IsTheSame)
        {
            return new VmStep.Done(VmOutcome.Migrated, $"It migrated to {_instance.Node} without a stop.", _instance.Node);
        }

        if (state.IsStopped)
        {
            return new VmStep.Done(VmOutcome.Stopped, "It was stopped; it is started again when the node is restored.");
        }

        return !state.IsShuttingDown && _instance is null
            ? new VmStep.Done(VmOutcome.AlreadyGone, "It was gone before anything was done.")
            : Restarted();
    }

    /// <summary>It is shutting down: because we stopped it, because the eviction was accepted, or by itself.</summary>
    public VmStep? GoingDown()
    {
        if (state.IsStopped)
        {
            return Wait(VmProgress.Stopping, "It is being stopped.", null);
        }

        return state.IsShuttingDown || seen.Launcher is { IsTerminating: true } || _instance is { IsFinal: true }
            ? Wait(VmProgress.Stopping, "It is shutting down.", null)
            : null;
    }

    /// <summary>A migration failed that was not counted yet.</summary>
    public VmStep? MigrationThatFailed()
    {
        // The API's times have no fractions of a second.
        if (state.AskedAt is null || _migration is not { Phase: "Failed" } failed || failed.Uid == state.CountedMigration
            || failed.Since < state.AskedAt - TimeSpan.FromSeconds(1))
        {
            return null;
        }

        // KubeVirt tries again by itself, for ever: after the last attempt the request is withdrawn.
        return state.Attempts + 1 < policy.MaxAttempts
            ? new VmStep.Count(failed.Uid, failed.FailureReason)
            : new VmStep.Abort(null, failed.Uid, $"{state.Attempts + 1} migrations did not succeed (the last: {failed.FailureReason ?? "no reason given"}).");
    }

    /// <summary>Its migrations did not succeed as often as the policy allows, and the policy does not wait.</summary>
    public VmStep? GivingUp() =>
        state.Attempts >= policy.MaxAttempts && state.AskedAt is null && _instance is { IsFinal: false }
            && (policy.OnStuck == StuckVmPolicy.Fail || (policy.OnStuck == StuckVmPolicy.ShutDown && state.RunStrategy is not null))
            ? ByPolicy(policy.OnStuck, $"{state.Attempts} migrations did not succeed.", "migration-stuck", null, "")
            : null;

    /// <summary>A migration waits, is scheduled or runs.</summary>
    public VmStep? MigrationUnderWay()
    {
        if (_migration is null or { IsFinished: true })
        {
            return null;
        }

        if (_migration.IsBeingDeleted)
        {
            return Wait(VmProgress.Migrating, "Its migration is being aborted.", null);
        }

        if (_migration.IsWaiting)
        {
            return Pending(_migration);
        }

        var (limit, what) = _migration.IsScheduling
            ? (policy.SchedulingTimeout, "no node was found for its target pod")
            : (policy.RunningTimeout, "it does not finish");
        var clock = Clock($"{_migration.Uid}/{(_migration.IsScheduling ? "scheduling" : "running")}", _migration.Since);
        var deadline = clock.ClockSince!.Value + limit;
        if (now >= deadline)
        {
            return new VmStep.Abort(_migration.Name, _migration.Uid, $"Its migration is in {_migration.Phase} for {limit}: {what}.");
        }

        return _migration.IsScheduling
            ? Wait(
                VmProgress.Migrating, "Its migration waits for a node that can take it.", deadline, clock, "migration-scheduling",
                "Look at the events of its virt-launcher target pod; free capacity or uncordon a node.")
            : Wait(VmProgress.Migrating, $"Its migration is in {_migration.Phase}.", deadline, clock);
    }

    /// <summary>KubeVirt cannot migrate it and will not let it go.</summary>
    public VmStep? NotMigratable()
    {
        if (_instance is not { IsLiveMigratable: false, Strategy: VmForecasts.LiveMigrate })
        {
            return null;
        }

        var why = $"It cannot migrate ({_instance.WhyNot}).";
        return ByPolicy(policy.OnNotMigratable, why, "vm-not-migratable", null, Drain.Answers.NextStep(Drain.Answers.VmNotMigratable, null));
    }

    /// <summary>Its migrations did not succeed as often as the policy allows: from now on at long intervals.</summary>
    public VmStep? TriedTooOften() =>
        state.Attempts >= policy.MaxAttempts && state.RetryAt > now
            ? ByPolicy(
                StuckVmPolicy.Wait, $"{state.Attempts} migrations did not succeed; the next is tried at {state.RetryAt:HH:mm:ss}.", "migration-stuck",
                state.RetryAt, "Free capacity on a node that can take it, migrate or stop it by hand, or let the policy shut it down.")
            : null;

    /// <summary>Between two attempts.</summary>
    public VmStep? Pausing() =>
        state.RetryAt > now
            ? Wait(
                VmProgress.Blocked, $"Attempt {state.Attempts} did not succeed; the next is at {state.RetryAt:HH:mm:ss}.", state.RetryAt, null,
                "migration-retry", state.LastAnswer ?? "It is tried again by itself.")
            : null;

    /// <summary>Marked, and somebody else must move it.</summary>
    public VmStep? ExternalActor() =>
        _instance is { Strategy: VmForecasts.External, EvacuationNode: not null }
            ? Wait(
                VmProgress.Blocked, "Its eviction strategy is External: whoever moves it was told.", null, null, "vm-external",
                "Move it by whoever moves it.")
            : null;

    /// <summary>Asked for, and no migration yet.</summary>
    public VmStep? AlreadyAsked()
    {
        if (state.AskedAt is null)
        {
            return null;
        }

        if (_instance?.EvacuationNode is not null)
        {
            // Before KubeVirt 1.9 the migration object is made only when a slot is free.
            return Pending(null);
        }

        var again = state.AskedAt.Value + VmLadder.AskAgainAfter;
        return now < again
            ? Wait(
                VmProgress.Blocked, state.LastAnswer ?? "Its eviction was asked for.", again, null, "vm-held",
                "It is asked for again every ten seconds.")
            : null;
    }

    /// <summary>What the eviction is for.</summary>
    public string WhyEvict() => _instance switch
    {
        { IsLiveMigratable: true, Strategy: VmForecasts.LiveMigrate or VmForecasts.LiveMigrateIfPossible } => "so that KubeVirt migrates it",
        { Strategy: VmForecasts.External } => "so that it is marked for whoever moves it",
        _ => "so that KubeVirt shuts it down",
    };

    private VmStep Restarted()
    {
        if (!VmLadder.ComesBack(state))
        {
            return new VmStep.Done(
                VmOutcome.StaysDown, state.RunStrategy is null ? "It is down; nothing starts it again." : $"It is down, as run strategy {state.RunStrategy} says.");
        }

        if (_instance is { Phase: "Running" } && !IsTheSame)
        {
            return new VmStep.Done(VmOutcome.RestartedElsewhere, $"It was shut down and runs on {_instance.Node} now.", _instance.Node);
        }

        if (state.RunStrategy == "RerunOnFailure" && _instance is null or { Phase: "Succeeded" } && seen.Machine?.Status == "Stopped")
        {
            return new VmStep.Done(VmOutcome.StaysDown, "Its guest shut down cleanly: RerunOnFailure does not start it again.");
        }

        return NotYetRunning();
    }

    private VmStep NotYetRunning()
    {
        var since = state.GoneSince ?? now;
        var deadline = since + policy.RestartTimeout;
        var why = seen.Unschedulable ?? seen.Machine?.Status ?? _instance?.Phase ?? "KubeVirt has not made a new instance";
        if (now < deadline)
        {
            return Wait(
                VmProgress.Starting, $"It was shut down and is not Running elsewhere yet ({why}).", deadline, state with { GoneSince = since },
                "vm-pending-after-restart", "Look at the events of its virt-launcher pod; free capacity or uncordon a node.");
        }

        var message = $"It was shut down and is not Running after {policy.RestartTimeout} ({why}).";
        return policy.OnRestartTimeout == StuckVmPolicy.Fail
            ? new VmStep.Failed(VmOutcome.NotRunningAgain, message)
            : new VmStep.Done(VmOutcome.NotRunningAgain, message);
    }

    // The clock of Pending runs only while a slot is free: a machine behind others would lose its place if it were cancelled.
    private VmStep Pending(ObservedMigration? migration)
    {
        if (!seen.HasFreeSlot)
        {
            return Wait(
                VmProgress.Queued, $"Queued behind {string.Join(", ", seen.Ahead)}.", null, state with { ClockFor = null, ClockSince = null });
        }

        var clock = Clock($"{migration?.Uid}/pending", now);
        var deadline = clock.ClockSince!.Value + policy.PendingTimeout;
        return now >= deadline
            ? new VmStep.Abort(migration?.Name, migration?.Uid, $"Its migration is Pending for {policy.PendingTimeout} although a slot is free.")
            : Wait(
                migration is null ? VmProgress.Requested : VmProgress.Migrating, "Pending without a reason: see virt-controller's log.", deadline,
                clock, null, null);
    }

    private VmStep ByPolicy(StuckVmPolicy what, string why, string kind, DateTimeOffset? again, string nextStep) => what switch
    {
        StuckVmPolicy.ShutDown when state.RunStrategy is not null => new VmStep.Stop(why),
        StuckVmPolicy.Fail => new VmStep.Failed(VmOutcome.StillThere, why),
        StuckVmPolicy.ShutDown => Wait(
            VmProgress.Blocked, $"{why} It has no VirtualMachine: stopping it would delete it.", again, null, kind, "Delete it by hand, or force the drain."),
        _ => Wait(VmProgress.Blocked, why, again, null, kind, nextStep),
    };

    private VmLadderState Clock(string key, DateTimeOffset since) =>
        state.ClockFor == key ? state : state with { ClockFor = key, ClockSince = since };

    private VmStep.Wait Wait(
        VmProgress progress, string message, DateTimeOffset? until, VmLadderState? with = null, string? blocker = null, string? nextStep = null) =>
        new(progress, message, until, blocker, nextStep, with ?? state);
}
