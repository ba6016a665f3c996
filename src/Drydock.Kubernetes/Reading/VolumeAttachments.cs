using System.Text.Json;
using Drydock.Kubernetes.Api;

namespace Drydock.Kubernetes.Reading;

/// <summary>What is attached to a node and must be detached before the node goes.</summary>
internal static class VolumeAttachments
{
    /// <summary>All of the node, but for the volumes of pods that stay: nothing would ever detach those.</summary>
    public static async Task<IReadOnlyList<VolumeAttachmentSnapshot>> ListAsync(
        ApiClient api, string node, IReadOnlyList<PodSnapshot> stay, CancellationToken cancellationToken)
    {
        // spec.nodeName of a VolumeAttachment is no field that can be selected by.
        var attached = (await api.ListAllAsync(Resource.VolumeAttachments, selector: null, From, cancellationToken))
            .Where(attachment => attachment.Node == node).OrderBy(attachment => attachment.Name, StringComparer.Ordinal).ToList();
        if (attached.Count == 0)
        {
            return [];
        }

        var used = new HashSet<string>(StringComparer.Ordinal);
        foreach (var claim in stay.SelectMany(pod => pod.Claims.Select(claim => new ObjectRef(pod.Ref.Namespace, claim))).Distinct())
        {
            if (await api.GetAsync(Resource.Claims, claim.Namespace, claim.Name, cancellationToken) is { } found
                && found.Text("spec", "volumeName") is { } volume)
            {
                used.Add(volume);
            }
        }

        return [.. attached.Where(attachment => attachment.PersistentVolume is null || !used.Contains(attachment.PersistentVolume))];
    }

    private static VolumeAttachmentSnapshot From(JsonElement attachment) => new(
        attachment.Name(), attachment.Text("spec", "nodeName") ?? "", attachment.Text("spec", "source", "persistentVolumeName"))
    {
        DetachError = attachment.Text("status", "detachError", "message"),
    };
}
