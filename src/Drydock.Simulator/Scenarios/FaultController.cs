using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>Begins and ends the faults of a scenario, at their times after the start, the cordon or the reboot of the maintained node.</summary>
internal sealed class FaultController(ClusterContext cluster, Machines machines, Scenario scenario) : IController
{
    private readonly Dictionary<FaultStart, DateTimeOffset> _happened = [];
    private readonly HashSet<int> _begun = [];
    private readonly HashSet<int> _ended = [];

    /// <summary>Wakes the kubelet of a node whose state was changed here.</summary>
    public Action<string>? MachineChanged { get; set; }

    /// <summary>Called when a host whose power could not be switched may try again.</summary>
    public Action<Machine>? HostChanged { get; set; }

    /// <summary>Called when a VMI that was held may go on.</summary>
    public Action<ObjectKey>? VirtualMachineFreed { get; set; }

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (!_happened.ContainsKey(FaultStart.Start) || !change.Type.Equals(ResourceTypes.Nodes) || change.Name != scenario.Maintain)
        {
            return [];
        }

        if (change.Object.Flag("spec", "unschedulable") && !change.Before.Flag("spec", "unschedulable"))
        {
            _happened.TryAdd(FaultStart.Cordon, cluster.Now);
        }

        return Keys();
    }

    /// <summary>The scenario has started: faults may begin.</summary>
    public void Begin(Action<ObjectKey> wake) => Happened(FaultStart.Start, wake);

    /// <summary>The maintained node came back from a reboot.</summary>
    public void Rebooted(string node, Action<ObjectKey> wake)
    {
        if (node == scenario.Maintain)
        {
            Happened(FaultStart.Reboot, wake);
        }
    }

    /// <summary>Whether a new VMI may not get its launcher pod yet.</summary>
    public bool HoldsPending(string? space, string name) => scenario.Faults.Index().Any(each =>
        each.Item.Kind == "vmiStaysPending" && each.Item.Target == $"{space}/{name}" && _begun.Contains(each.Index) && !_ended.Contains(each.Index));

    public TimeSpan? Reconcile(ObjectKey key)
    {
        var index = int.Parse(key.Name);
        var fault = scenario.Faults[index];
        if (!_happened.TryGetValue(fault.Since, out var since))
        {
            return null;
        }

        if (cluster.Until(since + fault.After) is { Ticks: > 0 } wait)
        {
            return wait;
        }

        if (_begun.Add(index))
        {
            Apply(fault, begins: true);
        }

        if (fault.For is not { } lasts || _ended.Contains(index))
        {
            return null;
        }

        if (cluster.Until(since + fault.After + lasts) is { Ticks: > 0 } rest)
        {
            return rest;
        }

        _ended.Add(index);
        Apply(fault, begins: false);
        return null;
    }

    private void Happened(FaultStart what, Action<ObjectKey> wake)
    {
        _happened.TryAdd(what, cluster.Now);
        foreach (var key in Keys())
        {
            wake(key);
        }
    }

    private List<ObjectKey> Keys() => [.. Enumerable.Range(0, scenario.Faults.Count).Select(index => new ObjectKey(null, index.ToString()))];

    private void Apply(FaultSpec fault, bool begins)
    {
        switch (fault.Kind)
        {
            case "budgetFrees" when begins:
                FreeBudget(Split(fault.Target));
                break;
            case "nodeNotReady":
                machines.Of(fault.Target)!.NotReadyMessage = begins
                    ? "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
                        + "message:Network plugin returns error: cni plugin not initialized"
                    : null;
                MachineChanged?.Invoke(fault.Target);
                break;
            case "kubeletDies":
                machines.Of(fault.Target)!.Dead = begins;
                MachineChanged?.Invoke(fault.Target);
                break;
            case "powerFails":
                machines.Of(fault.Target)!.PowerFailure = begins ? "power management command failed: connection to the BMC timed out" : null;
                HostChanged?.Invoke(machines.Of(fault.Target)!);
                break;
            case "vmiStaysPending" when !begins:
                VirtualMachineFreed?.Invoke(Split(fault.Target));
                break;
        }
    }

    // Somebody gives the application one more replica: the way a budget frees in real life.
    private void FreeBudget(ObjectKey key)
    {
        if (cluster.Get(ResourceTypes.PodDisruptionBudgets, key) is not { } budget)
        {
            return;
        }

        foreach (var type in (ResourceType[])[ResourceTypes.Deployments, ResourceTypes.StatefulSets])
        {
            foreach (var workload in cluster.Store.List(type, key.Namespace)
                .Where(each => Selectors.Matches(budget.At("spec", "selector"), each.Object("spec", "template", "metadata", "labels"))))
            {
                cluster.Change(type, workload, current => current.Ensure("spec")["replicas"] = current.Replicas() + 1);
            }
        }
    }

    private static ObjectKey Split(string reference) => new(reference.Split('/')[0], reference.Split('/')[1]);
}
