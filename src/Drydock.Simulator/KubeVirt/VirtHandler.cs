using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// The virt-handlers of all nodes: they start guests, shut them down when their launcher pod is being deleted, and end launcher pods.
/// Live migrations are in <see cref="MigrationHandler"/>. Annotations <c>fake-virt-handler/…</c> steer them.
/// </summary>
internal sealed class VirtHandler : IController
{
    private const string Component = "virt-handler";
    private static readonly TimeSpan Boot = TimeSpan.FromSeconds(0.3);

    private readonly ClusterContext _cluster;
    private readonly Machines _machines;
    private readonly MigrationHandler _migrations;
    private readonly Stopwatches _times;

    public VirtHandler(ClusterContext cluster, Machines machines)
    {
        _cluster = cluster;
        _machines = machines;
        _times = new Stopwatches(cluster);
        _migrations = new MigrationHandler(cluster, machines, _times);
    }

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Kind == ChangeKind.Deleted)
        {
            _times.Forget(change.Object.UidOf());
        }

        // A machine that works again has launchers to look after.
        var changedReadiness = change.Type.Equals(ResourceTypes.Nodes) && change.Before is not null
            && change.Before.Condition("Ready").Text("status") != change.Object.Condition("Ready").Text("status");
        return changedReadiness ? InstancesOn(change.Name) : Instances.Touched(change);
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (_cluster.Get(KubeVirtTypes.Instances, key) is not { } vmi)
        {
            return EndOrphans(key);
        }

        TimeSpan? again = null;
        foreach (var pod in Instances.LaunchersOf(_cluster, vmi).Where(each => _machines.Of(each.Node()) is { Works: true } machine && !(machine.NeverTerminates && each.IsDeleting())))
        {
            again = Sooner(again, LookAfter(vmi, pod));
        }

        if (_cluster.Get(KubeVirtTypes.Instances, key) is { } current && current.InstancePhase() == "Running")
        {
            again = Sooner(again, _migrations.Progress(current));
        }

        return again;
    }

    private IEnumerable<ObjectKey> InstancesOn(string node) => _cluster.Store.PodsOnNode(node)
        .Where(Instances.IsLauncher)
        .Select(pod => new ObjectKey(pod.NamespaceOf(), pod.Controller().Text("name")!));

    private static TimeSpan? Sooner(TimeSpan? one, TimeSpan? other) => one is null || (other is not null && other < one) ? other : one;

    private TimeSpan? LookAfter(JsonObject vmi, JsonObject pod)
    {
        if (pod.IsFinished())
        {
            return pod.IsDeleting() ? End(pod) : null;
        }

        var hostsGuest = pod.Node() == vmi.InstanceNode() && vmi.InstancePhase() is "Scheduled" or "Running";
        if (pod.IsDeleting())
        {
            return hostsGuest && !vmi.IsFinal() ? ShutDown(vmi, pod) : End(pod);
        }

        if (!hostsGuest)
        {
            return null;
        }

        return vmi.InstancePhase() == "Scheduled" ? Start(vmi, pod) : KeepUnpaused(pod);
    }

    private TimeSpan? Start(JsonObject vmi, JsonObject pod)
    {
        if (_times.Left(vmi.UidOf(), "boot", Boot) is { } wait)
        {
            return wait;
        }

        _cluster.Change(KubeVirtTypes.Instances, vmi, current =>
        {
            SetMigratable(current);
            var status = current.Ensure("status");
            status["interfaces"] = new JsonArray(
                new JsonObject { ["name"] = "default", ["ipAddress"] = pod.Text("status", "podIP"), ["infoSource"] = "domain" });
            status["migrationMethod"] = "BlockMigration";
            status["migrationTransport"] = "Unix";
            status["qosClass"] = "Burstable";
            current.SetPhase("Running", _cluster.Now);
        });
        _cluster.Events.Normal(KubeVirtTypes.Instances, vmi, "Created", "VirtualMachineInstance defined.", Component);
        _cluster.Events.Normal(KubeVirtTypes.Instances, vmi, "Started", "VirtualMachineInstance started.", Component);
        if (MigrationReasons.Of(vmi, _cluster.Store) is { } reason && vmi.EvictionStrategy() == "LiveMigrate")
        {
            _cluster.Events.Warning(
                KubeVirtTypes.Instances, vmi, "Migrated",
                $"EvictionStrategy is set but vmi is not migratable; {MigrationReasons.MessageOf(reason)}", Component);
        }

        return KeepUnpaused(pod);
    }

    private void SetMigratable(JsonObject vmi)
    {
        if (MigrationReasons.Of(vmi, _cluster.Store) is { } reason)
        {
            var message = MigrationReasons.MessageOf(reason);
            Set("LiveMigratable", "False", reason, message);
            Set("StorageLiveMigratable", "False", "NotMigratable", $"{reason}: {message}");
        }
        else
        {
            Set("LiveMigratable", "True", null, null);
            Set("StorageLiveMigratable", "True", null, null);
        }

        void Set(string type, string status, string? why, string? text)
        {
            vmi.SetCondition(type, status, _cluster.Now, why, text);
            var condition = vmi.Condition(type)!;
            condition["lastProbeTime"] = null;
            condition["lastTransitionTime"] = null;
        }
    }

    private TimeSpan? KeepUnpaused(JsonObject pod)
    {
        if (!pod.IsTrue(Instances.Unpaused))
        {
            _cluster.Change(ResourceTypes.Pods, pod, current =>
            {
                current.SetCondition(Instances.Unpaused, "True", _cluster.Now, "NotPaused", "the virtual machine is not paused");
                current.Condition(Instances.Unpaused)!["lastProbeTime"] = _cluster.Now.Timestamp();
            });
        }

        return null;
    }

    private TimeSpan? ShutDown(JsonObject vmi, JsonObject pod)
    {
        _cluster.Events.Normal(KubeVirtTypes.Instances, vmi, "ShuttingDown", "Signaled Graceful Shutdown", Component);

        var span = VirtHandlerSteering.Shutdown(vmi);

        // A stop with a grace period of its own counts from when it is seen.
        var ends = _times.Left(vmi.UidOf(), "shutdown", span);
        var forced = vmi.Number("spec", "terminationGracePeriodSeconds") is { } grace
            ? _times.Left(vmi.UidOf(), $"shutdown within {grace}", TimeSpan.FromSeconds(grace))
            : ends;

        // A deletion that gives the pod less than it has of its own has the kubelet kill it then.
        var killed = pod.Number("metadata", "deletionGracePeriodSeconds") is { } given && given < pod.Number("spec", "terminationGracePeriodSeconds")
            ? _times.Left(vmi.UidOf(), $"killed within {given}", TimeSpan.FromSeconds(given))
            : ends;
        if (ends is not null && forced is not null && killed is not null)
        {
            return Sooner(Sooner(ends, forced), killed);
        }

        _cluster.Change(KubeVirtTypes.Instances, vmi, current => current.SetPhase("Succeeded", _cluster.Now));
        _cluster.Events.Normal(KubeVirtTypes.Instances, vmi, "Stopped", "The VirtualMachineInstance was shut down.", Component);
        return End(pod);
    }

    private TimeSpan? End(JsonObject pod)
    {
        var finished = pod.IsFinished() ? pod : _cluster.Change(ResourceTypes.Pods, pod, current => current.Finish(_cluster.Now, succeeded: true));
        if (finished is not null && finished.IsDeleting() && finished.Number("metadata", "deletionGracePeriodSeconds") != 0)
        {
            _cluster.Delete(ResourceTypes.Pods, finished, gracePeriodSeconds: 0);
        }

        return null;
    }

    // A VMI that was removed by force leaves its launchers to the garbage collector: they still have to end.
    private TimeSpan? EndOrphans(ObjectKey key)
    {
        foreach (var pod in _cluster.Store.List(ResourceTypes.Pods, key.Namespace)
            .Where(each => each.IsLauncher() && each.IsDeleting() && each.Controller().Text("name") == key.Name)
            .Where(each => _machines.Of(each.Node()) is { Works: true }))
        {
            End(pod);
        }

        return null;
    }
}
