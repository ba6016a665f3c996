using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Remediation;

/// <summary>
/// Fences a node for as long as its SelfNodeRemediation exists: cordon, NoExecute taint, reset of the machine, then its pods are removed
/// by force, so that they start elsewhere.
/// </summary>
internal sealed class SelfNodeRemediationController(ClusterContext cluster, Machines machines, MachinePower power) : IController
{
    private const string Component = "self-node-remediation";
    private const string Finalizer = "self-node-remediation.medik8s.io/snr-finalizer";
    private const string Taint = "medik8s.io/remediation";

    private readonly Dictionary<string, DateTimeOffset> _resetOver = [];

    public IEnumerable<ObjectKey> Affected(Change change) =>
        change.Type.Equals(HardwareTypes.SelfNodeRemediations) && change.Kind != ChangeKind.Deleted ? [change.Object.Key()] : [];

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(HardwareTypes.SelfNodeRemediations, key) is not { } remediation)
        {
            return null;
        }

        var node = cluster.Store.Get(ResourceTypes.Nodes, null, key.Name);
        if (remediation.IsDeleting())
        {
            Unfence(remediation, node);
            return null;
        }

        if (node is null)
        {
            return null;
        }

        remediation = cluster.Change(HardwareTypes.SelfNodeRemediations, remediation, current => current.AddFinalizer(Finalizer)) ?? remediation;
        return Fence(remediation, node);
    }

    private TimeSpan? Fence(JsonObject remediation, JsonObject node)
    {
        if (!_resetOver.TryGetValue(remediation.UidOf(), out var over))
        {
            cluster.Change(ResourceTypes.Nodes, node, Mark);
            cluster.Events.Normal(HardwareTypes.SelfNodeRemediations, remediation, "NodeReboot", "Remediation process - unhealthy node is being rebooted", Component);
            var machine = machines.Of(node.NameOf());
            over = cluster.Now + (machine?.RebootTakes ?? TimeSpan.Zero);
            _resetOver[remediation.UidOf()] = over;
            if (machine is not null)
            {
                power.Reset(machine);
            }
        }

        if (cluster.Until(over) is { Ticks: > 0 } left)
        {
            return left;
        }

        // Only now is it certain that nothing of them runs any more.
        foreach (var pod in cluster.Store.PodsOnNode(node.NameOf()).Where(pod => pod.IsDeleting() && pod.Controller().Text("kind") != "DaemonSet"))
        {
            cluster.Delete(ResourceTypes.Pods, pod, gracePeriodSeconds: 0);
        }

        return null;
    }

    private void Mark(JsonObject node)
    {
        var spec = node.Ensure("spec");
        spec["unschedulable"] = true;
        if (spec["taints"] is not JsonArray taints)
        {
            spec["taints"] = taints = [];
        }

        if (!taints.Any(taint => taint.Text("key") == Taint))
        {
            taints.Add(new JsonObject
            {
                ["key"] = Taint,
                ["value"] = "self-node-remediation",
                ["effect"] = "NoExecute",
                ["timeAdded"] = cluster.Now.Timestamp(),
            });
        }
    }

    private void Unfence(JsonObject remediation, JsonObject? node)
    {
        if (node is not null)
        {
            cluster.Change(ResourceTypes.Nodes, node, current =>
            {
                current.Ensure("spec").Remove("unschedulable");
                (current.At("spec", "taints") as JsonArray)?.RemoveAll(taint => taint.Text("key") == Taint);
            });
        }

        _resetOver.Remove(remediation.UidOf());
        cluster.Change(HardwareTypes.SelfNodeRemediations, remediation, current => current.RemoveFinalizer(Finalizer));
    }
}
