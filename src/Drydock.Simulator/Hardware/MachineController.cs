using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Hardware;

/// <summary>
/// Carries out the deletion of a Machine: its host is switched off and released, its Node deleted. Deletion hooks of Cluster API
/// (<c>pre-drain.delete.hook…</c>, <c>pre-terminate.delete.hook…</c>) hold it.
/// </summary>
internal sealed class MachineController(ClusterContext cluster, Machines hardware, MachinePower power, ResourceType machines) : IController
{
    public IEnumerable<ObjectKey> Affected(Change change) =>
        change.Type.Equals(machines) && change.Kind != ChangeKind.Deleted ? [change.Object.Key()] : [];

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(machines, key) is not { } machine || !machine.IsDeleting() || IsHeld(machine))
        {
            return null;
        }

        var name = machine.Text("status", "nodeRef", "name");
        if (hardware.Of(name) is { } real)
        {
            power.Off(real);
            Release(real.Host);
        }

        if (name is not null && cluster.Store.Get(ResourceTypes.Nodes, null, name) is { } node)
        {
            cluster.Delete(ResourceTypes.Nodes, node);
        }

        cluster.Change(machines, machine, current => current.RemoveFinalizer(HardwareObjects.FinalizerOf(machines)));
        return null;
    }

    private static bool IsHeld(JsonObject machine) => (machine.At("metadata", "annotations") as JsonObject ?? []).Any(each =>
        each.Key.StartsWith("pre-drain.delete.hook.machine.cluster.x-k8s.io/", StringComparison.Ordinal)
        || each.Key.StartsWith("pre-terminate.delete.hook.machine.cluster.x-k8s.io/", StringComparison.Ordinal));

    private void Release(ObjectKey? host)
    {
        if (host is { } key && cluster.Get(HardwareTypes.Hosts, key) is { } item)
        {
            cluster.Change(HardwareTypes.Hosts, item, current =>
            {
                current.Ensure("spec")["online"] = false;
                current.Ensure("spec").Remove("consumerRef");
                current.Ensure("status", "provisioning")["state"] = "available";
            });
        }
    }
}
