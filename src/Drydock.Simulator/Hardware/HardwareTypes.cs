using Drydock.Simulator.Store;

namespace Drydock.Simulator.Hardware;

/// <summary>The types of the machines under the nodes, and of who remediates them. A cluster has those its scenario needs.</summary>
public static class HardwareTypes
{
    /// <summary>BareMetalHost of metal3.</summary>
    public static ResourceType Hosts { get; } = Custom("metal3.io", "v1alpha1", "baremetalhosts", "BareMetalHost", shortNames: ["bmh", "bmhost"]);

    /// <summary>Machine of OpenShift.</summary>
    public static ResourceType OpenShiftMachines { get; } = Custom("machine.openshift.io", "v1beta1", "machines", "Machine");

    /// <summary>MachineHealthCheck of OpenShift.</summary>
    public static ResourceType OpenShiftHealthChecks { get; } =
        Custom("machine.openshift.io", "v1beta1", "machinehealthchecks", "MachineHealthCheck", shortNames: ["mhc", "mhcs"]);

    /// <summary>Machine of Cluster API.</summary>
    public static ResourceType ClusterMachines { get; } = Custom("cluster.x-k8s.io", "v1beta1", "machines", "Machine", shortNames: ["ma"]);

    /// <summary>MachineHealthCheck of Cluster API.</summary>
    public static ResourceType ClusterHealthChecks { get; } =
        Custom("cluster.x-k8s.io", "v1beta1", "machinehealthchecks", "MachineHealthCheck", shortNames: ["mhc", "mhcs"]);

    /// <summary>NodeHealthCheck of medik8s.</summary>
    public static ResourceType NodeHealthChecks { get; } =
        Custom("remediation.medik8s.io", "v1alpha1", "nodehealthchecks", "NodeHealthCheck", namespaced: false, shortNames: ["nhc"]);

    /// <summary>The remediation medik8s starts for an unhealthy node.</summary>
    public static ResourceType SelfNodeRemediations { get; } =
        Custom("self-node-remediation.medik8s.io", "v1alpha1", "selfnoderemediations", "SelfNodeRemediation", shortNames: ["snr"]);

    /// <summary>What a NodeHealthCheck makes its remediations from.</summary>
    public static ResourceType SelfNodeRemediationTemplates { get; } =
        Custom("self-node-remediation.medik8s.io", "v1alpha1", "selfnoderemediationtemplates", "SelfNodeRemediationTemplate", shortNames: ["snrt"]);

    private static ResourceType Custom(
        string group, string version, string plural, string kind, bool namespaced = true, params string[] shortNames) =>
        new(group, version, plural, kind.ToLowerInvariant(), kind, namespaced) { ShortNames = shortNames, IsCustom = true };
}
