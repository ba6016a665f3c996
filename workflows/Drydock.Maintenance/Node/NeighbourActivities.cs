using Drydock.Kubernetes;

namespace Drydock.Maintenance.Node;

/// <summary>Finds the objects around a node that would remediate it while it is away.</summary>
internal sealed class ReadNeighboursActivity(ICluster cluster, INeighbours neighbours) : ClusterActivity<NodeInput, IReadOnlyList<HeldNeighbour>>
{
    protected override async Task<IReadOnlyList<HeldNeighbour>> RunAsync(NodeInput input, CancellationToken cancellationToken) =>
        await cluster.GetNodeAsync(input.Node, cancellationToken) is { } node ? (await Neighbourhood.ReadAsync(neighbours, node, cancellationToken)).Held : [];
}

/// <summary>What stands around a node.</summary>
internal static class Neighbourhood
{
    /// <summary>The kinds that decide what is held.</summary>
    public static readonly IReadOnlyList<NeighbourKind> Kinds =
        [NeighbourKind.NodeHealthCheck, NeighbourKind.ClusterMachine, NeighbourKind.OpenShiftMachine, NeighbourKind.OpenShiftHealthCheck];

    /// <summary>The objects that would remediate the node while it is away, and whether some could not be read since the account may not.</summary>
    public static async Task<(IReadOnlyList<HeldNeighbour> Held, bool IsPartial)> ReadAsync(
        INeighbours neighbours, NodeSnapshot node, CancellationToken cancellationToken)
    {
        var lists = await Task.WhenAll(Kinds.Take(3).Select(kind => ListAsync(neighbours, kind, cancellationToken)));
        List<NeighbourSnapshot> held =
        [
            .. (lists[0] ?? []).Where(check => check.Selector.Matches(node.Labels)),
            .. (lists[1] ?? []).Where(machine => machine.IsMachineOf(node)),
        ];
        var isPartial = lists.Contains(null);
        var machines = (lists[2] ?? []).Where(machine => machine.IsMachineOf(node)).ToList();
        if (machines.Count > 0)
        {
            var checks = await ListAsync(neighbours, NeighbourKind.OpenShiftHealthCheck, cancellationToken);
            isPartial |= checks is null;
            held.AddRange((checks ?? [])
                .Where(check => machines.Exists(machine => machine.Ref.Namespace == check.Ref.Namespace && check.Selector.Matches(machine.Labels))));
        }

        return ([.. held.Select(neighbour => new HeldNeighbour(neighbour.Kind, neighbour.Ref))], isPartial);
    }

    // The plan has told that it may not be read, and what that means.
    private static async Task<IReadOnlyList<NeighbourSnapshot>?> ListAsync(INeighbours neighbours, NeighbourKind kind, CancellationToken cancellationToken)
    {
        try
        {
            return await neighbours.ListNeighboursAsync(kind, cancellationToken);
        }
        catch (ClusterException refusal) when (refusal.Kind == ClusterErrorKind.Forbidden)
        {
            return null;
        }
    }
}

/// <summary>Objects to hold for a node.</summary>
internal sealed record HoldNeighboursInput(string Node, string Holder, IReadOnlyList<HeldNeighbour> Neighbours)
{
    /// <summary>Also those that came up since these were read.</summary>
    public bool LooksForNew { get; init; }
}

/// <summary>
/// Holds the objects around a node. Safe to run twice, and again later: what somebody took off is put on again. One that is gone holds
/// nothing up: it remediates nothing any more. Done says in its message what was found new and what was gone.
/// </summary>
internal sealed class HoldNeighboursActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock)
    : ClusterActivity<HoldNeighboursInput, ActResult>
{
    protected override async Task<ActResult> RunAsync(HoldNeighboursInput input, CancellationToken cancellationToken)
    {
        var guard = new Guard(cluster, clock, input.Node, input.Holder);
        var found = input.LooksForNew && await cluster.GetNodeAsync(input.Node, cancellationToken) is { } node
            ? (await Neighbourhood.ReadAsync(neighbours, node, cancellationToken)).Held
            : [];
        List<string> told = [];
        foreach (var held in input.Neighbours.Union(found))
        {
            var (act, change) = await HoldAsync(held, input, guard, cancellationToken);
            if (act.Verdict != Verdict.Done)
            {
                return act;
            }

            if (change == Change.Gone && !input.LooksForNew)
            {
                told.Add($"{held} was deleted meanwhile: there is nothing to pause.");
            }
            else if (change == Change.Held && input.LooksForNew && !input.Neighbours.Contains(held))
            {
                told.Add($"{held} came up during the maintenance of node {input.Node}: it is paused too.");
            }
        }

        return told.Count == 0 ? ActResult.Done : new(Verdict.Done, string.Join(' ', told));
    }

    private async Task<(ActResult Act, Change Change)> HoldAsync(
        HeldNeighbour held, HoldNeighboursInput input, Guard guard, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            if (await neighbours.GetNeighbourAsync(held.Kind, held.Ref, cancellationToken) is not { } neighbour)
            {
                return (ActResult.Done, Change.Gone);
            }

            if (NeighbourMarks.Hold(neighbour, input.Node, input.Holder) is not { } change)
            {
                return (ActResult.Done, Change.None);
            }

            if (await guard.CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no)
            {
                return (no, Change.None);
            }

            if (await neighbours.ChangeNeighbourAsync(neighbour, change.Annotations, change.PauseRequests, cancellationToken) is not null)
            {
                return (ActResult.Done, Change.Held);
            }

            NeighbourUndo.ThrowIfTooOften(attempt, held);
        }
    }

    private enum Change
    {
        None,
        Held,
        Gone,
    }
}

/// <summary>Takes off whatever a maintenance of the node wrote on the objects around it. Safe to run twice.</summary>
internal sealed class ReleaseNeighboursActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock) : ClusterActivity<UndoInput, UndoResult>
{
    protected override async Task<UndoResult> RunAsync(UndoInput input, CancellationToken cancellationToken)
    {
        var undo = new NeighbourUndo(neighbours);
        if (await input.RefusalAsync(cluster, clock, cancellationToken) is not { } refusal)
        {
            return await undo.ReleaseAsync(
                new NeighbourRelease(input.Node, input.Holder)
                {
                    MayBeUnread = input.MayBeUnread,
                    Maintenance = Holder.InstanceOf(input.Holder),
                    EndsJobs = !input.UnderLease,
                    KeepsPauses = input.KeepsPauses,
                    IsDown = input.PausesOutlastBoot && await cluster.GetNodeAsync(input.Node, cancellationToken) is { IsReady: false },
                    WasSwitchedOn = input.WasSwitchedOn,
                    IsRetried = true,
                },
                cancellationToken);
        }

        return await undo.HoldsAnythingAsync(input.Node, input.Holder!, input.MayBeUnread, cancellationToken) ? refusal : new UndoResult(Verdict.Done, null);
    }
}
