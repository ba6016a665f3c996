namespace Drydock.Maintenance.Actions;

/// <summary>Runs a Job on the node and waits until it has succeeded.</summary>
internal sealed class JobAction(ActionRun run)
{
    /// <summary>How it ended, or null: go on in a new generation.</summary>
    public async Task<ActionResult?> RunAsync()
    {
        var (input, job) = (run.Input, run.Input.JobName);
        run.Say($"Starting Job {job} on the node.");
        var start = new StartJobInput(input.Node, input.Holder, input.Maintenance, job, input.Job!, input.BootId, Reboots: false);
        if (!input.State.IsStarted && await run.ChangeAsync(Activities.StartJob, start) is { IsDone: false } not)
        {
            // It may be there although the answer was lost.
            return not.Ended is { } ended ? await run.LetGoAsync(ended) : null;
        }

        run.Input = run.Input with { State = run.Input.State with { IsStarted = true } };
        JobSeen? seen = null;
        while (true)
        {
            seen = await run.AwaitAsync<JobSeen>(
                run.Input.Deadline, Activities.AwaitJob, new AwaitJobInput(input.Node, job, seen?.Cursor, run.Until(run.Input.Deadline)),
                new JobSeen(IsGone: false, IsComplete: false, null, null, seen?.Cursor));
            if (seen.IsComplete)
            {
                await run.EndJobAsync();
                return new ActionResult(ActionOutcome.Done, $"Job {job} succeeded.");
            }

            if (seen.IsGone || seen.Failure is not null)
            {
                return ActionRun.Failed(seen.IsGone
                    ? $"Somebody deleted Job {job} before it was done; it is not started again."
                    : $"Job {job} failed ({seen.Failure!.TrimEnd('.')}). {(seen.Pod is null ? "" : seen.Pod + " ")}Its logs are kept for a day: kubectl logs -n {job.Namespace} job/{job.Name}");
            }

            if (run.End.IsCompleted || run.IsOverdue)
            {
                await run.EndJobAsync();
                return run.End.IsCompleted
                    ? ActionRun.Cancelled($"Job {job} was deleted before it was done.")
                    : ActionRun.Failed(
                        run.Unseen is { } why ? $"Whether Job {job} was done within {Spoken.Of(run.Input.Timeout)} could not be seen, and it was deleted: {why}"
                        : $"Job {job} was not done within {Spoken.Of(run.Input.Timeout)} and was deleted. {seen.Pod}".TrimEnd());
            }

            run.Say($"Job {job} is running. {seen.Pod}".TrimEnd());
            if (run.IsLong())
            {
                return null;
            }
        }
    }
}
