using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Tells the kubelets of new nodes how long to keep secrets: not at all, as in clusters of up to 100 nodes.</summary>
internal sealed class NodeTtlController(ClusterContext cluster) : IController
{
    private const string Annotation = "node.alpha.kubernetes.io/ttl";

    public IEnumerable<ObjectKey> Affected(Change change) =>
        change.Type.Equals(ResourceTypes.Nodes) && change.Kind == ChangeKind.Added ? [new(null, change.Name)] : [];

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.Nodes, key) is { } node && node.At("metadata", "annotations", Annotation) is null)
        {
            cluster.Change(ResourceTypes.Nodes, node, current => current.Ensure("metadata", "annotations")[Annotation] = "0");
        }

        return null;
    }
}
