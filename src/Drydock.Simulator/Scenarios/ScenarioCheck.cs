using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>One statement about the end of a scenario.</summary>
/// <param name="Statement">What should be true.</param>
/// <param name="Ok">Whether it is.</param>
/// <param name="Saw">What the cluster shows.</param>
public sealed record CheckResult(string Statement, bool Ok, string Saw);

/// <summary>Compares a cluster with the end its scenario expects. It looks only at objects, never at what anybody reports.</summary>
internal static class ScenarioCheck
{
    public static IReadOnlyList<CheckResult> Run(Scenario scenario, Snapshot start, IObjectStore store)
    {
        var results = new List<CheckResult>();
        if (scenario.Maintain is { } name)
        {
            CheckNode(scenario.Expect, name, store, results);
            results.Add(CheckPods(scenario.Expect, name, start, store));
        }

        results.AddRange(scenario.Expect.VirtualMachines.Select(each => CheckMachine(each.Key, each.Value, start.Machines[each.Key], store)));
        return results;
    }

    private static void CheckNode(Expectation expect, string name, IObjectStore store, List<CheckResult> results)
    {
        var node = store.Get(ResourceTypes.Nodes, null, name);
        var schedulable = node is not null && !node.Flag("spec", "unschedulable");
        results.Add(new(
            $"node {name} {(expect.Schedulable ? "takes pods again" : "stays cordoned")}",
            schedulable == expect.Schedulable,
            node is null ? "no such node" : schedulable ? "schedulable" : "cordoned"));
        var ready = node.Condition("Ready").Text("status") ?? "not reported";
        results.Add(new($"node {name} is {(expect.Ready ? "ready" : "not ready")}", ready == "True" == expect.Ready, $"Ready: {ready}"));
    }

    private static CheckResult CheckPods(Expectation expect, string node, Snapshot start, IObjectStore store)
    {
        var before = start.PodsByNode[node];
        var still = store.PodsOnNode(node).Where(pod => !pod.IsFinished()).Select(pod => pod.UidOf()).ToHashSet();
        var off = before.Count(uid => !still.Contains(uid));
        var wanted = expect.PodsOff ?? before.Count;
        return new($"{wanted} of the {before.Count} pods that were on {node} have left it", off == wanted, $"{off} have");
    }

    private static CheckResult CheckMachine(string name, VirtualMachineEnd end, MachineAtStart start, IObjectStore store)
    {
        var (space, own) = (name.Split('/')[0], name.Split('/')[1]);
        var machine = store.Get(KubeVirtTypes.VirtualMachines, space, own);
        var instance = store.Get(KubeVirtTypes.Instances, space, own);
        var strategy = machine is null ? "no such VM" : RunStrategies.Of(machine);
        var runs = instance.Text("status", "phase") == "Running" && !instance.IsDeleting();
        var same = instance?.UidOf() == start.InstanceUid;
        var moved = instance.Text("status", "nodeName") != start.Node;
        var kept = strategy == start.RunStrategy;
        var ok = end switch
        {
            VirtualMachineEnd.Migrated => runs && same && moved && kept,
            VirtualMachineEnd.Restarted => runs && !same && moved && kept,
            VirtualMachineEnd.Restored => runs && !same && kept,
            VirtualMachineEnd.Down => !runs,
            VirtualMachineEnd.Untouched => runs && same && !moved && kept,
            _ => throw new NotSupportedException($"No check for {end}."),
        };
        return new($"VM {name} {Words(end)}", ok, Describe(instance, same, strategy, start));
    }

    private static string Words(VirtualMachineEnd end) => end switch
    {
        VirtualMachineEnd.Migrated => "was migrated without a stop",
        VirtualMachineEnd.Restarted => "was restarted on another node",
        VirtualMachineEnd.Restored => "was stopped and runs again",
        VirtualMachineEnd.Down => "does not run",
        VirtualMachineEnd.Untouched => "was left alone",
        _ => throw new NotSupportedException($"No words for {end}."),
    };

    private static string Describe(JsonObject? instance, bool same, string strategy, MachineAtStart start) => instance is null
        ? $"no VMI, run strategy {strategy} (at the start: {start.RunStrategy} on {start.Node ?? "no node"})"
        : $"{(same ? "the same" : "another")} VMI, {instance.Text("status", "phase")} on {instance.Text("status", "nodeName") ?? "no node"}, "
            + $"run strategy {strategy} (at the start: {start.RunStrategy} on {start.Node ?? "no node"})";
}
