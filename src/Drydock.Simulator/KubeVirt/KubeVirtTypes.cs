using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>The types of group kubevirt.io that are simulated.</summary>
public static class KubeVirtTypes
{
    /// <summary>The API group.</summary>
    public const string Group = "kubevirt.io";

    /// <summary>VirtualMachine.</summary>
    public static ResourceType VirtualMachines { get; } = Type("virtualmachines", "VirtualMachine", hasStatus: true, "vm", "vms");

    /// <summary>VirtualMachineInstance. Its status is no subresource: whoever may patch the object may patch its status.</summary>
    public static ResourceType Instances { get; } = Type("virtualmachineinstances", "VirtualMachineInstance", hasStatus: false, "vmi", "vmis");

    /// <summary>VirtualMachineInstanceMigration.</summary>
    public static ResourceType Migrations { get; } =
        Type("virtualmachineinstancemigrations", "VirtualMachineInstanceMigration", hasStatus: true, "vmim", "vmims");

    /// <summary>The KubeVirt installation.</summary>
    public static ResourceType KubeVirts { get; } = Type("kubevirts", "KubeVirt", hasStatus: true, "kv", "kvs");

    /// <summary>VirtualMachineInstanceReplicaSet: instances without a VirtualMachine.</summary>
    public static ResourceType ReplicaSets { get; } =
        Type("virtualmachineinstancereplicasets", "VirtualMachineInstanceReplicaSet", hasStatus: true, "vmirs", "vmirss");

    /// <summary>VirtualMachinePool: many VirtualMachines of one template.</summary>
    public static ResourceType Pools { get; } =
        Type("virtualmachinepools", "VirtualMachinePool", hasStatus: true, "vmpool", "vmpools") with { Group = "pool.kubevirt.io", Version = "v1beta1" };

    /// <summary>HyperConverged, which owns the installation of KubeVirt where there is one.</summary>
    public static ResourceType HyperConvergeds { get; } =
        Type("hyperconvergeds", "HyperConverged", hasStatus: true, "hco", "hcos") with { Group = "hco.kubevirt.io", Version = "v1beta1" };

    /// <summary>Those of every cluster.</summary>
    public static IReadOnlyList<ResourceType> All { get; } = [VirtualMachines, Instances, Migrations, KubeVirts, ReplicaSets, Pools];

    private static ResourceType Type(string plural, string kind, bool hasStatus, params string[] shortNames) =>
        new(Group, "v1", plural, kind.ToLowerInvariant(), kind, Namespaced: true, hasStatus)
        {
            ShortNames = shortNames,
            Categories = ["all"],
            HasGeneration = true,
        };
}
