using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// The virt-handlers' part of a live migration, from the prepared target to the hand-over, told through <c>status.migrationState</c> of
/// the VMI. The durations are those of the recorded time lines; the copy's is set per VM.
/// </summary>
internal sealed class MigrationHandler(ClusterContext cluster, Machines machines, Stopwatches times)
{
    private const string Component = "virt-handler";
    private const string Broken = "Live migration failed error encountered during MigrateToURI3 libvirt api call: "
        + "virError(Code=1, Domain=7, Message='internal error: client socket is closed')";

    private static readonly TimeSpan Preparation = TimeSpan.FromSeconds(0.3);
    private static readonly TimeSpan SourceReaction = TimeSpan.FromSeconds(0.12);
    private static readonly TimeSpan FailureAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AbortTakes = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan HandOver = TimeSpan.FromSeconds(0.23);
    private static readonly TimeSpan Acknowledgement = TimeSpan.FromSeconds(0.1);

    private readonly Dictionary<string, int> _failed = [];

    /// <summary>Moves the migration of a running VMI on. Returns when to look again.</summary>
    public TimeSpan? Progress(JsonObject vmi)
    {
        if (vmi.At("status", "migrationState") is not JsonObject state)
        {
            return null;
        }

        if (state.Flag("completed"))
        {
            EndLeftLauncher(vmi, state);
            return null;
        }

        var uid = state.Text("migrationUid") ?? string.Empty;
        return state switch
        {
            _ when !Works(state, "targetNode") => null,
            _ when state.At("targetNodeAddress") is null => PrepareTarget(vmi, state, uid),
            _ when state.At("endTimestamp") is not null => Acknowledge(vmi, state, uid),
            _ when !Works(state, "sourceNode") => null,
            _ when state.At("startTimestamp") is null => Start(vmi, uid),
            _ when state.Flag("abortRequested") => Abort(vmi, uid),
            _ when state.At("targetNodeDomainReadyTimestamp") is null => Copy(vmi, uid),
            _ => MoveOver(vmi, state, uid),
        };
    }

    private bool Works(JsonObject state, string node) => machines.Of(state.Text(node)) is { Works: true };

    private TimeSpan? PrepareTarget(JsonObject vmi, JsonObject state, string uid)
    {
        if (VirtHandlerSteering.Is(vmi, "target-never-ready"))
        {
            return null;
        }

        if (times.Left(vmi.UidOf(), $"{uid} target", Preparation) is { } wait)
        {
            return wait;
        }

        Change(vmi, current => current["targetNodeAddress"] = machines.Of(state.Text("targetNode"))!.Address);
        Event(vmi, "PreparingTarget", "VirtualMachineInstance Migration Target Prepared.");
        return null;
    }

    private TimeSpan? Start(JsonObject vmi, string uid)
    {
        if (times.Left(vmi.UidOf(), $"{uid} start", SourceReaction) is { } wait)
        {
            return wait;
        }

        Change(vmi, state =>
        {
            state["startTimestamp"] = cluster.Now.Timestamp();
            state["mode"] = "PreCopy";
        });
        Event(vmi, "Migrating", "VirtualMachineInstance is migrating.");
        return null;
    }

    private TimeSpan? Copy(JsonObject vmi, string uid)
    {
        if (VirtHandlerSteering.Is(vmi, "copy-never-ends"))
        {
            return null;
        }

        if (Overdue(vmi, uid) is { } overdue)
        {
            return overdue;
        }

        var fails = _failed.GetValueOrDefault(vmi.UidOf()) < VirtHandlerSteering.FailingMigrations(vmi);
        if (times.Left(vmi.UidOf(), $"{uid} copy", fails ? FailureAfter : VirtHandlerSteering.Copy(vmi)) is { } wait)
        {
            return wait;
        }

        if (!fails)
        {
            Change(vmi, state => state["targetNodeDomainReadyTimestamp"] = cluster.Now.Timestamp());
            return null;
        }

        _failed[vmi.UidOf()] = _failed.GetValueOrDefault(vmi.UidOf()) + 1;
        Fail(vmi, uid, Broken, aborted: false);
        return null;
    }

    // virt-launcher gives up by itself on a copy that makes no progress or takes too long for its size; null: this one does neither.
    private TimeSpan? Overdue(JsonObject vmi, string uid)
    {
        var configuration = vmi.Object("status", "migrationState", "migrationConfiguration");
        var stalls = VirtHandlerSteering.Is(vmi, "copy-stalls");
        var gibibytes = Math.Ceiling((Resources.Parse(vmi.Text("spec", "domain", "memory", "guest")) ?? 0) / (1024m * 1024 * 1024));
        var limit = stalls
            ? configuration.Number("progressTimeout")
            : configuration.Number("completionTimeoutPerGiB") * (long)Math.Max(1, gibibytes);
        if (limit is not > 0 || (!stalls && VirtHandlerSteering.Copy(vmi) <= TimeSpan.FromSeconds(limit.Value)))
        {
            return null;
        }

        if (times.Left(vmi.UidOf(), $"{uid} overdue", TimeSpan.FromSeconds(limit.Value)) is { } left)
        {
            return left;
        }

        var reason = stalls
            ? $"Live migration stuck for {limit} seconds and has been aborted"
            : $"Live migration is not completed after {limit} seconds and has been aborted";
        Fail(vmi, uid, reason, aborted: true);
        return TimeSpan.Zero;
    }

    private TimeSpan? Abort(JsonObject vmi, string uid)
    {
        if (VirtHandlerSteering.Is(vmi, "abort-never-ends"))
        {
            return null;
        }

        if (times.Left(vmi.UidOf(), $"{uid} abort", AbortTakes) is { } wait)
        {
            return wait;
        }

        Fail(vmi, uid, "Live migration has been aborted", aborted: true);
        return null;
    }

    private void Fail(JsonObject vmi, string uid, string reason, bool aborted)
    {
        Change(vmi, state =>
        {
            state["endTimestamp"] = cluster.Now.Timestamp();
            state["completed"] = true;
            state["failed"] = true;
            state["failureReason"] = reason;
            state.Set(aborted ? "Succeeded" : null, "abortStatus");
        });
        cluster.Events.Warning(
            KubeVirtTypes.Instances, vmi, "Migrated", $"VirtualMachineInstance migration uid {uid} failed. reason:{reason}", Component);
    }

    private TimeSpan? MoveOver(JsonObject vmi, JsonObject state, string uid)
    {
        if (times.Left(vmi.UidOf(), $"{uid} handover", HandOver) is { } wait)
        {
            return wait;
        }

        var node = state.Text("targetNode")!;
        cluster.Change(KubeVirtTypes.Instances, vmi, current =>
        {
            current.Ensure("metadata", "labels")[Instances.NodeLabel] = node;
            var status = current.Ensure("status");
            status["nodeName"] = node;
            status.Remove("evacuationNodeName");
            status.Ensure("migrationState")["endTimestamp"] = cluster.Now.Timestamp();
        });
        return null;
    }

    private TimeSpan? Acknowledge(JsonObject vmi, JsonObject state, string uid)
    {
        if (times.Left(vmi.UidOf(), $"{uid} acknowledge", Acknowledgement) is { } wait)
        {
            return wait;
        }

        Change(vmi, current => current["completed"] = true);
        Event(vmi, "Migrated", $"The VirtualMachineInstance migrated to node {state.Text("targetNode")}.");
        return null;
    }

    // After a hand-over the source launcher has nothing left to do; after a failure the target one.
    private void EndLeftLauncher(JsonObject vmi, JsonObject state)
    {
        var left = state.Flag("failed") ? state.Text("targetPod") : state.Text("sourcePod");
        var pod = cluster.Store.Get(ResourceTypes.Pods, vmi.NamespaceOf(), left ?? string.Empty);
        if (pod is not null && !pod.IsFinished() && pod.Node() != vmi.InstanceNode())
        {
            cluster.Change(ResourceTypes.Pods, pod, current => current.Finish(cluster.Now, succeeded: true));
        }
    }

    private void Change(JsonObject vmi, Action<JsonObject> change) =>
        cluster.Change(KubeVirtTypes.Instances, vmi, current => change(current.Ensure("status", "migrationState")));

    private void Event(JsonObject vmi, string reason, string message) =>
        cluster.Events.Normal(KubeVirtTypes.Instances, vmi, reason, message, Component);
}
