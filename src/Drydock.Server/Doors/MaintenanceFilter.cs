using Drydock.Api;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>Which maintenances a list shows.</summary>
internal sealed record MaintenanceFilter
{
    /// <summary>Only of this node.</summary>
    public string? Node { get; init; }

    /// <summary>Only those that are not over.</summary>
    public bool OnlyRunning { get; init; }

    /// <summary>Only in this state.</summary>
    public MaintenanceState? State { get; init; }

    /// <summary>Only those that he asked for.</summary>
    public string? RequestedBy { get; init; }

    /// <summary>Whether a maintenance is shown.</summary>
    public bool Takes(OrchestrationMetadata instance)
    {
        if (Node is null && RequestedBy is null && State is null)
        {
            return true;
        }

        var request = instance.ReadInputAs<MaintenanceRequest>();
        return (Node is null || request?.Node == Node)
            && (RequestedBy is null || request?.RequestedBy == RequestedBy)
            && (State is null || new InstanceTree(instance, []) is var tree && MaintenanceViews.State(instance, tree.Status, tree.Report) == State);
    }
}
