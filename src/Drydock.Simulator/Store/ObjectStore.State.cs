using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>The store as it is put away and taken out again.</summary>
public sealed partial class ObjectStore
{
    /// <summary>How often anybody looked into an object: what a test tells from that the work for one request does not grow with the cluster.</summary>
    internal long Looks => _trees.Looks;

    /// <summary>The objects of all types, and the version they are of.</summary>
    internal (long ResourceVersion, IReadOnlyList<(string GroupResource, ObjectList Items)> Types) Everything()
    {
        lock (_lock)
        {
            return (_version, [.. _tables.Select(table => (table.Key.GroupResource, table.Value.List(null)))]);
        }
    }

    /// <summary>Puts objects in as they were, with their uids and versions; observers see each as added. Older versions are too old.</summary>
    internal void Restore(long version, IEnumerable<(string GroupResource, JsonObject Item)> objects)
    {
        lock (_lock)
        {
            // Definitions first: they say what other types there are.
            var ordered = objects.OrderBy(each => each.GroupResource != ResourceTypes.CustomResourceDefinitions.GroupResource).ToList();
            foreach (var (name, item) in ordered)
            {
                var type = _types.First(each => each.GroupResource == name);
                var stored = new StoredObject(item, _trees, before: null);
                Table(type).Put(type, stored);
                var change = new Change(ChangeKind.Added, type, stored, null, version);
                if (type.Equals(ResourceTypes.CustomResourceDefinitions))
                {
                    FollowDefinition(change);
                }

                foreach (var observer in _observers)
                {
                    observer(change);
                }
            }

            // Other chances than those that gave the uids there are.
            _identities = new(unchecked(seed + (int)version));
            Volatile.Write(ref _version, version);
            _log.Compact(version);
        }
    }
}
