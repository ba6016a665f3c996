using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>Keeps as many instances as a VirtualMachineInstanceReplicaSet wants; one that has ended is replaced.</summary>
internal sealed class InstanceReplicaSetController(ClusterContext cluster) : IController
{
    private const string Component = "virtualmachineinstancereplicaset-controller";

    public IEnumerable<ObjectKey> Affected(Change change) => Workloads.OwnerOf(change, KubeVirtTypes.ReplicaSets, KubeVirtTypes.Instances);

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(KubeVirtTypes.ReplicaSets, key) is not { } set || set.IsDeleting())
        {
            return null;
        }

        var all = cluster.Store.OwnedBy(KubeVirtTypes.Instances, set.UidOf()).Where(vmi => !vmi.IsDeleting()).ToList();
        foreach (var ended in all.Where(vmi => vmi.IsFinal()))
        {
            cluster.Delete(KubeVirtTypes.Instances, ended);
        }

        var alive = all.Where(vmi => !vmi.IsFinal()).OrderBy(vmi => vmi.IsTrue("Ready")).ToList();
        foreach (var surplus in alive.Take(alive.Count - set.Replicas()))
        {
            cluster.Delete(KubeVirtTypes.Instances, surplus);
        }

        for (var missing = set.Replicas() - alive.Count; missing > 0; missing--)
        {
            var vmi = cluster.Store.Create(KubeVirtTypes.Instances, NewInstance(set));
            cluster.Events.Normal(KubeVirtTypes.ReplicaSets, set, "SuccessfulCreate", $"Started the virtual machine by creating the new virtual machine instance {vmi.NameOf()}", Component);
        }

        var ready = alive.Count(vmi => vmi.IsTrue("Ready"));
        cluster.Change(KubeVirtTypes.ReplicaSets, set, current =>
        {
            current.Ensure("status")["replicas"] = Math.Min(alive.Count, set.Replicas());
            current.Ensure("status")["readyReplicas"] = ready;
        });
        return null;
    }

    private JsonObject NewInstance(JsonObject set)
    {
        var template = set.Object("spec", "template");
        var spec = template.Object("spec")?.Copy() ?? [];
        spec.Default("evictionStrategy", cluster.KubeVirtConfiguration().Text("evictionStrategy") ?? "None");
        return new()
        {
            ["apiVersion"] = "kubevirt.io/v1",
            ["kind"] = "VirtualMachineInstance",
            ["metadata"] = new JsonObject
            {
                ["generateName"] = set.NameOf(),
                ["namespace"] = set.NamespaceOf(),
                ["labels"] = template.Object("metadata", "labels")?.Copy() ?? [],
                ["annotations"] = template.Object("metadata", "annotations")?.Copy() ?? [],
                ["finalizers"] = new JsonArray("kubevirt.io/foregroundDeleteVirtualMachine"),
                ["ownerReferences"] = new JsonArray(Fields.OwnerReference(set, KubeVirtTypes.ReplicaSets)),
            },
            ["spec"] = spec,
        };
    }
}
