using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Remediation;

/// <summary>
/// The NodeHealthCheck operator of medik8s: starts a remediation for a node that has been unhealthy for long enough, unless it is excluded
/// (label <c>remediation.medik8s.io/exclude-from-remediation: "true"</c>), the check is paused, too few nodes are healthy, or somebody else
/// holds the node's lease; ends it when the node is healthy again.
/// </summary>
internal sealed class NodeHealthCheckController(ClusterContext cluster) : IController
{
    private const string Component = "nodehealthcheck-controller";

    public IEnumerable<ObjectKey> Affected(Change change) => change.Type.Equals(HardwareTypes.NodeHealthChecks)
        ? [change.Object.Key()]
        : change.Type.Equals(ResourceTypes.Nodes) && Matters(change) && cluster.Store.Types.Contains(HardwareTypes.NodeHealthChecks)
            ? cluster.Store.List(HardwareTypes.NodeHealthChecks).Select(Fields.Key)
            : [];

    public TimeSpan? Reconcile(ObjectKey key)
    {
        if (cluster.Get(HardwareTypes.NodeHealthChecks, key) is not { } check || check.IsDeleting())
        {
            return null;
        }

        var nodes = cluster.Store.List(ResourceTypes.Nodes)
            .Where(node => Selectors.Matches(check.At("spec", "selector"), node.Object("metadata", "labels")))
            .ToList();
        var ill = nodes
            .Select(node => (Node: node, From: UnhealthyConditions.UnhealthyFrom(check, node, "duration")))
            .Where(each => each.From is not null)
            .ToList();
        EndOf(check, nodes.Where(node => node.IsTrue("Ready")));
        var healthy = nodes.Count - ill.Count(each => each.From <= cluster.Now);
        var (may, phase, reason) = Phase(check, nodes.Count, healthy);
        var again = may ? StartFor(check, ill.Where(each => each.From <= cluster.Now).Select(each => each.Node)) : null;
        WriteStatus(check, nodes.Count, healthy, phase, reason);
        return Sooner(again, ill.Where(each => each.From > cluster.Now).Select(each => (TimeSpan?)(each.From - cluster.Now)).Min());
    }

    private static bool Matters(Change change) => change.Kind == ChangeKind.Deleted
        || change.Before.Condition("Ready").Text("status") != change.Object.Condition("Ready").Text("status")
        || !JsonNode.DeepEquals(change.Before.At("metadata", "labels"), change.Object.At("metadata", "labels"));

    private static TimeSpan? Sooner(TimeSpan? one, TimeSpan? other) => one is null || (other is not null && other < one) ? other : one;

    private static (bool MayRemediate, string Phase, string Reason) Phase(JsonObject check, int observed, int healthy)
    {
        if (check.Texts("spec", "pauseRequests").Any())
        {
            return (false, "Paused", "NHC is paused: " + string.Join(",", check.Texts("spec", "pauseRequests")));
        }

        var needed = Workloads.Scaled(check.At("spec", "minHealthy") ?? "51%", observed, roundUp: true);
        return healthy < needed
            ? (false, "Enabled", $"NHC is enabled, but remediation is skipped: {healthy} of {observed} nodes are healthy, {needed} are needed")
            : (true, "Enabled", "NHC is enabled, no ongoing remediation");
    }

    private TimeSpan? StartFor(JsonObject check, IEnumerable<JsonObject> ill)
    {
        TimeSpan? again = null;
        foreach (var node in ill.Where(each => each.Label("remediation.medik8s.io/exclude-from-remediation") != "true"))
        {
            again = Sooner(again, Start(check, node));
        }

        return again;
    }

    private TimeSpan? Start(JsonObject check, JsonObject node)
    {
        if (Remediation(check) is not { } wanted || cluster.Store.Get(wanted.Type, wanted.Namespace, node.NameOf()) is not null)
        {
            return null;
        }

        if (!NodeLease.TryTake(cluster, node.NameOf(), Holder(check)))
        {
            return NodeLease.Retry;
        }

        cluster.Store.Create(wanted.Type, new JsonObject
        {
            ["apiVersion"] = wanted.Type.ApiVersion,
            ["kind"] = wanted.Type.Kind,
            ["metadata"] = new JsonObject
            {
                ["name"] = node.NameOf(),
                ["namespace"] = wanted.Namespace,
                ["annotations"] = new JsonObject { ["remediation.medik8s.io/node-name"] = node.NameOf() },
                ["ownerReferences"] = new JsonArray(Fields.OwnerReference(check, HardwareTypes.NodeHealthChecks)),
            },
            ["spec"] = wanted.Spec,
        });
        cluster.Events.Normal(
            HardwareTypes.NodeHealthChecks, check, "RemediationCreated", $"Created remediation object for node {node.NameOf()}", Component);
        return null;
    }

    private void EndOf(JsonObject check, IEnumerable<JsonObject> healthy)
    {
        if (Remediation(check) is not { } wanted)
        {
            return;
        }

        foreach (var node in healthy)
        {
            if (cluster.Store.Get(wanted.Type, wanted.Namespace, node.NameOf()) is { } remediation && remediation.IsControlledBy(check.UidOf()))
            {
                cluster.Delete(wanted.Type, remediation);
                NodeLease.Release(cluster, node.NameOf(), Holder(check));
            }
        }
    }

    private static string Holder(JsonObject check) => $"NodeHealthCheck-{check.NameOf()}";

    // The remediation is of the template's kind without "Template", beside the template.
    private (ResourceType Type, string Namespace, JsonNode? Spec)? Remediation(JsonObject check)
    {
        var reference = check.Object("spec", "remediationTemplate");
        var kind = reference.Text("kind") ?? string.Empty;
        var types = cluster.Store.Types.Where(type => type.ApiVersion == reference.Text("apiVersion")).ToList();
        if (types.Find(type => type.Kind == kind) is not { } templates
            || types.Find(type => type.Kind + "Template" == kind) is not { } type
            || reference.Text("namespace") is not { } space
            || cluster.Store.Get(templates, space, reference.Text("name") ?? string.Empty) is not { } template)
        {
            return null;
        }

        return (type, space, template.At("spec", "template", "spec").CopyNode());
    }

    private void WriteStatus(JsonObject check, int observed, int healthy, string phase, string reason)
    {
        var inFlight = new JsonObject();
        if (Remediation(check) is { } wanted)
        {
            foreach (var remediation in cluster.Store.OwnedBy(wanted.Type, check.UidOf()))
            {
                inFlight[remediation.NameOf()] = remediation.Text("metadata", "creationTimestamp");
            }
        }

        cluster.Change(HardwareTypes.NodeHealthChecks, check, current =>
        {
            var status = current.Ensure("status");
            status["observedNodes"] = observed;
            status["healthyNodes"] = healthy;
            status["phase"] = inFlight.Count > 0 && phase == "Enabled" ? "Remediating" : phase;
            status["reason"] = inFlight.Count > 0 && phase == "Enabled" ? $"NHC is remediating {inFlight.Count} nodes" : reason;
            status.Set(inFlight.Count > 0 ? inFlight : null, "inFlightRemediations");
        });
    }
}
