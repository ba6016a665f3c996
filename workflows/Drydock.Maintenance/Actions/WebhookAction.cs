namespace Drydock.Maintenance.Actions;

/// <summary>Calls a webhook until it accepts, then waits until it calls back.</summary>
internal sealed class WebhookAction(ActionRun run)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan LastRetry = TimeSpan.FromMinutes(1);

    private readonly Task<WebhookCallback> _callback = run.Context.WaitForExternalEvent<WebhookCallback>(ActionEvents.Callback);

    private ActionInput Input => run.Input;

    private WebhookTemplate Webhook => run.Input.Webhook!;

    /// <summary>How it ended.</summary>
    public async Task<ActionResult?> RunAsync()
    {
        run.Say($"Calling webhook {Input.Step.Options.Template}.", null, Webhook.SecretFile);
        if (await CallAsync() is { } ended)
        {
            return ended;
        }

        if (!Webhook.WaitsForCallback)
        {
            return new ActionResult(ActionOutcome.Done, $"Webhook {Input.Step.Options.Template} accepted the call.");
        }

        run.Say($"Webhook {Input.Step.Options.Template} accepted the call; waiting until it calls back.", null, Webhook.SecretFile);
        await run.ToDeadlineAsync(_callback);
        return _callback.IsCompleted ? Called(await _callback)
            : run.End.IsCompleted ? ActionRun.Cancelled($"Webhook {Input.Step.Options.Template} had not called back.")
            : ActionRun.Failed($"Webhook {Input.Step.Options.Template} did not call back within {Spoken.Of(Input.Timeout)}.");
    }

    /// <summary>Null once it accepted, or called back before its answer arrived.</summary>
    private async Task<ActionResult?> CallAsync()
    {
        var call = new CallWebhookInput(
            Input.Node, Input.Holder, Input.Maintenance, Input.Key, Webhook, new(Input.Step.ToString(), Input.Deadline), Input.Reason, Input.RequestedBy);
        for (var delay = FirstRetry; ; delay = delay * 2 < LastRetry ? delay * 2 : LastRetry)
        {
            if (!await run.WhileSuspendedAsync(_callback))
            {
                return ActionRun.Cancelled($"Webhook {Input.Step.Options.Template} had not accepted the call.");
            }

            if (Input.SuspendedAt is not null)
            {
                // It called back meanwhile.
                return null;
            }

            var called = await run.Context.Do<WebhookCalled>(Activities.CallWebhook, call);
            if (called.Act.Verdict == Verdict.Done || _callback.IsCompleted)
            {
                return null;
            }

            if (run.End.IsCompleted || called.Act.Verdict == Verdict.Cancelled)
            {
                return ActionRun.Cancelled($"Webhook {Input.Step.Options.Template} had not accepted the call.");
            }

            if (run.IsOverdue || (called.Act.Verdict == Verdict.Refused && !called.TryAgain))
            {
                return ActionRun.Failed($"Webhook {Input.Step.Options.Template}: {called.Act.Message}");
            }

            run.Say($"Webhook {Input.Step.Options.Template} is tried again: {called.Act.Message}", null, Webhook.SecretFile);
            await run.PauseAsync(delay, _callback);
        }
    }

    private ActionResult Called(WebhookCallback callback) => new(
        callback.IsSuccess ? ActionOutcome.Done : ActionOutcome.Failed,
        $"Webhook {Input.Step.Options.Template} called back: {(callback.IsSuccess ? "done" : "failed")}{(callback.Message is { Length: > 0 } message ? $": {message.TrimEnd('.')}" : "")}.");
}
