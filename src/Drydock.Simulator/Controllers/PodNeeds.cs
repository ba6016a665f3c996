using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>What a pod asks of nodes, read once for all of them.</summary>
internal sealed class PodNeeds
{
    private readonly HashSet<(string Key, string Value)> _avoided = [];
    private readonly HashSet<(string Key, string Value)> _kept = [];

    /// <summary>Reads what a pod asks of nodes now.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="wide">The pods of the cluster with an anti-affinity wider than a node.</param>
    /// <param name="cluster">Where the other pods and the nodes are.</param>
    public PodNeeds(JsonObject pod, IEnumerable<JsonObject> wide, ClusterContext cluster)
    {
        Pod = pod;
        Owner = pod.Controller().Text("uid");
        IsPicky = pod.Object("spec", "nodeSelector") is { Count: > 0 } || pod.At("spec", "affinity", "nodeAffinity") is not null;
        Cpu = Resources.Requested(pod, "cpu");
        Memory = Resources.Requested(pod, "memory");
        Repels = AntiAffinity.TermsOf(pod).Any();
        foreach (var term in AntiAffinity.WideTermsOf(pod))
        {
            foreach (var other in cluster.Store.List(ResourceTypes.Pods, pod.NamespaceOf()).Where(each => !each.IsFinished() && AntiAffinity.Matches(term, each)))
            {
                Add(_avoided, term, other, cluster);
            }
        }

        foreach (var other in wide.Where(each => each.NamespaceOf() == pod.NamespaceOf()))
        {
            foreach (var term in AntiAffinity.WideTermsOf(other).Where(each => AntiAffinity.Matches(each, pod)))
            {
                Add(_kept, term, other, cluster);
            }
        }
    }

    public JsonObject Pod { get; }

    /// <summary>The uid of its controller.</summary>
    public string? Owner { get; }

    /// <summary>Whether it says which nodes it wants.</summary>
    public bool IsPicky { get; }

    public decimal Cpu { get; }

    public decimal Memory { get; }

    /// <summary>Whether it has an anti-affinity of its own.</summary>
    public bool Repels { get; }

    /// <summary>Whether its own rules keep it from the zone, or other topology, of a node.</summary>
    public bool AvoidsTopology(StoredObject node) => IsIn(_avoided, node);

    /// <summary>Whether rules of pods that run keep it from there.</summary>
    public bool IsKeptFrom(StoredObject node) => IsIn(_kept, node);

    private static bool IsIn(HashSet<(string Key, string Value)> topologies, StoredObject node) =>
        topologies.Count > 0 && topologies.Any(each => node.Tree.Label(each.Key) == each.Value);

    private static void Add(HashSet<(string Key, string Value)> topologies, JsonObject term, JsonObject other, ClusterContext cluster)
    {
        if (term.Text("topologyKey") is { } key && other.Node() is { } name
            && cluster.Store.Get(ResourceTypes.Nodes, null, name) is { } node && node.Label(key) is { } value)
        {
            topologies.Add((key, value));
        }
    }
}
