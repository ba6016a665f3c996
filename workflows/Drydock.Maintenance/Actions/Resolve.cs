namespace Drydock.Maintenance.Actions;

/// <summary>What a request and its policy come to together.</summary>
internal static class Resolve
{
    /// <summary>How long a machine may take to come back, unless said otherwise.</summary>
    public static readonly TimeSpan PowerTimeout = TimeSpan.FromMinutes(30);

    /// <summary>The gates at which it waits: those asked for and those the policy requires.</summary>
    public static bool Waits(MaintenanceRequest request, MaintenancePolicy? policy, ApprovalGate gate) =>
        request.Approval.Gates.Contains(gate) || policy?.RequiredApprovals.Contains(gate) == true;

    /// <summary>The probes: those the policy requires, then those asked for.</summary>
    public static IReadOnlyList<string> ProbeNames(MaintenanceRequest request, MaintenancePolicy? policy) =>
        [.. (policy?.RequiredProbes ?? []).Concat(request.Health.Probes).Distinct(StringComparer.Ordinal)];

    /// <summary>The job of a step, or null if it has none.</summary>
    public static JobTemplate? Job(ActionStep step, MaintenancePolicy? policy) => step.Kind switch
    {
        MaintenanceAction.Job => step.Options.Job ?? policy?.Jobs[step.Options.Template!],
        MaintenanceAction.Reboot => policy?.RebootJob is { } named ? policy.Jobs[named] : JobManifest.BuiltInReboot,
        _ => null,
    };

    /// <summary>The webhook of a step, or null if it has none.</summary>
    public static WebhookTemplate? Webhook(ActionStep step, MaintenancePolicy? policy) =>
        step.Kind == MaintenanceAction.Webhook ? policy?.Webhooks[step.Options.Template!] : null;

    /// <summary>How long a step may take, or null: for ever.</summary>
    public static TimeSpan? Timeout(ActionStep step, MaintenancePolicy? policy) => step.Options.Timeout ?? step.Kind switch
    {
        MaintenanceAction.Hold => null,
        MaintenanceAction.PowerCycle => PowerTimeout,
        _ => Job(step, policy)?.Timeout ?? Webhook(step, policy)?.Timeout ?? PowerTimeout,
    };

    /// <summary>The probes with what they ask.</summary>
    public static IReadOnlyList<Health.NamedProbe> Probes(MaintenanceRequest request, MaintenancePolicy? policy) =>
    [
        .. ProbeNames(request, policy).Select(name => (Name: name, Template: policy!.Probes[name]))
            .Select(probe => new Health.NamedProbe(probe.Name, probe.Template, probe.Template.Job is { } job ? policy!.Jobs[job] : null)),
    ];

    /// <summary>Something follows the drain that takes its time: the node is kept empty meanwhile, also while it waits for a reboot to be approved.</summary>
    public static bool KeepsEmpty(MaintenanceRequest request, MaintenancePolicy? policy) =>
        request.Action != MaintenanceAction.None || request.Hooks.AfterDrain.Count > 0 || Waits(request, policy, ApprovalGate.Action);

    /// <summary>The boot ID must be another afterwards.</summary>
    public static bool MustReboot(MaintenanceRequest request) => request.Health.MustReboot
        ?? ActionPlanner.StepsOf(request).Any(step => TakesDown(step.Step));

    /// <summary>It takes the machine down, with whatever is on it.</summary>
    public static bool TakesDown(ActionStep step) => step.Kind is MaintenanceAction.Reboot or MaintenanceAction.PowerCycle;
}
