using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>What the scheduler needs of a node and the unfinished pods on it: read once, then kept up to date as pods come and go.</summary>
internal sealed class NodeLoad
{
    private readonly Dictionary<string, Weight> _pods = [];
    private readonly Dictionary<string, JsonObject> _repelling = [];
    private readonly Dictionary<string, int> _byOwner = [];

    public NodeLoad(JsonObject node, IEnumerable<JsonObject> pods)
    {
        MostPods = Resources.Allocatable(node, "pods");
        AllCpu = Resources.Allocatable(node, "cpu");
        AllMemory = Resources.Allocatable(node, "memory");
        IsOpen = !node.Flag("spec", "unschedulable") && !node.Objects("spec", "taints").Any();
        foreach (var pod in pods.Where(each => !each.IsFinished()))
        {
            Add(pod);
        }
    }

    /// <summary>How many pods the node takes; 0: it does not say.</summary>
    public decimal MostPods { get; }

    public decimal AllCpu { get; }

    public decimal AllMemory { get; }

    /// <summary>Whether the node is neither cordoned nor tainted.</summary>
    public bool IsOpen { get; }

    public int Pods => _pods.Count;

    public decimal Cpu { get; private set; }

    public decimal Memory { get; private set; }

    /// <summary>The pods with an anti-affinity of their own.</summary>
    public IEnumerable<JsonObject> Repelling => _repelling.Values;

    public int OfSameOwner(PodNeeds needs) => needs.Owner is { } owner ? _byOwner.GetValueOrDefault(owner) : 0;

    /// <summary>Counts a pod, once.</summary>
    public void Add(JsonObject pod)
    {
        var weight = new Weight(Resources.Requested(pod, "cpu"), Resources.Requested(pod, "memory"), pod.Controller().Text("uid"));
        if (!_pods.TryAdd(pod.UidOf(), weight))
        {
            return;
        }

        Count(weight, 1);
        if (AntiAffinity.TermsOf(pod).Any())
        {
            _repelling[pod.UidOf()] = pod;
        }
    }

    /// <summary>Counts a pod no more.</summary>
    public void Remove(string uid)
    {
        if (_pods.Remove(uid, out var weight))
        {
            Count(weight, -1);
            _repelling.Remove(uid);
        }
    }

    private void Count(Weight weight, int sign)
    {
        Cpu += sign * weight.Cpu;
        Memory += sign * weight.Memory;
        if (weight.Owner is { } owner)
        {
            _byOwner[owner] = _byOwner.GetValueOrDefault(owner) + sign;
            if (_byOwner[owner] == 0)
            {
                _byOwner.Remove(owner);
            }
        }
    }

    private readonly record struct Weight(decimal Cpu, decimal Memory, string? Owner);
}
