using Drydock.Maintenance.Steering;

namespace Drydock.Maintenance.VirtualMachines;

/// <content>What a move does when its maintenance is suspended, resumed or extended.</content>
internal sealed partial class MoveVmRun
{
    private readonly SteerInbox _steers = new(context);

    private SteeredDeadline _deadline = new(input.Deadline, input.State.SuspendedAt);

    private async Task SteerAsync()
    {
        _deadline = await _steers.TakeAsync(_deadline);
        if (_state.SuspendedAt != _deadline.SuspendedAt)
        {
            _state = _state with { SuspendedAt = _deadline.SuspendedAt };
        }
    }

    /// <summary>A machine that is on its way goes on and may arrive; nothing is begun for one, nor is it given up.</summary>
    private VmStep WhileSuspended(VmStep step) => !_deadline.IsSuspended || step is VmStep.Wait or VmStep.Done
        ? step
        : new VmStep.Wait(VmProgress.Waiting, "The maintenance is suspended: nothing new is begun for it.", null, null, null, Ladder);
}
