namespace Drydock.Maintenance.Actions;

/// <summary>Calls a webhook until it accepts, then waits until it calls back.</summary>
internal sealed class WebhookAction(ActionRun run)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan LastRetry = TimeSpan.FromMinutes(1);

    private readonly Task<WebhookCallback> _callback = run.Context.WaitForExternalEvent<WebhookCallback>(ActionEvents.Callback);

    private ActionInput Input => run.Input;

    private WebhookTemplate Webhook => run.Input.Webhook!;

    /// <summary>How it ended, or null: go on in a new generation.</summary>
    public async Task<ActionResult?> RunAsync()
    {
        run.Say($"Calling webhook {Input.Step.Options.Template}{(Input.State.RetryAfter is null ? "" : " again")}.", Webhook.SecretFile);
        run.Input = Input with { State = Input.State with { ToldDeadline = Input.State.ToldDeadline ?? Input.Deadline } };
        if (await CallAsync() is { IsDone: false } not)
        {
            return not.Ended;
        }

        if (!Webhook.WaitsForCallback)
        {
            return new ActionResult(ActionOutcome.Done, $"Webhook {Input.Step.Options.Template} accepted the call.");
        }

        await run.ToDeadlineAsync(
            () => run.Say($"Webhook {Input.Step.Options.Template} accepted the call; waiting until it calls back.", Webhook.SecretFile), _callback);
        return _callback.IsCompleted ? Called(await _callback)
            : run.End.IsCompleted ? ActionRun.Cancelled($"Webhook {Input.Step.Options.Template} had not called back.")
            : ActionRun.Failed($"Webhook {Input.Step.Options.Template} did not call back within {Spoken.Of(Input.Timeout)}.");
    }

    /// <summary>Done once it accepted, or called back before its answer arrived.</summary>
    private async Task<Changed> CallAsync()
    {
        var call = new CallWebhookInput(
            Input.Node, Input.Holder, Input.Maintenance, Input.Key, Webhook, new(Input.Step.ToString(), Input.State.ToldDeadline!.Value), Input.Reason,
            Input.RequestedBy);
        var notAccepted = $"Webhook {Input.Step.Options.Template} had not accepted the call.";
        var (why, wasLost) = (notAccepted, false);
        while (true)
        {
            if (!await run.WhileSuspendedAsync(_callback))
            {
                return new(false, ActionRun.Cancelled(notAccepted));
            }

            if (Input.SuspendedAt is not null || (Input.EndsPromptly && _callback.IsCompleted))
            {
                // It called back meanwhile.
                return new(true, null);
            }

            if (run.WhyNotAsked(notAccepted, late: why) is { } untold)
            {
                return new(false, untold);
            }

            if (await run.AskAsync<WebhookCalled>(Activities.CallWebhook, call, _callback) is not { } called)
            {
                continue;
            }

            if (called.Act.Verdict == Verdict.Done || _callback.IsCompleted)
            {
                return new(true, null);
            }

            if (WhyNotAgain(called) is { } ended)
            {
                return new(false, ended);
            }

            if (Input.EndsPromptly && called.Act.Verdict == Verdict.LeaseLost && !wasLost)
            {
                run.Context.LookAtLease(Input.Holder);
            }

            (why, wasLost) = ($"Webhook {Input.Step.Options.Template}: {called.Act.Message}", called.Act.Verdict == Verdict.LeaseLost);
            run.Say($"Webhook {Input.Step.Options.Template} is tried again: {called.Act.Message}", Webhook.SecretFile);
            await PauseAsync();
            if (Input.RetriesGoOn && _callback.IsCompleted)
            {
                return new(true, null);
            }

            if (run.IsLongTried())
            {
                return new(false, null);
            }
        }
    }

    private ActionResult? WhyNotAgain(WebhookCalled called) =>
        run.End.IsCompleted || called.Act.Verdict == Verdict.Cancelled
            ? ActionRun.Cancelled($"Webhook {Input.Step.Options.Template} had not accepted the call.")
            : run.IsOverdue || (called.Act.Verdict == Verdict.Refused && !called.TryAgain)
                ? ActionRun.Failed($"Webhook {Input.Step.Options.Template}: {called.Act.Message}")
                : null;

    private async Task PauseAsync()
    {
        var delay = Input.State.RetryAfter ?? FirstRetry;
        run.Input = Input with { State = Input.State with { RetryAfter = delay * 2 < LastRetry ? delay * 2 : LastRetry } };
        await run.PauseAsync(run.InTime(delay), _callback);
    }

    private ActionResult Called(WebhookCallback callback) => new(
        callback.IsSuccess ? ActionOutcome.Done : ActionOutcome.Failed,
        $"Webhook {Input.Step.Options.Template} called back: {(callback.IsSuccess ? "done" : "failed")}{(callback.Message is { Length: > 0 } message ? $": {message.TrimEnd('.')}" : "")}.");
}
