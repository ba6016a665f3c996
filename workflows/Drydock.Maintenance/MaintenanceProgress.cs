using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>The custom status of a maintenance: each change of it is told.</summary>
internal sealed class MaintenanceProgress(TaskOrchestrationContext context, string node)
{
    private const int MostSteers = 10;

    private const int MostLosses = 10;

    private readonly List<StepTime> _steps = [];

    private readonly List<LeaseLoss> _losses = [];

    private readonly List<PlanFinding> _unkept = [];

    private MaintenanceStatus _status = new(node, MaintenanceStep.Plan, "");
    private LeaseLoss? _lost;

    /// <summary>That the lease is not ours now, and whose it is; null: it is ours.</summary>
    public string? LeaseSentence => _lost?.Message(node, isPuttingBack: false);

    /// <summary>When the lease was not ours, and what ended before its time, for the report.</summary>
    public IEnumerable<PlanFinding> UnkeptFindings => _losses.Concat(_lost is { } lost ? [lost] : Array.Empty<LeaseLoss>()).TakeLast(MostLosses)
        .Select(loss => new PlanFinding(FindingSeverity.Notes, "lease-lost", loss.Report(node), $"lease/medik8s-leases/node-{node}")).Concat(_unkept.TakeLast(MostLosses));

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
    public void Lease(Lease.LeaseNews news)
    {
        if (_lost is { } before)
        {
            _losses.Add(before with { To = context.Now() });
        }

        _lost = news.IsOurs ? null : new LeaseLoss(string.IsNullOrEmpty(news.Holder) ? null : news.Holder, context.Now(), news.UnconfirmedSince);
        Set(_status with { IsLeaseLost = !news.IsOurs, LeaseLostAt = news.IsOurs ? null : _status.LeaseLostAt ?? context.Now() });
    }

    /// <summary>Nobody renews the lease any more, for that reason, until the part that does so is started again.</summary>
    public void LeaseUnkept(string why) =>
        Unkept("lease-unkept", $"What renews the lease of node {node}", why, $"lease/medik8s-leases/node-{node}", InstanceIds.Lease(context.InstanceId));

    /// <summary>Nobody keeps the marks on the node any more, for that reason, until the part that does so is started again.</summary>
    public void MarksUnkept(string why) =>
        Unkept("marks-unkept", $"What keeps the marks on node {node}", why, $"node/{node}", InstanceIds.Hold(context.InstanceId));

    /// <summary>Nobody moves that machine any more, for that reason, until the part that does so is started again.</summary>
    public void MoveUnkept(ObjectRef vm, string why, string part) => Unkept("move-unkept", $"What moves virtual machine {vm}", why, $"virtualmachineinstance/{vm}", part);

    /// <summary>Something new in the same step.</summary>
    public void Say(string message)
    {
        if (_status.Message != message)
        {
            Set(_status with { Message = message });
        }
    }

    private void Unkept(string kind, string what, string why, string lookAt, string part)
    {
        var message = $"{what} ended at {context.Now():u} before its time ({why}), and is started again.";
        _unkept.Add(new PlanFinding(FindingSeverity.Notes, kind, message, lookAt, $"If nobody ended it, see: drydock history {part}"));
        Say(message);
    }

    // The status must stay under 16 KiB (design D13).
    private MaintenanceStatus Kept(SteerRecord record) => _status with { Steers = [.. _status.Steers.TakeLast(MostSteers - 1), record] };

    private void Set(MaintenanceStatus status)
    {
        _status = status;
        var isPuttingBack = status.IsCancelling || status.Step == MaintenanceStep.Restore;
        context.SetCustomStatus(_lost is null ? status : status with { Message = _lost.Message(node, isPuttingBack) });
    }

    /// <summary>A time during which the lease was not ours.</summary>
    private sealed record LeaseLoss(string? Holder, DateTimeOffset From, DateTimeOffset? UnconfirmedSince)
    {
        public DateTimeOffset? To { get; init; }

        public string Message(string node, bool isPuttingBack) => (UnconfirmedSince is { } since
            ? $"The lease of node {node} could not be renewed since {since:u}: nothing is changed until the API server answers again."
            : Holder is null
                ? $"The lease of node {node} was deleted, and it is not ours again yet: nothing is changed until it is."
                : $"The lease of node {node} is held by {Maintenance.Holder.Describe(Holder)}: nothing is changed until it is free. See that maintenance to its end{(isPuttingBack ? "." : ", or cancel this one.")}")
            + (isPuttingBack ? $" What cannot be put back within ten minutes is left to: drydock restore {node}" : "");

        public string Report(string node) => (UnconfirmedSince is { } since ? $"The lease of node {node} could not be renewed since {since:u}, which was told at {From:u}"
            : $"The lease of node {node} was held by {Maintenance.Holder.Describe(Holder)} from {From:u}")
            + (To is { } to ? $", and was ours again at {to:u}; nothing was changed meanwhile." : ", and was not ours again; nothing was changed from then on.");
    }
}
