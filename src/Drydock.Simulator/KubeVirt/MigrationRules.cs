using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>When a migration may begin and how long it is waited for: limits, back-off and the patience with a pending target pod.</summary>
internal sealed class MigrationRules(ClusterContext cluster)
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(20);

    public JsonObject? TargetPod(JsonObject migration, JsonObject vmi) =>
        Instances.LaunchersOf(cluster, vmi).FirstOrDefault(pod => pod.Label("kubevirt.io/migrationJobUID") == migration.UidOf());

    /// <summary>Active counts from Scheduling on, so a migration whose target finds no node keeps its slot.</summary>
    public bool HasSlot(JsonObject vmi) => IsBelowLimits(vmi, static migration => migration.InstancePhase() is not ("" or "Pending"));

    /// <summary>The same where whoever makes migrations holds them back: one that waits counts too.</summary>
    public bool HasSpot(JsonObject vmi) => IsBelowLimits(vmi, static _ => true);

    private bool IsBelowLimits(JsonObject vmi, Func<JsonObject, bool> counts)
    {
        var active = cluster.Store.List(KubeVirtTypes.Migrations).Where(each => !each.IsFinal() && counts(each)).ToList();
        var sources = active.Select(SourceOf);
        var configuration = Configuration();
        return active.Count < configuration.Number("parallelMigrationsPerCluster")
            && sources.Count(node => node == vmi.InstanceNode()) < configuration.Number("parallelOutboundMigrationsPerNode");
    }

    // The machine is on its new node a moment before its migration has succeeded; until then the migration holds the slot of the old one.
    private string? SourceOf(JsonObject migration)
    {
        var vmi = cluster.Store.Get(KubeVirtTypes.Instances, migration.NamespaceOf(), migration.Text("spec", "vmiName")!);
        return vmi.Text("status", "migrationState", "migrationUid") == migration.UidOf()
            ? vmi.Text("status", "migrationState", "sourceNode") ?? vmi.InstanceNode()
            : vmi.InstanceNode();
    }

    /// <summary>An evacuation waits 20 s after a failed one, doubling with each failure in a row. Null: no wait.</summary>
    public TimeSpan? BackoffLeft(JsonObject migration, JsonObject vmi)
    {
        if (migration.Annotation(EvacuationController.Annotation) is null)
        {
            return null;
        }

        var failures = cluster.Store.List(KubeVirtTypes.Migrations, vmi.NamespaceOf())
            .Where(each => each.Text("spec", "vmiName") == vmi.NameOf() && each.IsFinal() && !each.IsDeleting()
                && each.Annotation(EvacuationController.Annotation) is not null)
            .OrderByDescending(each => each.Since(each.InstancePhase()))
            .TakeWhile(each => each.InstancePhase() == "Failed")
            .ToList();
        return failures.Count > 0 && failures[0].Since("Failed") is { } since
            && cluster.Until(since + (FirstBackoff * Math.Pow(2, failures.Count - 1))) is { Ticks: > 0 } left
                ? left
                : null;
    }

    /// <summary>How long a target pod may still be pending. Null: no longer.</summary>
    public TimeSpan? PodPatienceLeft(JsonObject migration, JsonObject pod, bool unschedulable)
    {
        var (annotation, otherwise) = unschedulable
            ? ("kubevirt.io/migrationUnschedulablePodTimeoutSeconds", 300)
            : ("kubevirt.io/migrationPendingPodTimeoutSeconds", 900);
        var patience = int.TryParse(migration.Annotation(annotation), out var seconds) ? seconds : otherwise;
        var end = (migration.Since("Scheduling") ?? pod.CreatedAt() ?? cluster.Now) + TimeSpan.FromSeconds(patience);
        return cluster.Until(end) is { Ticks: > 0 } left ? left : null;
    }

    /// <summary>KubeVirt's defaults with what the KubeVirt CR says over them.</summary>
    public JsonObject Configuration()
    {
        var configuration = new JsonObject
        {
            ["allowAutoConverge"] = false,
            ["allowPostCopy"] = false,
            ["allowWorkloadDisruption"] = false,
            ["bandwidthPerMigration"] = "0",
            ["completionTimeoutPerGiB"] = 150,
            ["maxDowntimeMs"] = 900,
            ["nodeDrainTaintKey"] = "kubevirt.io/drain",
            ["parallelMigrationsPerCluster"] = 5,
            ["parallelOutboundMigrationsPerNode"] = 2,
            ["progressTimeout"] = 150,
            ["unsafeMigrationOverride"] = false,
            ["utilityVolumesTimeout"] = 150,
        };
        foreach (var (key, value) in cluster.KubeVirtConfiguration().Object("migrations") ?? [])
        {
            configuration[key] = value?.DeepClone();
        }

        return configuration;
    }
}
