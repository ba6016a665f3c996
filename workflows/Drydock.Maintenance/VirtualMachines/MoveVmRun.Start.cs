using Drydock.Maintenance.Node;

namespace Drydock.Maintenance.VirtualMachines;

/// <content>
/// The start of a machine that its eviction shut down and that KubeVirt leaves so. It is marked before the eviction, so that whatever ends the
/// move before the start, the restore starts it.
/// </content>
internal sealed partial class MoveVmRun
{
    private async Task<bool> MarkEvictedAsync()
    {
        var marked = await AskAsync<VmMarked>(Activities.MarkVm, Vm with { IsEvicted = true });
        if (marked is null || !IsDone(marked.Act))
        {
            return false;
        }

        _state = _state with { StoppedLedger = marked.Prior is { } prior ? LedgerJson.Write(prior) : null };
        return true;
    }

    private async Task StartAsync(string why)
    {
        Tell(VmProgress.Starting, why, null);
        Ladder = Ladder with { GoneSince = Ladder.GoneSince ?? context.Now() };

        // One that could migrate when its eviction was asked for carries no mark yet.
        if (!await MarkEvictedAsync())
        {
            return;
        }

        var started = await context.Undo<UndoResult>(Activities.RestoreVm, new UndoInput(input.Node, input.Holder, UnderLease: true, input.Vm));
        if (started.Verdict == Verdict.Done)
        {
            Ladder = Ladder with { IsStarted = true };
            _state = _state with { StoppedLedger = null };
        }
        else if (started.Busy == UndoResult.ShuttingDown)
        {
            _notBefore = context.Now() + VmLadder.AskAgainAfter;
            Tell(VmProgress.Stopping, started.Problem!, _notBefore);
        }
        else if (started.Verdict is Verdict.LeaseLost or Verdict.Cancelled)
        {
            IsDone(new(started.Verdict, started.Problem));
        }
        else
        {
            _notBefore = context.Now() + VmLadder.AskAgainAfter;
            Ladder = Ladder with { LastAnswer = started.Problem };
            Tell(
                VmProgress.Blocked, started.Problem!, Ladder.GoneSince + Policy.RestartTimeout, UndoResult.StartRefused, $"virtualmachine/{input.Vm}",
                $"It is tried again every ten seconds; look at its events and at the log of virt-api. By hand: virtctl start {input.Vm.Name} -n {input.Vm.Namespace}",
                times: (_notBefore, Ladder.GoneSince + Policy.RestartTimeout));
        }
    }

    /// <summary>Takes our mark off one that nobody need start any more.</summary>
    private async Task ReleaseAsync(VmOutcome? outcome)
    {
        var mayBeDown = !Ladder.IsUnwanted && (Ladder.IsShuttingDown || Ladder.MayBeShuttingDown || Ladder.MayBeStopped || _isAsking)
            && outcome is null or VmOutcome.NotRunningAgain or VmOutcome.StillThere;
        if (Ladder.IsStopped || mayBeDown || _state.StoppedLedger is null || !(Ladder.NeedsStart || input.EndsPromptly))
        {
            return;
        }

        try
        {
            var released = await context.Do<UndoResult>(
                Activities.RestoreVm, new UndoInput(input.Node, input.Holder, UnderLease: true, input.Vm) { StartsNothing = true });
            _state = released.Verdict == Verdict.Done ? _state with { StoppedLedger = null } : _state;
        }
        catch (TaskFailedException)
        {
            // The restore finds it, and leaves alone what runs.
        }
    }
}
