using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>One rule of a drain: an answer, or null to ask the next.</summary>
public delegate PodDecision? PodRule(PodFacts facts, DrainPolicy policy, DateTimeOffset now);

/// <summary>What the rules need to know about a pod.</summary>
/// <param name="Pod">The pod.</param>
/// <param name="DaemonSetExists">The DaemonSet that controls it exists; meaningless for other pods.</param>
public sealed record PodFacts(PodSnapshot Pod, bool DaemonSetExists = true);

/// <summary>
/// kubectl's filters in kubectl's order (pkg/drain/filters.go), and launcher pods of virtual machines, which are moved instead.
/// The first that answers decides; a pod that no rule holds is evicted.
/// </summary>
public static class PodRules
{
    /// <summary>The rules in the order they apply.</summary>
    public static readonly IReadOnlyList<PodRule> InOrder =
        [SkipLongTerminating, LeaveDaemonSetPods, LeaveMirrorPods, MoveVirtualMachines, KeepLocalStorage, KeepUnmanaged];

    /// <summary>What happens to the pod.</summary>
    public static PodDecision Decide(PodFacts facts, DrainPolicy policy, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(facts);
        foreach (var rule in InOrder)
        {
            if (rule(facts, policy, now) is { } decision)
            {
                return decision;
            }
        }

        return facts.Pod.IsFinished
            ? Answer(facts, PodVerdict.Evict, "finished", $"It has finished ({facts.Pod.Phase}).")
            : Answer(facts, PodVerdict.Evict, "evict", Managed(facts.Pod));
    }

    private static PodDecision? SkipLongTerminating(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        policy.SkipTerminatingAfter is { } limit && facts.Pod.DeletionRequestedAt is { } since && now - since > limit
            ? Answer(facts, PodVerdict.Keep, "terminating-longer-than", $"It has been terminating since {since:u}, longer than {limit}.")
            : null;

    private static PodDecision? LeaveDaemonSetPods(PodFacts facts, DrainPolicy policy, DateTimeOffset now)
    {
        if (facts.Pod.Controller is not { Kind: "DaemonSet" } owner || facts.Pod.IsFinished)
        {
            return null;
        }

        return (facts.DaemonSetExists, policy) switch
        {
            (false, { EvictUnmanaged: true }) => null,
            (false, _) => Answer(
                facts, PodVerdict.Deny, "daemon-set-missing", $"Its DaemonSet {owner.Name} does not exist: nothing will bring it back."),
            (true, { IgnoreDaemonSets: false }) => Answer(
                facts, PodVerdict.Deny, "daemon-set", $"DaemonSet {owner.Name} would start it again at once, and DaemonSets are not ignored."),
            _ => Answer(facts, PodVerdict.Keep, "daemon-set", $"DaemonSet {owner.Name} would start it again at once."),
        };
    }

    private static PodDecision? LeaveMirrorPods(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.Pod.IsMirror ? Answer(facts, PodVerdict.Keep, "mirror-pod", "The kubelet owns it.") : null;

    private static PodDecision? MoveVirtualMachines(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.Pod is { IsVirtLauncher: true, IsFinished: false, Vmi: { } vmi }
            ? Answer(facts, PodVerdict.MoveVm, "virtual-machine", $"It runs virtual machine {vmi.Name}.")
            : null;

    private static PodDecision? KeepLocalStorage(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.Pod is { HasEmptyDir: true, IsFinished: false } && !policy.DeleteEmptyDirData
            ? Answer(facts, PodVerdict.Deny, "local-storage", "Its emptyDir volumes would be deleted with it.")
            : null;

    private static PodDecision? KeepUnmanaged(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.Pod is { Controller: null, IsFinished: false } && !policy.EvictUnmanaged
            ? Answer(facts, PodVerdict.Deny, "unmanaged", "No controller will bring it back.")
            : null;

    private static string Managed(PodSnapshot pod) => pod switch
    {
        { DeletionRequestedAt: not null } => "It is terminating already.",
        { Controller: { } owner } => $"{owner.Kind} {owner.Name} starts it elsewhere.",
        _ => "Nothing will bring it back; that was accepted.",
    };

    private static PodDecision Answer(PodFacts facts, PodVerdict verdict, string rule, string reason) =>
        new(facts.Pod.Ref, facts.Pod.Uid, verdict, rule, reason);
}
