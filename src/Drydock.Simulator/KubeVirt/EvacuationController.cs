using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// Makes a migration for every VMI marked for evacuation that has none. It never gives up: as long as the mark is there, a migration that
/// ended is followed by a new one.
/// </summary>
internal sealed class EvacuationController(ClusterContext cluster) : IController
{
    public const string Annotation = "kubevirt.io/evacuationMigration";

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(KubeVirtTypes.Instances))
        {
            return change.Kind == ChangeKind.Deleted ? [] : [change.Object.Key()];
        }

        var ended = change.Type.Equals(KubeVirtTypes.Migrations) && (change.Kind == ChangeKind.Deleted || change.Object.IsFinal());
        return ended ? [new(change.Namespace, change.Object.Text("spec", "vmiName") ?? string.Empty)] : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(KubeVirtTypes.Instances, key) is { } vmi && NeedsMigration(vmi))
        {
            var created = cluster.Store.Create(KubeVirtTypes.Migrations, NewMigration(vmi));
            cluster.Events.Normal(
                KubeVirtTypes.Instances, vmi, "SuccessfulCreate", $"Created Migration {created.NameOf()}", "evacuation-controller");
        }

        return null;
    }

    private bool NeedsMigration(JsonObject vmi) =>
        vmi.Text("status", "evacuationNodeName") is { Length: > 0 } from && from == vmi.InstanceNode()
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
            ["annotations"] = new JsonObject { [Annotation] = vmi.Text("status", "evacuationNodeName") },
            ["labels"] = new JsonObject { ["kubevirt.io/vmi-name"] = vmi.NameOf() },
        },
        ["spec"] = new JsonObject { ["priority"] = "system-critical", ["vmiName"] = vmi.NameOf() },
    };
}
