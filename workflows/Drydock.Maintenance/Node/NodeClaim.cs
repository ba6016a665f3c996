using Drydock.Kubernetes;
using Drydock.Maintenance.Lease;

namespace Drydock.Maintenance.Node;

/// <summary>
/// Makes a node ours for a maintenance: takes its lease, marks it as out of service, keeps remediation away from it, and gives the lease up
/// again. Each step gives null to go on, or how the maintenance ended.
/// </summary>
internal sealed class NodeClaim(
    TaskOrchestrationContext context,
    MaintenanceRequest request,
    string holder,
    MaintenanceProgress progress,
    MaintenanceChildren children,
    CancelWish cancel)
{
    private static readonly TimeSpan LeaseRetry = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestWaitForLease = TimeSpan.FromMinutes(10);

    private DateTimeOffset _waitsUntil;
    private IReadOnlyList<HeldNeighbour> _neighbours = [];

    /// <summary>What was read of the node before it was marked, or null.</summary>
    public NodeReading? Reading { get; private set; }

    /// <summary>What the node was, once it is marked; else null.</summary>
    public NodePrior? Marked { get; private set; }

    /// <summary>What stays as it is when the node is kept out of service, one sentence each.</summary>
    /// <param name="isMarked">The node itself is as it was during the maintenance.</param>
    public IReadOnlyList<string> StillHeld(bool isMarked)
    {
        var undo = $"drydock restore {request.Node}";
        var checks = _neighbours.Where(neighbour => neighbour.Kind is NeighbourKind.NodeHealthCheck or NeighbourKind.OpenShiftHealthCheck).ToList();
        return
        [
            .. isMarked ? [$"Node {request.Node} is still cordoned, tainted and marked. When it is fit: {undo}"] : Array.Empty<string>(),
            .. checks.Select(check => $"{check} is still paused for it, and remediates none of its nodes until then: {undo}"),
        ];
    }

    /// <summary>Takes the lease of the node, waiting for whoever has it for as long as the request says.</summary>
    /// <param name="nodeUid">The node, as the plan found it.</param>
    public async Task<MaintenanceEnd?> AcquireLeaseAsync(string? nodeUid)
    {
        var began = context.Now();
        _waitsUntil = began + request.LeaseWait;
        progress.Enter(MaintenanceStep.Lease, "Taking the lease of the node.", request.LeaseWait > TimeSpan.Zero ? _waitsUntil : null);
        var lease = new LeaseInput(request.Node, nodeUid, holder, request.LeaseDuration);
        try
        {
            while (true)
            {
                if (await children.PassAsync(cancel) is { } stopped)
                {
                    return stopped;
                }

                var outcome = await context.Do<LeaseOutcome>(Activities.AcquireLease, lease);
                if (await cancel.EndAsync() is { } cancelled)
                {
                    await ReleaseLeaseAsync();
                    return cancelled;
                }

                if (outcome.IsOurs)
                {
                    return null;
                }

                var held = $"The lease of node {request.Node} is held by {Holder.Describe(outcome.Holder)} until {outcome.ExpiresAt:u}.";
                _waitsUntil = progress.Deadline ?? _waitsUntil;
                if (context.Now() >= _waitsUntil)
                {
                    return Refused("lease-held", held, $"lease/medik8s-leases/node-{request.Node}", "Wait until it is over, or cancel it there.");
                }

                progress.Say(held);
                await PauseAsync(Patiently(began));
            }
        }
        catch (TaskFailedException failure)
        {
            // It may have been taken, and the answer lost.
            await QuietlyAsync(context.Do<bool>(Activities.ReleaseLease, new NodeInput(request.Node, holder)));
            return new MaintenanceEnd(MaintenanceOutcome.Refused, failure.Sentence());
        }
    }

    /// <summary>Marks the node, and sees to it from then on that the marks stay and that nobody remediates it.</summary>
    public async Task<MaintenanceEnd?> MarkAsync()
    {
        if (await ReadAsync() is { } unread)
        {
            return unread;
        }

        var began = context.Now();
        var giveUpAt = began + LongestWaitForLease;
        while (true)
        {
            var prior = Reading!.Prior!;
            var marked = await context.Do<ActResult>(Activities.MarkNode, new MarkNodeInput(request.Node, holder, prior));
            if (marked.Verdict == Verdict.Done)
            {
                Marked = prior;
                return await cancel.EndAsync() ?? await KeepMarkedAsync(prior);
            }

            if (await cancel.EndAsync() is { } cancelled)
            {
                return cancelled;
            }

            if (marked.Kind == MarkNodeActivity.HasChanged)
            {
                if (await ReadAsync() is { } end)
                {
                    return end;
                }

                continue;
            }

            var passes = marked.Verdict == Verdict.LeaseLost || marked.Kind is ControlPlane.Deciding or ControlPlane.Busy;
            if (!passes || context.Now() >= (marked.Kind == ControlPlane.Busy ? _waitsUntil : giveUpAt))
            {
                return marked.Kind is ControlPlane.Deciding or ControlPlane.Busy
                    ? Refused(ControlPlane.Busy, marked.Message!, null, marked.NextStep ?? ControlPlane.WaitUntilBack)
                    : new MaintenanceEnd(MaintenanceOutcome.Failed, marked.Message ?? $"Node {request.Node} could not be marked.");
            }

            if (await WaitAsync(marked, began) is { } stopped)
            {
                return stopped;
            }
        }
    }

    /// <summary>Gives the lease up, if it is ours.</summary>
    public Task ReleaseLeaseAsync() => QuietlyAsync(context.Undo<bool>(Activities.ReleaseLease, new NodeInput(request.Node, holder)));

    private static async Task QuietlyAsync(Task release)
    {
        try
        {
            await release;
        }
        catch (TaskFailedException)
        {
            // It lapses by itself; nothing acts on it any more.
        }
    }

    private async Task<MaintenanceEnd?> WaitAsync(ActResult marked, DateTimeOffset began)
    {
        if (marked.Verdict == Verdict.LeaseLost)
        {
            context.LookAtLease(holder);
        }

        progress.Say(marked.Message!);
        await PauseAsync(marked.Kind == ControlPlane.Busy ? Patiently(began) : LeaseRetry);
        var (since, stopped) = (context.Now(), await children.PassAsync(cancel));
        _waitsUntil += context.Now() - since;
        return stopped;
    }

    private async Task<MaintenanceEnd?> ReadAsync()
    {
        Reading = await context.Do<NodeReading>(
            Activities.ReadNode, new NodeInput(request.Node, holder) { ReadsNeighbours = request.Remediation != RemediationPolicy.LabelOnly });
        return Reading.Prior is not null ? null : new MaintenanceEnd(
            MaintenanceOutcome.Failed,
            Reading.Uid is null ? $"Node {request.Node} is gone." : $"Node {request.Node} is held by {Holder.Describe(Reading.HeldBy)}.");
    }

    private async Task<MaintenanceEnd?> KeepMarkedAsync(NodePrior prior)
    {
        _neighbours = request.Remediation == RemediationPolicy.LabelOnly
            ? []
            : Reading!.Neighbours ?? await context.Do<IReadOnlyList<HeldNeighbour>>(Activities.ReadNeighbours, new NodeInput(request.Node, holder));
        if (_neighbours.Count > 0)
        {
            var held = await context.Do<ActResult>(Activities.HoldNeighbours, new HoldNeighboursInput(request.Node, holder, _neighbours));
            children.Note(held is { Verdict: Verdict.Done, Message: { } gone } ? [gone] : []);
        }

        children.StartHold(prior, _neighbours, Reading!.Uid);
        return null;
    }

    // Another maintenance lasts minutes or days: asked so seldom that the history stays short, and so soon that it costs a tenth of the wait.
    private TimeSpan Patiently(DateTimeOffset since)
    {
        var now = context.Now();
        var pause = TimeSpan.FromTicks(Math.Clamp((now - since).Ticks / 10, LeaseRetry.Ticks, TimeSpan.FromMinutes(5).Ticks));
        return _waitsUntil > now && _waitsUntil - now < pause ? _waitsUntil - now : pause;
    }

    private async Task PauseAsync(TimeSpan pause)
    {
        using var woken = new CancellationTokenSource();
        var timer = context.CreateTimer(context.Now() + pause, woken.Token);
        if (await Task.WhenAny(timer, cancel.Said) != timer)
        {
            // CancelAsync would leave the orchestrator's thread.
            End(woken);
        }
    }

    private static void End(CancellationTokenSource timer) => timer.Cancel();

    private static MaintenanceEnd Refused(string kind, string message, string? lookAt, string nextStep) =>
        new(MaintenanceOutcome.Refused, message) { Finding = new PlanFinding(FindingSeverity.Refuses, kind, message, lookAt, nextStep) };
}
