using Drydock.Maintenance.Steering;

namespace Drydock.Maintenance.VirtualMachines;

/// <content>What a move does when its maintenance is suspended, resumed or extended, and when what was to be forced does not go.</content>
internal sealed partial class MoveVmRun
{
    private readonly SteerInbox _steers = new(context);

    private SteeredDeadline _deadline = new(input.Deadline, input.State.SuspendedAt);

    // When one that does not go by force either is given up; null: force was not asked for, or its time does not run.
    private DateTimeOffset? ForceEnd => input.OnTimeout == DeadlinePolicy.Force && !_deadline.IsSuspended ? _deadline.Deadline + input.ForceEndsAfter : null;

    // What is to be heard before anything more is asked for.
    private bool HasNews => input.EndsPromptly && (_end.IsCompleted || _steers.News.IsCompleted);

    private async Task SteerAsync()
    {
        foreach (var steer in await _steers.TakeAsync())
        {
            if (steer.Kind == SteerKind.Resume && _deadline.SuspendedAt is { } since)
            {
                Ladder = Ladder.Resumed(since, steer.At);
            }

            _deadline = _deadline.After(steer);
        }

        if (_state.SuspendedAt != _deadline.SuspendedAt)
        {
            _state = _state with { SuspendedAt = _deadline.SuspendedAt };
        }
    }

    /// <summary>Asks for something. Null: the move is to end, or there is news, and that was not answered by then.</summary>
    /// <param name="activity">What asks.</param>
    /// <param name="what">Its input.</param>
    /// <param name="isEviction">It waits for its turn among the evictions of the node, which is cut short.</param>
    private async Task<T?> AskAsync<T>(string activity, object what, bool isEviction = false)
        where T : class
    {
        var stop = Task.WhenAny(_end, _steers.News);
        if (HasNews)
        {
            return null;
        }

        try
        {
            return isEviction ? await context.Await<T>(activity, what, Wakeups.EvictionsOf(input.Node), stop, isTriedOn: !input.EndsPromptly)
                : input.EndsPromptly ? await context.Do<T>(activity, what, stop)
                : await context.Do<T>(activity, what);
        }
        catch (TaskFailedException) when (input.EndsPromptly && stop.IsCompleted)
        {
            return null;
        }
    }

    /// <summary>
    /// The same where force was given as long again after the deadline: one that something keeps, or of which what was asked last was refused, is
    /// waited for no longer. One that goes down in its time is.
    /// </summary>
    private VmStep AtForceEnd(VmStep step, DateTimeOffset now)
    {
        if (!(now >= ForceEnd) || Ladder.GoneSince is not null || step is VmStep.Done or VmStep.Failed or VmStep.Wait { Blocker: null })
        {
            return step;
        }

        var why = step is VmStep.Wait wait ? wait.Message : _state.Told?.Blocker?.Message;
        return why is null ? step : new VmStep.Failed(
            Ladder.IsStopped ? VmOutcome.Stopped : Ladder.IsShuttingDown ? VmOutcome.NotRunningAgain : VmOutcome.StillThere,
            $"It did not leave by force within {Spoken.Of(input.ForceEndsAfter!.Value)} of the deadline either: {why}");
    }

    private VmStep WhileSuspended(VmStep step) => _deadline.IsSuspended ? VmLadder.WhileSuspended(step, Ladder) : step;
}
