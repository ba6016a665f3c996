using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Storage;

/// <summary>Gives every claim a volume of the scenario's CSI driver at once, and deletes it with the claim.</summary>
internal sealed class ClaimController(ClusterContext cluster, StorageSpec storage) : IController
{
    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (!change.Type.Equals(ResourceTypes.PersistentVolumeClaims))
        {
            return [];
        }

        return [change.Kind == ChangeKind.Deleted ? new(null, change.Object.Text("spec", "volumeName") ?? string.Empty) : change.Object.Key()];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (key.Namespace is null)
        {
            if (cluster.Store.Get(PodVolumes.Volumes, null, key.Name) is { } lost)
            {
                cluster.Delete(PodVolumes.Volumes, lost);
            }

            return null;
        }

        if (cluster.Get(ResourceTypes.PersistentVolumeClaims, key) is not { } claim || claim.Text("spec", "volumeName") is { Length: > 0 })
        {
            return null;
        }

        var volume = cluster.Store.Create(PodVolumes.Volumes, Volume(claim));
        cluster.Change(ResourceTypes.PersistentVolumeClaims, claim, current =>
        {
            current.Ensure("spec")["volumeName"] = volume.NameOf();
            var status = current.Ensure("status");
            status["phase"] = "Bound";
            status["accessModes"] = current.At("spec", "accessModes").CopyNode();
            status["capacity"] = volume.At("spec", "capacity").CopyNode();
        });
        return null;
    }

    private JsonObject Volume(JsonObject claim)
    {
        var name = $"pvc-{claim.UidOf()}";
        return new()
        {
            ["apiVersion"] = "v1",
            ["kind"] = "PersistentVolume",
            ["metadata"] = new JsonObject { ["name"] = name },
            ["spec"] = new JsonObject
            {
                ["accessModes"] = claim.At("spec", "accessModes").CopyNode() ?? new JsonArray("ReadWriteOnce"),
                ["capacity"] = new JsonObject { ["storage"] = claim.Text("spec", "resources", "requests", "storage") ?? "1Gi" },
                ["claimRef"] = new JsonObject
                {
                    ["apiVersion"] = "v1",
                    ["kind"] = "PersistentVolumeClaim",
                    ["namespace"] = claim.NamespaceOf(),
                    ["name"] = claim.NameOf(),
                    ["uid"] = claim.UidOf(),
                },
                ["csi"] = new JsonObject { ["driver"] = storage.Driver, ["volumeHandle"] = name },
                ["persistentVolumeReclaimPolicy"] = "Delete",
                ["volumeMode"] = "Filesystem",
            },
            ["status"] = new JsonObject { ["phase"] = "Bound" },
        };
    }
}
