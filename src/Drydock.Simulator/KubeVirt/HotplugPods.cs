using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// The attachment pods of volumes that were plugged into a running VMI: <c>hp-volume-…</c>, one beside each of its launchers, owned by
/// the launcher and gone with it.
/// </summary>
internal static class HotplugPods
{
    public const string Label = "hotplug-disk";

    /// <summary>Makes the attachment pods that are missing.</summary>
    public static void Ensure(ClusterContext cluster, JsonObject vmi)
    {
        var plugged = vmi.Objects("spec", "volumes")
            .Any(volume => volume.Flag("persistentVolumeClaim", "hotpluggable") || volume.Flag("dataVolume", "hotpluggable"));
        if (!plugged)
        {
            return;
        }

        foreach (var launcher in Instances.LaunchersOf(cluster, vmi)
            .Where(pod => pod.IsRunning() && !pod.IsDeleting() && !cluster.Store.OwnedBy(ResourceTypes.Pods, pod.UidOf()).Any()))
        {
            cluster.Store.Create(ResourceTypes.Pods, New(launcher));
        }
    }

    private static JsonObject New(JsonObject launcher) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Pod",
        ["metadata"] = new JsonObject
        {
            ["generateName"] = "hp-volume-",
            ["namespace"] = launcher.NamespaceOf(),
            ["labels"] = new JsonObject { ["kubevirt.io"] = Label },
            ["ownerReferences"] = new JsonArray(Fields.OwnerReference(launcher, ResourceTypes.Pods)),
        },
        ["spec"] = new JsonObject
        {
            ["nodeName"] = launcher.Node(),
            ["containers"] = new JsonArray(new JsonObject
            {
                ["name"] = "hotplug-disk",
                ["image"] = "simulated.local/kubevirt/virt-launcher:v1.9.0",
                ["command"] = new JsonArray("/usr/bin/container-disk"),
            }),
            ["tolerations"] = new JsonArray(new JsonObject { ["operator"] = "Exists" }),
            ["terminationGracePeriodSeconds"] = 0,
        },
    };
}
