using System.Collections.Frozen;

namespace Drydock.Simulator.Store;

/// <summary>The types a cluster has before anybody defines more.</summary>
public static class ResourceTypes
{
    // group/version plural Kind scope(N|C) marks short names, categories
    // Marks: s status subresource, g generation is counted, x scale subresource, - none.
    private const string Table =
        """
        v1 configmaps ConfigMap N - cm -
        v1 endpoints Endpoints N - ep -
        v1 events Event N - ev -
        v1 limitranges LimitRange N - limits -
        v1 namespaces Namespace C s ns -
        v1 nodes Node C s no -
        v1 persistentvolumeclaims PersistentVolumeClaim N s pvc -
        v1 persistentvolumes PersistentVolume C s pv -
        v1 pods Pod N sg po all
        v1 podtemplates PodTemplate N g - -
        v1 replicationcontrollers ReplicationController N sgx rc all
        v1 resourcequotas ResourceQuota N s quota -
        v1 secrets Secret N - - -
        v1 serviceaccounts ServiceAccount N - sa -
        v1 services Service N s svc all
        apiregistration.k8s.io/v1 apiservices APIService C s - api-extensions
        apps/v1 controllerrevisions ControllerRevision N - - -
        apps/v1 daemonsets DaemonSet N sg ds all
        apps/v1 deployments Deployment N sgx deploy all
        apps/v1 replicasets ReplicaSet N sgx rs all
        apps/v1 statefulsets StatefulSet N sgx sts all
        autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler N s hpa all
        batch/v1 cronjobs CronJob N sg cj all
        batch/v1 jobs Job N sg - all
        certificates.k8s.io/v1 certificatesigningrequests CertificateSigningRequest C s csr -
        networking.k8s.io/v1 ingressclasses IngressClass C g - -
        networking.k8s.io/v1 ingresses Ingress N sg ing -
        networking.k8s.io/v1 networkpolicies NetworkPolicy N g netpol -
        policy/v1 poddisruptionbudgets PodDisruptionBudget N sg pdb -
        rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding C - - -
        rbac.authorization.k8s.io/v1 clusterroles ClusterRole C - - -
        rbac.authorization.k8s.io/v1 rolebindings RoleBinding N - - -
        rbac.authorization.k8s.io/v1 roles Role N - - -
        storage.k8s.io/v1 csidrivers CSIDriver C - - -
        storage.k8s.io/v1 csinodes CSINode C - - -
        storage.k8s.io/v1 storageclasses StorageClass C - sc -
        storage.k8s.io/v1 volumeattachments VolumeAttachment C s - -
        admissionregistration.k8s.io/v1 mutatingwebhookconfigurations MutatingWebhookConfiguration C g - api-extensions
        admissionregistration.k8s.io/v1 validatingwebhookconfigurations ValidatingWebhookConfiguration C g - api-extensions
        apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition C sg crd,crds api-extensions
        scheduling.k8s.io/v1 priorityclasses PriorityClass C g pc -
        coordination.k8s.io/v1 leases Lease N - - -
        node.k8s.io/v1 runtimeclasses RuntimeClass C - - -
        discovery.k8s.io/v1 endpointslices EndpointSlice N g - -
        """;

    /// <summary>All of them, in the order of discovery.</summary>
    public static IReadOnlyList<ResourceType> BuiltIn { get; } = [.. Table.Split('\n').Select(Parse)];

    private static readonly FrozenDictionary<string, ResourceType> _byGroupResource = BuiltIn.ToFrozenDictionary(t => t.GroupResource);

    /// <summary>Namespaces.</summary>
    public static ResourceType Namespaces { get; } = Of("namespaces");

    /// <summary>Nodes.</summary>
    public static ResourceType Nodes { get; } = Of("nodes");

    /// <summary>Pods.</summary>
    public static ResourceType Pods { get; } = Of("pods");

    /// <summary>Events; also served as <c>events.k8s.io/v1</c>.</summary>
    public static ResourceType Events { get; } = Of("events");

    /// <summary>ConfigMaps.</summary>
    public static ResourceType ConfigMaps { get; } = Of("configmaps");

    /// <summary>Secrets.</summary>
    public static ResourceType Secrets { get; } = Of("secrets");

    /// <summary>Services.</summary>
    public static ResourceType Services { get; } = Of("services");

    /// <summary>ServiceAccounts.</summary>
    public static ResourceType ServiceAccounts { get; } = Of("serviceaccounts");

    /// <summary>PersistentVolumeClaims.</summary>
    public static ResourceType PersistentVolumeClaims { get; } = Of("persistentvolumeclaims");

    /// <summary>Deployments.</summary>
    public static ResourceType Deployments { get; } = Of("deployments.apps");

    /// <summary>ReplicaSets.</summary>
    public static ResourceType ReplicaSets { get; } = Of("replicasets.apps");

    /// <summary>StatefulSets.</summary>
    public static ResourceType StatefulSets { get; } = Of("statefulsets.apps");

    /// <summary>DaemonSets.</summary>
    public static ResourceType DaemonSets { get; } = Of("daemonsets.apps");

    /// <summary>ControllerRevisions.</summary>
    public static ResourceType ControllerRevisions { get; } = Of("controllerrevisions.apps");

    /// <summary>Jobs.</summary>
    public static ResourceType Jobs { get; } = Of("jobs.batch");

    /// <summary>CronJobs.</summary>
    public static ResourceType CronJobs { get; } = Of("cronjobs.batch");

    /// <summary>PodDisruptionBudgets.</summary>
    public static ResourceType PodDisruptionBudgets { get; } = Of("poddisruptionbudgets.policy");

    /// <summary>Leases.</summary>
    public static ResourceType Leases { get; } = Of("leases.coordination.k8s.io");

    /// <summary>CustomResourceDefinitions.</summary>
    public static ResourceType CustomResourceDefinitions { get; } = Of("customresourcedefinitions.apiextensions.k8s.io");

    /// <summary>PriorityClasses.</summary>
    public static ResourceType PriorityClasses { get; } = Of("priorityclasses.scheduling.k8s.io");

    /// <summary>VolumeAttachments.</summary>
    public static ResourceType VolumeAttachments { get; } = Of("volumeattachments.storage.k8s.io");

    /// <summary>The built-in type of this name, such as <c>pods</c> or <c>deployments.apps</c>.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public static ResourceType Of(string groupResource) =>
        _byGroupResource.TryGetValue(groupResource, out var type)
            ? type
            : throw new KeyNotFoundException($"No built-in type is called {groupResource}.");

    private static ResourceType Parse(string line)
    {
        var parts = line.Trim().Split(' ');
        var slash = parts[0].IndexOf('/');

        return new ResourceType(
            slash < 0 ? "" : parts[0][..slash],
            parts[0][(slash + 1)..],
            parts[1],
            parts[2].ToLowerInvariant(),
            parts[2],
            parts[3] == "N",
            parts[4].Contains('s'))
        {
            HasGeneration = parts[4].Contains('g'),
            HasScale = parts[4].Contains('x'),
            ShortNames = parts[5] == "-" ? [] : parts[5].Split(','),
            Categories = parts[6] == "-" ? [] : parts[6].Split(','),
        };
    }
}
