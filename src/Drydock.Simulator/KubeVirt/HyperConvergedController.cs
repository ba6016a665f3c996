using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// The HyperConverged operator owns the installation of KubeVirt: what somebody writes into the KubeVirt CR itself is put back to what
/// HyperConverged says. Source: HCO's <c>hyperconverged_types.go</c> (defaults of <c>liveMigrationConfig</c>).
/// </summary>
internal sealed class HyperConvergedController(ClusterContext cluster) : IController
{
    public const string Name = "kubevirt-hyperconverged";

    private static readonly string[] Passed =
    [
        "allowAutoConverge", "allowPostCopy", "bandwidthPerMigration", "completionTimeoutPerGiB", "parallelMigrationsPerCluster",
        "parallelOutboundMigrationsPerNode", "progressTimeout",
    ];

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Kind == ChangeKind.Deleted)
        {
            return [];
        }

        return change.Type.Equals(KubeVirtTypes.HyperConvergeds) ? [change.Object.Key()]
            : change.Type.Equals(KubeVirtTypes.KubeVirts) && change.Object.Controller().Text("kind") == "HyperConverged"
                ? [new(change.Namespace, change.Object.Controller().Text("name")!)]
                : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(KubeVirtTypes.HyperConvergeds, key) is not { } owner)
        {
            return null;
        }

        foreach (var installation in cluster.Store.OwnedBy(KubeVirtTypes.KubeVirts, owner.UidOf()))
        {
            cluster.Change(KubeVirtTypes.KubeVirts, installation, current => Overwrite(current.Ensure("spec", "configuration"), owner));
        }

        return null;
    }

    /// <summary>The HyperConverged of a scenario, with the defaults its webhook writes.</summary>
    public static JsonObject New(string? evictionStrategy, JsonObject migrations)
    {
        var live = new JsonObject
        {
            ["allowAutoConverge"] = false,
            ["allowPostCopy"] = false,
            ["completionTimeoutPerGiB"] = 20,
            ["parallelMigrationsPerCluster"] = 5,
            ["parallelOutboundMigrationsPerNode"] = 1,
            ["progressTimeout"] = 150,
        };
        foreach (var (name, value) in migrations)
        {
            live[name] = value?.DeepClone();
        }

        return new()
        {
            ["apiVersion"] = "hco.kubevirt.io/v1beta1",
            ["kind"] = "HyperConverged",
            ["metadata"] = new JsonObject { ["name"] = Name, ["namespace"] = Name },
            ["spec"] = new JsonObject { ["evictionStrategy"] = evictionStrategy ?? "LiveMigrate", ["liveMigrationConfig"] = live },
            ["status"] = new JsonObject { ["infrastructureHighlyAvailable"] = true },
        };
    }

    private static void Overwrite(JsonObject configuration, JsonObject owner)
    {
        configuration.Set(owner.Text("spec", "evictionStrategy"), "evictionStrategy");
        foreach (var name in Passed)
        {
            configuration.Set(owner.At("spec", "liveMigrationConfig", name).CopyNode(), "migrations", name);
        }
    }
}
