using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.Drain;
using Drydock.Maintenance.Node;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>One virtual machine of a node under maintenance.</summary>
internal sealed record VmInput(string Node, string Holder, ObjectRef Vm)
{
    /// <summary>It is to be marked before its launcher is evicted, not before it is stopped.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsEvicted { get; init; }
}

/// <summary>A machine to migrate to one node.</summary>
/// <param name="Node">The node under maintenance.</param>
/// <param name="Holder">Whose maintenance it is.</param>
/// <param name="Vm">The machine.</param>
/// <param name="Uid">The life of its instance.</param>
/// <param name="Hostname">The label of the target.</param>
/// <param name="LastMigration">The newest migration before this one: a newer one is the one asked for here.</param>
/// <param name="MaxInboundPerNode">Our own limit, or null.</param>
internal sealed record MigrateVmInput(
    string Node, string Holder, ObjectRef Vm, string Uid, string Hostname, string? LastMigration, int? MaxInboundPerNode);

/// <summary>Migrates a machine to one node. Safe to run twice: a migration that was not there before is its own.</summary>
internal sealed class MigrateVmActivity(ICluster cluster, TimeProvider clock, InboundGate inbound, Wakeups wakeups) : ClusterActivity<MigrateVmInput, ActResult>
{
    protected override async Task<ActResult> RunAsync(MigrateVmInput input, CancellationToken cancellationToken)
    {
        var stop = wakeups.Woken(Wakeups.EvictionsOf(input.Node));
        var newest = await cluster.ListMigrationsAsync(input.Vm, cancellationToken) is [var first, ..] ? first : null;
        var vmi = await cluster.GetVmiAsync(input.Vm, cancellationToken);
        if ((newest is not null && newest.Uid != input.LastMigration) || vmi?.Uid != input.Uid || vmi.Node != input.Node)
        {
            return ActResult.Done;
        }

        var go = ActResult.Done;
        VmCallOutcome? answer = null;
        string? held;
        try
        {
            held = await inbound.BeginAsync(
                cluster, new InboundMove(input.Node, input.Holder, input.Vm, input.MaxInboundPerNode) { Stop = stop }, MigrateAsync, cancellationToken);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            held = "Nothing was asked for: it waited for its turn among the migrations, and the maintenance had news meanwhile.";
        }

        return (held, answer) switch
        {
            ({ } why, _) => new(Verdict.Refused, why) { Kind = Answers.InboundLimit },
            (_, null) => go,
            (_, { IsAccepted: true }) => ActResult.Done,
            _ => new(Verdict.Refused, answer.Message),
        };

        async Task MigrateAsync()
        {
            go = await new Guard(cluster, clock, input.Node, input.Holder).CheckAsync(cancellationToken);
            answer = go.Verdict != Verdict.Done ? null : await cluster.MigrateVmAsync(
                input.Vm, new Dictionary<string, string>(StringComparer.Ordinal) { ["kubernetes.io/hostname"] = input.Hostname }, cancellationToken);
        }
    }
}

/// <summary>One life of an instance that has no virtual machine.</summary>
internal sealed record DeleteVmiInput(string Node, string Holder, ObjectRef Vmi, string Uid);

/// <summary>Deletes an instance that has no virtual machine. Safe to run twice.</summary>
internal sealed class DeleteVmiActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<DeleteVmiInput, ActResult>
{
    protected override async Task<ActResult> RunAsync(DeleteVmiInput input, CancellationToken cancellationToken)
    {
        var go = await new Guard(cluster, clock, input.Node, input.Holder).CheckAsync(cancellationToken);
        if (go.Verdict == Verdict.Done)
        {
            await cluster.DeleteVmiAsync(input.Vmi, input.Uid, cancellationToken);
        }

        return go;
    }
}

/// <summary>Withdraws the mark that makes KubeVirt migrate a machine again and again. Refused: this KubeVirt has no such call, or will not.</summary>
internal sealed class CancelEvacuationActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<VmInput, ActResult>
{
    protected override async Task<ActResult> RunAsync(VmInput input, CancellationToken cancellationToken)
    {
        // Withdrawing a request is an undo: a cancel of the maintenance does not stop it.
        var go = await new Guard(cluster, clock, input.Node, input.Holder).CheckAsync(cancellationToken, isUndo: true);
        if (go.Verdict != Verdict.Done || await cluster.GetVmiAsync(input.Vm, cancellationToken) is not { } vmi)
        {
            return go;
        }

        return await new Evacuations(cluster).WithdrawAsync(vmi, cancellationToken);
    }
}

/// <summary>One migration.</summary>
internal sealed record MigrationInput(string Node, string Holder, ObjectRef Migration, string Uid)
{
    /// <summary>The machine that it moves; null in what was stored before it was kept.</summary>
    public ObjectRef? Vm { get; init; }
}

/// <summary>Deletes a migration, which aborts it. Safe to run twice: one that is being deleted, or gone, is not deleted again.</summary>
internal sealed class DeleteMigrationActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<MigrationInput, ActResult>
{
    protected override async Task<ActResult> RunAsync(MigrationInput input, CancellationToken cancellationToken)
    {
        var go = await new Guard(cluster, clock, input.Node, input.Holder).CheckAsync(cancellationToken, isUndo: true);
        if (go.Verdict == Verdict.Done && (input.Vm is not { } vm || await IsThereAsync(vm, input.Uid, cancellationToken)))
        {
            await cluster.DeleteMigrationAsync(input.Migration, input.Uid, cancellationToken);
        }

        return go;
    }

    private async Task<bool> IsThereAsync(ObjectRef vm, string uid, CancellationToken cancellationToken) =>
        (await cluster.ListMigrationsAsync(vm, cancellationToken)).Any(migration => migration.Uid == uid && !migration.IsBeingDeleted);
}

/// <summary>What came of marking a machine.</summary>
internal sealed record VmMarked(ActResult Act, VmPrior? Prior);

/// <summary>Writes on a machine what it was before it is stopped, or shut down by an eviction. Safe to run twice: its own mark means it is done.</summary>
internal sealed class MarkVmActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<VmInput, VmMarked>
{
    protected override async Task<VmMarked> RunAsync(VmInput input, CancellationToken cancellationToken)
    {
        var guard = new Guard(cluster, clock, input.Node, input.Holder);
        for (var attempt = 0; attempt < NodeUndo.MaxConflicts; attempt++)
        {
            var vm = await cluster.GetVmAsync(input.Vm, cancellationToken);
            if (vm is null)
            {
                return new(new(Verdict.Refused, $"There is no virtual machine {input.Vm}."), null);
            }

            if (vm is { Running: not null, RunStrategy: not null })
            {
                return new(new(Verdict.Refused, $"Virtual machine {input.Vm}: Running and RunStrategy are mutually exclusive."), null);
            }

            var marked = vm.Mark is null ? null : LedgerJson.Read<VmPrior>(vm.Mark.Prior);
            if (vm.Mark is { } mark && (mark.HeldBy != input.Holder || marked?.IsEvicted != true || input.IsEvicted))
            {
                return mark.HeldBy == input.Holder
                    ? new(ActResult.Done, marked)
                    : new(new(Verdict.Refused, $"Virtual machine {input.Vm} is held by {Holder.Describe(mark.HeldBy)}."), null);
            }

            if (vm is { RunStrategy: "Halted" } or { Running: false } || vm.StateChangeRequests is ["Stop"])
            {
                // What is put back would start it against the will of whoever stops it.
                return new(new(Verdict.Refused, $"Virtual machine {input.Vm} is being stopped by somebody else already."), null);
            }

            if (await guard.CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no)
            {
                return new(no, null);
            }

            var prior = (marked ?? VmPrior.Of(input.Node, vm)) with { IsEvicted = input.IsEvicted };
            if (await cluster.MarkVmAsync(vm, new HoldMark(input.Holder, LedgerJson.Write(prior)), cancellationToken) is not null)
            {
                return new(ActResult.Done, prior);
            }
        }

        throw NodeUndo.KeepsChanging("virtualmachines", input.Vm.ToString());
    }
}

/// <summary>A machine to stop.</summary>
/// <param name="Node">The node under maintenance.</param>
/// <param name="Holder">Whose maintenance it is.</param>
/// <param name="Vm">The machine.</param>
/// <param name="GracePeriod">Its grace period, or null: the machine's own.</param>
/// <param name="Force">Also if it is stopping already: sooner than it was told to.</param>
internal sealed record StopVmInput(string Node, string Holder, ObjectRef Vm, TimeSpan? GracePeriod, bool Force = false);

/// <summary>Calls stop on a machine that is marked as ours. Safe to run twice: one that is stopped or stopping is left alone.</summary>
internal sealed class StopVmActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<StopVmInput, ActResult>
{
    protected override async Task<ActResult> RunAsync(StopVmInput input, CancellationToken cancellationToken)
    {
        var vm = await cluster.GetVmAsync(input.Vm, cancellationToken);
        if (vm is null || vm.Mark?.HeldBy != input.Holder)
        {
            return new(Verdict.Refused, $"Virtual machine {input.Vm} does not carry our mark.");
        }

        var vmi = await cluster.GetVmiAsync(input.Vm, cancellationToken);
        if ((IsStopping(vm) && !input.Force) || vmi is null or { Phase: "Succeeded" or "Failed" })
        {
            return ActResult.Done;
        }

        if (vmi.Node is { } other && other != input.Node)
        {
            // It left in the last moment, and nothing is to be stopped there.
            return new(Verdict.Refused, $"Virtual machine {input.Vm} runs on {other} by now: it is not stopped.");
        }

        var go = await new Guard(cluster, clock, input.Node, input.Holder).CheckAsync(cancellationToken);
        if (go.Verdict != Verdict.Done)
        {
            return go;
        }

        var answer = await cluster.CallVmAsync(input.Vm, VmCall.Stop, input.GracePeriod, cancellationToken);

        if (answer.IsAccepted)
        {
            return ActResult.Done;
        }

        // 409 may be "VM is not running", since it went down by itself meanwhile, or a change of the machine that came between: then nobody stopped
        // it. A 500 is virt-api's own patch that failed, for which etcd may have timed out and done it all the same.
        var mayBeDone = answer.Code is 409 or >= 500;
        var isDone = mayBeDone
            && (!await IsAliveAsync(input.Vm, cancellationToken) || (await cluster.GetVmAsync(input.Vm, cancellationToken) is { } now && IsStopping(now)));
        return isDone ? ActResult.Done : new(Verdict.Refused, answer.Message) { Kind = answer.Code >= 500 ? MayBeDone : null };
    }

    /// <summary>Kind of a refusal that may have been carried out: what the machine shows tells.</summary>
    public const string MayBeDone = "may-be-done";

    // Halted (and running: false) is what a stop leaves of Always and Once; a request is what it leaves of the others.
    private static bool IsStopping(VmSnapshot vm) => vm.RunStrategy == "Halted" || vm.Running is false || vm.HasStateChangeRequests;

    private async Task<bool> IsAliveAsync(ObjectRef vm, CancellationToken cancellationToken) =>
        await cluster.GetVmiAsync(vm, cancellationToken) is { Phase: not ("Succeeded" or "Failed") };
}

/// <summary>Gives a machine that we stopped its run strategy and its running state back. Safe to run twice.</summary>
internal sealed class RestoreVmActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<UndoInput, UndoResult>
{
    protected override async Task<UndoResult> RunAsync(UndoInput input, CancellationToken cancellationToken) =>
        await input.RefusalAsync(cluster, clock, cancellationToken)
        ?? (input.StartsNothing
            ? await UnmarkAsync(input.Vm!.Value, input.Holder!, cancellationToken)
            : await new NodeUndo(cluster).RestoreVmAsync(input.Vm!.Value, input.Holder, input.Ledger, cancellationToken));

    private async Task<UndoResult> UnmarkAsync(ObjectRef vm, string holder, CancellationToken cancellationToken) =>
        await new NodeUndo(cluster).UnmarkVmAsync(vm, holder, cancellationToken)
            ? new(Verdict.Done, null)
            : throw NodeUndo.KeepsChanging("virtualmachines", vm.ToString());
}

/// <summary>Names the machines that carry marks of the maintenance of this node.</summary>
internal sealed class ListHeldVmsActivity(ICluster cluster) : ClusterActivity<UndoInput, IReadOnlyList<ObjectRef>>
{
    protected override async Task<IReadOnlyList<ObjectRef>> RunAsync(UndoInput input, CancellationToken cancellationToken) =>
        await HeldVms.OfAsync(cluster, input.Node, input.Holder, cancellationToken);
}

/// <summary>The machines stopped for a node.</summary>
internal static class HeldVms
{
    public static async Task<IReadOnlyList<ObjectRef>> OfAsync(
        ICluster cluster, string node, string? holder, CancellationToken cancellationToken)
    {
        var marked = await cluster.ListMarkedVmsAsync(holder, cancellationToken);
        return [.. marked.Where(vm => LedgerJson.Read<VmPrior>(vm.Mark!.Prior)?.Node == node).Select(vm => vm.Ref)];
    }
}

/// <summary>Which machine must run again, and how long to wait for it.</summary>
/// <param name="Node">The node it was stopped for.</param>
/// <param name="Vm">The machine.</param>
/// <param name="Cursor">From the wait before.</param>
/// <param name="Until">Return by then, whatever happened.</param>
/// <param name="Known">The reason that is known already; another ends the wait.</param>
internal sealed record AwaitRunningInput(string Node, ObjectRef Vm, string? Cursor, DateTimeOffset Until, string? Known = null);

/// <summary>Whether it runs.</summary>
/// <param name="IsRunning">It is Running.</param>
/// <param name="Node">Where.</param>
/// <param name="Reason">Why it does not run yet, if that is known.</param>
/// <param name="Cursor">For the next wait.</param>
internal sealed record RunningSeen(bool IsRunning, string? Node, string? Reason, string? Cursor)
{
    /// <summary>Why it is not to run any more, one sentence; null: it is.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public string? Unwanted { get; init; }
}

/// <summary>Waits until a machine is Running. Changes nothing.</summary>
internal sealed class AwaitRunningActivity(ICluster cluster, Wakeups wakeups) : ClusterActivity<AwaitRunningInput, RunningSeen>
{
    /// <summary>The reason where it does not run since it is not down yet.</summary>
    public const string GoesDown = "Its guest is still shutting down.";

    protected override async Task<RunningSeen> RunAsync(AwaitRunningInput input, CancellationToken cancellationToken)
    {
        var wait = wakeups.OpenForMachine(cluster, input.Node, input.Cursor, input.Until);
        while (true)
        {
            var vmi = await cluster.GetVmiAsync(input.Vm, cancellationToken);
            var isRunning = vmi is { Phase: "Running", IsBeingDeleted: false };
            var reason = isRunning ? null : await ReasonAsync(vmi, cancellationToken);
            // As long as our own stop is still on its way it is Halted by that.
            if (!isRunning && input.Known != GoesDown && await UnwantedAsync(input.Vm, cancellationToken) is { } unwanted)
            {
                return new(false, null, reason, wait.Cursor) { Unwanted = unwanted };
            }

            if (isRunning || wait.IsOver || (reason is not null && reason != input.Known))
            {
                return new(isRunning, vmi?.Node, reason, wait.Cursor);
            }

            await wait.NextAsync(null, cancellationToken);
        }
    }

    private async Task<string?> UnwantedAsync(ObjectRef vm, CancellationToken cancellationToken) =>
        await cluster.GetVmAsync(vm, cancellationToken) is not { } machine ? "It was put back, and deleted since."
        : Planning.VmForecasts.RunStrategyOf(machine) == "Halted" ? "It was put back, and somebody has stopped it since: its run strategy is Halted."
        : null;

    private async Task<string?> ReasonAsync(VmiSnapshot? vmi, CancellationToken cancellationToken) => vmi is null
        ? "KubeVirt has not made an instance of it."
        : vmi.IsBeingDeleted ? GoesDown
        : await VmObserver.WhyPendingAsync(cluster, vmi, null, cancellationToken) ?? vmi.Phase;
}
