using Drydock.Kubernetes;
using Drydock.Maintenance.Actions;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.Planning;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Maintenance;

/// <summary>Reads what a maintenance would do. Changes nothing and needs no hub.</summary>
/// <param name="cluster">The cluster.</param>
/// <param name="clock">The time.</param>
/// <param name="actions">Looks after actions, approvals and probes.</param>
public sealed class PlanReader(ICluster cluster, TimeProvider clock, ActionPlanner actions)
{
    /// <summary>Every pod and VM on the node with what would happen to it, and every reason it could not.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public Task<MaintenancePlan> ReadAsync(MaintenanceRequest request, CancellationToken cancellationToken) =>
        ReadAsync(request, holder: null, cancellationToken);

    /// <summary>The same for a maintenance that has a name already: its own lease and its own marks are not in its way.</summary>
    public async Task<MaintenancePlan> ReadAsync(MaintenanceRequest request, string? holder, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var now = clock.GetUtcNow();
        var findings = new List<PlanFinding>(RequestChecks.Check(request));
        findings.AddRange(await MissingAccessAsync(request, cancellationToken));
        var empty = new MaintenancePlan(request.Node, now);
        if (findings.Count > 0)
        {
            return empty with { Findings = findings };
        }

        if (await cluster.GetNodeAsync(request.Node, cancellationToken) is not { } node)
        {
            findings.Add(new(FindingSeverity.Refuses, "node-not-found", $"There is no node named {request.Node}."));
            return empty with { Findings = findings };
        }

        var lease = await cluster.GetLeaseAsync(request.Node, cancellationToken);
        findings.AddRange(PlanFindings.OfClocks(cluster.ServerAhead));
        findings.AddRange(PlanFindings.OfNode(request, node, lease, holder, now));
        findings.AddRange(await OfControlPlaneAsync(request, node, cancellationToken));
        var planned = await actions.ReadAsync(request, node, cancellationToken);
        findings.AddRange(planned.Findings);
        findings.AddRange(await actions.UnreadNeighboursAsync(request, cancellationToken));
        findings.AddRange(await actions.UnheldNeighboursAsync(request, node, cancellationToken));
        var pods = await new PodReader(cluster, clock, request.Drain).ReadAsync(request.Node, cancellationToken);
        findings.AddRange(PlanFindings.OfPods(pods));
        findings.AddRange(PlanFindings.OfReturning(pods, node));
        var budgets = await cluster.ListBudgetsAsync(cancellationToken);
        IReadOnlyList<VmForecast> forecasts =
            [.. (await ForecastAsync(request, holder, planned.Policy, pods, findings, cancellationToken)).Select(forecast => VmForecasts.AsRuled(forecast, pods))];
        findings.AddRange(PlanFindings.OfBudgets(pods, budgets, forecasts, request.Drain.OnTimeout));
        findings.AddRange(PlanFindings.OfVirtualMachines(forecasts));
        findings.AddRange(PlanFindings.OfHeld(forecasts));
        findings.AddRange(PlanFindings.OfTimes(request, forecasts));
        findings.AddRange(await ArrivingAsync(request.Node, pods, forecasts, cancellationToken));
        findings.AddRange(PlanFindings.OfForce(forecasts, request.Drain.OnTimeout));

        return empty with
        {
            NodeUid = node.Uid,
            WasCordoned = node.Unschedulable && node.Mark is null,
            Pods = [.. pods.Select(pod => pod.Decision)],
            VirtualMachines = forecasts,
            Steps = planned.Steps,
            Policy = planned.Policy,
            Host = planned.Host,
            GuardsPower = true,
            GoesStale = Resolve.Waits(request, planned.Policy, ApprovalGate.Start),
            OrdersMachines = request.Drain.Rules.Any(static rule => rule.Order < 0)
                || pods.Any(static pod => pod.Decision is { Verdict: PodVerdict.MoveVm, Order: not 0 }),
            SeesMachineBack = true,
            EndsPromptly = true,
            StaysCurrent = true,
            Findings = [.. findings.OrderBy(finding => finding.Severity)],
        };
    }

    /// <summary>
    /// The plans of several nodes that are drained together, and what follows from that: room for their pods elsewhere, budgets that cover
    /// several of them, the control plane, other maintenance.
    /// </summary>
    /// <param name="requests">One for each node.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<NodesPlan> ReadTogetherAsync(IReadOnlyList<MaintenanceRequest> requests, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var planned = new List<PlannedNode>(requests.Count);
        foreach (var request in requests)
        {
            planned.Add(new PlannedNode(request, await ReadAsync(request, cancellationToken)));
        }

        // Who may not read cannot be told more than that.
        var together = planned.Exists(one => one.Plan.NodeUid is null) ? [] : await TogetherAsync(planned, cancellationToken);
        return new NodesPlan([.. planned.Select(one => one.Plan)]) { Findings = together };
    }

    private async Task<IReadOnlyList<PlanFinding>> TogetherAsync(IReadOnlyList<PlannedNode> planned, CancellationToken cancellationToken)
    {
        var pods = await cluster.ListPodsAsync(cancellationToken);
        var nodes = planned.Select(one => one.Plan.Node).ToHashSet(StringComparer.Ordinal);
        var haveVolumes = pods.Any(pod => pod.Claims.Count > 0 && pod.Node is { } node && nodes.Contains(node));
        var unread = haveVolumes
            ? await cluster.GetMissingAccessAsync([new AccessRule("list", "", "persistentvolumes")], cancellationToken)
            : [];
        var found = new ClusterFindings(
            planned,
            await cluster.ListNodesAsync(cancellationToken),
            pods,
            await cluster.ListBudgetsAsync(cancellationToken),
            haveVolumes && unread.Count == 0 ? await cluster.ListVolumePlacesAsync(cancellationToken) : []).All();
        return [.. found, .. unread.Select(rule => new PlanFinding(
            FindingSeverity.Notes,
            "volumes-not-read",
            $"The account may not {rule}: whether the volumes of the pods can be used on the other nodes is not known.",
            NextStep: $"Grant it the verb {rule.Verb} on {rule.Resource}."))];
    }

    private async Task<IEnumerable<PlanFinding>> OfControlPlaneAsync(
        MaintenanceRequest request, NodeSnapshot node, CancellationToken cancellationToken) =>
        await ControlPlane.ProblemAsync(cluster, node, cancellationToken) is { } problem
            ? [new(problem.Kind == ControlPlane.Busy && request.LeaseWait > TimeSpan.Zero ? FindingSeverity.Blocks : FindingSeverity.Refuses, problem.Kind, problem.Message, problem.Object, problem.NextStep)]
            : [];

    private async Task<IEnumerable<PlanFinding>> MissingAccessAsync(MaintenanceRequest request, CancellationToken cancellationToken)
    {
        var identity = await cluster.GetIdentityAsync(cancellationToken);
        return await MissingAsync(Access.Needed(request, identity.HasKubeVirt), cancellationToken);
    }

    private async Task<IEnumerable<PlanFinding>> MissingAsync(IReadOnlyList<AccessRule> needed, CancellationToken cancellationToken)
    {
        var missing = await cluster.GetMissingAccessAsync(needed, cancellationToken);
        return missing.Select(Access.Missing);
    }

    // Their instances are on other nodes until they arrive: only their launchers are here.
    private async Task<IReadOnlyList<PlanFinding>> ArrivingAsync(
        string node, IReadOnlyList<ClassifiedPod> pods, IReadOnlyList<VmForecast> forecasts, CancellationToken cancellationToken)
    {
        var arriving = new List<PlanFinding>();
        foreach (var pod in pods.Where(pod => pod is { Pod.IsFinished: false, Decision.Verdict: PodVerdict.MoveVm }).Select(pod => pod.Pod))
        {
            if (pod.Vmi is { } vmi && NodeFilters.MigrationOf(pod) is { } uid && forecasts.All(forecast => forecast.Vmi != vmi)
                && (await cluster.ListMigrationsAsync(vmi, cancellationToken)).Any(migration => migration.Uid == uid && !migration.IsFinished))
            {
                arriving.Add(PlanFindings.OfArriving(vmi, node));
            }
        }

        return arriving;
    }

    // KubeVirt writes the node into an instance when its launcher runs: until then only the launcher tells that it will be here.
    private async Task<IReadOnlyList<VmiSnapshot>> StartingAsync(
        IReadOnlyList<VmiSnapshot> placed, IReadOnlyList<ClassifiedPod> pods, CancellationToken cancellationToken)
    {
        var starting = new List<VmiSnapshot>();
        foreach (var name in pods.Where(pod => pod is { Pod.IsFinished: false } && NodeFilters.MigrationOf(pod.Pod) is null).Select(pod => pod.Pod.Vmi).OfType<ObjectRef>().Distinct())
        {
            if (placed.All(vmi => vmi.Ref != name) && await cluster.GetVmiAsync(name, cancellationToken) is { Node: null, IsStarting: true } vmi)
            {
                starting.Add(vmi);
            }
        }

        return starting;
    }

    private async Task<IReadOnlyList<VmForecast>> ForecastAsync(
        MaintenanceRequest request, string? holder, MaintenancePolicy? named, IReadOnlyList<ClassifiedPod> pods, List<PlanFinding> findings,
        CancellationToken cancellationToken)
    {
        var policy = VmPolicies.Allowed(request.VirtualMachines, named);
        var placed = await cluster.ListVmisOnNodeAsync(request.Node, cancellationToken);
        IReadOnlyList<VmiSnapshot> instances = [.. placed, .. await StartingAsync(placed, pods, cancellationToken)];
        findings.AddRange(policy.Overrides.Where(one => instances.All(vmi => vmi.Ref.ToString() != one.Vm)).Select(one => new PlanFinding(
            FindingSeverity.Notes, "vm-not-on-node", $"The request names virtual machine {one.Vm}, which is not on node {request.Node}.")));
        if (instances.Count == 0)
        {
            return [];
        }

        var kubeVirt = await cluster.GetKubeVirtAsync(cancellationToken);
        var forecasts = new List<VmForecast>(instances.Count);
        var (deletes, starts) = (false, false);
        foreach (var vmi in instances.Where(vmi => vmi.Phase is not ("Succeeded" or "Failed")))
        {
            var vm = vmi.Vm is { } name ? await cluster.GetVmAsync(name, cancellationToken) : null;
            findings.AddRange(VmPolicies.Problems(policy, vm, request.VirtualMachines.AllowAnnotations).Select(problem => new PlanFinding(
                FindingSeverity.Notes, "vm-annotation", problem, $"virtualmachine/{vmi.Ref}", "Correct or remove the annotation.")));
            var ofMachine = VmPolicies.For(policy, vmi.Ref, VmPolicies.Annotated(policy, vm));
            deletes |= Access.MayDelete(vmi, vm, ofMachine);
            var forecast = VmForecasts.Forecast(vmi, vm, kubeVirt, ofMachine, request.Drain, holder);
            starts |= forecast.Fate == VmFate.RestartsElsewhere && VmForecasts.IsStartedByUs(vm);
            forecasts.Add(forecast);
        }

        if (starts)
        {
            findings.AddRange(await MissingAsync(Access.StartMachines, cancellationToken));
        }

        if (deletes && request.Drain.OnTimeout != DeadlinePolicy.Force)
        {
            findings.AddRange(await MissingAsync([Access.DeleteInstances], cancellationToken));
        }

        return forecasts;
    }
}
