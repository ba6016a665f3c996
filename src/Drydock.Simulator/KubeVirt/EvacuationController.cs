using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// Makes a migration for every VMI that is marked for evacuation, or whose node carries KubeVirt's drain taint, and has none. It never gives
/// up: as long as the mark is there, a migration that ended is followed by a new one. Before 1.9 it makes no more of them than may run at once,
/// and looks again every five seconds (facts 2.3.4).
/// </summary>
internal sealed class EvacuationController(ClusterContext cluster) : IController
{
    public const string Annotation = "kubevirt.io/evacuationMigration";

    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromSeconds(5);

    private readonly MigrationRules _rules = new(cluster);

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(KubeVirtTypes.Instances))
        {
            return change.Kind == ChangeKind.Deleted ? [] : [change.Object.Key()];
        }

        if (change.Type.Equals(ResourceTypes.Nodes))
        {
            return change.Kind != ChangeKind.Deleted && IsDrained(cluster.Store, change.Object)
                ? cluster.Store.PodsOnNode(change.Name).Where(Instances.IsLauncher).Select(pod => new ObjectKey(pod.NamespaceOf(), pod.Controller().Text("name")!))
                : [];
        }

        var ended = change.Type.Equals(KubeVirtTypes.Migrations) && (change.Kind == ChangeKind.Deleted || change.Object.IsFinal());
        return ended ? [new(change.Namespace, change.Object.Text("spec", "vmiName") ?? string.Empty)] : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(KubeVirtTypes.Instances, key) is { } vmi && NeedsMigration(vmi))
        {
            if (!KubeVirtVersion.IsAtLeast(cluster.Store, 1, 9) && !_rules.HasSpot(vmi))
            {
                return LookAgainAfter;
            }

            var created = cluster.Store.Create(KubeVirtTypes.Migrations, NewMigration(vmi));
            cluster.Events.Normal(
                KubeVirtTypes.Instances, vmi, "SuccessfulCreate", $"Created Migration {created.NameOf()}", "evacuation-controller");
        }

        return null;
    }

    /// <summary>The taint that evacuates a node, as the KubeVirt CR says.</summary>
    public static string DrainTaint(IObjectStore store) =>
        store.List(KubeVirtTypes.KubeVirts) is [var installation, ..]
        && installation.Text("spec", "configuration", "migrations", "nodeDrainTaintKey") is { } key
            ? key
            : "kubevirt.io/drain";

    public static bool IsDrained(IObjectStore store, JsonObject node) =>
        node.Objects("spec", "taints").Any(taint => taint.Text("key") == DrainTaint(store));

    private bool IsToLeave(JsonObject vmi) => vmi.InstanceNode() is { } node
        && (vmi.Text("status", "evacuationNodeName") == node
            || (cluster.Store.Get(ResourceTypes.Nodes, null, node) is { } item && IsDrained(cluster.Store, item)));

    private bool NeedsMigration(JsonObject vmi) =>
        IsToLeave(vmi)
        && vmi.EvictionStrategy() is "LiveMigrate" or "LiveMigrateIfPossible"
        && vmi.IsMigratable() && !vmi.IsFinal() && !vmi.IsDeleting()
        && !cluster.Store.List(KubeVirtTypes.Migrations, vmi.NamespaceOf())
            .Any(each => each.Text("spec", "vmiName") == vmi.NameOf() && (!each.IsFinal() || each.IsDeleting()));

    private static JsonObject NewMigration(JsonObject vmi) => new()
    {
        ["apiVersion"] = "kubevirt.io/v1",
        ["kind"] = "VirtualMachineInstanceMigration",
        ["metadata"] = new JsonObject
        {
            ["generateName"] = "kubevirt-evacuation-",
            ["namespace"] = vmi.NamespaceOf(),
            ["annotations"] = new JsonObject { [Annotation] = vmi.InstanceNode() },
            ["labels"] = new JsonObject { ["kubevirt.io/vmi-name"] = vmi.NameOf() },
        },
        ["spec"] = new JsonObject
        {
            ["priority"] = vmi.Annotation("kubevirt.io/eviction-source") == "descheduler" ? "system-maintenance" : "system-critical",
            ["vmiName"] = vmi.NameOf(),
        },
    };
}
