using Drydock.Api;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>Says what is persisted in the words of the API.</summary>
internal static class MaintenanceViews
{
    private const int MostBlockers = 20;

    /// <summary>A maintenance as it stands.</summary>
    /// <param name="tree">What the hub has.</param>
    /// <param name="withPods">Whether the report lists each pod.</param>
    public static MaintenanceView View(InstanceTree tree, bool withPods)
    {
        var (root, request, status, report) = (tree.Root, tree.Request, tree.Status, tree.Report);
        var drain = Drain(tree);
        var vms = Vms(tree, onlyUnderWay: false);
        var state = State(root, status, report);
        var isOver = root.IsCompleted;
        return new MaintenanceView(
            root.InstanceId, request.Node, state, isOver ? nameof(MaintenanceStep.Done) : (status?.Step ?? MaintenanceStep.Plan).ToString(), Message(tree, state))
        {
            Reason = request.Reason,
            RequestedBy = request.RequestedBy,
            Action = request.Action.ToString(),
            StartedAt = root.CreatedAt,
            EndedAt = isOver ? root.LastUpdatedAt : null,
            StepSince = isOver ? null : status?.StepSince,
            LeaseLostAt = isOver ? null : status?.LeaseLostAt,
            Deadline = isOver || state == MaintenanceState.Suspended ? null : ActionViews.Deadline(tree),
            Steps = [.. (report?.Steps ?? status?.Steps ?? []).Select(static step => new StepView(step.Step.ToString(), step.From, step.To))],
            AwaitsApproval = isOver ? null : status?.AwaitsApproval?.ToString(),
            AwaitsComplete = isOver ? null : status?.AwaitsComplete(),
            Approvals = ActionViews.Approvals(tree),
            Actions = ActionViews.Actions(tree),
            Suspension = state == MaintenanceState.Suspended && status?.Suspension is { } suspension ? new(suspension.By, suspension.Reason, suspension.Since) : null,
            Steers = [.. (status?.Steers ?? []).Select(static steer => new SteerView(steer.Kind.ToString(), steer.By, steer.Reason, steer.At) { From = steer.From, To = steer.To })],
            Pods = Count(status, drain, report),
            Vms = Vms(isOver ? vms : [.. InOrder(drain), .. vms], report),
            Blockers = isOver ? [] : Blockers(tree, drain),
            Findings = [.. (report?.Findings ?? []).Select(View)],
            LeftBehind = LeftBehind(tree, state),
            Report = report is null ? null : View(report, withPods),
        };
    }

    /// <summary>A plan.</summary>
    public static PlanView View(MaintenancePlan plan) => new(plan.Node, plan.At, plan.CanStart, plan.WasCordoned)
    {
        Pods = [.. plan.Pods.Select(static pod => new PlannedPod(pod.Pod.Namespace, pod.Pod.Name, pod.Verdict.ToString(), pod.Rule, pod.Reason) { Order = pod.Order })],
        Vms =
        [
            .. plan.VirtualMachines.Select(static vm => new PlannedVm(vm.Vmi.Namespace, vm.Vmi.Name, vm.Fate.ToString(), vm.Reason)
            {
                EvictionStrategy = vm.EvictionStrategy,
                StrategySource = vm.StrategySource,
                IsLiveMigratable = vm.IsLiveMigratable,
                WhyNotMigratable = vm.WhyNotMigratable,
                RunStrategy = vm.RunStrategy,
            }),
        ],
        Steps = ActionViews.Steps(plan),
        Findings = [.. plan.Findings.Select(View)],
    };

    /// <summary>Plans of several nodes.</summary>
    public static PlansView View(NodesPlan plan) => new(plan.CanStart)
    {
        Plans = [.. plan.Nodes.Select(View)],
        Findings = [.. plan.Findings.Select(View)],
    };

    /// <summary>Where a maintenance stands.</summary>
    public static MaintenanceState State(OrchestrationMetadata root, MaintenanceStatus? status, MaintenanceReport? report) => root.RuntimeStatus switch
    {
        OrchestrationRuntimeStatus.Pending => MaintenanceState.Pending,
        OrchestrationRuntimeStatus.Suspended => MaintenanceState.Suspended,
        OrchestrationRuntimeStatus.Terminated => MaintenanceState.Abandoned,
        OrchestrationRuntimeStatus.Failed => MaintenanceState.Failed,
        OrchestrationRuntimeStatus.Completed => report?.Outcome switch
        {
            MaintenanceOutcome.Completed => MaintenanceState.Completed,
            MaintenanceOutcome.Refused => MaintenanceState.Refused,
            MaintenanceOutcome.Cancelled => MaintenanceState.Cancelled,
            _ => MaintenanceState.Failed,
        },
        _ => status switch
        {
            { IsCancelling: true } => MaintenanceState.Cancelling,
            { IsLeaseLost: true } => MaintenanceState.LeaseLost,
            { Suspension: not null } => MaintenanceState.Suspended,
            { AwaitsApproval: not null } => MaintenanceState.AwaitingApproval,
            { IsHolding: true } => MaintenanceState.Holding,
            _ => MaintenanceState.Running,
        },
    };

    private static string Message(InstanceTree tree, MaintenanceState state) => state switch
    {
        MaintenanceState.Pending => "It is recorded and begins as soon as a worker is free.",
        MaintenanceState.Abandoned => "It was ended by force.",
        MaintenanceState.Suspended when tree.Status is { Suspension: { } suspension } status =>
            $"{suspension.Sentence()} Nothing new is begun and no deadline passes until it is resumed. {status.Message}",
        MaintenanceState.LeaseLost when tree.Status is { } status => status.Message,
        _ => tree.Report?.Message ?? tree.Root.FailureDetails?.ErrorMessage ?? ActionViews.Message(tree) ?? tree.Status?.Message ?? "It begins.",
    };

    private static IReadOnlyList<string> LeftBehind(InstanceTree tree, MaintenanceState state) => (tree.Report, state) switch
    {
        ({ } report, _) => report.LeftBehind,
        (null, MaintenanceState.Failed or MaintenanceState.Abandoned) =>
            [$"Node {tree.Request.Node} may still be cordoned and marked; 'drydock restore {tree.Request.Node}' puts it back."],
        _ => [],
    };

    // What it told last goes with it: when it is over nothing is tried any more, and its output has what became of the pods.
    private static DrainStatus? Drain(InstanceTree tree)
    {
        if (tree.Children.FirstOrDefault(static child => child.Name == Orchestrations.Drain) is not { } drain)
        {
            return null;
        }

        var told = drain.ReadCustomStatusAs<DrainStatus>();
        if (!drain.IsCompleted)
        {
            return told;
        }

        var pods = drain.RuntimeStatus == OrchestrationRuntimeStatus.Completed ? DrainPods.ReadEnd(drain.SerializedOutput)?.Where(static pod => !pod.IsLauncher).ToList() : null;
        return pods is not null ? new DrainStatus(pods.Count, pods.Count(static pod => pod.IsGone))
            : told is not null ? new DrainStatus(told.Total, told.Gone)
            : null;
    }

    private static PodCounts Count(MaintenanceStatus? status, DrainStatus? drain, MaintenanceReport? report)
    {
        // The launcher pods that migrated machines leave behind belong to the machines.
        var left = report?.Pods.Where(static pod => !pod.IsLauncher).ToList();
        var toEvict = left is { Count: > 0 } ? left.Count : drain?.Total ?? status?.PodsToEvict ?? 0;
        var gone = left?.Count(static pod => pod.IsGone) ?? drain?.Gone ?? 0;
        return new PodCounts(status?.PodsTotal ?? 0, toEvict, gone, report is null ? drain?.Terminating ?? 0 : 0);
    }

    private static List<VmStatus> Vms(InstanceTree tree, bool onlyUnderWay) =>
    [
        .. tree.Statuses<VmStatus>(Orchestrations.MoveVm, onlyUnderWay),
        .. tree.Statuses<RestoreStatus>(Orchestrations.Restore, onlyUnderWay).SelectMany(static restore => restore.VirtualMachines),
    ];

    private static IEnumerable<VmStatus> InOrder(DrainStatus? drain) => (drain?.MachinesInOrder ?? []).Select(vm => new VmStatus(
        vm, VmProgress.Waiting, $"Its turn comes when all of order {drain!.OrderInHand}{(drain.OrderInHand == 0 ? ", which is what no rule gives another," : "")} has left the node."));

    private static List<VmView> Vms(List<VmStatus> moving, MaintenanceReport? report)
    {
        var views = new Dictionary<string, VmView>(StringComparer.Ordinal);
        foreach (var vm in moving)
        {
            views[vm.Vmi.ToString()] = new VmView(vm.Vmi.Namespace, vm.Vmi.Name, vm.Progress.ToString(), vm.Message)
            {
                Phase = vm.MigrationPhase,
                Attempts = vm.Attempts,
                Since = vm.Since,
                Deadline = vm.Deadline,
            };
        }

        foreach (var result in report?.VirtualMachines ?? [])
        {
            var vmi = result.Vmi;
            var progress = result.Outcome is VmOutcome.StillThere or VmOutcome.Skipped ? VmProgress.Blocked : VmProgress.Gone;
            var before = views.GetValueOrDefault(vmi.ToString()) ?? new VmView(vmi.Namespace, vmi.Name, "", "");
            views[vmi.ToString()] = before with
            {
                Progress = progress.ToString(),
                Message = result.Message,
                Attempts = result.Attempts,
                Deadline = null,
                Outcome = result.Outcome.ToString(),
                Node = result.Node,
                IsRestored = result.IsRestored,
            };
        }

        // As pages go on: '-' sorts before '/', so that whole names would sort otherwise than their parts.
        return [.. views.Values.OrderBy(static vm => vm.Namespace, StringComparer.Ordinal).ThenBy(static vm => vm.Name, StringComparer.Ordinal)];
    }

    // What a part that is over was held up by holds nothing up.
    private static List<BlockerView> Blockers(InstanceTree tree, DrainStatus? drain) =>
        [.. (drain?.Blockers ?? [])
            .Concat(Vms(tree, onlyUnderWay: true).Select(static vm => vm.Blocker).OfType<Blocker>())
            .OrderBy(static blocker => blocker.Since)
            .Take(MostBlockers)
            .Select(static blocker => new BlockerView(
                blocker.Kind, blocker.Pod, blocker.Object, blocker.Message, blocker.Since, blocker.Attempts, blocker.NextTry, blocker.Deadline, blocker.NextStep))];

    private static FindingView View(PlanFinding finding) =>
        new(finding.Severity.ToString(), finding.Kind, finding.Message, finding.Object, finding.NextStep);

    private static ReportView View(MaintenanceReport report, bool withPods) => new(report.Outcome.ToString(), report.Message, report.IsRestored)
    {
        Pods = withPods
            ? [.. report.Pods.Select(View)]
            : [],
    };

    /// <summary>What became of a pod.</summary>
    public static PodResultView View(PodResult pod) =>
        new(pod.Pod.Namespace, pod.Pod.Name, pod.Uid, pod.IsGone, pod.Attempts, pod.AcceptedAt, pod.GoneAt, pod.LastAnswer);
}
