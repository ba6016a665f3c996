using System.Collections.Concurrent;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.Drain;

/// <summary>
/// Bounds how many evictions this process has under way: of one node, of all nodes together, and of one budget a single one, on whichever
/// nodes its pods are. Evictions of one budget that arrive together make the API server retry the losers every half second (recorded cases
/// 373–375). What all nodes may have together the servers of a hub share.
/// </summary>
public sealed class EvictionSlots
{
    /// <summary>How many at once in all servers together, unless said otherwise.</summary>
    public const int DefaultAtOnce = 50;

    /// <summary>How many of one node at once, unless said otherwise.</summary>
    public const int DefaultOfNode = 10;

    // The watch tells sooner; what did not change the budget after all, as the eviction of an unready pod, must not close it.
    private static readonly TimeSpan CountsFor = TimeSpan.FromSeconds(5);

    // Less than any pod needs to be replaced: it costs a drain nothing.
    private static readonly TimeSpan WatchLags = TimeSpan.FromMilliseconds(250);

    private readonly SharedPlaces _all;
    private long _patienceUntil;
    private readonly ConcurrentDictionary<(string Node, int AtOnce), SemaphoreSlim> _nodes = new();
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _budgets = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<ObjectRef, (string Version, int Taken, int InARow, DateTimeOffset At)> _taken = new();

    /// <summary>Bounds for one process.</summary>
    /// <param name="atOnce">How many at once in all servers together; at least one.</param>
    /// <param name="servers">
    /// How many servers share that evenly, at any moment; each has at least one. Null: this one is alone. One that has just come is seen a
    /// second later, and what is under way then is seen to its end: for as long there may be more.
    /// </param>
    public EvictionSlots(int atOnce = DefaultAtOnce, Func<int>? servers = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(atOnce, 1);
        _all = new SharedPlaces(() => Math.Max(1, atOnce / Math.Max(1, servers?.Invoke() ?? 1)));
    }

    /// <summary>The same; null if it is to stop before there is a place: others may hold theirs for as long as a webhook takes, one after the other.</summary>
    internal async Task<IDisposable?> EnterOrStopAsync(string node, int ofNode, string? budget, CancellationToken stop)
    {
        try
        {
            return await EnterAsync(node, ofNode, budget, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Waits until one more may be under way; disposing of the result ends it.</summary>
    internal async Task<IDisposable> EnterAsync(string node, int ofNode, string? budget, CancellationToken cancellationToken)
    {
        var slot = new Slot();
        try
        {
            // The budget first: who waits for it must not take a place from others.
            if (budget is not null)
            {
                await slot.TakeAsync(_budgets.GetOrAdd(budget, static _ => new SemaphoreSlim(1)), cancellationToken);
            }

            await slot.TakeAsync(_nodes.GetOrAdd((node, ofNode), static key => new SemaphoreSlim(key.AtOnce)), cancellationToken);
            await _all.EnterAsync(cancellationToken);
            slot.Left = _all.Leave;
            return slot;
        }
        catch
        {
            slot.Dispose();
            throw;
        }
    }

    /// <summary>
    /// What that version of a budget allows, this process has taken already, for whichever node: to ask is to be refused. Only whoever holds
    /// its place of the budget may say so.
    /// </summary>
    internal bool IsSpent(BudgetSnapshot budget, DateTimeOffset now) =>
        budget.DisruptionsAllowed > 0 && _taken.TryGetValue(budget.Ref, out var one)
        && one.Version == budget.ResourceVersion && one.Taken >= budget.DisruptionsAllowed && now - one.At < CountsFor;

    /// <summary>An eviction was accepted that was sent because of that version of a budget.</summary>
    internal void Took(BudgetSnapshot budget, DateTimeOffset now) => _taken.AddOrUpdate(
        budget.Ref,
        _ => (budget.ResourceVersion, 1, 1, now),
        (_, known) => (
            budget.ResourceVersion,
            known.Version == budget.ResourceVersion ? known.Taken + 1 : 1,
            now - known.At < WatchLags ? known.InARow + 1 : 1,
            now));

    /// <summary>
    /// Several evictions under one of these budgets were accepted in a row: each made a version that allows one less, and a watch that is still
    /// at one of those tells of what is taken already as allowed. How long that may still be so, or null.
    /// </summary>
    internal TimeSpan? SettlesIn(IEnumerable<string> budgets, DateTimeOffset now)
    {
        var asked = budgets.ToHashSet(StringComparer.Ordinal);
        var until = _taken.Where(one => one.Value.InARow > 1 && asked.Contains(one.Key.ToString())).Max(DateTimeOffset? (one) => one.Value.At + WatchLags);
        return until - now is { } left && left > TimeSpan.Zero ? left : null;
    }

    /// <summary>
    /// The API server asked every client for patience: nothing is to be asked before that is over, of whichever node, but for no longer than
    /// <see cref="PodSchedule.LongestPatience"/>. How long that is.
    /// </summary>
    internal TimeSpan AskedForPatience(TimeSpan? asked, DateTimeOffset now)
    {
        var patience = PodSchedule.Patience(asked) ?? PodSchedule.AskAgainAfter;
        var until = now + patience;
        long known;
        while ((known = Interlocked.Read(ref _patienceUntil)) < until.UtcTicks && Interlocked.CompareExchange(ref _patienceUntil, until.UtcTicks, known) != known)
        {
        }

        return patience;
    }

    /// <summary>How long that still is, or null.</summary>
    internal TimeSpan? PatienceAt(DateTimeOffset now) =>
        Interlocked.Read(ref _patienceUntil) - now.UtcTicks is > 0 and var ticks ? TimeSpan.FromTicks(ticks) : null;

    private sealed class Slot : IDisposable
    {
        private readonly Stack<SemaphoreSlim> _taken = new();

        public Action? Left { get; set; }

        public async Task TakeAsync(SemaphoreSlim semaphore, CancellationToken cancellationToken)
        {
            await semaphore.WaitAsync(cancellationToken);
            _taken.Push(semaphore);
        }

        public void Dispose()
        {
            Left?.Invoke();
            Left = null;
            while (_taken.TryPop(out var semaphore))
            {
                semaphore.Release();
            }
        }
    }
}
