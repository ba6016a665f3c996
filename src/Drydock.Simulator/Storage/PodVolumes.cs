using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Storage;

/// <summary>Which persistent volumes pods use, and whether they are attached where the pod is.</summary>
internal sealed class PodVolumes(ClusterContext cluster)
{
    public static readonly ResourceType Volumes = ResourceTypes.Of("persistentvolumes");

    public static bool IsAttachment(Change change) => change.Type.Equals(ResourceTypes.VolumeAttachments);

    /// <summary>The name of the attachment of a volume to a node.</summary>
    public static string AttachmentName(string volume, string node) => $"csi-{PodTemplates.Hash(volume + "/" + node)}{PodTemplates.Hash(node + "/" + volume)}";

    /// <summary>The bound volumes of a pod's claims that a CSI driver provides; null if a claim is not bound yet.</summary>
    public IReadOnlyList<JsonObject>? Of(JsonObject pod)
    {
        var volumes = new List<JsonObject>();
        foreach (var claim in pod.Objects("spec", "volumes").Select(each => each.Text("persistentVolumeClaim", "claimName")).OfType<string>())
        {
            if (cluster.Store.Get(ResourceTypes.PersistentVolumeClaims, pod.NamespaceOf(), claim).Text("spec", "volumeName") is not { } name
                || cluster.Store.Get(Volumes, null, name) is not { } volume)
            {
                return null;
            }

            if (volume.Text("spec", "csi", "driver") is not null)
            {
                volumes.Add(volume);
            }
        }

        return volumes;
    }

    /// <summary>Whether a pod may start: all its volumes are attached to its node.</summary>
    public bool AreAttached(JsonObject pod) => Of(pod) is { } volumes && volumes.All(volume =>
        cluster.Store.Get(ResourceTypes.VolumeAttachments, null, AttachmentName(volume.NameOf(), pod.Node()!)) is { } attachment
        && attachment.Flag("status", "attached") && !attachment.IsDeleting());
}
