using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.Steering;

namespace Drydock.Maintenance.Drain;

/// <summary>A node to drain.</summary>
/// <param name="Node">The node.</param>
/// <param name="Holder">Whose maintenance it is.</param>
/// <param name="Parent">The instance to tell about virtual machines and when the node is empty.</param>
/// <param name="Policy">How the pods leave.</param>
/// <param name="Deadline">When the node must be empty.</param>
/// <param name="KeepsEmpty">Go on after that, evicting what comes, until told to end.</param>
/// <param name="State">What was done in earlier generations.</param>
internal sealed record DrainInput(
    string Node, string Holder, string Parent, DrainPolicy Policy, DateTimeOffset Deadline, bool KeepsEmpty, DrainState State)
{
    /// <summary>A virtual machine is told when its turn comes, not as soon as it is seen.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool OrdersMachines { get; init; }

    /// <summary>How long the stop of a machine may take, the one by force with it; null in what was stored before that was kept.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TimeSpan? StopsWithin { get; init; }

    /// <summary>
    /// Nothing is evicted any more once it is to end or is suspended, also between two tries; and force ends in time, whatever is left then. False
    /// in what was stored before that: its history must replay.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool EndsPromptly { get; init; }
}

/// <summary>What a drain carries from generation to generation.</summary>
internal sealed record DrainState
{
    public IReadOnlyList<PodEntry> Pods { get; init; } = [];

    public IReadOnlyList<ObjectRef> Vms { get; init; } = [];

    /// <summary>Those that stay, as the policy for them says.</summary>
    public IReadOnlyList<ObjectRef> Skipped { get; init; } = [];

    /// <summary>Those the parent was not told of yet.</summary>
    public IReadOnlyList<ObjectRef> NewVms { get; init; } = [];

    public IReadOnlyDictionary<string, int> Allowed { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);

    /// <summary>The version of each budget that <see cref="Allowed"/> is about.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public string? Cursor { get; init; }

    public int Launchers { get; init; }

    /// <summary>The orders of the virtual machines, by namespace and name, that rules give one; null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, int>? VmOrders { get; init; }

    /// <summary>The lowest order of the virtual machines that are still there, or null: none is.</summary>
    [JsonIgnore]
    public int? MachineOrder => Launchers == 0 ? null : Vms.Select(OrderOf).DefaultIfEmpty().Min();

    /// <summary>The order of a virtual machine.</summary>
    public int OrderOf(ObjectRef vm) => VmOrders?.GetValueOrDefault(vm.ToString()) ?? 0;

    /// <summary>Pods that went and are not in <see cref="Pods"/> any more.</summary>
    public int Forgotten { get; init; }

    /// <summary>The node was empty once: the deadline is met.</summary>
    public bool WasEmpty { get; init; }

    /// <summary>The deadline passed and the policy forces.</summary>
    public bool IsForced { get; init; }

    /// <summary>The deadline passed and the policy waits.</summary>
    public bool IsOverdue { get; init; }

    /// <summary>Volumes that are still attached although no pod is left.</summary>
    public IReadOnlyList<string> Attached { get; init; } = [];

    /// <summary>Since when that is so.</summary>
    public DateTimeOffset? AttachedSince { get; init; }

    /// <summary>The API server asked for patience: nothing is evicted before that.</summary>
    public DateTimeOffset? ThrottledUntil { get; init; }

    /// <summary>The lease was lost at the last try: not again before that.</summary>
    public DateTimeOffset? LeaseRetryAt { get; init; }

    /// <summary>The maintenance is suspended since then: nothing is evicted and no deadline passes.</summary>
    public DateTimeOffset? SuspendedAt { get; init; }

    /// <summary>The node cannot be looked at since then, or null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? UnseenSince { get; init; }

    /// <summary>Why, or null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Unseen { get; init; }
}

/// <summary>How a drain ended. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DrainEnd>))]
internal enum DrainEnd
{
    /// <summary>The node is empty.</summary>
    Empty,

    /// <summary>It was told to end.</summary>
    Told,

    /// <summary>The deadline passed and the policy fails.</summary>
    TimedOut,
}

/// <summary>What a drain did.</summary>
/// <param name="End">How it ended.</param>
/// <param name="Pods">What became of each pod.</param>
/// <param name="Blockers">What holds it up, the longest first, and not more than the status has room for.</param>
internal sealed record DrainResult(DrainEnd End, IReadOnlyList<PodResult> Pods, IReadOnlyList<Blocker> Blockers)
{
    /// <summary>What was still there, all of it counted; null: nothing, or not told by the version that wrote it.</summary>
    public LeftOnNode? Left { get; init; }
}

/// <summary>Evicts the pods of a node: look, evict what may go, wait for a change, look again.</summary>
internal sealed class DrainOrchestrator : TaskOrchestrator<DrainInput, DrainResult>
{
    private const int RoundsBeforeNew = 80;

    /// <summary>How many pods one activity tries at the most (design D11).</summary>
    private const int PodsInOneActivity = 50;

    private static readonly TimeSpan LeaseRetry = TimeSpan.FromSeconds(5);

    /// <summary>After one look, and all its tries, that failed.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(30);

    /// <summary>Nothing tells when a volume is detached: it is looked at that often.</summary>
    private static readonly TimeSpan LookForDetach = TimeSpan.FromSeconds(5);

    public override async Task<DrainResult> RunAsync(TaskOrchestrationContext context, DrainInput input)
    {
        var end = context.WaitForExternalEvent<string>(ChildEvents.End);
        var skipped = context.WaitForExternalEvent<ObjectRef>(ChildEvents.VmSkipped);
        var again = context.WaitForExternalEvent<DateTimeOffset>(ChildEvents.EmptyAgain);
        var steers = new SteerInbox(context);
        var state = input.State;
        if (state.Unseen is not null)
        {
            // What was told went with the generation that told it.
            Report(context, input, state);
        }

        try
        {
            for (var round = 0; round < RoundsBeforeNew; round++)
            {
                state = DrainBook.Seen(state, await LookAsync(context, input, state, Task.WhenAny(end, skipped, again, steers.News)), input.Policy);
                if (end.IsCompleted)
                {
                    return Result(DrainEnd.Told, state, context.Now());
                }

                (input, state) = DrainSteering.After(await steers.TakeAsync(), input, state);
                if (skipped.IsCompleted)
                {
                    // Looked at again at once, without it.
                    state = state with { Skipped = [.. state.Skipped, await skipped], Cursor = null };
                    skipped = context.WaitForExternalEvent<ObjectRef>(ChildEvents.VmSkipped);
                    continue;
                }

                if (again.IsCompleted)
                {
                    (input, state) = (input with { Deadline = await again }, state with { WasEmpty = false, Cursor = null });
                    again = context.WaitForExternalEvent<DateTimeOffset>(ChildEvents.EmptyAgain);
                    continue;
                }

                state = TellParent(context, input, state);
                if (state.WasEmpty && !input.KeepsEmpty)
                {
                    return Result(DrainEnd.Empty, state, context.Now());
                }

                if (state.SuspendedAt is not null)
                {
                    Report(context, input, state);
                    continue;
                }

                state = AtDeadline(input, state, context.Now());
                if (IsTimedOut(input, state, context.Now()))
                {
                    return Result(DrainEnd.TimedOut, state, context.Now());
                }

                (state, var wasCancelled) = await EvictAsync(context, input, state, Task.WhenAny(end, steers.News));
                Report(context, input, state);
                if (wasCancelled || end.IsCompleted)
                {
                    return Result(DrainEnd.Told, state, context.Now());
                }
            }
        }
        catch (TaskFailedException failure) when (state.WasEmpty)
        {
            // The node is held or its machine is down: that it cannot be looked at for a while must not have it put back, and ends nothing.
            state = state with { UnseenSince = state.UnseenSince ?? context.Now(), Unseen = failure.Sentence() };
            Report(context, input, state);
            await PauseAsync(context, LookAgain, Task.WhenAny(end, skipped, again, steers.News));
            if (end.IsCompleted)
            {
                return Result(DrainEnd.Told, state, context.Now());
            }
        }

        (input, state) = DrainSteering.After(await steers.TakeAsync(), input, state);
        if (skipped.IsCompleted)
        {
            // An event that somebody waited for is not handed to the next generation.
            state = state with { Skipped = [.. state.Skipped, await skipped] };
        }

        (input, state) = again.IsCompleted ? (input with { Deadline = await again }, state with { WasEmpty = false }) : (input, state);
        context.ContinueAsNew(input with { State = DrainBook.Shortened(state) });
        return Result(DrainEnd.Told, state, context.Now());
    }

    private static Task<PodsSeen> LookAsync(TaskOrchestrationContext context, DrainInput input, DrainState state, Task end)
    {
        var now = context.Now();
        var open = state.Pods.Where(pod => pod.GoneAt is null).ToList();
        var until = state.SuspendedAt is not null ? now + TimeSpan.FromMinutes(1) : Earliest(
            now + TimeSpan.FromMinutes(1),
            Latest(state.LeaseRetryAt, state.ThrottledUntil) ?? Earlier(PodSchedule.NextDue(state.Pods, state.Allowed, state.MachineOrder), NextForced(input, state, now)),
            state is { WasEmpty: false, IsOverdue: false, IsForced: false } ? input.Deadline : null,
            state is { WasEmpty: false, IsForced: true } && DrainTelling.ForceEnds(input.Deadline, input.Policy) is var givesUpAt && givesUpAt > now ? givesUpAt : null,
            open.Where(pod => pod.HoldsDrain && pod.Deadline > now).Min(pod => pod.Deadline),
            state.Attached.Count > 0 ? now + LookForDetach : null);
        return context.Await<PodsSeen>(
            Activities.AwaitPods,
            new AwaitPodsInput(input.Node, input.Policy, [.. open.Select(pod => pod.Uid)], state.Vms, state.Allowed, state.Cursor, until)
            {
                Codes = [.. open.Select(pod => pod.Code)],
                Versions = state.Versions,
                Skipped = state.Skipped,
                GathersPods = open.Exists(pod => pod.IsOpen) && open.TrueForAll(pod => pod.Order == open[0].Order),
            },
            input.Node,
            end);
    }

    private static DrainState TellParent(TaskOrchestrationContext context, DrainInput input, DrainState state)
    {
        var (told, news) = DrainBook.TakeVms(state, input.OrdersMachines);
        if (news.Count > 0)
        {
            context.SendEvent(input.Parent, ChildEvents.VmsFound, news);
        }

        if (told.WasEmpty || !DrainBook.IsEmpty(told))
        {
            return told;
        }

        context.SendEvent(input.Parent, ChildEvents.Drained, told.Pods.Count);
        // Whatever comes later is asked to go as politely as the first.
        return told with { WasEmpty = true, IsForced = false, IsOverdue = false };
    }

    private static DrainState AtDeadline(DrainInput input, DrainState state, DateTimeOffset now) =>
        state.WasEmpty || now < input.Deadline || input.Policy.OnTimeout == DeadlinePolicy.Fail
            ? state
            : state with { IsOverdue = true, IsForced = input.Policy.OnTimeout == DeadlinePolicy.Force };

    private static bool IsTimedOut(DrainInput input, DrainState state, DateTimeOffset now) =>
        !state.WasEmpty && input.Policy.OnTimeout switch
        {
            DeadlinePolicy.Fail => now >= input.Deadline || DrainBook.IsLate(state, now),

            // What a rule forbids to evict is not deleted by force either, and nothing else is left that could still go; what is stuck may
            // come loose.
            DeadlinePolicy.Force => state.IsForced
                && (DrainBook.IsDeniedOnly(state) || (DrainTelling.ForceEnds(input.Deadline, input.Policy) is var ends && now >= ends && IsOver(input, state, now, ends))),
            _ => false,
        };

    // A move that has not decided about its machine after as long again, and after all that a stop may take, does not decide at all.
    private static bool IsOver(DrainInput input, DrainState state, DateTimeOffset now, DateTimeOffset ends) => input.EndsPromptly
        ? !DrainBook.IsGoing(state, now, waitsForTries: now < ends + input.Policy.Timeout + (input.StopsWithin ?? TimeSpan.Zero))
        : DrainBook.IsStuckOnly(state);

    private static async Task<(DrainState State, bool WasCancelled)> EvictAsync(
        TaskOrchestrationContext context, DrainInput input, DrainState state, Task stop)
    {
        var now = context.Now();
        if (Latest(state.LeaseRetryAt, state.ThrottledUntil) > now)
        {
            return (state, false);
        }

        var forced = input.Policy.OnTimeout == DeadlinePolicy.Force ? DrainBook.Forced(state, now, passesStuck: input.EndsPromptly) : [];
        var late = forced.SelectMany(group => group).Select(pod => pod.Uid).ToHashSet(StringComparer.Ordinal);
        var due = state.IsForced ? [] : PodSchedule.Due([.. state.Pods.Where(pod => !late.Contains(pod.Uid))], state.Allowed, now, state.MachineOrder);
        var wasLost = state.LeaseRetryAt is not null;
        state = state with { LeaseRetryAt = null, ThrottledUntil = null };
        (state, var verdicts) = await EvictAsync(context, input, state, due, isForced: false, stop);
        (state, var others) = await EvictAsync(context, input, state, stop.IsCompleted ? [] : forced, isForced: true, stop);
        List<Verdict> all = [.. verdicts, .. others];
        var isLost = all.Contains(Verdict.LeaseLost);
        if (isLost && !wasLost)
        {
            context.LookAtLease(input.Holder);
        }

        return (isLost ? state with { LeaseRetryAt = context.Now() + LeaseRetry } : state, all.Contains(Verdict.Cancelled));
    }

    private static async Task<(DrainState State, IEnumerable<Verdict> Verdicts)> EvictAsync(
        TaskOrchestrationContext context, DrainInput input, DrainState state, IReadOnlyList<IReadOnlyList<PodEntry>> pods, bool isForced, Task stop)
    {
        var batches = DrainBook.Batches(pods, PodsInOneActivity);
        var evicting = Task.WhenAll(batches.Select(batch => EvictAsync(
            context, new EvictPodsInput(input.Node, input.Holder, batch, input.Policy.GracePeriod, isForced) { AtOnce = input.Policy.MaxParallelEvictions }, input.EndsPromptly ? stop : null)));
        await context.CutShortAt(stop, evicting, Wakeups.EvictionsOf(input.Node));
        var results = await evicting;
        return (
            results.Aggregate(state, (before, result) => DrainBook.Tried(before, result, isForced, context.Now())),
            results.Select(result => result.Verdict));
    }

    // A stop between two tries ends them: nobody was asked, or what was accepted is seen at the next look.
    private static async Task<PodsEvicted> EvictAsync(TaskOrchestrationContext context, EvictPodsInput batch, Task? stop)
    {
        try
        {
            return stop is null
                ? await context.Do<PodsEvicted>(Activities.EvictPods, batch)
                : await context.Do<PodsEvicted>(Activities.EvictPods, batch, stop);
        }
        catch (TaskFailedException) when (stop is { IsCompleted: true })
        {
            return new PodsEvicted(Verdict.Done, [], []) { Untried = [.. batch.Groups.SelectMany(static group => group).Select(static pod => pod.Uid)] };
        }
    }

    private static async Task PauseAsync(TaskOrchestrationContext context, TimeSpan pause, Task news)
    {
        using var woken = new CancellationTokenSource();
        if (await Task.WhenAny(context.CreateTimer(context.Now() + pause, woken.Token), news) == news)
        {
            woken.Cancel();
        }
    }

    private static void Report(TaskOrchestrationContext context, DrainInput input, DrainState state) =>
        context.SetCustomStatus(DrainTelling.StatusOf(state, input.Deadline, input.Policy, context.Now(), input.Node));

    private static DrainResult Result(DrainEnd end, DrainState state, DateTimeOffset now) =>
        new(end, [.. state.Pods.Select(DrainTelling.ResultOf)], DrainTelling.Blockers(state, now)) { Left = DrainTelling.WhatIsLeft(state, now) };

    private static DateTimeOffset? Latest(DateTimeOffset? one, DateTimeOffset? other) => one is null || other > one ? other : one;

    private static DateTimeOffset? NextForced(DrainInput input, DrainState state, DateTimeOffset now) =>
        input.Policy.OnTimeout == DeadlinePolicy.Force ? DrainBook.NextForced(state, now, passesStuck: input.EndsPromptly) : null;

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) => one is null || other < one ? other : one;

    private static DateTimeOffset Earliest(DateTimeOffset one, params DateTimeOffset?[] others) =>
        others.Aggregate(one, (earliest, other) => other < earliest ? other.Value : earliest);
}
