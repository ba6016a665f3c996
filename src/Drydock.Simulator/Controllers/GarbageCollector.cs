using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// Deletes what has no owner left; before that, with foreground deletion, the dependents of an owner, or with orphaning their
/// references to it.
/// </summary>
internal sealed class GarbageCollector(ClusterContext cluster) : IController
{
    private const string Foreground = "foregroundDeletion";
    private const string Orphan = "orphan";

    // Types by name, for keys that say which type they mean.
    private static string NameOf(ResourceType type) => type.GroupResource;

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.Events))
        {
            return [];
        }

        var own = new ObjectKey(change.Namespace, $"{NameOf(change.Type)}/{change.Name}", change.Object.UidOf());
        if (change.Kind == ChangeKind.Deleted)
        {
            // Its dependents, and owners that wait in the foreground for it to be gone.
            return Dependents(own.Uid!).Select(each => Key(each.Type, each.Item)).Concat(WaitingOwners(change.Object));
        }

        var matters = change.Object.HasFinalizer(Foreground) || change.Object.HasFinalizer(Orphan)
            || (change.Before is null && change.Object.Objects("metadata", "ownerReferences").Any());
        return matters ? [own] : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        var slash = key.Name.IndexOf('/', StringComparison.Ordinal);
        var type = cluster.Store.Types.FirstOrDefault(each => NameOf(each) == key.Name[..slash]);
        if (type is null || cluster.Store.Get(type, key.Namespace, key.Name[(slash + 1)..]) is not { } item || item.UidOf() != key.Uid)
        {
            return null;
        }

        if (item.IsDeleting() && item.HasFinalizer(Orphan))
        {
            OrphanDependents(type, item);
        }
        else if (item.IsDeleting() && item.HasFinalizer(Foreground))
        {
            DeleteDependents(type, item);
        }
        else if (HasOnlyLostOwners(item))
        {
            cluster.Delete(type, item, propagation: "Background");
        }

        return null;
    }

    private static ObjectKey Key(ResourceType type, JsonObject item) =>
        new(item.NamespaceOf(), $"{NameOf(type)}/{item.NameOf()}", item.UidOf());

    private IEnumerable<(ResourceType Type, JsonObject Item)> Dependents(string uid) =>
        cluster.Store.Types.SelectMany(type => cluster.Store.OwnedBy(type, uid).Select(item => (type, item)));

    private IEnumerable<ObjectKey> WaitingOwners(JsonObject item) => item.Objects("metadata", "ownerReferences")
        .Select(reference => Find(item, reference))
        .Where(owner => owner is { } found && found.Item.HasFinalizer(Foreground))
        .Select(owner => Key(owner!.Value.Type, owner.Value.Item));

    private (ResourceType Type, JsonObject Item)? Find(JsonObject item, JsonObject reference)
    {
        var type = cluster.Store.Types.FirstOrDefault(each =>
            each.Kind == reference.Text("kind") && each.Group == GroupOf(reference.Text("apiVersion")!));
        var found = type is null ? null : cluster.Store.Get(type, type.Namespaced ? item.NamespaceOf() : null, reference.Text("name")!);
        return found is not null && found.UidOf() == reference.Text("uid") ? (type!, found) : null;
    }

    private static string GroupOf(string apiVersion) => apiVersion.Contains('/') ? apiVersion.Split('/')[0] : string.Empty;

    private bool HasOnlyLostOwners(JsonObject item)
    {
        var owners = item.Objects("metadata", "ownerReferences").ToList();
        return !item.IsDeleting() && owners.Count > 0 && owners.TrueForAll(each => Find(item, each) is null);
    }

    private void OrphanDependents(ResourceType type, JsonObject owner)
    {
        foreach (var (dependentType, dependent) in Dependents(owner.UidOf()).ToList())
        {
            cluster.Change(dependentType, dependent, current =>
            {
                var references = (JsonArray)current.At("metadata", "ownerReferences")!;
                references.RemoveAll(each => each.Text("uid") == owner.UidOf());
                if (references.Count == 0)
                {
                    current.Ensure("metadata").Remove("ownerReferences");
                }
            });
        }

        cluster.Change(type, owner, current => current.RemoveFinalizer(Orphan));
    }

    private void DeleteDependents(ResourceType type, JsonObject owner)
    {
        var blocking = false;
        foreach (var (dependentType, dependent) in Dependents(owner.UidOf()).ToList())
        {
            blocking |= dependent.Objects("metadata", "ownerReferences")
                .Any(each => each.Text("uid") == owner.UidOf() && each.Flag("blockOwnerDeletion"));
            if (!dependent.IsDeleting())
            {
                cluster.Delete(dependentType, dependent, propagation: dependentType.Equals(ResourceTypes.Pods) ? "Background" : "Foreground");
            }
        }

        if (!blocking)
        {
            cluster.Change(type, owner, current => current.RemoveFinalizer(Foreground));
        }
    }
}
