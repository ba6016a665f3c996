using Drydock.Kubernetes;
using Drydock.Maintenance.Drain;
using Drydock.Maintenance.Steering;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Maintenance;

/// <content>The drain: the pods, and each virtual machine that has to leave.</content>
internal sealed partial class MaintenanceChildren
{
    /// <summary>A move that fails again and again is begun no more often than that.</summary>
    private static readonly TimeSpan MoveSeldom = TimeSpan.FromMinutes(1);

    public void StartDrain(DateTimeOffset deadline, IEnumerable<ObjectRef> vms, bool keepsEmpty, MaintenancePolicy? policy, bool inOrder)
    {
        (_deadline, _drainSince) = (new SteeredDeadline(deadline, progress.Suspension?.Since), context.Now());
        _vmPolicy = VmPolicies.Allowed(request.VirtualMachines, policy);
        _drained = context.WaitForExternalEvent<int>(ChildEvents.Drained);
        _vmsFound = context.WaitForExternalEvent<IReadOnlyList<ObjectRef>>(ChildEvents.VmsFound);
        // In an order the drain tells of each when its turn comes.
        var planned = inOrder ? [] : vms.ToList();
        _drain = context.CallSubOrchestratorAsync<DrainResult>(
            Orchestrations.Drain,
            new DrainInput(request.Node, holder, context.InstanceId, request.Drain, deadline, keepsEmpty, new DrainState { Vms = planned })
            {
                OrdersMachines = inOrder,
                EndsPromptly = true,
                StopsWithin = (_vmPolicy.StopGracePeriod ?? TimeSpan.Zero) + (2 * _vmPolicy.StopTimeout),
            },
            new TaskOptions().WithInstanceId(InstanceIds.Pods(context.InstanceId)));
        planned.ForEach(StartVm);
    }

    /// <summary>
    /// Before the machine goes down: whatever has come to the node since it was empty leaves it as in the drain, with as much time. Null
    /// then; else how the maintenance ends.
    /// </summary>
    public async Task<MaintenanceEnd?> EmptyAgainAsync(CancelWish cancel)
    {
        while (true)
        {
            var end = await PassAsync(cancel) ?? await cancel.EndAsync() ?? Failure;
            if (end is not null || _drain is not { IsCompleted: false } || await IsEmptyAsync())
            {
                return end;
            }

            (_deadline, _drainSince) = (new SteeredDeadline(context.Now() + request.Drain.Timeout, null), context.Now());
            progress.Enter(
                MaintenanceStep.Drain, $"Node {request.Node} is not empty any more: what has come to it must leave before the machine goes down.",
                request.Drain.OnTimeout == DeadlinePolicy.Wait ? null : _deadline.Deadline);
            _drained = context.WaitForExternalEvent<int>(ChildEvents.Drained);
            context.SendEvent(InstanceIds.Pods(context.InstanceId), ChildEvents.EmptyAgain, _deadline.Deadline);
            while (!IsDrained && !cancel.Said.IsCompleted && Failure is null)
            {
                await NextAsync(cancel.Said);
            }
        }
    }

    // Read now: the drain tells what comes to the node when it has seen it.
    private async Task<bool> IsEmptyAsync()
    {
        var skipped = _moved.Where(static moved => moved.Result.Outcome == VmOutcome.Skipped).Select(static moved => moved.Result.Vmi);
        var seen = await context.Do<PodsSeen>(
            Activities.AwaitPods,
            new AwaitPodsInput(request.Node, request.Drain, [], [], new Dictionary<string, int>(StringComparer.Ordinal), null, context.Now()) { Skipped = [.. skipped] });
        return _moving.Count == 0 && seen is { New.Count: 0, Launchers: 0, Attached.Count: 0 };
    }

    /// <summary>Tells the drain to end and waits until it has, or somebody wants the maintenance to stop: with the API server away it may take a while.</summary>
    /// <param name="cancel">Whether somebody does.</param>
    public async Task EndDrainAsync(CancelWish cancel)
    {
        if (_drain is { IsCompleted: false })
        {
            context.SendEvent(InstanceIds.Pods(context.InstanceId), ChildEvents.End, "complete");
        }

        while (KeepsMarks && _drain is { IsCompleted: false } && !cancel.Said.IsCompleted)
        {
            await NextAsync(cancel.Said);
        }

        if (_drain is not null && !(KeepsMarks && cancel.Said.IsCompleted))
        {
            await Task.WhenAny(_drain);
            await BookDrainAsync();
        }
    }

    private void StartVm(ObjectRef vm)
    {
        if (!_moving.ContainsKey(vm))
        {
            _moving[vm] = MoveAsync(vm);
        }
    }

    /// <summary>
    /// What became of it. A move that ended before its time, be it that somebody ended it or that it failed, fails the drain; one of a machine that
    /// came when the node was empty already is begun again: somebody may be at work on the node, or it is down.
    /// </summary>
    private async Task<MoveVmResult> MoveAsync(ObjectRef vm)
    {
        var isLater = _drained is { IsCompleted: true };
        while (true)
        {
            var life = _lives[vm] = _lives.GetValueOrDefault(vm) + 1;
            var (since, id) = (context.Now(), InstanceIds.Vm(context.InstanceId, vm, life));
            string why;
            try
            {
                return await context.CallSubOrchestratorAsync<MoveVmResult>(Orchestrations.MoveVm, MoveOf(vm, life, isLater), new TaskOptions().WithInstanceId(id));
            }
            catch (TaskFailedException failure) when (RestartsMoves)
            {
                why = failure.Sentence().TrimEnd('.');
            }

            if (isLater && !_isStopped)
            {
                progress.MoveUnkept(vm, why, id);
                await PauseAsync(since + MoveSeldom);
            }

            if (!isLater || _isStopped)
            {
                return new MoveVmResult(new VmResult(vm, VmOutcome.StillThere, 0, $"What moved it ended before its time: {why}."), IsFailure: !isLater) { IsStillAsked = true };
            }
        }
    }

    // Cut short when nothing more is to be moved.
    private async Task PauseAsync(DateTimeOffset until)
    {
        if (context.Now() >= until)
        {
            return;
        }

        using var over = new CancellationTokenSource();
        var pause = context.CreateTimer(until, over.Token);
        if (await Task.WhenAny(pause, _stopped.Task) != pause)
        {
            over.Cancel();
        }
    }

    // One that comes when the node was empty already has a time of its own, and being late fails nothing: somebody may be at work on the node.
    private MoveVmInput MoveOf(ObjectRef vm, int life, bool isLater)
    {
        var isOver = life > 1 && !_deadline.IsSuspended && _deadline.Deadline <= context.Now();
        var deadline = isLater || isOver ? context.Now() + request.Drain.Timeout : _deadline.Deadline;
        var onTimeout = isLater && request.Drain.OnTimeout == DeadlinePolicy.Fail ? DeadlinePolicy.Wait : request.Drain.OnTimeout;
        return new MoveVmInput(
            request.Node, holder, vm, _vmPolicy, request.Drain.GracePeriod, deadline, onTimeout, new MoveVmState { SuspendedAt = _deadline.SuspendedAt })
        {
            AtOnce = request.Drain.MaxParallelEvictions,
            FailsNothing = isLater,
            EndsPromptly = true,
            ForceEndsAfter = isLater ? null : request.Drain.Timeout,
            LeavesToRestore = true,
        };
    }

    private async Task BookVmsAsync()
    {
        foreach (var (vm, child) in _moving.Where(vm => vm.Value.IsCompleted).ToList())
        {
            var moved = await child;
            _moving.Remove(vm);
            _moved.Add(moved);
            if (moved.Result.Outcome == VmOutcome.Skipped)
            {
                context.SendEvent(InstanceIds.Pods(context.InstanceId), ChildEvents.VmSkipped, vm);
            }

            if (moved.IsFailure)
            {
                Failure ??= new MaintenanceEnd(MaintenanceOutcome.Failed, $"Virtual machine {vm}: {moved.Result.Message}");
            }
        }
    }

    private async Task BookDrainAsync()
    {
        if (_drain is not { IsCompleted: true } || _drainIsOver)
        {
            return;
        }

        try
        {
            Book(await _drain);
        }
        catch (TaskFailedException failure)
        {
            // Like any other end of a child: whoever waits knows what it means for the node.
            _drainIsOver = true;
            Failure ??= new MaintenanceEnd(MaintenanceOutcome.Failed, $"{failure.TaskName}: {failure.Sentence()}");
        }
    }

    private void Book(DrainResult result)
    {
        _drainIsOver = true;
        Pods = result.Pods;
        if (result.End == DrainEnd.TimedOut)
        {
            Findings = [.. Findings, .. result.Blockers.Select(blocker => new PlanFinding(
                FindingSeverity.Blocks,
                blocker.Kind,
                $"{(blocker.Kind == Answers.VolumeAttached ? "Volume" : "Pod")} {blocker.Pod}: {blocker.Message ?? blocker.Kind}",
                blocker.Object,
                blocker.NextStep))];
            var late = context.Now() < _deadline.Deadline ? result.Left?.LateAlone : null;
            Failure ??= new MaintenanceEnd(
                MaintenanceOutcome.Failed,
                (late is null ? $"Node {request.Node} was not empty within {Spoken.Of(_deadline.Deadline - _drainSince)}: " : $"Pod {late} did not leave node {request.Node} in its own time: ")
                    + $"{(progress.LeaseSentence is { } lost ? $"{lost} " : "")}{WhatIsLeft(result.Left)}");
        }
    }

    private string WhatIsLeft(LeftOnNode? left)
    {
        var machines = _moving.Keys.Order(Comparer<ObjectRef>.Create(static (one, other) => string.CompareOrdinal(one.ToString(), other.ToString()))).ToList();
        return (machines.Count, left) switch
        {
            (0, null) => "what was left went at that moment.",
            (0, _) => $"{left}.",
            (_, null) => $"still there: virtual machine {string.Join(", ", machines.Take(5))}{(machines.Count > 5 ? $" and {machines.Count - 5} more" : "")}.",
            _ => $"{left}; {Spoken.Count(machines.Count, "virtual machine is", "virtual machines are")} still there, such as {machines[0]}.",
        };
    }
}
