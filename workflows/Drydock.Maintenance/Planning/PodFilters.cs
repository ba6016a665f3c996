using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>
/// The filters of the scheduler that look at the other pods, in their order and words: PodTopologySpread and InterPodAffinity. Terms that
/// select namespaces by labels of their own are left out: the namespaces are not read.
/// </summary>
/// <param name="nodes">All nodes of the cluster: those that are drained are domains too.</param>
/// <param name="placed">The pods that stay, each with its node.</param>
internal sealed class PodFilters(IReadOnlyList<NodeSnapshot> nodes, IEnumerable<PlacedPod> placed)
{
    private readonly List<PlacedPod> _placed = [.. placed];

    /// <summary>Counts a pod from now on.</summary>
    public void Place(PodSnapshot pod, NodeSnapshot node) => _placed.Add(new PlacedPod(pod, node));

    /// <summary>For one pod that asks this: why a node does not take it, or null.</summary>
    public Func<NodeSnapshot, string?> For(PodSnapshot pod, PodPlacement asks)
    {
        List<Func<NodeSnapshot, string?>> filters =
        [
            .. asks.Spread.Select(constraint => Spread(constraint, pod, asks)),
            .. Affinity(pod, [.. asks.Affinity.Where(term => term.IsDecidable)]),
            .. asks.AntiAffinity.Where(term => term.IsDecidable).Select(term => AntiAffinity(term, pod)),
            ExistingAntiAffinity(pod),
        ];
        return node => filters.Select(filter => filter(node)).FirstOrDefault(why => why is not null);
    }

    private Func<NodeSnapshot, string?> Spread(SpreadConstraint constraint, PodSnapshot pod, PodPlacement asks)
    {
        var counted = nodes.Where(node => node.Labels.ContainsKey(constraint.TopologyKey)
            && (!constraint.HonorsAffinity || asks.Selects(node))
            && (!constraint.HonorsTaints || (!asks.IsKeptOffByCordon(node) && asks.FirstUntolerated(node) is null)));
        var names = counted.Select(node => node.Name).ToHashSet(StringComparer.Ordinal);
        var pods = nodes.Where(node => names.Contains(node.Name)).Select(node => node.Labels[constraint.TopologyKey]).Distinct(StringComparer.Ordinal)
            .ToDictionary(domain => domain, _ => 0, StringComparer.Ordinal);
        foreach (var other in _placed.Where(other => names.Contains(other.Node.Name) && other.Pod.Ref.Namespace == pod.Ref.Namespace
            && other.Pod.DeletionRequestedAt is null && constraint.Selector?.Matches(other.Pod.Labels) == true))
        {
            pods[other.Node.Labels[constraint.TopologyKey]]++;
        }

        var least = pods.Count < constraint.MinDomains ? 0 : pods.Values.DefaultIfEmpty(0).Min();
        var itself = constraint.Selector?.Matches(pod.Labels) == true ? 1 : 0;
        return node => !node.Labels.TryGetValue(constraint.TopologyKey, out var domain)
            ? "node(s) didn't match pod topology spread constraints (missing required label)"
            : pods.GetValueOrDefault(domain) + itself - least > constraint.MaxSkew ? "node(s) didn't match pod topology spread constraints"
            : null;
    }

    // A pod counts that all terms speak of. The first of a group that wants to be with its own like may go anywhere.
    private IEnumerable<Func<NodeSnapshot, string?>> Affinity(PodSnapshot pod, IReadOnlyList<PodAffinityTerm> terms)
    {
        if (terms.Count == 0)
        {
            yield break;
        }

        var friends = _placed.Where(other => terms.All(term => term.Matches(pod.Ref.Namespace, other.Pod))).ToList();
        var domains = terms.Select(term => Domains(friends, term.TopologyKey)).ToList();
        var isFirst = domains.TrueForAll(values => values.Count == 0) && terms.All(term => term.Matches(pod.Ref.Namespace, pod));
        yield return node => terms.Select((term, index) => node.Labels.TryGetValue(term.TopologyKey, out var domain) && (isFirst || domains[index].Contains(domain))).All(met => met)
            ? null
            : "node(s) didn't match pod affinity rules";
    }

    private Func<NodeSnapshot, string?> AntiAffinity(PodAffinityTerm term, PodSnapshot pod)
    {
        var taken = Domains(_placed.Where(other => term.Matches(pod.Ref.Namespace, other.Pod)), term.TopologyKey);
        return node => node.Labels.TryGetValue(term.TopologyKey, out var domain) && taken.Contains(domain) ? "node(s) didn't match pod anti-affinity rules" : null;
    }

    private Func<NodeSnapshot, string?> ExistingAntiAffinity(PodSnapshot pod)
    {
        var taken = (
            from other in _placed
            from term in other.Pod.Placement.AntiAffinity
            where term.IsDecidable && other.Node.Labels.ContainsKey(term.TopologyKey) && term.Matches(other.Pod.Ref.Namespace, pod)
            select (term.TopologyKey, other.Node.Labels[term.TopologyKey])).ToHashSet();
        return node => taken.Any(domain => node.Labels.GetValueOrDefault(domain.TopologyKey) == domain.Item2)
            ? "node(s) didn't satisfy existing pods anti-affinity rules"
            : null;
    }

    private static HashSet<string> Domains(IEnumerable<PlacedPod> pods, string topologyKey) =>
        pods.Select(pod => pod.Node.Labels.GetValueOrDefault(topologyKey)).OfType<string>().ToHashSet(StringComparer.Ordinal);
}

/// <summary>A pod and the node it is on.</summary>
internal readonly record struct PlacedPod(PodSnapshot Pod, NodeSnapshot Node);
