using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// Runs the pods of a Job to completion; failed ones are replaced after a doubling back-off, until the limit or the deadline, and then
/// the rest is ended. A finished Job with a time to live is deleted when it is over. Indexed completion is not simulated.
/// </summary>
internal sealed class JobController(ClusterContext cluster) : IController
{
    private const string Component = "job-controller";
    private const string Tracking = "batch.kubernetes.io/job-tracking";
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(10);

    // Pods whose end was counted, by the uid of their job.
    private readonly Dictionary<string, DateTimeOffset> _lastFailure = [];

    public IEnumerable<ObjectKey> Affected(Change change) => Workloads.OwnerOf(change, ResourceTypes.Jobs, ResourceTypes.Pods);

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.Jobs, key) is not { } job)
        {
            return null;
        }

        job = Count(job);
        if (IsOver(job))
        {
            return ExpireAt(job);
        }

        if (job.IsDeleting())
        {
            return null;
        }

        job = cluster.Change(ResourceTypes.Jobs, job, Judge) ?? job;
        var active = Workloads.PodsOf(cluster, job).Where(Pods.IsActive).ToList();
        if (job.IsTrue("FailureTarget") || job.IsTrue("SuccessCriteriaMet") || job.Flag("spec", "suspend"))
        {
            active.ForEach(pod => Workloads.DeletePod(cluster, job, ResourceTypes.Jobs, pod, Component));
            WriteActive(job, []);
            return null;
        }

        var missing = Missing(job, active.Count);
        var wait = missing > 0 ? BackoffLeft(job) : TimeSpan.Zero;
        for (; missing > 0 && wait == TimeSpan.Zero; missing--)
        {
            active.Add(Workloads.CreatePod(cluster, job, ResourceTypes.Jobs, NewPod(job), Component));
        }

        WriteActive(job, active);
        return Sooner(wait > TimeSpan.Zero ? wait : null, DeadlineLeft(job));
    }

    private static bool IsOver(JsonObject job) => job.IsTrue("Complete") || job.IsTrue("Failed");

    private static int Wanted(JsonObject job) => (int)(job.Number("spec", "completions") ?? job.Number("spec", "parallelism") ?? 1);

    private static int Missing(JsonObject job, int active)
    {
        var left = Wanted(job) - (int)(job.Number("status", "succeeded") ?? 0);
        return Math.Min(left, (int)(job.Number("spec", "parallelism") ?? 1)) - active;
    }

    private static TimeSpan? Sooner(TimeSpan? one, TimeSpan? other) => one is null || (other is not null && other < one) ? other : one;

    private TimeSpan BackoffLeft(JsonObject job)
    {
        var failed = (int)(job.Number("status", "failed") ?? 0);
        return failed > 0 && _lastFailure.TryGetValue(job.UidOf(), out var at)
            ? cluster.Until(at + (FirstBackoff * Math.Pow(2, Math.Min(failed - 1, 6))))
            : TimeSpan.Zero;
    }

    private TimeSpan? DeadlineLeft(JsonObject job) => Deadline(job) is { } end ? cluster.Until(end) : null;

    private DateTimeOffset? Deadline(JsonObject job) => job.Number("spec", "activeDeadlineSeconds") is { } seconds
        ? (job.Time("status", "startTime") ?? cluster.Now) + TimeSpan.FromSeconds(seconds)
        : null;

    private TimeSpan? ExpireAt(JsonObject job)
    {
        if (job.Number("spec", "ttlSecondsAfterFinished") is not { } seconds || job.IsDeleting())
        {
            return null;
        }

        var ended = (job.IsTrue("Complete") ? job.Condition("Complete") : job.Condition("Failed")).Time("lastTransitionTime") ?? cluster.Now;
        if (cluster.Until(ended + TimeSpan.FromSeconds(seconds)) is { Ticks: > 0 } left)
        {
            return left;
        }

        cluster.Delete(ResourceTypes.Jobs, job, propagation: "Foreground");
        return null;
    }

    private static JsonObject NewPod(JsonObject job)
    {
        var pod = PodTemplates.Instantiate(job, ResourceTypes.Jobs, job.Object("spec", "template")!, job.NameOf() + "-");
        pod.AddFinalizer(Tracking);
        return pod;
    }

    // A pod that ended, or is being deleted before it did, is counted once: the finalizer says whether it was.
    private JsonObject Count(JsonObject job)
    {
        foreach (var pod in Workloads.PodsOf(cluster, job).Where(each => each.HasFinalizer(Tracking) && !each.IsActive()))
        {
            var succeeded = pod.Phase() == "Succeeded";
            cluster.Change(ResourceTypes.Pods, pod, current => current.RemoveFinalizer(Tracking));
            if (!succeeded)
            {
                _lastFailure[job.UidOf()] = cluster.Now;
            }

            job = cluster.Change(ResourceTypes.Jobs, job, current =>
            {
                var field = succeeded ? "succeeded" : "failed";
                current.Ensure("status")[field] = (int)(current.Number("status", field) ?? 0) + 1;
            }) ?? job;
        }

        return job;
    }

    // First the decision is written, then the pods go, then the Job is over: in this order since Kubernetes 1.31.
    private void Judge(JsonObject job)
    {
        job.Ensure("status").Default("startTime", cluster.Now.Timestamp());
        var restarts = Workloads.PodsOf(cluster, job).Sum(PodStatuses.Restarts);
        if (job.IsTrue("SuccessCriteriaMet") || job.IsTrue("FailureTarget"))
        {
            return;
        }

        if ((job.Number("status", "succeeded") ?? 0) >= Wanted(job))
        {
            job.SetCondition("SuccessCriteriaMet", "True", cluster.Now, "CompletionsReached", "Reached expected number of succeeded pods");
        }
        else if ((job.Number("status", "failed") ?? 0) + restarts > (job.Number("spec", "backoffLimit") ?? 6))
        {
            job.SetCondition("FailureTarget", "True", cluster.Now, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        }
        else if (Deadline(job) <= cluster.Now)
        {
            job.SetCondition("FailureTarget", "True", cluster.Now, "DeadlineExceeded", "Job was active longer than specified deadline");
        }

        if (job.Flag("spec", "suspend"))
        {
            job.SetCondition("Suspended", "True", cluster.Now, "JobSuspended", "Job suspended");
        }
        else if (job.Condition("Suspended") is not null)
        {
            job.SetCondition("Suspended", "False", cluster.Now, "JobResumed", "Job resumed");
        }
    }

    private void WriteActive(JsonObject job, List<JsonObject> active)
    {
        var terminating = Workloads.PodsOf(cluster, job).Count(pod => pod.IsDeleting() && !pod.IsFinished());
        var written = cluster.Change(ResourceTypes.Jobs, job, current =>
        {
            var status = current.Ensure("status");
            status.Set(active.Count > 0 ? active.Count : null, "active");
            status["ready"] = active.Count(Pods.IsReady);
            status["terminating"] = terminating;
            status["uncountedTerminatedPods"] = new JsonObject();
            if (active.Count + terminating == 0)
            {
                End(current);
            }
        });
        Tell(job, written);
    }

    private void End(JsonObject job)
    {
        if (job.Condition("SuccessCriteriaMet") is { } success)
        {
            job.Ensure("status")["completionTime"] = cluster.Now.Timestamp();
            job.SetCondition("Complete", "True", cluster.Now, success.Text("reason"), success.Text("message"));
        }
        else if (job.Condition("FailureTarget") is { } failure)
        {
            job.SetCondition("Failed", "True", cluster.Now, failure.Text("reason"), failure.Text("message"));
        }
    }

    private void Tell(JsonObject before, JsonObject? after)
    {
        if (after.IsTrue("Complete") && !before.IsTrue("Complete"))
        {
            cluster.Events.Normal(ResourceTypes.Jobs, before, "Completed", "Job completed", Component);
        }
        else if (after.Condition("Failed") is { } failure && !before.IsTrue("Failed"))
        {
            cluster.Events.Warning(ResourceTypes.Jobs, before, failure.Text("reason")!, failure.Text("message")!, Component);
        }
    }
}
