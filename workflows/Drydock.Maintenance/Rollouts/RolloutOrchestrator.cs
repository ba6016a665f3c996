namespace Drydock.Maintenance.Rollouts;

/// <summary>
/// Rolling maintenance: as many nodes at once as may be unavailable, in order, until they are done or too many failed. Continues with a
/// fresh history again and again: hundreds of nodes do not make it grow.
/// </summary>
internal sealed class RolloutOrchestrator : TaskOrchestrator<RolloutRequest, RolloutStatus>
{
    public override Task<RolloutStatus> RunAsync(TaskOrchestrationContext context, RolloutRequest input) =>
        new RolloutRun(context, input).RunAsync();
}

/// <summary>One run of <see cref="RolloutOrchestrator"/>.</summary>
internal sealed class RolloutRun(TaskOrchestrationContext context, RolloutRequest request)
{
    // The custom status tells each change since the input: 40 nodes of 300 bytes stay under 16 KiB (design D13).
    private const int MostChanges = 40;
    private const int MostRounds = 60;

    private readonly RolloutBook _book = new(context.InstanceId, request);
    private readonly Inbox<Cancel> _cancel = new(context, RolloutEvents.Cancel);
    private readonly Inbox<Cancel> _stop = new(context, RolloutEvents.Stop);
    private readonly Inbox<Steer> _steer = new(context, RolloutEvents.Steer);
    private readonly Inbox<Cancel> _pause = new(context, RolloutEvents.Pause);
    private readonly Inbox<string> _resume = new(context, RolloutEvents.Resume);
    private readonly Inbox<RolloutNodeOrder> _skip = new(context, RolloutEvents.Skip);
    private readonly Inbox<RolloutNodeOrder> _retry = new(context, RolloutEvents.Retry);
    private readonly Inbox<RolloutOpening> _open = new(context, RolloutEvents.Open);
    private readonly Inbox<NodeDone> _done = new(context, ChildEvents.NodeDone);

    private bool _sawAll;
    private string? _waitsFor;
    private DateTimeOffset? _lookAgainAt;

    public async Task<RolloutStatus> RunAsync()
    {
        for (var round = 0; ; round++)
        {
            await HeedAsync();
            if (_book.Changes >= MostChanges || round >= MostRounds)
            {
                return Continue();
            }

            await TakeNodesAsync();

            // A whole pool may have joined at once.
            if (_book.Changes >= MostChanges)
            {
                await HeedAsync();
                return Continue();
            }

            Tell();
            if (!_book.IsRunning && !_book.IsWaiting && !_book.IsHeldOpen && (_sawAll || _book.State.StoppingBecause is not null))
            {
                return _book.Result(context.Now());
            }

            await NextAsync();
        }
    }

    // Nothing may be awaited between the last look into the inboxes and this: what they hold would be lost.
    private RolloutStatus Continue()
    {
        var status = _book.Status(_waitsFor, context.Now()) with { Nodes = [] };
        context.SetCustomStatus(status);
        context.ContinueAsNew(request with { State = _book.State });
        return status;
    }

    private async Task HeedAsync()
    {
        // In the order of weight: what comes later in this list sees what came before. Which of two names was said first cannot be told, so the
        // one that leaves nodes alone has the last word: skip over retry, and of the two old names pause over resume.
        (await _done.TakeAsync()).ForEach(done => _book.Done(done, context.Now()));
        (await _open.TakeAsync()).ForEach(_book.Open);
        (await _retry.TakeAsync()).ForEach(_book.Retry);
        (await _skip.TakeAsync()).ForEach(_book.Skip);
        (await _resume.TakeAsync()).ForEach(_ => _book.Resume());
        (await _pause.TakeAsync()).ForEach(pause => _book.Pause(Said("Paused", pause.By, pause.Reason), context.Now()));
        (await _steer.TakeAsync()).ForEach(Obey);
        (await _stop.TakeAsync()).ForEach(stop => _book.Stop(Said("Stopped", stop.By, stop.Reason)));
        var isCancelled = _book.State.IsCancelled;
        (await _cancel.TakeAsync()).ForEach(cancel => _book.Cancel(Said("Cancelled", cancel.By, cancel.Reason)));
        if (_book.State is { Opening: { } opening, IsClosed: false, StoppingBecause: null } && context.Now() >= opening.To)
        {
            _book.Close();
        }

        if (_book.State.IsCancelled && !isCancelled)
        {
            CancelNodes();
        }
    }

    private void Obey(Steer steer)
    {
        if (steer.Kind == SteerKind.Suspend)
        {
            _book.Pause(Said("Paused", steer.By, steer.Reason), context.Now());
        }
        else if (steer.Kind == SteerKind.Resume && _book.State.PausedBecause is not null)
        {
            _book.Resume();
        }
    }

    // To what runs the maintenance, which is there for certain; the maintenance itself may not be yet.
    private void CancelNodes()
    {
        foreach (var node in _book.Running)
        {
            context.SendEvent(
                InstanceIds.Runner(context.InstanceId, node.InstanceId),
                RolloutEvents.Cancel,
                new Cancel($"rollout/{context.InstanceId}", _book.State.StoppingBecause));
        }
    }

    private async Task TakeNodesAsync()
    {
        (_waitsFor, _lookAgainAt) = (null, null);
        var state = _book.State;

        // One that begins paused looks at its nodes once all the same: somebody may want to see them, or leave some out, before it goes on.
        var looksFirst = request is { PausedBecause: not null, State: null } && !_sawAll;
        if ((state.PausedBecause is not null && !looksFirst) || state.StoppingBecause is not null || state.IsClosed || (!_book.IsWaiting && _book.IsRunning))
        {
            return;
        }

        try
        {
            var seen = await context.Do<NodesSeen>(
                Activities.ReadNodes,
                new ReadNodesInput(
                    request.Nodes, request.Selector, request.KubeletBelow, request.ZoneLabel, _book.Known, request.Order == RolloutOrder.Load));
            _book.See(seen);
            _sawAll = true;
            await TakeNodesAsync(seen);
        }
        catch (TaskFailedException failure)
        {
            (_waitsFor, _lookAgainAt) = ($"The nodes cannot be read: {failure.Sentence()}", context.Now() + RolloutRules.LookAgain);
        }
    }

    private async Task TakeNodesAsync(NodesSeen seen)
    {
        // A pause that was said while the nodes were read, or while one of them was started, is for all the others.
        await HeedAsync();
        var decision = RolloutRules.Decide(request, _book.State, seen, context.Now());
        (_waitsFor, _lookAgainAt) = (decision.WaitsFor, decision.LookAgainAt);
        if (decision.PauseBecause is { } why)
        {
            _book.Pause(why, context.Now());
        }

        if (decision.CanaryIsOver)
        {
            _book.EndCanary();
        }

        foreach (var name in decision.Start)
        {
            if (!_book.MayTake(name))
            {
                continue;
            }

            var node = _book.Take(name, context.Now());
            if (!await StartAsync(node))
            {
                return;
            }

            await HeedAsync();
        }
    }

    /// <summary>Starts the maintenance of a node that was taken; false if the hub did not do it for a long time, and the node waits for another turn.</summary>
    private async Task<bool> StartAsync(RolloutNode node)
    {
        var asked = request.Template with { Node = node.Node, RequestedBy = $"rollout/{context.InstanceId}", RequestedFrom = null };
        try
        {
            return await context.Do<bool>(
                Activities.StartRun,
                new StartRunInput(context.InstanceId, node.InstanceId, new RunNodeInput(context.InstanceId, node.InstanceId, asked)));
        }
        catch (TaskFailedException failure)
        {
            _book.NotStarted(node, failure.Sentence(), context.Now());
            (_waitsFor, _lookAgainAt) = ($"The maintenance of {node.Node} could not be started: {failure.Sentence()}", context.Now() + RolloutRules.LookAgain);
            return false;
        }
    }

    private async Task NextAsync()
    {
        List<Task> awaited = [_cancel.Next, _stop.Next, _steer.Next, _pause.Next, _resume.Next, _skip.Next, _retry.Next, _open.Next, _done.Next];
        var closes = _book.State is { Opening: { } opening, IsClosed: false, StoppingBecause: null } ? opening.To : (DateTimeOffset?)null;
        var wakes = closes is { } at && !(_lookAgainAt < at) ? at : _lookAgainAt;
        if (wakes is not { } wakesAt)
        {
            await Task.WhenAny(awaited);
            return;
        }

        using var woken = new CancellationTokenSource();
        var timer = context.CreateTimer(wakesAt, woken.Token);
        if (await Task.WhenAny([.. awaited, timer]) != timer)
        {
            // CancelAsync would leave the orchestrator's thread.
            woken.Cancel();
        }
    }

    private void Tell() => context.SetCustomStatus(_book.Status(_waitsFor, context.Now()));

    private static string Said(string what, string by, string? reason) =>
        $"{what} by {by}{(reason is { Length: > 0 } ? $": {reason.TrimEnd('.')}" : "")}.";
}

/// <summary>Events of one name, none of which is lost when the orchestration continues with a fresh history.</summary>
internal sealed class Inbox<T>(TaskOrchestrationContext context, string name)
{
    /// <summary>Completes when there is something to take.</summary>
    public Task<T> Next { get; private set; } = context.WaitForExternalEvent<T>(name);

    /// <summary>Takes all that has arrived; never waits.</summary>
    public async Task<List<T>> TakeAsync()
    {
        var taken = new List<T>();
        while (Next.IsCompleted)
        {
            taken.Add(await Next);
            Next = context.WaitForExternalEvent<T>(name);
        }

        return taken;
    }
}
