namespace Drydock.Maintenance;

/// <summary>The custom status of a maintenance: each change of it is told.</summary>
internal sealed class MaintenanceProgress(TaskOrchestrationContext context, string node)
{
    private readonly List<StepTime> _steps = [];

    private MaintenanceStatus _status = new(node, MaintenanceStep.Plan, "");

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

        Set(_status with { Step = step, Message = message, StepSince = now, Deadline = deadline, Steps = [.. _steps], IsHolding = false });
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

    /// <summary>The drain is over and the node is held.</summary>
    public void Hold(string message)
    {
        Enter(MaintenanceStep.Action, message);
        Set(_status with { IsHolding = true });
    }

    /// <summary>A cancel was received.</summary>
    public void Cancelling() => Set(_status with { IsCancelling = true });

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

    private void Set(MaintenanceStatus status)
    {
        _status = status;
        context.SetCustomStatus(status);
    }
}
