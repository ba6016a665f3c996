using Drydock.Kubernetes;
using Drydock.Maintenance.Node;

namespace Drydock.Maintenance.Actions;

/// <summary>A job to start.</summary>
/// <param name="Node">The node.</param>
/// <param name="Holder">Whose maintenance it is.</param>
/// <param name="Maintenance">Its instance id.</param>
/// <param name="Job">The name of the job.</param>
/// <param name="Template">What it is made from.</param>
/// <param name="BootId">The boot ID before the maintenance.</param>
/// <param name="Reboots">The job reboots the node: if the boot ID is another already, it is not started.</param>
internal sealed record StartJobInput(
    string Node, string Holder, string Maintenance, ObjectRef Job, JobTemplate Template, string? BootId, bool Reboots);

/// <summary>
/// Creates a job on the node. Safe to run twice: a job of the same name is the one it made; a node that has rebooted is not rebooted again.
/// </summary>
internal sealed class StartJobActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock) : ClusterActivity<StartJobInput, ActResult>
{
    protected override async Task<ActResult> RunAsync(StartJobInput input, CancellationToken cancellationToken)
    {
        if (await neighbours.GetJobAsync(input.Job, cancellationToken) is { } there)
        {
            return Own(there, input);
        }

        if (input.Reboots && await cluster.GetNodeAsync(input.Node, cancellationToken) is { } node)
        {
            if (node.BootId != input.BootId)
            {
                return ActResult.Done;
            }

            if (await ControlPlane.ProblemAsync(cluster, node, cancellationToken, goesDown: true) is { } problem)
            {
                return new(Verdict.Refused, problem.Message) { Kind = problem.Kind };
            }
        }

        if (await new Guard(cluster, clock, input.Node, input.Holder).CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no)
        {
            return no;
        }

        var manifest = JobManifest.Build(input.Template, input.Job, input.Node, input.Maintenance, input.BootId);
        return await neighbours.CreateJobAsync(input.Job, manifest, cancellationToken)
            || await neighbours.GetJobAsync(input.Job, cancellationToken) is not { } other
            ? ActResult.Done
            : Own(other, input);
    }

    private static ActResult Own(JobSnapshot job, StartJobInput input) =>
        job.Annotations.GetValueOrDefault(JobManifest.MaintenanceAnnotation) == input.Maintenance
            ? ActResult.Done
            : new(Verdict.Refused, $"Job {job.Ref} exists and is not ours.");
}

/// <summary>A job to wait for.</summary>
internal sealed record AwaitJobInput(string Node, ObjectRef Job, string? Cursor, DateTimeOffset Until);

/// <summary>Where a job is.</summary>
/// <param name="IsGone">Somebody deleted it.</param>
/// <param name="IsComplete">It succeeded.</param>
/// <param name="Failure">Why it failed, or null.</param>
/// <param name="Pod">What its pod is doing, one sentence, or null.</param>
/// <param name="Cursor">For the next wait.</param>
internal sealed record JobSeen(bool IsGone, bool IsComplete, string? Failure, string? Pod, string? Cursor);

/// <summary>Waits until a job is over, its time is up or a minute has passed. Changes nothing.</summary>
internal sealed class AwaitJobActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock, Wakeups wakeups)
    : ClusterActivity<AwaitJobInput, JobSeen>
{
    // Jobs are not watched; their pods on the node are, so this is for what comes after the pod's end.
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    protected override async Task<JobSeen> RunAsync(AwaitJobInput input, CancellationToken cancellationToken)
    {
        var wait = wakeups.Open(cluster, input.Node, input.Cursor, input.Until);
        while (true)
        {
            var job = await neighbours.GetJobAsync(input.Job, cancellationToken);
            if (job is null or { IsComplete: true } or { Failure: not null } || wait.IsOver)
            {
                var pod = await JobPods.NewestAsync(neighbours, input.Job, cancellationToken);
                return new(job is null, job?.IsComplete == true, job?.Failure, await SayAsync(pod, job, cancellationToken), wait.Cursor);
            }

            await wait.NextAsync(clock.GetUtcNow() + LookAgain, cancellationToken);
        }
    }

    private async Task<string?> SayAsync(PodSnapshot? pod, JobSnapshot? job, CancellationToken cancellationToken) =>
        pod is { Waiting: null } ? $"Its pod {pod.Ref} is {pod.Phase}{(pod.ExitCode is { } code ? $" with exit code {code}" : "")}."
            : pod is null && job is not { IsComplete: false, Failure: null } ? null
            : await JobPods.WhyNoneRunsAsync(cluster, pod, job, cancellationToken);
}

/// <summary>The pods of a job: which there is, and why there is none that runs.</summary>
internal static class JobPods
{
    /// <summary>The newest, or null.</summary>
    public static async Task<PodSnapshot?> NewestAsync(INeighbours neighbours, ObjectRef job, CancellationToken cancellationToken) =>
        (await neighbours.ListPodsAsync(job.Namespace, $"{JobManifest.Label}={job.Name}", cancellationToken)).MaxBy(static pod => pod.CreatedAt);

    /// <summary>What its pod waits for or, without one, what the job's newest warning says: a quota, a policy or an account may forbid the pod. Null: nothing is said.</summary>
    public static async Task<string?> WhyNoneRunsAsync(ICluster cluster, PodSnapshot? pod, JobSnapshot? job, CancellationToken cancellationToken)
    {
        if (pod is not null)
        {
            return pod.Waiting is { } why ? $"Its pod {pod.Ref} does not start ({why.TrimEnd('.')})." : null;
        }

        try
        {
            var events = job is null ? [] : await cluster.ListEventsAsync(job.Ref.Namespace, job.Uid, cancellationToken);
            return events.Where(static one => one.IsWarning).MaxBy(static one => one.At) is { } latest ? $"It has no pod ({latest.Reason}: {latest.Message.TrimEnd('.')})." : null;
        }
        catch (ClusterRefusalException)
        {
            // Events are worth a word and no reason to end what is under way.
            return null;
        }
    }
}

/// <summary>A job to delete.</summary>
internal sealed record EndJobInput(ObjectRef Job, string Maintenance);

/// <summary>Deletes the job of a maintenance with its pods. Safe to run twice.</summary>
internal sealed class EndJobActivity(INeighbours neighbours) : ClusterActivity<EndJobInput, bool>
{
    protected override async Task<bool> RunAsync(EndJobInput input, CancellationToken cancellationToken)
    {
        if (await neighbours.GetJobAsync(input.Job, cancellationToken) is { } job
            && job.Annotations.GetValueOrDefault(JobManifest.MaintenanceAnnotation) == input.Maintenance)
        {
            await neighbours.DeleteJobAsync(job.Ref, job.Uid, cancellationToken);
        }

        return true;
    }
}

/// <summary>A node whose reboot is waited for.</summary>
/// <param name="Node">The node.</param>
/// <param name="BootId">The boot ID before.</param>
/// <param name="Job">The job that reboots it, or null.</param>
/// <param name="Cursor">From the wait before.</param>
/// <param name="Until">Return by then.</param>
internal sealed record AwaitBootInput(string Node, string? BootId, ObjectRef? Job, string? Cursor, DateTimeOffset Until);

/// <summary>What was seen of a reboot.</summary>
/// <param name="BootId">The boot ID now.</param>
/// <param name="At">When that was seen.</param>
/// <param name="IsReady">The node is Ready.</param>
/// <param name="JobFailure">Why the job failed, or null.</param>
/// <param name="Cursor">For the next wait.</param>
internal sealed record BootSeen(string? BootId, DateTimeOffset At, bool IsReady, string? JobFailure, string? Cursor)
{
    /// <summary>Why the job has no pod that runs, one sentence, or null.</summary>
    public string? JobHangs { get; init; }
}

/// <summary>Waits until a node reports another boot ID. Changes nothing.</summary>
internal sealed class AwaitBootActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock, Wakeups wakeups)
    : ClusterActivity<AwaitBootInput, BootSeen>
{
    protected override async Task<BootSeen> RunAsync(AwaitBootInput input, CancellationToken cancellationToken)
    {
        var wait = wakeups.Open(cluster, input.Node, input.Cursor, input.Until);
        while (true)
        {
            var node = await cluster.GetNodeAsync(input.Node, cancellationToken);
            if (wait.IsOver || (node is not null && node.BootId != input.BootId))
            {
                var job = input.Job is { } name ? await neighbours.GetJobAsync(name, cancellationToken) : null;
                var hangs = job is { IsComplete: false, Failure: null } && node is { IsReady: true } && node.BootId == input.BootId;
                return new(node?.BootId, clock.GetUtcNow(), node?.IsReady == true, job?.Failure, wait.Cursor)
                {
                    JobHangs = hangs ? await JobPods.WhyNoneRunsAsync(cluster, await JobPods.NewestAsync(neighbours, job!.Ref, cancellationToken), job, cancellationToken) : null,
                };
            }

            await wait.NextAsync(null, cancellationToken);
        }
    }
}
