using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>What the scheduler needs of a node and the unfinished pods on it, read once until one of them changes.</summary>
internal sealed class NodeLoad
{
    private readonly Dictionary<string, int> _byOwner = [];

    public NodeLoad(JsonObject node, IEnumerable<JsonObject> pods)
    {
        MostPods = Resources.Allocatable(node, "pods");
        AllCpu = Resources.Allocatable(node, "cpu");
        AllMemory = Resources.Allocatable(node, "memory");
        foreach (var pod in pods.Where(each => !each.IsFinished()))
        {
            Pods++;
            Cpu += Resources.Requested(pod, "cpu");
            Memory += Resources.Requested(pod, "memory");
            Present.Add(pod);
            if (pod.At("spec", "affinity", "podAntiAffinity") is not null)
            {
                Repelling.Add(pod);
            }

            if (pod.Controller().Text("uid") is { } owner)
            {
                _byOwner[owner] = _byOwner.GetValueOrDefault(owner) + 1;
            }
        }
    }

    /// <summary>How many pods the node takes; 0: it does not say.</summary>
    public decimal MostPods { get; }

    public decimal AllCpu { get; }

    public decimal AllMemory { get; }

    public int Pods { get; }

    public decimal Cpu { get; }

    public decimal Memory { get; }

    public List<JsonObject> Present { get; } = [];

    /// <summary>Those with an anti-affinity of their own.</summary>
    public List<JsonObject> Repelling { get; } = [];

    public int OfSameOwner(JsonObject pod) => pod.Controller().Text("uid") is { } owner ? _byOwner.GetValueOrDefault(owner) : 0;
}
