using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// What virt-handler says about its node: the labels a launcher pod needs and a heartbeat once a minute. A node silent for five minutes
/// is no longer schedulable for virtual machines.
/// </summary>
internal sealed class VirtHandlerHeartbeats(ClusterContext cluster, Machines machines) : IController
{
    private const string Heartbeat = "kubevirt.io/heartbeat";
    private const string Schedulable = "kubevirt.io/schedulable";
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Stale = TimeSpan.FromMinutes(5);

    private readonly Dictionary<string, (DateTimeOffset At, int Boot)> _last = [];

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        var matters = change.Type.Equals(ResourceTypes.Nodes) && change.Kind != ChangeKind.Deleted
            && (change.Before.Condition("Ready").Text("status") != change.Object.Condition("Ready").Text("status")
                || change.Before.Text("status", "nodeInfo", "bootID") != change.Object.Text("status", "nodeInfo", "bootID"));
        return matters ? [new(null, change.Name)] : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Store.Get(ResourceTypes.Nodes, null, key.Name) is not { } node || machines.Of(key.Name) is not { } machine)
        {
            return null;
        }

        if (!machine.Works || !node.IsTrue("Ready"))
        {
            return MarkStale(node);
        }

        if (_last.TryGetValue(key.Name, out var last) && last.Boot == machine.Boots && cluster.Until(last.At + Period) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        _last[key.Name] = (cluster.Now, machine.Boots);
        cluster.Change(ResourceTypes.Nodes, node, current => Report(current, machine.CpuModel));
        return Period;
    }

    private TimeSpan? MarkStale(JsonObject node)
    {
        if (!_last.TryGetValue(node.NameOf(), out var last))
        {
            return null;
        }

        if (cluster.Until(last.At + Stale) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        cluster.Change(ResourceTypes.Nodes, node, current => current.Ensure("metadata", "labels")[Schedulable] = "false");
        return null;
    }

    private void Report(JsonObject node, string cpuModel)
    {
        var labels = node.Ensure("metadata", "labels");
        labels[Schedulable] = "true";
        labels["machine-type.node.kubevirt.io/q35"] = "true";
        labels["machine-type.node.kubevirt.io/pc-q35-rhel9.6.0"] = "true";
        labels["cpu-vendor.node.kubevirt.io/Intel"] = "true";
        labels[$"host-model-cpu.node.kubevirt.io/{cpuModel}"] = "true";
        labels[$"cpu-model-migration.node.kubevirt.io/{cpuModel}"] = "true";
        node.Ensure("metadata", "annotations")[Heartbeat] = cluster.Now.Timestamp();
    }
}
