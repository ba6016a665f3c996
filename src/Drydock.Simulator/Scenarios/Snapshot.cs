using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>A virtual machine as it was at the start.</summary>
internal sealed record MachineAtStart(string RunStrategy, string? InstanceUid, string? Node);

/// <summary>What a cluster was like at the start, as far as its end is compared with it.</summary>
/// <param name="PodsByNode">The uids of the pods on each node, without those of DaemonSets and finished ones.</param>
/// <param name="Machines">The virtual machines by NAMESPACE/NAME.</param>
internal sealed record Snapshot(
    IReadOnlyDictionary<string, IReadOnlyList<string>> PodsByNode, IReadOnlyDictionary<string, MachineAtStart> Machines)
{
    public static Snapshot Of(IObjectStore store) => new(
        store.List(ResourceTypes.Nodes).ToDictionary(
            node => node.NameOf(),
            IReadOnlyList<string> (node) =>
            [
                .. store.PodsOnNode(node.NameOf())
                    .Where(pod => !pod.IsFinished() && pod.Controller().Text("kind") != "DaemonSet")
                    .Select(pod => pod.UidOf()),
            ]),
        store.List(KubeVirtTypes.VirtualMachines).ToDictionary(
            machine => $"{machine.NamespaceOf()}/{machine.NameOf()}",
            machine =>
            {
                var instance = store.Get(KubeVirtTypes.Instances, machine.NamespaceOf(), machine.NameOf());
                return new MachineAtStart(RunStrategies.Of(machine), instance?.UidOf(), instance.Text("status", "nodeName"));
            }));
}
