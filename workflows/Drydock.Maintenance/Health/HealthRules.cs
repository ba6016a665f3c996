using Drydock.Kubernetes;

namespace Drydock.Maintenance.Health;

/// <summary>What a node was like before its maintenance, as far as the health check asks for it again.</summary>
/// <param name="HadKubeVirt">It was labelled <c>kubevirt.io/schedulable</c>.</param>
/// <param name="HadHeartbeat">It had a <c>kubevirt.io/heartbeat</c>.</param>
/// <param name="UnreadyDaemonSets">DaemonSets whose pod on it was not Ready before: their pods are not waited for.</param>
internal sealed record HealthBaseline(bool HadKubeVirt, bool HadHeartbeat, IReadOnlyList<string> UnreadyDaemonSets)
{
    /// <summary>Its boot ID.</summary>
    public string? BootId { get; init; }

    /// <summary>The CSI drivers that were registered on it.</summary>
    public IReadOnlyList<string> CsiDrivers { get; init; } = [];

    /// <summary>DaemonSets that had a Ready pod on it; null in what was stored before they were kept: none is missed.</summary>
    public IReadOnlyList<string>? DaemonSets { get; init; }

    public static HealthBaseline Of(NodeSnapshot node, IReadOnlyList<PodSnapshot> pods, IReadOnlyList<string> csiDrivers) => new(
        node.KubeVirtSchedulable is true,
        node.KubeVirtHeartbeat is not null,
        [.. DaemonSetRules.Pods(pods).Where(pod => !pod.IsReady).Select(DaemonSetRules.NameOf)])
    {
        DaemonSets = [.. DaemonSetRules.Pods(pods).Where(pod => pod.IsReady).Select(DaemonSetRules.NameOf).Distinct().Order(StringComparer.Ordinal)],
        BootId = node.BootId,
        CsiDrivers = csiDrivers,
    };
}

/// <summary>What must be true of the node.</summary>
/// <param name="Before">What it was like before.</param>
/// <param name="Policy">What was asked for.</param>
/// <param name="MustReboot">The boot ID must be another.</param>
/// <param name="RebootedAt">When an action saw the new boot ID, or null.</param>
internal sealed record HealthDemand(HealthBaseline Before, HealthPolicy Policy, bool MustReboot, DateTimeOffset? RebootedAt)
{
    /// <summary>When the check began: a node that nobody saw boot had booted by then. Null in what was stored before it was kept.</summary>
    public DateTimeOffset? AskedAt { get; init; }
}

/// <summary>What was seen of a node.</summary>
internal sealed record HealthFacts(NodeSnapshot? Node, IReadOnlyList<PodSnapshot> Pods, IReadOnlyList<string> CsiDrivers)
{
    /// <summary>Of the DaemonSets that have no pod on it any more those that still exist, and where their pods may be placed.</summary>
    public IReadOnlyDictionary<ObjectRef, PodPlacement> DaemonSets { get; init; } = new Dictionary<ObjectRef, PodPlacement>();

    /// <summary>
    /// When we first saw what its condition Ready says now, by our clock: the time it tells is the node's own, which may be ahead after a boot.
    /// Null: not known.
    /// </summary>
    public DateTimeOffset? ReadySeenAt { get; init; }
}

/// <summary>A check that fails.</summary>
/// <param name="Check">Stable name in kebab case.</param>
/// <param name="Saw">What was seen, one sentence.</param>
/// <param name="PassesAt">When it passes if nothing changes, or null.</param>
/// <param name="IsFinal">Waiting will not mend it.</param>
internal sealed record FailedCheck(string Check, string Saw, DateTimeOffset? PassesAt = null, bool IsFinal = false);

/// <summary>Whether a node may take work again. Pure: the checks in order; an empty answer is health.</summary>
internal static class HealthRules
{
    /// <summary>KubeVirt takes a node for dead when its heartbeat is older than that (facts 2.3.11).</summary>
    public static readonly TimeSpan HeartbeatMustBeNewerThan = TimeSpan.FromMinutes(5);

    // Writes label and heartbeat; it tolerates no taint of ours.
    private const string VirtHandler = "virt-handler";

    private static readonly string[] Pressures = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];

    /// <summary>The checks that fail.</summary>
    public static IReadOnlyList<FailedCheck> Check(HealthFacts facts, HealthDemand demand, DateTimeOffset now)
    {
        if (facts.Node is not { } node)
        {
            return [new("node-exists", "The node is gone.")];
        }

        var readySince = ReadySince(node, facts.ReadySeenAt);
        var boot = BootOf(node, demand, readySince);
        var keptAway = DaemonSetRules.KeptAway(node, facts, demand.Before);
        return
        [
            .. Booted(node, demand),
            .. Ready(node, demand.Policy, readySince, boot, now),
            .. NoPressure(node),
            .. Version(node, demand.Policy),
            .. keptAway.Any(static name => name.Name == VirtHandler) ? [] : KubeVirt(node, demand.Before, boot, now),
            .. DaemonSetRules.Check(node, facts, demand.Before),
            .. Csi(facts.CsiDrivers, demand.Before, keptAway),
        ];
    }

    // What was reported before the boot says nothing about the node. No one says when it booted: when an action saw it, else at the latest
    // when the check began or, if that is later, when it became Ready. A node that is back soon never stopped being Ready.
    private static DateTimeOffset? BootOf(NodeSnapshot node, HealthDemand demand, DateTimeOffset? ready)
    {
        if (demand.RebootedAt is not null || node.BootId == demand.Before.BootId || demand.Before.BootId is null)
        {
            return demand.RebootedAt;
        }

        return ready is null || demand.AskedAt > ready ? demand.AskedAt : ready;
    }

    // What lies ahead of our first sight of it is told by a clock that is ahead of ours.
    private static DateTimeOffset? ReadySince(NodeSnapshot node, DateTimeOffset? seenAt)
    {
        var since = node.Conditions.FirstOrDefault(condition => condition.Type == "Ready")?.Since;
        return since > seenAt ? seenAt : since;
    }

    private static IEnumerable<FailedCheck> Booted(NodeSnapshot node, HealthDemand demand)
    {
        if (demand.MustReboot && node.BootId == demand.Before.BootId)
        {
            yield return new("boot-id", $"The node has not rebooted: its boot ID is still {node.BootId}.");
        }
    }

    private static IEnumerable<FailedCheck> Ready(NodeSnapshot node, HealthPolicy policy, DateTimeOffset? readySince, DateTimeOffset? boot, DateTimeOffset now)
    {
        var ready = node.Conditions.FirstOrDefault(condition => condition.Type == "Ready");
        if (ready?.Status != "True")
        {
            yield return new("ready", $"Ready is {ready?.Status ?? "missing"}{(ready?.Reason is { } reason ? $" ({reason})" : "")}.");
            yield break;
        }

        // A node that is back within the grace period of its lease never stopped being Ready.
        var since = boot > readySince ? boot : readySince;
        if (since + policy.StableFor is { } steadyAt && steadyAt > now)
        {
            yield return new("ready-steady", $"Ready since {since:HH:mm:ss}, wanted for {Spoken.Of(policy.StableFor)}.", steadyAt);
        }
    }

    private static IEnumerable<FailedCheck> NoPressure(NodeSnapshot node) =>
        from condition in node.Conditions
        where condition.Status == "True" && Pressures.Contains(condition.Type)
        select new FailedCheck("no-pressure", $"{condition.Type}: {condition.Message ?? condition.Reason}");

    private static IEnumerable<FailedCheck> Version(NodeSnapshot node, HealthPolicy policy)
    {
        if (policy.KubeletVersion is { } least && !KubeletVersions.IsAtLeast(node.KubeletVersion, least))
        {
            yield return new("kubelet-version", $"The kubelet is {node.KubeletVersion ?? "of no known version"}, at least {least} is wanted.");
        }
    }

    private static IEnumerable<FailedCheck> KubeVirt(NodeSnapshot node, HealthBaseline before, DateTimeOffset? boot, DateTimeOffset now)
    {
        if (before.HadKubeVirt && node.KubeVirtSchedulable is not true)
        {
            yield return new("kubevirt-schedulable", $"Label kubevirt.io/schedulable is {(node.KubeVirtSchedulable is null ? "missing" : "false")}.");
        }

        if (!before.HadHeartbeat)
        {
            yield break;
        }

        if (node.KubeVirtHeartbeat is not { } heartbeat || now - heartbeat >= HeartbeatMustBeNewerThan)
        {
            yield return new("kubevirt-heartbeat", $"The last heartbeat of virt-handler is from {node.KubeVirtHeartbeat:u}.");
        }
        else if (heartbeat < boot)
        {
            yield return new("kubevirt-heartbeat", $"The last heartbeat of virt-handler ({heartbeat:HH:mm:ss}) is from before the boot ({boot:HH:mm:ss}).");
        }
    }

    private static IEnumerable<FailedCheck> Csi(IReadOnlyList<string> drivers, HealthBaseline before, IReadOnlyList<ObjectRef> keptAway)
    {
        // Which DaemonSet registers which driver is told nowhere.
        var why = keptAway.Count == 0 ? ""
            : $" The taints of the maintenance keep DaemonSet {keptAway[0]} away until the node is put back; if that is what registers it, the health check cannot pass.";
        return from driver in before.CsiDrivers
               where !drivers.Contains(driver)
               select new FailedCheck("csi-drivers", $"CSI driver {driver} is not registered on the node any more.{why}");
    }
}
