namespace Drydock.Maintenance.Rollouts;

/// <summary>
/// The maintenance windows of a rollout: sleeps until one opens, starts the rollout or lets it go on, begins again. Eternal; each opening
/// begins with a fresh history. When a window closes, the rollout itself sees to that: it knows the instant.
/// </summary>
internal sealed class WindowOrchestrator : TaskOrchestrator<WindowRequest, WindowStatus>
{
    public override Task<WindowStatus> RunAsync(TaskOrchestrationContext context, WindowRequest input) => new WindowRun(context, input).RunAsync();
}

/// <summary>One opening of <see cref="WindowOrchestrator"/>.</summary>
internal sealed class WindowRun(TaskOrchestrationContext context, WindowRequest request)
{
    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromMinutes(1);

    // In the place of the rollout, which the calendar does not read: with the defaults of when windows were first stored, so that every history replays.
    private static readonly RolloutRequest Unread = new([])
    {
        Template = new MaintenanceRequest("") { VirtualMachines = new VirtualMachinePolicy { RunningTimeout = TimeSpan.FromHours(1), ExternalTimeout = TimeSpan.FromHours(1) } },
    };

    private readonly Inbox<Cancel> _cancel = new(context, WindowEvents.Cancel);
    private readonly Inbox<RolloutDone> _done = new(context, ChildEvents.RolloutDone);

    private string? _rollout = request.State?.Rollout;
    private Cancel? _cancelled;
    private string _last = request.State?.Last ?? "";

    public async Task<WindowStatus> RunAsync()
    {
        var next = await context.Do<NextWindow>(
            Activities.NextWindow,
            new NextWindowInput(request with { Rollout = Unread, State = null }, request.State?.After ?? context.Now()));
        if (next.Opening is not { } opening)
        {
            return await EndAsync(next.Problem ?? "It never opens again.");
        }

        if (opening.From > context.Now())
        {
            Tell(new WindowStatus($"{_last}The next window opens at {opening.From:u}.") { Next = opening.From, Rollout = _rollout });
            await WaitAsync(opening.From, () => _cancelled is not null);
        }

        if (_cancelled is null)
        {
            await OpenAsync(opening);
        }

        if (_cancelled is not null)
        {
            return await EndAsync("Cancelled.");
        }

        // One that could not be finished goes on in the next window; the next window may be under way by now.
        context.ContinueAsNew(request with { State = new WindowState(opening.To) { Rollout = _rollout, Last = _last } });
        return new WindowStatus(_last);
    }

    private async Task OpenAsync(RolloutOpening opening)
    {
        if (_rollout is null)
        {
            if (!await StartAsync(opening))
            {
                return;
            }
        }
        else
        {
            context.SendEvent(_rollout, RolloutEvents.Open, opening);
        }

        Tell(new WindowStatus($"Open until {opening.To:u}.") { Rollout = _rollout, ClosesAt = opening.To });
        await WaitAsync(opening.To, () => _cancelled is not null || _rollout is null);
        if (_rollout is not null && _cancelled is null && request.OnClose != WindowClosePolicy.Pause)
        {
            // The nodes in hand are finished, or put back: that takes as long as it takes.
            Tell(new WindowStatus($"Closed at {opening.To:u}; the nodes in hand are not done yet.") { Rollout = _rollout });
            await WaitAsync(null, () => _cancelled is not null || _rollout is null);
        }
    }

    /// <summary>Starts the rollout of an opening; false if that failed until the window closed or was cancelled.</summary>
    private async Task<bool> StartAsync(RolloutOpening opening)
    {
        var rollout = InstanceIds.Rollout(context.InstanceId, opening.From);
        var run = new RunRolloutInput(context.InstanceId, rollout, request.Rollout with { Opening = opening, OnClose = request.OnClose });
        do
        {
            try
            {
                await context.Do<bool>(Activities.StartRun, new StartRunInput(context.InstanceId, rollout, Rollout: run));
                _rollout = rollout;
                return true;
            }
            catch (TaskFailedException failure)
            {
                _last = $"The rollout of {opening.From:u} could not be started: {failure.Sentence()} ";
                var again = context.Now() + TryAgainAfter;
                Tell(new WindowStatus($"{_last}It is tried again at {again:u}.") { ClosesAt = opening.To });
                await WaitAsync(again, () => _cancelled is not null);
            }
        }
        while (_cancelled is null && context.Now() < opening.To);

        return false;
    }

    /// <summary>
    /// No further window; a rollout under way takes no new node and is waited for. Nodes that nothing would ever give back are cancelled: who
    /// removes a window leaves nothing behind.
    /// </summary>
    private async Task<WindowStatus> EndAsync(string why)
    {
        while (_rollout is not null)
        {
            // Somebody may remove a window that never opens again while its rollout still has a node in hand.
            var heeded = _cancelled;
            var isPutBack = _cancelled is { PutsBack: true } && (request.OnClose == WindowClosePolicy.Cancel || request.Rollout.Template.WaitsForSomebody());
            context.SendEvent(_rollout, isPutBack ? RolloutEvents.Cancel : RolloutEvents.Stop, _cancelled ?? new Cancel($"window/{context.InstanceId}", why));
            Tell(new WindowStatus($"{why} The nodes in hand are not done yet.") { Rollout = _rollout, IsCancelled = _cancelled is not null });
            await WaitAsync(null, () => _rollout is null || _cancelled != heeded);
        }

        var end = new WindowStatus($"{why} {_last}".TrimEnd()) { IsCancelled = _cancelled is not null };
        Tell(end);
        return end;
    }

    private async Task WaitAsync(DateTimeOffset? until, Func<bool> isSo)
    {
        await HeedAsync();
        using var woken = new CancellationTokenSource();
        var timer = until is { } at && !isSo() && at > context.Now() ? context.CreateTimer(at, woken.Token) : null;
        while (!isSo() && (until is null || timer is { IsCompleted: false }))
        {
            await Task.WhenAny([_cancel.Next, _done.Next, .. timer is null ? Array.Empty<Task>() : [timer]]);
            await HeedAsync();
        }

        if (timer is { IsCompleted: false })
        {
            // CancelAsync would leave the orchestrator's thread.
            woken.Cancel();
        }
    }

    private async Task HeedAsync()
    {
        foreach (var cancel in await _cancel.TakeAsync())
        {
            _cancelled = _cancelled is null || (cancel.PutsBack && !_cancelled.PutsBack) ? cancel : _cancelled;
        }

        foreach (var done in await _done.TakeAsync())
        {
            _last = $"{done.Message} ";
            _rollout = done.InstanceId == _rollout ? null : _rollout;
        }
    }

    private void Tell(WindowStatus status) => context.SetCustomStatus(status);
}

/// <summary>Which opening comes after that moment?</summary>
/// <param name="Window">The window, without its rollout.</param>
/// <param name="After">It ends after this moment.</param>
internal sealed record NextWindowInput(WindowRequest Window, DateTimeOffset After);

/// <summary>When it opens, or why never.</summary>
internal sealed record NextWindow(RolloutOpening? Opening, string? Problem = null);

/// <summary>Computes when a window opens next. An activity, because time zone data may differ between two runs.</summary>
internal sealed class NextWindowActivity : TaskActivity<NextWindowInput, NextWindow>
{
    public override Task<NextWindow> RunAsync(TaskActivityContext context, NextWindowInput input) => Task.FromResult(Next(input));

    private static NextWindow Next(NextWindowInput input)
    {
        try
        {
            return new(WindowCalendar.Next(input.Window, input.After));
        }
        catch (FormatException mistake)
        {
            return new(null, mistake.Message);
        }
    }
}
