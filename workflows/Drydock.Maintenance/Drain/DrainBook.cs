using Drydock.Kubernetes;

namespace Drydock.Maintenance.Drain;

/// <summary>The book-keeping of a drain: what was seen and tried goes in, what to tell comes out. Pure.</summary>
internal static class DrainBook
{
    // Custom status must stay under 16 KiB (design D13).
    private const int MaxBlockers = 20;
    private const int MaxMessage = 240;

    /// <summary>Beyond its grace period a pod that does not go is worth telling.</summary>
    private static readonly TimeSpan LongTerminating = TimeSpan.FromMinutes(2);

    /// <summary>What is there now.</summary>
    public static DrainState Seen(DrainState state, PodsSeen seen)
    {
        var gone = seen.Gone.ToHashSet(StringComparer.Ordinal);
        return state with
        {
            Pods = [.. state.Pods.Concat(seen.New).Select(pod => gone.Contains(pod.Uid) ? pod with { GoneAt = seen.At, HeldBy = null } : Held(pod, seen))],
            Vms = [.. state.Vms, .. seen.NewVms],
            NewVms = seen.NewVms,
            Launchers = seen.Launchers,
            Allowed = seen.Allowed,
            Cursor = seen.Cursor,
        };
    }

    /// <summary>The virtual machines that were not told yet.</summary>
    public static (DrainState State, IReadOnlyList<ObjectRef> News) TakeVms(DrainState state) => (state with { NewVms = [] }, state.NewVms);

    /// <summary>Nothing that must go is there.</summary>
    public static bool IsEmpty(DrainState state) => state.Launchers == 0 && state.Pods.All(pod => pod.GoneAt is not null);

    /// <summary>At most that many pods in each batch.</summary>
    public static IReadOnlyList<IReadOnlyList<IReadOnlyList<PodEntry>>> Batches(IReadOnlyList<IReadOnlyList<PodEntry>> groups, int size)
    {
        var batches = new List<IReadOnlyList<IReadOnlyList<PodEntry>>>();
        var batch = new List<IReadOnlyList<PodEntry>>();
        var room = size;
        foreach (var part in groups.SelectMany(group => group.Chunk(size)))
        {
            if (part.Length > room)
            {
                batches.Add(batch);
                batch = [];
                room = size;
            }

            batch.Add(part);
            room -= part.Length;
        }

        if (batch.Count > 0)
        {
            batches.Add(batch);
        }

        return batches;
    }

    /// <summary>All that are still there, whatever holds them: the deadline has passed.</summary>
    public static IReadOnlyList<IReadOnlyList<PodEntry>> Forced(DrainState state, DateTimeOffset now) =>
        [.. state.Pods.Where(pod => pod is { GoneAt: null, IsLeaving: false } && (pod.WasForced is false || pod.NextTry is null || pod.NextTry <= now))
            .Select(IReadOnlyList<PodEntry> (pod) => [pod with { WasForced = true }])];

    /// <summary>What was answered.</summary>
    public static DrainState Tried(DrainState state, PodsEvicted result, DateTimeOffset now)
    {
        var accepted = result.Accepted.ToHashSet(StringComparer.Ordinal);
        var others = result.Others.ToDictionary(other => other.Uid, StringComparer.Ordinal);
        var allowed = new Dictionary<string, int>(state.Allowed, StringComparer.Ordinal);
        var pods = state.Pods.Select(pod =>
        {
            if (accepted.Contains(pod.Uid))
            {
                Take(allowed, pod.Budget, all: false);
                return Leaving(pod, now) with { Attempts = pod.Attempts + 1, AcceptedAt = now };
            }

            return others.TryGetValue(pod.Uid, out var answer) ? Answered(pod, answer, allowed, state.IsForced, now) : pod;
        }).ToList();
        return state with { Pods = pods, Allowed = allowed };
    }

    /// <summary>The custom status.</summary>
    public static DrainStatus StatusOf(DrainState state, DateTimeOffset deadline, DrainPolicy policy, DateTimeOffset now) =>
        new(state.Pods.Count, state.Pods.Count(pod => pod.GoneAt is not null))
        {
            Terminating = state.Pods.Count(pod => pod is { IsLeaving: true, GoneAt: null }),
            Deadline = state.WasEmpty || policy.OnTimeout == DeadlinePolicy.Wait && state.IsOverdue ? null : deadline,
            Blockers = Blockers(state, now, state.WasEmpty ? null : deadline),
        };

    /// <summary>What holds the drain up, the longest first.</summary>
    public static IReadOnlyList<Blocker> Blockers(DrainState state, DateTimeOffset now, DateTimeOffset? deadline = null) =>
        [.. state.Pods.Where(pod => pod.GoneAt is null && IsHeld(pod, now))
            .OrderBy(pod => pod.HeldSince ?? pod.AcceptedAt ?? now).Take(MaxBlockers).Select(pod => BlockerOf(pod, now, deadline))];

    /// <summary>For the report.</summary>
    public static PodResult ResultOf(PodEntry pod) =>
        new(new(pod.Ns, pod.Name), pod.Uid, pod.GoneAt is not null, pod.Attempts, pod.AcceptedAt, pod.GoneAt, pod.GoneAt is null ? Short(pod.Message) : null);

    // A pod whose budget is exhausted is held although it was not asked for: one pod asks for all of the budget.
    private static PodEntry Held(PodEntry pod, PodsSeen seen) =>
        pod is { HeldBy: null, IsLeaving: false, GoneAt: null, IgnoresBudget: false, Budget: { } budget } && seen.Allowed.TryGetValue(budget, out var allowed)
            && allowed == 0
            ? pod with { HeldBy = Answers.BudgetExhausted, HeldSince = seen.At, Object = $"poddisruptionbudget/{budget}" }
            : pod;

    private static bool IsHeld(PodEntry pod, DateTimeOffset now) =>
        pod.Denied is not null || pod.HeldBy is not null || (pod.IsLeaving && now - (pod.AcceptedAt ?? now) > LongTerminating);

    private static Blocker BlockerOf(PodEntry pod, DateTimeOffset now, DateTimeOffset? deadline)
    {
        var kind = pod.Denied is not null ? "denied" : pod.HeldBy ?? Answers.Terminating;
        return new Blocker(
            kind, $"{pod.Ns}/{pod.Name}", pod.Object ?? pod.Budget, Short(pod.Message), pod.HeldSince ?? pod.AcceptedAt ?? now, pod.Attempts, pod.NextTry,
            deadline, Answers.NextStep(kind, pod.Object ?? pod.Budget));
    }

    private static PodEntry Answered(PodEntry pod, PodTry answer, Dictionary<string, int> allowed, bool isForced, DateTimeOffset now)
    {
        if (Answers.IsLeaving(answer.Kind))
        {
            return Leaving(pod, now) with { AcceptedAt = pod.AcceptedAt ?? now };
        }

        if (answer.Kind == Answers.Gone)
        {
            return pod with { GoneAt = now, HeldBy = null };
        }

        // A budget that said yes to the reader and no to the eviction is not asked again at once.
        var wasFree = Take(allowed, pod.Budget, all: true);
        var next = wasFree ? now + TimeSpan.FromSeconds(1) : PodSchedule.AskAgain(answer.Kind, answer.RetryAfter, now);
        return pod with
        {
            Attempts = pod.Attempts + 1,
            HeldBy = answer.Kind,
            HeldSince = pod.HeldBy == answer.Kind ? pod.HeldSince : now,
            Message = answer.Message,
            Object = answer.Object,
            NextTry = next,
            MustWait = wasFree || answer.RetryAfter > TimeSpan.Zero,
            WasForced = isForced,
        };
    }

    private static PodEntry Leaving(PodEntry pod, DateTimeOffset now) =>
        pod with { IsLeaving = true, HeldBy = null, HeldSince = null, NextTry = null, Message = null, MustWait = false };

    private static bool Take(Dictionary<string, int> allowed, string? budget, bool all)
    {
        if (budget is null || !allowed.TryGetValue(budget, out var left) || left == 0)
        {
            return false;
        }

        allowed[budget] = all ? 0 : left - 1;
        return true;
    }

    private static string? Short(string? message) => message?.Length > MaxMessage ? message[..MaxMessage] + "…" : message;
}
