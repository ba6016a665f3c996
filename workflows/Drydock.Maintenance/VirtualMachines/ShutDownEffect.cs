using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>The mark of another maintenance on a virtual machine: nobody else may stop it meanwhile, since only one can know what it was before.</summary>
/// <param name="By">Who holds it.</param>
/// <param name="Node">The node whose maintenance that is, or null: its mark does not say.</param>
public sealed record VmHold(string By, string? Node)
{
    /// <summary>Kind of the blocker, and of the finding of a plan.</summary>
    internal const string Kind = "vm-held-by-other";

    /// <summary>For people.</summary>
    [JsonIgnore]
    public string Sentence => $"It carries the mark of {Holder.Describe(By)}{(Node is null ? "" : $" of node {Node}")}, and may not be marked by another.";

    /// <summary>What a person can do about it.</summary>
    [JsonIgnore]
    public string NextStep => Node is null
        ? $"See {Holder.Describe(By)} to its end; if there is none by that name, remove the annotations drydock.dev/held-by and drydock.dev/prior from the VirtualMachine."
        : $"See {Holder.Describe(By)} to its end; if it is over, put back what it left: drydock restore {Node}";

    /// <summary>The mark on it, if it is not this holder's.</summary>
    internal static VmHold? Of(VmSnapshot? vm, string? holder) =>
        vm?.Mark is { } mark && mark.HeldBy != holder ? new(mark.HeldBy, LedgerJson.Read<VmPrior>(mark.Prior)?.Node) : null;
}

/// <summary>What becomes of a virtual machine that is to be shut down.</summary>
internal enum ShutDownKind
{
    /// <summary>It is stopped, and started again after the maintenance.</summary>
    Stopped,

    /// <summary>Its instance is deleted, and its owner makes another.</summary>
    Replaced,

    /// <summary>It would be gone for good: that needs force.</summary>
    EndsForGood,

    /// <summary>It cannot be stopped, or not so that it is started again: only deleting its launcher pod ends it.</summary>
    Refused,
}

/// <summary>What shutting a virtual machine down would mean for it: the plan and the ladder say the same. Pure.</summary>
/// <param name="Kind">What becomes of it.</param>
/// <param name="WhyNot">Why it is not shut down without force, one sentence; null: it is.</param>
/// <param name="NextStep">What a person can do about that.</param>
internal sealed record ShutDownEffect(ShutDownKind Kind, string? WhyNot = null, string? NextStep = null)
{
    private const string ForGood = "It has no VirtualMachine: stopping it would delete it for good.";

    /// <summary>Kind of the blocker, where it has one of its own; else that of the reason to shut it down.</summary>
    public string? Blocker { get; private init; }

    /// <summary>Of a machine as it was read.</summary>
    public static ShutDownEffect Of(VmiSnapshot vmi, VmSnapshot? vm, VmHold? held) => Of(
        vm is not null, vm is { Running: not null, RunStrategy: not null }, VmForecasts.RunStrategyOf(vm), held, vmi.Controller is not null);

    /// <summary>Of a machine as it was observed.</summary>
    public static ShutDownEffect Of(ObservedMachine? machine, string? otherOwner) =>
        Of(machine is not null, machine is { HasBothKeys: true }, machine?.RunStrategy, machine?.Held, otherOwner is not null);

    private static ShutDownEffect Of(bool hasMachine, bool hasBothKeys, string? runStrategy, VmHold? held, bool hasOwner) => (hasMachine, runStrategy) switch
    {
        _ when hasBothKeys => new(
            ShutDownKind.Refused, "Running and RunStrategy are both set: KubeVirt refuses every change of it.", "Remove spec.running or spec.runStrategy."),

        // It waits for a migration from another cluster: KubeVirt accepts a stop and does nothing, and nothing would start it again.
        (_, "WaitAsReceiver") => new(
            ShutDownKind.Refused, "With run strategy WaitAsReceiver nothing would start it again: it is not stopped.", "Migrate or stop it by hand."),
        (true, _) when held is not null => new(ShutDownKind.Refused, held.Sentence, held.NextStep) { Blocker = VmHold.Kind },
        (true, _) => new(ShutDownKind.Stopped),
        _ when hasOwner => new(ShutDownKind.Replaced),
        _ => new(ShutDownKind.EndsForGood, ForGood, "Delete it by hand, or let the drain force it at its deadline (on-timeout: Force)."),
    };
}
