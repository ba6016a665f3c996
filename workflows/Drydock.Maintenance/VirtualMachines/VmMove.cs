using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>The rungs of <see cref="VmLadder"/>: each answers, or gives null and the next is asked.</summary>
internal sealed partial class VmMove(VmObservation seen, VmLadderState state, string node, VirtualMachinePolicy policy, DateTimeOffset now)
{
    private readonly ObservedInstance? _instance = seen.Instance;

    private readonly ObservedMigration? _migration = seen.Migration;

    private bool IsOnNode => seen.Launcher is not null || (_instance is { IsFinal: false } && _instance.Node == node);

    // Whoever moves it does so in his own time, and to a node of his choice.
    private bool IsExternal => _instance is { Strategy: VmForecasts.External };

    private bool IsTheSame => _instance?.Uid == state.OriginalUid;

    /// <summary>It is not on the node any more.</summary>
    public VmStep? Gone()
    {
        if (IsOnNode)
        {
            return null;
        }

        if (Inbound() is { } inbound)
        {
            return inbound;
        }

        if (_instance is { IsFinal: false, Node: not null } && IsTheSame && !state.IsStopped)
        {
            if (state is { WasElsewhere: true, Asked: 0, AskedAt: null })
            {
                return new VmStep.Done(VmOutcome.AlreadyGone, $"It runs on {_instance.Node}; it was not on the node when its turn came.", _instance.Node);
            }

            return new VmStep.Done(VmOutcome.Migrated, $"It migrated to {_instance.Node} without a stop.", _instance.Node);
        }

        if (state.IsStopped)
        {
            return new VmStep.Done(VmOutcome.Stopped, "It was stopped; it is started again when the node is restored.");
        }

        return !state.IsShuttingDown && _instance is null && !IsMissed
            ? new VmStep.Done(VmOutcome.AlreadyGone, "It was gone before anything was done.")
            : Restarted();
    }

    // It was here, and comes back elsewhere, whoever ended it: between two instances of a machine there is none for a moment.
    private bool IsMissed => (seen.LeavesForeign && state.WasEnded) || state.GoneSince is not null
        || (seen.LeavesForeign && state.OriginalUid is not null && seen.Machine is not null && VmLadder.ComesBack(state));

    private VmStep.Wait? Inbound() => _migration is { IsFinished: false } inbound && inbound.TargetNode == node
        ? Wait(VmProgress.Waiting, "A migration brings it here; it can leave when that is over.", null)
        : null;

    /// <summary>
    /// It runs on another node, and a launcher pod of it is here: of where it was, or of a migration that brings it. The machine itself is
    /// left alone.
    /// </summary>
    public VmStep? RunsElsewhere()
    {
        if (!seen.RunsElsewhere(node) || seen.Launcher is not { Stuck: null } launcher)
        {
            return null;
        }

        if (Inbound() is { } inbound)
        {
            return inbound;
        }

        var clock = Clock($"{launcher.Uid}/left", now);
        var late = clock.ClockSince!.Value + VmLadder.LauncherMustEndWithin;
        var message = $"It runs on {_instance!.Node}, and its launcher pod here has not ended.";
        return now < late
            ? Wait(VmProgress.Migrating, message, late, clock)
            : Wait(
                VmProgress.Blocked, message, null, clock, Drain.Answers.StuckTerminating,
                $"Look at the kubelet of node {node}; if the pod does not end by itself: kubectl delete pod -n {launcher.Pod.Namespace} {launcher.Pod.Name}") with { LookAt = $"pod/{launcher.Pod}" };
    }

    /// <summary>It is shutting down: because we stopped it, because the eviction was accepted, or by itself.</summary>
    public VmStep? GoingDown()
    {
        if (state.IsStopped)
        {
            return Stopping();
        }

        if (seen.Launcher is { Stuck: { } why })
        {
            return Wait(
                VmProgress.Blocked, $"Its launcher pod does not end. {why}", null, null, Drain.Answers.StuckTerminating,
                Drain.Answers.NextStep(Drain.Answers.StuckTerminating, null));
        }

        return seen.IsGoingDown(state)
            ? Wait(
                VmProgress.Stopping, "It is shutting down.", seen.Launcher?.LateAt is { } late && late > now ? late : null,
                state with
                {
                    WasEnded = state.WasEnded || !state.IsShuttingDown,
                    IsUnwanted = state.IsUnwanted || seen.Machine is { IsStopAsked: true },
                })
            : null;
    }

    /// <summary>It is still starting here: KubeVirt says only when it runs whether it can migrate.</summary>
    public VmStep? Starting()
    {
        if (_instance is not { IsStarting: true, Strategy: VmForecasts.LiveMigrate })
        {
            return null;
        }

        var clock = Clock($"{_instance.Uid}/starting", now);
        var deadline = clock.ClockSince!.Value + policy.RestartTimeout;
        return now < deadline
            ? Wait(VmProgress.Waiting, $"It is still starting ({_instance.Phase}): whether it can migrate is known when it runs.", deadline, clock)
            : null;
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

    /// <summary>Its eviction would shut it down, and nothing would ever start it again: like stopping it, that needs force.</summary>
    public VmStep? EndsForGood()
    {
        if (seen.Machine is not null || state.OtherOwner is not null || state.RunStrategy is not null
            || _instance is not { IsFinal: false } || !VmLadder.ShutsDown(_instance))
        {
            return null;
        }

        var why = $"Its eviction strategy {_instance.Strategy} would shut it down.";
        var effect = ShutDownEffect.Of(seen.Machine, state.OtherOwner);
        return ByPolicy(
            policy.OnNotMigratable, policy.OnNotMigratable == StuckVmPolicy.Wait ? $"{why} {effect.WhyNot}" : why, "vm-without-machine", null, effect.NextStep!);
    }

    /// <summary>Marked, and somebody else must move it; not for ever.</summary>
    public VmStep? ExternalActor()
    {
        if (_instance is not { Strategy: VmForecasts.External, EvacuationNode: not null })
        {
            return null;
        }

        var clock = Clock(ExternalClock, now);
        if (clock.ClockStoodSince is { } stood)
        {
            // One of his migrations ended without it: what it took is not his to answer for.
            clock = clock with { ClockSince = clock.ClockSince + (now - stood), ClockStoodSince = null };
        }

        var deadline = clock.ClockSince!.Value + policy.ExternalTimeout;
        const string Next = "Look at whoever moves machines with eviction strategy External, or move it by hand.";
        return now >= deadline
            ? ByPolicy(policy.OnStuck, $"Its eviction strategy is External, and nobody moved it within {Spoken.Of(policy.ExternalTimeout)}.", "vm-external", null, Next, clock)
            : Wait(VmProgress.Blocked, "Its eviction strategy is External: it is marked, and whoever moves it must do so.", deadline, clock, "vm-external", Next);
    }

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
                VmProgress.Blocked, state.LastAnswer ?? "Its eviction was asked for, and KubeVirt has not marked it for a migration.", again, null, "vm-held",
                "It is asked for again every ten seconds; if that does not help, look at its events and at the log of virt-controller.") with { NextTry = again }
            : null;
    }

    /// <summary>Refused: asked for again in a while, or when the budget that held it lets it go. A time that the server named nothing shortens.</summary>
    public VmStep? Refused()
    {
        if (state.Refusal is not { } refusal || now >= refusal.Until || (!refusal.MustWait && IsFreedSince(refusal)))
        {
            return null;
        }

        var isInTheWay = Drain.Answers.IsBlocker(refusal.Kind);
        return Wait(
            isInTheWay ? VmProgress.Blocked : VmProgress.Waiting, refusal.Message ?? refusal.Kind, refusal.Until, null,
            isInTheWay ? refusal.Kind : null, Drain.Answers.NextStep(refusal.Kind, refusal.Object)) with { LookAt = refusal.Object, NextTry = refusal.Until };
    }

    // What the watch knew of the budget when it refused says nothing: the refusal is newer.
    private bool IsFreedSince(VmRefusal refusal) =>
        Drain.Answers.IsOfBudget(refusal.Kind) && seen.Launcher?.Budget is { IsFree: true } budget && budget.Version != refusal.BudgetVersion;

    /// <summary>Its eviction shuts it down, and it cannot be marked so that it is started again.</summary>
    public VmStep? HeldByOther() => seen.Machine is { Held: { } held } && _instance is { NeedsStart: true } && VmLadder.ShutsDown(_instance)
        ? Wait(VmProgress.Blocked, $"Its eviction would shut it down. {held.Sentence}", null, null, VmHold.Kind, held.NextStep)
        : null;

    /// <summary>Our own limit for the nodes it could go to.</summary>
    public VmStep? InboundLimit() =>
        seen.InboundHold is { } hold && !IsExternal && _instance is { IsLiveMigratable: true } ? Wait(VmProgress.Queued, hold, null) : null;

    /// <summary>A target failed: KubeVirt is asked for another one, where it can be.</summary>
    public VmStep? Elsewhere() =>
        seen.Machine is not null && !IsExternal && _instance is { EvacuationNode: null, Phase: "Running", IsLiveMigratable: true }
            && state.FailedTargets.Count > 0 && seen.Targets.FirstOrDefault(target => !state.FailedTargets.Contains(target.Node)) is { } other
            ? new VmStep.MigrateTo(other, $"to {other.Node}, since it did not reach {string.Join(", ", state.FailedTargets)}")
            : null;

    /// <summary>What the eviction is for.</summary>
    public string WhyEvict() => _instance switch
    {
        { IsLiveMigratable: true, Strategy: VmForecasts.LiveMigrate or VmForecasts.LiveMigrateIfPossible } => "so that KubeVirt migrates it",
        { Strategy: VmForecasts.External } => "so that it is marked for whoever moves it",
        _ => "so that KubeVirt shuts it down",
    };

    // The grace period first, then without one; then only a person can help.
    private VmStep Stopping() => state switch
    {
        { StopDeadline: { } deadline } when now < deadline => Wait(VmProgress.Stopping, "It is being stopped; what remains of it then is stopped by force.", deadline),
        { StopDeadline: not null, IsForced: false } => new VmStep.ForceStop($"Its guest had not shut down by {state.StopDeadline:u}."),
        { StopDeadline: null } => Wait(VmProgress.Stopping, "It is being stopped.", null),
        _ => Wait(
            VmProgress.Blocked, $"It does not stop, not even by force.{(seen.Launcher?.Stuck is { } why ? " " + why : "")}", null, null, "vm-does-not-stop",
            $"Look at its virt-launcher pod and at virt-handler on node {node}."),
    };

    private VmStep Restarted()
    {
        if ((seen.LeavesForeign || state.NeedsStart) && state.RunStrategy is not null && _instance is null or { IsFinal: true } && WhyLeftDown() is { } theirs)
        {
            return new VmStep.Done(VmOutcome.StaysDown, theirs);
        }

        if (!VmLadder.ComesBack(state))
        {
            return new VmStep.Done(
                VmOutcome.StaysDown, state.RunStrategy is null ? "It is down; nothing starts it again." : $"It is down, as run strategy {state.RunStrategy} says.");
        }

        if (state.OtherOwner is { } owner)
        {
            // What was stored before this was followed ends as it did.
            return state.OtherOwnerName is null || state.NewestSibling is null
                ? new VmStep.Done(VmOutcome.RestartedElsewhere, $"It was shut down; its {owner} makes another.")
                : seen.OwnerHasEnoughAt is { } wanted
                ? new VmStep.Done(VmOutcome.StaysDown, $"It was shut down; its {owner} {state.OtherOwnerName} wants no more than {wanted} by now: none is made in its place.")
                : seen.Successor is { Phase: "Running" } next
                    ? new VmStep.Done(VmOutcome.RestartedElsewhere, $"It was shut down; its {owner} {state.OtherOwnerName} made {next.Name}, which runs on {next.Node}.", next.Node)
                    : NotYetRunning(seen.Unschedulable ?? (seen.Successor is { } made ? $"{made.Name} is {made.Phase}" : $"its {owner} {state.OtherOwnerName} has not made another"));
        }

        if (_instance is { Phase: "Running" } && !IsTheSame)
        {
            return new VmStep.Done(VmOutcome.RestartedElsewhere, $"It was shut down and runs on {_instance.Node} now.", _instance.Node);
        }

        if (state is { NeedsStart: true, IsShuttingDown: true })
        {
            return StartedAgain();
        }

        if (state.RunStrategy == "RerunOnFailure" && _instance is null or { Phase: "Succeeded" } && seen.Machine?.Status == "Stopped")
        {
            return new VmStep.Done(VmOutcome.StaysDown, "Its guest shut down cleanly: RerunOnFailure does not start it again.");
        }

        return NotYetRunning(seen.Unschedulable ?? seen.Machine?.Status ?? _instance?.Phase ?? "KubeVirt has not made a new instance");
    }

    // Whoever deleted or changed it meanwhile wants something else than was forecast.
    private string? WhyLeftDown() => seen.Machine switch
    {
        null => "It was shut down, and its VirtualMachine was deleted meanwhile.",
        { IsStopAsked: var isAsked } when isAsked || state.IsUnwanted => "It was shut down, and somebody stopped it meanwhile: it is left as it is.",
        { RunStrategy: not ("RerunOnFailure" or "Always") } changed when changed.RunStrategy != state.RunStrategy =>
            $"It was shut down, and somebody gave it run strategy {changed.RunStrategy} meanwhile: it is left as it is.",
        _ => null,
    };

    // KubeVirt starts it by itself where its guest crashed instead.
    private VmStep StartedAgain() => seen.Machine switch
    {
        { RunStrategy: "RerunOnFailure", Status: "Stopped" } when _instance is null && !state.IsStarted && !(now >= state.GoneSince + policy.RestartTimeout) =>
            new VmStep.Start("Its eviction shut it down, and run strategy RerunOnFailure leaves it so: it is started again."),
        var machine => NotYetRunning(
            (machine?.Status == "Stopped" && !state.IsStarted ? state.LastAnswer : null) ?? seen.Unschedulable ?? machine?.Status ?? _instance?.Phase ?? "KubeVirt has not made a new instance"),
    };

    private VmStep NotYetRunning(string why)
    {
        var since = state.GoneSince ?? now;
        var deadline = since + policy.RestartTimeout;
        if (now < deadline)
        {
            return Wait(
                VmProgress.Starting, $"It was shut down and is not Running elsewhere yet ({why}).", deadline, state with { GoneSince = since },
                "vm-pending-after-restart", "Look at the events of its virt-launcher pod; free capacity or uncordon a node.");
        }

        var message = $"It was shut down and is not Running after {Spoken.Of(policy.RestartTimeout)} ({why}).";
        return policy.OnRestartTimeout == StuckVmPolicy.Fail
            ? new VmStep.Failed(VmOutcome.NotRunningAgain, message)
            : new VmStep.Done(VmOutcome.NotRunningAgain, message);
    }

    private VmStep ByPolicy(StuckVmPolicy what, string why, string kind, DateTimeOffset? again, string nextStep, VmLadderState? with = null) => what switch
    {
        StuckVmPolicy.ShutDown => ShutDown(why, kind, again, with),
        StuckVmPolicy.Skip => new VmStep.Done(VmOutcome.Skipped, $"{why} It was left on the node, as the policy says.", node),
        StuckVmPolicy.Fail => new VmStep.Failed(VmOutcome.StillThere, why),
        _ => Wait(VmProgress.Blocked, why, again, with, kind, nextStep) with { NextTry = again },
    };

    private VmStep ShutDown(string why, string kind, DateTimeOffset? again, VmLadderState? with) => ShutDownEffect.Of(seen.Machine, state.OtherOwner) switch
    {
        { Kind: ShutDownKind.Stopped } => new VmStep.Stop(why),
        { Kind: ShutDownKind.Replaced } => new VmStep.DeleteInstance($"{why} It is deleted; its {state.OtherOwner} makes another."),
        var refused => Wait(VmProgress.Blocked, $"{why} {refused.WhyNot}", again, with, refused.Blocker ?? kind, refused.NextStep) with { NextTry = again },
    };

    private VmLadderState Clock(string key, DateTimeOffset since) =>
        state.ClockFor == key ? state : state with { ClockFor = key, ClockSince = since, ClockStoodSince = null };

    private VmStep.Wait Wait(
        VmProgress progress, string message, DateTimeOffset? until, VmLadderState? with = null, string? blocker = null, string? nextStep = null) =>
        new(progress, message, until, blocker, nextStep, with ?? state);
}
