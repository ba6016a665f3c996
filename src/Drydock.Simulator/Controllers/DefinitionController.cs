using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// Ends CustomResourceDefinitions that are being deleted: removes the objects of their type and, when none is left, the finalizer. A moment
/// passes first, in which clients still find the definition, with its condition Terminating. Source: the finalizer of apiextensions-apiserver.
/// </summary>
internal sealed class DefinitionController(ClusterContext cluster) : IController
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(50);

    private readonly Dictionary<string, DateTimeOffset> _begins = [];

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.CustomResourceDefinitions))
        {
            return change.Object.IsDeleting() ? [change.Object.Key()] : [];
        }

        return change is { Kind: ChangeKind.Deleted, Type.IsCustom: true } && _begins.ContainsKey(change.Type.GroupResource)
            ? [new(null, change.Type.GroupResource)]
            : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.CustomResourceDefinitions, key) is not { } definition)
        {
            _begins.Remove(key.Name);
            return null;
        }

        _begins.TryAdd(key.Name, cluster.Now + Moment);
        if (cluster.Until(_begins[key.Name]) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        var type = CustomResource.TypeOf(definition);
        foreach (var item in cluster.Store.List(type).Where(each => !each.IsDeleting()))
        {
            cluster.Delete(type, item, propagation: "Background");
        }

        if (cluster.Store.List(type).Count == 0)
        {
            cluster.Change(ResourceTypes.CustomResourceDefinitions, definition, current => current.RemoveFinalizer(CustomResource.Finalizer));
        }

        return null;
    }
}
