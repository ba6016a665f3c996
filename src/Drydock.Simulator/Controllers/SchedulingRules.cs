using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Why a node cannot take a pod, in the scheduler's words; whether evicting other pods could help.</summary>
/// <param name="Reasons">One, or several resources that are insufficient.</param>
/// <param name="PreemptionMayHelp">Whether it could.</param>
internal sealed record Misfit(IReadOnlyList<string> Reasons, bool PreemptionMayHelp)
{
    public Misfit(string reason, bool preemptionMayHelp)
        : this([reason], preemptionMayHelp)
    {
    }
}

/// <summary>The rules of the scheduler in the order of its filters; the first that a node breaks is its reason.</summary>
internal static class SchedulingRules
{
    private static readonly Misfit Unschedulable = new("node(s) were unschedulable", false);
    private static readonly Misfit Tainted = new("node(s) had untolerated taint(s)", false);
    private static readonly Misfit WrongNode = new("node(s) didn't match Pod's node affinity/selector", false);
    private static readonly Misfit TooManyPods = new("Too many pods", true);
    private static readonly Misfit RepelledByOwnRules = new("node(s) didn't match pod anti-affinity rules", true);
    private static readonly Misfit RepelledByOthers = new("node(s) didn't satisfy existing pods anti-affinity rules", true);

    /// <summary>Null if the node can take the pod.</summary>
    public static Misfit? Check(PodNeeds needs, StoredObject node, NodeLoad load, Func<string, IEnumerable<JsonObject>> podsOn) =>
        (load.IsOpen && !needs.IsPicky ? null : CheckNode(needs.Pod, node.Tree))
        ?? CheckResources(needs, load) ?? CheckNeighbours(needs, node, load, podsOn);

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

    private static Misfit? CheckResources(PodNeeds needs, NodeLoad load)
    {
        if (load.MostPods > 0 && load.Pods >= load.MostPods)
        {
            return TooManyPods;
        }

        var cpu = IsShort(needs.Cpu, load.Cpu, load.AllCpu);
        var memory = IsShort(needs.Memory, load.Memory, load.AllMemory);
        if (!cpu && !memory)
        {
            return null;
        }

        string[] reasons = [.. cpu ? ["Insufficient cpu"] : (string[])[], .. memory ? ["Insufficient memory"] : (string[])[]];
        return new(reasons, PreemptionMayHelp: needs.Cpu <= load.AllCpu && needs.Memory <= load.AllMemory);
    }

    private static bool IsShort(decimal wanted, decimal used, decimal total) => wanted > 0 && wanted + used > total;

    private static Misfit? CheckNeighbours(PodNeeds needs, StoredObject node, NodeLoad load, Func<string, IEnumerable<JsonObject>> podsOn)
    {
        if (needs.Repels && (needs.AvoidsTopology(node)
            || podsOn(node.Name).Any(each => !each.IsFinished() && AntiAffinity.Repels(needs.Pod, each, AntiAffinity.HostName))))
        {
            return RepelledByOwnRules;
        }

        return needs.IsKeptFrom(node) || load.Repelling.Any(each => AntiAffinity.Repels(each, needs.Pod, AntiAffinity.HostName))
            ? RepelledByOthers
            : null;
    }
}
