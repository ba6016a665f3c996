using System.Text;

namespace Drydock.Kubernetes.Api;

/// <summary>A kind of object by the names that its path consists of.</summary>
internal sealed record Resource(string Group, string GroupVersion, string Plural)
{
    public static readonly Resource Nodes = new("", "v1", "nodes");
    public static readonly Resource Pods = new("", "v1", "pods");
    public static readonly Resource Namespaces = new("", "v1", "namespaces");
    public static readonly Resource Events = new("", "v1", "events");
    public static readonly Resource Claims = new("", "v1", "persistentvolumeclaims");
    public static readonly Resource Volumes = new("", "v1", "persistentvolumes");
    public static readonly Resource VolumeAttachments = new("storage.k8s.io", "v1", "volumeattachments");
    public static readonly Resource Budgets = new("policy", "v1", "poddisruptionbudgets");
    public static readonly Resource DaemonSets = new("apps", "v1", "daemonsets");
    public static readonly Resource Leases = new("coordination.k8s.io", "v1", "leases");
    public static readonly Resource AccessReviews = new("authorization.k8s.io", "v1", "selfsubjectaccessreviews");
    public static readonly Resource SubjectAccessReviews = new("authorization.k8s.io", "v1", "subjectaccessreviews");
    public static readonly Resource TokenReviews = new("authentication.k8s.io", "v1", "tokenreviews");
    public static readonly Resource Jobs = new("batch", "v1", "jobs");
    public static readonly Resource CsiNodes = new("storage.k8s.io", "v1", "csinodes");
    public static readonly Resource BareMetalHosts = new("metal3.io", "v1alpha1", "baremetalhosts");
    public static readonly Resource NodeHealthChecks = new("remediation.medik8s.io", "v1alpha1", "nodehealthchecks");
    public static readonly Resource OpenShiftMachines = new("machine.openshift.io", "v1beta1", "machines");
    public static readonly Resource OpenShiftHealthChecks = new("machine.openshift.io", "v1beta1", "machinehealthchecks");
    public static readonly Resource ClusterMachines = new("cluster.x-k8s.io", "v1beta1", "machines");
    public static readonly Resource ClusterHealthChecks = new("cluster.x-k8s.io", "v1beta1", "machinehealthchecks");
    public static readonly Resource LaterClusterMachines = ClusterMachines with { GroupVersion = "v1beta2" };
    public static readonly Resource LaterClusterHealthChecks = ClusterHealthChecks with { GroupVersion = "v1beta2" };
    public static readonly Resource KubeVirts = new("kubevirt.io", "v1", "kubevirts");
    public static readonly Resource Vms = new("kubevirt.io", "v1", "virtualmachines");
    public static readonly Resource Vmis = new("kubevirt.io", "v1", "virtualmachineinstances");
    public static readonly Resource VmiReplicaSets = new("kubevirt.io", "v1", "virtualmachineinstancereplicasets");
    public static readonly Resource Migrations = new("kubevirt.io", "v1", "virtualmachineinstancemigrations");
    public static readonly Resource VmCalls = new("subresources.kubevirt.io", "v1", "virtualmachines");
    public static readonly Resource VmiCalls = new("subresources.kubevirt.io", "v1", "virtualmachineinstances");
    public static readonly Resource Secrets = new("", "v1", "secrets");
    public static readonly Resource ValidatingWebhooks = new("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations");
    public static readonly Resource ClusterVersions = new("config.openshift.io", "v1", "clusterversions");
    public static readonly Resource Version = new("", "version", "") { FixedPath = "/version" };
    public static readonly Resource Groups = new("", "", "") { FixedPath = "/apis" };
    public static readonly Resource SimulatedFaults = new("", "", "") { FixedPath = "/simulator/faults" };
    public static readonly Resource Rollouts = new("drydock.dev", "v1alpha1", "maintenancerollouts");
    public static readonly Resource Windows = new("drydock.dev", "v1alpha1", "maintenancewindows");
    public static readonly Resource Policies = new("drydock.dev", "v1alpha1", "maintenancepolicies");
    public static readonly Resource NodeMaintenances = new("nodemaintenance.medik8s.io", "v1beta1", "nodemaintenances");

    /// <summary>Every cluster has the type: its group is one of Kubernetes' own (no dot, or <c>*.k8s.io</c>).</summary>
    public bool IsBuiltIn => !Group.Contains('.', StringComparison.Ordinal) || Group.EndsWith(".k8s.io", StringComparison.Ordinal);

    /// <summary>The path of the type's group and version.</summary>
    public string GroupPath => Group.Length == 0 ? $"/api/{GroupVersion}" : $"/apis/{Group}/{GroupVersion}";

    /// <summary>The document that says which types the group and version has.</summary>
    public Resource Discovery => new(Group, GroupVersion, "") { FixedPath = GroupPath };

    /// <summary>The path of something that is no resource.</summary>
    private string? FixedPath { get; init; }

    /// <summary>For people: <c>pods/eviction</c>, <c>leases.coordination.k8s.io</c>.</summary>
    public string Describe(string? subresource) =>
        FixedPath ?? $"{Plural}{(subresource is null ? "" : "/" + subresource)}{(Group.Length == 0 ? "" : "." + Group)}";

    public string Path(string? @namespace, string? name, string? subresource)
    {
        if (FixedPath is not null)
        {
            return FixedPath;
        }

        var path = new StringBuilder(GroupPath);
        if (@namespace is not null)
        {
            path.Append("/namespaces/").Append(Uri.EscapeDataString(@namespace));
        }

        path.Append('/').Append(Plural);
        if (name is not null)
        {
            path.Append('/').Append(Uri.EscapeDataString(name));
        }

        return subresource is null ? path.ToString() : path.Append('/').Append(subresource).ToString();
    }
}

/// <summary>Selectors as query parameters.</summary>
internal static class Selectors
{
    /// <summary>A label cannot be longer; KubeVirt puts a hash in its place.</summary>
    public const int LongestLabel = 63;

    public static string OnNode(string node) => "fieldSelector=" + Uri.EscapeDataString("spec.nodeName=" + node);

    /// <summary>On a node and not finished.</summary>
    public static string Running { get; } = "fieldSelector=" + Uri.EscapeDataString("spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed");

    /// <summary>On no node yet.</summary>
    public static string Unscheduled { get; } = "fieldSelector=" + Uri.EscapeDataString("spec.nodeName=,status.phase=Pending");

    /// <summary>Of Events: those about one object.</summary>
    public static string About(string uid) => "fieldSelector=" + Uri.EscapeDataString("involvedObject.uid=" + uid);

    public static string Label(string key, string value) => "labelSelector=" + Uri.EscapeDataString($"{key}={value}");
}

/// <summary>One request: the verb in Kubernetes' words, so that a refusal can name it.</summary>
internal sealed record ApiCall(string Verb, Resource Resource)
{
    public string? Namespace { get; init; }

    public string? Name { get; init; }

    public string? Subresource { get; init; }

    /// <summary>What follows the question mark.</summary>
    public string? Query { get; init; }

    /// <summary>The body as JSON. Written by hand or as a JsonObject: typed bodies drop nulls, which a merge patch needs.</summary>
    public string? Body { get; init; }

    public string Path => Resource.Path(Namespace, Name, Subresource) + (Query is null ? "" : "?" + Query);

    public HttpMethod Method => Verb switch
    {
        "create" => HttpMethod.Post,
        "update" => HttpMethod.Put,
        "patch" => HttpMethod.Patch,
        "delete" => HttpMethod.Delete,
        _ => HttpMethod.Get,
    };

    /// <summary>For messages: <c>patch nodes "a"</c>.</summary>
    public string Description =>
        $"{Verb} {Resource.Describe(Subresource)}{(Name is null ? "" : $" \"{(Namespace is null ? "" : Namespace + "/")}{Name}\"")}";
}
