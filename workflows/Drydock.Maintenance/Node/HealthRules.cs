using Drydock.Kubernetes;

namespace Drydock.Maintenance.Node;

/// <summary>What a node was like before its maintenance, as far as the health check asks for it again.</summary>
/// <param name="HadKubeVirt">It was labelled <c>kubevirt.io/schedulable</c>.</param>
/// <param name="HadHeartbeat">It had a <c>kubevirt.io/heartbeat</c>.</param>
/// <param name="UnreadyDaemonSets">DaemonSets whose pod on it was not Ready before: their pods are not waited for.</param>
internal sealed record HealthBaseline(bool HadKubeVirt, bool HadHeartbeat, IReadOnlyList<string> UnreadyDaemonSets)
{
    public static HealthBaseline Of(NodeSnapshot node, IEnumerable<PodSnapshot> pods) => new(
        node.KubeVirtSchedulable is true,
        node.KubeVirtHeartbeat is not null,
        [.. HealthRules.DaemonSetPods(pods).Where(pod => !pod.IsReady).Select(HealthRules.DaemonSetOf)]);
}

/// <summary>A check that fails.</summary>
/// <param name="Check">Stable name in kebab case.</param>
/// <param name="Saw">What was seen, one sentence.</param>
/// <param name="PassesAt">When it passes if nothing changes, or null.</param>
internal sealed record FailedCheck(string Check, string Saw, DateTimeOffset? PassesAt = null);

/// <summary>Whether a node may take work again. Pure: the checks in order; an empty answer is health.</summary>
internal static class HealthRules
{
    /// <summary>KubeVirt takes a node for dead when its heartbeat is older than that (facts 2.3.11).</summary>
    public static readonly TimeSpan HeartbeatMustBeNewerThan = TimeSpan.FromMinutes(5);

    private static readonly string[] Pressures = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];

    /// <summary>The checks that fail.</summary>
    public static IReadOnlyList<FailedCheck> Check(
        NodeSnapshot? node, IEnumerable<PodSnapshot> pods, HealthBaseline before, HealthPolicy policy, DateTimeOffset now)
    {
        if (node is null)
        {
            return [new("node-exists", "The node is gone.")];
        }

        return [.. Ready(node, policy, now), .. NoPressure(node), .. KubeVirt(node, before, now), .. DaemonSets(pods, before)];
    }

    /// <summary>The pods of DaemonSets that are meant to run.</summary>
    public static IEnumerable<PodSnapshot> DaemonSetPods(IEnumerable<PodSnapshot> pods) =>
        pods.Where(pod => pod is { Controller.Kind: "DaemonSet", IsFinished: false, DeletionRequestedAt: null });

    /// <summary>Namespace and name of the DaemonSet of such a pod.</summary>
    public static string DaemonSetOf(PodSnapshot pod) => $"{pod.Ref.Namespace}/{pod.Controller!.Name}";

    private static IEnumerable<FailedCheck> Ready(NodeSnapshot node, HealthPolicy policy, DateTimeOffset now)
    {
        var ready = node.Conditions.FirstOrDefault(condition => condition.Type == "Ready");
        if (ready?.Status != "True")
        {
            yield return new("ready", $"Ready is {ready?.Status ?? "missing"}{(ready?.Reason is { } reason ? $" ({reason})" : "")}.");
        }
        else if (ready.Since + policy.StableFor is { } steadyAt && steadyAt > now)
        {
            yield return new("ready-steady", $"Ready since {ready.Since:HH:mm:ss}, wanted for {policy.StableFor}.", steadyAt);
        }
    }

    private static IEnumerable<FailedCheck> NoPressure(NodeSnapshot node) =>
        from condition in node.Conditions
        where condition.Status == "True" && Pressures.Contains(condition.Type)
        select new FailedCheck("no-pressure", $"{condition.Type}: {condition.Message ?? condition.Reason}");

    private static IEnumerable<FailedCheck> KubeVirt(NodeSnapshot node, HealthBaseline before, DateTimeOffset now)
    {
        if (before.HadKubeVirt && node.KubeVirtSchedulable is not true)
        {
            yield return new("kubevirt-schedulable", $"Label kubevirt.io/schedulable is {(node.KubeVirtSchedulable is null ? "missing" : "false")}.");
        }

        if (before.HadHeartbeat && (node.KubeVirtHeartbeat is not { } heartbeat || now - heartbeat >= HeartbeatMustBeNewerThan))
        {
            yield return new("kubevirt-heartbeat", $"The last heartbeat of virt-handler is from {node.KubeVirtHeartbeat:u}.");
        }
    }

    private static IEnumerable<FailedCheck> DaemonSets(IEnumerable<PodSnapshot> pods, HealthBaseline before) =>
        from pod in DaemonSetPods(pods)
        where !pod.IsReady && !before.UnreadyDaemonSets.Contains(DaemonSetOf(pod))
        select new FailedCheck("daemon-set-pods", $"Pod {pod.Ref} of DaemonSet {pod.Controller!.Name} is not Ready.");
}
