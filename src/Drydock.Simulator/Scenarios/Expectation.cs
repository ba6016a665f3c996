namespace Drydock.Simulator.Scenarios;

/// <summary>How the maintenance should end, seen from the cluster.</summary>
public sealed record Expectation
{
    /// <summary>The outcome the maintenance should report; only for whoever reads that report.</summary>
    public string? Outcome { get; init; }

    /// <summary>How long it may take.</summary>
    public TimeSpan Within { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Whether the maintained node takes pods again.</summary>
    public bool Schedulable { get; init; } = true;

    /// <summary>Whether the maintained node is ready.</summary>
    public bool Ready { get; init; } = true;

    /// <summary>How many of the pods that were on the node at the start, those of DaemonSets apart, have left it; null: all of them.</summary>
    public int? PodsOff { get; init; }

    /// <summary>What became of each virtual machine, by NAMESPACE/NAME.</summary>
    public IReadOnlyDictionary<string, VirtualMachineEnd> VirtualMachines { get; init; } = new Dictionary<string, VirtualMachineEnd>();
}

/// <summary>What became of a virtual machine.</summary>
public enum VirtualMachineEnd
{
    /// <summary>The same VMI runs on another node: it never stopped.</summary>
    Migrated,

    /// <summary>Another VMI runs on another node, with the run strategy of before.</summary>
    Restarted,

    /// <summary>Another VMI runs, with the run strategy of before, wherever it is.</summary>
    Restored,

    /// <summary>No VMI runs.</summary>
    Down,

    /// <summary>The same VMI runs on the same node.</summary>
    Untouched,
}
