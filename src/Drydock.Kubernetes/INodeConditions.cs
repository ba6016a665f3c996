namespace Drydock.Kubernetes;

/// <summary>
/// The lifecycle conditions of a node (KEP-5683, alpha in Kubernetes 1.37): <c>DrainInProgress</c>, <c>Drained</c>, <c>MaintenancePlanned</c>
/// and <c>MaintenanceInProgress</c> in <c>status.conditions</c>. They tell others; nothing in Kubernetes acts on them yet.
/// </summary>
public interface INodeConditions
{
    /// <summary>
    /// Afterwards the node has each of them that is to be True, and none of those that are to be False is True in the name of that owner.
    /// Conditions of others, and those that say the same already, are left as they are. A node that is gone is no error.
    /// </summary>
    /// <param name="node">The node.</param>
    /// <param name="owner">In whose name: part of the message of each.</param>
    /// <param name="wanted">What is wanted.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ClusterException">It could not be written.</exception>
    Task SetAsync(string node, string owner, IReadOnlyList<LifecycleCondition> wanted, CancellationToken cancellationToken);
}

/// <summary>A lifecycle condition as it should be.</summary>
/// <param name="Type">Such as <c>Drained</c>.</param>
/// <param name="IsTrue">True, or False.</param>
/// <param name="Reason">In CamelCase, such as <c>AdminRequested</c>.</param>
/// <param name="Message">For people.</param>
public sealed record LifecycleCondition(string Type, bool IsTrue, string Reason, string Message);
