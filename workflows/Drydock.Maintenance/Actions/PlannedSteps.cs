using Drydock.Kubernetes;

namespace Drydock.Maintenance.Actions;

/// <summary>What will be done, in words and in order.</summary>
internal static class PlannedSteps
{
    public static IReadOnlyList<PlannedStep> Of(MaintenanceRequest request, MaintenancePolicy? policy, ObjectRef? host)
    {
        var steps = new List<PlannedStep>();
        Approve(ApprovalGate.Start, "before anything is changed");
        Act(ActionPoint.BeforeDrain, "before the drain");
        steps.Add(new("drain", $"Cordon and drain the node, within {Spoken.Of(request.Drain.Timeout)}."));
        var after = request.Hooks.AfterDrain.TakeWhile(static step => !Resolve.TakesDown(step)).ToList();
        Take(after, "after the drain");
        Approve(ApprovalGate.Action, after.Count < request.Hooks.AfterDrain.Count ? "before the machine goes down" : "before the action");
        Take(request.Hooks.AfterDrain.Skip(after.Count), "after the drain");
        Act(ActionPoint.Action, "as the action");
        steps.Add(new("health", Health(request, policy)));
        Act(ActionPoint.BeforeUncordon, "before the node takes work again");
        Approve(ApprovalGate.Uncordon, "before the node takes work again");
        return steps;

        void Approve(ApprovalGate gate, string when)
        {
            if (Resolve.Waits(request, policy, gate))
            {
                steps.Add(new("approval", $"Wait, {Spoken.Of(request.Approval.Timeout)} at the most, until somebody approves, {when}."));
            }
        }

        void Act(ActionPoint point, string when) => Take(ActionPlanner.StepsOf(request).Where(step => step.Point == point).Select(step => step.Step), when);

        void Take(IEnumerable<ActionStep> taken, string when) =>
            steps.AddRange(taken.Select(step => new PlannedStep(Kebab.Of(step.Kind.ToString()), Sentence(step, policy, host, when))));
    }

    private static string Sentence(ActionStep step, MaintenancePolicy? policy, ObjectRef? host, string when)
    {
        var what = step.Kind switch
        {
            MaintenanceAction.Hold => "Hold the node until somebody says complete",
            MaintenanceAction.Reboot => $"Reboot the node by a Job{(policy?.RebootJob is { } job ? $" ({job} of policy {policy.Name})" : "")}",
            MaintenanceAction.PowerCycle => $"Switch BareMetalHost {host} off and on again, off for {Off(step.Options)}",
            MaintenanceAction.Job when step.Options.Job is { } own => $"Run the Job of the request in namespace {own.Namespace} on the node",
            MaintenanceAction.Job => $"Run Job {step.Options.Template} of policy {policy?.Name} on the node",
            _ => $"Call webhook {step.Options.Template} of policy {policy?.Name}",
        };
        var timeout = IsKnown(step, policy) ? Resolve.Timeout(step, policy) : step.Options.Timeout;
        return $"{what}, {when}{(timeout is { } within ? $", within {Spoken.Of(within)}" : "")}.";
    }

    // A plan that refuses is shown too.
    private static bool IsKnown(ActionStep step, MaintenancePolicy? policy) => step.Kind switch
    {
        MaintenanceAction.Job => step.Options.Job is not null || policy?.Jobs.ContainsKey(step.Options.Template ?? "") == true,
        MaintenanceAction.Webhook => policy?.Webhooks.ContainsKey(step.Options.Template ?? "") == true,
        MaintenanceAction.Reboot => policy?.RebootJob is not { } named || policy.Jobs.ContainsKey(named),
        _ => true,
    };

    private static string Off(ActionOptions options) => options.PowerOffUntilComplete ? "as long as it takes until somebody says complete" : Spoken.Of(options.PowerOffFor);

    private static string Health(MaintenanceRequest request, MaintenancePolicy? policy)
    {
        List<string> wanted = [$"Ready for {Spoken.Of(request.Health.StableFor)}"];
        if (Resolve.MustReboot(request))
        {
            wanted.Add("rebooted");
        }

        if (request.Health.KubeletVersion is { } version)
        {
            wanted.Add($"kubelet at least {version}");
        }

        wanted.AddRange(Resolve.ProbeNames(request, policy).Select(probe => $"probe {probe} passes"));
        return $"Wait until the node is healthy ({string.Join(", ", wanted)}), within {Spoken.Of(request.Health.Timeout)}.";
    }
}
