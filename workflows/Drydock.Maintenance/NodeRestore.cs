using System.Text.Json.Serialization;
using Drydock.Kubernetes;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.VirtualMachines;

namespace Drydock.Maintenance;

/// <summary>Puts a node back from the marks in the cluster alone: no hub, no history (design D8).</summary>
public sealed class NodeRestore(ICluster cluster, INeighbours neighbours, TimeProvider clock)
{
    /// <summary>
    /// Undoes what a maintenance changed on the node, around it and on the virtual machines it stopped, as their marks say, tells those that it
    /// asked to leave to stay, and releases its lease. Does nothing where there is no mark. Does not wait until the virtual machines run. Of a
    /// node that is gone, what was stopped and held for it is put back all the same.
    /// </summary>
    /// <param name="node">The node.</param>
    /// <param name="evenIfRunning">Also if the maintenance that holds the node still renews its lease.</param>
    /// <param name="cancellationToken">Ends it between two changes.</param>
    public async Task<RestoreResult> RestoreAsync(string node, bool evenIfRunning, CancellationToken cancellationToken)
    {
        if (await RefusalAsync(cluster, clock, node, evenIfRunning, cancellationToken) is { } refusal)
        {
            return new RestoreResult(true, [], [refusal]);
        }

        var found = await cluster.GetNodeAsync(node, cancellationToken);
        var (holder, unread) = found?.Mark is { } mark ? (mark.HeldBy, null) : await LeasedToAsync(node, cancellationToken);
        var undo = new NodeUndo(cluster);
        List<UndoResult> results =
        [
            await TryAsync(() => undo.UnmarkNodeAsync(node, null, null, cancellationToken), node),
            await TryAsync(
                () => new NeighbourUndo(neighbours).ReleaseAsync(
                    new NeighbourRelease(node, Holder: null) { EndsJobs = true, Maintenance = Holder.InstanceOf(holder), IsDown = found is { IsReady: false } }, cancellationToken),
                node),
        ];
        foreach (var vm in await HeldVms.OfAsync(cluster, node, null, cancellationToken))
        {
            results.Add(await TryAsync(() => undo.RestoreVmAsync(vm, null, null, cancellationToken), node));
        }

        // On a node that somebody else has cordoned they may have been asked to leave by whoever did that.
        if (found is { Mark: not null } or { Unschedulable: false })
        {
            results.Add(await TryAsync(() => new Evacuations(cluster).WithdrawAsync(node, only: null, isRetried: false, cancellationToken), node));
        }

        List<string> done = [.. results.Select(result => result.Done).OfType<string>()];
        if (Holder.InstanceOf(holder) is not null)
        {
            await cluster.ReleaseLeaseAsync(node, holder!, cancellationToken);

            // A maintenance that was ended before it had marked the node is known by its lease alone.
            if (found?.Mark is null)
            {
                done.Add($"Node {node}: the lease of {Holder.Describe(holder)} is given up.");
            }
        }

        List<string> left = [.. results.Select(result => result.Problem).Append(unread).OfType<string>()];
        return found is null && done.Count + left.Count == 0
            ? new RestoreResult(true, [], [$"There is no node named {node}, and nothing carries a mark of a maintenance of it."]) { IsNodeGone = true }
            : new RestoreResult(false, done, left) { IsNodeGone = found is null };
    }

    // Whoever may not read it puts back all the same what the marks say.
    private async Task<(string? Holder, string? Unread)> LeasedToAsync(string node, CancellationToken cancellationToken)
    {
        try
        {
            return ((await cluster.GetLeaseAsync(node, cancellationToken))?.Holder, null);
        }
        catch (ClusterException refusal)
        {
            return (null, $"The lease of node {node}, if it is one of ours, is not given up: {refusal.Message.TrimEnd('.')}. Try again: drydock restore {node}");
        }
    }

    // What cannot be put back yet must keep nothing else as it is.
    private static async Task<UndoResult> TryAsync(Func<Task<UndoResult>> undo, string node)
    {
        try
        {
            var undone = await undo();
            return undone.Busy is null ? undone : undone with { Problem = Again(undone.Problem!) };
        }
        catch (ClusterException refusal)
        {
            return new UndoResult(Verdict.Refused, null, Again(refusal.Message));
        }

        string Again(string why) => $"{why.TrimEnd('.')}. Try again: drydock restore {node}";
    }

    /// <summary>Why a restore by hand must not be done, or null. That the node is gone is no reason: virtual machines may have been stopped for it.</summary>
    internal static async Task<string?> RefusalAsync(
        ICluster cluster, TimeProvider clock, string node, bool evenIfRunning, CancellationToken cancellationToken)
    {
        // Fresh by the measure of the guard: what is older changes nothing any more.
        var lease = evenIfRunning ? null : await cluster.GetLeaseAsync(node, cancellationToken);
        return lease is { Holder: { Length: > 0 } holder } && lease.RenewedAt + (lease.Duration * 2 / 3) > clock.GetUtcNow()
            ? $"Node {node} is under maintenance by {Holder.Describe(holder)}, which renewed its lease at {lease.RenewedAt:u}: cancel it instead."
            : null;
    }
}

/// <summary>What a restore did.</summary>
/// <param name="IsRefused">The maintenance that holds the node is still running, or there is no such node and no trace of it; nothing was changed.</param>
/// <param name="Done">What was put back, one sentence each; empty if nothing was marked.</param>
/// <param name="LeftBehind">What could not be put back, one sentence each, with the reason.</param>
public sealed record RestoreResult(bool IsRefused, IReadOnlyList<string> Done, IReadOnlyList<string> LeftBehind)
{
    /// <summary>There is no such node in the cluster, any more or at all; false in what was stored before that was told.</summary>
    public bool IsNodeGone { get; init; }

    /// <summary>The node was to stay as it was during its maintenance and did not: <see cref="LeftBehind"/> says what is missing.</summary>
    public bool IsUnkept { get; init; }

    /// <summary>The node, which was cordoned for its maintenance and not before, takes pods again; null: not told, as in what was stored before it was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool? IsUncordoned { get; init; }

    /// <summary>What was put back otherwise than by its mark, or left because somebody else changed it, one sentence each.</summary>
    public IReadOnlyList<string> Kept { get; init; } = [];

    /// <summary>The virtual machines that were started again and waited for; empty if nothing was waited for.</summary>
    public IReadOnlyList<RestoredVm> VirtualMachines { get; init; } = [];
}

/// <summary>A virtual machine that was started again.</summary>
/// <param name="Vm">Which.</param>
/// <param name="IsRunning">It runs, was never down, or is not to run.</param>
/// <param name="Node">Where, if that is known.</param>
/// <param name="Message">One sentence.</param>
public sealed record RestoredVm(ObjectRef Vm, bool IsRunning, string? Node, string Message)
{
    /// <summary>It was deleted, or stopped by somebody else, meanwhile: it is not to run.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsUnwanted { get; init; }
}
