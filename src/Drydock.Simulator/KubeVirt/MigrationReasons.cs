using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

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

    /// <summary>Why a VMI cannot be migrated: what steers it, or the first of its devices and volumes that forbids it; null: it can.</summary>
    public static string? Of(JsonObject vmi, IObjectStore store)
    {
        var domain = vmi.Object("spec", "domain");
        var devices = domain.Object("devices");
        return VirtHandlerSteering.NotMigratable(vmi) ?? vmi switch
        {
            _ when HasPrivateVolume(vmi, store) => "DisksNotLiveMigratable",
            _ when HasBridge(vmi) => "InterfaceNotLiveMigratable",
            _ when domain.Text("cpu", "model") == "host-passthrough" => "CPUModeLiveMigratable",
            _ when devices.Objects("filesystems").Any(each => each.At("virtiofs") is not null) => "VirtIOFSNotLiveMigratable",
            _ when devices.Objects("hostDevices").Concat(devices.Objects("gpus")).Any() => "HostDeviceNotLiveMigratable",
            _ when domain.At("launchSecurity", "sev") is not null => "SEVNotLiveMigratable",
            _ when domain.At("launchSecurity", "tdx") is not null => "TDXNotLiveMigratable",
            _ => null,
        };
    }

    // A claim that does not exist keeps the launcher from starting: nothing to say about it here.
    private static bool HasPrivateVolume(JsonObject vmi, IObjectStore store) => vmi.Objects("spec", "volumes")
        .Select(volume => volume.Text("persistentVolumeClaim", "claimName") ?? volume.Text("dataVolume", "name"))
        .OfType<string>()
        .Select(claim => store.Get(ResourceTypes.PersistentVolumeClaims, vmi.NamespaceOf(), claim))
        .Any(claim => claim is not null && !claim.Texts("spec", "accessModes").Contains("ReadWriteMany"));

    private static bool HasBridge(JsonObject vmi)
    {
        var pods = vmi.Objects("spec", "networks").Where(network => network.At("pod") is not null).Select(network => network.Text("name")).ToList();
        return vmi.Annotation("kubevirt.io/allow-pod-bridge-network-live-migration") is null
            && vmi.Objects("spec", "domain", "devices", "interfaces").Any(each => each.At("bridge") is not null && pods.Contains(each.Text("name")));
    }

    public static IEnumerable<string> All => Messages.Keys;

    public static string MessageOf(string reason) => Messages.GetValueOrDefault(reason, reason);
}
