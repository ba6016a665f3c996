namespace Drydock.Maintenance.Actions;

/// <summary>
/// After a reboot or a power-cycle that was cancelled: the machine may be off, or booting, or about to go down. Remediation must not find it
/// so, hence it is waited for before anything is put back: for as long as the action itself might have taken.
/// </summary>
/// <param name="context">Of the maintenance.</param>
/// <param name="progress">Told what is waited for.</param>
/// <param name="children">
/// What hears of the lease meanwhile. Null: the maintenance began before that was so, and before it was made sure that a node that is Ready has
/// booted, or does not go down yet: its history must replay.
/// </param>
/// <param name="action">What took the machine down.</param>
internal sealed class MachineBack(TaskOrchestrationContext context, MaintenanceProgress progress, MaintenanceChildren? children, ActionInput action)
{
    // A node that becomes Ready ends no wait for another boot.
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(20);

    // A kubelet that is stopped without a word is Ready for 40 to 50 seconds more (node-monitor-grace-period).
    private static readonly TimeSpan ReadyAfterReboot = TimeSpan.FromMinutes(2);

    // metal3 gives the operating system three minutes to shut down by itself before it switches the machine off.
    private static readonly TimeSpan ReadyAfterPowerCycle = TimeSpan.FromMinutes(4);

    private readonly DateTimeOffset _until = context.Now() + action.Timeout;

    private TimeSpan Settles => children is null ? TimeSpan.Zero : action.Step.Kind switch
    {
        MaintenanceAction.Reboot => ReadyAfterReboot,
        MaintenanceAction.PowerCycle => ReadyAfterPowerCycle,
        _ => TimeSpan.Zero,
    };

    /// <summary>Null once it is back; else why it is put back all the same, one sentence.</summary>
    public async Task<string?> AwaitAsync()
    {
        while (true)
        {
            try
            {
                return await OnAsync() ?? await ReadyAsync();
            }
            catch (TaskFailedException) when (children is not null && context.Now() < _until)
            {
                // Whether it is back is not known yet.
                progress.Say($"Node {action.Node} is put back when its machine is: whether it is cannot be seen now, until {_until:u} at the latest.");
                await SeenAsync(context.CreateTimer(context.Now() + LookAgain, CancellationToken.None));
            }
            catch (TaskFailedException failure)
            {
                return $"Whether the machine of node {action.Node} is back could not be found out: {failure.Sentence()}";
            }
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

            var looking = context.Do<PowerSeen>(
                Activities.AwaitPower, new AwaitPowerInput(action.Node, host, WantsOn: true, seen?.Error, Until(seen is null, TimeSpan.FromMinutes(1))));
            await SeenAsync(looking);
            seen = await looking;
            Say($"until BareMetalHost {host} is on{(seen.Error is { } why ? $" ({why})" : "")}", seen.IsOn);
        }

        return null;
    }

    private async Task<string?> ReadyAsync()
    {
        BootSeen? seen = null;
        DateTimeOffset? since = null;
        while (!IsBack(seen, since))
        {
            if (seen is { IsReady: false } && context.Now() >= _until)
            {
                return NotBack("it is not Ready.");
            }

            var looking = context.Do<BootSeen>(
                Activities.AwaitBoot, new AwaitBootInput(action.Node, seen is null ? action.BootId : seen.BootId, null, seen?.Cursor, Until(seen is null, LookAgain)));
            await SeenAsync(looking);
            seen = await looking;
            since = seen.IsReady ? since ?? context.Now() : null;
            Say(seen.IsReady ? $"until it has been Ready for {Spoken.Of(Settles)}, as it may go down yet" : "until it is Ready", IsBack(seen, since));
        }

        return null;
    }

    private Task SeenAsync(Task looking) => children?.UnderLeaseAsync(looking) ?? looking;

    private bool IsBack(BootSeen? seen, DateTimeOffset? readySince) =>
        seen is { IsReady: true } && (seen.BootId != action.BootId || context.Now() - readySince >= Settles);

    // The first look does not wait; one that is Ready in the end may stay so for its while.
    private DateTimeOffset Until(bool isFirst, TimeSpan pause)
    {
        var now = context.Now();
        return isFirst ? now : now < _until && now + pause > _until ? _until : now + pause;
    }

    private void Say(string what, bool isOver)
    {
        if (!isOver)
        {
            progress.Say($"Node {action.Node} is put back when its machine is: waiting {what}, until {_until:u} at the latest.");
        }
    }

    private string NotBack(string why) => $"Node {action.Node} was put back although its machine did not come back within {Spoken.Of(action.Timeout)} of the cancel: {why}";
}
