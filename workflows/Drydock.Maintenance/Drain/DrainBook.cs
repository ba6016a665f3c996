using Drydock.Kubernetes;

namespace Drydock.Maintenance.Drain;

/// <summary>The book-keeping of a drain: what was seen and tried goes in. Pure.</summary>
internal static class DrainBook
{
    private const int ArrivalsAtOnce = 3;

    /// <summary>As many pods that are gone as a generation keeps: a node that is held for weeks may see thousands.</summary>
    private const int GoneKept = 500;

    /// <summary>For the next generation: without those that went first, if they are too many.</summary>
    public static DrainState Shortened(DrainState state)
    {
        var tooMany = state.Pods.Where(pod => pod.GoneAt is not null).OrderByDescending(pod => pod.GoneAt).Skip(GoneKept).Select(pod => pod.Uid).ToHashSet(StringComparer.Ordinal);
        return tooMany.Count == 0 ? state : state with
        {
            Pods = [.. state.Pods.Where(pod => !tooMany.Contains(pod.Uid))],
            Forgotten = state.Forgotten + tooMany.Count,
        };
    }

    /// <summary>What is there now.</summary>
    public static DrainState Seen(DrainState state, PodsSeen seen, DrainPolicy policy)
    {
        var changed = seen.Changed.ToDictionary(pod => pod.Uid, StringComparer.Ordinal);
        var gone = seen.Gone.ToHashSet(StringComparer.Ordinal);
        var released = seen.Released.ToHashSet(StringComparer.Ordinal);
        var known = state.Pods.Select(pod => changed.TryGetValue(pod.Uid, out var read) ? pod.With(read) : pod);
        var news = seen.New.Select(pod => Arrived(pod, state, seen.At));
        List<PodEntry> pods =
        [
            .. known.Concat(news).Select(pod =>
                gone.Contains(pod.Uid) ? pod with { GoneAt = seen.At, HeldBy = null }
                : released.Contains(pod.Uid) ? pod with { IsReleased = true, HeldBy = null }
                : Held(pod, seen)),
        ];
        state = state with
        {
            Vms = [.. seen.StillThere ?? state.Vms, .. seen.NewVms],
            VmOrders = seen.VmOrders,
            Launchers = seen.Launchers,
        };
        var turn = PodSchedule.LowestOrder(pods, state.MachineOrder);
        return state with
        {
            // A pod's own time begins with its turn: until then it holds nothing up.
            Pods = [.. pods.Select(pod => pod is { HoldsDrain: true, Deadline: null } && pod.Order == turn ? pod with { Deadline = seen.At + TimeOf(state, policy) } : pod)],
            NewVms = [.. state.NewVms, .. seen.NewVms],
            Allowed = seen.Allowed,
            Versions = seen.Versions,
            Attached = seen.Attached,
            AttachedSince = seen.Attached.Count == 0 ? null : state.AttachedSince ?? seen.At,
            Cursor = seen.Cursor,
            Unseen = null,
            UnseenSince = null,
        };
    }

    /// <summary>The virtual machines that were not told yet; in order only those whose turn it is.</summary>
    public static (DrainState State, IReadOnlyList<ObjectRef> News) TakeVms(DrainState state, bool inOrder)
    {
        if (!inOrder)
        {
            return (state with { NewVms = [] }, state.NewVms);
        }

        var turn = PodSchedule.LowestOrder(state.Pods, state.MachineOrder);
        var there = state.NewVms.Intersect(state.Vms).ToLookup(vm => state.OrderOf(vm) <= turn);
        return (state with { NewVms = [.. there[false]] }, [.. there[true]]);
    }

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
    /// to its kubelet: only a person may decide that a process on a node that does not answer is dead. One that a rule refuses is not taken:
    /// force goes past budgets and webhooks, not past what the request did not allow, nor past its order. Nor is a virtual machine that is waited for.
    /// </summary>
    /// <param name="state">What is there.</param>
    /// <param name="now">The time.</param>
    /// <param name="passesStuck">What does not end, or a rule refuses, keeps none of a higher order: it may never go.</param>
    public static IReadOnlyList<IReadOnlyList<PodEntry>> Forced(DrainState state, DateTimeOffset now, bool passesStuck = true) =>
    [
        .. ToForce(state, now, passesStuck)
            .Where(pod => pod is { WasForced: false, HeldBy: not Answers.ComesBack } || pod.NextTry is null || pod.NextTry <= now)
            .Select(IReadOnlyList<PodEntry> (pod) => [pod]),
    ];

    /// <summary>When one of those that were not let go by force either is asked for again, or null.</summary>
    public static DateTimeOffset? NextForced(DrainState state, DateTimeOffset now, bool passesStuck = true) => ToForce(state, now, passesStuck).Min(pod => pod.NextTry);

    /// <summary>The deadline of a pod, or of the drain, has passed for something that holds it.</summary>
    public static bool IsLate(DrainState state, DateTimeOffset now) => state.Pods.Any(pod => pod.HoldsDrain && pod.Deadline <= now);

    /// <summary>All that is left is what a rule refuses to evict.</summary>
    public static bool IsDeniedOnly(DrainState state) =>
        state is { Launchers: 0, Attached.Count: 0 } && state.Pods.Any(pod => pod.HoldsDrain) && state.Pods.All(pod => !pod.HoldsDrain || pod.Denied is not null);

    /// <summary>All that is left is what nothing that a drain can do makes go: a rule refuses it, its kubelet does not end it, it is not detached, it is a machine that is waited for.</summary>
    public static bool IsStuckOnly(DrainState state) =>
        state.Launchers == 0 && state.Pods.All(pod => pod is { HoldsDrain: false } or { Denied: not null } or { Stuck: not null } or { IsSpared: true });

    /// <summary>
    /// Something is on its way out and not late: a pod within its grace period, unless it comes back each time, or a virtual machine, whose own
    /// move knows whether it is; or its turn has come, and it was not asked to go by force yet.
    /// </summary>
    /// <param name="state">What is there.</param>
    /// <param name="now">The time.</param>
    /// <param name="waitsForTries">What must be tried or decided first counts: a pod that was not deleted by force yet, a machine that is moved.</param>
    public static bool IsGoing(DrainState state, DateTimeOffset now, bool waitsForTries) =>
        (waitsForTries && (MovesMachines(state) || ToForce(state, now, passesStuck: true).Any(static pod => pod is { WasForced: false, HeldBy: not Answers.ComesBack })))
        || state.Pods.Any(pod => pod is { HoldsDrain: true, IsLeaving: true, Stuck: null, Arrival: < ArrivalsAtOnce });

    private static bool MovesMachines(DrainState state) => state.Launchers > 0 && state.Vms.Except(state.NewVms).Any();

    /// <summary>What was answered.</summary>
    public static DrainState Tried(DrainState state, PodsEvicted result, bool isForced, DateTimeOffset now)
    {
        var accepted = result.Accepted.ToHashSet(StringComparer.Ordinal);
        var others = result.Others.ToDictionary(other => other.Uid, StringComparer.Ordinal);
        var untried = (result.Untried ?? []).ToHashSet(StringComparer.Ordinal);
        var asked = result.Others.Where(other => other.Kind == Answers.Throttled).Select(TimeSpan? (other) => other.RetryAfter ?? PodSchedule.AskAgainAfter);
        var until = now + asked.Append(result.RetryAfter).Max();
        var allowed = new Dictionary<string, int>(state.Allowed, StringComparer.Ordinal);
        var pods = state.Pods.Select(pod =>
        {
            if (accepted.Contains(pod.Uid))
            {
                Take(allowed, pod, all: false);
                return Leaving(pod, now) with { Attempts = pod.Attempts + 1, AcceptedAt = now };
            }

            return others.TryGetValue(pod.Uid, out var answer) ? Answered(pod, answer, allowed, isForced, now)
                : untried.Contains(pod.Uid) ? Untried(pod, until, now)
                : pod;
        }).ToList();
        return state with { Pods = pods, Allowed = allowed, ThrottledUntil = until > state.ThrottledUntil || state.ThrottledUntil is null ? until : state.ThrottledUntil };
    }

    private static IEnumerable<PodEntry> ToForce(DrainState state, DateTimeOffset now, bool passesStuck)
    {
        var turn = PodSchedule.LowestOrder([.. state.Pods.Where(pod => !passesStuck || pod is { Denied: null, Stuck: null, IsSpared: false })], state.MachineOrder);
        return state.Pods.Where(pod => pod is { HoldsDrain: true, IsLeaving: false, Denied: null, IsSpared: false } && pod.Order == turn && (state.IsForced || pod.Deadline <= now));
    }

    // A cordoned node gets no pods but those that tolerate it. Each that is evicted makes the next: the third time and from then on it waits.
    private static PodEntry Arrived(PodEntry pod, DrainState state, DateTimeOffset now)
    {
        if (state.Cursor is null || pod.Owner is null)
        {
            return pod;
        }

        var before = state.Pods.Where(one => one.Owner == pod.Owner && one.Arrival > 0).MaxBy(one => one.Arrival);
        pod = pod with { Arrival = 1 + (before?.Arrival ?? 0), ArrivingSince = before?.ArrivingSince ?? now };
        return pod is { Arrival: < ArrivalsAtOnce } or { IsLeaving: true } or { Denied: not null } or { Waits: true } ? pod : pod with
        {
            HeldBy = Answers.ComesBack,
            HeldSince = pod.ArrivingSince,
            Object = pod.Owner,
            Message = $"Pods of {pod.Owner} have come to the node {pod.Arrival} times since it was cordoned: each eviction brings the next.",
            NextTry = now + Longer(pod.Arrival - ArrivalsAtOnce),
            MustWait = true,
        };
    }

    private static TimeSpan Longer(int times) => TimeSpan.FromSeconds(Math.Min(10 << Math.Min(times, 5), 300));

    // When the node was empty in time no pod that comes later can be too late; but force needs a time to wait for.
    private static TimeSpan? TimeOf(DrainState state, DrainPolicy policy) => state.WasEmpty
        ? policy.OnTimeout == DeadlinePolicy.Force ? policy.PodTimeout ?? policy.Timeout : null
        : policy.PodTimeout;

    // A pod whose budget is exhausted is held although it was not asked for: one pod asks for all of the budget, in a while.
    private static PodEntry Held(PodEntry pod, PodsSeen seen) =>
        pod is { HoldsDrain: true, HeldSince: null } and ({ Denied: not null } or { Waits: true }) ? pod with { HeldSince = seen.At }
        : pod is { HeldBy: null, IsOpen: true, IgnoresBudget: false, Budget: { } budget } && seen.Allowed.TryGetValue(budget, out var allowed) && allowed == 0
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
        var isOfBudget = Answers.IsOfBudget(answer.Kind);
        var wasFree = isOfBudget && Take(allowed, pod, all: true);
        if (answer.IsUnsent)
        {
            // What it allowed went to another node: it is told when it allows more.
            return pod with
            {
                HeldBy = answer.Kind,
                HeldSince = pod.HeldBy == answer.Kind ? pod.HeldSince : now,
                Message = answer.Message,
                Object = answer.Object,
                NextTry = now + PodSchedule.AskAgainAfter,
            };
        }

        var next = wasFree && answer.RetryAfter is null ? now + TimeSpan.FromSeconds(1) : PodSchedule.AskAgain(answer.Kind, answer.RetryAfter, now);
        return pod with
        {
            Attempts = pod.Attempts + 1,
            HeldBy = answer.Kind,
            HeldSince = pod.HeldBy == answer.Kind ? pod.HeldSince : now,
            Message = answer.Message,
            Object = answer.Object,
            NextTry = next,
            MustWait = wasFree || !isOfBudget || answer.RetryAfter > TimeSpan.Zero,
            WasForced = isForced,
        };
    }

    // Nobody said no to it: it is taken up again in a moment, or when the server wants to be asked again.
    private static PodEntry Untried(PodEntry pod, DateTimeOffset? until, DateTimeOffset now) => until is null || pod.HeldBy is not null
        ? pod with { NextTry = until ?? now + PodSchedule.TakeUpAfter }
        : pod with { NextTry = until, HeldBy = Answers.Throttled, HeldSince = now };

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
