using System.Text.Json;

namespace Drydock.Kubernetes.Reading;

/// <summary>What a pod asks of the node it is placed on.</summary>
internal static class Placements
{
    public static PodPlacement From(JsonElement pod)
    {
        var spec = pod.At("spec");
        var affinity = spec.At("affinity");
        return new PodPlacement
        {
            NodeSelector = spec.Map("nodeSelector"),
            RequiredAffinity = NodeTerms(affinity.At("nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")),
            Tolerations =
            [
                .. spec.At("tolerations").Items().Select(each => new Toleration(
                    each.Text("key"), each.Text("operator") ?? "Equal", each.Text("value"), each.Text("effect"))),
            ],
            HostPorts = HostPorts(spec),
            Affinity = PodTerms(affinity.At("podAffinity")),
            AntiAffinity = PodTerms(affinity.At("podAntiAffinity")),
            Spread =
            [
                .. spec.At("topologySpreadConstraints").Items().Where(each => each.Text("whenUnsatisfiable") != "ScheduleAnyway")
                    .Select(each => Spread(each, pod.Map("metadata", "labels"))),
            ],
        };
    }

    /// <summary>The terms of a node selector, one of which must match; null without one.</summary>
    public static IReadOnlyList<NodeSelectorTerm>? NodeTerms(JsonElement selector) => selector.ValueKind == JsonValueKind.Object
        ? [.. selector.At("nodeSelectorTerms").Items().Select(term => new NodeSelectorTerm(
            SelectorReading.Requirements(term.At("matchExpressions")), SelectorReading.Requirements(term.At("matchFields"))))]
        : null;

    // Of init containers only the sidecars go on running beside the others (restartPolicy: Always).
    private static IReadOnlyList<HostPort> HostPorts(JsonElement spec) =>
    [
        .. spec.At("containers").Items().Concat(spec.At("initContainers").Items().Where(container => container.Text("restartPolicy") == "Always"))
            .SelectMany(container => container.At("ports").Items())
            .Where(port => port.Number("hostPort") > 0)
            .Select(port => new HostPort(
                port.Text("hostIP") is { Length: > 0 } ip ? ip : "0.0.0.0", port.Text("protocol") ?? "TCP", port.Number("hostPort")!.Value)),
    ];

    private static IReadOnlyList<PodAffinityTerm> PodTerms(JsonElement affinity) =>
    [
        .. affinity.At("requiredDuringSchedulingIgnoredDuringExecution").Items().Select(term => new PodAffinityTerm(
            term.Text("topologyKey") ?? "", Selector(term.At("labelSelector")))
        {
            Namespaces = term.Texts("namespaces"),
            NamespaceSelector = Selector(term.At("namespaceSelector")),
        }),
    ];

    // The keys of matchLabelKeys stand for the pod's own values; newer API servers have written them into the selector already.
    private static SpreadConstraint Spread(JsonElement constraint, IReadOnlyDictionary<string, string> labels)
    {
        var own = constraint.Texts("matchLabelKeys").Where(labels.ContainsKey).Select(key => new LabelRequirement(key, "In", [labels[key]])).ToList();
        var selector = Selector(constraint.At("labelSelector"));
        return new SpreadConstraint(
            constraint.Text("topologyKey") ?? "",
            constraint.Number("maxSkew") ?? 1,
            selector is null || own.Count == 0 ? selector : selector with { MatchExpressions = [.. selector.MatchExpressions, .. own] })
        {
            MinDomains = constraint.Number("minDomains") ?? 1,
            HonorsAffinity = constraint.Text("nodeAffinityPolicy") != "Ignore",
            HonorsTaints = constraint.Text("nodeTaintsPolicy") == "Honor",
        };
    }

    private static LabelSelector? Selector(JsonElement selector) => selector.ValueKind == JsonValueKind.Object ? SelectorReading.From(selector) : null;
}

/// <summary>Where the volumes of claims can be used.</summary>
internal static class VolumePlaces
{
    /// <summary>The claim that a PersistentVolume is bound to, and the nodes it says it can be used on; null if it says nothing of that.</summary>
    public static VolumePlace? From(JsonElement volume) =>
        volume.Text("spec", "claimRef", "name") is { } claim
        && Placements.NodeTerms(volume.At("spec", "nodeAffinity", "required")) is { } terms
            ? new(new ObjectRef(volume.Text("spec", "claimRef", "namespace") ?? "", claim), terms)
            : null;
}
