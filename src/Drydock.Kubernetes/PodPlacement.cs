namespace Drydock.Kubernetes;

/// <summary>Which nodes a pod may be placed on, as the scheduler's filters read it: by the nodes themselves and by the pods on them.</summary>
public sealed record PodPlacement
{
    private static readonly NodeTaint Cordon = new("node.kubernetes.io/unschedulable", null, "NoSchedule");

    /// <summary>Asks for nothing and tolerates nothing.</summary>
    public static PodPlacement Anywhere { get; } = new();

    /// <summary><c>spec.nodeSelector</c>.</summary>
    public IReadOnlyDictionary<string, string> NodeSelector { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>
    /// The terms of <c>spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution</c>, one of which must match; null without them.
    /// </summary>
    public IReadOnlyList<NodeSelectorTerm>? RequiredAffinity { get; init; }

    /// <summary><c>spec.tolerations</c>.</summary>
    public IReadOnlyList<Toleration> Tolerations { get; init; } = [];

    /// <summary>The ports of its node that its containers take.</summary>
    public IReadOnlyList<HostPort> HostPorts { get; init; } = [];

    /// <summary>Required affinity to other pods: all terms must be met.</summary>
    public IReadOnlyList<PodAffinityTerm> Affinity { get; init; } = [];

    /// <summary>Required anti-affinity to other pods; it holds in both directions.</summary>
    public IReadOnlyList<PodAffinityTerm> AntiAffinity { get; init; } = [];

    /// <summary>How its like must be spread.</summary>
    public IReadOnlyList<SpreadConstraint> Spread { get; init; } = [];

    /// <summary>Whether a cordon keeps it from the node.</summary>
    public bool IsKeptOffByCordon(NodeSnapshot node) => node.Unschedulable && !Tolerates(Cordon);

    /// <summary>The first taint of effect NoSchedule or NoExecute that it does not tolerate, or null.</summary>
    public NodeTaint? FirstUntolerated(NodeSnapshot node) =>
        node.Taints.FirstOrDefault(taint => taint.Effect is "NoSchedule" or "NoExecute" && !Tolerates(taint));

    /// <summary>Whether its node selector and its required node affinity match the node.</summary>
    public bool Selects(NodeSnapshot node) =>
        NodeSelector.All(pair => node.Labels.TryGetValue(pair.Key, out var value) && value == pair.Value)
        && RequiredAffinity?.Any(term => term.Matches(node)) != false;

    private bool Tolerates(NodeTaint taint) => Tolerations.Any(toleration => toleration.Tolerates(taint));
}

/// <summary>One toleration of a pod.</summary>
/// <param name="Key">The taint's key; null with operator Exists: every taint.</param>
/// <param name="Operator">Exists, or Equal.</param>
/// <param name="Value">For Equal.</param>
/// <param name="Effect">The taint's effect; null: every effect.</param>
public sealed record Toleration(string? Key, string Operator, string? Value, string? Effect)
{
    /// <summary>Whether it tolerates the taint.</summary>
    public bool Tolerates(NodeTaint taint) =>
        (string.IsNullOrEmpty(Effect) || Effect == taint.Effect)
        && (string.IsNullOrEmpty(Key)
            ? Operator == "Exists"
            : Key == taint.Key && (Operator == "Exists" || (Value ?? "") == (taint.Value ?? "")));
}

/// <summary>A term of a node affinity: all its expressions must match. A term without any matches no node.</summary>
/// <param name="Labels"><c>matchExpressions</c>.</param>
/// <param name="Fields"><c>matchFields</c>, of which Kubernetes knows <c>metadata.name</c>.</param>
public sealed record NodeSelectorTerm(IReadOnlyList<LabelRequirement> Labels, IReadOnlyList<LabelRequirement> Fields)
{
    /// <summary>Whether the node satisfies it.</summary>
    public bool Matches(NodeSnapshot node) =>
        Labels.Count + Fields.Count > 0
        && Labels.All(each => Matches(each, node.Labels))
        && Fields.All(each => Matches(each, new Dictionary<string, string>(StringComparer.Ordinal) { ["metadata.name"] = node.Name }));

    // Node selectors know two operators more than label selectors: Gt and Lt compare whole numbers.
    private static bool Matches(LabelRequirement requirement, IReadOnlyDictionary<string, string> labels) => requirement.Operator is "Gt" or "Lt"
        ? labels.TryGetValue(requirement.Key, out var text) && long.TryParse(text, out var value)
            && requirement.Values is [var limit] && long.TryParse(limit, out var bound)
            && (requirement.Operator == "Gt" ? value > bound : value < bound)
        : requirement.Matches(labels);
}
