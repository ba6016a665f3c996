namespace Drydock.Maintenance.Actions;

/// <summary>
/// After a reboot or a power-cycle that was cancelled: the machine may be off, or booting. Remediation must not find it so, hence it is waited
/// for before anything is put back: for as long as the action itself might have taken.
/// </summary>
internal sealed class MachineBack(TaskOrchestrationContext context, MaintenanceProgress progress, ActionInput action)
{
    // A node that becomes Ready ends no wait for another boot.
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(20);

    private readonly DateTimeOffset _until = context.Now() + action.Timeout;

    /// <summary>Null once it is back; else why it is put back all the same, one sentence.</summary>
    public async Task<string?> AwaitAsync()
    {
        try
        {
            return await OnAsync() ?? await ReadyAsync();
        }
        catch (TaskFailedException failure)
        {
            return $"Whether the machine of node {action.Node} is back could not be found out: {failure.Sentence()}";
        }
    }

    private async Task<string?> OnAsync()
    {
        if (action.Host is not { } host || action.Step.Kind != MaintenanceAction.PowerCycle)
        {
            return null;
        }

        PowerSeen? seen = null;
        while (seen is not { IsOn: true } and not { IsGone: true })
        {
            if (seen is not null && context.Now() >= _until)
            {
                return NotBack($"BareMetalHost {host} is not on{(seen.Error is { } error ? $": {error}" : "")}.");
            }

            seen = await context.Do<PowerSeen>(Activities.AwaitPower, new AwaitPowerInput(action.Node, host, WantsOn: true, seen?.Error, Until(seen is null, TimeSpan.FromMinutes(1))));
            Say($"until BareMetalHost {host} is on{(seen.Error is { } why ? $" ({why})" : "")}", seen.IsOn);
        }

        return null;
    }

    private async Task<string?> ReadyAsync()
    {
        BootSeen? seen = null;
        while (seen is not { IsReady: true })
        {
            if (seen is not null && context.Now() >= _until)
            {
                return NotBack("it is not Ready.");
            }

            seen = await context.Do<BootSeen>(
                Activities.AwaitBoot, new AwaitBootInput(action.Node, seen is null ? action.BootId : seen.BootId, null, seen?.Cursor, Until(seen is null, LookAgain)));
            Say("until it is Ready", seen.IsReady);
        }

        return null;
    }

    // The first look does not wait.
    private DateTimeOffset Until(bool isFirst, TimeSpan pause) => isFirst ? context.Now() : context.Now() + pause < _until ? context.Now() + pause : _until;

    private void Say(string what, bool isOver)
    {
        if (!isOver)
        {
            progress.Say($"Node {action.Node} is put back when its machine is: waiting {what}, until {_until:u} at the latest.");
        }
    }

    private string NotBack(string why) => $"Node {action.Node} was put back although its machine did not come back within {Spoken.Of(action.Timeout)} of the cancel: {why}";
}
