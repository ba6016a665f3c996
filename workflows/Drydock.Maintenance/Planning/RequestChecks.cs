using Drydock.Kubernetes;

namespace Drydock.Maintenance.Planning;

/// <summary>What is wrong with a request, whatever the cluster looks like.</summary>
internal static class RequestChecks
{
    /// <summary>One refusal for each thing that makes no sense.</summary>
    public static IEnumerable<PlanFinding> Check(MaintenanceRequest request)
    {
        if (string.IsNullOrWhiteSpace(request.Node))
        {
            yield return Invalid("The request names no node.");
        }

        if (request.Drain.MaxParallelEvictions is < 1 or > 50)
        {
            yield return Invalid($"At most 50 and at least 1 evictions at a time, not {request.Drain.MaxParallelEvictions}.");
        }

        foreach (var selector in Selectors(request.Drain).Where(text => LabelSelector.Parse(text) is null))
        {
            yield return Invalid($"'{selector}' is not a label selector.");
        }

        if (request.VirtualMachines.MaxAttempts < 1)
        {
            yield return Invalid($"At least one migration must be tried, not {request.VirtualMachines.MaxAttempts}.");
        }

        if (request.VirtualMachines.MaxInboundPerNode < 1)
        {
            yield return Invalid($"At least one migration to a node must be allowed at a time, not {request.VirtualMachines.MaxInboundPerNode}.");
        }

        foreach (var one in request.VirtualMachines.Overrides.Where(one => one.Vm.Split('/') is not [{ Length: > 0 }, { Length: > 0 }]))
        {
            yield return Invalid($"A virtual machine is named NAMESPACE/NAME, not '{one.Vm}'.");
        }

        // A lease shorter than that could lapse between a renewal and the next call.
        if (request.LeaseDuration < TimeSpan.FromSeconds(15))
        {
            yield return Invalid($"The lease must last 15 seconds at least, not {Spoken.Of(request.LeaseDuration)}.");
        }

        foreach (var (name, span) in Spans(request).Where(span => span.Value < TimeSpan.Zero))
        {
            yield return Invalid($"{name} must not be negative ({span}).");
        }

        foreach (var (name, span) in Spans(request).Where(span => span.Value == TimeSpan.Zero && span.MustBePositive))
        {
            yield return Invalid($"{name} must be more than {span}.");
        }
    }

    private static IEnumerable<string> Selectors(DrainPolicy drain) =>
        drain.Rules.SelectMany(rule => new[] { rule.PodSelector, rule.NamespaceSelector }).Append(drain.PodSelector).OfType<string>();

    private static IEnumerable<RequestSpan> Spans(MaintenanceRequest request) =>
    [
        new("The drain's time-out", request.Drain.Timeout, true),
        new("The time-out of a pod", request.Drain.PodTimeout ?? TimeSpan.MaxValue, true),
        new("The grace period", request.Drain.GracePeriod ?? TimeSpan.Zero, false),
        new("The time-out of Pending", request.VirtualMachines.PendingTimeout, true),
        new("The time-out of Scheduling", request.VirtualMachines.SchedulingTimeout, true),
        new("The time-out of a migration", request.VirtualMachines.RunningTimeout, true),
        new("The delay between migrations", request.VirtualMachines.RetryDelay, true),
        new("The time-out of a restart", request.VirtualMachines.RestartTimeout, true),
        new("The time-out of a stop", request.VirtualMachines.StopTimeout, true),
        new("The time-out of the external actor", request.VirtualMachines.ExternalTimeout, true),
        new("The grace period of a stop", request.VirtualMachines.StopGracePeriod ?? TimeSpan.Zero, false),
        new("The time-out of the health check", request.Health.Timeout, true),
        new("The steady time of the health check", request.Health.StableFor, false),
        new("The wait for the lease", request.LeaseWait, false),
    ];

    private static PlanFinding Invalid(string message) => new(FindingSeverity.Refuses, "invalid-request", message);

    private sealed record RequestSpan(string Name, TimeSpan Value, bool MustBePositive)
    {
        public void Deconstruct(out string name, out TimeSpan value) => (name, value) = (Name, Value);
    }
}
