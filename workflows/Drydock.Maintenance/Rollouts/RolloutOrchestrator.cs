namespace Drydock.Maintenance.Rollouts;

/// <summary>Rolling maintenance: as many nodes at once as may be unavailable, in order, until they are done or too many failed.</summary>
internal sealed class RolloutOrchestrator : TaskOrchestrator<RolloutRequest, RolloutStatus>
{
    public override Task<RolloutStatus> RunAsync(TaskOrchestrationContext context, RolloutRequest input) =>
        new RolloutRun(context, input).RunAsync();
}

/// <summary>One run of <see cref="RolloutOrchestrator"/>.</summary>
internal sealed class RolloutRun(TaskOrchestrationContext context, RolloutRequest request)
{
    private readonly Task<Cancel> _cancel = context.WaitForExternalEvent<Cancel>(RolloutEvents.Cancel);
    private readonly Task<Cancel> _stop = context.WaitForExternalEvent<Cancel>(RolloutEvents.Stop);
    private readonly Dictionary<string, Task<MaintenanceReport>> _running = new(StringComparer.Ordinal);
    private readonly List<RolloutNode> _nodes =
        [.. request.Nodes.Distinct(StringComparer.Ordinal)
            .Select(node => new RolloutNode(node, RolloutNodeState.Waiting, InstanceIds.Node(context.InstanceId, node)))];

    private Task<string>? _resume;
    private int _failures;
    private bool _isPaused;
    private bool _isStopping;
    private bool _wasCancelled;

    public async Task<RolloutStatus> RunAsync()
    {
        while (true)
        {
            await HeedAsync();
            StartNodes();
            Tell();
            if (_running.Count == 0 && !(_isPaused && _nodes.Exists(node => node.State == RolloutNodeState.Waiting)))
            {
                return Status();
            }

            await Task.WhenAny([.. _running.Values, .. Signals()]);
            await BookAsync();
        }
    }

    private IEnumerable<Task> Signals()
    {
        if (!_wasCancelled)
        {
            yield return _cancel;
        }

        if (!_isStopping)
        {
            yield return _stop;
        }

        if (_isPaused)
        {
            yield return _resume ??= context.WaitForExternalEvent<string>(RolloutEvents.Resume);
        }
    }

    private async Task HeedAsync()
    {
        if (_resume is { IsCompleted: true })
        {
            _resume = null;
            _isPaused = false;
            _failures = 0;
        }

        if (_cancel.IsCompleted && !_wasCancelled)
        {
            _wasCancelled = true;
            foreach (var node in _running.Keys)
            {
                context.SendEvent(InstanceIds.Node(context.InstanceId, node), MaintenanceEvents.Cancel, await _cancel);
            }
        }

        if (_cancel.IsCompleted || _stop.IsCompleted || (_failures >= request.FailureBudget && request.OnFailures == RolloutFailurePolicy.Stop))
        {
            _isStopping = true;
            _isPaused = false;
            Change(node => node.State == RolloutNodeState.Waiting, node => node with { State = RolloutNodeState.NotTaken });
        }
        else if (_failures >= request.FailureBudget)
        {
            _isPaused = true;
        }
    }

    private void StartNodes()
    {
        while (!_isPaused && _running.Count < Math.Max(1, request.MaxUnavailable)
            && _nodes.Find(node => node.State == RolloutNodeState.Waiting) is { } next)
        {
            Change(node => node.Node == next.Node, node => node with { State = RolloutNodeState.UnderMaintenance });
            _running[next.Node] = context.CallSubOrchestratorAsync<MaintenanceReport>(
                Orchestrations.Maintenance,
                request.Template with { Node = next.Node, RequestedBy = $"rollout/{context.InstanceId}" },
                new TaskOptions().WithInstanceId(next.InstanceId));
        }
    }

    private async Task BookAsync()
    {
        foreach (var (name, running) in _running.Where(node => node.Value.IsCompleted).ToList())
        {
            _running.Remove(name);
            var (outcome, message) = await OutcomeAsync(running);
            _failures += outcome is MaintenanceOutcome.Failed or MaintenanceOutcome.Refused ? 1 : 0;
            Change(node => node.Node == name, node => node with { State = RolloutNodeState.Done, Outcome = outcome, Message = message });
        }
    }

    // A virtual machine that does not run where it was restarted counts against the failure budget too.
    private static async Task<(MaintenanceOutcome Outcome, string Message)> OutcomeAsync(Task<MaintenanceReport> running)
    {
        try
        {
            var report = await running;
            var down = report.VirtualMachines.FirstOrDefault(vm => vm.Outcome == VmOutcome.NotRunningAgain);
            return report.Outcome == MaintenanceOutcome.Completed && down is not null
                ? (MaintenanceOutcome.Failed, $"{report.Message} But virtual machine {down.Vmi}: {down.Message}")
                : (report.Outcome, report.Message);
        }
        catch (TaskFailedException failure)
        {
            return (MaintenanceOutcome.Failed, failure.Sentence());
        }
    }

    private void Change(Predicate<RolloutNode> which, Func<RolloutNode, RolloutNode> change)
    {
        for (var index = 0; index < _nodes.Count; index++)
        {
            _nodes[index] = which(_nodes[index]) ? change(_nodes[index]) : _nodes[index];
        }
    }

    private void Tell() => context.SetCustomStatus(Status());

    private RolloutStatus Status()
    {
        var done = _nodes.Count(node => node.State == RolloutNodeState.Done);
        var failed = _nodes.Count(node => node.Outcome is MaintenanceOutcome.Failed or MaintenanceOutcome.Refused);
        var what = _wasCancelled ? "Cancelled. " : _isStopping ? "Stopping. " : _isPaused ? "Paused: the failure budget is used up. " : "";
        return new RolloutStatus([.. _nodes])
        {
            IsPaused = _isPaused,
            IsStopping = _isStopping,
            Message = $"{what}{done} of {_nodes.Count} nodes done, {failed} failed, {_running.Count} under maintenance.",
        };
    }
}
