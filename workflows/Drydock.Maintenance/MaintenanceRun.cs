using Drydock.Kubernetes;
using Drydock.Maintenance.Actions;
using Drydock.Maintenance.Approvals;
using Drydock.Maintenance.Health;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.Planning;

namespace Drydock.Maintenance;

/// <summary>How the work on a node ended, before anything is put back.</summary>
/// <param name="Outcome">How.</param>
/// <param name="Message">One sentence.</param>
/// <param name="KeepNode">The node stays cordoned whatever the policy says: it is not healthy, its machine may be down, or somebody at work on it.</param>
internal sealed record MaintenanceEnd(MaintenanceOutcome Outcome, string Message, bool KeepNode = false)
{
    /// <summary>What it was refused for although the plan had found nothing: somebody else was faster.</summary>
    public PlanFinding? Finding { get; init; }
}

/// <summary>One run of <see cref="MaintenanceOrchestrator"/>: the runbook. Each step gives null to go on, or how it ended.</summary>
internal sealed class MaintenanceRun
{
    private readonly TaskOrchestrationContext _context;
    private readonly MaintenanceRequest _request;
    private readonly string _holder;
    private readonly MaintenanceProgress _progress;
    private readonly MaintenanceChildren _children;
    private readonly CancelWish _cancel;
    private readonly NodeClaim _claim;
    private readonly MaintenanceApprovals _approvals;
    private readonly MaintenanceActions _actions;

    // What was seen so long ago is seen again before the node takes work.
    private static readonly TimeSpan HealthLasts = TimeSpan.FromMinutes(1);

    private MaintenancePlan? _plan;
    private HealthDemand? _demand;
    private DateTimeOffset _healthyAt;
    private IReadOnlyList<NamedProbe> _probes = [];

    public MaintenanceRun(TaskOrchestrationContext context, MaintenanceRequest request)
    {
        _context = context;
        _request = request;
        _holder = Holder.Of(request.HubId, context.InstanceId);
        _progress = new MaintenanceProgress(context, request.Node);
        _children = new MaintenanceChildren(context, request, _holder, _progress);
        _cancel = new CancelWish(context);
        _claim = new NodeClaim(context, request, _holder, _progress, _children, _cancel);
        _approvals = new MaintenanceApprovals(context, request, _progress, _children, _cancel);
        _actions = new MaintenanceActions(context, request, _holder, _progress, _children, _approvals, _cancel);
    }

    public async Task<MaintenanceReport> RunAsync()
    {
        var refused = await PlanAsync() ?? await NextAsync(() => ApproveAsync(ApprovalGate.Start)) ?? await PlanAgainAsync(hasLease: false) ?? await NextAsync(() => _claim.AcquireLeaseAsync(_plan!.NodeUid));
        if (refused is not null)
        {
            await _children.EndAllAsync(isCancel: false);
            return Report(refused, new RestoreResult(false, [], []));
        }

        _children.StartLease(_plan!.NodeUid, _request.LeaseDuration);
        if (await PlanAgainAsync(hasLease: true) is { } changed)
        {
            await _children.EndAllAsync(isCancel: false);
            await _children.EndLeaseAsync();
            await _claim.ReleaseLeaseAsync();
            return Report(changed, new RestoreResult(false, [], []));
        }

        var end = await WorkAsync();
        await _children.ResumedAsync(_cancel, end, _plan.StaysCurrent);
        if (end.Outcome == MaintenanceOutcome.Failed && _actions.MayBeDown)
        {
            end = end with { KeepNode = true };
        }

        if (end is { Outcome: MaintenanceOutcome.Failed, KeepNode: false })
        {
            // Somebody may have ended the wait, and wants the node back.
            end = await CancelledAsync() ?? end;
        }

        var restored = await RestoreAsync(end);
        await _children.EndLeaseAsync();
        await _claim.ReleaseLeaseAsync();
        return Report(restored.IsFailure && end.Outcome == MaintenanceOutcome.Completed ? restored.Failure! : end, restored.Result);
    }

    private async Task<MaintenanceEnd> WorkAsync()
    {
        try
        {
            return await NextAsync(MarkAsync)
                ?? await ActAsync(ActionPoint.BeforeDrain)
                ?? await NextAsync(DrainAsync)
                ?? await ActAsync(ActionPoint.AfterDrain)
                ?? await NextAsync(() => ApproveAsync(ApprovalGate.Action))
                ?? await ActAsync(ActionPoint.Action)
                ?? await NextAsync(EndDrainAsync)
                ?? await NextAsync(HealthAsync)
                ?? await ActAsync(ActionPoint.BeforeUncordon)
                ?? await NextAsync(() => ApproveAsync(ApprovalGate.Uncordon))
                ?? await NextAsync(HealthAgainAsync)
                ?? await _children.PassAsync(_cancel)
                ?? new MaintenanceEnd(MaintenanceOutcome.Completed, $"Node {_request.Node} was maintained and put back.");
        }
        catch (TaskFailedException failure)
        {
            return new MaintenanceEnd(MaintenanceOutcome.Failed, $"{failure.TaskName}: {failure.Sentence()}");
        }
    }

    /// <summary>A step, once the maintenance is not suspended.</summary>
    private async Task<MaintenanceEnd?> NextAsync(Func<Task<MaintenanceEnd?>> step) => await _children.PassAsync(_cancel) ?? await step();

    private async Task<MaintenanceEnd?> PlanAsync()
    {
        _progress.Enter(MaintenanceStep.Plan, "Reading what is on the node.");
        try
        {
            _plan = await _context.Do<MaintenancePlan>(Activities.Plan, new PlanInput(_request, _holder));
        }
        catch (TaskFailedException failure)
        {
            return new MaintenanceEnd(MaintenanceOutcome.Refused, failure.Sentence());
        }

        return _plan.CanStart
            ? await CancelledAsync()
            : new MaintenanceEnd(MaintenanceOutcome.Refused, _plan.Findings.First(finding => finding.Severity == FindingSeverity.Refuses).Message);
    }

    /// <summary>What was approved, or whose lease was free, long after it was read may not be so any more.</summary>
    private async Task<MaintenanceEnd?> PlanAgainAsync(bool hasLease)
    {
        if (_plan is not { } before || !(hasLease ? before.StaysCurrent : before.GoesStale) || _context.Now() - before.At <= StalePlan.Lasts)
        {
            return null;
        }

        var end = await PlanAsync();
        _plan = StalePlan.Renewed(before, _plan);
        return end is null or { Outcome: MaintenanceOutcome.Refused } && _plan.Findings.FirstOrDefault(static finding => finding.Severity == FindingSeverity.Refuses) is { } refusal
            ? new MaintenanceEnd(
                MaintenanceOutcome.Refused, $"This has changed since the plan of {before.At:u}{(before.GoesStale ? ", which was approved" : "")}: {refusal.Message}")
            : end;
    }

    /// <summary>Marks the node, and counts what the probes will ask for again.</summary>
    private async Task<MaintenanceEnd?> MarkAsync()
    {
        _progress.Enter(MaintenanceStep.Mark, "Cordoning the node.");
        _children.KeepsMarks = _plan!.SeesMachineBack;
        _children.RestartsMoves = _plan.StaysCurrent;
        await RecordAsync("BeginMaintenance", "Begin a node maintenance", isWarning: false);
        if (await _claim.MarkAsync() is { } end)
        {
            return end;
        }

        _probes = Resolve.Probes(_request, _plan!.Policy);
        if (_probes.Any(probe => probe.Template.Kind == ProbeKind.Pods))
        {
            _probes = await _context.Do<IReadOnlyList<NamedProbe>>(Activities.ReadProbes, _probes);
        }

        return await CancelledAsync();
    }

    private async Task<MaintenanceEnd?> DrainAsync()
    {
        var deadline = _context.Now() + _request.Drain.Timeout;
        _progress.EnterDrain(_plan!, _request.Drain.OnTimeout == DeadlinePolicy.Wait ? null : deadline);
        _children.StartDrain(
            deadline, _plan!.VirtualMachines.Where(vm => vm.Fate != VmFate.Stays).Select(vm => vm.Vmi), Resolve.KeepsEmpty(_request, _plan.Policy), _plan.Policy,
            _plan.OrdersMachines);
        while (!_children.IsDrained)
        {
            await _children.NextAsync(_cancel.Said);
            if ((await CancelledAsync() ?? _children.Failure) is { } end)
            {
                return end;
            }
        }

        await RecordAsync("SucceedMaintenance", "Node maintenance was succeeded", isWarning: false);
        return await CancelledAsync();
    }

    private Task<MaintenanceEnd?> ApproveAsync(ApprovalGate gate) => _approvals.PassAsync(gate, _plan!.Policy);

    private Task<MaintenanceEnd?> ActAsync(ActionPoint point) => _actions.TakeAsync(point, _plan!, _claim.Reading!.Baseline!.BootId);

    private async Task<MaintenanceEnd?> EndDrainAsync()
    {
        await _children.EndDrainAsync(_cancel);
        return await CancelledAsync() ?? _children.Failure;
    }

    private async Task<MaintenanceEnd?> HealthAsync()
    {
        if (_actions.SkipHealth)
        {
            _actions.SeenHealthy();
            return null;
        }

        _demand = new HealthDemand(_claim.Reading!.Baseline!, _request.Health, Resolve.MustReboot(_request), _actions.RebootedAt) { AskedAt = _context.Now() };
        return await HealthyAsync(_demand, _probes, InstanceIds.Health(_context.InstanceId), "Waiting until the node is healthy.");
    }

    /// <summary>Hooks and a gate may have lasted a day: what was healthy before them need not be any more. Probes are not asked twice.</summary>
    private async Task<MaintenanceEnd?> HealthAgainAsync() =>
        _plan!.SeesMachineBack && !_actions.SkipHealth && _demand is { } demand && _context.Now() - _healthyAt > HealthLasts
            ? await HealthyAsync(
                demand with { RebootedAt = _actions.RebootedAt, AskedAt = _context.Now() }, [],
                InstanceIds.HealthAgain(_context.InstanceId), "Looking once more whether the node is healthy.")
            : null;

    private async Task<MaintenanceEnd?> HealthyAsync(HealthDemand demand, IReadOnlyList<NamedProbe> probes, string id, string message)
    {
        var deadline = _context.Now() + _request.Health.Timeout;
        _progress.Enter(MaintenanceStep.Health, message, deadline);
        var checking = _children.StartHealth(new HealthGateInput(_request.Node, _holder, _context.InstanceId, demand, probes, deadline) { EndsPromptly = true }, id);
        if (await _children.WaitAsync(checking, untilDeadline: false, _cancel) is { } end)
        {
            _children.EndHealth(id);
            return end with { KeepNode = end.Outcome == MaintenanceOutcome.Failed };
        }

        if (await UnhealthyAsync(checking) is { } why)
        {
            return new MaintenanceEnd(MaintenanceOutcome.Failed, why, KeepNode: true);
        }

        _healthyAt = _context.Now();
        _actions.SeenHealthy();
        return null;
    }

    // An unhealthy node must not take work, nor one of which that is not known: it stays cordoned, whatever the failure policy says.
    private async Task<string?> UnhealthyAsync(Task<HealthResult> checking)
    {
        try
        {
            var result = await checking;
            return result.IsHealthy ? null :
                $"Node {_request.Node} was not healthy within {Spoken.Of(_progress.Given(_request.Health.Timeout))}: {string.Join(" ", result.Failing.Take(5).Select(check => check.Saw))}";
        }
        catch (TaskFailedException failure)
        {
            return $"Whether node {_request.Node} is healthy could not be found out: {failure.Sentence()}";
        }
    }

    private async Task<Restored> RestoreAsync(MaintenanceEnd end)
    {
        if (end.Outcome == MaintenanceOutcome.Cancelled)
        {
            _progress.Cancelling();
        }

        _progress.Enter(MaintenanceStep.Restore, end.Outcome == MaintenanceOutcome.Completed ? "Putting the node back." : $"{end.Message} Putting back what was changed.");
        var isCancel = end.Outcome == MaintenanceOutcome.Cancelled;
        await _children.EndAllAsync(isCancel, isCancel ? await _cancel.MigrationsAsync(_request.VirtualMachines.OnCancel) : CancelledMigrations.Finish);
        if (isCancel)
        {
            await _actions.BackAsync(_plan!.SeesMachineBack);
        }

        var keeps = _claim.Marked is not null
            && (end.KeepNode || (end.Outcome == MaintenanceOutcome.Failed && _request.OnFailure == FailurePolicy.KeepCordoned));
        var result = await _children.RestoreAsync(
            keeps, _claim.Marked, mayBeUnread: _request.Remediation == RemediationPolicy.LabelOnly || _claim.Reading is not { NeighboursArePartial: false });
        if (end.Outcome == MaintenanceOutcome.Failed)
        {
            await RecordAsync("FailedMaintenance", "Failed a node maintenance", isWarning: true);
        }
        else if (result is { LeftBehind.Count: 0, IsUncordoned: not false })
        {
            await RecordAsync("UncordonNode", "Uncordon a node", isWarning: false);
        }

        List<string> left = [.. keeps ? _claim.StillHeld(isMarked: !result.IsUnkept) : [], .. result.LeftBehind];
        var downAgain = result.VirtualMachines.FirstOrDefault(vm => !vm.IsRunning);
        var isFailure = result.LeftBehind.Count > 0
            || (downAgain is not null && _request.VirtualMachines.OnRestartTimeout == StuckVmPolicy.Fail);
        return new Restored(result with { LeftBehind = left }, isFailure, isFailure
            ? new MaintenanceEnd(MaintenanceOutcome.Failed, result.LeftBehind is [var first, ..] ? first : $"Virtual machine {downAgain!.Vm}: {downAgain.Message}")
            : null);
    }

    private MaintenanceReport Report(MaintenanceEnd end, RestoreResult restored)
    {
        _progress.Enter(MaintenanceStep.Done, end.Message);
        return new MaintenanceReport(_request.Node, end.Outcome, end.Message)
        {
            Steps = _progress.Steps,
            Pods = _children.Pods,
            VirtualMachines = [.. _children.VirtualMachines.Select(vm => MaintenanceChildren.WithRestore(vm, restored))],
            Approvals = _progress.Approvals,
            Actions = _progress.Actions,
            Findings = end.Outcome == MaintenanceOutcome.Refused ? [.. _plan?.Findings ?? [], .. new[] { end.Finding }.OfType<PlanFinding>()] : [.. _plan?.Findings ?? [], .. _children.Findings, .. _actions.Findings, .. _progress.UnkeptFindings],
            IsRestored = end.Outcome != MaintenanceOutcome.Refused && restored is { LeftBehind.Count: 0, IsUnkept: false },
            LeftBehind = restored.LeftBehind,
            IsNodeKept = end.KeepNode && _claim.Marked is not null && !restored.IsUnkept,
        };
    }

    private Task<MaintenanceEnd?> CancelledAsync() => _cancel.EndAsync();

    private Task RecordAsync(string reason, string message, bool isWarning) => _context.CallActivityAsync<bool>(
        Activities.RecordEvent, new NodeEvent(_request.Node, _plan?.NodeUid, isWarning, reason, message, _context.InstanceId));

    private sealed record Restored(RestoreResult Result, bool IsFailure, MaintenanceEnd? Failure);
}
