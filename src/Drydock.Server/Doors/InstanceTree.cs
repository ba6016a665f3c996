using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>A maintenance and its parts as the hub has them, read in one query.</summary>
internal sealed record InstanceTree(OrchestrationMetadata Root, IReadOnlyList<OrchestrationMetadata> Children)
{
    /// <summary>What was asked for.</summary>
    public MaintenanceRequest Request { get; } = Root.ReadInputAs<MaintenanceRequest>()
        ?? throw new InvalidOperationException($"Instance '{Root.InstanceId}' has no input.");

    /// <summary>The progress, or null if it has not said anything yet.</summary>
    public MaintenanceStatus? Status { get; } = Root.ReadCustomStatusAs<MaintenanceStatus>();

    /// <summary>How it ended; null before, and if it was ended by a fault or by force.</summary>
    public MaintenanceReport? Report { get; } =
        Root.RuntimeStatus == OrchestrationRuntimeStatus.Completed ? Root.ReadOutputAs<MaintenanceReport>() : null;

    /// <summary>Reads a maintenance, or null if there is none of that id.</summary>
    public static async Task<InstanceTree?> ReadAsync(DurableTaskClient client, string id, CancellationToken cancellationToken)
    {
        OrchestrationMetadata? root = null;
        var children = new List<OrchestrationMetadata>();
        var query = new OrchestrationQuery(InstanceIdPrefix: id, FetchInputsAndOutputs: true);
        await foreach (var instance in client.GetAllInstancesAsync(query).WithCancellation(cancellationToken))
        {
            if (instance.InstanceId == id)
            {
                root = instance;
            }
            else if (instance.InstanceId.StartsWith(id + ":", StringComparison.Ordinal))
            {
                children.Add(instance);
            }
        }

        return root is { Name: Orchestrations.Maintenance } ? new InstanceTree(root, children) : null;
    }

    /// <summary>What the children of a name say of themselves, where that can be read.</summary>
    /// <param name="orchestration">The name.</param>
    /// <param name="onlyUnderWay">Not of those that are over.</param>
    public IEnumerable<TStatus> Statuses<TStatus>(string orchestration, bool onlyUnderWay)
        where TStatus : class =>
        Children.Where(child => child.Name == orchestration && !(onlyUnderWay && child.IsCompleted)).Select(static child => child.ReadCustomStatusAs<TStatus>()).OfType<TStatus>();
}
