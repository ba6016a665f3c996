using System.Collections.Concurrent;
using Drydock.Kubernetes.Api;

namespace Drydock.Kubernetes.Watching;

/// <summary>What the watches of one connection are doing, for probes and metrics.</summary>
internal sealed class WatchHealth(TimeProvider clock)
{
    private readonly ConcurrentDictionary<object, WatchState> _watches = new();

    /// <summary>All watches that run now.</summary>
    public IReadOnlyList<WatchState> All => [.. _watches.Values];

    /// <summary>A watch of this kind runs from now on.</summary>
    public void Begin(object watch, Resource resource) => _watches[watch] = new WatchState(resource.Describe(null), clock.GetUtcNow(), null);

    /// <summary>The server said something: a list, an event, a bookmark, or that the watch is open.</summary>
    public void Heard(object watch) => Update(watch, state => state with { HeardAt = clock.GetUtcNow(), Broken = null });

    /// <summary>It broke and is being taken up again.</summary>
    public void Broke(object watch, string why) => Update(watch, state => state with { Broken = why });

    /// <summary>Nobody needs it any more.</summary>
    public void End(object watch) => _watches.TryRemove(watch, out _);

    private void Update(object watch, Func<WatchState, WatchState> change)
    {
        if (_watches.TryGetValue(watch, out var state))
        {
            _watches[watch] = change(state);
        }
    }
}
