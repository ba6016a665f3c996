namespace Drydock.Maintenance.VirtualMachines;

/// <content>How a machine is stopped, or its instance deleted.</content>
internal sealed partial class MoveVmRun
{
    // A grace period that somebody asked for is waited for.
    private TimeSpan StopPatience => Policy.StopGracePeriod > Policy.StopTimeout ? Policy.StopGracePeriod.Value + LeaseRetry : Policy.StopTimeout;

    private async Task StopAsync(string why, VmObservation seen)
    {
        Tell(VmProgress.Stopping, $"{why} It is stopped now and started again after the maintenance.", null);
        if (seen.Instance?.EvacuationNode is not null && !await WithdrawMarkAsync(seen))
        {
            return;
        }

        var marked = await AskAsync<VmMarked>(Activities.MarkVm, Vm);
        if (marked is null || !IsDone(marked.Act))
        {
            return;
        }

        var ledger = marked.Prior is { } prior ? LedgerJson.Write(prior) : null;
        if (HasNews)
        {
            // Nor marked, if it is never stopped. In what was stored before, the news came first.
            _state = input.LeavesToRestore ? _state with { StoppedLedger = ledger } : _state;
            return;
        }

        if (input.EndsPromptly)
        {
            // What ends the move before the answer is known must not leave it down, nor marked.
            _state = _state with { StoppedLedger = ledger };
        }

        var (asked, wasAsked) = (context.Now(), Ladder.MayBeStopped);
        Ladder = Ladder with { MayBeStopped = input.EndsPromptly };
        var stopped = await AskAsync<ActResult>(
            Activities.StopVm, new StopVmInput(input.Node, input.Holder, input.Vm, Policy.StopGracePeriod));
        if (stopped is null)
        {
            return;
        }

        // Whatever else came back, it was not carried out; or not sent, and the one before may have been.
        var mayBe = stopped.Kind == StopVmActivity.MayBeDone || (wasAsked && stopped.Verdict is Verdict.LeaseLost or Verdict.Cancelled);
        Ladder = Ladder with { MayBeStopped = input.EndsPromptly && mayBe };
        if (stopped.Verdict == Verdict.Refused && input.EndsPromptly)
        {
            var since = Ladder.StopRefusal is { } before && asked - before.Last < StopRefusalLasts ? before.Since : asked;
            Ladder = Ladder with { StopRefusal = new(stopped.Message ?? "KubeVirt refuses its stop.", since) { Last = context.Now() } };
        }

        if (IsDone(stopped))
        {
            _state = _state with { StoppedLedger = ledger };
            BookStop(marked.Prior?.StrategyName);
        }
    }

    private void BookStop(string? strategy)
    {
        Ladder = Ladder with { IsStopped = true, StopDeadline = context.Now() + StopPatience, StopRefusal = null, MayBeStopped = false };
        _state = _state with { StoppedStrategy = strategy };
    }

    /// <summary>What was asked for and not answered was done after all, if the machine shows it. One that runs elsewhere shows nothing of it.</summary>
    private void RecogniseUnanswered(VmObservation seen)
    {
        if (seen.RunsElsewhere(input.Node))
        {
            Ladder = Ladder with { MayBeStopped = false, MayBeShuttingDown = false };
            return;
        }

        var goes = seen.Launcher is null or { IsTerminating: true };
        if (Ladder.MayBeShuttingDown && goes)
        {
            Ladder = Ladder with { IsShuttingDown = true, MayBeShuttingDown = false };
        }

        if (Ladder.MayBeStopped && seen.Machine is { } machine && (goes || machine is { RunStrategy: "Halted" } or { IsStopAsked: true }))
        {
            BookStop(_state.StoppedLedger is { } ledger ? LedgerJson.Read<VmPrior>(ledger)?.StrategyName : null);
        }
    }

    // It may be refused all the same what comes after: then the migration goes on, and nothing but this says that it was made for us.
    private async Task<bool> WithdrawMarkAsync(VmObservation seen)
    {
        if (!IsDone(await context.Do<ActResult>(Activities.CancelEvacuation, Vm), refusedIsDone: true))
        {
            return false;
        }

        Ladder = Ladder with { WithdrawnMigration = seen.Migration is { IsFinished: false } made ? made.Uid : Ladder.WithdrawnMigration };
        return true;
    }

    private async Task ForceStopAsync(string why)
    {
        Tell(VmProgress.Stopping, $"{why} It is stopped without a grace period.", null);
        var stopped = await AskAsync<ActResult>(
            Activities.StopVm, new StopVmInput(input.Node, input.Holder, input.Vm, TimeSpan.Zero, Force: true));
        if (stopped is not null && IsDone(stopped))
        {
            Ladder = Ladder with { IsForced = true, StopDeadline = context.Now() + Policy.StopTimeout };
        }
    }

    private async Task DeleteInstanceAsync(string why, VmObservation seen)
    {
        Tell(VmProgress.Stopping, why, null);
        if (seen.Instance?.EvacuationNode is not null && !await WithdrawMarkAsync(seen))
        {
            return;
        }

        if (HasNews)
        {
            return;
        }

        Ladder = Ladder with { MayBeShuttingDown = input.EndsPromptly };
        var deleted = await AskAsync<ActResult>(
            Activities.DeleteVmi, new DeleteVmiInput(input.Node, input.Holder, input.Vm, seen.Instance!.Uid));
        if (deleted is not null)
        {
            var isDone = IsDone(deleted);
            Ladder = Ladder with { IsShuttingDown = Ladder.IsShuttingDown || isDone, MayBeShuttingDown = false };
        }
    }
}
