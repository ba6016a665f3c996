using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Remediation;

/// <summary>
/// The lease of medik8s on a node (<c>medik8s-leases/node-NODE</c>): who holds it may act on the node. Source: lease manager of
/// medik8s/common and <c>internal/controller/resources/lease.go</c> of the NodeHealthCheck operator.
/// </summary>
internal static class NodeLease
{
    /// <summary>How long a remediation waits when somebody else holds the lease.</summary>
    public static readonly TimeSpan Retry = TimeSpan.FromMinutes(1);

    private const string Space = "medik8s-leases";
    private static readonly TimeSpan Duration = TimeSpan.FromMinutes(10);

    /// <summary>Takes or renews the lease; false: somebody else holds it.</summary>
    public static bool TryTake(ClusterContext cluster, string node, string holder)
    {
        if (cluster.Store.Get(ResourceTypes.Leases, Space, Name(node)) is not { } lease)
        {
            cluster.Store.Create(ResourceTypes.Leases, New(cluster, node, holder));
            return true;
        }

        if (lease.Text("spec", "holderIdentity") is { Length: > 0 } other && other != holder && !HasExpired(cluster, lease))
        {
            return false;
        }

        cluster.Change(ResourceTypes.Leases, lease, current => Write(current.Ensure("spec"), cluster, holder));
        return true;
    }

    /// <summary>Gives the lease back if it is the holder's.</summary>
    public static void Release(ClusterContext cluster, string node, string holder)
    {
        if (cluster.Store.Get(ResourceTypes.Leases, Space, Name(node)) is { } lease && lease.Text("spec", "holderIdentity") == holder)
        {
            cluster.Delete(ResourceTypes.Leases, lease);
        }
    }

    private static string Name(string node) => $"node-{node}";

    private static bool HasExpired(ClusterContext cluster, JsonObject lease) =>
        lease.Time("spec", "renewTime") is not { } renewed
        || renewed + TimeSpan.FromSeconds(lease.Number("spec", "leaseDurationSeconds") ?? 0) < cluster.Now
        || renewed > cluster.Now;

    private static JsonObject New(ClusterContext cluster, string node, string holder)
    {
        var lease = new JsonObject
        {
            ["apiVersion"] = "coordination.k8s.io/v1",
            ["kind"] = "Lease",
            ["metadata"] = new JsonObject { ["name"] = Name(node), ["namespace"] = Space },
        };
        Write(lease.Ensure("spec"), cluster, holder);
        return lease;
    }

    private static void Write(JsonObject spec, ClusterContext cluster, string holder)
    {
        if (spec.Text("holderIdentity") != holder)
        {
            spec["holderIdentity"] = holder;
            spec["acquireTime"] = cluster.Now.MicroStamp();
        }

        spec["leaseDurationSeconds"] = (int)Duration.TotalSeconds;
        spec["renewTime"] = cluster.Now.MicroStamp();
    }
}
