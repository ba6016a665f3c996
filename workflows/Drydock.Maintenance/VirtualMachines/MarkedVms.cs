using Drydock.Kubernetes;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Maintenance;

/// <summary>Virtual machines that carry the mark of a maintenance, for people.</summary>
public static class MarkedVms
{
    /// <summary>Why it is marked and what becomes of it, one sentence.</summary>
    public static string Describe(VmSnapshot vm)
    {
        ArgumentNullException.ThrowIfNull(vm);
        return $"Virtual machine {vm.Ref} is marked: " + (vm.Mark is { } mark && LedgerJson.Read<VmPrior>(mark.Prior) is { IsEvicted: true }
            ? "once its eviction has shut it down it is started again."
            : "it was stopped and waits to be started again.");
    }
}
