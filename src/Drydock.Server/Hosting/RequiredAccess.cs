using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>The calls to the API server without which this process is of no use: a maintenance with default settings, and its watches.</summary>
internal static class RequiredAccess
{
    /// <summary>The calls for what is installed in this cluster. What only some requests need is checked by their plan.</summary>
    public static IReadOnlyList<AccessRule> For(ClusterIdentity cluster, bool withOperator) =>
    [
        .. Access.Needed(new MaintenanceRequest(""), cluster.HasKubeVirt),
        new("watch", "", "nodes"),
        new("watch", "", "pods"),
        new("watch", "policy", "poddisruptionbudgets"),
        .. cluster.HasKubeVirt ? KubeVirtWatches : [],
        .. withOperator && cluster.HasNodeMaintenance ? NodeMaintenance : [],
        .. withOperator && cluster.HasDrydockResources ? DrydockResources : [],
    ];

    private static IEnumerable<AccessRule> KubeVirtWatches =>
    [
        new("watch", "kubevirt.io", "virtualmachineinstances"),
        new("watch", "kubevirt.io", "virtualmachineinstancemigrations"),
    ];

    private static IEnumerable<AccessRule> DrydockResources =>
    [
        .. from plural in new[] { "maintenancerollouts", "maintenancewindows" } from rule in Of(plural).Append(new("patch", "drydock.dev", plural)) select rule,
        .. Of("maintenancepolicies"),
    ];

    private static IEnumerable<AccessRule> Of(string plural) =>
    [
        new("get", "drydock.dev", plural),
        new("list", "drydock.dev", plural),
        new("watch", "drydock.dev", plural),
        new("patch", "drydock.dev", plural, "status"),
    ];

    private static IEnumerable<AccessRule> NodeMaintenance =>
    [
        new("get", "nodemaintenance.medik8s.io", "nodemaintenances"),
        new("list", "nodemaintenance.medik8s.io", "nodemaintenances"),
        new("watch", "nodemaintenance.medik8s.io", "nodemaintenances"),
        new("patch", "nodemaintenance.medik8s.io", "nodemaintenances"),
        new("patch", "nodemaintenance.medik8s.io", "nodemaintenances", "status"),
    ];
}
