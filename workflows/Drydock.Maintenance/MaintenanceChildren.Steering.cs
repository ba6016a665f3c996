using Drydock.Maintenance.Actions;
using Drydock.Maintenance.Health;
using Drydock.Maintenance.Steering;

namespace Drydock.Maintenance;

/// <content>Suspend, resume and extend: what the maintenance obeyed is told to the children that have a deadline or begin something.</content>
internal sealed partial class MaintenanceChildren
{
    // The last action or health check.
    private string? _inHand;

    /// <summary>Starts an action in an orchestration of its own.</summary>
    public Task<ActionResult> StartAction(ActionInput input) =>
        Start<ActionResult>(Orchestrations.Action, input, _inHand = InstanceIds.Action(context.InstanceId, input.Key));

    /// <summary>Starts the check of the node's health.</summary>
    public Task<HealthResult> StartHealth(HealthGateInput input, string id) => Start<HealthResult>(Orchestrations.HealthGate, input, _inHand = id);

    /// <summary>
    /// Before something new is begun: waits for as long as the maintenance is suspended. Null then; else how it ends: it was cancelled
    /// meanwhile, or a child has failed.
    /// </summary>
    public async Task<MaintenanceEnd?> PassAsync(CancelWish cancel)
    {
        await SteerAsync();
        if (!_steering.IsSuspended)
        {
            return null;
        }

        while (_steering.IsSuspended && !cancel.Said.IsCompleted)
        {
            await NextAsync(cancel.Said);
        }

        return await cancel.EndAsync() ?? Failure;
    }

    /// <summary>
    /// The work is over: waits for as long as the maintenance is suspended, unless somebody cancels it, whatever became of the children, and tells
    /// how it ended.
    /// </summary>
    /// <param name="cancel">Whether somebody wants it to stop.</param>
    /// <param name="end">How the work ended.</param>
    /// <param name="keeps">What keeps the lease and the marks is heard meanwhile, and started again.</param>
    public async Task ResumedAsync(CancelWish cancel, MaintenanceEnd end, bool keeps)
    {
        await SteerAsync();
        if (_steering.IsSuspended && !cancel.Said.IsCompleted)
        {
            progress.Say($"{(end.Outcome == MaintenanceOutcome.Completed ? "Its work is done." : end.Message)} It goes on to its end, and puts back what is to be put back, when it is resumed or cancelled.");
        }

        while (_steering.IsSuspended && !cancel.Said.IsCompleted)
        {
            await Task.WhenAny([cancel.Said, _steering.News, .. keeps ? Kept : []]);
            if (keeps)
            {
                await BookKeptAsync();
            }

            await SteerAsync();
        }
    }

    private async Task SteerAsync()
    {
        foreach (var steer in await _steering.TakeAsync())
        {
            _deadline = _deadline.After(steer);
            Tell(steer);
        }
    }

    private void Tell(ChildSteer steer)
    {
        if (_drain is { IsCompleted: false })
        {
            context.SendEvent(InstanceIds.Pods(context.InstanceId), ChildEvents.Steer, steer);
        }

        foreach (var vm in _moving.Where(static vm => !vm.Value.IsCompleted))
        {
            context.SendEvent(InstanceIds.Vm(context.InstanceId, vm.Key, _lives[vm.Key]), ChildEvents.Steer, steer);
        }

        if (_inHand is { } id && _open.TryGetValue(id, out var child) && !child.IsCompleted)
        {
            context.SendEvent(id, ChildEvents.Steer, steer);
        }
    }
}
