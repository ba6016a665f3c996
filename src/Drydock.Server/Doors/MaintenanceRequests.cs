using Drydock.Api;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>Turns what a caller sent into what is persisted, or into everything that is wrong with it.</summary>
internal static class MaintenanceRequests
{
    private const int MostPlanned = 100;

    private static readonly StuckVmPolicy[] StuckChoices = [StuckVmPolicy.Wait, StuckVmPolicy.ShutDown, StuckVmPolicy.Fail, StuckVmPolicy.Skip];
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);
    private static readonly TimeSpan Week = TimeSpan.FromDays(7);

    /// <summary>Reads a request for one node.</summary>
    public static Answer<MaintenanceRequest> Read(MaintenanceCreate create)
    {
        var reader = new FieldReader();
        var node = reader.NodeName("node", create.Node);
        var request = ReadSettings(reader, "", create, node);
        return reader.Errors.Count == 0 ? request : Problems.Invalid(reader.Errors);
    }

    /// <summary>Reads a plan for several nodes: one request for each.</summary>
    public static Answer<IReadOnlyList<MaintenanceRequest>> Read(PlanCreate create)
    {
        var reader = new FieldReader();
        var nodes = create.Nodes ?? [];
        if (nodes.Count is 0 or > MostPlanned || nodes.Distinct(StringComparer.Ordinal).Count() != nodes.Count)
        {
            reader.Fail("nodes", string.Join(", ", nodes), $"1 to {MostPlanned} names of nodes, each once");
        }

        var requests = nodes.Select((node, index) => ReadSettings(reader, "", create, reader.NodeName($"nodes[{index}]", node))).ToList();
        return reader.Errors.Count == 0 ? Answer<IReadOnlyList<MaintenanceRequest>>.Of(requests) : Problems.Invalid([.. reader.Errors.Distinct()]);
    }

    /// <summary>Reads how a node is maintained; errors go to the reader, with the prefix before each field.</summary>
    public static MaintenanceRequest ReadSettings(FieldReader reader, string prefix, MaintenanceSettings settings, string node)
    {
        var defaults = new MaintenanceRequest(node);
        var action = reader.Choice(prefix + "action", settings.Action, defaults.Action, Enum.GetValues<MaintenanceAction>());
        return defaults with
        {
            Reason = reader.Reason(prefix + "reason", settings.Reason),
            Action = action,
            ActionOptions = ActionRequests.ReadOptions(reader, prefix + "actionOptions.", settings.ActionOptions ?? new ActionSettings(), action),
            Hooks = ActionRequests.ReadHooks(reader, prefix + "hooks.", settings.Hooks ?? new HookSettings()),
            Policy = reader.Text(prefix + "policy", settings.Policy, 253),
            Approval = ActionRequests.ReadApproval(reader, prefix + "approval.", settings.Approval ?? new ApprovalSettings()),
            Remediation = reader.Choice(prefix + "remediation", settings.Remediation, defaults.Remediation, Enum.GetValues<RemediationPolicy>()),
            Drain = ReadDrain(reader, prefix + "drain.", settings.Drain ?? new DrainSettings()),
            VirtualMachines = ReadVms(reader, prefix + "virtualMachines.", settings.VirtualMachines ?? new VirtualMachineSettings()),
            Health = ReadHealth(reader, prefix + "health.", settings.Health ?? new HealthSettings()),
            OnFailure = reader.Choice(
                prefix + "onFailure", settings.OnFailure, defaults.OnFailure, FailurePolicy.Restore, FailurePolicy.KeepCordoned),
            LeaseWait = reader.Duration(prefix + "leaseWait", settings.LeaseWait, defaults.LeaseWait, TimeSpan.Zero, Week),
        };
    }

    private static DrainPolicy ReadDrain(FieldReader reader, string prefix, DrainSettings drain)
    {
        var defaults = new DrainPolicy();
        return new DrainPolicy
        {
            Timeout = reader.Duration(prefix + "timeout", drain.Timeout, defaults.Timeout, Second, Week),

            // The caller needs a permission of its own for Force, which the gate asks for; and it works only where our account may delete
            // pods, which the deployed role may not: the plan says so.
            OnTimeout = reader.Choice(
                prefix + "onTimeout", drain.OnTimeout, defaults.OnTimeout, DeadlinePolicy.Wait, DeadlinePolicy.Fail, DeadlinePolicy.Force),
            GracePeriod = reader.OptionalDuration(prefix + "gracePeriod", drain.GracePeriod, TimeSpan.Zero, Day),
            IgnoreDaemonSets = drain.IgnoreDaemonSets ?? defaults.IgnoreDaemonSets,
            DeleteEmptyDirData = drain.DeleteEmptyDirData ?? defaults.DeleteEmptyDirData,
            EvictUnmanaged = drain.EvictUnmanaged ?? defaults.EvictUnmanaged,
            SkipTerminatingAfter = reader.OptionalDuration(prefix + "skipTerminatingAfter", drain.SkipTerminatingAfter, Second, Day),
            MaxParallelEvictions = reader.Number(
                prefix + "maxParallelEvictions", drain.MaxParallelEvictions, defaults.MaxParallelEvictions, 1, 50),
            KeepFinished = drain.KeepFinished ?? defaults.KeepFinished,
            PodSelector = reader.Selector(prefix + "podSelector", drain.PodSelector),
            Rules = [.. (drain.Rules ?? []).Select((rule, index) => ReadRule(reader, $"{prefix}rules[{index}].", rule))],
            PodTimeout = reader.OptionalDuration(prefix + "podTimeout", drain.PodTimeout, Second, Week),
            WaitForVolumeDetach = drain.WaitForVolumeDetach ?? defaults.WaitForVolumeDetach,
        };
    }

    private static DrainRule ReadRule(FieldReader reader, string prefix, DrainRuleSettings rule)
    {
        var behavior = reader.Choice(
            prefix + "behavior", rule.Behavior ?? "", DrainBehavior.Evict, DrainBehavior.Evict, DrainBehavior.Skip, DrainBehavior.WaitForCompletion);
        if (rule.Order is { } order && behavior != DrainBehavior.Evict)
        {
            reader.Fail(prefix + "order", order.ToString(System.Globalization.CultureInfo.InvariantCulture), $"nothing with {behavior}; only Evict has an order");
        }

        return new DrainRule(behavior)
        {
            PodSelector = reader.Selector(prefix + "podSelector", rule.PodSelector),
            NamespaceSelector = reader.Selector(prefix + "namespaceSelector", rule.NamespaceSelector),
            Order = rule.Order ?? 0,
        };
    }

    private static VirtualMachinePolicy ReadVms(FieldReader reader, string prefix, VirtualMachineSettings vms)
    {
        var defaults = new VirtualMachinePolicy();
        return new VirtualMachinePolicy
        {
            PendingTimeout = reader.Duration(prefix + "pendingTimeout", vms.PendingTimeout, defaults.PendingTimeout, Second, Day),
            SchedulingTimeout = reader.Duration(prefix + "schedulingTimeout", vms.SchedulingTimeout, defaults.SchedulingTimeout, Second, Day),
            RunningTimeout = reader.Duration(prefix + "runningTimeout", vms.RunningTimeout, defaults.RunningTimeout, Second, Week),
            MaxAttempts = reader.Number(prefix + "maxAttempts", vms.MaxAttempts, defaults.MaxAttempts, 1, 20),
            RetryDelay = reader.Duration(prefix + "retryDelay", vms.RetryDelay, defaults.RetryDelay, TimeSpan.Zero, Day),
            OnStuck = Stuck("onStuck", vms.OnStuck, defaults.OnStuck),
            OnNotMigratable = Stuck("onNotMigratable", vms.OnNotMigratable, defaults.OnNotMigratable),
            StopGracePeriod = reader.OptionalDuration(prefix + "stopGracePeriod", vms.StopGracePeriod, TimeSpan.Zero, Day),
            StopTimeout = reader.Duration(prefix + "stopTimeout", vms.StopTimeout, defaults.StopTimeout, Second, Day),
            ExternalTimeout = reader.Duration(prefix + "externalTimeout", vms.ExternalTimeout, defaults.ExternalTimeout, Second, Week),
            MaxInboundPerNode = vms.MaxInboundPerNode is null ? null : reader.Number(prefix + "maxInboundPerNode", vms.MaxInboundPerNode, 1, 1, 100),
            AllowAnnotations = vms.AllowAnnotations ?? defaults.AllowAnnotations,
            OnCancel = reader.Choice(prefix + "onCancel", vms.OnCancel, defaults.OnCancel, Enum.GetValues<CancelledMigrations>()),
            Overrides = [.. (vms.Overrides ?? []).Select((one, index) => ReadOverride(reader, $"{prefix}overrides[{index}].", one))],
            RestartTimeout = reader.Duration(prefix + "restartTimeout", vms.RestartTimeout, defaults.RestartTimeout, Second, Day),
            OnRestartTimeout = reader.Choice(
                prefix + "onRestartTimeout", vms.OnRestartTimeout, defaults.OnRestartTimeout, StuckVmPolicy.Wait, StuckVmPolicy.Fail),
        };

        StuckVmPolicy Stuck(string field, string? text, StuckVmPolicy otherwise) => reader.Choice(prefix + field, text, otherwise, StuckChoices);
    }

    private static VirtualMachineOverride ReadOverride(FieldReader reader, string prefix, VirtualMachineOverrideSettings one)
    {
        if (one.Vm?.Split('/') is not [var ns, var name] || !KubernetesName.IsLabel(ns) || !KubernetesName.IsSubdomain(name))
        {
            reader.Fail(prefix + "vm", one.Vm, "a virtual machine as namespace/name");
        }

        return new VirtualMachineOverride(one.Vm ?? "")
        {
            OnStuck = one.OnStuck is null ? null : reader.Choice(prefix + "onStuck", one.OnStuck, StuckVmPolicy.Wait, StuckChoices),
            OnNotMigratable = one.OnNotMigratable is null ? null : reader.Choice(prefix + "onNotMigratable", one.OnNotMigratable, StuckVmPolicy.Wait, StuckChoices),
        };
    }

    private static HealthPolicy ReadHealth(FieldReader reader, string prefix, HealthSettings health)
    {
        var defaults = new HealthPolicy();
        return new HealthPolicy
        {
            Timeout = reader.Duration(prefix + "timeout", health.Timeout, defaults.Timeout, Second, Day),
            StableFor = reader.Duration(prefix + "stableFor", health.StableFor, defaults.StableFor, TimeSpan.Zero, Day),
            KubeletVersion = ActionRequests.ReadVersion(reader, prefix + "kubeletVersion", health.KubeletVersion),
            MustReboot = health.MustReboot,
            Probes = [.. health.Probes ?? []],
        };
    }
}
