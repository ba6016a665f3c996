namespace Drydock.Simulator.KubeVirt;

/// <summary>Why KubeVirt says that a virtual machine cannot be migrated: the reasons of condition LiveMigratable=False.</summary>
internal static class MigrationReasons
{
    private static readonly Dictionary<string, string> Messages = new()
    {
        ["DisksNotLiveMigratable"] = "cannot migrate VMI: PVC disk0 is not shared, "
            + "live migration requires that all PVCs must be shared (using ReadWriteMany access mode)",
        ["InterfaceNotLiveMigratable"] = "cannot migrate VMI which does not use masquerade, "
            + "bridge with kubevirt.io/allow-pod-bridge-network-live-migration VM annotation or a migratable plugin to connect to the pod network",
        ["HotplugNotLiveMigratable"] = "VMI has hotplugged disks",
        ["CPUModeLiveMigratable"] = "VMI uses a host CPU mode that cannot be migrated",
        ["VirtIOFSNotLiveMigratable"] = "VMI uses virtiofs",
        ["HostDeviceNotLiveMigratable"] = "VMI specifies non-migratable generic PCI host device",
        ["SEVNotLiveMigratable"] = "VMI uses SEV",
        ["SecureExecutionNotLiveMigratable"] = "VMI uses Secure Execution",
        ["TDXNotLiveMigratable"] = "VMI uses TDX",
        ["NoTSCFrequencyNotLiveMigratable"] = "VMI needs a TSC frequency",
        ["HypervPassthroughNotLiveMigratable"] = "VMI uses hyperv passthrough",
        ["PersistentReservationNotLiveMigratable"] = "VMI uses SCSI persistent reservation",
        ["DecentralizedNotLiveMigratable"] = "VMI cannot be migrated between clusters",
        ["NotMigratable"] = "VMI is not migratable",
    };

    public static IEnumerable<string> All => Messages.Keys;

    public static string MessageOf(string reason) => Messages.GetValueOrDefault(reason, reason);
}
