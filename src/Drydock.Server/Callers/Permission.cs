using Drydock.Kubernetes;

namespace Drydock.Server.Callers;

/// <summary>The least role that has a permission; each has what those before it have.</summary>
public enum Role
{
    /// <summary>Looks.</summary>
    Viewer,

    /// <summary>Starts, steers and ends maintenances.</summary>
    Operator,

    /// <summary>Owns policies and windows, and may do what hurts: delete by force, reboot.</summary>
    Admin,
}

/// <summary>One right that an endpoint asks its caller for: an RBAC verb on a resource of the cluster, or a path that is none.</summary>
/// <param name="Rule">The verb and the resource; the verb and the path in <see cref="AccessRule.Resource"/> if it starts with a slash.</param>
/// <param name="Role">The least of the three roles that has it.</param>
internal sealed record Permission(AccessRule Rule, Role Role)
{
    /// <summary>Such as <c>create</c>.</summary>
    public string Verb => Rule.Verb;

    /// <summary>Such as <c>nodemaintenances/force.nodemaintenance.medik8s.io</c>, or a path.</summary>
    public string Resource => $"{Rule.Resource}{(Rule.Subresource is null ? "" : "/" + Rule.Subresource)}{(Rule.Group.Length == 0 ? "" : "." + Rule.Group)}";

    /// <summary>It is about a path, not a resource.</summary>
    public bool IsPath => Rule.Resource.StartsWith('/');

    public override string ToString() => $"{Verb} {Resource}";
}

/// <summary>
/// Every permission there is, in one table: endpoints name theirs, the documents show them, the roles under <c>infra</c> grant them,
/// and OIDC roles are read from here.
/// </summary>
internal static class Permissions
{
    private const string Medik8s = "nodemaintenance.medik8s.io";
    private const string Ours = "drydock.dev";

    public static readonly Permission ListMaintenances = On("list", Medik8s, "nodemaintenances", Role.Viewer);
    public static readonly Permission GetMaintenance = On("get", Medik8s, "nodemaintenances", Role.Viewer);
    public static readonly Permission WatchMaintenance = On("watch", Medik8s, "nodemaintenances", Role.Viewer);
    public static readonly Permission CreateMaintenance = On("create", Medik8s, "nodemaintenances", Role.Operator);

    /// <summary>Complete, extend, suspend, resume: all that steers one under way.</summary>
    public static readonly Permission SteerMaintenance = On("update", Medik8s, "nodemaintenances", Role.Operator);

    /// <summary>Deleting a NodeMaintenance cancels it, so cancelling needs the same.</summary>
    public static readonly Permission CancelMaintenance = On("delete", Medik8s, "nodemaintenances", Role.Operator);

    /// <summary>A right of its own, so that nobody approves what he asked for himself unless he was given both.</summary>
    public static readonly Permission ApproveMaintenance = On("update", Medik8s, "nodemaintenances", Role.Admin, "approval");

    /// <summary>Needed besides, where a request deletes pods instead of evicting them when its time is over.</summary>
    public static readonly Permission Force = On("create", Medik8s, "nodemaintenances", Role.Admin, "force");

    /// <summary>Needed besides, where a request reboots or power-cycles the machine, or runs something of its own on it.</summary>
    public static readonly Permission Privileged = On("create", Medik8s, "nodemaintenances", Role.Admin, "privileged");

    /// <summary>Needed besides, where a request brings a Job of its own: the cluster's right to create it there, not one of ours.</summary>
    /// <param name="namespace">Where; null: everywhere.</param>
    public static Permission CreateJobs(string? @namespace) => new(new AccessRule("create", "batch", "jobs", Namespace: @namespace), Role.Admin);

    public static readonly Permission ListRollouts = On("list", Ours, "maintenancerollouts", Role.Viewer);
    public static readonly Permission GetRollout = On("get", Ours, "maintenancerollouts", Role.Viewer);
    public static readonly Permission WatchRollout = On("watch", Ours, "maintenancerollouts", Role.Viewer);
    public static readonly Permission CreateRollout = On("create", Ours, "maintenancerollouts", Role.Operator);
    public static readonly Permission SteerRollout = On("update", Ours, "maintenancerollouts", Role.Operator);
    public static readonly Permission CancelRollout = On("delete", Ours, "maintenancerollouts", Role.Operator);

    public static readonly Permission ListWindows = On("list", Ours, "maintenancewindows", Role.Viewer);
    public static readonly Permission GetWindow = On("get", Ours, "maintenancewindows", Role.Viewer);
    public static readonly Permission CreateWindow = On("create", Ours, "maintenancewindows", Role.Admin);
    public static readonly Permission SteerWindow = On("update", Ours, "maintenancewindows", Role.Admin);
    public static readonly Permission DeleteWindow = On("delete", Ours, "maintenancewindows", Role.Admin);

    public static readonly Permission ListPolicies = On("list", Ours, "maintenancepolicies", Role.Viewer);
    public static readonly Permission GetPolicy = On("get", Ours, "maintenancepolicies", Role.Viewer);

    public static readonly Permission ListNodes = On("list", "", "nodes", Role.Viewer);
    public static readonly Permission GetNode = On("get", "", "nodes", Role.Viewer);
    public static readonly Permission ListVms = On("list", "kubevirt.io", "virtualmachineinstances", Role.Viewer);
    public static readonly Permission GetVm = On("get", "kubevirt.io", "virtualmachineinstances", Role.Viewer);

    public static readonly Permission StartVm = On("update", "subresources.kubevirt.io", "virtualmachines", Role.Operator, "start");
    public static readonly Permission StopVm = On("update", "subresources.kubevirt.io", "virtualmachines", Role.Operator, "stop");
    public static readonly Permission RestartVm = On("update", "subresources.kubevirt.io", "virtualmachines", Role.Operator, "restart");

    /// <summary>Moving one machine elsewhere is what the subresource <c>migrate</c> does.</summary>
    public static readonly Permission MoveVm = On("update", "subresources.kubevirt.io", "virtualmachines", Role.Operator, "migrate");

    public static readonly Permission ReadMetrics = new(new AccessRule("get", "", "/metrics"), Role.Viewer);

    /// <summary>All of them, in the order of the documents.</summary>
    public static IReadOnlyList<Permission> All { get; } =
    [
        ListMaintenances, GetMaintenance, WatchMaintenance, CreateMaintenance, SteerMaintenance, CancelMaintenance, ApproveMaintenance, Force,
        Privileged, ListRollouts, GetRollout, WatchRollout, CreateRollout, SteerRollout, CancelRollout, ListWindows, GetWindow, CreateWindow, SteerWindow,
        DeleteWindow, ListPolicies, GetPolicy, ListNodes, GetNode, ListVms, GetVm, StartVm, StopVm, RestartVm, MoveVm, ReadMetrics,
    ];

    private static Permission On(string verb, string group, string resource, Role role, string? subresource = null) =>
        new(new AccessRule(verb, group, resource, subresource), role);
}
