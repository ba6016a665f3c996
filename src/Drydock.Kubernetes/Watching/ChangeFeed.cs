using System.Globalization;
using Drydock.Kubernetes.Api;
using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes.Watching;

/// <summary>What ends a wait.</summary>
internal enum WaitFor
{
    /// <summary>Whatever can matter to the maintenance of the node.</summary>
    Anything,

    /// <summary>The same, but pods that are not those of machines do not.</summary>
    Budgets,

    /// <summary>The same, but budgets that cover no pod of a machine of the node do not either, and what happens elsewhere does in a while.</summary>
    Machines,
}

/// <summary>Wakes who waits for a node when something changed that can matter to it. It wakes, it never proves (design D7).</summary>
internal sealed class ChangeFeed : IAsyncDisposable
{
    /// <summary>Changes come in bursts; the first opens this window and all in it wake once.</summary>
    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// What happens elsewhere hardly ever matters to a machine, and a large cluster has some of it at every moment: dozens of machines that each
    /// looked again for each of it would ask for nothing else.
    /// </summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(500);

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
    private readonly Dictionary<string, WatchedObjects<PodState>> _podsOn = new(StringComparer.Ordinal);
    private readonly HashSet<Waiter> _waiters = [];
    private long _count;
    private long _allChangedAt;
    private long _budgetsChangedAt;
    private long _elsewhereChangedAt;
    private long _eventsSeen;
    private Watched<BudgetState>? _budgets;
    private Watched<MigrationState>? _migrations;

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
                return _budgets is { IsLive: true } watched ? [.. watched.Objects.Values.Select(budget => budget.Snapshot!)] : null;
            }
        }
    }

    /// <summary>See <see cref="ICluster.WatchedMigrations"/>.</summary>
    public IReadOnlyList<MigrationSnapshot>? Migrations
    {
        get
        {
            lock (_gate)
            {
                return _migrations is { IsLive: true } watched ? [.. watched.Objects.Values.Select(migration => migration.Snapshot).OfType<MigrationSnapshot>()] : null;
            }
        }
    }

    public long EventsSeen => Volatile.Read(ref _eventsSeen);

    /// <summary>See <see cref="ICluster.WaitForChangeAsync"/> and its siblings.</summary>
    public async Task<string> WaitAsync(string node, WaitFor what, string? cursor, DateTimeOffset until, CancellationToken cancellationToken)
    {
        var pods = PodsOf(node);
        _cluster.Enter();
        pods.Enter();
        try
        {
            if (Park(node, what, cursor, until) is { } waiter)
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
    private Waiter? Park(string node, WaitFor what, string? cursor, DateTimeOffset until)
    {
        lock (_gate)
        {
            var longest = until - _api.Clock.GetUtcNow();
            if (longest <= TimeSpan.Zero || CountOf(cursor) is not { } seen || HasNews(node, what, seen))
            {
                return null;
            }

            var waiter = new Waiter(node, what, longest < LongestWait ? longest : LongestWait);
            _waiters.Add(waiter);
            if (_elsewhereChangedAt > seen)
            {
                WakeIn(Rest, waiter);
            }

            return waiter;
        }
    }

    private bool HasNews(string node, WaitFor what, long seen) =>
        _allChangedAt > seen
        || _changedAt.GetValueOrDefault(node) > seen
        || (what == WaitFor.Anything && _podsChangedAt.GetValueOrDefault(node) > seen)
        || (what != WaitFor.Machines && Math.Max(_budgetsChangedAt, _elsewhereChangedAt) > seen);

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
            ref var changedForAll = ref concern.IsOfBudget ? ref _budgetsChangedAt : ref concern.IsElsewhere ? ref _elsewhereChangedAt : ref _allChangedAt;
            changedForAll = _count;
        }

        var changedAt = concern.IsOfPodsOnly ? _podsChangedAt : _changedAt;
        foreach (var node in concern.Nodes)
        {
            changedAt[node] = _count;
        }

        foreach (var waiter in _waiters)
        {
            if (waiter.GatherTime(concern) is { } time)
            {
                WakeIn(time, waiter);
            }
        }
    }

    /// <summary>Called under the gate.</summary>
    private void WakeIn(TimeSpan time, Waiter waiter)
    {
        var at = _api.Clock.GetUtcNow() + time;
        if (waiter.WokenAt <= at)
        {
            return;
        }

        waiter.WokenAt = at;
        waiter.Gathering?.Dispose();
        waiter.Gathering = _api.Clock.CreateTimer(_ => Release(waiter), null, time, Timeout.InfiniteTimeSpan);
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

            waiter.Gathering?.Dispose();
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

    private async Task WatchPodsAsync(string node, CancellationToken stop)
    {
        var watched = Watch<PodState>(
            Resource.Pods, Selectors.OnNode(node), PodState.From, (before, after) => Tell(PodState.Concerns(node, before, after)), Concern.Of(node));
        lock (_gate)
        {
            _podsOn[node] = watched.Objects;
        }

        await watched.RunAsync(stop);
        lock (_gate)
        {
            _podsOn.Remove(node);
        }
    }

    private Task WatchClusterAsync(CancellationToken stop)
    {
        var seenOn = new VmiNodes();
        var nodes = Watch<NodeState>(
            Resource.Nodes, null, NodeState.From, (before, after) => Tell(NodeState.Concerns(before, after)), Concern.All);
        var budgets = Watch<BudgetState>(
            Resource.Budgets, null, BudgetState.From,
            (before, after) => Tell(BudgetState.Concerns(before, after, NodesWithMachinesOf(before).Union(NodesWithMachinesOf(after)))), Concern.All);
        var vmis = Watch<VmiState>(
            Resource.Vmis, null, json => seenOn.Note(VmiState.From(json)),
            (before, after) => Tell(VmiState.Concerns(before, after, seenOn.Of((after ?? before)?.Ref))), Concern.All);
        var migrations = Watch<MigrationState>(
            Resource.Migrations, null, MigrationState.From,
            (before, after) => Tell(MigrationState.Concerns(before, after, seenOn.Of((after ?? before)?.Vmi))), Concern.All);
        lock (_gate)
        {
            (_budgets, _migrations) = (budgets, migrations);
        }

        return Task.WhenAll(nodes.RunAsync(stop), budgets.RunAsync(stop), vmis.RunAsync(stop), migrations.RunAsync(stop));
    }

    /// <summary>The nodes with a machine whose pod the budget covers, of those whose pods are watched. To be called under the gate.</summary>
    private IEnumerable<string> NodesWithMachinesOf(BudgetState? budget) =>
        from node in _podsOn
        where budget is not null && node.Value.Values.Any(pod => pod.Launcher is { } launcher && budget.Snapshot!.Covers(launcher))
        select node.Key;

    private Watched<T> Watch<T>(
        Resource resource, string? selector, Func<System.Text.Json.JsonElement, T> read, Action<T?, T?> changed, Concern first)
        where T : class
    {
        var objects = new WatchedObjects<T>(_gate, read, changed, () => Tell(first), () => _eventsSeen++);
        return new(new ListWatch<KeyValuePair<ObjectRef, T>>(_api, resource, selector, objects, _logger), objects);
    }

    /// <summary>A watch and what it told.</summary>
    private sealed record Watched<T>(ListWatch<KeyValuePair<ObjectRef, T>> Watch, WatchedObjects<T> Objects)
        where T : class
    {
        public bool IsLive => Watch.IsLive;

        public Task RunAsync(CancellationToken stop) => Watch.RunAsync(stop);
    }

    private sealed class Waiter(string node, WaitFor what, TimeSpan longest)
    {
        public TimeSpan Longest { get; } = longest;

        /// <summary>Runs while what comes after a change is gathered.</summary>
        public ITimer? Gathering { get; set; }

        /// <summary>When that ends.</summary>
        public DateTimeOffset? WokenAt { get; set; }

        public TaskCompletionSource Woken { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>How long after this change it wakes; null: it does not.</summary>
        public TimeSpan? GatherTime(Concern concern) =>
            concern.Nodes.Contains(node) && (what == WaitFor.Anything || !concern.IsOfPodsOnly) ? Burst
            : !concern.Everyone || (what == WaitFor.Machines && concern.IsOfBudget) ? null
            : what == WaitFor.Machines && concern.IsElsewhere ? Rest
            : Burst;
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
