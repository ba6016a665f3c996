using System.Text.Json.Serialization;
using Drydock.Kubernetes;

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
    string? Cursor, DateTimeOffset Until)
{
    /// <summary><see cref="PodEntry.Code"/> of each known pod, in the same order: what has another code is told again.</summary>
    public IReadOnlyList<string>? Codes { get; init; }

    /// <summary>The version of each of the <see cref="Held"/> budgets that those numbers are about.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Virtual machines that stay: they hold nothing up.</summary>
    public IReadOnlyList<ObjectRef> Skipped { get; init; } = [];

    /// <summary>That a pod goes lets no other go: only a budget that rises does, and that is told at once.</summary>
    public bool GathersPods { get; init; }
}

/// <summary>What is there now, as far as it is news.</summary>
/// <param name="Cursor">For the next wait.</param>
/// <param name="At">When it was read.</param>
/// <param name="Gone">Known pods that are not there any more.</param>
/// <param name="New">Pods that must go and were not known.</param>
/// <param name="NewVms">Virtual machines that must go and were not known.</param>
/// <param name="Launchers">Pods of virtual machines that are still there.</param>
/// <param name="Total">All pods on the node.</param>
/// <param name="Allowed">What each budget that covers a pod that must go allows now.</param>
internal sealed record PodsSeen(
    string? Cursor, DateTimeOffset At, IReadOnlyList<string> Gone, IReadOnlyList<PodEntry> New, IReadOnlyList<ObjectRef> NewVms, int Launchers,
    int Total, IReadOnlyDictionary<string, int> Allowed)
{
    /// <summary>Known pods of which something else is true now.</summary>
    public IReadOnlyList<PodEntry> Changed { get; init; } = [];

    /// <summary>The version of each budget in <see cref="Allowed"/>.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Known pods that are there and need not go any more: they terminate too long, or a rule leaves them.</summary>
    public IReadOnlyList<string> Released { get; init; } = [];

    /// <summary>Volumes that are still attached, once no pod is left; only if the policy waits for them.</summary>
    public IReadOnlyList<string> Attached { get; init; } = [];

    /// <summary>The orders of the virtual machines that rules give one, by namespace and name; null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, int>? VmOrders { get; init; }

    /// <summary>Of the known virtual machines those that were there all the time: one that left and comes back is new again.</summary>
    public IReadOnlyList<ObjectRef>? StillThere { get; init; }
}

/// <summary>Waits until something on the node matters to the drain. Changes nothing.</summary>
internal sealed class AwaitPodsActivity(ICluster cluster, TimeProvider clock, EvictionSlots slots, Wakeups wakeups) : ClusterActivity<AwaitPodsInput, PodsSeen>
{
    // Pods that go, one after the other, are told together: each telling costs a turn and its events.
    private static readonly TimeSpan GatherFor = TimeSpan.FromMilliseconds(500);

    // Longer than a replacement takes that starts at once: its budget rises then, and one look sees both.
    private static readonly TimeSpan GatherPodsFor = TimeSpan.FromSeconds(1);

    // A node that nothing must leave is woken by whatever happens in the cluster; a pod that comes may wait that long.
    private static readonly TimeSpan RestOfIdle = TimeSpan.FromSeconds(2);

    protected override async Task<PodsSeen> RunAsync(AwaitPodsInput input, CancellationToken cancellationToken)
    {
        var wait = wakeups.Open(cluster, input.Node, input.Cursor, input.Until);
        var reader = new DrainReader(cluster, clock, input);
        var isFirst = input.Cursor is null;
        DateTimeOffset? firstGone = null;
        var took = TimeSpan.Zero;
        if (slots.SettlesIn(input.Held.Keys, clock.GetUtcNow()) is { } settles)
        {
            await wait.SleepAsync(settles, cancellationToken);
        }

        while (true)
        {
            // Hundreds of pods that go wake at every moment, and each look reads all that are left: rest longer than looking takes.
            await RestAsync(took, isIdle: input.Known.Count + input.KnownVms.Count == 0, wait, cancellationToken);
            var known = wait.Cursor;
            await wait.NextAsync(firstGone + GatherFor, cancellationToken);
            if (input.GathersPods && firstGone is null && !isFirst && !wait.IsOver)
            {
                var more = wakeups.OpenForBudget(cluster, input.Node, known, Earlier(clock.GetUtcNow() + GatherPodsFor, input.Until));
                await more.NextAsync(null, cancellationToken);
                wait.GoOnFrom(more);
            }

            var from = clock.GetTimestamp();
            var seen = await ReadAsync(reader, wait, cancellationToken);
            took = clock.GetElapsedTime(from);
            firstGone ??= seen.Gone.Count > 0 ? seen.At : null;
            if (isFirst || wait.IsOver || IsNews(input, seen) || seen.At - firstGone >= GatherFor)
            {
                return seen with { Cursor = wait.Cursor };
            }
        }
    }

    private static async Task<PodsSeen> ReadAsync(DrainReader reader, Waiting wait, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadAsync(cancellationToken);
        }
        catch (ClusterException refusal) when (PodSchedule.Patience(refusal.RetryAfter) is { } patience)
        {
            // The next try comes as soon as this one is over: the server said when.
            await wait.SleepAsync(patience, cancellationToken);
            throw;
        }
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    private static Task RestAsync(TimeSpan took, bool isIdle, Waiting wait, CancellationToken cancellationToken) =>
        took == TimeSpan.Zero ? Task.CompletedTask
        : isIdle ? wait.SleepAsync(RestOfIdle, cancellationToken)
        : wait.SleepAsync(took * 2 < GatherFor ? took * 2 : GatherFor, cancellationToken);

    // That a node is as empty as it was is no news: a held one would be told of whatever happens in the cluster.
    private static bool IsNews(AwaitPodsInput input, PodsSeen seen) =>
        seen.New.Count > 0 || seen.NewVms.Count > 0 || seen.Released.Count > 0
        || (input.Known.Count + input.KnownVms.Count > 0 && seen.Gone.Count == input.Known.Count && seen.Launchers == 0)
        || (input.Policy.Rules.Any(static rule => rule.Order != 0) && seen.StillThere?.Count < input.KnownVms.Count)
        || seen.Changed.Any(pod => pod is { IsLeaving: false } or { Stuck: not null })
        || input.Held.Any(budget => seen.Allowed.GetValueOrDefault(budget.Key) > budget.Value);
}
