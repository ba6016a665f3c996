namespace Drydock.Maintenance.Drain;

/// <summary>Which pods to try now. Pure.</summary>
internal static class PodSchedule
{
    /// <summary>How often a held pod is asked for again without a reason to.</summary>
    public static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(10);

    /// <summary>How often a pod is asked for again that several budgets cover, or that was refused for good.</summary>
    public static readonly TimeSpan AskSeldom = TimeSpan.FromSeconds(30);

    /// <summary>After what was left untried for a moment's reason is taken up again.</summary>
    public static readonly TimeSpan TakeUpAfter = TimeSpan.FromSeconds(1);

    /// <summary>Whatever the server asks for: somebody who waits for hours must be told that the server still says so.</summary>
    public static readonly TimeSpan LongestPatience = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The pods to try now, one inner list for each budget: those of one budget are tried one after the other, as many as it allows;
    /// of an exhausted one a single pod every ten seconds, to hear what the server says. Only pods of the lowest order that is still there,
    /// virtual machines counted.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<PodEntry>> Due(
        IReadOnlyList<PodEntry> pods, IReadOnlyDictionary<string, int> allowed, DateTimeOffset now, int? machines = null)
    {
        var open = InTurn(pods, machines);
        var free = open.Where(pod => !IsCounted(pod, allowed) && IsTime(pod, now)).Select(IReadOnlyList<PodEntry> (pod) => [pod]);
        var counted = open.Where(pod => IsCounted(pod, allowed)).GroupBy(pod => pod.Budget!, StringComparer.Ordinal)
            .Select(budget => OfBudget([.. budget], allowed[budget.Key], now)).Where(group => group.Count > 0);
        return [.. free, .. counted];
    }

    /// <summary>When the next pod is due without any change in the cluster, or null.</summary>
    public static DateTimeOffset? NextDue(IReadOnlyList<PodEntry> pods, IReadOnlyDictionary<string, int> allowed, int? machines = null)
    {
        var open = InTurn(pods, machines);
        var free = open.Where(pod => !IsCounted(pod, allowed)).Select(pod => pod.NextTry);
        var probes = open.Where(pod => IsCounted(pod, allowed)).GroupBy(pod => pod.Budget!, StringComparer.Ordinal)
            .Select(budget => allowed[budget.Key] > 0 || budget.All(ComesBack)
                ? budget.Min(pod => pod.NextTry)
                : budget.Where(pod => !ComesBack(pod)).Max(pod => pod.NextTry));
        return free.Concat(probes).Where(time => time is not null).Min();
    }

    /// <summary>When to ask again after such an answer.</summary>
    public static DateTimeOffset AskAgain(string kind, TimeSpan? retryAfter, DateTimeOffset now)
    {
        var patience = Patience(retryAfter) ?? (kind is "several-budgets" or "forbidden" or "refused" ? AskSeldom : AskAgainAfter);
        return now + patience;
    }

    /// <summary>How long to wait if the server names a time, or null: it names none.</summary>
    public static TimeSpan? Patience(TimeSpan? retryAfter) =>
        retryAfter is { } asked && asked > TimeSpan.Zero ? asked < LongestPatience ? asked : LongestPatience : null;

    /// <summary>Those that may be asked to go, of the lowest order of which something is still there, whatever keeps it.</summary>
    public static IReadOnlyList<PodEntry> InTurn(IReadOnlyList<PodEntry> pods, int? machines)
    {
        var lowest = LowestOrder(pods, machines);
        return [.. pods.Where(pod => pod.IsOpen && pod.Order == lowest)];
    }

    /// <summary>The lowest order of which something is still there, whatever keeps it.</summary>
    /// <param name="pods">The pods.</param>
    /// <param name="machines">The lowest order of the virtual machines that are still there, or null.</param>
    public static int LowestOrder(IReadOnlyList<PodEntry> pods, int? machines) =>
        pods.Where(pod => pod.HoldsDrain).Select(pod => pod.Order).Concat(machines is { } order ? [order] : []).DefaultIfEmpty().Min();

    private static IReadOnlyList<PodEntry> OfBudget(IReadOnlyList<PodEntry> pods, int allowed, DateTimeOffset now)
    {
        if (allowed > 0)
        {
            // The longest held first; a Retry-After is obeyed even if the budget frees up.
            return [.. pods.Where(pod => !pod.MustWait || IsTime(pod, now)).OrderBy(pod => pod.HeldSince ?? now).Take(allowed)];
        }

        // The last probe's next try is the budget's; what comes back again and again waits longer, and for itself alone.
        List<PodEntry> asked = [.. pods.Where(pod => !ComesBack(pod) || IsTime(pod, now))];
        return asked.Max(pod => pod.NextTry) is { } next && next > now ? [] : [.. asked.OrderBy(pod => pod.Attempts).Take(1)];
    }

    private static bool ComesBack(PodEntry pod) => pod.HeldBy == Answers.ComesBack;

    private static bool IsCounted(PodEntry pod, IReadOnlyDictionary<string, int> allowed) =>
        pod is { Budget: { } budget, IgnoresBudget: false } && allowed.ContainsKey(budget);

    private static bool IsTime(PodEntry pod, DateTimeOffset now) => pod.NextTry is null || pod.NextTry <= now;
}
