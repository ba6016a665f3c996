using Drydock.Kubernetes;
using Drydock.Maintenance.Drain;

namespace Drydock.Maintenance.VirtualMachines;

/// <content>How a move ends before its machine has left.</content>
internal sealed partial class MoveVmRun
{
    private static readonly TimeSpan StopMustFinishWithin = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan AbortMustFinishWithin = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan LongestWaitForLease = TimeSpan.FromMinutes(10);

    // After one look, and all its tries, that failed: as the drain does.
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromSeconds(30);

    // After that the node is put back, and KubeVirt asked again: it may answer only then.
    private static readonly TimeSpan WithdrawnWithin = TimeSpan.FromMinutes(2);

    private string? _leftBehind;

    private bool _isStillAsked;

    // Whether the drain's time is over is heard of the drain or seen by the clock, whichever comes first.
    private string StillHere => input.OnTimeout == DeadlinePolicy.Fail && _deadline.IsOver(context.Now()) && _state.Told is { } told
        ? AtDeadline(told.Message) : "The maintenance ended before it left.";

    private const string GoesDown = "It was stopped, and its guest was still shutting down when the maintenance ended.";

    /// <summary>Told to end: nothing new is begun, what is on its way is left to finish, what only waits is withdrawn.</summary>
    private async Task<MoveVmResult> EndAsync(VmObservation seen)
    {
        if (Ladder.IsStopped)
        {
            // A start would be refused while it is still going down.
            var until = context.Now() + StopMustFinishWithin;
            while (seen.Launcher is not null && context.Now() < until)
            {
                seen = await context.Do<VmObservation>(
                    Activities.AwaitVm, new AwaitVmInput(input.Node, input.Vm, seen.Fingerprint(), seen.Cursor, until));
            }
        }

        var (now, message) = await LeftAsync(seen);
        var done = Gone(now);
        await ReleaseAsync(done?.Outcome);
        return done is not null
            ? Finish(done.Outcome, done.Message, done.Node, isFailure: false)
            : StillThere(now, "", message, isFailure: false);
    }

    /// <summary>The cluster refused what no other try can mend, or was away for too long: the maintenance fails, and what was asked for is withdrawn.</summary>
    public Task<MoveVmResult> GiveUpAsync(string why) => GiveUpAsync(why, isFailure: true);

    /// <summary>The same where that fails nothing: it is told, and in a while all begins anew with what is known; unless it was told to end.</summary>
    public async Task<MoveVmResult> LookAgainAsync(string why)
    {
        BookUnanswered();
        var again = context.Now() + LookAgainAfter;
        Tell(
            VmProgress.Blocked, why, again, Answers.Unseen, null,
            "It goes on by itself when the API server answers again; look at the account's permissions if they are what is missing.");
        using var over = new CancellationTokenSource();
        var pause = context.CreateTimer(again, over.Token);
        if (!_end.IsCompleted && await Task.WhenAny(pause, _end) != pause)
        {
            over.Cancel();
        }

        await SteerAsync();
        return _end.IsCompleted ? await GiveUpAsync(why, isFailure: false) : Continue();
    }

    private async Task<MoveVmResult> GiveUpAsync(string why, bool isFailure)
    {
        var seen = await LookOnceAsync();
        if (input.EndsPromptly && seen is not null)
        {
            BookUnanswered();
            RecogniseUnanswered(seen);
        }

        var (now, message) = await LeftAsync(seen ?? _state.Seen ?? new VmObservation(context.Now()));
        return seen is not null && Gone(now) is { } done
            ? Finish(done.Outcome, $"{why} {done.Message}", done.Node, isFailure)
            : StillThere(now, why + " ", message, isFailure);
    }

    /// <summary>
    /// One that we stopped is told as stopped also while its guest still shuts down: it has a downtime, and is started again. One that is shut
    /// down or not Running elsewhere yet is not there any more, and nobody looks after it from now on.
    /// </summary>
    private MoveVmResult StillThere(VmObservation seen, string why, string message, bool isFailure)
    {
        if (!Ladder.IsStopped)
        {
            if (Ladder.IsShuttingDown || Ladder.GoneSince is not null)
            {
                var state = seen.Launcher is not null ? "its guest still shuts down" : seen.Unschedulable ?? seen.Machine?.Status ?? seen.Instance?.Phase ?? "KubeVirt has not made a new instance";
                return Finish(VmOutcome.NotRunningAgain, $"{why}It was shut down and was not Running elsewhere yet when the maintenance ended ({state.TrimEnd('.')}).", null, isFailure);
            }

            return Finish(VmOutcome.StillThere, why + message, null, isFailure);
        }

        Tell(VmProgress.Stopping, GoesDown, null);
        return Finish(VmOutcome.Stopped, why + GoesDown, null, isFailure, tell: false);
    }

    private VmStep.Done? Gone(VmObservation seen) =>
        VmLadder.Decide(seen, Ladder, input.Node, Policy, context.Now()) is VmStep.Done { Outcome: not VmOutcome.Skipped } done ? done : null;

    private async Task<(VmObservation Seen, string Message)> LeftAsync(VmObservation seen) =>
        Ladder.IsAskedFor || _isAsking ? await WithdrawOrTellAsync(seen, aborts: _end.IsCompleted && await _end == ChildEvents.Abort) : (seen, StillHere);

    /// <summary>How it stands now, with the patience of an undo; null if that cannot be told.</summary>
    private async Task<VmObservation?> LookOnceAsync()
    {
        try
        {
            return await context.Undo<VmObservation>(Activities.AwaitVm, new AwaitVmInput(input.Node, input.Vm, null, null, context.Now()));
        }
        catch (TaskFailedException)
        {
            return null;
        }
    }

    /// <summary>
    /// A machine that stays, by the policy or after its deadline, is left as it was: a mark that stayed on it would have KubeVirt, or whoever
    /// moves machines of strategy External, take it away some day when nobody expects it.
    /// </summary>
    /// <returns>What to add to its message: why the mark is still there, or nothing.</returns>
    private async Task<string> LetGoAsync(VmObservation seen, VmOutcome outcome)
    {
        await ReleaseAsync(outcome);
        if (outcome is not (VmOutcome.StillThere or VmOutcome.Skipped) || !Ladder.IsAskedFor)
        {
            return "";
        }

        try
        {
            // The maintenance of one that is skipped goes on, perhaps for days.
            var (_, _, withdrawn) = await WithdrawAsync(seen, aborts: false, mayBeLeft: outcome != VmOutcome.Skipped);
            return Told(withdrawn?.Verdict == Verdict.Done ? null : withdrawn?.Message);
        }
        catch (TaskFailedException failure)
        {
            return Told(failure.Sentence());
        }
    }

    private async Task<(VmObservation Seen, string Message)> WithdrawOrTellAsync(VmObservation seen, bool aborts)
    {
        try
        {
            var (now, message, withdrawn) = await WithdrawAsync(seen, aborts);
            return (now, message + Told(withdrawn?.Verdict == Verdict.Done ? null : withdrawn?.Message));
        }
        catch (TaskFailedException failure)
        {
            return (seen, StillHere + Told(failure.Sentence()));
        }
    }

    /// <summary>What to add where the wish to move it could not be withdrawn, for that reason; nothing if it was.</summary>
    private string Told(string? why)
    {
        if (why is null)
        {
            return "";
        }

        if (_isStillAsked)
        {
            return $" It is still marked for evacuation ({why.TrimEnd('.')}): it is told to stay once the node is put back.";
        }

        _leftBehind = Evacuations.StillMarked(input.Vm, why);
        return $" It is still marked for evacuation: {why}";
    }

    /// <summary>Withdraws something; while the lease is not ours it is tried again, as every undo is.</summary>
    private async Task<ActResult> UndoAsync(string activity, object what)
    {
        var giveUpAt = context.Now() + LongestWaitForLease;
        while (true)
        {
            var act = await context.Undo<ActResult>(activity, what);
            if (act.Verdict != Verdict.LeaseLost || context.Now() >= giveUpAt)
            {
                return act;
            }

            context.LookAtLease(input.Holder);
            await context.CreateTimer(context.Now() + LeaseRetry, CancellationToken.None);
        }
    }

    /// <summary>Withdraws its evacuation, unless nobody answers for that: then the restore does.</summary>
    private async Task<ActResult> TellToStayAsync()
    {
        var until = context.Now() + WithdrawnWithin;
        Tell(VmProgress.Blocked, "It is told to stay: its evacuation is withdrawn.", until);
        ActResult act;
        try
        {
            while (true)
            {
                act = await context.Do<ActResult>(Activities.CancelEvacuation, Vm, new TaskCompletionSource().Task, until);
                if (act.Verdict != Verdict.LeaseLost || context.Now() >= until)
                {
                    break;
                }

                context.LookAtLease(input.Holder);
                await context.CreateTimer(context.Now() + LeaseRetry, CancellationToken.None);
            }
        }
        catch (TaskFailedException)
        {
            _isStillAsked = true;
            throw;
        }

        _isStillAsked = act.Verdict == Verdict.LeaseLost;
        return act;
    }

    /// <summary>Withdraws what was asked for, and aborts a migration that runs if that is wanted. Somebody else's migration is left alone.</summary>
    private async Task<(VmObservation Seen, string Message, ActResult? Withdrawn)> WithdrawAsync(VmObservation seen, bool aborts, bool mayBeLeft = true)
    {
        var isEvacuating = seen.Instance?.EvacuationNode is not null;
        var withdrawn = !isEvacuating ? null : input.LeavesToRestore && mayBeLeft ? await TellToStayAsync() : await UndoAsync(Activities.CancelEvacuation, Vm);

        if ((withdrawn?.Made ?? seen.Migration) is not { IsFinished: false, IsBeingDeleted: false } migration
            || !((isEvacuating && !migration.IsOthers) || Ladder.PinnedTo is not null || migration.Uid == Ladder.WithdrawnMigration))
        {
            return (seen, StillHere, withdrawn);
        }

        if (!aborts && !migration.IsWaiting && !migration.IsScheduling)
        {
            return (seen, $"The maintenance ended before it left; its migration{(migration.TargetNode is { } to ? $" to {to}" : "")} is left to finish.", withdrawn);
        }

        var deleted = await UndoAsync(
            Activities.DeleteMigration,
            new MigrationInput(input.Node, input.Holder, new ObjectRef(input.Vm.Namespace, migration.Name), migration.Uid) { Vm = input.Vm });
        if (deleted.Verdict != Verdict.Done)
        {
            return (seen, $"{StillHere} Its migration {migration.Name} was not deleted: {deleted.Message}", withdrawn ?? deleted);
        }

        if (!aborts)
        {
            return (seen, StillHere, withdrawn);
        }

        // The last moment of a copy cannot be aborted: only its end tells where the machine is.
        var until = context.Now() + AbortMustFinishWithin;
        do
        {
            seen = await context.Do<VmObservation>(
                Activities.AwaitVm, new AwaitVmInput(input.Node, input.Vm, seen.Fingerprint(), seen.Cursor, until));
        }
        while (seen.Migration is { IsFinished: false } && context.Now() < until);
        return (seen, seen.Migration is { IsFinished: false }
            ? $"Its migration {migration.Name} was to be aborted and has not ended within {Spoken.Of(AbortMustFinishWithin)}: look at virt-handler on {input.Node}, since it may still leave."
            : "Its migration was aborted, as the cancel asked: it runs where it was.", withdrawn);
    }
}
