namespace Drydock.Maintenance;

/// <summary>The custom status of a maintenance: each change of it is told.</summary>
internal sealed class MaintenanceProgress(TaskOrchestrationContext context, string node)
{
    private const int MostSteers = 10;

    private readonly List<StepTime> _steps = [];

    private MaintenanceStatus _status = new(node, MaintenanceStep.Plan, "");

    /// <summary>Who approved what.</summary>
    public IReadOnlyList<ApprovalRecord> Approvals => _status.Approvals;

    /// <summary>The actions so far.</summary>
    public IReadOnlyList<ActionRecord> Actions => _status.Actions;

    /// <summary>Who suspended it and since when, or null.</summary>
    public Suspension? Suspension => _status.Suspension;

    /// <summary>When the step in hand must be over; while it is suspended, as it was then.</summary>
    public DateTimeOffset? Deadline => _status.Deadline;

    /// <summary>Who steered it.</summary>
    public IReadOnlyList<SteerRecord> Steers => _status.Steers;

    /// <summary>Steps that are over.</summary>
    public IReadOnlyList<StepTime> Steps => [.. _steps];

    /// <summary>The step before is over; this one begins.</summary>
    public void Enter(MaintenanceStep step, string message, DateTimeOffset? deadline = null)
    {
        var now = context.Now();
        if (_status.StepSince != default)
        {
            _steps.Add(new StepTime(_status.Step, _status.StepSince, now));
        }

        Set(_status with { Step = step, Message = message, StepSince = now, Deadline = deadline, Steps = [.. _steps], IsHolding = false, AwaitsApproval = null });
    }

    /// <summary>The drain begins.</summary>
    public void EnterDrain(MaintenancePlan plan, DateTimeOffset? deadline)
    {
        _status = _status with
        {
            PodsToEvict = plan.Pods.Count(pod => pod.Verdict is PodVerdict.Evict or PodVerdict.AwaitCompletion),
            PodsTotal = plan.Pods.Count,
            VmsTotal = plan.VirtualMachines.Count(vm => vm.Fate != VmFate.Stays),
        };
        Enter(MaintenanceStep.Drain, "Evicting pods and moving virtual machines.", deadline);
    }

    /// <summary>Waits until somebody approves.</summary>
    public void AwaitApproval(ApprovalGate gate, string message, DateTimeOffset deadline)
    {
        Enter(MaintenanceStep.Approve, message, deadline);
        Set(_status with { AwaitsApproval = gate });
    }

    /// <summary>Somebody decided.</summary>
    public void Decided(ApprovalRecord decision) => Set(_status with { AwaitsApproval = null, Approvals = [.. _status.Approvals, decision] });

    /// <summary>An action begins.</summary>
    public void Begin(ActionRecord action, DateTimeOffset? deadline)
    {
        Enter(action.Point == ActionPoint.Action ? MaintenanceStep.Action : MaintenanceStep.Hook, $"{action.Step}: {action.Message}", deadline);
        Set(_status with { Actions = [.. _status.Actions, action] });
    }

    /// <summary>The last action is over.</summary>
    public void Over(ActionOutcome outcome, string message)
    {
        var over = _status.Actions[^1] with { Outcome = outcome, Message = message, To = context.Now() };
        Set(_status with { Message = message, IsHolding = false, Actions = [.. _status.Actions.SkipLast(1), over] });
    }

    /// <summary>It waits until somebody says complete.</summary>
    public void Hold(string message) => Set(_status with { Message = message, IsHolding = true });

    /// <summary>Somebody said complete, and the action goes on.</summary>
    public void Resume(string message) => Set(_status with { Message = message, IsHolding = false });

    /// <summary>A cancel was received; it ends a suspension.</summary>
    public void Cancelling() => Set(_status with { IsCancelling = true, Suspension = null });

    /// <summary>Somebody suspended it.</summary>
    public void Suspend(SteerRecord record) => Set(Kept(record) with { Suspension = new Suspension(record.By, record.Reason, record.At) });

    /// <summary>Somebody resumed it: the deadline moves by the time it was suspended.</summary>
    public void Resume(SteerRecord record) => Set(Kept(record) with
    {
        Suspension = null,
        Deadline = _status.Deadline + (record.At - (_status.Suspension?.Since ?? record.At)),
    });

    /// <summary>Somebody moved the deadline of the step in hand.</summary>
    public void Extend(SteerRecord record, DateTimeOffset to) => Set(Kept(record) with { Deadline = to });

    /// <summary>How long the step in hand was given, with what it was given since; without a deadline, what it was to be given.</summary>
    public TimeSpan Given(TimeSpan otherwise) => _status.Deadline - _status.StepSince ?? otherwise;

    /// <summary>The lease is ours, or not.</summary>
    public void Lease(bool isLost) => Set(_status with { IsLeaseLost = isLost });

    /// <summary>Something new in the same step.</summary>
    public void Say(string message)
    {
        if (_status.Message != message)
        {
            Set(_status with { Message = message });
        }
    }

    // The status must stay under 16 KiB (design D13).
    private MaintenanceStatus Kept(SteerRecord record) => _status with { Steers = [.. _status.Steers.TakeLast(MostSteers - 1), record] };

    private void Set(MaintenanceStatus status)
    {
        _status = status;
        context.SetCustomStatus(status);
    }
}
