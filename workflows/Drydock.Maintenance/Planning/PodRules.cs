using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>One rule of a drain: an answer, or null to ask the next.</summary>
public delegate PodDecision? PodRule(PodFacts facts, DrainPolicy policy, DateTimeOffset now);

/// <summary>What the rules need to know about a pod.</summary>
/// <param name="Pod">The pod.</param>
/// <param name="DaemonSetExists">The DaemonSet that controls it exists; meaningless for other pods.</param>
public sealed record PodFacts(PodSnapshot Pod, bool DaemonSetExists = true)
{
    /// <summary>The pod selector of the drain matches it.</summary>
    public bool IsSelected { get; init; } = true;

    /// <summary>The rule of the request that is about it, or null.</summary>
    public DrainRule? Rule { get; init; }
}

/// <summary>
/// kubectl's filters in kubectl's order (pkg/drain/filters.go), after them the rules of the request (where Cluster API has its
/// MachineDrainRules), and pods of virtual machines, which are moved instead. The first that answers decides; a pod that no rule holds is
/// evicted. A pod that refuses the drain says so in kubectl's words.
/// </summary>
public static class PodRules
{
    /// <summary>The label by which Cluster API leaves a pod where it is, with the value <c>skip</c>.</summary>
    public const string DrainLabel = "cluster.x-k8s.io/drain";

    /// <summary>The rules in the order they apply.</summary>
    public static readonly IReadOnlyList<PodRule> InOrder =
    [
        LeaveUnselected, SkipLongTerminating, LeaveDaemonSetPods, LeaveMirrorPods, LeaveLabelled, ApplyRule, LeaveFinished, MoveVirtualMachines,
        KeepLocalStorage, KeepUnmanaged,
    ];

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
            : Answer(facts, PodVerdict.Evict, "evict", Managed(facts));
    }

    private static PodDecision? LeaveUnselected(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.IsSelected ? null : Answer(facts, PodVerdict.Keep, "pod-selector", $"The pod selector {policy.PodSelector} does not match it.");

    private static PodDecision? SkipLongTerminating(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        policy.SkipTerminatingAfter is { } limit && facts.Pod.GoneBy is { } due && now - due > limit
            ? Answer(facts, PodVerdict.Keep, "terminating-longer-than", $"Its grace period ended at {due:u}, longer than {Spoken.Of(limit)} ago.")
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
                facts, PodVerdict.Deny, "daemon-set-missing",
                $"Its DaemonSet {owner.Name} does not exist, nothing will bring it back: cannot delete Pods that declare no controller (use --force to override)."),
            (true, { IgnoreDaemonSets: false }) => Answer(
                facts, PodVerdict.Deny, "daemon-set",
                $"DaemonSet {owner.Name} would start it again at once: cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)."),
            _ => Answer(facts, PodVerdict.Keep, "daemon-set", $"DaemonSet {owner.Name} would start it again at once."),
        };
    }

    private static PodDecision? LeaveMirrorPods(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.Pod.IsMirror ? Answer(facts, PodVerdict.Keep, "mirror-pod", "The kubelet owns it.") : null;

    private static PodDecision? LeaveLabelled(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.Pod.Labels.TryGetValue(DrainLabel, out var value) && value == "skip"
            ? Answer(facts, PodVerdict.Keep, "drain-label", $"Its label {DrainLabel}=skip says so.")
            : null;

    private static PodDecision? ApplyRule(PodFacts facts, DrainPolicy policy, DateTimeOffset now) => (facts.Rule?.Behavior, facts.Pod.IsFinished) switch
    {
        (DrainBehavior.Skip, _) => Answer(facts, PodVerdict.Keep, "drain-rule", $"{Named(facts.Rule!)} leaves it where it is."),
        (DrainBehavior.WaitForCompletion, false) => Answer(
            facts, PodVerdict.AwaitCompletion, "drain-rule", $"{Named(facts.Rule!)} waits until it has finished by itself{AtDeadline(facts.Pod, policy)}."),
        _ => null,
    };

    private static string AtDeadline(PodSnapshot pod, DrainPolicy policy) => (policy.OnTimeout, pod.IsVirtLauncher || pod.IsHotplugVolume) switch
    {
        (DeadlinePolicy.Force, true) => "; it is not deleted by force, which would end its virtual machine: if that runs on the drain fails",
        (DeadlinePolicy.Force, false) => "; at the deadline it is deleted (on-timeout: Force)",
        _ => "",
    };

    private static PodDecision? LeaveFinished(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.Pod.IsFinished && policy.KeepFinished
            ? Answer(facts, PodVerdict.Keep, "finished", $"It has finished ({facts.Pod.Phase}), and finished pods are kept.")
            : null;

    private static PodDecision? MoveVirtualMachines(PodFacts facts, DrainPolicy policy, DateTimeOffset now) => facts.Pod switch
    {
        { IsVirtLauncher: true, IsFinished: false, Vmi: { } vmi } => Answer(facts, PodVerdict.MoveVm, "virtual-machine", $"It runs virtual machine {vmi.Name}."),
        { IsHotplugVolume: true, IsFinished: false } => Answer(
            facts, PodVerdict.MoveVm, "hotplug-volume", "It attaches a volume to a running virtual machine and goes with it."),
        _ => null,
    };

    private static PodDecision? KeepLocalStorage(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.Pod is { HasEmptyDir: true, IsFinished: false } && !policy.DeleteEmptyDirData
            ? Answer(
                facts, PodVerdict.Deny, "local-storage",
                "Its emptyDir volumes would be deleted with it: cannot delete Pods with local storage (use --delete-emptydir-data to override).")
            : null;

    private static PodDecision? KeepUnmanaged(PodFacts facts, DrainPolicy policy, DateTimeOffset now) =>
        facts.Pod is { Controller: null, IsFinished: false } && !policy.EvictUnmanaged
            ? Answer(
                facts, PodVerdict.Deny, "unmanaged",
                "Nothing will bring it back: cannot delete Pods that declare no controller (use --force to override).")
            : null;

    private static string Managed(PodFacts facts) => facts switch
    {
        { Pod.DeletionRequestedAt: not null } => "It is terminating already.",
        { DaemonSetExists: false, Pod.Controller: { Kind: "DaemonSet" } owner } => $"Its DaemonSet {owner.Name} does not exist: nothing will bring it back; that was accepted.",
        { Pod.Controller: { } owner } => $"{owner.Kind} {owner.Name} starts it elsewhere.",
        _ => "Nothing will bring it back; that was accepted.",
    };

    private static string Named(DrainRule rule) => (rule.PodSelector, rule.NamespaceSelector) switch
    {
        (null, null) => "The rule for all pods",
        ({ } pods, null) => $"The rule for {pods}",
        (null, { } namespaces) => $"The rule for namespaces with {namespaces}",
        ({ } pods, { } namespaces) => $"The rule for {pods} in namespaces with {namespaces}",
    };

    private static PodDecision Answer(PodFacts facts, PodVerdict verdict, string rule, string reason) =>
        new(facts.Pod.Ref, facts.Pod.Uid, verdict, rule, reason) { Order = verdict is PodVerdict.Evict or PodVerdict.MoveVm ? facts.Rule?.Order ?? 0 : 0 };
}
