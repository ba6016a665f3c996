using Drydock.Kubernetes;

namespace Drydock.Server;

/// <summary>Every call to the API server that the features of this version make.</summary>
internal static class RequiredAccess
{
    /// <summary>The calls for what is installed in this cluster.</summary>
    public static IReadOnlyList<AccessRule> For(ClusterIdentity cluster, string leaseNamespace, bool withOperator) =>
    [
        .. Rules("", "nodes", "get", "list", "watch", "patch"),
        .. Rules("", "pods", "get", "list", "watch"),
        new("create", "", "pods", "eviction"),
        .. Rules("", "namespaces", "get"),
        new("create", "", "events"),
        .. Rules("apps", "daemonsets", "get"),
        .. Rules("policy", "poddisruptionbudgets", "list", "watch"),
        .. Rules("coordination.k8s.io", "leases", "get", "create", "update", "patch", "delete").Select(rule => rule with { Namespace = leaseNamespace }),
        .. cluster.HasKubeVirt ? KubeVirt : [],
        .. withOperator && cluster.HasNodeMaintenance ? NodeMaintenance : [],
    ];

    private static IEnumerable<AccessRule> KubeVirt =>
    [
        .. Rules("kubevirt.io", "virtualmachineinstances", "get", "list", "watch"),
        .. Rules("kubevirt.io", "virtualmachineinstancemigrations", "get", "list", "watch", "delete"),
        .. Rules("kubevirt.io", "virtualmachines", "get", "list", "patch"),
        .. Rules("kubevirt.io", "kubevirts", "list"),
        new("update", "subresources.kubevirt.io", "virtualmachines", "start"),
        new("update", "subresources.kubevirt.io", "virtualmachines", "stop"),
    ];

    private static IEnumerable<AccessRule> NodeMaintenance =>
    [
        .. Rules("nodemaintenance.medik8s.io", "nodemaintenances", "get", "list", "watch", "patch"),
        new("patch", "nodemaintenance.medik8s.io", "nodemaintenances", "status"),
    ];

    private static IEnumerable<AccessRule> Rules(string group, string resource, params string[] verbs) =>
        verbs.Select(verb => new AccessRule(verb, group, resource));
}
