namespace Drydock.Maintenance.Actions;

/// <summary>Reboots the node by a Job on it. The proof is another boot ID; how the Job itself ends says nothing, it dies with the machine.</summary>
internal sealed class RebootAction(ActionRun run)
{
    // A job that failed may have rebooted the node all the same: the kubelet's first report comes later than the job controller's.
    private static readonly TimeSpan FailedJobHasUntil = TimeSpan.FromMinutes(2);

    private DateTimeOffset? _failedSince;

    /// <summary>How it ended, or null: go on in a new generation.</summary>
    public async Task<ActionResult?> RunAsync()
    {
        var (input, job) = (run.Input, run.Input.JobName);
        run.Say($"Rebooting the node by Job {job}.");
        var start = new StartJobInput(input.Node, input.Holder, input.Maintenance, job, input.Job!, input.BootId, Reboots: true);
        if (!input.State.IsStarted && await run.ChangeAsync(Activities.StartJob, start) is { IsDone: false } not)
        {
            // It may be there although the answer was lost.
            return not.Ended is { } ended ? await run.LetGoAsync(ended) : null;
        }

        run.Input = run.Input with { State = run.Input.State with { IsStarted = true } };
        BootSeen? seen = null;
        while (true)
        {
            seen = await run.AwaitAsync<BootSeen>(
                run.Input.Deadline, Activities.AwaitBoot, new AwaitBootInput(input.Node, input.BootId, job, seen?.Cursor, run.Until(run.Input.Deadline)),
                new BootSeen(null, run.Context.Now(), IsReady: false, null, seen?.Cursor));
            if (seen.BootId is { } now && now != input.BootId)
            {
                await run.EndJobAsync();
                return new ActionResult(ActionOutcome.Done, $"The node has rebooted: its boot ID was {input.BootId} and is {now}.") { RebootedAt = seen.At };
            }

            if (End(seen) is { } end)
            {
                await run.EndJobAsync();
                return end;
            }

            run.Say(run.Unseen is not null ? "Waiting until the node has rebooted."
                : $"Waiting until the node has rebooted: its boot ID is still {input.BootId}, it is {(seen.IsReady ? "Ready" : "not Ready")}.{(seen.JobHangs is { } hangs ? $" Job {job}: {hangs}" : "")}");
            if (run.IsLong())
            {
                return null;
            }
        }
    }

    private ActionResult? End(BootSeen seen)
    {
        var (job, now) = (run.Input.JobName, run.Context.Now());
        if (run.End.IsCompleted)
        {
            return ActionRun.Cancelled($"Job {job} was deleted; the node had not rebooted yet.");
        }

        if (run is { IsOverdue: true, Unseen: { } unseen })
        {
            return ActionRun.Failed($"Whether the node rebooted within {Spoken.Of(run.Input.Timeout)} could not be seen: {unseen}");
        }

        if (run.IsOverdue)
        {
            return ActionRun.Failed(
                $"The node did not reboot within {Spoken.Of(run.Input.Timeout)}: its boot ID is still {run.Input.BootId}."
                + ((seen.JobFailure ?? seen.JobHangs) is { } why ? $" Job {job}: {why}" : ""));
        }

        _failedSince = seen is { JobFailure: not null, IsReady: true } ? _failedSince ?? now : null;
        return now - _failedSince >= FailedJobHasUntil
            ? ActionRun.Failed($"Job {job} failed and did not reboot the node: {seen.JobFailure}")
            : null;
    }
}
