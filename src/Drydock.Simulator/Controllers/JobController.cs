using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Runs the pods of a Job to completion; failed ones are replaced after a doubling back-off, until the limit.</summary>
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
        if (job.IsDeleting() || job.IsTrue("Complete") || job.IsTrue("Failed") || job.Flag("spec", "suspend"))
        {
            return null;
        }

        var active = Workloads.PodsOf(cluster, job).Where(Pods.IsActive).ToList();
        var missing = Missing(job, active.Count);
        var wait = missing > 0 ? BackoffLeft(job) : TimeSpan.Zero;
        for (; missing > 0 && wait == TimeSpan.Zero; missing--)
        {
            active.Add(Workloads.CreatePod(cluster, job, ResourceTypes.Jobs, NewPod(job), Component));
        }

        WriteActive(job, active);
        return wait > TimeSpan.Zero ? wait : null;
    }

    private static int Wanted(JsonObject job) => (int)(job.Number("spec", "completions") ?? job.Number("spec", "parallelism") ?? 1);

    private static int Missing(JsonObject job, int active)
    {
        var left = Wanted(job) - (int)(job.Number("status", "succeeded") ?? 0);
        return Math.Min(left, (int)(job.Number("spec", "parallelism") ?? 1)) - active;
    }

    private TimeSpan BackoffLeft(JsonObject job)
    {
        var failed = (int)(job.Number("status", "failed") ?? 0);
        return failed > 0 && _lastFailure.TryGetValue(job.UidOf(), out var at)
            ? cluster.Until(at + (FirstBackoff * Math.Pow(2, Math.Min(failed - 1, 6))))
            : TimeSpan.Zero;
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

    private void WriteActive(JsonObject job, List<JsonObject> active)
    {
        cluster.Change(ResourceTypes.Jobs, job, current =>
        {
            var status = current.Ensure("status");
            status.Default("startTime", cluster.Now.Timestamp());
            status.Set(active.Count > 0 ? active.Count : null, "active");
            status["ready"] = active.Count(Pods.IsReady);
            status["terminating"] = Workloads.PodsOf(cluster, job).Count(pod => pod.IsDeleting() && !pod.IsFinished());
            status["uncountedTerminatedPods"] = new JsonObject();
            if ((status.Number("succeeded") ?? 0) >= Wanted(current))
            {
                Complete(current);
            }
            else if ((status.Number("failed") ?? 0) > (current.Number("spec", "backoffLimit") ?? 6))
            {
                current.SetCondition("Failed", "True", cluster.Now, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
            }
        });
    }

    private void Complete(JsonObject job)
    {
        const string message = "Reached expected number of succeeded pods";
        job.Ensure("status")["completionTime"] = cluster.Now.Timestamp();
        job.SetCondition("SuccessCriteriaMet", "True", cluster.Now, "CompletionsReached", message);
        job.SetCondition("Complete", "True", cluster.Now, "CompletionsReached", message);
    }
}
