using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>What can be said about a VirtualMachineInstance or its migration.</summary>
internal static class Instances
{
    public const string Launcher = "virt-launcher";
    public const string NodeLabel = "kubevirt.io/nodeName";
    public const string Unpaused = "kubevirt.io/virtual-machine-unpaused";

    public static string InstancePhase(this JsonNode? item) => item.Text("status", "phase") ?? string.Empty;

    /// <summary>A VMI or a migration that has come to its end.</summary>
    public static bool IsFinal(this JsonNode? item) => item.InstancePhase() is "Succeeded" or "Failed";

    public static string? InstanceNode(this JsonNode? vmi) => vmi.Text("status", "nodeName");

    public static bool IsLauncher(this JsonNode? pod) => pod.Label("kubevirt.io") == Launcher;

    public static string EvictionStrategy(this JsonNode? vmi) => vmi.Text("spec", "evictionStrategy") ?? "None";

    public static bool IsMigratable(this JsonNode? vmi) => vmi.IsTrue("LiveMigratable");

    /// <summary>Whether a migration of this VMI was handed over to virt-handler and has not ended.</summary>
    public static bool IsMigrating(this JsonNode? vmi) =>
        vmi.At("status", "migrationState") is { } state && !state.Flag("completed");

    /// <summary>Sets the phase and notes when.</summary>
    public static void SetPhase(this JsonObject item, string phase, DateTimeOffset now)
    {
        if (item.InstancePhase() == phase)
        {
            return;
        }

        var status = item.Ensure("status");
        status["phase"] = phase;
        if (status["phaseTransitionTimestamps"] is not JsonArray list)
        {
            status["phaseTransitionTimestamps"] = list = [];
        }

        list.Add(new JsonObject { ["phase"] = phase, ["phaseTransitionTimestamp"] = now.Timestamp() });
    }

    /// <summary>When the item came to a phase.</summary>
    public static DateTimeOffset? Since(this JsonNode? item, string phase) => item.Objects("status", "phaseTransitionTimestamps")
        .LastOrDefault(each => each.Text("phase") == phase).Time("phaseTransitionTimestamp");

    public static IEnumerable<JsonObject> LaunchersOf(ClusterContext cluster, JsonObject vmi) =>
        cluster.Store.OwnedBy(ResourceTypes.Pods, vmi.UidOf()).Where(IsLauncher);

    /// <summary>The launcher the guest runs in: the one on the VMI's node that is no finished and no future one.</summary>
    public static JsonObject? ActiveLauncher(ClusterContext cluster, JsonObject vmi)
    {
        var node = vmi.InstanceNode();
        var launchers = LaunchersOf(cluster, vmi).Where(pod => !pod.IsFinished()).ToList();
        return node is null
            ? launchers.Find(pod => pod.Label("kubevirt.io/migrationJobUID") is null)
            : launchers.Find(pod => pod.Node() == node);
    }

    /// <summary><c>spec.configuration</c> of the installation.</summary>
    public static JsonObject? KubeVirtConfiguration(this ClusterContext cluster) =>
        cluster.Store.List(KubeVirtTypes.KubeVirts) is [var installation, ..] ? installation.Object("spec", "configuration") : null;

    /// <summary>The keys of VMIs a change matters to: the VMI itself, or the owner of a launcher pod.</summary>
    public static IEnumerable<ObjectKey> Touched(Change change)
    {
        if (change.Type.Equals(KubeVirtTypes.Instances))
        {
            return [change.Object.Key()];
        }

        return change.Type.Equals(ResourceTypes.Pods) && change.Object.IsLauncher() && change.Object.Controller() is { } owner
            ? [new(change.Namespace, owner.Text("name")!)]
            : [];
    }
}
