using System.Text.Json.Nodes;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// The kubelets of all nodes: they start the pods bound to them, end the ones being deleted (a terminal status first, then a delete
/// with grace 0), and keep Ready in step with the readiness gates. Annotations <c>fake-kubelet/…</c> steer them.
/// </summary>
/// <remarks>A virt-launcher pod ends when its guest has: that is virt-handler's business.</remarks>
internal sealed class KubeletController(ClusterContext cluster, Machines machines, NodeHeartbeats heartbeats, MachinePower power) : IController
{
    private static readonly TimeSpan DefaultTermination = TimeSpan.FromSeconds(1);

    // When to start, complete or end which pod: decided when the kubelet first sees that it has to.
    private readonly Dictionary<(string Uid, string What), DateTimeOffset> _times = [];

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.Pods))
        {
            if (change.Kind == ChangeKind.Deleted)
            {
                Forget(change.Object.UidOf());
                return [];
            }

            return change.Object.Node() is null ? [] : [change.Object.Key()];
        }

        return change.Type.Equals(ResourceTypes.Nodes) && MachineStateChanged(change)
            ? cluster.Store.PodsOnNode(change.Name).Select(Fields.Key)
            : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.Pods, key) is not { } pod || machines.Of(pod.Node()) is not { Works: true } machine)
        {
            return null;
        }

        return (pod.IsFinished(), pod.IsDeleting()) switch
        {
            (true, true) => Remove(pod),
            (true, false) => null,
            (false, true) => End(pod, machine),
            (false, false) when pod.IsRunning() => KeepRunning(pod, machine),
            _ => Start(pod, machine),
        };
    }

    private TimeSpan? Start(JsonObject pod, Machine machine)
    {
        if (pod.IsSteered("never-start"))
        {
            return null;
        }

        var at = TimeOf(pod, "start", () => pod.Steered("start-after") ?? cluster.Between(0.5, 1.5));
        if (cluster.Until(at) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        cluster.Change(ResourceTypes.Pods, pod, current => PodStatuses.Run(current, machine, cluster.Now));
        return null;
    }

    private TimeSpan? KeepRunning(JsonObject pod, Machine machine)
    {
        if (PodStatuses.WantsReady(pod) != pod.IsReady() && !heartbeats.IsUnreachable(machine.Node))
        {
            cluster.Change(ResourceTypes.Pods, pod, current => PodStatuses.UpdateReady(current, cluster.Now));
        }

        return pod.Text("spec", "restartPolicy") == "Always" ? null : Complete(pod, machine);
    }

    // A pod that ends by itself: a job's. Without complete-after only one that reboots its machine does.
    private TimeSpan? Complete(JsonObject pod, Machine machine)
    {
        var reboots = Machines.Reboots(pod);
        if ((pod.Steered("complete-after") ?? (reboots ? DefaultTermination : null)) is not { } span)
        {
            return null;
        }

        var at = TimeOf(pod, "complete", () => span);
        if (cluster.Until(at) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        cluster.Change(ResourceTypes.Pods, pod, current => current.Finish(cluster.Now, succeeded: true));
        if (reboots)
        {
            power.Reboot(machine);
        }

        return null;
    }

    private TimeSpan? End(JsonObject pod, Machine machine)
    {
        if (pod.Label("kubevirt.io") == "virt-launcher" || pod.IsSteered("never-terminate"))
        {
            return null;
        }

        if (!pod.IsRunning())
        {
            return Finish(pod, succeeded: true);
        }

        var grace = TimeSpan.FromSeconds(pod.Number("metadata", "deletionGracePeriodSeconds") ?? 30);
        var wanted = pod.Steered("terminate-after") ?? DefaultTermination;
        var at = TimeOf(pod, "end", () => wanted < grace ? wanted : grace);
        return cluster.Until(at) is { Ticks: > 0 } wait ? wait : Finish(pod, succeeded: wanted <= grace);
    }

    private TimeSpan? Finish(JsonObject pod, bool succeeded)
    {
        var finished = cluster.Change(ResourceTypes.Pods, pod, current => current.Finish(cluster.Now, succeeded));
        return finished is null ? null : Remove(finished);
    }

    private TimeSpan? Remove(JsonObject pod)
    {
        if (pod.Number("metadata", "deletionGracePeriodSeconds") != 0)
        {
            cluster.Delete(ResourceTypes.Pods, pod, gracePeriodSeconds: 0);
        }

        return null;
    }

    private DateTimeOffset TimeOf(JsonObject pod, string what, Func<TimeSpan> span)
    {
        var key = (pod.UidOf(), what);
        if (!_times.TryGetValue(key, out var time))
        {
            _times[key] = time = cluster.Now + span();
        }

        return time;
    }

    private void Forget(string uid)
    {
        foreach (var what in (string[])["start", "complete", "end"])
        {
            _times.Remove((uid, what));
        }
    }

    // A machine that works again has pods to look after; heartbeats alone change nothing.
    private static bool MachineStateChanged(Change change) =>
        change.Kind != ChangeKind.Deleted
        && (change.Before is null
            || change.Before.Condition("Ready").Text("status") != change.Object.Condition("Ready").Text("status")
            || change.Before.Text("status", "nodeInfo", "bootID") != change.Object.Text("status", "nodeInfo", "bootID"));
}
