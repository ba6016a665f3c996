using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Gives each namespace its default service account, and empties one that is being deleted before letting it go.</summary>
internal sealed class NamespaceController(ClusterContext cluster) : IController
{
    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.Namespaces))
        {
            return change.Kind == ChangeKind.Deleted ? [] : [change.Object.Key()];
        }

        // The last object to go lets its namespace go.
        return change.Kind == ChangeKind.Deleted && change.Namespace is { } space
            && cluster.Store.Get(ResourceTypes.Namespaces, null, space).IsDeleting()
                ? [new(null, space)]
                : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Store.Get(ResourceTypes.Namespaces, null, key.Name) is not { } space)
        {
            return null;
        }

        if (!space.IsDeleting())
        {
            CreateServiceAccount(key.Name);
            return null;
        }

        var left = 0;
        foreach (var type in cluster.Store.Types.Where(each => each.Namespaced))
        {
            foreach (var item in cluster.Store.List(type, key.Name))
            {
                left++;
                if (!item.IsDeleting())
                {
                    cluster.Delete(type, item, propagation: "Background");
                }
            }
        }

        if (left == 0)
        {
            cluster.Change(ResourceTypes.Namespaces, space, current => current.Ensure("spec").Remove("finalizers"));
        }

        return null;
    }

    private void CreateServiceAccount(string space)
    {
        if (cluster.Store.Get(ResourceTypes.ServiceAccounts, space, "default") is null)
        {
            cluster.Store.Create(ResourceTypes.ServiceAccounts, new JsonObject
            {
                ["apiVersion"] = "v1",
                ["kind"] = "ServiceAccount",
                ["metadata"] = new JsonObject { ["name"] = "default", ["namespace"] = space },
            });
        }
    }
}
