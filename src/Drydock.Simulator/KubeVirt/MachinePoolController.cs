using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>Keeps the numbered virtual machines of a VirtualMachinePool.</summary>
internal sealed class MachinePoolController(ClusterContext cluster) : IController
{
    public IEnumerable<ObjectKey> Affected(Change change) => Workloads.OwnerOf(change, KubeVirtTypes.Pools, KubeVirtTypes.VirtualMachines);

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(KubeVirtTypes.Pools, key) is not { } pool || pool.IsDeleting())
        {
            return null;
        }

        var machines = cluster.Store.OwnedBy(KubeVirtTypes.VirtualMachines, pool.UidOf()).Where(vm => !vm.IsDeleting()).ToList();
        foreach (var surplus in machines.OrderByDescending(vm => vm.NameOf(), StringComparer.Ordinal).Take(machines.Count - pool.Replicas()))
        {
            cluster.Delete(KubeVirtTypes.VirtualMachines, surplus);
        }

        var missing = pool.Replicas() - machines.Count;
        for (var number = 0; missing > 0; number++)
        {
            if (cluster.Store.Get(KubeVirtTypes.VirtualMachines, pool.NamespaceOf(), $"{pool.NameOf()}-{number}") is null)
            {
                cluster.Store.Create(KubeVirtTypes.VirtualMachines, NewMachine(pool, number));
                missing--;
            }
        }

        cluster.Change(KubeVirtTypes.Pools, pool, current =>
        {
            current.Ensure("status")["replicas"] = Math.Min(machines.Count, pool.Replicas());
            current.Ensure("status")["readyReplicas"] = machines.Count(vm => vm.IsTrue("Ready"));
        });
        return null;
    }

    private static JsonObject NewMachine(JsonObject pool, int number)
    {
        var template = pool.Object("spec", "virtualMachineTemplate");
        return new()
        {
            ["apiVersion"] = "kubevirt.io/v1",
            ["kind"] = "VirtualMachine",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{pool.NameOf()}-{number}",
                ["namespace"] = pool.NamespaceOf(),
                ["labels"] = template.Object("metadata", "labels")?.Copy() ?? [],
                ["annotations"] = template.Object("metadata", "annotations")?.Copy() ?? [],
                ["ownerReferences"] = new JsonArray(Fields.OwnerReference(pool, KubeVirtTypes.Pools)),
            },
            ["spec"] = template.Object("spec")?.Copy() ?? [],
        };
    }
}
