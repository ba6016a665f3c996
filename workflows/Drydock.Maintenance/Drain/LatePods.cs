using Drydock.Kubernetes;

namespace Drydock.Maintenance.Drain;

/// <summary>Pods whose grace period is over and that are still there, and why. Pure.</summary>
internal static class LatePods
{
    /// <summary>What the kubelet may take beyond the grace period before its silence is worth telling.</summary>
    private static readonly TimeSpan KubeletMayTake = TimeSpan.FromSeconds(30);

    /// <summary>From when on a pod that is being deleted is late; null: it is not being deleted.</summary>
    public static DateTimeOffset? LateAt(PodSnapshot pod) => pod.GoneBy + KubeletMayTake;

    /// <summary>It should have been gone by now.</summary>
    public static bool IsLate(PodSnapshot pod, DateTimeOffset now) => now >= LateAt(pod);

    /// <summary>Why a pod that is late is still there, one sentence; null: it is not late.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="node">Its node; null: gone, or not looked at.</param>
    /// <param name="now">The time.</param>
    public static string? WhyStuck(PodSnapshot pod, NodeSnapshot? node, DateTimeOffset now)
    {
        if (!IsLate(pod, now))
        {
            return null;
        }

        var late = $"It should have been gone at {pod.GoneBy:u}; ";
        var ready = node?.Conditions.FirstOrDefault(condition => condition.Type == "Ready");
        return pod switch
        {
            { Finalizers.Count: > 0 } => $"{late}its finalizers keep it: {string.Join(", ", pod.Finalizers)}.",
            _ when ready is { Status: not "True" } => $"{late}the kubelet of its node does not answer (Ready is {ready.Status} since {ready.Since:u}).",
            _ => $"{late}the kubelet of its node has not ended it.",
        };
    }
}
