using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>What a maintenance must be allowed to do.</summary>
public static class Access
{
    /// <summary>
    /// To delete instances: by force at a deadline, and where the policy shuts down those that a replica set makes again. Kubernetes cannot grant it
    /// for the latter alone, and it would end any machine for good: not in the role that every Drydock has.
    /// </summary>
    public static AccessRule DeleteInstances { get; } = new("delete", "kubevirt.io", "virtualmachineinstances");

    /// <summary>To mark machines and to start them again.</summary>
    public static IReadOnlyList<AccessRule> StartMachines { get; } =
        [new("patch", "kubevirt.io", "virtualmachines"), new("update", "subresources.kubevirt.io", "virtualmachines", "start")];

    /// <summary>The refusal of a plan whose account may not do that.</summary>
    internal static PlanFinding Missing(AccessRule rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        return new(
            FindingSeverity.Refuses,
            "missing-permission",
            $"The account may not {rule}{(rule.Namespace is null ? "" : $" in namespace {rule.Namespace}")}.",
            NextStep: $"Grant it the verb {rule.Verb} on {rule.Resource}{(rule.Subresource is null ? "" : "/" + rule.Subresource)}{GrantedBy(rule)}.");
    }

    // What not every Drydock may stands in components of infra/kubernetes; the rest in its base.
    private static string GrantedBy(AccessRule rule) => rule switch
    {
        { Verb: "delete", Resource: "pods" or "virtualmachineinstances" } => ": infra/kubernetes/components/force does",
        { Resource: "baremetalhosts" } => ": infra/kubernetes/components/bare-metal does",
        { Resource: "jobs", Namespace: "kube-system" } => ": infra/kubernetes/components/actions does",
        { Resource: "jobs", Namespace: { } other } => $": bind a Role like that of infra/kubernetes/components/actions in namespace {other}",
        _ => "",
    };

    /// <summary>The policy may have this instance shut down, and that is done by deleting it: something other than a VirtualMachine makes another.</summary>
    public static bool MayDelete(VmiSnapshot vmi, VmSnapshot? vm, VirtualMachinePolicy policy)
    {
        ArgumentNullException.ThrowIfNull(vmi);
        ArgumentNullException.ThrowIfNull(policy);
        return vm is null && vmi.Controller is { Kind: not "VirtualMachine" } && (policy.OnStuck == StuckVmPolicy.ShutDown || policy.OnNotMigratable == StuckVmPolicy.ShutDown);
    }

    /// <summary>The calls a maintenance like this needs; those for virtual machines only where KubeVirt is installed.</summary>
    public static IReadOnlyList<AccessRule> Needed(MaintenanceRequest request, bool hasKubeVirt)
    {
        ArgumentNullException.ThrowIfNull(request);
        List<AccessRule> needed =
        [
            new("get", "", "nodes"),
            new("list", "", "nodes"),
            new("patch", "", "nodes"),
            new("get", "", "pods"),
            new("list", "", "pods"),
            new("create", "", "pods", "eviction"),
            new("list", "policy", "poddisruptionbudgets"),
            new("get", "apps", "daemonsets"),
            new("get", "storage.k8s.io", "csinodes"),
            new("get", "coordination.k8s.io", "leases", Namespace: "medik8s-leases"),
            new("create", "coordination.k8s.io", "leases", Namespace: "medik8s-leases"),
            new("update", "coordination.k8s.io", "leases", Namespace: "medik8s-leases"),
            new("patch", "coordination.k8s.io", "leases", Namespace: "medik8s-leases"),
            new("delete", "coordination.k8s.io", "leases", Namespace: "medik8s-leases"),
        ];
        if (request.Drain.OnTimeout == DeadlinePolicy.Force)
        {
            needed.Add(new("delete", "", "pods"));
        }

        if (request.Drain.Rules.Any(rule => rule.NamespaceSelector is not null))
        {
            needed.Add(new("get", "", "namespaces"));
        }

        if (request.Drain.WaitForVolumeDetach)
        {
            needed.AddRange([new("list", "storage.k8s.io", "volumeattachments"), new("get", "", "persistentvolumeclaims")]);
        }

        if (hasKubeVirt)
        {
            AddVirtualMachines(needed, request);
        }

        return needed;
    }

    private static void AddVirtualMachines(List<AccessRule> needed, MaintenanceRequest request)
    {
        needed.AddRange(
        [
            new("list", "kubevirt.io", "kubevirts"),
            new("get", "kubevirt.io", "virtualmachineinstances"),
            new("list", "kubevirt.io", "virtualmachineinstances"),
            new("get", "kubevirt.io", "virtualmachines"),
            new("list", "kubevirt.io", "virtualmachines"),
            new("list", "kubevirt.io", "virtualmachineinstancemigrations"),
            new("delete", "kubevirt.io", "virtualmachineinstancemigrations"),
            new("list", "", "events"),
            new("update", "subresources.kubevirt.io", "virtualmachineinstances", "evacuate"),
            new("update", "subresources.kubevirt.io", "virtualmachineinstances", "evacuate/cancel"),
        ]);
        var vms = request.VirtualMachines;
        if (vms.MaxAttempts > 1)
        {
            // Another try may go to another target.
            needed.Add(new("update", "subresources.kubevirt.io", "virtualmachines", "migrate"));
        }

        if (request.Drain.OnTimeout == DeadlinePolicy.Force)
        {
            needed.Add(DeleteInstances);
        }

        var mayShutDown = vms.AllowAnnotations || request.Drain.OnTimeout == DeadlinePolicy.Force
            || vms.Overrides.SelectMany(one => new[] { one.OnStuck, one.OnNotMigratable }).Append(vms.OnStuck).Append(vms.OnNotMigratable)
                .Contains(StuckVmPolicy.ShutDown);
        if (mayShutDown)
        {
            needed.AddRange([.. StartMachines, new("update", "subresources.kubevirt.io", "virtualmachines", "stop")]);
        }
    }
}
