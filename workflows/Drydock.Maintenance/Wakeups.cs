using System.Collections.Concurrent;
using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>
/// Waits for changes of the cluster that can be cut short when the maintenance itself has news (a cancel, the end of a hold). An
/// orchestration ends only when its activities have; without this a cancel would take as long as the longest wait. A wait in another
/// process is reached if there is a relay; else it ends by itself, after a minute at the latest. All of them end when the process is told
/// to stop: what an activity then returns is kept, and a stop takes no longer than that.
/// </summary>
internal sealed class Wakeups
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(60);

    // Until the worker takes no more work, a wait that ended is followed by the next: each of those costs a turn.
    private static readonly TimeSpan PauseWhenStopping = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider _clock;
    private readonly CancellationToken _stopping;
    private readonly IWakeupRelay? _relay;
    private readonly ConcurrentDictionary<string, CancellationTokenSource> _nodes = new(StringComparer.Ordinal);

    /// <summary>Waits until something happens, and no longer than until <paramref name="stopping"/>.</summary>
    public Wakeups(TimeProvider clock, CancellationToken stopping, IWakeupRelay? relay = null)
    {
        (_clock, _stopping, _relay) = (clock, stopping, relay);
        if (relay is not null)
        {
            relay.Woken = WakeHere;
        }

        // For as long as the process: nothing to unregister.
        stopping.Register(WakeAll);
    }

    /// <summary>Ends every wait of this name, such as that of a node, that runs now.</summary>
    public async Task WakeAsync(string node, CancellationToken cancellationToken)
    {
        WakeHere(node);
        if (_relay is not null)
        {
            await _relay.WakeAsync(node, cancellationToken);
        }
    }

    /// <summary>
    /// The name by which evictions of a node that are under way are told to begin no further one: a suspension or an end need not wait for
    /// those that were only planned.
    /// </summary>
    public static string EvictionsOf(string node) => $"evictions:{node}";

    private void WakeHere(string node)
    {
        // The cancelled source is not disposed: waits may still be linking to its token.
        if (_nodes.TryRemove(node, out var waits))
        {
            waits.Cancel();
        }
    }

    /// <summary>Opens a wait for changes of a node that ends at <paramref name="until"/>, or after a minute.</summary>
    public Waiting Open(ICluster cluster, string node, string? cursor, DateTimeOffset until) =>
        Open(node, cluster.WaitForChangeAsync, cursor, until);

    /// <summary>The same, but pods that are not those of virtual machines do not end it.</summary>
    public Waiting OpenForBudget(ICluster cluster, string node, string? cursor, DateTimeOffset until) =>
        Open(node, cluster.WaitForBudgetChangeAsync, cursor, until);

    /// <summary>The same, but what has nothing to do with the machines of the node does not end it, or not at once.</summary>
    public Waiting OpenForMachine(ICluster cluster, string node, string? cursor, DateTimeOffset until) =>
        Open(node, cluster.WaitForMachineChangeAsync, cursor, until);

    internal Waiting Open(string node, WaitForChange change, string? cursor, DateTimeOffset until)
    {
        var latest = Earlier(until, _clock.GetUtcNow() + LongestWait);
        return _stopping.IsCancellationRequested
            ? new(PauseAsync, node, cursor, Earlier(latest, _clock.GetUtcNow() + PauseWhenStopping), _clock, CancellationToken.None)
            : new(change, node, cursor, latest, _clock, Woken(node));
    }

    /// <summary>Cancelled at the next wake-up of that name.</summary>
    internal CancellationToken Woken(string node)
    {
        var woken = _nodes.GetOrAdd(node, static _ => new()).Token;
        if (_stopping.IsCancellationRequested)
        {
            // It began meanwhile, and this source may have been added after all others were cancelled.
            WakeHere(node);
        }

        return woken;
    }

    private async Task<string> PauseAsync(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken)
    {
        var left = until - _clock.GetUtcNow();
        if (left > TimeSpan.Zero)
        {
            await Task.Delay(left, _clock, cancellationToken);
        }

        return cursor ?? "";
    }

    private void WakeAll()
    {
        foreach (var node in _nodes.Keys)
        {
            WakeHere(node);
        }
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;
}

/// <summary>When the process is told to stop: waits for changes end then. Registered by the host; without it they end as always.</summary>
/// <param name="Stopping">Cancelled at the first sign of the stop.</param>
public sealed record WaitsEnd(CancellationToken Stopping);

/// <summary>One of the waits of <see cref="ICluster"/>.</summary>
internal delegate Task<string> WaitForChange(string node, string? cursor, DateTimeOffset until, CancellationToken cancellationToken);

/// <summary>One wait of an activity: changes in, until it is time to return.</summary>
internal sealed class Waiting(
    WaitForChange change, string node, string? cursor, DateTimeOffset until, TimeProvider clock, CancellationToken woken)
{
    /// <summary>For the next wait of the orchestration.</summary>
    public string? Cursor { get; private set; } = cursor;

    /// <summary>After another wait for the same node ended: what that saw is not told again.</summary>
    public void GoOnFrom(Waiting other) => Cursor = other.Cursor;

    /// <summary>Cancelled when the wait is cut short.</summary>
    public CancellationToken Woken => woken;

    /// <summary>It is time to return what there is.</summary>
    public bool IsOver => woken.IsCancellationRequested || clock.GetUtcNow() >= until;

    /// <summary>Returns after that time, or when the wait is cut short.</summary>
    public async Task SleepAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, woken);
        await Task.WhenAny(Task.Delay(time, clock, either.Token));
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>Returns at a change, when the wait is over, or at <paramref name="atTheLatest"/>.</summary>
    public async Task NextAsync(DateTimeOffset? atTheLatest, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, woken);
        try
        {
            Cursor = await change(
                node, Cursor, atTheLatest is { } earlier && earlier < until ? earlier : until, either.Token);
        }
        catch (OperationCanceledException) when (woken.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // Woken: the caller returns what it sees now.
        }
    }
}
