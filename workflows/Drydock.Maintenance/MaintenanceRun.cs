using Drydock.Kubernetes;
using Drydock.Maintenance.Lease;
using Drydock.Maintenance.Node;

namespace Drydock.Maintenance;

/// <summary>How the work on a node ended, before anything is put back.</summary>
/// <param name="Outcome">How.</param>
/// <param name="Message">One sentence.</param>
/// <param name="KeepNode">The node stays cordoned whatever the policy says: it is not healthy.</param>
internal sealed record MaintenanceEnd(MaintenanceOutcome Outcome, string Message, bool KeepNode = false);

/// <summary>One run of <see cref="MaintenanceOrchestrator"/>: the runbook. Each step gives null to go on, or how it ended.</summary>
internal sealed class MaintenanceRun
{
    private static readonly TimeSpan LeaseRetry = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestWaitForLease = TimeSpan.FromMinutes(10);

    private readonly TaskOrchestrationContext _context;
    private readonly MaintenanceRequest _request;
    private readonly string _holder;
    private readonly MaintenanceProgress _progress;
    private readonly MaintenanceChildren _children;
    private readonly Task<Cancel> _cancel;

    private MaintenancePlan? _plan;
    private NodeReading? _node;
    private bool _skipHealth;

    public MaintenanceRun(TaskOrchestrationContext context, MaintenanceRequest request)
    {
        _context = context;
        _request = request;
        _holder = Holder.Of(request.HubId, context.InstanceId);
        _progress = new MaintenanceProgress(context, request.Node);
        _children = new MaintenanceChildren(context, request, _holder, _progress);
        _cancel = context.WaitForExternalEvent<Cancel>(MaintenanceEvents.Cancel);
    }

    public async Task<MaintenanceReport> RunAsync()
    {
        var refused = await PlanAsync() ?? await AcquireLeaseAsync();
        if (refused is not null)
        {
            return Report(refused, new RestoreResult(false, [], []));
        }

        _children.StartLease(_plan!.NodeUid, _request.LeaseDuration);
        var end = await WorkAsync();
        var restored = await RestoreAsync(end);
        await _children.EndLeaseAsync();
        await ReleaseLeaseAsync();
        return Report(restored.IsFailure && end.Outcome == MaintenanceOutcome.Completed ? restored.Failure! : end, restored.Result);
    }

    private async Task<MaintenanceEnd> WorkAsync()
    {
        try
        {
            return await MarkAsync() ?? await DrainAsync() ?? await HoldAsync() ?? await HealthAsync()
                ?? new MaintenanceEnd(MaintenanceOutcome.Completed, $"Node {_request.Node} was maintained and put back.");
        }
        catch (TaskFailedException failure)
        {
            return new MaintenanceEnd(MaintenanceOutcome.Failed, $"{failure.TaskName}: {failure.Sentence()}");
        }
    }

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

    private async Task<MaintenanceEnd?> AcquireLeaseAsync()
    {
        var until = _context.Now() + _request.LeaseWait;
        _progress.Enter(MaintenanceStep.Lease, "Taking the lease of the node.", _request.LeaseWait > TimeSpan.Zero ? until : null);
        var lease = new LeaseInput(_request.Node, _plan!.NodeUid, _holder, _request.LeaseDuration);
        try
        {
            while (true)
            {
                var outcome = await _context.Do<LeaseOutcome>(Activities.AcquireLease, lease);
                if (await CancelledAsync() is { } cancelled)
                {
                    await ReleaseLeaseAsync();
                    return cancelled;
                }

                if (outcome.IsOurs)
                {
                    return null;
                }

                var held = $"The lease of node {_request.Node} is held by {Holder.Describe(outcome.Holder)} until {outcome.ExpiresAt:u}.";
                if (_context.Now() >= until)
                {
                    return new MaintenanceEnd(MaintenanceOutcome.Refused, held);
                }

                _progress.Say(held);
                await PauseAsync(LeaseRetry);
            }
        }
        catch (TaskFailedException failure)
        {
            return new MaintenanceEnd(MaintenanceOutcome.Refused, failure.Sentence());
        }
    }

    private async Task<MaintenanceEnd?> MarkAsync()
    {
        _progress.Enter(MaintenanceStep.Mark, "Cordoning the node.");
        await RecordAsync("BeginMaintenance", "Begin a node maintenance", isWarning: false);
        _node = await _context.Do<NodeReading>(Activities.ReadNode, new NodeInput(_request.Node, _holder));
        if (_node.Prior is not { } prior)
        {
            return new MaintenanceEnd(
                MaintenanceOutcome.Failed,
                _node.Uid is null ? $"Node {_request.Node} is gone." : $"Node {_request.Node} is held by {Holder.Describe(_node.HeldBy)}.");
        }

        var giveUpAt = _context.Now() + LongestWaitForLease;
        while (true)
        {
            var marked = await _context.Do<ActResult>(Activities.MarkNode, new MarkNodeInput(_request.Node, _holder, prior));
            if (marked.Verdict == Verdict.Done)
            {
                return await CancelledAsync();
            }

            if (await CancelledAsync() is { } cancelled)
            {
                return cancelled;
            }

            if (marked.Verdict != Verdict.LeaseLost || _context.Now() >= giveUpAt)
            {
                return new MaintenanceEnd(MaintenanceOutcome.Failed, marked.Message ?? $"Node {_request.Node} could not be marked.");
            }

            _progress.Say(marked.Message!);
            await PauseAsync(LeaseRetry);
        }
    }

    private async Task<MaintenanceEnd?> DrainAsync()
    {
        var deadline = _context.Now() + _request.Drain.Timeout;
        _progress.EnterDrain(_plan!, _request.Drain.OnTimeout == DeadlinePolicy.Wait ? null : deadline);
        _children.StartDrain(deadline, _plan!.VirtualMachines.Where(vm => vm.Fate != VmFate.Stays).Select(vm => vm.Vmi), keepsEmpty: _request.Action == MaintenanceAction.Hold);
        while (!_children.IsDrained)
        {
            await _children.NextAsync(_cancel);
            if ((await CancelledAsync() ?? _children.Failure) is { } end)
            {
                return end;
            }
        }

        await RecordAsync("SucceedMaintenance", "Node maintenance was succeeded", isWarning: false);
        return await CancelledAsync();
    }

    private async Task<MaintenanceEnd?> HoldAsync()
    {
        if (_request.Action != MaintenanceAction.Hold)
        {
            return null;
        }

        _progress.Hold($"Node {_request.Node} is empty and held until somebody says complete.");
        var complete = _context.WaitForExternalEvent<Complete>(MaintenanceEvents.Complete);
        while (!complete.IsCompleted)
        {
            await _children.NextAsync(_cancel, complete);
            if ((await CancelledAsync() ?? _children.Failure) is { } end)
            {
                return end;
            }
        }

        _skipHealth = (await complete).SkipHealth;
        await _children.EndDrainAsync();
        return null;
    }

    private async Task<MaintenanceEnd?> HealthAsync()
    {
        if (_skipHealth)
        {
            return null;
        }

        var deadline = _context.Now() + _request.Health.Timeout;
        _progress.Enter(MaintenanceStep.Health, "Waiting until the node is healthy.", deadline);
        HealthSeen? seen = null;
        while (true)
        {
            seen = await _context.Await<HealthSeen>(
                Activities.AwaitHealth,
                new AwaitHealthInput(_request.Node, _node!.Baseline!, _request.Health, seen?.Fingerprint(), seen?.Cursor, deadline),
                _request.Node,
                _cancel);
            if (await CancelledAsync() is { } cancelled)
            {
                return cancelled;
            }

            if (seen.Failing.Count == 0)
            {
                return null;
            }

            var why = string.Join(" ", seen.Failing.Take(5).Select(check => check.Saw));
            if (_context.Now() >= deadline)
            {
                // An unhealthy node must not take work: it stays cordoned, whatever the failure policy says.
                return new MaintenanceEnd(
                    MaintenanceOutcome.Failed, $"Node {_request.Node} was not healthy within {_request.Health.Timeout}: {why}", KeepNode: true);
            }

            _progress.Say($"Waiting until the node is healthy: {why}");
        }
    }

    private async Task<Restored> RestoreAsync(MaintenanceEnd end)
    {
        if (end.Outcome == MaintenanceOutcome.Cancelled)
        {
            _progress.Cancelling();
        }

        _progress.Enter(MaintenanceStep.Restore, end.Outcome == MaintenanceOutcome.Completed ? "Putting the node back." : $"{end.Message} Putting back what was changed.");
        await _children.EndAllAsync(isCancel: end.Outcome == MaintenanceOutcome.Cancelled);
        var keeps = end.KeepNode || (end.Outcome == MaintenanceOutcome.Failed && _request.OnFailure == FailurePolicy.KeepCordoned);
        var result = await _children.RestoreAsync(keeps);
        if (end.Outcome == MaintenanceOutcome.Failed)
        {
            await RecordAsync("FailedMaintenance", "Failed a node maintenance", isWarning: true);
        }
        else if (result.LeftBehind.Count == 0)
        {
            await RecordAsync("UncordonNode", "Uncordon a node", isWarning: false);
        }

        var left = keeps
            ? [$"Node {_request.Node} is still cordoned, tainted and marked. When it is fit: drydock restore {_request.Node}", .. result.LeftBehind]
            : result.LeftBehind;
        var downAgain = result.VirtualMachines.FirstOrDefault(vm => !vm.IsRunning);
        var isFailure = result.LeftBehind.Count > 0
            || (downAgain is not null && _request.VirtualMachines.OnRestartTimeout == StuckVmPolicy.Fail);
        return new Restored(result with { LeftBehind = left }, isFailure, isFailure
            ? new MaintenanceEnd(MaintenanceOutcome.Failed, result.LeftBehind is [var first, ..] ? first : $"Virtual machine {downAgain!.Vm}: {downAgain.Message}")
            : null);
    }

    private async Task ReleaseLeaseAsync()
    {
        try
        {
            await _context.Undo<bool>(Activities.ReleaseLease, new NodeInput(_request.Node, _holder));
        }
        catch (TaskFailedException)
        {
            // It lapses by itself; nothing acts on it any more.
        }
    }

    private MaintenanceReport Report(MaintenanceEnd end, RestoreResult restored)
    {
        _progress.Enter(MaintenanceStep.Done, end.Message);
        return new MaintenanceReport(_request.Node, end.Outcome, end.Message)
        {
            Steps = _progress.Steps,
            Pods = _children.Pods,
            VirtualMachines = [.. _children.VirtualMachines.Select(vm => MaintenanceChildren.WithRestore(vm, restored))],
            Findings = end.Outcome == MaintenanceOutcome.Refused ? _plan?.Findings ?? [] : [.. _plan?.Findings ?? [], .. _children.Findings],
            IsRestored = end.Outcome != MaintenanceOutcome.Refused && restored.LeftBehind.Count == 0,
            LeftBehind = restored.LeftBehind,
        };
    }

    private async Task<MaintenanceEnd?> CancelledAsync() =>
        _cancel.IsCompleted ? new MaintenanceEnd(MaintenanceOutcome.Cancelled, Why(await _cancel)) : null;

    private static string Why(Cancel cancel) => $"Cancelled by {cancel.By}{(cancel.Reason is { Length: > 0 } reason ? $": {reason.TrimEnd('.')}" : "")}.";

    private async Task PauseAsync(TimeSpan pause)
    {
        using var woken = new CancellationTokenSource();
        var timer = _context.CreateTimer(_context.Now() + pause, woken.Token);
        if (await Task.WhenAny(timer, _cancel) != timer)
        {
            End(woken);
        }
    }

    private Task RecordAsync(string reason, string message, bool isWarning) => _context.CallActivityAsync<bool>(
        Activities.RecordEvent, new NodeEvent(_request.Node, _plan?.NodeUid, isWarning, reason, message, _context.InstanceId));

    // CancelAsync would leave the orchestrator's thread.
    private static void End(CancellationTokenSource timer) => timer.Cancel();

    private sealed record Restored(RestoreResult Result, bool IsFailure, MaintenanceEnd? Failure);
}
