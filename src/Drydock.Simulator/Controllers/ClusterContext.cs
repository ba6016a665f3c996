using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>What every controller of a cluster works with.</summary>
/// <param name="Store">The objects.</param>
/// <param name="Clock">The cluster's time.</param>
/// <param name="Random">The cluster's chance: only for the loop.</param>
/// <param name="Events">Where Events are written.</param>
internal sealed record ClusterContext(IObjectStore Store, TimeProvider Clock, Random Random, EventRecorder Events)
{
    public DateTimeOffset Now => Clock.GetUtcNow();

    public JsonObject? Get(ResourceType type, ObjectKey key) => Store.Get(type, key.Namespace, key.Name);

    /// <summary>Changes an object if it is still the one that was read; does nothing if it is gone or another one.</summary>
    public JsonObject? Change(ResourceType type, JsonObject item, Action<JsonObject> change)
    {
        var uid = item.UidOf();
        return Store.Update(type, item.NamespaceOf(), item.NameOf(), current =>
        {
            if (current.UidOf() != uid)
            {
                return false;
            }

            change(current);
            return true;
        });
    }

    /// <summary>Deletes the object that was read, not a later one of the same name.</summary>
    public void Delete(ResourceType type, JsonObject item, int? gracePeriodSeconds = null, string? propagation = null)
    {
        try
        {
            Store.Delete(
                type, item.NamespaceOf(), item.NameOf(), new(gracePeriodSeconds, propagation, PreconditionUid: item.UidOf()));
        }
        catch (ApiException refusal) when (refusal.Code is 404 or 409)
        {
            // Somebody else was faster: the object that was read is gone.
        }
    }

    /// <summary>How long until a time; never negative.</summary>
    public TimeSpan Until(DateTimeOffset time)
    {
        var span = time - Now;
        return span > TimeSpan.Zero ? span : TimeSpan.Zero;
    }

    public TimeSpan Between(double fromSeconds, double toSeconds) =>
        TimeSpan.FromMilliseconds(Math.Round(1000 * (fromSeconds + (Random.NextDouble() * (toSeconds - fromSeconds)))));
}
