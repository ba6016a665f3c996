using Drydock.Kubernetes;
using Drydock.Maintenance.Approvals;
using Drydock.Maintenance.Drain;
using Drydock.Maintenance.Lease;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.Steering;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Maintenance;

/// <summary>The sub-orchestrations of a maintenance: the lease, the pods, each virtual machine, the restore.</summary>
internal sealed partial class MaintenanceChildren(
    TaskOrchestrationContext context, MaintenanceRequest request, string holder, MaintenanceProgress progress)
{
    private readonly MaintenanceSteering _steering = new(context, progress);
    private readonly LeaseKeeper _lease = new(context, progress);
    private readonly PartKeeper<HoldNodeInput, IReadOnlyList<string>> _hold = new(
        context, Orchestrations.HoldNode, InstanceIds.Hold(context.InstanceId), again: static input => input, progress.MarksUnkept);

    private readonly Dictionary<ObjectRef, Task<MoveVmResult>> _moving = [];
    private readonly List<MoveVmResult> _moved = [];
    private readonly Dictionary<ObjectRef, int> _lives = [];

    private readonly Dictionary<string, Task> _open = new(StringComparer.Ordinal);

    private Task<DrainResult>? _drain;
    private Task<int>? _drained;
    private Task<IReadOnlyList<ObjectRef>>? _vmsFound;
    private SteeredDeadline _deadline = new(default, null);
    private DateTimeOffset _drainSince;
    private VirtualMachinePolicy _vmPolicy = request.VirtualMachines;
    private bool _drainIsOver;
    private bool _isStopped;
    private readonly TaskCompletionSource _stopped = new();

    /// <summary>The node is empty and every virtual machine that left has arrived.</summary>
    public bool IsDrained => (_drained?.IsCompleted ?? false) && _moving.Count == 0;

    /// <summary>A child ended in a way that ends the maintenance, or null.</summary>
    public MaintenanceEnd? Failure { get; private set; }

    /// <summary>What became of each pod; empty until the drain is over.</summary>
    public IReadOnlyList<PodResult> Pods { get; private set; } = [];

    /// <summary>What became of each virtual machine.</summary>
    public IReadOnlyList<VmResult> VirtualMachines => [.. _moved.Select(moved => moved.Result)];

    /// <summary>What held the drain up when it ended.</summary>
    public IReadOnlyList<PlanFinding> Findings { get; private set; } = [];

    /// <summary>Keeps the lease from now on.</summary>
    public void StartLease(string? nodeUid, TimeSpan duration) =>
        _lease.Start(new LeaseInput(request.Node, nodeUid, holder, duration) { Maintenance = context.InstanceId });

    /// <summary>Keeps the lease no more.</summary>
    public Task EndLeaseAsync() => _lease.EndAsync();

    /// <summary>Waits for news of any child, or for one of these, and books it.</summary>
    public async Task NextAsync(params Task[] others)
    {
        List<Task> awaited = [.. others, .. _moving.Values, _steering.News, .. Kept];
        awaited.AddRange(new Task?[] { _drainIsOver ? null : _drain, _drained is { IsCompleted: false } ? _drained : null, _vmsFound }.OfType<Task>());
        await Task.WhenAny(awaited);
        await BookKeptAsync();

        // One that left and was found again in the same turn is a new life of it.
        await BookVmsAsync();
        if (_vmsFound is { IsCompleted: true })
        {
            foreach (var vm in await _vmsFound)
            {
                StartVm(vm);
            }

            _vmsFound = context.WaitForExternalEvent<IReadOnlyList<ObjectRef>>(ChildEvents.VmsFound);
        }

        await BookDrainAsync();
        await SteerAsync();
    }

    /// <summary>
    /// Waits until that has happened or the deadline of the step has passed, booking the news of the children meanwhile. Null then; else
    /// how the maintenance ends: it was cancelled, or a child has failed.
    /// </summary>
    /// <param name="awaited">What is waited for.</param>
    /// <param name="untilDeadline">False: whatever is waited for keeps the deadline itself.</param>
    /// <param name="cancel">Whether somebody wants it to stop.</param>
    public async Task<MaintenanceEnd?> WaitAsync(Task awaited, bool untilDeadline, CancelWish cancel)
    {
        using var timer = new DeadlineTimer(context);
        while (true)
        {
            timer.Set(untilDeadline ? _steering.Deadline : null);
            await NextAsync([awaited, cancel.Said, .. timer.Tasks]);
            var end = await cancel.EndAsync() ?? Failure;
            if (end is not null || awaited.IsCompleted || timer.IsOver(_steering.Deadline))
            {
                return end;
            }
        }
    }

    /// <summary>Tells an action to let go and end.</summary>
    public void EndAction(string key) => context.SendEvent(InstanceIds.Action(context.InstanceId, key), ChildEvents.End, "end");

    /// <summary>Tells the health check to end.</summary>
    public void EndHealth(string id) => context.SendEvent(id, ChildEvents.End, "end");

    /// <summary>The part that keeps the marks is started again when it ends before its time; false for a plan that was stored before it was: its history must replay.</summary>
    public bool KeepsMarks { private get; set; }

    /// <summary>A move that ended before its time is booked or begun again; false where the plan was made before that: its history must replay.</summary>
    public bool RestartsMoves { private get; set; }

    /// <summary>Sees to it from now on that the marks stay on the node.</summary>
    public void StartHold(NodePrior prior, IReadOnlyList<HeldNeighbour> neighbours, string? uid) => _hold.Start(
        new HoldNodeInput(request.Node, holder, context.InstanceId, prior, neighbours) { LooksForNew = request.Remediation != RemediationPolicy.LabelOnly, Uid = uid });

    /// <summary>Reminds people until it is ended; never, if the span is zero.</summary>
    public void StartReminder(string what, string reason, string message, TimeSpan every)
    {
        if (every > TimeSpan.Zero)
        {
            var reminder = new NodeEvent(request.Node, null, IsWarning: false, reason, message, context.InstanceId);
            _ = Start<bool>(Orchestrations.Remind, new RemindInput(reminder, every) { EndsWithMaintenance = true }, InstanceIds.Reminder(context.InstanceId, what));
        }
    }

    /// <summary>Nobody need be reminded of it any more.</summary>
    public void EndReminder(string what)
    {
        if (_open.ContainsKey(InstanceIds.Reminder(context.InstanceId, what)))
        {
            context.SendEvent(InstanceIds.Reminder(context.InstanceId, what), ChildEvents.End, "end");
        }
    }

    /// <summary>
    /// Nothing more is asked to leave from here on: told to the drain and the moves, and after a cancel to every activity. They are not waited
    /// for.
    /// </summary>
    /// <param name="isCancel">Somebody cancelled it.</param>
    /// <param name="migrations">What becomes of migrations that run.</param>
    public async Task StopLeavingAsync(bool isCancel, CancelledMigrations migrations)
    {
        if (_isStopped)
        {
            return;
        }

        _isStopped = true;
        _stopped.TrySetResult();
        if (_drain is { IsCompleted: false })
        {
            context.SendEvent(InstanceIds.Pods(context.InstanceId), ChildEvents.End, "end");
        }

        foreach (var vm in _moving.Where(vm => !vm.Value.IsCompleted))
        {
            context.SendEvent(InstanceIds.Vm(context.InstanceId, vm.Key, _lives[vm.Key]), ChildEvents.End, migrations == CancelledMigrations.Abort ? ChildEvents.Abort : "end");
        }

        try
        {
            if (isCancel)
            {
                await context.Undo<bool>(Activities.CancelLease, new NodeInput(request.Node, holder));
            }
        }
        catch (TaskFailedException)
        {
            // The children were told to end: the mark on the lease is a second lock.
        }
    }

    /// <summary>Tells all but the lease to end and waits until they have. After a cancel, no activity changes anything from here on.</summary>
    /// <param name="isCancel">Somebody cancelled it.</param>
    /// <param name="migrations">What becomes of migrations that run.</param>
    public async Task EndAllAsync(bool isCancel, CancelledMigrations migrations = CancelledMigrations.Finish)
    {
        await StopLeavingAsync(isCancel, migrations);
        foreach (var (id, child) in _open)
        {
            if (!child.IsCompleted)
            {
                context.SendEvent(id, ChildEvents.End, "end");
            }

            await QuietlyAsync(child);
        }

        if (_hold.Tasks.Count > 0)
        {
            // Before anything is put back: it would put it on again.
            Note(await _hold.EndAsync() ?? []);
        }

        foreach (var child in _moving.Values)
        {
            await QuietlyAsync(child, _moved.Add);
        }

        _moving.Clear();
        if (_drain is not null && !_drainIsOver)
        {
            await QuietlyAsync(_drain, result => Pods = result.Pods);
        }
    }

    // What keeps the lease and the marks.
    private IReadOnlyList<Task> Kept => [.. _lease.Tasks, .. KeepsMarks ? _hold.Tasks : []];

    private async Task BookKeptAsync()
    {
        await _lease.BookAsync();
        if (KeepsMarks)
        {
            Note(await _hold.BookAsync() ?? []);
        }
    }

    /// <summary>Waits for that and nothing else, booking the news of the lease meanwhile; whether it failed is its own matter.</summary>
    public async Task UnderLeaseAsync(Task awaited)
    {
        do
        {
            await Task.WhenAny([awaited, .. _lease.Tasks]);
            await _lease.BookAsync();
        }
        while (!awaited.IsCompleted);
    }

    /// <summary>Puts back what was changed, booking the news of the lease meanwhile.</summary>
    /// <param name="keepNode">The node stays cordoned and marked.</param>
    /// <param name="ledger">What the node was, if it was marked.</param>
    /// <param name="mayBeUnread">What stands around the node and may not be listed was not held either.</param>
    public async Task<RestoreResult> RestoreAsync(bool keepNode, NodePrior? ledger, bool mayBeUnread)
    {
        var restoring = context.CallSubOrchestratorAsync<RestoreResult>(
            Orchestrations.Restore,
            new RestoreRequest(request.Node)
            {
                Holder = holder,
                UnderLease = true,
                KeepNode = keepNode,
                NeighboursMayBeUnread = mayBeUnread,
                Ledger = ledger is null ? null : LedgerJson.Write(ledger),
                Stopped = [.. _moved.Select(moved => moved.Stopped).OfType<StoppedVm>().DistinctBy(stopped => stopped.Vm)],
                RestartTimeout = request.VirtualMachines.RestartTimeout,
                Evacuated = _moved.Where(static moved => moved.IsStillAsked).Select(static moved => moved.Result.Vmi).Distinct().ToList() is { Count: > 0 } asked ? asked : null,
            },
            new TaskOptions().WithInstanceId(InstanceIds.Restore(context.InstanceId)));
        await UnderLeaseAsync(restoring);
        var restored = await ResultAsync(restoring);

        // One that is to stay, as the policy says, is no failure if it may still leave; it is told.
        var marked = _moved.Where(static moved => moved.LeftBehind is not null).ToLookup(static moved => moved.Result.Outcome == VmOutcome.Skipped);
        restored = restored with { LeftBehind = [.. restored.LeftBehind, .. marked[false].Select(static moved => moved.LeftBehind!)] };
        Findings = [.. Findings, .. marked[true].Select(static moved => new PlanFinding(
            FindingSeverity.Notes, "vm-still-marked", moved.LeftBehind!, $"virtualmachineinstance/{moved.Result.Vmi}"))];
        Findings = [.. Findings, .. restored.Kept.Select(kept => new PlanFinding(FindingSeverity.Notes, "changed-by-others", kept, $"node/{request.Node}"))];
        return restored;
    }

    // What was done is told and the lease given up all the same.
    private async Task<RestoreResult> ResultAsync(Task<RestoreResult> restoring)
    {
        try
        {
            return await restoring;
        }
        catch (TaskFailedException failure)
        {
            return new RestoreResult(
                false, [], [$"Node {request.Node} may not be put back: {failure.Sentence().TrimEnd('.')}. Try: drydock restore {request.Node}"]) { IsUnkept = true };
        }
    }

    /// <summary>The result of a machine, with what the restore did for it.</summary>
    public static VmResult WithRestore(VmResult vm, RestoreResult restored)
    {
        foreach (var one in restored.VirtualMachines)
        {
            if (one.Vm == vm.Vmi)
            {
                return vm with
                {
                    IsRestored = one is { IsRunning: true, IsUnwanted: false }, IsUnwanted = one.IsUnwanted, Node = one.Node ?? vm.Node, Message = $"{vm.Message} {one.Message}",
                };
            }
        }

        return vm;
    }

    /// <summary>Adds sentences about the marks to the report.</summary>
    public void Note(IReadOnlyList<string> reasserted) => Findings =
    [
        .. Findings,
        .. reasserted.Select(sentence => new PlanFinding(FindingSeverity.Notes, "marks-reasserted", sentence, $"node/{request.Node}")),
    ];

    private Task<T> Start<T>(string orchestration, object input, string id)
    {
        var child = context.CallSubOrchestratorAsync<T>(orchestration, input, new TaskOptions().WithInstanceId(id));
        _open[id] = child;
        return child;
    }

    private static async Task QuietlyAsync(Task child)
    {
        try
        {
            await child;
        }
        catch (TaskFailedException)
        {
            // Its failure is in its own instance.
        }
    }

    // The maintenance ends anyway: a child that failed must not keep the node from being put back.
    private static async Task QuietlyAsync<T>(Task<T> child, Action<T> book)
    {
        try
        {
            book(await child);
        }
        catch (TaskFailedException)
        {
            // Its failure is in its own instance.
        }
    }
}
