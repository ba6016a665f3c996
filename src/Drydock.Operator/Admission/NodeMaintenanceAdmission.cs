using Drydock.Kubernetes;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Operator.Admission;

/// <summary>A NodeMaintenance that somebody wants to write.</summary>
/// <param name="Name">Its name.</param>
/// <param name="NodeName"><c>spec.nodeName</c>.</param>
/// <param name="NodeNameBefore">What it was, or null: it is new.</param>
/// <param name="Annotations">Its annotations.</param>
internal sealed record NodeMaintenanceWrite(
    string Name, string NodeName, string? NodeNameBefore, IReadOnlyDictionary<string, string> Annotations);

/// <summary>
/// The rules of the Node Maintenance Operator's webhook, in its order and its words (facts: internal/webhook/v1beta1 at 3a54cd1, the quorum
/// of etcd from medik8s/common pkg/etcd), and one of our own: annotations we could not follow.
/// </summary>
internal sealed class NodeMaintenanceAdmission(INodeMaintenances resources, ICluster cluster)
{
    private const string EtcdNamespace = "openshift-etcd";

    /// <summary>Why it must not be written, or null.</summary>
    public async Task<string?> RefusalAsync(NodeMaintenanceWrite write, CancellationToken cancellationToken)
    {
        if (write.NodeNameBefore is { } before)
        {
            return before == write.NodeName ? NodeMaintenanceWish.ActionProblem(write.Annotations) : "updating spec.NodeName isn't allowed";
        }

        if (await cluster.GetNodeAsync(write.NodeName, cancellationToken) is not { } node)
        {
            return $"invalid nodeName, no node with name {write.NodeName} found";
        }

        if ((await resources.ListAsync(cancellationToken)).Any(other => other.NodeName == write.NodeName))
        {
            return $"invalid nodeName, a NodeMaintenance for node {write.NodeName} already exists";
        }

        return await QuorumAsync(node, cancellationToken)
            ? NodeMaintenanceWish.ActionProblem(write.Annotations)
            : $"can not put master/control-plane node into maintenance at this moment, disrupting node {write.NodeName} will violate etcd quorum";
    }

    /// <summary>Whether etcd can do without the node. Only OpenShift guards etcd by a budget; elsewhere nothing can be said.</summary>
    private async Task<bool> QuorumAsync(NodeSnapshot node, CancellationToken cancellationToken)
    {
        if (!NodeSelection.IsControlPlane(node) || !(await cluster.GetIdentityAsync(cancellationToken)).HasOpenShift)
        {
            return true;
        }

        var budgets = (await cluster.ListBudgetsAsync(cancellationToken)).Where(static budget => budget.Ref.Namespace == EtcdNamespace).ToList();
        if (budgets is not [var guard])
        {
            return false;
        }

        if (guard.DisruptionsAllowed >= 1)
        {
            return true;
        }

        // No disruption is left, unless this node is the one that is disrupted: its guard pod is missing or not ready. Unknown is not that.
        var pods = await cluster.ListPodsOnNodeAsync(node.Name, cancellationToken);
        return !pods.Any(pod => pod.Ref.Namespace == EtcdNamespace && guard.Covers(pod) && (pod.IsReady || pod.IsReadinessUnknown));
    }
}
