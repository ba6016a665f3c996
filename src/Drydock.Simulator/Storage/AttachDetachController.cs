using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Storage;

/// <summary>
/// Attaches volumes to the nodes of the pods that use them and detaches them some time after the last of these pods is gone. A volume that
/// only one node may use waits until the other node has let go of it, as with a real cluster's Multi-Attach error.
/// </summary>
internal sealed class AttachDetachController(ClusterContext cluster, PodVolumes volumes, StorageSpec storage) : IController
{
    private const string Component = "attachdetach-controller";

    private readonly Dictionary<string, DateTimeOffset> _due = [];

    // Key: the node. Few volumes per node; one look settles them all.
    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (PodVolumes.IsAttachment(change))
        {
            return change.Kind == ChangeKind.Deleted ? AllNodesWithPodsOf(change.Object) : [new(null, change.Object.Text("spec", "nodeName")!)];
        }

        if (change.Type.Equals(ResourceTypes.PersistentVolumeClaims))
        {
            return cluster.Store.List(ResourceTypes.Pods, change.Namespace)
                .Where(pod => pod.Node() is not null && Uses(pod, change.Name))
                .Select(pod => new ObjectKey(null, pod.Node()!));
        }

        return change.Type.Equals(ResourceTypes.Pods) && change.Object.Node() is { } node && UsesAny(change.Object) ? [new(null, node)] : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        var wanted = cluster.Store.PodsOnNode(key.Name).Where(pod => !pod.IsFinished() && UsesAny(pod))
            .SelectMany(pod => (volumes.Of(pod) ?? []).Select(volume => (Pod: pod, Volume: volume)))
            .ToLookup(each => PodVolumes.AttachmentName(each.Volume.NameOf(), key.Name));
        TimeSpan? again = null;
        foreach (var group in wanted)
        {
            again = Sooner(again, Attach(group.Key, group.First().Volume, group.First().Pod));
        }

        foreach (var attachment in cluster.Store.List(ResourceTypes.VolumeAttachments)
            .Where(each => each.Text("spec", "nodeName") == key.Name && !wanted.Contains(each.NameOf())))
        {
            again = Sooner(again, Detach(attachment));
        }

        return again;
    }

    private static bool Uses(JsonObject pod, string claim) =>
        pod.Objects("spec", "volumes").Any(volume => volume.Text("persistentVolumeClaim", "claimName") == claim);

    private static bool UsesAny(JsonObject pod) => pod.Objects("spec", "volumes").Any(volume => volume.At("persistentVolumeClaim") is not null);

    private static TimeSpan? Sooner(TimeSpan? one, TimeSpan? other) => one is null || (other is not null && other < one) ? other : one;

    private IEnumerable<ObjectKey> AllNodesWithPodsOf(JsonObject attachment)
    {
        var volume = cluster.Store.Get(PodVolumes.Volumes, null, attachment.Text("spec", "source", "persistentVolumeName")!);
        var claim = volume.Object("spec", "claimRef");
        return claim is null
            ? []
            : cluster.Store.List(ResourceTypes.Pods, claim.Text("namespace"))
                .Where(pod => pod.Node() is not null && Uses(pod, claim.Text("name")!))
                .Select(pod => new ObjectKey(null, pod.Node()!));
    }

    private TimeSpan? Attach(string name, JsonObject volume, JsonObject pod)
    {
        if (cluster.Store.Get(ResourceTypes.VolumeAttachments, null, name) is not { } attachment)
        {
            if (IsHeldElsewhere(volume, pod.Node()!))
            {
                cluster.Events.Warning(
                    ResourceTypes.Pods, pod, "FailedAttachVolume",
                    $"Multi-Attach error for volume \"{volume.NameOf()}\" Volume is already exclusively attached to one node and can't be attached to another", Component);
                return null;
            }

            attachment = cluster.Store.Create(ResourceTypes.VolumeAttachments, New(name, volume, pod.Node()!));
        }

        if (attachment.IsDeleting() || attachment.Flag("status", "attached"))
        {
            return null;
        }

        if (Left(attachment, "attach", storage.AttachTakes) is { } left)
        {
            return left;
        }

        cluster.Change(ResourceTypes.VolumeAttachments, attachment, current => current.Ensure("status")["attached"] = true);
        cluster.Events.Normal(ResourceTypes.Pods, pod, "SuccessfulAttachVolume", $"AttachVolume.Attach succeeded for volume \"{volume.NameOf()}\" ", Component);
        return null;
    }

    private bool IsHeldElsewhere(JsonObject volume, string node) =>
        volume.Texts("spec", "accessModes").All(mode => mode is "ReadWriteOnce" or "ReadWriteOncePod")
        && cluster.Store.List(ResourceTypes.VolumeAttachments).Any(each =>
            each.Text("spec", "source", "persistentVolumeName") == volume.NameOf() && each.Text("spec", "nodeName") != node);

    private static JsonObject New(string name, JsonObject volume, string node) => new()
    {
        ["apiVersion"] = "storage.k8s.io/v1",
        ["kind"] = "VolumeAttachment",
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["annotations"] = new JsonObject { ["csi.alpha.kubernetes.io/node-id"] = node },
            ["finalizers"] = new JsonArray(Finalizer(volume.Text("spec", "csi", "driver")!)),
        },
        ["spec"] = new JsonObject
        {
            ["attacher"] = volume.Text("spec", "csi", "driver"),
            ["nodeName"] = node,
            ["source"] = new JsonObject { ["persistentVolumeName"] = volume.NameOf() },
        },
        ["status"] = new JsonObject { ["attached"] = false },
    };

    private static string Finalizer(string driver) => "external-attacher/" + driver.Replace('.', '-');

    // A node that does not answer keeps what it has: nobody knows whether it still writes.
    private TimeSpan? Detach(JsonObject attachment)
    {
        if (attachment.Text("spec", "attacher") != storage.Driver)
        {
            return null;
        }

        if (!attachment.IsDeleting())
        {
            cluster.Delete(ResourceTypes.VolumeAttachments, attachment);
        }

        if (storage.NeverDetaches)
        {
            return null;
        }

        if (Left(attachment, "detach", storage.DetachTakes) is { } left)
        {
            return left;
        }

        cluster.Change(ResourceTypes.VolumeAttachments, attachment, current => current.RemoveFinalizer(Finalizer(storage.Driver)));
        return null;
    }

    private TimeSpan? Left(JsonObject attachment, string what, TimeSpan takes)
    {
        var key = $"{attachment.UidOf()}/{what}";
        _due.TryAdd(key, cluster.Now + takes);
        if (cluster.Until(_due[key]) is { Ticks: > 0 } left)
        {
            return left;
        }

        _due.Remove(key);
        return null;
    }
}
