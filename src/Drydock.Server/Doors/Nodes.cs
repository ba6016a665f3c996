using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>Reads nodes: from the cluster, with the maintenance that is under way for each.</summary>
internal sealed class Nodes(DurableTaskClient client, ICluster cluster, TimeProvider clock)
{
    /// <summary>All nodes of the cluster, by name.</summary>
    public Task<IReadOnlyList<NodeSnapshot>> ListAsync(CancellationToken cancellationToken) => cluster.ListNodesAsync(cancellationToken);

    /// <summary>The views of some nodes, in their order.</summary>
    public async Task<IReadOnlyList<NodeView>> ViewAsync(IReadOnlyList<NodeSnapshot> nodes, CancellationToken cancellationToken)
    {
        var running = new Dictionary<string, (string Id, MaintenanceState State)>(StringComparer.Ordinal);
        await foreach (var instance in Instances.RunningAsync(client, Orchestrations.Maintenance, cancellationToken))
        {
            if (instance.ReadInputAs<MaintenanceRequest>() is { Node: var node })
            {
                running[node] = (instance.InstanceId, MaintenanceViews.State(instance, instance.ReadCustomStatusAs<MaintenanceStatus>(), null));
            }
        }

        var leases = await Task.WhenAll(nodes.Select(node => cluster.GetLeaseAsync(node.Name, cancellationToken)));
        return [.. nodes.Select((node, index) => View(node, leases[index], running.TryGetValue(node.Name, out var found) ? found : null))];
    }

    /// <summary>The node, or null.</summary>
    public async Task<NodeView?> FindAsync(string name, CancellationToken cancellationToken) =>
        KubernetesName.IsSubdomain(name) && await cluster.GetNodeAsync(name, cancellationToken) is { } node
            ? (await ViewAsync([node], cancellationToken))[0]
            : null;

    private NodeView View(NodeSnapshot node, LeaseSnapshot? lease, (string Id, MaintenanceState State)? running) =>
        new(node.Name, node.IsReady, node.Unschedulable, node.IsControlPlane)
        {
            KubeletVersion = node.KubeletVersion,
            Taints = [.. node.Taints.Select(static taint => $"{taint.Key}{(string.IsNullOrEmpty(taint.Value) ? "" : "=" + taint.Value)}:{taint.Effect}")],
            MaintenanceId = running?.Id,
            MaintenanceState = running?.State,
            HeldBy = node.Mark?.HeldBy,
            Lease = lease is { Holder: { Length: > 0 } holder } ? new LeaseView(holder, lease.RenewedAt, lease.ExpiresAt, lease.ExpiresAt <= clock.GetUtcNow()) : null,
        };
}
