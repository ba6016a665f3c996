namespace Drydock.Maintenance.Actions;

/// <summary>
/// Switches the machine off through its BareMetalHost, keeps it off as long as asked, and lets it go. However it ends, the annotation that
/// keeps the machine off is taken away.
/// </summary>
internal sealed class PowerCycleAction(ActionRun run)
{
    private readonly Task<string> _complete = run.Context.WaitForExternalEvent<string>(ActionEvents.Complete);

    private ActionInput Input => run.Input;

    /// <summary>How it ended, or null: go on in a new generation.</summary>
    public async Task<ActionResult?> RunAsync()
    {
        while (!run.IsLong())
        {
            var end = Input.State.Phase switch
            {
                PowerPhase.SwitchOff => await SwitchOffAsync(),
                PowerPhase.AwaitOff => await AwaitOffAsync(),
                PowerPhase.Off => await KeepOffAsync(),
                _ => await AwaitOnAsync(),
            };
            if (end is { Outcome: not ActionOutcome.Done })
            {
                end = await run.LetGoAsync(end);
            }

            if (end is not null)
            {
                return end;
            }
        }

        return null;
    }

    private async Task<ActionResult?> SwitchOffAsync()
    {
        run.Say($"Switching BareMetalHost {Input.Host} off.");
        var off = await run.ChangeAsync(Activities.PowerOff, new PowerInput(Input.Node, Input.Holder, Input.Host!.Value, Input.BootId));
        if (!off.IsDone)
        {
            return off.Ended;
        }

        Enter(PowerPhase.AwaitOff, Input.Deadline);
        return null;
    }

    private async Task<ActionResult?> AwaitOffAsync()
    {
        var seen = await AwaitAsync(wantsOn: false);
        if (End(seen, "off") is { } end)
        {
            return end;
        }

        if (!seen.IsOn)
        {
            Enter(PowerPhase.Off, run.Context.Now() + Input.Step.Options.PowerOffFor);
            if (Input is { IsWatched: true, Step.Options.PowerOffUntilComplete: true })
            {
                run.Context.SendEvent(Input.Maintenance, ChildEvents.PoweredOff, $"BareMetalHost {Input.Host} is off.");
            }
        }

        return null;
    }

    private async Task<ActionResult?> KeepOffAsync()
    {
        var forPeople = Input.Step.Options.PowerOffUntilComplete;
        if (forPeople)
        {
            run.SayUntil($"BareMetalHost {Input.Host} is off and stays off until somebody says complete.", null);
            if (!Input.IsWatched)
            {
                run.Context.SendEvent(Input.Maintenance, ChildEvents.PoweredOff, $"BareMetalHost {Input.Host} is off.");
                await Task.WhenAny(_complete, run.End);
            }
        }
        else if (Input.State.Until > run.Context.Now())
        {
            run.SayUntil($"BareMetalHost {Input.Host} is off and is kept off for {Spoken.Of(Input.Step.Options.PowerOffFor)}.", Input.State.Until);
            if (!Input.IsWatched)
            {
                await run.PauseAsync(Input.State.Until.Value - run.Context.Now());
            }
        }

        var (isOver, failed) = await WatchAsync(forPeople);
        if (!isOver || failed is not null)
        {
            return failed;
        }

        if (run.End.IsCompleted)
        {
            return ActionRun.Cancelled($"BareMetalHost {Input.Host} is switched on again.");
        }

        var on = run.Context.Now() + Input.Timeout;
        run.SayUntil($"Switching BareMetalHost {Input.Host} on.", on);
        await run.SwitchOnAsync();
        Enter(PowerPhase.AwaitOn, run.Context.Now() + Input.Timeout);
        return null;
    }

    /// <summary>
    /// Looks at the machine for as long as it is to stay off: who takes the annotation off, or presses the button, has it come on under the hands
    /// of whoever works on it. Whether that time is over; if not, why the action has failed, or null: it goes on in a new generation.
    /// </summary>
    private async Task<(bool IsOver, ActionResult? Failed)> WatchAsync(bool forPeople)
    {
        PowerSeen? seen = null;
        while (!run.End.IsCompleted && (forPeople ? !_complete.IsCompleted : Input.State.Until > run.Context.Now()))
        {
            var until = forPeople ? DateTimeOffset.MaxValue : Input.State.Until!.Value;
            seen = await run.AwaitAsync(
                until,
                Activities.AwaitPower,
                new AwaitPowerInput(Input.Node, Input.Host!.Value, WantsOn: true, seen?.Error, run.Until(until)),
                new PowerSeen(IsGone: false, IsOn: false, seen?.Error),
                _complete);
            if (seen is { IsOn: true } or { IsGone: true })
            {
                var asked = forPeople ? "until somebody says complete" : $"for {Spoken.Of(Input.Step.Options.PowerOffFor)}";
                return (false, ActionRun.Failed(seen.IsGone
                    ? $"BareMetalHost {Input.Host} is gone."
                    : $"BareMetalHost {Input.Host} came on although it was to stay off {asked}: somebody switched it on, or took annotation {PowerKey.Of(Input.Node)} off it."));
            }

            if (!_complete.IsCompleted && run.IsLong())
            {
                return (false, null);
            }
        }

        return (true, null);
    }

    private async Task<ActionResult?> AwaitOnAsync()
    {
        var seen = await AwaitAsync(wantsOn: true);
        return End(seen, "on") ?? (seen.IsOn
            ? new ActionResult(ActionOutcome.Done, $"BareMetalHost {Input.Host} was switched off and on again.") { RebootedAt = run.Context.Now() }
            : null);
    }

    private async Task<PowerSeen> AwaitAsync(bool wantsOn)
    {
        var until = Input.State.Until!.Value;
        PowerSeen? before = null;
        Say(wantsOn, null, until);
        while (true)
        {
            var seen = await run.AwaitAsync(
                until,
                Activities.AwaitPower,
                new AwaitPowerInput(Input.Node, Input.Host!.Value, wantsOn, before?.Error, run.Until(until)),
                new PowerSeen(IsGone: false, IsOn: !wantsOn, before?.Error));
            Say(wantsOn, seen.Error, until);
            if (seen.IsGone || seen.IsOn == wantsOn || run.End.IsCompleted || run.Context.Now() >= until || run.IsLong())
            {
                return seen;
            }

            before = seen;
        }
    }

    private void Say(bool wantsOn, string? error, DateTimeOffset until) => run.SayUntil(
        $"Waiting until BareMetalHost {Input.Host} is {(wantsOn ? "on" : "off")}." + (error is null ? "" : $" {char.ToUpperInvariant(error[0])}{error[1..]}."), until);

    private ActionResult? End(PowerSeen seen, string wanted) => seen switch
    {
        { IsGone: true } => ActionRun.Failed($"BareMetalHost {Input.Host} is gone."),
        _ when run.End.IsCompleted => ActionRun.Cancelled($"BareMetalHost {Input.Host} is let go: it is switched on."),
        _ when seen.IsOn == (wanted == "on") => null,
        _ when run.Context.Now() >= Input.State.Until => ActionRun.Failed(
            $"BareMetalHost {Input.Host} was not {wanted} within {Spoken.Of(Input.Timeout)}{((seen.Error ?? run.Unseen?.TrimEnd('.')) is { } error ? $": {error}" : "")}."),
        _ => null,
    };

    private void Enter(PowerPhase phase, DateTimeOffset until) => run.Input = Input with { State = new ActionState { Phase = phase, Until = until } };
}
