using Drydock.Maintenance.Steering;

namespace Drydock.Maintenance.Actions;

/// <summary>Takes one action and sees it through: by its deadline, once, whatever dies meanwhile.</summary>
internal sealed class ActionOrchestrator : TaskOrchestrator<ActionInput, ActionResult>
{
    public override async Task<ActionResult> RunAsync(TaskOrchestrationContext context, ActionInput input)
    {
        var run = new ActionRun(context, input);
        ActionResult? result;
        try
        {
            result = await RunAsync(run);
        }
        catch (TaskFailedException failure)
        {
            // Whatever it had begun would go on by itself: on a node that is in use by then, or with a machine that stays off.
            result = await run.LetGoAsync(ActionRun.Failed(failure.Sentence()));
        }

        if (result is null)
        {
            await run.SteerAsync();
            context.ContinueAsNew(run.Input);
        }

        return result ?? new ActionResult(ActionOutcome.Failed, "");
    }

    private static Task<ActionResult?> RunAsync(ActionRun run) => run.Input.Step.Kind switch
    {
        MaintenanceAction.Reboot => new RebootAction(run).RunAsync(),
        MaintenanceAction.PowerCycle => new PowerCycleAction(run).RunAsync(),
        MaintenanceAction.Job => new JobAction(run).RunAsync(),
        MaintenanceAction.Webhook => new WebhookAction(run).RunAsync(),
        var other => throw new NotSupportedException($"{other} is not an action of its own: the maintenance itself holds."),
    };
}

/// <summary>How a change ended.</summary>
/// <param name="IsDone">It was made.</param>
/// <param name="Ended">If not: how the action ends, or null: it is tried again in a new generation.</param>
internal readonly record struct Changed(bool IsDone, ActionResult? Ended);

/// <summary>What all actions have: their input, the wish to end, how to change something and how to wait.</summary>
internal sealed class ActionRun
{
    private const int RoundsBeforeNew = 80;

    /// <summary>A look that failed was tried again and again: as many events as so many rounds.</summary>
    private const int RoundsOfFailure = 20;

    private static readonly TimeSpan LeaseRetry = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan BusyRetry = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(1);

    private readonly SteerInbox _steers;

    private int _rounds;
    private ActionStatus? _said;
    private string? _unanswered;

    public ActionRun(TaskOrchestrationContext context, ActionInput input)
    {
        (Context, Input, _steers) = (context, input, new SteerInbox(context));
        End = context.WaitForExternalEvent<string>(ChildEvents.End);
    }

    public TaskOrchestrationContext Context { get; }

    /// <summary>With the state for the next generation, if there is one.</summary>
    public ActionInput Input { get; set; }

    /// <summary>The maintenance wants it to end.</summary>
    public Task<string> End { get; }

    /// <summary>Why the last look failed, one sentence; null: it did not.</summary>
    public string? Unseen { get; private set; }

    private bool IsSteered => Input.Step.Kind != MaintenanceAction.PowerCycle || Input is { EndsPromptly: true, State.Phase: PowerPhase.SwitchOff };

    public bool IsOverdue => new SteeredDeadline(Input.Deadline, Input.SuspendedAt).IsOver(Context.Now());

    /// <summary>Time to go on in a new generation, unless the wish to end has come: it would be lost with this one. Asked once for each wait.</summary>
    public bool IsLong() => ++_rounds > RoundsBeforeNew && !End.IsCompleted;

    /// <summary>The same after a try and the pause after it, which are two waits.</summary>
    public bool IsLongTried()
    {
        _rounds++;
        return IsLong() && Input.RetriesGoOn;
    }

    public static ActionResult Cancelled(string message) => new(ActionOutcome.Cancelled, message);

    public static ActionResult Failed(string message) => new(ActionOutcome.Failed, message);

    /// <summary>How far a wait may go: to the deadline, a minute at the most.</summary>
    public DateTimeOffset Until(DateTimeOffset deadline)
    {
        var minute = Context.Now() + TimeSpan.FromMinutes(1);
        return deadline < minute && Input.SuspendedAt is null ? deadline : minute;
    }

    public void Say(string message, string? callbackSecretFile = null) =>
        Tell(new ActionStatus(message, Input.Deadline) { CallbackSecretFile = callbackSecretFile });

    /// <summary>The same of a part of the action, which must be over by then; null: it may take as long as it takes.</summary>
    public void SayUntil(string message, DateTimeOffset? deadline) => Tell(new ActionStatus(message, deadline));

    private void Tell(ActionStatus said)
    {
        _said = said;
        Context.SetCustomStatus(Unseen is null ? said : said with { Message = $"{said.Message} Nothing of it can be seen now: {Unseen}" });
    }

    /// <summary>
    /// Asks for something until that is answered. Null: it failed, and the action is to end, its time is over, or there is news that whoever asks
    /// looks at first.
    /// </summary>
    /// <param name="activity">What asks.</param>
    /// <param name="input">Its input.</param>
    /// <param name="others">What counts as news besides.</param>
    public async Task<T?> AskAsync<T>(string activity, object input, params Task[] others)
        where T : class
    {
        if (!Input.EndsPromptly)
        {
            return await Context.Do<T>(activity, input);
        }

        var stop = Task.WhenAny([End, .. IsSteered ? [_steers.News] : Array.Empty<Task>(), .. others]);
        try
        {
            var answer = await Context.Do<T>(activity, input, stop, Input.Deadline);
            _unanswered = null;
            return answer;
        }
        catch (TaskFailedException failure) when (stop.IsCompleted || IsOverdue)
        {
            _unanswered = failure.Sentence();
            return null;
        }
    }

    /// <summary>How the action ends before it asks for anything more; null: it may ask.</summary>
    /// <param name="cancelled">What is told if it is to end.</param>
    /// <param name="late">What is told if its time is over, unless what it asked for last was not answered.</param>
    public ActionResult? WhyNotAsked(string cancelled, string late) => !Input.EndsPromptly ? null
        : End.IsCompleted ? Cancelled(cancelled)
        : IsOverdue ? Failed(_unanswered ?? late)
        : null;

    /// <summary>Changes something, when the lease allows it.</summary>
    public async Task<Changed> ChangeAsync(string activity, object input)
    {
        var isFirst = true;
        while (true)
        {
            if (!await WhileSuspendedAsync())
            {
                return new(false, Cancelled("The maintenance ended while it was suspended."));
            }

            if (WhyNotAsked("The maintenance ended before it was begun.", "Its time was over before it was begun.") is { } ended)
            {
                return new(false, ended);
            }

            if (await AskAsync<ActResult>(activity, input) is not { } result)
            {
                continue;
            }

            if (result.Verdict == Verdict.Done)
            {
                return new(true, null);
            }

            var why = result.Message ?? $"{activity} was refused.";
            if (End.IsCompleted || result.Verdict == Verdict.Cancelled)
            {
                return new(false, Cancelled(why));
            }

            var isBusy = result is { Verdict: Verdict.Refused, Kind: not null };
            if ((result.Verdict != Verdict.LeaseLost && !isBusy) || IsOverdue)
            {
                return new(false, Failed(why));
            }

            if (isFirst && !isBusy)
            {
                Context.LookAtLease(Input.Holder);
            }

            // The control plane may have lost another node since this one was cordoned.
            Say(isBusy ? $"{why} The machine does not go down before that is over." : $"{why} Nothing is changed until it is ours again.");
            await PauseAsync(InTime(isBusy ? BusyRetry : LeaseRetry));
            if (Input.RetriesGoOn && End.IsCompleted)
            {
                return new(false, Cancelled(why));
            }

            if (Input.EndsPromptly)
            {
                // What came in the last pause counts: it may have given it more time.
                await SteerAsync();
            }

            if (WhyNotAsked(why, late: why) is { } over)
            {
                return new(false, over);
            }

            isFirst = false;

            if (IsLongTried())
            {
                return new(false, null);
            }
        }
    }

    /// <summary>
    /// Waits for something to see. An API server that is away, or forbids it, says nothing of what goes on at the machine: it is looked at again
    /// until the action's own time is over.
    /// </summary>
    /// <param name="until">When it is over.</param>
    /// <param name="activity">What waits.</param>
    /// <param name="input">Its input.</param>
    /// <param name="unseen">What counts as seen if nothing was.</param>
    /// <param name="others">What ends the wait besides the wish to end.</param>
    public async Task<T> AwaitAsync<T>(DateTimeOffset until, string activity, object input, T unseen, params Task[] others)
    {
        T seen;
        DateTimeOffset? over = Input.SuspendedAt is null ? until : null;
        try
        {
            seen = await Context.Await<T>(
                activity, input, Input.Node, Task.WhenAny([End, .. others]), isTriedOn: !Input.EndsPromptly, over);
            if (Unseen is not null)
            {
                Unseen = null;
                Tell(_said!);
            }
        }
        catch (TaskFailedException failure) when (Input.LooksOn)
        {
            (seen, Unseen) = (unseen, failure.Sentence());
            _rounds += RoundsOfFailure;
            Tell(_said!);
            if (!Input.EndsPromptly)
            {
                await PauseAsync(IsOverdue || Input.SuspendedAt is not null || Input.Deadline - Context.Now() > LookAgain ? LookAgain : Input.Deadline - Context.Now(), others);
            }
            else if (!(over <= Context.Now()))
            {
                var left = over - Context.Now();
                await PauseAsync(left < LookAgain ? left.Value : LookAgain, others);
            }
        }

        await SteerAsync();
        return seen;
    }

    /// <summary>
    /// Takes what came of suspend, resume and extend: whether it was anything. A power-cycle is steered until its machine is told to go off, and
    /// not from then on: it is not left between off and on.
    /// </summary>
    public async Task<bool> SteerAsync()
    {
        if (!IsSteered || !_steers.News.IsCompleted)
        {
            return false;
        }

        var before = Input.Deadline;
        var after = await _steers.TakeAsync(new SteeredDeadline(before, Input.SuspendedAt));
        Input = Input with { Deadline = after.Deadline, SuspendedAt = after.SuspendedAt, Timeout = After(Input.Step.Kind, Input.Timeout, after.Deadline - before) };
        return true;
    }

    /// <summary>
    /// How long an action has in all, after its deadline was moved by that. What a power-cycle has is asked for anew for the way off and the way
    /// on: no suspension before it went off makes the way on longer.
    /// </summary>
    public static TimeSpan After(MaintenanceAction kind, TimeSpan timeout, TimeSpan moved) => kind == MaintenanceAction.PowerCycle ? timeout : timeout + moved;

    /// <summary>Waits for as long as the maintenance is suspended, or for one of these; false if it wants to end meanwhile.</summary>
    public async Task<bool> WhileSuspendedAsync(params Task[] others)
    {
        await SteerAsync();
        while (Input.SuspendedAt is not null && !End.IsCompleted && !Array.Exists(others, static other => other.IsCompleted))
        {
            await Task.WhenAny([End, _steers.News, .. others]);
            await SteerAsync();
        }

        return Input.SuspendedAt is null || !End.IsCompleted;
    }

    /// <summary>Waits until the deadline, wherever it moves, or for one of these; said anew for each deadline.</summary>
    public async Task ToDeadlineAsync(Action say, params Task[] others)
    {
        do
        {
            await SteerAsync();
            say();
            if (Input.SuspendedAt is not null)
            {
                await WhileSuspendedAsync(others);
                if (End.IsCompleted || Array.Exists(others, static other => other.IsCompleted))
                {
                    return;
                }
            }

            await PauseAsync(Input.Deadline - Context.Now(), [_steers.News, .. others]);
        }
        while (await SteerAsync());
    }

    /// <summary>A pause that does not outlast the action's time.</summary>
    public TimeSpan InTime(TimeSpan pause) =>
        Input is { EndsPromptly: true, SuspendedAt: null } && Input.Deadline - Context.Now() is var left && left < pause ? left : pause;

    /// <summary>A pause that the wish to end, or one of these, cuts short.</summary>
    public async Task PauseAsync(TimeSpan pause, params Task[] others)
    {
        using var woken = new CancellationTokenSource();
        var timer = Context.CreateTimer(Context.Now() + pause, woken.Token);
        if (await Task.WhenAny([timer, End, .. others]) != timer)
        {
            woken.Cancel();
        }
    }

    /// <summary>Ends what the action has begun, in this generation or an earlier one, and adds to its result what could not be ended.</summary>
    public async Task<ActionResult> LetGoAsync(ActionResult ended)
    {
        try
        {
            if (Input.Step.Kind is MaintenanceAction.Job or MaintenanceAction.Reboot)
            {
                await EndJobAsync();
            }
            else if (Input.Step.Kind == MaintenanceAction.PowerCycle)
            {
                await SwitchOnAsync();
            }

            return ended;
        }
        catch (TaskFailedException failure)
        {
            var what = Input.Step.Kind == MaintenanceAction.PowerCycle ? $"BareMetalHost {Input.Host} was not let go" : $"Job {Input.JobName} was not deleted";
            return ended with { Message = $"{ended.Message} {what}: {failure.Sentence()}" };
        }
    }

    /// <summary>Takes off the host what keeps it off.</summary>
    public Task SwitchOnAsync() => Context.Undo<bool>(Activities.PowerOn, new PowerInput(Input.Node, Input.Holder, Input.Host!.Value));

    /// <summary>Deletes the job of the action, so that it cannot run later.</summary>
    public Task EndJobAsync() => Context.Undo<bool>(Activities.EndJob, new EndJobInput(Input.JobName, Input.Maintenance));
}
