using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>virt-controller's part of a VMI: its launcher pod, its phases up to Scheduled and after the guest's end, its conditions.</summary>
internal sealed class InstanceController(ClusterContext cluster) : IController
{
    private const string Component = "virtualmachine-controller";

    /// <summary>A fault that keeps a VMI from getting its launcher pod.</summary>
    public Func<string?, string, bool>? MayNotStart { get; init; }

    public IEnumerable<ObjectKey> Affected(Change change) => Instances.Touched(change);

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(KubeVirtTypes.Instances, key) is not { } vmi)
        {
            return null;
        }

        if (vmi.IsDeleting() || vmi.IsFinal())
        {
            End(vmi);
        }
        else
        {
            vmi = Progress(vmi);
        }

        HotplugPods.Ensure(cluster, vmi);
        cluster.Change(KubeVirtTypes.Instances, vmi, UpdateConditions);
        return null;
    }

    private JsonObject Progress(JsonObject vmi) => vmi.InstancePhase() switch
    {
        "" => SetPhase(vmi, "Pending"),
        "Pending" => Launch(vmi),
        "Scheduling" => Schedule(vmi),
        "Scheduled" or "Running" => Guard(vmi),
        _ => vmi,
    };

    private JsonObject SetPhase(JsonObject vmi, string phase) =>
        cluster.Change(KubeVirtTypes.Instances, vmi, current => current.SetPhase(phase, cluster.Now)) ?? vmi;

    private JsonObject Launch(JsonObject vmi)
    {
        if (MayNotStart?.Invoke(vmi.NamespaceOf(), vmi.NameOf()) == true)
        {
            var message = $"failed to create virtual machine pod: pods \"virt-launcher-{vmi.NameOf()}\" is forbidden: exceeded quota: compute-resources";
            cluster.Events.Warning(KubeVirtTypes.Instances, vmi, "FailedCreate", $"Error creating pod: {message}", Component);
            return cluster.Change(
                KubeVirtTypes.Instances, vmi, current => current.SetCondition("Synchronized", "False", cluster.Now, "FailedCreate", message)) ?? vmi;
        }

        if (!Instances.LaunchersOf(cluster, vmi).Any())
        {
            var pod = cluster.Store.Create(ResourceTypes.Pods, LauncherPods.ForStart(vmi));
            cluster.Events.Normal(KubeVirtTypes.Instances, vmi, "SuccessfulCreate", $"Created virtual machine pod {pod.NameOf()}", Component);
        }

        return cluster.Change(KubeVirtTypes.Instances, vmi, current =>
        {
            current.RemoveCondition("Synchronized");
            current.SetPhase("Scheduling", cluster.Now);
        }) ?? vmi;
    }

    private JsonObject Schedule(JsonObject vmi)
    {
        var pod = Instances.ActiveLauncher(cluster, vmi);
        if (pod is null)
        {
            return SetPhase(vmi, "Failed");
        }

        if (!pod.IsTrue("ContainersReady") || pod.Node() is not { } node)
        {
            return vmi;
        }

        return cluster.Change(KubeVirtTypes.Instances, vmi, current =>
        {
            current.Ensure("status")["nodeName"] = node;
            current.Ensure("metadata", "labels")[Instances.NodeLabel] = node;
            current.SetPhase("Scheduled", cluster.Now);
        }) ?? vmi;
    }

    // The launcher ended or vanished without virt-handler having said how the guest ended.
    private JsonObject Guard(JsonObject vmi) => Instances.ActiveLauncher(cluster, vmi) is null && !vmi.IsMigrating()
        ? SetPhase(vmi, "Failed")
        : vmi;

    private void End(JsonObject vmi)
    {
        var alive = Instances.LaunchersOf(cluster, vmi).Where(pod => !pod.IsFinished()).ToList();
        foreach (var pod in alive.Where(each => !each.IsDeleting()))
        {
            cluster.Delete(ResourceTypes.Pods, pod);
        }

        if (alive.Count > 0 || !vmi.IsDeleting())
        {
            return;
        }

        foreach (var finished in Instances.LaunchersOf(cluster, vmi))
        {
            cluster.Delete(ResourceTypes.Pods, finished);
        }

        cluster.Change(KubeVirtTypes.Instances, vmi, current => current.RemoveFinalizer(
            "kubevirt.io/virtualMachineControllerFinalize", "kubevirt.io/foregroundDeleteVirtualMachine"));
    }

    private void UpdateConditions(JsonObject vmi)
    {
        var pods = Instances.LaunchersOf(cluster, vmi).Where(pod => pod.Node() is not null && !pod.IsFinished()).ToList();
        vmi.Ensure("status")["activePods"] = new JsonObject(pods.Select(pod => KeyValuePair.Create(pod.UidOf(), (JsonNode?)pod.Node())));
        var active = Instances.ActiveLauncher(cluster, vmi);
        SetReady(vmi, active);
        if (active.Condition("PodScheduled") is { } scheduled && scheduled.Text("status") == "False")
        {
            vmi.SetCondition("PodScheduled", "False", cluster.Now, scheduled.Text("reason"), scheduled.Text("message"));
        }
        else
        {
            vmi.RemoveCondition("PodScheduled");
        }

        if (vmi.Text("status", "evacuationNodeName") is { Length: > 0 })
        {
            vmi.SetCondition("EvictionRequested", "True", cluster.Now, "EvictionRequested", "VMI is marked for eviction");
        }
        else
        {
            vmi.RemoveCondition("EvictionRequested");
        }
    }

    private void SetReady(JsonObject vmi, JsonObject? active)
    {
        var (status, reason, message) = active switch
        {
            null => ("False", "PodNotExists", "virt-launcher pod has not yet been scheduled"),
            _ when active.IsDeleting() => ("False", "PodTerminating", "virt-launcher pod is terminating"),
            _ when vmi.InstancePhase() != "Running" => ("False", "GuestNotRunning", "Guest VM is not reported as running"),
            _ => (active.IsReady() ? "True" : "False", (string?)null, (string?)null),
        };
        vmi.SetCondition("Ready", status, cluster.Now, reason, message);
    }
}
