using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Remediation;

/// <summary>
/// Deletes Machines whose node has been unhealthy for long enough, unless the check is paused (annotation <c>cluster.x-k8s.io/paused</c>),
/// the Machine is to be skipped (<c>cluster.x-k8s.io/skip-remediation</c>), too many are unhealthy, or, on OpenShift, somebody else holds
/// the node's lease.
/// </summary>
internal sealed class MachineHealthCheckController(ClusterContext cluster, ResourceType machines, ResourceType checks) : IController
{
    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (change.Type.Equals(checks))
        {
            return change.Kind == ChangeKind.Deleted ? [] : [change.Object.Key()];
        }

        var matters = change.Type.Equals(machines)
            || (change.Type.Equals(ResourceTypes.Nodes)
                && change.Before.Condition("Ready").Text("status") != change.Object.Condition("Ready").Text("status"));
        return matters && cluster.Store.Types.Contains(checks) ? cluster.Store.List(checks).Select(Fields.Key) : [];
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(checks, key) is not { } check || check.Annotation("cluster.x-k8s.io/paused") is not null)
        {
            return null;
        }

        var watched = cluster.Store.List(machines, key.Namespace)
            .Where(machine => Selectors.Matches(check.At("spec", "selector"), machine.Object("metadata", "labels")))
            .Select(machine => (Machine: machine, From: UnhealthyFrom(check, machine)))
            .ToList();
        var ill = watched.Where(each => each.From <= cluster.Now).Select(each => each.Machine).ToList();
        var allowed = Workloads.Scaled(check.At("spec", "maxUnhealthy") ?? "100%", watched.Count, roundUp: false);
        TimeSpan? again = ill.Count > allowed || ill.TrueForAll(TryRemediate(check)) ? null : NodeLease.Retry;
        cluster.Change(checks, check, current =>
        {
            var status = current.Ensure("status");
            status["expectedMachines"] = watched.Count;
            status["currentHealthy"] = watched.Count - ill.Count;
            status["remediationsAllowed"] = Math.Max(0, allowed - ill.Count);
        });
        var next = watched.Where(each => each.From > cluster.Now).Select(each => (TimeSpan?)(each.From - cluster.Now)).Min();
        return again is null || next < again ? next ?? again : again;
    }

    private DateTimeOffset? UnhealthyFrom(JsonObject check, JsonObject machine) =>
        machine.Text("status", "nodeRef", "name") is { } name && cluster.Store.Get(ResourceTypes.Nodes, null, name) is { } node
            ? UnhealthyConditions.UnhealthyFrom(check, node, "timeout")
            : null;

    // False: it has to be tried again, because somebody else holds the lease.
    private Predicate<JsonObject> TryRemediate(JsonObject check) => machine =>
    {
        if (machine.IsDeleting() || machine.Annotation("cluster.x-k8s.io/skip-remediation") is not null)
        {
            return true;
        }

        var node = machine.Text("status", "nodeRef", "name")!;
        if (checks.Equals(HardwareTypes.OpenShiftHealthChecks) && !NodeLease.TryTake(cluster, node, $"MachineHealthCheck-{check.NameOf()}"))
        {
            return false;
        }

        cluster.Events.Normal(machines, machine, "MachineDeleted", $"Machine {machine.NameOf()} has been remediated by requesting to delete Machine object", "machinehealthcheck-controller");
        cluster.Delete(machines, machine);
        return true;
    };
}
