using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>Drives migrations through their phases: limits, back-off, target pod, hand-over to virt-handler, end; and aborts deleted ones.</summary>
internal sealed class MigrationController(ClusterContext cluster) : IController
{
    private const string Component = "virtualmachine-controller";
    private const string Finalizer = "kubevirt.io/migrationJobFinalize";
    private const int KeptFinished = 5;

    private readonly MigrationRules _rules = new(cluster);

    /// <summary>A fault that keeps the target pods of a VMI from finding a node.</summary>
    public Func<string?, string, bool>? FindsNoTarget { get; init; }

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(KubeVirtTypes.Migrations))
        {
            // Whoever ends makes room for those that wait.
            var ended = change.Kind == ChangeKind.Deleted || (change.Object.IsFinal() && !change.Before.IsFinal());
            return ended ? [change.Object.Key(), .. Waiting()] : [change.Object.Key()];
        }

        return Instances.Touched(change).SelectMany(OfInstance);
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(KubeVirtTypes.Migrations, key) is not { } migration)
        {
            return null;
        }

        if (migration.IsFinal())
        {
            Tidy(migration);
            return null;
        }

        migration = Prepare(migration);
        var vmi = cluster.Store.Get(KubeVirtTypes.Instances, migration.NamespaceOf(), migration.Text("spec", "vmiName") ?? string.Empty);
        if (vmi is null || vmi.IsFinal())
        {
            Fail(migration, null, "vmi does not exist or is final");
            return null;
        }

        if (migration.IsDeleting() && Abort(migration, vmi))
        {
            return null;
        }

        return migration.InstancePhase() switch
        {
            "Pending" => Begin(migration, vmi),
            "Scheduling" => Schedule(migration, vmi),
            "Scheduled" => HandOver(migration, vmi),
            _ => Follow(migration, vmi),
        };
    }

    private IEnumerable<ObjectKey> Waiting() => cluster.Store.List(KubeVirtTypes.Migrations)
        .Where(each => each.InstancePhase() == "Pending").OrderBy(each => each.CreatedAt()).Select(Fields.Key);

    private IEnumerable<ObjectKey> OfInstance(ObjectKey vmi) => cluster.Store.List(KubeVirtTypes.Migrations, vmi.Namespace)
        .Where(each => each.Text("spec", "vmiName") == vmi.Name && !each.IsFinal()).Select(Fields.Key);

    private JsonObject Prepare(JsonObject migration) => cluster.Change(KubeVirtTypes.Migrations, migration, current =>
    {
        if (current.InstancePhase().Length == 0)
        {
            current.AddFinalizer(Finalizer);
            current.Ensure("metadata", "labels")["kubevirt.io/vmi-name"] = current.Text("spec", "vmiName");
            current.SetPhase("Pending", cluster.Now);
        }
    }) ?? migration;

    private TimeSpan? Begin(JsonObject migration, JsonObject vmi)
    {
        if (_rules.BackoffLeft(migration, vmi) is { } wait)
        {
            cluster.Events.Warning(
                KubeVirtTypes.Instances, vmi, "MigrationBackoff", $"backoff migrating vmi {vmi.NamespaceOf()}/{vmi.NameOf()}", Component);
            return wait;
        }

        if (!_rules.HasSlot(vmi))
        {
            return null;
        }

        var source = cluster.Store.Get(ResourceTypes.Nodes, null, vmi.InstanceNode() ?? string.Empty);
        var target = LauncherPods.ForMigration(vmi, migration, source);
        if (FindsNoTarget?.Invoke(vmi.NamespaceOf(), vmi.NameOf()) == true)
        {
            target.Ensure("spec", "nodeSelector")["simulator.drydock.dev/no-such-node"] = "true";
        }

        var pod = cluster.Store.Create(ResourceTypes.Pods, target);
        cluster.Events.Normal(
            KubeVirtTypes.Migrations, migration, "SuccessfulCreate", $"Created migration target pod {pod.NameOf()}", Component);
        cluster.Change(KubeVirtTypes.Migrations, migration, current =>
        {
            current.Ensure("status", "migrationState").Set(Instances.ActiveLauncher(cluster, vmi)?.NameOf(), "sourcePod");
            current.SetPhase("Scheduling", cluster.Now);
        });
        return null;
    }

    private TimeSpan? Schedule(JsonObject migration, JsonObject vmi)
    {
        var pod = _rules.TargetPod(migration, vmi);
        if (pod is null || pod.IsDeleting() || pod.IsFinished())
        {
            Fail(migration, pod, "Migration target pod was removed during active migration.");
            return null;
        }

        if (pod.IsTrue("ContainersReady"))
        {
            cluster.Change(KubeVirtTypes.Migrations, migration, current => current.SetPhase("Scheduled", cluster.Now));
            return null;
        }

        var unschedulable = pod.Condition("PodScheduled").Text("reason") == "Unschedulable";
        if (unschedulable)
        {
            cluster.Events.Warning(
                KubeVirtTypes.Migrations, migration, "migrationTargetPodUnschedulable",
                $"Migration target pod for VMI [{vmi.NamespaceOf()}/{vmi.NameOf()}] is currently unschedulable.", Component);
        }

        if (_rules.PodPatienceLeft(migration, pod, unschedulable) is { } wait)
        {
            return wait;
        }

        var what = unschedulable ? "unschedulable" : "pending";
        cluster.Events.Normal(
            KubeVirtTypes.Migrations, migration, "SuccessfulDelete",
            $"{what} pod {pod.NamespaceOf()}/{pod.NameOf()} timeout period exceeded", Component);
        cluster.Delete(ResourceTypes.Pods, pod);
        return null;
    }

    private TimeSpan? HandOver(JsonObject migration, JsonObject vmi)
    {
        if (_rules.TargetPod(migration, vmi) is not { } pod || pod.IsFinished())
        {
            Fail(migration, null, "Migration target pod was removed during active migration.");
            return null;
        }

        cluster.Change(KubeVirtTypes.Instances, vmi, current =>
        {
            current.Ensure("status")["migrationState"] = new JsonObject
            {
                ["migrationUid"] = migration.UidOf(),
                ["sourceNode"] = vmi.InstanceNode(),
                ["sourcePod"] = migration.Text("status", "migrationState", "sourcePod"),
                ["targetNode"] = pod.Node(),
                ["targetPod"] = pod.NameOf(),
                ["targetMemoryOverhead"] = "288Mi",
                ["migrationConfiguration"] = _rules.Configuration(),
            };
            current.Ensure("metadata", "labels")["kubevirt.io/migrationTargetNodeName"] = pod.Node();
        });
        cluster.Events.Normal(
            KubeVirtTypes.Migrations, migration, "SuccessfulHandOver", "Migration target pod is ready for preparation by virt-handler.", Component);
        cluster.Change(KubeVirtTypes.Migrations, migration, current => current.SetPhase("PreparingTarget", cluster.Now));
        return null;
    }

    private TimeSpan? Follow(JsonObject migration, JsonObject vmi)
    {
        if (vmi.At("status", "migrationState") is not JsonObject state || state.Text("migrationUid") != migration.UidOf())
        {
            Fail(migration, null, "VMI is not migrating with this migration any more");
            return null;
        }

        if (migration.IsDeleting() && migration.InstancePhase() == "Running" && !state.Flag("abortRequested") && !state.Flag("completed"))
        {
            cluster.Change(KubeVirtTypes.Instances, vmi, current => current.Ensure("status", "migrationState")["abortRequested"] = true);
            cluster.Events.Normal(
                KubeVirtTypes.Migrations, migration, "SuccessfulAbortMigration", "Migration is ready to be canceled by virt-handler.", Component);
        }

        if (state.Flag("completed"))
        {
            Finish(migration, vmi, state);
        }
        else if (migration.InstancePhase() == "PreparingTarget" && state.At("targetNodeAddress") is not null)
        {
            cluster.Change(KubeVirtTypes.Migrations, migration, current => current.SetPhase("TargetReady", cluster.Now));
        }
        else if (migration.InstancePhase() == "TargetReady" && state.At("startTimestamp") is not null)
        {
            cluster.Change(KubeVirtTypes.Migrations, migration, current => current.SetPhase("Running", cluster.Now));
        }

        return null;
    }

    private void Finish(JsonObject migration, JsonObject vmi, JsonObject state)
    {
        var failed = state.Flag("failed");
        cluster.Change(KubeVirtTypes.Migrations, migration, current =>
        {
            current.Ensure("status")["migrationState"] = state.Copy();
            current.SetPhase(failed ? "Failed" : "Succeeded", cluster.Now);
        });
        cluster.Change(KubeVirtTypes.Instances, vmi, current => current.Ensure("metadata", "labels").Remove("kubevirt.io/migrationTargetNodeName"));
        if (failed)
        {
            cluster.Events.Warning(KubeVirtTypes.Migrations, migration, "FailedMigration", "source node reported migration failed", Component);
        }
        else
        {
            cluster.Events.Normal(KubeVirtTypes.Migrations, migration, "SuccessfulMigration", "Source node reported migration succeeded", Component);
        }
    }

    // Before the hand-over a deleted migration ends here and now; after it, only when virt-handler has aborted the copy.
    private bool Abort(JsonObject migration, JsonObject vmi)
    {
        cluster.Change(KubeVirtTypes.Migrations, migration, current =>
            current.SetCondition("migrationAbortRequested", "True", cluster.Now));
        if (migration.InstancePhase() is not ("Pending" or "Scheduling" or "Scheduled"))
        {
            return false;
        }

        if (_rules.TargetPod(migration, vmi) is { } pod)
        {
            cluster.Delete(ResourceTypes.Pods, pod);
        }

        cluster.Change(KubeVirtTypes.Migrations, migration, current => current.SetPhase("Failed", cluster.Now));
        return true;
    }

    private void Fail(JsonObject migration, JsonObject? pod, string why)
    {
        cluster.Events.Warning(KubeVirtTypes.Migrations, migration, "FailedMigration", why, Component);
        if (pod is not null && !pod.IsDeleting())
        {
            cluster.Delete(ResourceTypes.Pods, pod);
        }

        cluster.Change(KubeVirtTypes.Migrations, migration, current => current.SetPhase("Failed", cluster.Now));
    }

    private void Tidy(JsonObject migration)
    {
        cluster.Change(KubeVirtTypes.Migrations, migration, current => current.RemoveFinalizer(Finalizer));
        var finished = cluster.Store.List(KubeVirtTypes.Migrations, migration.NamespaceOf())
            .Where(each => each.IsFinal() && !each.IsDeleting() && each.Text("spec", "vmiName") == migration.Text("spec", "vmiName"))
            .OrderByDescending(each => each.CreatedAt())
            .ToList();
        foreach (var old in finished.Skip(KeptFinished))
        {
            cluster.Delete(KubeVirtTypes.Migrations, old);
        }
    }
}
