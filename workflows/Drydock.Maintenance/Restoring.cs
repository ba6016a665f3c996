using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Maintenance;

/// <summary>What is to be put back: the input of <c>node.restore</c>. Persisted; only ever gains optional members.</summary>
/// <param name="Node">The node.</param>
public sealed record RestoreRequest(string Node)
{
    /// <summary>Only what this holder marked; null: whatever is marked.</summary>
    public string? Holder { get; init; }

    /// <summary>Only while the holder's lease is fresh: true inside a maintenance, false when a person says <c>restore</c>.</summary>
    public bool UnderLease { get; init; }

    /// <summary>Also if the maintenance that holds the node still renews its lease.</summary>
    public bool EvenIfRunning { get; init; }

    /// <summary>Leave the node cordoned and marked; only the virtual machines are started again.</summary>
    public bool KeepNode { get; init; }

    /// <summary>What stands around the node and may not be listed was not held either.</summary>
    public bool NeighboursMayBeUnread { get; init; }

    /// <summary>What the node was before, as its mark says it: for when somebody took that off. Null: only the mark counts.</summary>
    public string? Ledger { get; init; }

    /// <summary>The virtual machines that were stopped, with what their marks say: for when somebody took those off.</summary>
    public IReadOnlyList<StoppedVm> Stopped { get; init; } = [];

    /// <summary>Virtual machines on the node that were asked to leave it are told to stay; false in what was stored before that: its history must replay.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool TellsToStay { get; init; }

    /// <summary>Only these are told to stay, whatever <see cref="TellsToStay"/> says: their moves could not; null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public IReadOnlyList<ObjectRef>? Evacuated { get; init; }

    /// <summary>
    /// A node that is kept has its machine switched on and its jobs ended all the same: nobody else does. False in what was stored before that:
    /// its history must replay.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool EndsActions { get; init; }

    /// <summary>How long a virtual machine that was started again may take to be Running.</summary>
    public TimeSpan RestartTimeout { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>A virtual machine that was stopped.</summary>
/// <param name="Vm">Which.</param>
/// <param name="Ledger">What it was before, as its mark says it.</param>
public sealed record StoppedVm(ObjectRef Vm, string Ledger);

/// <summary>Puts a node back from the marks on it and on the virtual machines that were stopped for it.</summary>
/// <remarks>
/// The node first: a virtual machine that could not migrate may be able to run nowhere else.
/// </remarks>
internal sealed partial class RestoreOrchestrator : TaskOrchestrator<RestoreRequest, RestoreResult>
{
    private static readonly TimeSpan LeaseRetry = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestLeaseRetry = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LongestWaitForLease = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan LongestWaitToStart = TimeSpan.FromHours(2);

    // Bare metal takes a quarter of an hour; what does not come back in that time is for whoever remediates nodes.
    private static readonly TimeSpan LongestBoot = TimeSpan.FromMinutes(20);

    private static readonly TimeSpan BootLook = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private readonly List<string> _done = [];
    private readonly List<string> _leftBehind = [];
    private readonly List<string> _kept = [];
    private readonly SortedDictionary<string, VmStatus> _starting = new(StringComparer.Ordinal);
    private TaskCompletionSource? _asking;
    private bool _isUnkept;

    public override async Task<RestoreResult> RunAsync(TaskOrchestrationContext context, RestoreRequest input)
    {
        if (!input.UnderLease && await context.Undo<string?>(Activities.CheckRestore, input) is { } refusal)
        {
            return new RestoreResult(true, [], [refusal]);
        }

        var undo = new UndoInput(input.Node, input.Holder, input.UnderLease) { MayBeUnread = input.NeighboursMayBeUnread };
        var released = Task.CompletedTask;
        if (!input.KeepNode)
        {
            // Remediation last: it must not find a node that is still being put back.
            await UndoAsync(context, Activities.UnmarkNode, undo with { Ledger = input.Ledger }, $"node {input.Node}");
            released = ReleaseAsync(context, undo, input.TellsToStay);
            if (!input.TellsToStay)
            {
                await released;
            }
        }
        else if (input is { Ledger: { } ledger, Holder: { } holder } && LedgerJson.Read<NodePrior>(ledger) is { } prior)
        {
            await KeepAsync(context, new MarkNodeInput(input.Node, holder, prior));
        }

        if (input is { KeepNode: true, EndsActions: true })
        {
            await UndoAsync(context, Activities.ReleaseNeighbours, undo with { KeepsPauses = true }, $"the machine of node {input.Node}, or a job on it,");
        }

        // After the uncordon: what answers for KubeVirt may run on this node.
        var staying = TellToStayAsync(context, input);
        var held = await HeldAsync(context, input);
        var machines = await Task.WhenAll(
        [
            .. held.Select(vm => RestoreVmAsync(context, input, vm, ledger: null)),
            .. input.Stopped.Where(stopped => !held.Contains(stopped.Vm)).Select(stopped => RestoreVmAsync(context, input, stopped.Vm, stopped.Ledger)),
        ]);
        await staying;
        await released;
        return new RestoreResult(false, _done, _leftBehind)
        {
            Kept = _kept, IsUnkept = _isUnkept, VirtualMachines = [.. machines], IsUncordoned = !input.KeepNode && WasSchedulable(input.Ledger) && _leftBehind.Count == 0,
        };
    }

    /// <summary>What was held around the node is let go; what would remediate it only when a machine that was switched on by that is back, or long enough after it.</summary>
    private async Task ReleaseAsync(TaskOrchestrationContext context, UndoInput undo, bool waitsForBoot)
    {
        var what = $"what was held around node {undo.Node}";
        var giveUpAt = context.Now() + LongestBoot;
        var wish = undo with { PausesOutlastBoot = waitsForBoot };
        while (await UndoAsync(context, Activities.ReleaseNeighbours, wish, what) is { Busy: not null } busy)
        {
            _done.AddRange(new[] { busy.Done }.OfType<string>());
            wish = context.Now() < giveUpAt ? wish with { WasSwitchedOn = true } : undo;
            await context.CreateTimer(context.Now() + BootLook, CancellationToken.None);
        }
    }

    private static bool WasSchedulable(string? ledger) => ledger is not null && LedgerJson.Read<NodePrior>(ledger) is { Unschedulable: false };

    private async Task<IReadOnlyList<ObjectRef>> HeldAsync(TaskOrchestrationContext context, RestoreRequest input)
    {
        try
        {
            return await context.Undo<IReadOnlyList<ObjectRef>>(
                Activities.ListHeldVms, new UndoInput(input.Node, input.Holder, input.UnderLease));
        }
        catch (TaskFailedException failure)
        {
            _leftBehind.Add($"Virtual machines that were stopped for node {input.Node}, if any: {failure.Sentence()}");
            return [];
        }
    }

    /// <summary>A node that stays as it is keeps its marks too: they are what <c>drydock restore</c> goes by.</summary>
    private async Task KeepAsync(TaskOrchestrationContext context, MarkNodeInput input)
    {
        try
        {
            var kept = await AskAsync<ActResult>(context, Activities.ReassertNode, input, input.Holder, static result => result.Verdict);
            _isUnkept = kept.Verdict != Verdict.Done || kept.Kind == ReassertNodeActivity.IsGone;
            if (_isUnkept)
            {
                _leftBehind.Add(NotKept(input.Node, kept.Message!));
            }
        }
        catch (TaskFailedException failure)
        {
            _isUnkept = true;
            _leftBehind.Add(NotKept(input.Node, $"What somebody may have taken off node {input.Node} was not put on again: {failure.Sentence()}"));
        }
    }

    private static string NotKept(string node, string what) => $"{what.TrimEnd('.')}. If it must take no pods: kubectl cordon {node}";

    private async Task<RestoredVm> RestoreVmAsync(TaskOrchestrationContext context, RestoreRequest input, ObjectRef vm, string? ledger)
    {
        TellBegun(context, vm);
        var undone = await StartAsync(context, new UndoInput(input.Node, input.Holder, input.UnderLease, vm) { Ledger = ledger });
        if (undone is not { Verdict: Verdict.Done, WaitsToRun: true })
        {
            if (undone.Verdict == Verdict.Done)
            {
                TellOver(context, vm);
            }

            return new RestoredVm(vm, undone is { Verdict: Verdict.Done, Problem: null }, null, undone.Problem ?? undone.Unwanted ?? undone.Done ?? "It was not marked.")
            {
                IsUnwanted = undone.Unwanted is not null,
            };
        }

        var since = context.Now();
        var until = since + input.RestartTimeout;
        RunningSeen? seen = null;
        while (seen is not { IsRunning: true } && (seen is null || (seen.Unwanted is null && context.Now() < until)))
        {
            try
            {
                seen = await context.Undo<RunningSeen>(
                    Activities.AwaitRunning, new AwaitRunningInput(input.Node, vm, seen?.Cursor, until, seen?.Reason));
            }
            catch (TaskFailedException failure)
            {
                return new RestoredVm(vm, false, null, $"It was started again, and whether it runs could not be seen: {failure.Sentence()}");
            }

            Tell(context, vm, seen, since, until);
        }

        return seen.IsRunning ? new RestoredVm(vm, true, seen.Node, "It runs again.")
            : seen.Unwanted is { } unwanted ? new RestoredVm(vm, true, null, unwanted) { IsUnwanted = true }
            : new RestoredVm(vm, false, null, $"It was started again and is not Running after {Spoken.Of(input.RestartTimeout)}: {seen.Reason}");
    }

    /// <summary>Puts it back as soon as that can be done, and tells until then why it cannot; for two hours.</summary>
    private async Task<UndoResult> StartAsync(TaskOrchestrationContext context, UndoInput input)
    {
        var (vm, what) = (input.Vm!.Value, $"virtual machine {input.Vm}");
        var since = context.Now();
        var (giveUpAt, pause, wasNews) = (since + LongestWaitToStart, LeaseRetry, false);
        while (true)
        {
            var undone = await UndoAsync(context, Activities.RestoreVm, input, what);
            if (undone.Busy is null)
            {
                return undone;
            }

            if (context.Now() >= giveUpAt)
            {
                Note(undone, what, input.Node);
                return undone;
            }

            Tell(context, vm, undone, since, giveUpAt);
            var isNews = await IsNoLongerGoingDownAsync(context, input, context.Now() + LongestPause);
            if (isNews && wasNews)
            {
                // Its guest is down, and it is refused all the same.
                await context.CreateTimer(context.Now() + pause, CancellationToken.None);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }

            wasNews = isNews;
        }
    }

    private static async Task<bool> IsNoLongerGoingDownAsync(TaskOrchestrationContext context, UndoInput input, DateTimeOffset until)
    {
        try
        {
            var seen = await context.Undo<RunningSeen>(
                Activities.AwaitRunning, new AwaitRunningInput(input.Node, input.Vm!.Value, null, until, AwaitRunningActivity.GoesDown));
            return seen.Reason != AwaitRunningActivity.GoesDown;
        }
        catch (TaskFailedException)
        {
            // The next try to put it back says why.
            return true;
        }
    }

    private void Tell(TaskOrchestrationContext context, ObjectRef vm, UndoResult busy, DateTimeOffset since, DateTimeOffset giveUpAt)
    {
        var isGoingDown = busy.Busy == UndoResult.ShuttingDown;
        _starting[vm.ToString()] = new VmStatus(vm, isGoingDown ? VmProgress.Stopping : VmProgress.Starting, busy.Problem!)
        {
            Since = since,
            Deadline = giveUpAt,
            Blocker = new Blocker(
                busy.Busy!, vm.ToString(), isGoingDown ? $"virtualmachineinstance/{vm}" : $"virtualmachine/{vm}", busy.Problem!, since, 0, null, giveUpAt,
                isGoingDown
                    ? "It is started as soon as it is down. Shut it down from within, or look at its virt-launcher pod."
                    : "It is tried again by itself. Look at the events of the virtual machine and at virt-api."),
        };
        context.SetCustomStatus(new RestoreStatus([.. _starting.Values]));
    }

    private void Tell(TaskOrchestrationContext context, ObjectRef vm, RunningSeen seen, DateTimeOffset since, DateTimeOffset until)
    {
        var message = seen.IsRunning ? "It runs again." : $"It was started again and is not Running yet: {seen.Reason}";
        _starting[vm.ToString()] = new VmStatus(vm, seen.IsRunning ? VmProgress.Gone : VmProgress.Starting, message)
        {
            Since = since,
            Deadline = seen.IsRunning ? null : until,
            Blocker = seen.IsRunning || seen.Reason is null ? null : new Blocker(
                "vm-pending-after-restart", vm.ToString(), $"virtualmachineinstance/{vm}", message, since, 0, null, until,
                "Look at the events of its virt-launcher pod; free capacity or uncordon a node."),
        };
        context.SetCustomStatus(new RestoreStatus([.. _starting.Values]));
    }

    /// <summary>What came of it; what could not be done is listed as left behind, except what can be done later.</summary>
    private async Task<UndoResult> UndoAsync(TaskOrchestrationContext context, string activity, UndoInput input, string what)
    {
        UndoResult result;
        try
        {
            result = await AskAsync<UndoResult>(context, activity, input, input.Holder, static result => result.Verdict);
        }
        catch (TaskFailedException failure)
        {
            result = new UndoResult(Verdict.Refused, null, failure.Sentence());
        }

        if (result.Busy is null)
        {
            Note(result, what, input.Node);
        }

        return result;
    }

    /// <summary>
    /// What came of it. While the lease is not ours, whoever renews it is told to look, and it is tried again: for ten minutes, more and more
    /// seldom, and by one for all, since every try is history.
    /// </summary>
    private async Task<T> AskAsync<T>(
        TaskOrchestrationContext context, string activity, object input, string? holder, Func<T, Verdict> verdictOf)
    {
        var giveUpAt = context.Now() + LongestWaitForLease;
        var result = await context.Undo<T>(activity, input);
        while (IsTriedAgain() && _asking is { } other)
        {
            await other.Task;
            result = await context.Undo<T>(activity, input);
        }

        if (!IsTriedAgain())
        {
            return result;
        }

        var mine = _asking = new TaskCompletionSource();
        try
        {
            for (var pause = LeaseRetry; IsTriedAgain(); pause = pause * 2 < LongestLeaseRetry ? pause * 2 : LongestLeaseRetry)
            {
                context.LookAtLease(holder);
                await context.CreateTimer(context.Now() + pause, CancellationToken.None);
                result = await context.Undo<T>(activity, input);
            }

            return result;
        }
        finally
        {
            _asking = null;
            mine.SetResult();
        }

        bool IsTriedAgain() => verdictOf(result) == Verdict.LeaseLost && context.Now() < giveUpAt;
    }

    private void Note(UndoResult result, string what, string node)
    {
        if (result.Done is { } done)
        {
            _done.Add(done);
        }

        if (result.Kept is { } kept)
        {
            _kept.Add(kept);
        }

        if (result.Problem is { } problem)
        {
            // Done all the same: there is nothing of ours that another try could find.
            _leftBehind.Add(result.Verdict == Verdict.Done ? problem : Sentence(what, problem, node));
        }
    }

    private static string Sentence(string what, string why, string node) =>
        $"{char.ToUpperInvariant(what[0])}{what[1..]} was not put back: {why.TrimEnd('.')}. Try: drydock restore {node}";
}

/// <summary>Looks whether a restore by hand would pull the node from under a running maintenance; the refusal, or null.</summary>
internal sealed class CheckRestoreActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<RestoreRequest, string?>
{
    protected override Task<string?> RunAsync(RestoreRequest input, CancellationToken cancellationToken) =>
        NodeRestore.RefusalAsync(cluster, clock, input.Node, input.EvenIfRunning, cancellationToken);
}
