using Drydock.Maintenance.Steering;

namespace Drydock.Maintenance.VirtualMachines;

/// <content>What a move does when its maintenance is suspended, resumed or extended.</content>
internal sealed partial class MoveVmRun
{
    private readonly SteerInbox _steers = new(context);

    private SteeredDeadline _deadline = new(input.Deadline, input.State.SuspendedAt);

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

    private VmStep WhileSuspended(VmStep step) => _deadline.IsSuspended ? VmLadder.WhileSuspended(step, Ladder) : step;
}
