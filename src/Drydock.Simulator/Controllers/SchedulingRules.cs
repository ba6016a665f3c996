using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Why a node cannot take a pod, in the scheduler's words; whether evicting other pods could help.</summary>
internal sealed record Misfit(string Reason, bool PreemptionMayHelp);

/// <summary>The rules of the scheduler in the order of its filters; the first that a node breaks is its reason.</summary>
internal static class SchedulingRules
{
    private static readonly Misfit Unschedulable = new("node(s) were unschedulable", false);
    private static readonly Misfit Tainted = new("node(s) had untolerated taint(s)", false);
    private static readonly Misfit WrongNode = new("node(s) didn't match Pod's node affinity/selector", false);
    private static readonly Misfit TooManyPods = new("Too many pods", true);
    private static readonly Misfit AntiAffinity = new("node(s) didn't match pod anti-affinity rules", true);
    private static readonly Misfit ExistingAntiAffinity = new("node(s) didn't satisfy existing pods anti-affinity rules", true);

    /// <summary>Null if the node can take the pod.</summary>
    public static Misfit? Check(JsonObject pod, JsonObject node, NodeLoad load) =>
        CheckNode(pod, node) ?? CheckResources(pod, node, load) ?? CheckNeighbours(pod, load);

    public static bool Tolerates(JsonObject toleration, JsonObject taint) =>
        (toleration.Text("effect") is not { Length: > 0 } effect || effect == taint.Text("effect"))
        && (toleration.Text("key") is not { Length: > 0 } key
            ? toleration.Text("operator") == "Exists"
            : key == taint.Text("key")
                && (toleration.Text("operator") == "Exists" || (toleration.Text("value") ?? string.Empty) == (taint.Text("value") ?? string.Empty)));

    /// <summary>Whether the pod may be on the node at all; what a DaemonSet asks too.</summary>
    public static Misfit? CheckNode(JsonObject pod, JsonObject node)
    {
        if (node.Flag("spec", "unschedulable") && !ToleratesAll(pod, [UnschedulableTaint()]))
        {
            return Unschedulable;
        }

        if (!ToleratesAll(pod, node.Objects("spec", "taints").Where(taint => taint.Text("effect") is "NoSchedule" or "NoExecute")))
        {
            return Tainted;
        }

        return Selectors.MatchesLabels(pod.Object("spec", "nodeSelector"), node.Object("metadata", "labels"))
            && Selectors.MatchesNode(pod.At("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"), node)
                ? null
                : WrongNode;
    }

    private static JsonObject UnschedulableTaint() => new() { ["key"] = "node.kubernetes.io/unschedulable", ["effect"] = "NoSchedule" };

    private static bool ToleratesAll(JsonObject pod, IEnumerable<JsonObject> taints) =>
        taints.All(taint => pod.Objects("spec", "tolerations").Any(each => Tolerates(each, taint)));

    private static Misfit? CheckResources(JsonObject pod, JsonObject node, NodeLoad load)
    {
        if (Resources.Allocatable(node, "pods") is > 0 and var most && load.Pods >= most)
        {
            return TooManyPods;
        }

        return CheckResource("cpu", load.Cpu) ?? CheckResource("memory", load.Memory);

        Misfit? CheckResource(string resource, decimal used)
        {
            var wanted = Resources.Requested(pod, resource);
            var total = Resources.Allocatable(node, resource);
            return wanted > 0 && wanted + used > total ? new($"Insufficient {resource}", PreemptionMayHelp: wanted <= total) : null;
        }
    }

    private static Misfit? CheckNeighbours(JsonObject pod, NodeLoad load)
    {
        if (pod.At("spec", "affinity", "podAntiAffinity") is not null && load.Present.Exists(each => Repels(pod, each)))
        {
            return AntiAffinity;
        }

        return load.Repelling.Exists(each => Repels(each, pod)) ? ExistingAntiAffinity : null;
    }

    // Required anti-affinity by host name; other topologies are not simulated.
    private static bool Repels(JsonObject one, JsonObject other) =>
        one.NamespaceOf() == other.NamespaceOf()
        && one.Objects("spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution").Any(term =>
            term.Text("topologyKey") == "kubernetes.io/hostname"
            && Selectors.Matches(term.At("labelSelector"), other.Object("metadata", "labels")));
}
