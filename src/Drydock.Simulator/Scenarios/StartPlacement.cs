using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>Where the first pods of a scenario's workloads and virtual machines start.</summary>
internal sealed class StartPlacement(Scenario scenario)
{
    private readonly Dictionary<string, Queue<string>> _nodes = Queues(scenario);

    /// <summary>The node the scenario wants for this pod, or null if it does not care.</summary>
    public string? NodeFor(JsonObject pod)
    {
        var name = pod.Label("vm.kubevirt.io/name") is { } machine ? $"vm {machine}" : pod.Label("app");
        if (!_nodes.TryGetValue($"{pod.NamespaceOf()}/{name}", out var queue))
        {
            return null;
        }

        var node = queue.Dequeue();
        queue.Enqueue(node);
        return node;
    }

    private static Dictionary<string, Queue<string>> Queues(Scenario scenario)
    {
        var workloads = scenario.Workloads.Where(each => each.On.Count > 0)
            .Select(each => ($"{each.Namespace}/{each.Name}", each.On));
        var machines = scenario.VirtualMachines.Where(each => each.On is not null)
            .Select(each => ($"{each.Namespace}/vm {each.Name}", (IReadOnlyList<string>)[each.On!]));
        return workloads.Concat(machines).ToDictionary(each => each.Item1, each => new Queue<string>(each.Item2));
    }
}
