using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Maintenance.Node;

/// <summary>Who undoes what.</summary>
/// <param name="Node">The node whose maintenance it was.</param>
/// <param name="Holder">Only marks of this holder, or of any if null.</param>
/// <param name="UnderLease">Only while the lease is the holder's.</param>
/// <param name="Vm">The virtual machine to restore, where one is.</param>
internal sealed record UndoInput(string Node, string? Holder, bool UnderLease, ObjectRef? Vm = null)
{
    /// <summary>What stands around the node and may not be listed was not held either.</summary>
    public bool MayBeUnread { get; init; }

    /// <summary>The node stays out of service: of what stands around it only its machine and its jobs are let go.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool KeepsPauses { get; init; }

    /// <summary>If the machine of the node is switched on by that and the node is not Ready, what would remediate it stays paused.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool PausesOutlastBoot { get; init; }

    /// <summary>The machine was switched on by a call before.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool WasSwitchedOn { get; init; }

    /// <summary>What the object was, as its mark said: for one whose mark somebody took off. Null: only the mark counts.</summary>
    public string? Ledger { get; init; }

    /// <summary>Only the mark of a virtual machine goes: it was not shut down for the node.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool StartsNothing { get; init; }

    /// <summary>Null if the undo may go on. A cancel does not stop an undo: it is its reason.</summary>
    public async Task<UndoResult?> RefusalAsync(ICluster cluster, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (!UnderLease || Holder is null)
        {
            return null;
        }

        var answer = await new Guard(cluster, clock, Node, Holder).CheckAsync(cancellationToken, isUndo: true);
        if (answer.Verdict == Verdict.LeaseLost && await cluster.GetNodeAsync(Node, cancellationToken) is null)
        {
            // The lease went with its node: nobody can hold a node that is gone.
            return null;
        }

        return answer.Verdict == Verdict.Done ? null : new UndoResult(answer.Verdict, null, answer.Message);
    }
}

/// <summary>What came of an undo.</summary>
/// <param name="Verdict">Done also where there was nothing of ours.</param>
/// <param name="Done">What was put back, one sentence, or null if nothing was.</param>
/// <param name="Problem">Why it could not be put back, or null.</param>
/// <param name="WaitsToRun">A virtual machine was told to start: it is on its way.</param>
internal sealed record UndoResult(Verdict Verdict, string? Done, string? Problem = null, bool WaitsToRun = false)
{
    /// <summary>What was left as it is because somebody else changed it, one sentence, or null.</summary>
    public string? Kept { get; init; }

    /// <summary>It cannot be put back now and can later, for <see cref="Problem"/>: that as a stable kind of blocker; or null.</summary>
    public string? Busy { get; init; }

    /// <summary>Why a virtual machine is down and not to run any more, one sentence; null: it is, or runs.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? Unwanted { get; init; }

    /// <summary>A virtual machine whose guest still shuts down.</summary>
    public const string ShuttingDown = "vm-shutting-down";

    /// <summary>The machine of a node that was switched on, and the node is not Ready yet.</summary>
    public const string Booting = "machine-booting";

    /// <summary>A virtual machine whose start KubeVirt refuses for now.</summary>
    public const string StartRefused = "vm-start-refused";
}

/// <summary>
/// Puts objects back as their marks say: only where the mark is the holder's, the mark goes with the last change (design D8).
/// Used by the activities and, without any hub, by <see cref="NodeRestore"/>.
/// </summary>
internal sealed class NodeUndo(ICluster cluster)
{
    /// <summary>How often a change is tried on an object that somebody else changes at the same time.</summary>
    public const int MaxConflicts = 5;

    /// <summary>Uncordons, untaints, unlabels and unmarks, each as it was before.</summary>
    /// <param name="name">The node.</param>
    /// <param name="holder">Only if it is marked by this one, or by anybody if null.</param>
    /// <param name="ledger">What the node was, for one whose mark somebody took off; null: only the mark counts.</param>
    /// <param name="cancellationToken">Ends it between two requests.</param>
    public async Task<UndoResult> UnmarkNodeAsync(string name, string? holder, string? ledger, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxConflicts; attempt++)
        {
            var node = await cluster.GetNodeAsync(name, cancellationToken);
            if (node is null || (node.Mark is null && ledger is null))
            {
                return new(Verdict.Done, null);
            }

            if (node.Mark is { } foreign && holder is not null && foreign.HeldBy != holder)
            {
                return ledger is null ? new(Verdict.Done, null) : new(
                    Verdict.Done, null, $"Node {name} is held by {Holder.Describe(foreign.HeldBy)} by now: what this maintenance set on it is left to that.");
            }

            var text = node.Mark?.Prior ?? ledger!;
            if (LedgerJson.Read<NodePrior>(text) is not { } prior)
            {
                return new(Verdict.Refused, null, $"The mark on node {name} cannot be read: {text}");
            }

            if (node.Mark is null && !prior.HasTraces(node))
            {
                return AfterOthers(node, prior);
            }

            if (await cluster.ChangeNodeAsync(node, prior.Undo(node), cancellationToken) is not null)
            {
                return Undone(node, prior);
            }
        }

        throw KeepsChanging("nodes", name);
    }

    // Nothing on it is surely ours: we put it back before a crash, or somebody else did. Who cordons it then means it.
    private static UndoResult AfterOthers(NodeSnapshot node, NodePrior prior) => new(
        Verdict.Done,
        null,
        node.Unschedulable && !prior.Unschedulable
            ? $"Node {node.Name} is still cordoned. Our mark and all else that this maintenance had set is gone from it, so that somebody else may have cordoned it: it is left so. If nobody wants that: kubectl uncordon {node.Name}"
            : null);

    private static UndoResult Undone(NodeSnapshot node, NodePrior prior)
    {
        var theirs = prior.Theirs(node);
        List<string> kept = [];
        if (node.Mark is null)
        {
            kept.Add("somebody had taken our mark off it, so that it was put back by the ledger of the maintenance");
        }

        if (theirs.Count > 0)
        {
            kept.Add($"left as somebody else set it: {string.Join(", ", theirs)}");
        }

        var left = kept.Count == 0 ? null : $"Node {node.Name}: {string.Join("; ", kept)}.";
        var done = prior.Unschedulable && node.Unschedulable
            ? $"Node {node.Name}: taints and label removed; it stays cordoned, as it was before."
            : $"Node {node.Name}: uncordoned, taints and label removed.";
        return new(Verdict.Done, left is null ? done : $"{done} {left}") { Kept = left };
    }

    /// <summary>Gives a virtual machine that we stopped its run strategy and its running state back.</summary>
    /// <param name="name">The machine.</param>
    /// <param name="holder">Only if it is marked by this one, or by anybody if null.</param>
    /// <param name="ledger">What it was, for one whose mark somebody took off before it was to be put back; null: only the mark counts.</param>
    /// <param name="cancellationToken">Ends it between two requests.</param>
    public async Task<UndoResult> RestoreVmAsync(ObjectRef name, string? holder, string? ledger, CancellationToken cancellationToken)
    {
        VmCallOutcome? no = null;
        for (var attempt = 0; attempt < MaxConflicts; attempt++)
        {
            var vm = await cluster.GetVmAsync(name, cancellationToken);
            if (vm?.Mark is { } foreign && holder is not null && foreign.HeldBy != holder)
            {
                return new(Verdict.Done, null, ledger is null
                    ? null
                    : $"Virtual machine {name}, which this maintenance stopped, is held by {Holder.Describe(foreign.HeldBy)} by now: it is left to that.");
            }

            if ((vm?.Mark?.Prior ?? (vm is null ? null : ledger)) is not { } text)
            {
                // It was marked when it was listed: this may be a rerun, after a crash between the start and the checkpoint of it.
                return new(Verdict.Done, null, null, vm is { Mark: null } && await IsOnItsWayAsync(vm, cancellationToken))
                {
                    Unwanted = vm is null ? "Its VirtualMachine was deleted meanwhile." : null,
                };
            }

            if (LedgerJson.Read<VmPrior>(text) is not { } prior)
            {
                return new(Verdict.Refused, null, $"The mark on virtual machine {name} cannot be read: {text}");
            }

            var vmi = await cluster.GetVmiAsync(name, cancellationToken);
            var step = prior.NextUndo(vm!, vmi, prior.IsEvicted && vmi is not null && await IsLeavingAsync(vmi, cancellationToken));
            if (step.IsBusy)
            {
                return Busy(UndoResult.ShuttingDown, $"Virtual machine {name} is still shutting down: it cannot be started before it is down.");
            }

            if (step.RunStrategy is { } strategy)
            {
                // Each change gives a new resource version: go round and look again.
                await cluster.SetRunStrategyAsync(vm!, strategy, cancellationToken);
                continue;
            }

            if (step.Start && no is null && await cluster.CallVmAsync(name, VmCall.Start, null, cancellationToken) is { IsAccepted: false } answer)
            {
                // It may run by now, or somebody may have changed it: what it is says more than what was answered.
                no = answer;
                continue;
            }

            if (step.Start && no is not null)
            {
                var why = $"Virtual machine {name} could not be started: {no.Message}";
                return IsForNow(no) ? Busy(UndoResult.StartRefused, why) : new(Verdict.Refused, null, why);
            }

            var unwanted = step.IsUnwanted ? step.Sentence(name, prior) : null;
            if (vm!.Mark is null)
            {
                return new(Verdict.Done, step.Sentence(name, prior), null, step.WaitsToRun)
                {
                    Unwanted = unwanted,
                    Kept = $"Virtual machine {name}: somebody had taken our mark off it, so that it was put back by the ledger of the maintenance.",
                };
            }

            if (await UnmarkVmAsync(name, vm.Mark.HeldBy, cancellationToken))
            {
                return new(Verdict.Done, step.Sentence(name, prior), null, step.WaitsToRun) { Unwanted = unwanted };
            }
        }

        throw KeepsChanging("virtualmachines", name.ToString());
    }

    /// <summary>For an object that changes faster than it can be changed: worth another try later.</summary>
    public static ClusterException KeepsChanging(string resource, string name) => new(
        ClusterErrorKind.Conflict, "patch", resource, $"{resource}/{name} changed between reading and writing {MaxConflicts} times in a row.");

    private static UndoResult Busy(string kind, string why) => new(Verdict.Refused, null, why) { Busy = kind };

    /// <summary>
    /// Whether a start that was refused may be accepted later. virt-api answers 500 to every patch of its own that fails: a webhook or etcd away, a
    /// stop that is under way; and 409 to one that came between (facts 2.3.9). What a webhook denies it goes on denying.
    /// </summary>
    private static bool IsForNow(VmCallOutcome no) =>
        no.Code is 408 or 409 or >= 500 && no.Message?.Contains("denied the request", StringComparison.Ordinal) != true;

    private async Task<bool> IsOnItsWayAsync(VmSnapshot vm, CancellationToken cancellationToken) =>
        vm.HasStateChangeRequests || vm.RunStrategy == "Always" || vm.Running == true
        || await cluster.GetVmiAsync(vm.Ref, cancellationToken) is { Phase: not ("Running" or "Succeeded" or "Failed") };

    private async Task<bool> IsLeavingAsync(VmiSnapshot vmi, CancellationToken cancellationToken) =>
        (await cluster.ListLaunchersAsync(vmi.Ref, vmi.Uid, cancellationToken))
            .Any(pod => pod is { IsFinished: false, DeletionRequestedAt: not null } && pod.Node == vmi.Node);

    /// <summary>Takes the mark of this one off; false if the machine changes too fast for it.</summary>
    public async Task<bool> UnmarkVmAsync(ObjectRef name, string heldBy, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxConflicts; attempt++)
        {
            var vm = await cluster.GetVmAsync(name, cancellationToken);
            if (vm?.Mark?.HeldBy != heldBy || await cluster.MarkVmAsync(vm, null, cancellationToken) is not null)
            {
                return true;
            }
        }

        return false;
    }
}
