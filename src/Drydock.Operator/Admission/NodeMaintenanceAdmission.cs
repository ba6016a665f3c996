using Drydock.Kubernetes;

namespace Drydock.Operator.Admission;

/// <summary>A NodeMaintenance that somebody wants to write.</summary>
/// <param name="Name">Its name.</param>
/// <param name="NodeName"><c>spec.nodeName</c>.</param>
/// <param name="NodeNameBefore">What it was, or null: it is new.</param>
/// <param name="Annotations">Its annotations.</param>
internal sealed record NodeMaintenanceWrite(
    string Name, string NodeName, string? NodeNameBefore, IReadOnlyDictionary<string, string> Annotations)
{
    /// <summary>What its annotations were; none if it is new.</summary>
    public IReadOnlyDictionary<string, string> AnnotationsBefore { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>It is on its way out.</summary>
    public bool IsBeingDeleted { get; init; }
}

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
            // What was there before this webhook, or before a rule of it, must still get its finalizer, its labels and its end.
            return before != write.NodeName ? "updating spec.NodeName isn't allowed"
                : write.IsBeingDeleted || NodeMaintenanceWish.AsksForTheSameAction(write.AnnotationsBefore, write.Annotations) ? null
                : NodeMaintenanceWish.ActionProblem(write.Annotations);
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
        if (!node.IsControlPlane || !(await cluster.GetIdentityAsync(cancellationToken)).HasOpenShift)
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
