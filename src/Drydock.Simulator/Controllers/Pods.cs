using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>What can be said about a pod.</summary>
internal static class Pods
{
    public static string Phase(this JsonNode? pod) => pod.Text("status", "phase") ?? "Pending";

    public static string? Node(this JsonNode? pod) => pod.Text("spec", "nodeName");

    public static bool IsFinished(this JsonNode? pod) => pod.Phase() is "Succeeded" or "Failed";

    /// <summary>Neither finished nor being deleted: the pods a controller counts as its replicas.</summary>
    public static bool IsActive(this JsonNode? pod) => !pod.IsFinished() && !pod.IsDeleting();

    public static bool IsReady(this JsonNode? pod) => pod.IsTrue("Ready");

    public static bool IsRunning(this JsonNode? pod) => pod.Phase() == "Running";

    /// <summary>Duration in seconds of a <c>fake-kubelet/…</c> annotation, or null.</summary>
    public static TimeSpan? Steered(this JsonNode? pod, string what) =>
        double.TryParse(pod.Annotation($"fake-kubelet/{what}"), out var seconds) ? TimeSpan.FromSeconds(seconds) : null;

    public static bool IsSteered(this JsonNode? pod, string what) => pod.Annotation($"fake-kubelet/{what}") == "true";

    public static DateTimeOffset? CreatedAt(this JsonNode? item) => item.Time("metadata", "creationTimestamp");

    /// <summary>Writes the status of a pod whose containers have ended; they were killed if it did not succeed and no exit code is given.</summary>
    public static void Finish(this JsonObject pod, DateTimeOffset now, bool succeeded, int killedWith = 137)
    {
        var status = pod.Ensure("status");
        status["phase"] = succeeded ? "Succeeded" : "Failed";
        status["observedGeneration"] = pod.Number("metadata", "generation") ?? 1;
        foreach (var type in (string[])["Ready", "ContainersReady"])
        {
            pod.SetCondition(type, "False", now, succeeded ? "PodCompleted" : "PodFailed");
        }

        foreach (var container in pod.Objects("status", "containerStatuses").Concat(pod.Objects("status", "initContainerStatuses")))
        {
            container["ready"] = false;
            container["started"] = false;
            if (container.At("state", "terminated") is null)
            {
                container["state"] = Terminated(container.Text("state", "running", "startedAt"), now, succeeded ? 0 : killedWith);
            }
        }
    }

    /// <summary>The state of a container that has ended.</summary>
    public static JsonObject Terminated(string? startedAt, DateTimeOffset now, int exitCode) => new()
    {
        ["terminated"] = new JsonObject
        {
            ["exitCode"] = exitCode,
            ["reason"] = exitCode switch
            {
                0 => "Completed",
                255 => "Unknown",
                _ => "Error",
            },
            ["startedAt"] = startedAt ?? now.Timestamp(),
            ["finishedAt"] = now.Timestamp(),
        },
    };
}
