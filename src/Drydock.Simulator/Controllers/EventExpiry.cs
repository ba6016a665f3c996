using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Deletes Events an hour after they were last written, as the API server does (<c>--event-ttl</c>).</summary>
internal sealed class EventExpiry(ClusterContext cluster) : IController
{
    private static readonly TimeSpan TimeToLive = TimeSpan.FromHours(1);

    private readonly Dictionary<ObjectKey, (string Version, DateTimeOffset At)> _expires = [];

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (!change.Type.Equals(ResourceTypes.Events))
        {
            return [];
        }

        if (change.Kind == ChangeKind.Deleted)
        {
            _expires.Remove(change.Object.Key());
            cluster.Events.Forget(change.Object);
            return [];
        }

        return [change.Object.Key()];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.Events, key) is not { } item)
        {
            return null;
        }

        if (!_expires.TryGetValue(key, out var expires) || expires.Version != item.VersionOf())
        {
            _expires[key] = expires = (item.VersionOf(), cluster.Now + TimeToLive);
        }

        if (cluster.Until(expires.At) is { Ticks: > 0 } left)
        {
            return left;
        }

        cluster.Delete(ResourceTypes.Events, item);
        return null;
    }
}
