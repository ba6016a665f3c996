using Drydock.Kubernetes;

namespace Drydock.Maintenance.Drain;

/// <summary>The book-keeping of a drain: what was seen and tried goes in. Pure.</summary>
internal static class DrainBook
{
    /// <summary>What is there now.</summary>
    public static DrainState Seen(DrainState state, PodsSeen seen, DrainPolicy policy)
    {
        var changed = seen.Changed.ToDictionary(pod => pod.Uid, StringComparer.Ordinal);
        var gone = seen.Gone.ToHashSet(StringComparer.Ordinal);
        var released = seen.Released.ToHashSet(StringComparer.Ordinal);
        var known = state.Pods.Select(pod => changed.TryGetValue(pod.Uid, out var read) ? pod.With(read) : pod);
        var news = seen.New.Select(pod => pod with { Deadline = seen.At + policy.PodTimeout });
        return state with
        {
            Pods =
            [
                .. known.Concat(news).Select(pod =>
                    gone.Contains(pod.Uid) ? pod with { GoneAt = seen.At, HeldBy = null }
                    : released.Contains(pod.Uid) ? pod with { IsReleased = true, HeldBy = null }
                    : Held(pod, seen)),
            ],
            Vms = [.. seen.StillThere ?? state.Vms, .. seen.NewVms],
            NewVms = seen.NewVms,
            Launchers = seen.Launchers,
            Allowed = seen.Allowed,
            Versions = seen.Versions,
            Attached = seen.Attached,
            AttachedSince = seen.Attached.Count == 0 ? null : state.AttachedSince ?? seen.At,
            Cursor = seen.Cursor,
        };
    }

    /// <summary>The virtual machines that were not told yet.</summary>
    public static (DrainState State, IReadOnlyList<ObjectRef> News) TakeVms(DrainState state) => (state with { NewVms = [] }, state.NewVms);

    /// <summary>Nothing that must go is there, and nothing is attached that must be detached.</summary>
    public static bool IsEmpty(DrainState state) =>
        state.Launchers == 0 && state.Attached.Count == 0 && !state.Pods.Any(pod => pod.HoldsDrain);

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

    /// <summary>
    /// The pods to delete past every budget, because the deadline of the drain or their own has passed. One that terminates already is left
    /// to its kubelet: only a person may decide that a process on a node that does not answer is dead.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<PodEntry>> Forced(DrainState state, DateTimeOffset now) =>
    [
        .. state.Pods.Where(pod => pod is { HoldsDrain: true, IsLeaving: false } && (state.IsForced || pod.Deadline <= now))
            .Where(pod => !pod.WasForced || pod.NextTry is null || pod.NextTry <= now)
            .Select(IReadOnlyList<PodEntry> (pod) => [pod]),
    ];

    /// <summary>The deadline of a pod, or of the drain, has passed for something that holds it.</summary>
    public static bool IsLate(DrainState state, DateTimeOffset now) => state.Pods.Any(pod => pod.HoldsDrain && pod.Deadline <= now);

    /// <summary>What was answered.</summary>
    public static DrainState Tried(DrainState state, PodsEvicted result, bool isForced, DateTimeOffset now)
    {
        var accepted = result.Accepted.ToHashSet(StringComparer.Ordinal);
        var others = result.Others.ToDictionary(other => other.Uid, StringComparer.Ordinal);
        var allowed = new Dictionary<string, int>(state.Allowed, StringComparer.Ordinal);
        var pods = state.Pods.Select(pod =>
        {
            if (accepted.Contains(pod.Uid))
            {
                Take(allowed, pod, all: false);
                return Leaving(pod, now) with { Attempts = pod.Attempts + 1, AcceptedAt = now };
            }

            return others.TryGetValue(pod.Uid, out var answer) ? Answered(pod, answer, allowed, isForced, now) : pod;
        }).ToList();
        var patience = result.Others.Where(other => other.Kind == Answers.Throttled).Select(other => other.RetryAfter ?? PodSchedule.AskAgainAfter);
        return state with { Pods = pods, Allowed = allowed, ThrottledUntil = patience.Select(TimeSpan? (span) => span).Max() is { } longest ? now + longest : null };
    }

    // A pod whose budget is exhausted is held although it was not asked for: one pod asks for all of the budget, in a while.
    private static PodEntry Held(PodEntry pod, PodsSeen seen) =>
        pod is { HeldBy: null, IsOpen: true, IgnoresBudget: false, Budget: { } budget } && seen.Allowed.TryGetValue(budget, out var allowed) && allowed == 0
            ? pod with
            {
                HeldBy = Answers.BudgetExhausted,
                HeldSince = seen.At,
                Object = $"poddisruptionbudget/{budget}",
                NextTry = seen.At + PodSchedule.AskAgainAfter,
            }
            : pod;

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
        var wasFree = Take(allowed, pod, all: true);
        var next = wasFree && answer.RetryAfter is null ? now + TimeSpan.FromSeconds(1) : PodSchedule.AskAgain(answer.Kind, answer.RetryAfter, now);
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

    private static PodEntry Leaving(PodEntry pod, DateTimeOffset now) => pod with
    {
        IsLeaving = true, LeavingSince = pod.LeavingSince ?? now, HeldBy = null, HeldSince = null, NextTry = null, Message = null, MustWait = false,
    };

    private static bool Take(Dictionary<string, int> allowed, PodEntry pod, bool all)
    {
        if (pod is not { Budget: { } budget, IgnoresBudget: false } || !allowed.TryGetValue(budget, out var left) || left == 0)
        {
            return false;
        }

        allowed[budget] = all ? 0 : left - 1;
        return true;
    }
}
