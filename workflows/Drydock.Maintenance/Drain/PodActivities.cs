using Drydock.Kubernetes;
using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance.Drain;

/// <summary>What to wait for on a node.</summary>
/// <param name="Node">The node.</param>
/// <param name="Policy">The rules for pods that come later.</param>
/// <param name="Known">Uids of the pods known to be there.</param>
/// <param name="KnownVms">Virtual machines known to be moved.</param>
/// <param name="Held">Budgets that hold pods, with what they allowed when last seen.</param>
/// <param name="Cursor">From the wait before; null: return at once.</param>
/// <param name="Until">Return by then, whatever happened.</param>
internal sealed record AwaitPodsInput(
    string Node, DrainPolicy Policy, IReadOnlyList<string> Known, IReadOnlyList<ObjectRef> KnownVms, IReadOnlyDictionary<string, int> Held,
    string? Cursor, DateTimeOffset Until);

/// <summary>What is there now, as far as it is news.</summary>
/// <param name="Cursor">For the next wait.</param>
/// <param name="At">When it was read.</param>
/// <param name="Gone">Known pods that are not there any more.</param>
/// <param name="New">Pods that must go and were not known.</param>
/// <param name="NewVms">Virtual machines that must go and were not known.</param>
/// <param name="Launchers">Launcher pods that are still there.</param>
/// <param name="Total">All pods on the node.</param>
/// <param name="Allowed">What each budget that covers a pod that must go allows now.</param>
internal sealed record PodsSeen(
    string? Cursor, DateTimeOffset At, IReadOnlyList<string> Gone, IReadOnlyList<PodEntry> New, IReadOnlyList<ObjectRef> NewVms, int Launchers,
    int Total, IReadOnlyDictionary<string, int> Allowed);

/// <summary>Waits until something on the node matters to the drain. Changes nothing.</summary>
internal sealed class AwaitPodsActivity(ICluster cluster, TimeProvider clock, Wakeups wakeups) : ClusterActivity<AwaitPodsInput, PodsSeen>
{
    // Pods that go, one after the other, are told together: each telling costs a turn and its events.
    private static readonly TimeSpan GatherFor = TimeSpan.FromMilliseconds(500);

    protected override async Task<PodsSeen> RunAsync(AwaitPodsInput input, CancellationToken cancellationToken)
    {
        var wait = wakeups.Open(cluster, input.Node, input.Cursor, input.Until);
        var reader = new PodReader(cluster, clock);
        var isFirst = input.Cursor is null;
        DateTimeOffset? firstGone = null;
        while (true)
        {
            await wait.NextAsync(firstGone + GatherFor, cancellationToken);
            var seen = await ReadAsync(reader, input, cancellationToken);
            firstGone ??= seen.Gone.Count > 0 ? seen.At : null;
            if (isFirst || wait.IsOver || IsNews(input, seen) || seen.At - firstGone >= GatherFor)
            {
                return seen with { Cursor = wait.Cursor };
            }
        }
    }

    private static bool IsNews(AwaitPodsInput input, PodsSeen seen) =>
        seen.New.Count > 0 || seen.NewVms.Count > 0 || (seen.Gone.Count == input.Known.Count && seen.Launchers == 0)
        || input.Held.Any(budget => seen.Allowed.GetValueOrDefault(budget.Key) > budget.Value);

    private async Task<PodsSeen> ReadAsync(PodReader reader, AwaitPodsInput input, CancellationToken cancellationToken)
    {
        var pods = await reader.ReadAsync(input.Node, input.Policy, cancellationToken);
        var leaving = pods.Where(pod => pod.Decision.Verdict is PodVerdict.Evict or PodVerdict.Deny).ToList();
        var budgets = leaving.Count == 0 ? [] : await cluster.ListBudgetsAsync(cancellationToken);
        var there = pods.Select(pod => pod.Pod.Uid).ToHashSet(StringComparer.Ordinal);
        var known = input.Known.ToHashSet(StringComparer.Ordinal);
        var launchers = pods.Where(pod => pod.Decision.Verdict == PodVerdict.MoveVm).ToList();

        return new PodsSeen(
            null,
            clock.GetUtcNow(),
            [.. input.Known.Where(uid => !there.Contains(uid))],
            [.. leaving.Where(pod => !known.Contains(pod.Pod.Uid)).Select(pod => EntryOf(pod, budgets))],
            [.. launchers.Select(pod => pod.Pod.Vmi!.Value).Distinct().Except(input.KnownVms)],
            launchers.Count,
            pods.Count,
            budgets.Where(budget => leaving.Any(pod => budget.Covers(pod.Pod)))
                .ToDictionary(budget => budget.Ref.ToString(), budget => budget.DisruptionsAllowed, StringComparer.Ordinal));
    }

    private static PodEntry EntryOf(ClassifiedPod pod, IReadOnlyList<BudgetSnapshot> budgets)
    {
        var covering = budgets.Where(budget => budget.Covers(pod.Pod)).ToList();
        return new PodEntry(pod.Pod.Ref.Namespace, pod.Pod.Ref.Name, pod.Pod.Uid)
        {
            Budget = covering.Count == 1 ? covering[0].Ref.ToString() : null,
            IgnoresBudget = covering.Count == 1 && IsNotCounted(pod.Pod, covering[0]),
            IsLeaving = pod.Pod.DeletionRequestedAt is not null,
            Denied = pod.Decision.Verdict == PodVerdict.Deny ? pod.Decision.Rule : null,
            Message = pod.Decision.Verdict == PodVerdict.Deny ? pod.Decision.Reason : null,
        };
    }

    // What the eviction subresource lets through whatever the budget allows (facts 2.2).
    private static bool IsNotCounted(PodSnapshot pod, BudgetSnapshot budget) =>
        pod.IsFinished || pod.Phase == "Pending"
        || (!pod.IsReady && (budget.AlwaysAllowUnhealthy || (budget.DesiredHealthy > 0 && budget.CurrentHealthy >= budget.DesiredHealthy)));
}

/// <summary>Pods to evict: those of an inner list one after the other, the lists at the same time.</summary>
internal sealed record EvictPodsInput(
    string Node, string Holder, IReadOnlyList<IReadOnlyList<PodEntry>> Groups, TimeSpan? GracePeriod, bool Force);

/// <summary>What an eviction that was not simply accepted was answered.</summary>
internal sealed record PodTry(string Uid, string Kind, string? Message, string? Object, TimeSpan? RetryAfter);

/// <summary>What came of them.</summary>
/// <param name="Verdict">Done if all were tried.</param>
/// <param name="Accepted">Uids of those whose eviction was accepted.</param>
/// <param name="Others">The others that were tried.</param>
internal sealed record PodsEvicted(Verdict Verdict, IReadOnlyList<string> Accepted, IReadOnlyList<PodTry> Others);

/// <summary>Tries each pod once. Safe to run twice: a pod that terminates or is gone is left alone.</summary>
internal sealed class EvictPodsActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<EvictPodsInput, PodsEvicted>
{
    private const int MaxAtOnce = 10;

    protected override async Task<PodsEvicted> RunAsync(EvictPodsInput input, CancellationToken cancellationToken)
    {
        var guard = new Guard(cluster, clock, input.Node, input.Holder);
        using var slots = new SemaphoreSlim(MaxAtOnce, MaxAtOnce);
        var groups = await Task.WhenAll(input.Groups.Select(group => EvictAsync(group, guard, slots, input, cancellationToken)));
        var tries = groups.SelectMany(group => group.Tries).ToList();
        var stopped = groups.Select(group => group.Verdict).FirstOrDefault(verdict => verdict != Verdict.Done);
        return new PodsEvicted(
            stopped,
            [.. tries.Where(one => one.Kind == Answers.Accepted).Select(one => one.Uid)],
            [.. tries.Where(one => one.Kind != Answers.Accepted)]);
    }

    private async Task<(Verdict Verdict, List<PodTry> Tries)> EvictAsync(
        IReadOnlyList<PodEntry> group, Guard guard, SemaphoreSlim slots, EvictPodsInput input, CancellationToken cancellationToken)
    {
        var tries = new List<PodTry>(group.Count);
        foreach (var pod in group)
        {
            await slots.WaitAsync(cancellationToken);
            try
            {
                var go = await guard.CheckAsync(cancellationToken);
                if (go.Verdict != Verdict.Done)
                {
                    return (go.Verdict, tries);
                }

                tries.Add(await TryAsync(pod, input, cancellationToken));
            }
            finally
            {
                slots.Release();
            }
        }

        return (Verdict.Done, tries);
    }

    // What was accepted before a failure must not be lost with it: a failure of one pod is that pod's answer.
    private async Task<PodTry> TryAsync(PodEntry pod, EvictPodsInput input, CancellationToken cancellationToken)
    {
        var instance = new PodInstance(new ObjectRef(pod.Ns, pod.Name), pod.Uid, input.Node);
        try
        {
            var outcome = input.Force
                ? await cluster.DeletePodAsync(instance, input.GracePeriod, cancellationToken)
                : await cluster.EvictPodAsync(instance, input.GracePeriod, cancellationToken);
            return new PodTry(pod.Uid, Kebab.Of(outcome.Answer.ToString()), outcome.Message, outcome.Object, outcome.RetryAfter);
        }
        catch (ClusterException failure)
        {
            return new PodTry(pod.Uid, Kebab.Of(failure.Kind.ToString()), failure.Message, null, failure.RetryAfter);
        }
    }
}
