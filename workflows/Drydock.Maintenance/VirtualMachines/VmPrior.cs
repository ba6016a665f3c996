using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>What a virtual machine was before a maintenance stopped it: the ledger of design D8, in the history and in the mark.</summary>
/// <param name="Node">The node whose maintenance it was.</param>
/// <param name="RunStrategy"><c>spec.runStrategy</c>, or null where <c>spec.running</c> was used.</param>
/// <param name="Running">The deprecated <c>spec.running</c>.</param>
internal sealed record VmPrior(string Node, string? RunStrategy, bool? Running)
{
    /// <summary>It was not stopped: its launcher was evicted, which changes no strategy.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsEvicted { get; init; }

    /// <summary>For people and for the report.</summary>
    public string StrategyName => RunStrategy ?? (Running is true ? "Always" : "Halted");

    /// <summary>Reads it off a machine that is not marked. We stop only machines that run, so a restored one runs again.</summary>
    public static VmPrior Of(string node, VmSnapshot vm) => new(node, vm.RunStrategy, vm.Running);

    /// <summary>What is to be done next to put it back.</summary>
    /// <param name="vm">What it is now.</param>
    /// <param name="vmi">Its instance, or null.</param>
    /// <param name="isLeaving">The launcher of the instance is being deleted, as after an eviction.</param>
    public VmUndoStep NextUndo(VmSnapshot vm, VmiSnapshot? vmi, bool isLeaving = false)
    {
        var isAlive = vmi is not null && vmi.Phase is not ("Succeeded" or "Failed");
        if (VmForecasts.RunStrategyOf(vm) is var strategy && strategy != StrategyName && (IsEvicted || !WasLeftByOurStop(vm)))
        {
            // Somebody gave it another strategy since: theirs holds.
            return new(null, false, false, WasChanged: true) { IsUnwanted = strategy == "Halted" || (!isAlive && strategy != "Always") };
        }

        var isGoingDown = isAlive && (vmi!.IsBeingDeleted || vm.Running is false || isLeaving);
        if (RunStrategy is { } original && vm.RunStrategy != original)
        {
            // Once is over with the instance that it finds: it is written when that is gone.
            return isGoingDown && original == "Once" ? new(null, false, false, IsBusy: true) : new(original, false, false);
        }

        if (vm.HasStateChangeRequests)
        {
            // A stop is still on its way; a start now would be refused, and the machine would stay down.
            return new(null, false, false, IsBusy: true);
        }

        if (isGoingDown)
        {
            // Its guest is shutting down: a start is refused until it is down, and only then its time to run again begins.
            return new(null, false, false, IsBusy: true);
        }

        // Always and Once run by their strategy alone; the others, and spec.running, by a call.
        var needsStart = !isAlive && (RunStrategy is "Manual" or "RerunOnFailure" || (Running is true && vm.Running is false));
        // Also when it was started before a crash and is still being scheduled.
        return new(null, needsStart, StrategyName != "Halted" && vmi?.Phase != "Running");
    }

    // A stop turns Always and Once into Halted, RerunOnFailure before KubeVirt 1.2 too, running: true into false, and leaves Manual (facts 2.3.9, observed f).
    private bool WasLeftByOurStop(VmSnapshot vm) => (vm.RunStrategy is "Halted" && RunStrategy is not "Manual") || vm.Running is false;
}

/// <summary>One step of putting a virtual machine back.</summary>
/// <param name="RunStrategy">Write this run strategy first, then look again.</param>
/// <param name="Start">Call start.</param>
/// <param name="WaitsToRun">Then it is on its way to Running.</param>
/// <param name="WasChanged">Somebody changed its strategy meanwhile: only the mark goes.</param>
/// <param name="IsBusy">A call is still on its way: try again later.</param>
internal sealed record VmUndoStep(string? RunStrategy, bool Start, bool WaitsToRun, bool WasChanged = false, bool IsBusy = false)
{
    /// <summary>As somebody changed it, nothing starts it again.</summary>
    public bool IsUnwanted { get; init; }

    /// <summary>What was done, for people.</summary>
    public string Sentence(ObjectRef vm, VmPrior prior) => WasChanged
        ? $"Virtual machine {vm}: somebody changed its run strategy meanwhile; left as it is."
        : prior.IsEvicted ? $"Virtual machine {vm}: {(Start ? "it had been shut down, and is started again." : "it runs; the mark on it is gone.")}"
        : $"Virtual machine {vm}: run strategy {prior.StrategyName} restored{(prior.StrategyName == "Halted" ? "" : ", running again")}.";
}
