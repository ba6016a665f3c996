using System.Text.Json.Nodes;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Storage;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// The kubelets of all nodes: they start the pods bound to them once their volumes are attached, start containers again that ended with
/// the machine, end pods being deleted (a terminal status first, then a delete with grace 0), and keep Ready in step with the readiness
/// gates. Annotations <c>fake-kubelet/…</c> steer them; what a pod that ends by itself does is in <see cref="SimulatedProgram"/>.
/// </summary>
/// <remarks>A virt-launcher pod ends when its guest has: that is virt-handler's business.</remarks>
internal sealed class KubeletController(ClusterContext cluster, Machines machines, NodeHeartbeats heartbeats, MachinePower power, PodVolumes volumes)
    : IController
{
    private static readonly TimeSpan DefaultTermination = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ComparesEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstCrashBackoff = TimeSpan.FromSeconds(10);

    // When to start, complete or end which pod: decided when the kubelet first sees that it has to.
    private readonly Dictionary<string, Dictionary<string, DateTimeOffset>> _times = [];

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(ResourceTypes.Pods))
        {
            if (change.Kind == ChangeKind.Deleted)
            {
                _times.Remove(change.Object.UidOf());
                return [];
            }

            return change.Object.Node() is null ? [] : [change.Object.Key()];
        }

        var matters = (change.Type.Equals(ResourceTypes.Nodes) && MachineStateChanged(change)) || PodVolumes.IsAttachment(change);
        return matters ? cluster.Store.PodsOnNode(change.Object.Text("spec", "nodeName") ?? change.Name).Select(Fields.Key) : [];
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
            (false, true) => machine.NeverTerminates ? null : End(pod),
            (false, false) when pod.IsRunning() => KeepRunning(pod, machine),
            _ => Start(pod, machine),
        };
    }

    private TimeSpan? Start(JsonObject pod, Machine machine)
    {
        if (pod.IsSteered("never-start") || !volumes.AreAttached(pod))
        {
            return null;
        }

        var at = TimeOf(pod, "start", () => pod.Steered("start-after") ?? cluster.Between(0.5, 1.5));
        if (cluster.Until(at) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        _times.Remove(pod.UidOf());
        if (pod.IsSteered("pull-fails"))
        {
            cluster.Change(ResourceTypes.Pods, pod, PodStatuses.CannotPull);
            return null;
        }

        cluster.Change(ResourceTypes.Pods, pod, current => PodStatuses.Run(current, machine, cluster.Now));
        return null;
    }

    private TimeSpan? KeepRunning(JsonObject pod, Machine machine)
    {
        if (PodStatuses.IsInterrupted(pod))
        {
            return StartAgain(pod);
        }

        if (PodStatuses.WantsReady(pod) != pod.IsReady() && !heartbeats.IsUnreachable(machine.Node))
        {
            // A gate is acted on at once; what somebody else wrote is put right when the kubelet compares, every ten seconds.
            if (!pod.Objects("spec", "readinessGates").Any() && cluster.Until(TimeOf(pod, "compare", () => ComparesEvery)) is { Ticks: > 0 } wait)
            {
                return wait;
            }

            _times.GetValueOrDefault(pod.UidOf())?.Remove("compare");
            cluster.Change(ResourceTypes.Pods, pod, current => PodStatuses.UpdateReady(current, cluster.Now));
        }

        return pod.Text("spec", "restartPolicy") == "Always" ? null : Complete(pod, machine);
    }

    // A container that crashed waits longer each time; one that went down with the machine starts as it did first.
    private TimeSpan? StartAgain(JsonObject pod)
    {
        var restarts = PodStatuses.Restarts(pod);
        var crashed = pod.Objects("status", "containerStatuses").Any(each => each.Text("state", "terminated", "reason") == "Error");
        var at = TimeOf(pod, $"again-{restarts}", () => crashed
            ? FirstCrashBackoff * Math.Pow(2, Math.Min(restarts, 5))
            : pod.Steered("start-after") ?? cluster.Between(0.5, 1.5));
        if (cluster.Until(at) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        cluster.Change(ResourceTypes.Pods, pod, current => PodStatuses.Restart(current, cluster.Now));
        return null;
    }

    private TimeSpan? Complete(JsonObject pod, Machine machine)
    {
        var program = SimulatedProgram.Of(pod, machine.BootId, FailedBefore(pod));
        if (program.Takes is not { } span)
        {
            return null;
        }

        var at = TimeOf(pod, $"complete-{PodStatuses.Restarts(pod)}", () => span);
        if (cluster.Until(at) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        if (!program.DiesWithMachine)
        {
            var again = program.ExitCode != 0 && pod.Text("spec", "restartPolicy") == "OnFailure";
            cluster.Change(ResourceTypes.Pods, pod, current =>
            {
                if (again)
                {
                    PodStatuses.Interrupt(current, cluster.Now, program.ExitCode);
                }
                else
                {
                    current.Finish(cluster.Now, program.ExitCode == 0, program.ExitCode);
                }
            });
        }

        if (program.Reboots)
        {
            power.Reboot(machine);
        }

        return null;
    }

    private int FailedBefore(JsonObject pod) => pod.Controller() is { } owner && owner.Text("kind") == "Job"
        ? (int)(cluster.Store.Get(ResourceTypes.Jobs, pod.NamespaceOf(), owner.Text("name")!).Number("status", "failed") ?? 0)
        : 0;

    private TimeSpan? End(JsonObject pod)
    {
        if (pod.Label("kubevirt.io") == "virt-launcher" || pod.IsSteered("never-terminate"))
        {
            return null;
        }

        if (!pod.IsRunning())
        {
            return Finish(pod, succeeded: true);
        }

        // The kubelet gives containers two seconds at least, even if it is to kill them at once.
        var grace = TimeSpan.FromSeconds(Math.Max(2, pod.Number("metadata", "deletionGracePeriodSeconds") ?? 30));
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
        if (!_times.TryGetValue(pod.UidOf(), out var times))
        {
            _times[pod.UidOf()] = times = [];
        }

        if (!times.TryGetValue(what, out var time))
        {
            times[what] = time = cluster.Now + span();
        }

        return time;
    }

    // A machine that works again has pods to look after; heartbeats alone change nothing.
    private static bool MachineStateChanged(Change change) =>
        change.Kind != ChangeKind.Deleted
        && (change.Before is null
            || change.Before.Condition("Ready").Text("status") != change.Object.Condition("Ready").Text("status")
            || change.Before.Text("status", "nodeInfo", "bootID") != change.Object.Text("status", "nodeInfo", "bootID"));
}
