namespace Drydock.Maintenance.Drain;

/// <summary>One pod that must go, and what was tried; survives the loop's continue-as-new.</summary>
/// <param name="Ns">Namespace.</param>
/// <param name="Name">Name.</param>
/// <param name="Uid">This life of it.</param>
internal sealed record PodEntry(string Ns, string Name, string Uid)
{
    /// <summary>The budget that covers it, or null; the first if several do.</summary>
    public string? Budget { get; init; }

    /// <summary>Its budget does not count it now: finished, Pending, or unready where that is allowed.</summary>
    public bool IgnoresBudget { get; init; }

    /// <summary>The rule that refuses it; such a pod is not evicted, somebody must act.</summary>
    public string? Denied { get; init; }

    /// <summary>Evictions sent.</summary>
    public int Attempts { get; init; }

    /// <summary>When one was accepted.</summary>
    public DateTimeOffset? AcceptedAt { get; init; }

    /// <summary>It is on its way out.</summary>
    public bool IsLeaving { get; init; }

    /// <summary>When it was seen to be gone.</summary>
    public DateTimeOffset? GoneAt { get; init; }

    /// <summary>What holds it, by its stable name.</summary>
    public string? HeldBy { get; init; }

    /// <summary>Since when.</summary>
    public DateTimeOffset? HeldSince { get; init; }

    /// <summary>The server's words.</summary>
    public string? Message { get; init; }

    /// <summary>The object to look at.</summary>
    public string? Object { get; init; }

    /// <summary>Not before that.</summary>
    public DateTimeOffset? NextTry { get; init; }

    /// <summary>Deleted, past every budget, at least once.</summary>
    public bool WasForced { get; init; }

    /// <summary>The server named a time to wait: a budget that frees up does not shorten it.</summary>
    public bool MustWait { get; init; }
}

/// <summary>Which pods to try now. Pure.</summary>
internal static class PodSchedule
{
    /// <summary>How often a held pod is asked for again without a reason to.</summary>
    public static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(10);

    /// <summary>How often a pod is asked for again that several budgets cover, or that was refused for good.</summary>
    public static readonly TimeSpan AskSeldom = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The pods to try now, one inner list for each budget: those of one budget are tried one after the other, as many as it allows;
    /// of an exhausted one a single pod every ten seconds, to hear what the server says.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<PodEntry>> Due(
        IReadOnlyList<PodEntry> pods, IReadOnlyDictionary<string, int> allowed, DateTimeOffset now)
    {
        var open = pods.Where(pod => pod is { GoneAt: null, IsLeaving: false, Denied: null }).ToList();
        var free = open.Where(pod => !IsCounted(pod, allowed) && IsTime(pod, now)).Select(IReadOnlyList<PodEntry> (pod) => [pod]);
        var counted = open.Where(pod => IsCounted(pod, allowed)).GroupBy(pod => pod.Budget!, StringComparer.Ordinal)
            .Select(budget => OfBudget([.. budget], allowed[budget.Key], now)).Where(group => group.Count > 0);
        return [.. free, .. counted];
    }

    /// <summary>When the next pod is due without any change in the cluster, or null.</summary>
    public static DateTimeOffset? NextDue(IReadOnlyList<PodEntry> pods, IReadOnlyDictionary<string, int> allowed)
    {
        var open = pods.Where(pod => pod is { GoneAt: null, IsLeaving: false, Denied: null }).ToList();
        var free = open.Where(pod => !IsCounted(pod, allowed)).Select(pod => pod.NextTry);
        var probes = open.Where(pod => IsCounted(pod, allowed)).GroupBy(pod => pod.Budget!, StringComparer.Ordinal)
            .Select(budget => budget.Max(pod => pod.NextTry));
        return free.Concat(probes).Where(time => time is not null).Min();
    }

    /// <summary>When to ask again after such an answer.</summary>
    public static DateTimeOffset AskAgain(string kind, TimeSpan? retryAfter, DateTimeOffset now)
    {
        if (retryAfter is { } asked && asked > TimeSpan.Zero)
        {
            return now + asked;
        }

        return now + (kind is "several-budgets" or "forbidden" or "refused" ? AskSeldom : AskAgainAfter);
    }

    private static IReadOnlyList<PodEntry> OfBudget(IReadOnlyList<PodEntry> pods, int allowed, DateTimeOffset now)
    {
        if (allowed > 0)
        {
            // The longest held first; a Retry-After is obeyed even if the budget frees up.
            return [.. pods.Where(pod => !pod.MustWait || IsTime(pod, now)).OrderBy(pod => pod.HeldSince ?? now).Take(allowed)];
        }

        // The last probe's next try is the budget's.
        return pods.Max(pod => pod.NextTry) is { } next && next > now ? [] : [.. pods.OrderBy(pod => pod.Attempts).Take(1)];
    }

    private static bool IsCounted(PodEntry pod, IReadOnlyDictionary<string, int> allowed) =>
        pod is { Budget: { } budget, IgnoresBudget: false } && allowed.ContainsKey(budget);

    private static bool IsTime(PodEntry pod, DateTimeOffset now) => pod.NextTry is null || pod.NextTry <= now;
}
