using Drydock.Kubernetes;
using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance.Drain;

/// <summary>Reads what is on a node and tells what of it a drain does not know yet.</summary>
internal sealed class DrainReader(ICluster cluster, TimeProvider clock, AwaitPodsInput input)
{
    private readonly PodReader _pods = new(cluster, clock, input.Policy);
    private readonly HashSet<ObjectRef> _knownVms = [.. input.KnownVms];
    private readonly Dictionary<string, string?> _known = input.Known.Zip(input.Codes ?? input.Known.Select(_ => (string?)null))
        .ToDictionary(pod => pod.First, pod => pod.Second, StringComparer.Ordinal);

    public async Task<PodsSeen> ReadAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var pods = await _pods.ReadAsync(input.Node, cancellationToken);
        var leaving = pods.Where(pod => pod.Decision.Verdict is PodVerdict.Evict or PodVerdict.Deny or PodVerdict.AwaitCompletion).ToList();
        var budgets = leaving.Exists(pod => pod.Pod.DeletionRequestedAt is null) ? cluster.WatchedBudgets ?? await cluster.ListBudgetsAsync(cancellationToken) : [];
        var node = leaving.Exists(pod => LatePods.IsLate(pod.Pod, now)) ? await cluster.GetNodeAsync(input.Node, cancellationToken) : null;
        var entries = leaving.Select(pod => EntryOf(pod, budgets, LatePods.WhyStuck(pod.Pod, node, now), endsSooner: EndsSooner(pod.Pod, now))).ToList();
        var there = pods.Select(pod => pod.Pod.Uid).ToHashSet(StringComparer.Ordinal);
        var mustGo = entries.Select(entry => entry.Uid).ToHashSet(StringComparer.Ordinal);
        var ofMachines = OfMachines(pods);
        _knownVms.IntersectWith(ofMachines.Select(pod => pod.Pod.Vmi).OfType<ObjectRef>());

        var covering = budgets.Where(budget => leaving.Exists(pod => budget.Covers(pod.Pod))).ToList();

        return new PodsSeen(
            null,
            now,
            [.. input.Known.Where(uid => !there.Contains(uid))],
            [.. entries.Where(entry => !_known.ContainsKey(entry.Uid))],
            [.. ofMachines.Select(pod => pod.Pod.Vmi).OfType<ObjectRef>().Distinct().Except(_knownVms)],
            ofMachines.Count,
            pods.Count,
            covering.ToDictionary(budget => budget.Ref.ToString(), Allowed, StringComparer.Ordinal))
        {
            StillThere = [.. _knownVms],
            VmOrders = Orders(ofMachines),
            Versions = covering.ToDictionary(budget => budget.Ref.ToString(), budget => budget.ResourceVersion, StringComparer.Ordinal),
            Changed = [.. entries.Where(entry => _known.GetValueOrDefault(entry.Uid) is { } code && code != entry.Code)],
            Released = [.. input.Known.Where(uid => there.Contains(uid) && !mustGo.Contains(uid) && _known[uid] != PodEntry.ReleasedCode)],
            Attached = entries.Count + ofMachines.Count == 0 && input.Policy.WaitForVolumeDetach
                ? [.. (await cluster.ListVolumeAttachmentsAsync(input.Node, [.. pods.Select(pod => pod.Pod)], cancellationToken)).Select(Describe)]
                : [],
        };
    }

    /// <summary>The launchers of those that must go, with the pods of their hotplugged volumes, which a launcher owns and which carry none of its labels.</summary>
    private List<ClassifiedPod> OfMachines(IReadOnlyList<ClassifiedPod> pods)
    {
        var skipped = pods
            .Where(pod => pod.Pod.Vmi is { } vmi && (input.Skipped.Contains(vmi) || pod.Decision.Verdict is PodVerdict.Keep or PodVerdict.AwaitCompletion))
            .Select(pod => pod.Pod.Uid).ToHashSet(StringComparer.Ordinal);
        return [.. pods.Where(pod => pod.Decision.Verdict == PodVerdict.MoveVm
            && !skipped.Contains(pod.Pod.Uid) && !(pod.Pod.Controller is { Kind: "Pod" } launcher && skipped.Contains(launcher.Uid)))];
    }

    private static Dictionary<string, int>? Orders(IEnumerable<ClassifiedPod> ofMachines)
    {
        var ordered = ofMachines.Where(static pod => pod is { Pod.Vmi: not null, Decision.Order: not 0 })
            .GroupBy(static pod => pod.Pod.Vmi!.Value.ToString(), StringComparer.Ordinal)
            .ToDictionary(static machine => machine.Key, static machine => machine.Max(pod => pod.Decision.Order), StringComparer.Ordinal);
        return ordered.Count == 0 ? null : ordered;
    }

    // The watch may not have told yet what our own evictions took: of a version that was known before, what is left by our own count holds.
    private int Allowed(BudgetSnapshot budget)
    {
        var name = budget.Ref.ToString();
        return input.Versions.GetValueOrDefault(name) == budget.ResourceVersion
            ? Math.Min(budget.DisruptionsAllowed, input.Held.GetValueOrDefault(name))
            : budget.DisruptionsAllowed;
    }

    // As kubectl does: a pod that somebody gave longer than the drain is asked once more, with the time that was asked for.
    private bool EndsSooner(PodSnapshot pod, DateTimeOffset now) =>
        input.Policy.GracePeriod is { } grace && pod.GoneBy - pod.DeletionRequestedAt > grace && pod.GoneBy > now + grace;

    private static PodEntry EntryOf(ClassifiedPod pod, IReadOnlyList<BudgetSnapshot> budgets, string? stuck, bool endsSooner)
    {
        var covering = budgets.Where(budget => budget.Covers(pod.Pod)).ToList();
        var isDenied = pod.Decision.Verdict == PodVerdict.Deny;
        var waits = pod.Decision.Verdict == PodVerdict.AwaitCompletion;
        return new PodEntry(pod.Pod.Ref.Namespace, pod.Pod.Ref.Name, pod.Pod.Uid)
        {
            Budget = covering.Count == 1 ? covering[0].Ref.ToString() : null,
            IgnoresBudget = covering.Count == 1 && (endsSooner || covering[0].LetsGo(pod.Pod)),
            IsLeaving = pod.Pod.DeletionRequestedAt is not null && !endsSooner,
            LeavingSince = pod.Pod.DeletionRequestedAt,
            Owner = pod.Pod.Controller is { } owner ? $"{owner.Kind.ToLowerInvariant()}/{pod.Pod.Ref.Namespace}/{owner.Name}" : null,
            IsLauncher = pod.Pod.IsVirtLauncher,
            IsOfMachine = pod.Pod.IsVirtLauncher || pod.Pod.IsHotplugVolume,
            Order = pod.Decision.Order,
            Waits = waits,
            Denied = isDenied ? pod.Decision.Rule : null,
            Message = isDenied || waits ? pod.Decision.Reason : null,
            Stuck = stuck,
        };
    }

    private static string Describe(VolumeAttachmentSnapshot attachment) =>
        attachment.DetachError is { } error ? $"{attachment.Name}: {error}" : attachment.Name;
}
