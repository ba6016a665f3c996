namespace Drydock.Maintenance.VirtualMachines;

/// <content>What the deadline of the drain makes of a step.</content>
internal sealed partial class MoveVmRun
{
    // By force: a stop that is refused for that long is not going to be accepted.
    private static readonly TimeSpan StopRefusedFor = TimeSpan.FromMinutes(1);

    // Asked for every ten seconds: what was refused longer ago was not asked for since.
    private static readonly TimeSpan StopRefusalLasts = TimeSpan.FromSeconds(30);

    private bool IsStopRefusedForGood(DateTimeOffset now) =>
        Ladder.StopRefusal is { } refusal && now - refusal.Last < StopRefusalLasts && now - refusal.Since >= StopRefusedFor;

    private static string AtDeadline(string why) => $"It was still on the node at the deadline: {why}";

    private VmStep AtDeadline(VmStep step, VmObservation seen, DateTimeOffset now)
    {
        var isVain = step is VmStep.Stop && Ladder.StopRefusal is not null;
        if (!_deadline.IsOver(now) || (step is not (VmStep.Wait or VmStep.EvictLauncher or VmStep.MigrateTo or VmStep.Abort) && !isVain) || Ladder.IsStopped
            || Ladder.GoneSince is not null)
        {
            return step;
        }

        // Stopping one that runs elsewhere, or that goes down already, would only keep it down: its pod here is what has to go. A guest that
        // shuts down has as long as one that is stopped.
        var onlyItsPod = seen.LeavesForeign && (seen.RunsElsewhere(input.Node) || seen.IsGoingDown(Ladder));
        return input.OnTimeout switch
        {
            DeadlinePolicy.Force when onlyItsPod && (Ladder.IsForced || seen.Launcher is null) => step,
            DeadlinePolicy.Force when onlyItsPod && step is VmStep.Wait wait && !seen.RunsElsewhere(input.Node) && now < _deadline.Deadline + StopPatience =>
                wait with { Until = wait.Until < _deadline.Deadline + StopPatience ? wait.Until : _deadline.Deadline + StopPatience },
            DeadlinePolicy.Force when onlyItsPod => new VmStep.EvictLauncher("by force: the deadline has passed"),
            DeadlinePolicy.Fail => new VmStep.Failed(VmOutcome.StillThere, AtDeadline((step as VmStep.Wait)?.Message ?? Ladder.StopRefusal?.Message ?? "it did not leave.")),
            DeadlinePolicy.Force when seen.Machine is { HasBothKeys: false, RunStrategy: not "WaitAsReceiver", Held: null } && !IsStopRefusedForGood(now) =>
                new VmStep.Stop("The deadline has passed."),
            DeadlinePolicy.Force when seen is { Machine: null, Instance.IsFinal: false } && !Ladder.IsShuttingDown =>
                new VmStep.DeleteInstance("The deadline has passed: it is deleted, since it has no VirtualMachine that could be stopped."),
            DeadlinePolicy.Force when seen.Launcher is { IsTerminating: false } => new VmStep.EvictLauncher("by force: the deadline has passed"),
            _ => step,
        };
    }
}
