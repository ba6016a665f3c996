using System.Runtime.ExceptionServices;
using System.Text.Json.Serialization;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.Drain;

/// <summary>Pods to evict: those of an inner list one after the other, the lists at the same time.</summary>
internal sealed record EvictPodsInput(
    string Node, string Holder, IReadOnlyList<IReadOnlyList<PodEntry>> Groups, TimeSpan? GracePeriod, bool Force)
{
    /// <summary>How many of this node may be under way at once.</summary>
    public int AtOnce { get; init; } = EvictionSlots.DefaultOfNode;
}

/// <summary>What an eviction that was not simply accepted was answered.</summary>
internal sealed record PodTry(string Uid, string Kind, string? Message, string? Object, TimeSpan? RetryAfter)
{
    /// <summary>The API server was not asked: what its budget allowed had gone to another node by then.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsUnsent { get; init; }
}

/// <summary>What came of them.</summary>
/// <param name="Verdict">Done if all were tried, but for those after a throttled one and those before which the lease could not be read.</param>
/// <param name="Accepted">Uids of those whose eviction was accepted.</param>
/// <param name="Others">The others that were tried.</param>
internal sealed record PodsEvicted(Verdict Verdict, IReadOnlyList<string> Accepted, IReadOnlyList<PodTry> Others)
{
    /// <summary>The API server asked for patience, here or elsewhere: how long that still was at the end; null: it did not.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Uids of those that were not tried although nothing forbids it: to be taken up again soon. Null: none.</summary>
    public IReadOnlyList<string>? Untried { get; init; }
}

/// <summary>Tries each pod once. Safe to run twice: a pod that terminates or is gone is left alone.</summary>
internal sealed class EvictPodsActivity(ICluster cluster, TimeProvider clock, EvictionSlots slots, Wakeups wakeups) : ClusterActivity<EvictPodsInput, PodsEvicted>
{
    // The drain looks at nothing meanwhile, and no deadline passes: a webhook that takes ten seconds for each pod must not hold it for minutes.
    internal static readonly TimeSpan LongestRun = TimeSpan.FromSeconds(10);

    protected override async Task<PodsEvicted> RunAsync(EvictPodsInput input, CancellationToken cancellationToken)
    {
        var guard = new Guard(cluster, clock, input.Node, input.Holder);
        using var late = new CancellationTokenSource(LongestRun, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(wakeups.Woken(Wakeups.EvictionsOf(input.Node)), late.Token);
        var groups = await Task.WhenAll(input.Groups.Select(group => EvictAsync(group, guard, input, stop.Token, cancellationToken)));
        var tries = groups.SelectMany(group => group.Tries).ToList();
        if (tries.Count == 0 && groups.Select(group => group.Failure).FirstOrDefault(failure => failure is { Kind: not ClusterErrorKind.Throttled }) is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        var tried = tries.Select(one => one.Uid).ToHashSet(StringComparer.Ordinal);
        List<string> untried = [.. input.Groups.SelectMany(group => group).Select(pod => pod.Uid).Where(uid => !tried.Contains(uid))];
        var stopped = groups.Select(group => group.Verdict).FirstOrDefault(verdict => verdict != Verdict.Done);
        return new PodsEvicted(
            stopped,
            [.. tries.Where(one => one.Kind == Answers.Accepted).Select(one => one.Uid)],
            [.. tries.Where(one => one.Kind != Answers.Accepted)])
        {
            RetryAfter = slots.PatienceAt(clock.GetUtcNow()),
            Untried = stopped == Verdict.Done && untried.Count > 0 ? untried : null,
        };
    }

    // What was answered before the lease could not be read must not be lost with that: the rest is left for the next try, which begins with
    // the lease.
    private async Task<Tried> EvictAsync(
        IReadOnlyList<PodEntry> group, Guard guard, EvictPodsInput input, CancellationToken stop, CancellationToken cancellationToken)
    {
        var tries = new List<PodTry>(group.Count);
        foreach (var pod in group)
        {
            using var slot = await slots.EnterOrStopAsync(input.Node, input.AtOnce, input.Force ? null : pod.Budget, stop);
            if (slot is null || stop.IsCancellationRequested || slots.PatienceAt(clock.GetUtcNow()) is not null)
            {
                // The server asks for patience, and the rest is tried when it said so; or whoever asked for this has news, or looks again.
                return new(Verdict.Done, tries);
            }

            var budget = input.Force || pod is { Budget: null } or { IgnoresBudget: true } ? null : cluster.WatchedBudgets?.FirstOrDefault(one => one.Ref.ToString() == pod.Budget);
            if (budget is not null && slots.IsSpent(budget, clock.GetUtcNow()))
            {
                tries.Add(new PodTry(pod.Uid, Answers.BudgetExhausted, "What its budget allowed was taken by a pod of another node.", $"poddisruptionbudget/{budget.Ref}", null) { IsUnsent = true });
                continue;
            }

            try
            {
                if (await guard.CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no)
                {
                    return new(no.Verdict, tries);
                }
            }
            catch (ClusterException failure)
            {
                if (failure.Kind == ClusterErrorKind.Throttled)
                {
                    slots.AskedForPatience(failure.RetryAfter, clock.GetUtcNow());
                }

                return new(Verdict.Done, tries) { Failure = failure };
            }

            var answer = await TryAsync(pod, input, cancellationToken);
            if (budget is not null && answer.Kind == Answers.Accepted)
            {
                slots.Took(budget, clock.GetUtcNow());
            }

            tries.Add(answer.Kind != Answers.Throttled ? answer : answer with { RetryAfter = slots.AskedForPatience(answer.RetryAfter, clock.GetUtcNow()) });
        }

        return new(Verdict.Done, tries);
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

    private sealed record Tried(Verdict Verdict, List<PodTry> Tries)
    {
        /// <summary>Why the lease could not be read, or null.</summary>
        public ClusterException? Failure { get; init; }
    }
}
