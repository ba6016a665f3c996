namespace Drydock.Kubernetes;

/// <summary>A port of its node that a pod takes.</summary>
/// <param name="Ip">The address; <c>0.0.0.0</c>: all of them.</param>
/// <param name="Protocol">TCP, UDP or SCTP.</param>
/// <param name="Port">The port.</param>
public sealed record HostPort(string Ip, string Protocol, int Port)
{
    private const string All = "0.0.0.0";

    /// <summary>Whether both cannot be on one node (filter NodePorts).</summary>
    public bool CollidesWith(HostPort other) =>
        Port == other.Port && Protocol == other.Protocol && (Ip == other.Ip || Ip == All || other.Ip == All);
}

/// <summary>Where the volume of a claim can be used: <c>spec.nodeAffinity.required</c> of its PersistentVolume (filter VolumeBinding).</summary>
/// <param name="Claim">The claim.</param>
/// <param name="Terms">One of them must match the node.</param>
public sealed record VolumePlace(ObjectRef Claim, IReadOnlyList<NodeSelectorTerm> Terms);

/// <summary>One required term of a pod's affinity or anti-affinity to other pods (filter InterPodAffinity).</summary>
/// <param name="TopologyKey">The label of nodes whose equal values make one domain.</param>
/// <param name="Selector">Which pods; null: none.</param>
public sealed record PodAffinityTerm(string TopologyKey, LabelSelector? Selector)
{
    // Every namespace carries its name as this label.
    private const string NamespaceName = "kubernetes.io/metadata.name";

    /// <summary>Of these namespaces besides those that <see cref="NamespaceSelector"/> selects; without both, of the pod's own.</summary>
    public IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>Of the namespaces with these labels; null: none.</summary>
    public LabelSelector? NamespaceSelector { get; init; }

    /// <summary>Its namespaces can be told by their names: a selector by other labels would need the namespaces themselves.</summary>
    public bool IsDecidable => NamespaceSelector is not { } selector
        || (selector.MatchLabels.Keys.All(key => key == NamespaceName) && selector.MatchExpressions.All(each => each.Key == NamespaceName));

    /// <summary>Whether it speaks of that pod.</summary>
    /// <param name="ownNamespace">The namespace of the pod that carries the term.</param>
    /// <param name="other">The other pod.</param>
    public bool Matches(string ownNamespace, PodSnapshot other) =>
        Selector?.Matches(other.Labels) == true
        && (Namespaces.Count == 0 && NamespaceSelector is null
            ? other.Ref.Namespace == ownNamespace
            : Namespaces.Contains(other.Ref.Namespace) || NamespaceSelector?.Matches(
                new Dictionary<string, string>(StringComparer.Ordinal) { [NamespaceName] = other.Ref.Namespace }) == true);
}

/// <summary>One constraint of <c>spec.topologySpreadConstraints</c> with <c>whenUnsatisfiable: DoNotSchedule</c> (filter PodTopologySpread).</summary>
/// <param name="TopologyKey">The label of nodes whose equal values make one domain.</param>
/// <param name="MaxSkew">How many more pods than the emptiest domain one may have.</param>
/// <param name="Selector">Which pods of the pod's namespace are counted, <c>matchLabelKeys</c> included; null: none.</param>
public sealed record SpreadConstraint(string TopologyKey, int MaxSkew, LabelSelector? Selector)
{
    /// <summary>With fewer domains than that the emptiest is taken to have none.</summary>
    public int MinDomains { get; init; } = 1;

    /// <summary>Only nodes that the pod's node selector and affinity match are counted (<c>nodeAffinityPolicy</c>, Honor by default).</summary>
    public bool HonorsAffinity { get; init; } = true;

    /// <summary>Only nodes whose taints the pod tolerates are counted (<c>nodeTaintsPolicy</c>, Ignore by default: a cordoned node counts).</summary>
    public bool HonorsTaints { get; init; }
}
