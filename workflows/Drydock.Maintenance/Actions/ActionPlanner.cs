using Drydock.Kubernetes;
using Drydock.Maintenance.Actions;
using Drydock.Maintenance.Node;

namespace Drydock.Maintenance;

/// <summary>What was found out about the actions of a maintenance before it begins.</summary>
/// <param name="Findings">What stands in the way.</param>
internal sealed record ActionPlan(IReadOnlyList<PlanFinding> Findings)
{
    /// <summary>The policy as it is now, or null if none was named.</summary>
    public MaintenancePolicy? Policy { get; init; }

    /// <summary>The machine to power-cycle, or null.</summary>
    public ObjectRef? Host { get; init; }

    /// <summary>What will be done besides draining, in order.</summary>
    public IReadOnlyList<PlannedStep> Steps { get; init; } = [];
}

/// <summary>Finds out whether the actions, approvals and probes of a request can be done, before anything is changed. Reads only.</summary>
public sealed class ActionPlanner(
    ICluster cluster, INeighbours neighbours, IMaintenancePolicies policies, IHttpTargets targets, ISecretFiles secrets, CallbackAddress callbacks)
{
    /// <summary>What is wrong with a Job that a request brings itself, or null.</summary>
    public static string? JobProblem(JobTemplate job) => JobManifest.Problem(job);

    /// <summary>The policy a request names, as it is now; null if it names none, or there is none of that name.</summary>
    public async Task<MaintenancePolicy?> FindPolicyAsync(MaintenanceRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Policy is { } name ? await policies.FindAsync(name, cancellationToken) : null;
    }

    /// <summary>The refusals that need no cluster: what makes no sense.</summary>
    internal static IEnumerable<PlanFinding> Check(MaintenanceRequest request)
    {
        foreach (var (point, step) in StepsOf(request))
        {
            if (Resolve.TakesDown(step) && point is (ActionPoint.BeforeDrain or ActionPoint.BeforeUncordon))
            {
                yield return Invalid($"A {step} is possible as the action or after the drain, not at {Kebab.Of(point.ToString())}.");
            }

            if (step.Options.Timeout <= TimeSpan.Zero || step.Options.PowerOffFor < TimeSpan.Zero || step.Options.RemindEvery < TimeSpan.Zero)
            {
                yield return Invalid($"The times of {step} must not be negative.");
            }
        }

        if (request.Health.KubeletVersion is { } version && !KubeletVersions.IsVersion(version))
        {
            yield return Invalid($"The kubelet's version must be {KubeletVersions.Allowed}, not '{version}'.");
        }
    }

    /// <summary>All actions of a request with where they are taken.</summary>
    internal static IEnumerable<(ActionPoint Point, ActionStep Step)> StepsOf(MaintenanceRequest request) =>
    [
        .. request.Hooks.BeforeDrain.Select(step => (ActionPoint.BeforeDrain, step)),
        .. request.Hooks.AfterDrain.Select(step => (ActionPoint.AfterDrain, step)),
        .. request.Action == MaintenanceAction.None ? [] : new[] { (ActionPoint.Action, new ActionStep(request.Action, request.ActionOptions)) },
        .. request.Hooks.BeforeUncordon.Select(step => (ActionPoint.BeforeUncordon, step)),
    ];

    /// <summary>What may remediate the node while it is away and cannot be read, so that it is not paused.</summary>
    internal async Task<IEnumerable<PlanFinding>> UnreadNeighboursAsync(MaintenanceRequest request, CancellationToken cancellationToken)
    {
        if (request.Remediation == RemediationPolicy.LabelOnly)
        {
            return [];
        }

        var unreadable = await neighbours.FindUnreadableAsync(Neighbourhood.Kinds, cancellationToken);
        var unknown = await neighbours.FindUnknownVersionsAsync(Neighbourhood.Kinds, cancellationToken);
        return
        [
            .. unreadable.Select(rule => NotRead($"The account may not {rule}", $"Grant it the verb {rule.Verb} on {rule.Resource}, or pause them yourself.")),
            .. unknown.Select(kind => NotRead(
                $"The API server serves {kind.Resource} as {string.Join(", ", kind.Served)} alone, which this version of Drydock does not know",
                "Update Drydock, or pause them yourself.")),
        ];

        PlanFinding NotRead(string why, string nextStep) => new(
            FindingSeverity.Notes,
            "remediation-not-read",
            $"{why}: whether one of them remediates node {request.Node} while it is away is not known, and none is paused.",
            NextStep: nextStep);
    }

    /// <summary>What remediates the node and could not be paused: found out before the node is cordoned, not after.</summary>
    internal async Task<IEnumerable<PlanFinding>> UnheldNeighboursAsync(MaintenanceRequest request, NodeSnapshot node, CancellationToken cancellationToken)
    {
        if (request.Remediation == RemediationPolicy.LabelOnly)
        {
            return [];
        }

        var held = (await Neighbourhood.ReadAsync(neighbours, node, cancellationToken)).Held;
        return held.Count == 0 ? [] : (await neighbours.FindUnchangeableAsync([.. held.Select(static one => (one.Kind, one.Ref.Namespace))], cancellationToken)).Select(rule => new PlanFinding(
            FindingSeverity.Refuses,
            "missing-permission",
            $"The account may not {rule}{(rule.Namespace is null ? "" : $" in namespace {rule.Namespace}")}: what remediates node {request.Node} while it is away could not be paused.",
            NextStep: $"Grant it the verb {rule.Verb} on {rule.Resource}, or pause them yourself and ask for remediation LabelOnly."));
    }

    /// <summary>Reads what the actions of the request need.</summary>
    internal async Task<ActionPlan> ReadAsync(MaintenanceRequest request, NodeSnapshot node, CancellationToken cancellationToken)
    {
        var findings = new List<PlanFinding>(Check(request));
        var policy = await FindPolicyAsync(request, cancellationToken);
        if (request.Policy is not null && policy is null)
        {
            findings.Add(new(
                FindingSeverity.Refuses, "policy-not-found", $"There is no policy named {request.Policy}.",
                NextStep: $"There {(await policies.ListNamesAsync(cancellationToken) is { Count: > 0 } names ? $"are: {string.Join(", ", names)}" : "is none at all; an admin must write it")}."));
            return new ActionPlan(findings);
        }

        var found = new ActionFindings(request, policy, node, targets, secrets, callbacks);
        findings.AddRange(await found.ReadAsync(cancellationToken));
        findings.AddRange(await MissingAccessAsync(found.Access, cancellationToken));
        findings.AddRange(await OfOpenShiftAsync(request, policy, cancellationToken));
        var hosts = StepsOf(request).Any(step => step.Step.Kind == MaintenanceAction.PowerCycle)
            ? await BareMetalHosts.FindAsync(neighbours, node, cancellationToken)
            : [];
        findings.AddRange(OfHosts(request, node.Name, hosts));
        ObjectRef? host = hosts is [var one] ? one.Ref : null;
        return new ActionPlan(findings)
        {
            Policy = policy,
            Host = host,
            Steps = PlannedSteps.Of(request, policy, host),
        };
    }

    // There a pod may be privileged only if its account may use such a security context constraint: else no pod of the Job is made.
    private async Task<IEnumerable<PlanFinding>> OfOpenShiftAsync(MaintenanceRequest request, MaintenancePolicy? policy, CancellationToken cancellationToken) =>
        policy?.RebootJob is null && StepsOf(request).Any(step => step.Step.Kind == MaintenanceAction.Reboot)
            && (await cluster.GetIdentityAsync(cancellationToken)).HasOpenShift
            ? [new(
                FindingSeverity.Notes, "reboot-needs-scc",
                $"This is OpenShift: the built-in reboot Job is privileged and runs as default of {JobManifest.BuiltInReboot.Namespace}, of which no pod is made unless that account may use the SCC privileged.",
                $"serviceaccount/{JobManifest.BuiltInReboot.Namespace}/default",
                $"Add infra/kubernetes/components/actions-openshift, and let the policy name a Job as its rebootJob, in {JobManifest.BuiltInReboot.Namespace}, with serviceAccountName: drydock-reboot.")]
            : [];

    private static IEnumerable<PlanFinding> OfHosts(MaintenanceRequest request, string node, IReadOnlyList<NeighbourSnapshot> hosts)
    {
        if (StepsOf(request).All(step => step.Step.Kind != MaintenanceAction.PowerCycle))
        {
            yield break;
        }

        var host = hosts is [var one] ? one : null;
        var why = host switch
        {
            null when hosts.Count > 1 =>
                $"Which BareMetalHost is the machine of node {node} cannot be told: {string.Join(", ", hosts.Select(static found => found.Ref))} are consumed by Machines whose nodeRef has that name.",
            null => $"No BareMetalHost is known to be the machine of node {node}: none is consumed by a Machine whose nodeRef is this node.",
            { Power.CannotBeOff: true } => $"BareMetalHost {host.Ref} cannot be switched off (spec.disablePowerOff).",
            { Power.IsWantedOn: false } => $"BareMetalHost {host.Ref} is meant to be off (spec.online is false): it would not be switched on again.",
            _ when host.Annotations.ContainsKey(PowerKey.Paused) => $"BareMetalHost {host.Ref} is paused: metal3 would not switch it.",
            _ when host.Annotations.ContainsKey(PowerKey.Detached) => $"BareMetalHost {host.Ref} is detached: metal3 would not switch it.",
            _ => null,
        };
        if (why is not null)
        {
            yield return new(
                FindingSeverity.Refuses, "power-cycle-impossible", why, host is null ? $"node/{node}" : $"baremetalhost/{host.Ref}",
                "Ask for a reboot, or hold the node and switch the machine by hand.");
        }
        else if (host!.Power!.ErrorType is { } error)
        {
            yield return new(
                FindingSeverity.Blocks, "host-error", $"BareMetalHost {host.Ref} is in error: {error}: {host.Power.ErrorMessage}", $"baremetalhost/{host.Ref}",
                "See to its management controller first.");
        }
        else if (!host.Power!.IsOn)
        {
            yield return new(
                FindingSeverity.Notes, "host-off", $"BareMetalHost {host.Ref} is off already; it is kept off as long as asked and then switched on.",
                $"baremetalhost/{host.Ref}");
        }
    }

    private async Task<IEnumerable<PlanFinding>> MissingAccessAsync(IReadOnlyList<AccessRule> needed, CancellationToken cancellationToken) =>
        needed.Count == 0 ? [] : (await cluster.GetMissingAccessAsync(needed, cancellationToken)).Select(Access.Missing);

    private static PlanFinding Invalid(string message) => new(FindingSeverity.Refuses, "invalid-request", message);
}
