using Drydock.Kubernetes;

namespace Drydock.Maintenance.Health;

/// <summary>Whether the pods of DaemonSets are on a node as they were before its maintenance. Pure.</summary>
internal static class DaemonSetRules
{
    /// <summary>Of a check that fails since a pod is missing.</summary>
    public const string Missing = "daemon-sets";

    // What the DaemonSet controller adds to every pod it makes (Kubernetes documentation, "DaemonSet", "Taints and tolerations").
    private static readonly NodeTaint[] Tolerated =
    [
        .. new[] { "not-ready", "unreachable" }.Select(static key => new NodeTaint($"node.kubernetes.io/{key}", null, "NoExecute")),
        .. new[] { "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable" }
            .Select(static key => new NodeTaint($"node.kubernetes.io/{key}", null, "NoSchedule")),
    ];

    /// <summary>The pods of DaemonSets that are meant to run.</summary>
    public static IEnumerable<PodSnapshot> Pods(IEnumerable<PodSnapshot> pods) =>
        pods.Where(pod => pod is { Controller.Kind: "DaemonSet", IsFinished: false, DeletionRequestedAt: null });

    /// <summary>Namespace and name of the DaemonSet of such a pod.</summary>
    public static string NameOf(PodSnapshot pod) => $"{pod.Ref.Namespace}/{pod.Controller!.Name}";

    /// <summary>The DaemonSets that had a Ready pod before and have none that is meant to run now.</summary>
    public static IReadOnlyList<ObjectRef> WithoutPod(HealthBaseline before, IReadOnlyList<PodSnapshot> pods) =>
    [
        .. (before.DaemonSets ?? []).Except(Pods(pods).Select(NameOf))
            .Select(static name => name.Split('/')).Select(static name => new ObjectRef(name[0], name[1])),
    ];

    /// <summary>
    /// A pod that is not Ready and was before, or that is missing although its DaemonSet wants one on the node as it is now: labels may
    /// have changed with its system, and what does not tolerate the taints of the maintenance comes back only after it.
    /// </summary>
    public static IEnumerable<FailedCheck> Check(NodeSnapshot node, HealthFacts facts, HealthBaseline before)
    {
        foreach (var pod in Pods(facts.Pods).Where(pod => !pod.IsReady && !before.UnreadyDaemonSets.Contains(NameOf(pod))))
        {
            yield return new("daemon-set-pods", $"Pod {pod.Ref} of DaemonSet {pod.Controller!.Name} is not Ready.");
        }

        foreach (var name in WithoutPod(before, facts.Pods).Where(name => facts.DaemonSets.TryGetValue(name, out var asks) && Wants(asks, node)))
        {
            var last = facts.Pods.FirstOrDefault(pod => pod.Controller is { Kind: "DaemonSet" } && NameOf(pod) == name.ToString());
            yield return new(Missing, last is null ? $"DaemonSet {name} has no pod on the node any more." : Leaving(last));
        }
    }

    /// <summary>
    /// The DaemonSets that had a Ready pod before and whose new one a taint keeps away until the maintenance is over, as after an update of
    /// the DaemonSet meanwhile: what that pod does for the node can only be looked at after that.
    /// </summary>
    public static IReadOnlyList<ObjectRef> KeptAway(NodeSnapshot node, HealthFacts facts, HealthBaseline before) =>
        [.. WithoutPod(before, facts.Pods).Where(name => facts.DaemonSets.TryGetValue(name, out var asks) && asks.Selects(node) && !Wants(asks, node))];

    private static string Leaving(PodSnapshot pod)
    {
        var why = pod.IsFinished ? $"is {pod.Phase}" : "is being deleted";
        return $"Pod {pod.Ref} of DaemonSet {pod.Controller!.Name} {why}, and there is none in its place yet.";
    }

    private static bool Wants(PodPlacement asks, NodeSnapshot node)
    {
        var others = node.Taints.Where(taint => !Tolerated.Any(one => one.Key == taint.Key && one.Effect == taint.Effect));
        return asks.Selects(node) && asks.FirstUntolerated(node with { Taints = [.. others] }) is null;
    }
}
