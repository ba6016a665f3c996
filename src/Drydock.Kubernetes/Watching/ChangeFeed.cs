using System.Globalization;
using Drydock.Kubernetes.Api;
using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes.Watching;

/// <summary>Wakes who waits for a node when something changed that can matter to it. It wakes, it never proves (design D7).</summary>
internal sealed class ChangeFeed : IAsyncDisposable
{
    /// <summary>Changes come in bursts; the first opens this window and all in it wake once.</summary>
    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(50);

    /// <summary>No timer runs longer than some weeks.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    /// <summary>Tells cursors of this process from those of others, whose counts mean nothing here.</summary>
    private readonly string _process = Guid.NewGuid().ToString("N");

    private readonly Lock _gate = new();
    private readonly ApiClient _api;
    private readonly ILogger<ChangeFeed> _logger;
    private readonly SharedWatch _cluster;
    private readonly Dictionary<string, SharedWatch> _podsOfNode = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _changedAt = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _podsChangedAt = new(StringComparer.Ordinal);
    private readonly HashSet<Waiter> _waiters = [];
    private long _count;
    private long _allChangedAt;
    private long _eventsSeen;
    private (ListWatch Watch, WatchedObjects<BudgetState> Objects)? _budgets;

    public ChangeFeed(ApiClient api, ILogger<ChangeFeed> logger)
    {
        _api = api;
        _logger = logger;
        _cluster = new SharedWatch(WatchClusterAsync, api.Clock);
    }

    /// <summary>How many wait for nothing but a change or the clock.</summary>
    public int ParkedWaits
    {
        get
        {
            lock (_gate)
            {
                return _waiters.Count;
            }
        }
    }

    /// <summary>See <see cref="ICluster.WatchedBudgets"/>.</summary>
    public IReadOnlyList<BudgetSnapshot>? Budgets
    {
        get
        {
            lock (_gate)
            {
                return _budgets is var (watch, objects) && watch.IsLive ? [.. objects.Values.Select(budget => budget.Snapshot!)] : null;
            }
        }
    }

    public long EventsSeen => Volatile.Read(ref _eventsSeen);

    /// <summary>See <see cref="ICluster.WaitForChangeAsync"/>, and <see cref="ICluster.WaitForMachineChangeAsync"/> for one without pods.</summary>
    public async Task<string> WaitAsync(string node, bool withPods, string? cursor, DateTimeOffset until, CancellationToken cancellationToken)
    {
        var pods = PodsOf(node);
        _cluster.Enter();
        pods.Enter();
        try
        {
            if (Park(node, withPods, cursor, until) is { } waiter)
            {
                using var clock = _api.Clock.CreateTimer(_ => Release(waiter), null, waiter.Longest, Timeout.InfiniteTimeSpan);
                using var cancel = cancellationToken.UnsafeRegister(_ => Release(waiter), null);
                await waiter.Woken.Task;
                cancellationToken.ThrowIfCancellationRequested();
            }

            lock (_gate)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{_process}:{_count}");
            }
        }
        finally
        {
            pods.Leave();
            _cluster.Leave();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        List<SharedWatch> watches;
        lock (_gate)
        {
            watches = [.. _podsOfNode.Values];
        }

        foreach (var watch in watches)
        {
            await watch.DisposeAsync();
        }
    }

    /// <summary>Null if there is nothing to wait for.</summary>
    private Waiter? Park(string node, bool withPods, string? cursor, DateTimeOffset until)
    {
        lock (_gate)
        {
            var longest = until - _api.Clock.GetUtcNow();
            if (longest <= TimeSpan.Zero || CountOf(cursor) is not { } seen
                || _allChangedAt > seen
                || _changedAt.GetValueOrDefault(node) > seen
                || (withPods && _podsChangedAt.GetValueOrDefault(node) > seen))
            {
                return null;
            }

            var waiter = new Waiter(node, withPods, longest < LongestWait ? longest : LongestWait);
            _waiters.Add(waiter);
            return waiter;
        }
    }

    private long? CountOf(string? cursor) =>
        cursor?.Split(':') is [var process, var count] && process == _process
        && long.TryParse(count, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    /// <summary>Called under the gate.</summary>
    private void Tell(Concern concern)
    {
        if (!concern.Everyone && concern.Nodes.Count == 0)
        {
            return;
        }

        _count++;
        if (concern.Everyone)
        {
            _allChangedAt = _count;
        }

        var changedAt = concern.IsOfPodsOnly ? _podsChangedAt : _changedAt;
        foreach (var node in concern.Nodes)
        {
            changedAt[node] = _count;
        }

        foreach (var waiter in _waiters.Where(waiter => waiter.Burst is null && waiter.IsWokenBy(concern)))
        {
            waiter.Burst = _api.Clock.CreateTimer(_ => Release(waiter), null, Burst, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>No longer parked from here on, though its code has not run yet: a test that looks now must not let time jump.</summary>
    private void Release(Waiter waiter)
    {
        lock (_gate)
        {
            if (!_waiters.Remove(waiter))
            {
                return;
            }

            waiter.Burst?.Dispose();
        }

        waiter.Woken.TrySetResult();
    }

    private SharedWatch PodsOf(string node)
    {
        lock (_gate)
        {
            if (!_podsOfNode.TryGetValue(node, out var watch))
            {
                watch = _podsOfNode[node] = new SharedWatch(stop => WatchPodsAsync(node, stop), _api.Clock);
            }

            return watch;
        }
    }

    private Task WatchPodsAsync(string node, CancellationToken stop) => Follow<PodState>(
        Resource.Pods, Selectors.OnNode(node), PodState.From, (before, after) => Tell(PodState.Concerns(node, before, after)), Concern.Of(node), stop);

    private Task WatchClusterAsync(CancellationToken stop)
    {
        var seenOn = new VmiNodes();
        return Task.WhenAll(
            Follow<NodeState>(
                Resource.Nodes, null, NodeState.From, (before, after) => Tell(NodeState.Concerns(before, after)), Concern.All, stop),
            FollowBudgets(stop),
            Follow<VmiState>(
                Resource.Vmis, null, json => seenOn.Note(VmiState.From(json)),
                (before, after) => Tell(VmiState.Concerns(before, after, seenOn.Of((after ?? before)?.Ref))), Concern.All, stop),
            Follow<MigrationState>(
                Resource.Migrations, null, MigrationState.From,
                (before, after) => Tell(MigrationState.Concerns(before, after, seenOn.Of((after ?? before)?.Vmi))), Concern.All, stop));
    }

    private Task FollowBudgets(CancellationToken stop)
    {
        var objects = Watched<BudgetState>(BudgetState.From, (before, after) => Tell(BudgetState.Concerns(before, after)), Concern.All);
        var watch = new ListWatch(_api, Resource.Budgets, null, objects, _logger);
        lock (_gate)
        {
            _budgets = (watch, objects);
        }

        return watch.RunAsync(stop);
    }

    private Task Follow<T>(
        Resource resource,
        string? selector,
        Func<System.Text.Json.JsonElement, T> read,
        Action<T?, T?> changed,
        Concern first,
        CancellationToken stop)
        where T : class => new ListWatch(_api, resource, selector, Watched(read, changed, first), _logger).RunAsync(stop);

    private WatchedObjects<T> Watched<T>(Func<System.Text.Json.JsonElement, T> read, Action<T?, T?> changed, Concern first)
        where T : class => new(_gate, read, changed, () => Tell(first), () => _eventsSeen++);

    private sealed class Waiter(string node, bool withPods, TimeSpan longest)
    {
        public TimeSpan Longest { get; } = longest;

        public ITimer? Burst { get; set; }

        public TaskCompletionSource Woken { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsWokenBy(Concern concern) => concern.Everyone || (concern.Nodes.Contains(node) && (withPods || !concern.IsOfPodsOnly));
    }

    /// <summary>On which nodes an instance of a name was seen while this watch runs.</summary>
    private sealed class VmiNodes
    {
        private readonly Dictionary<ObjectRef, HashSet<string>> _nodes = [];

        public VmiState Note(VmiState vmi)
        {
            if (vmi.Node is { } node)
            {
                if (!_nodes.TryGetValue(vmi.Ref, out var nodes))
                {
                    nodes = _nodes[vmi.Ref] = new HashSet<string>(StringComparer.Ordinal);
                }

                nodes.Add(node);
            }

            return vmi;
        }

        public IEnumerable<string> Of(ObjectRef? vmi) => vmi is { } name && _nodes.TryGetValue(name, out var nodes) ? nodes : [];
    }
}
