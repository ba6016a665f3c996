using Drydock.Kubernetes;
using Drydock.Maintenance.Health;

namespace Drydock.Maintenance.Node;

/// <summary>The node under maintenance and who holds it.</summary>
internal sealed record NodeInput(string Node, string Holder)
{
    /// <summary>What would remediate the node is read with it.</summary>
    public bool ReadsNeighbours { get; init; }
}

/// <summary>The plan for an instance that has a name by now.</summary>
internal sealed record PlanInput(MaintenanceRequest Request, string Holder);

/// <summary>Reads the plan.</summary>
internal sealed class PlanActivity(ICluster cluster, TimeProvider clock, ActionPlanner actions) : ClusterActivity<PlanInput, MaintenancePlan>
{
    protected override bool IsAwaitedByPerson => true;

    protected override Task<MaintenancePlan> RunAsync(PlanInput input, CancellationToken cancellationToken) =>
        new PlanReader(cluster, clock, actions).ReadAsync(input.Request, input.Holder, cancellationToken);
}

/// <summary>What was read of a node before it is changed.</summary>
/// <param name="Prior">What it was; null if it is gone or held by somebody else.</param>
/// <param name="Uid">Its uid; null if it is gone.</param>
/// <param name="HeldBy">Who marked it, or null.</param>
/// <param name="Baseline">What its health check asks for again.</param>
internal sealed record NodeReading(NodePrior? Prior, string? Uid, string? HeldBy, HealthBaseline? Baseline)
{
    /// <summary>What would remediate it while it is away; null if that was not asked for, or read apart as before.</summary>
    public IReadOnlyList<HeldNeighbour>? Neighbours { get; init; }

    /// <summary>Some of that could not be read, since the account may not.</summary>
    public bool NeighboursArePartial { get; init; }
}

/// <summary>Reads what a node is before a maintenance changes it; from the mark, if it is marked as ours already.</summary>
internal sealed class ReadNodeActivity(ICluster cluster, INeighbours neighbours) : ClusterActivity<NodeInput, NodeReading>
{
    protected override async Task<NodeReading> RunAsync(NodeInput input, CancellationToken cancellationToken)
    {
        if (await cluster.GetNodeAsync(input.Node, cancellationToken) is not { } node)
        {
            return new(null, null, null, null);
        }

        var around = input.ReadsNeighbours ? Neighbourhood.ReadAsync(neighbours, node, cancellationToken) : null;
        var pods = cluster.ListPodsOnNodeAsync(input.Node, cancellationToken);
        var drivers = neighbours.ListCsiDriversAsync(input.Node, cancellationToken);
        await Task.WhenAll(new Task?[] { around, pods, drivers }.OfType<Task>());
        var reading = ReadingOf(node, input.Holder, HealthBaseline.Of(node, await pods, await drivers));
        if (around is null)
        {
            return reading;
        }

        var (held, isPartial) = await around;
        return reading with { Neighbours = held, NeighboursArePartial = isPartial };
    }

    private static NodeReading ReadingOf(NodeSnapshot node, string holder, HealthBaseline baseline) =>
        node.Mark switch
        {
            null => new(NodePrior.Of(node), node.Uid, null, baseline),
            { } mark when mark.HeldBy == holder => new(LedgerJson.Read<NodePrior>(mark.Prior), node.Uid, mark.HeldBy, baseline),
            { } mark => new(null, node.Uid, mark.HeldBy, baseline),
        };
}

/// <summary>Marks a node with what it was.</summary>
internal sealed record MarkNodeInput(string Node, string Holder, NodePrior Prior);

/// <summary>
/// Cordons, taints, labels and marks a node as ours in one patch. Safe to run twice: its own mark means it is done. Nodes of the control
/// plane are marked one at a time, by the turn that one lease of the cluster gives: of two that want it at the same moment the first
/// marks its node and the second sees the mark. Who died with the turn finds it again, or loses it when it expires.
/// </summary>
internal sealed class MarkNodeActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<MarkNodeInput, ActResult>
{
    /// <summary>Kind of a refusal: the node is not as it was read any more, and a ledger of that would undo what somebody else did since.</summary>
    public const string HasChanged = "changed";

    // A few requests long; the API server may be slow.
    private static readonly TimeSpan TurnLasts = TimeSpan.FromMinutes(1);

    protected override async Task<ActResult> RunAsync(MarkNodeInput input, CancellationToken cancellationToken)
    {
        var node = await cluster.GetNodeAsync(input.Node, cancellationToken);
        if (node is not { IsControlPlane: true })
        {
            return await MarkAsync(node, input, cancellationToken);
        }

        var turn = await cluster.AcquireTurnAsync(ClusterTurn.ControlPlane, input.Holder, TurnLasts, cancellationToken);
        if (!turn.IsOurs)
        {
            return new(Verdict.Refused, $"{Holder.Describe(turn.Holder)} is about to take out a control-plane node: never two at once.") { Kind = ControlPlane.Deciding };
        }

        var result = await MarkAsync(node, input, cancellationToken);
        await cluster.ReleaseTurnAsync(ClusterTurn.ControlPlane, input.Holder, cancellationToken);
        return result;
    }

    private async Task<ActResult> MarkAsync(NodeSnapshot? node, MarkNodeInput input, CancellationToken cancellationToken)
    {
        var guard = new Guard(cluster, clock, input.Node, input.Holder);
        for (var attempt = 0; attempt < NodeUndo.MaxConflicts; attempt++)
        {
            if (node is null)
            {
                return new(Verdict.Refused, $"Node {input.Node} is gone.");
            }

            if (node.Mark is { } mark)
            {
                return mark.HeldBy == input.Holder
                    ? await GiveWayAsync(node, input, cancellationToken)
                    : new(Verdict.Refused, $"Node {input.Node} is held by {Holder.Describe(mark.HeldBy)}.");
            }

            if (!input.Prior.IsStill(node))
            {
                return new(Verdict.Refused, $"Somebody changed node {input.Node} before it was marked: it is read again.") { Kind = HasChanged };
            }

            if (await ControlPlane.ProblemAsync(cluster, node, cancellationToken) is { } problem)
            {
                return new(Verdict.Refused, problem.Message) { Kind = problem.Kind, NextStep = problem.NextStep };
            }

            if (await guard.CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no)
            {
                return no;
            }

            if (await cluster.ChangeNodeAsync(node, input.Prior.Mark(input.Holder), cancellationToken) is { } marked)
            {
                return await GiveWayAsync(marked, input, cancellationToken);
            }

            node = await cluster.GetNodeAsync(input.Node, cancellationToken);
        }

        throw NodeUndo.KeepsChanging("nodes", input.Node);
    }

    // Whoever cordons a node by hand takes no turn, and a turn may have expired under a process that stood still.
    private async Task<ActResult> GiveWayAsync(NodeSnapshot marked, MarkNodeInput input, CancellationToken cancellationToken)
    {
        if (!marked.IsControlPlane
            || ControlPlane.OtherOut(marked, (await cluster.ListNodesAsync(cancellationToken)).Where(node => node.IsControlPlane)) is not { } other)
        {
            return ActResult.Done;
        }

        await new NodeUndo(cluster).UnmarkNodeAsync(input.Node, input.Holder, ledger: null, cancellationToken);
        return new(Verdict.Refused, other.Message) { Kind = other.Kind, NextStep = other.NextStep };
    }
}

/// <summary>Undoes what the mark on a node says. Safe to run twice: no mark means it is done.</summary>
internal sealed class UnmarkNodeActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<UndoInput, UndoResult>
{
    protected override async Task<UndoResult> RunAsync(UndoInput input, CancellationToken cancellationToken)
    {
        if (await input.RefusalAsync(cluster, clock, cancellationToken) is not { } refusal)
        {
            return await new NodeUndo(cluster).UnmarkNodeAsync(input.Node, input.Holder, input.Ledger, cancellationToken);
        }

        // Nothing of ours is on it: the lease was lost before the node was marked.
        return input.Ledger is null && (await cluster.GetNodeAsync(input.Node, cancellationToken))?.Mark?.HeldBy != input.Holder
            ? new UndoResult(Verdict.Done, null)
            : refusal;
    }
}

/// <summary>Records a Kubernetes Event on the node: a courtesy, never a reason to fail.</summary>
internal sealed class RecordEventActivity(ICluster cluster) : ClusterActivity<NodeEvent, bool>
{
    protected override async Task<bool> RunAsync(NodeEvent input, CancellationToken cancellationToken)
    {
        await cluster.RecordEventAsync(input, cancellationToken);
        return true;
    }
}

/// <summary>Ends the waits for a node.</summary>
internal sealed class WakeWaitsActivity(Wakeups wakeups) : ClusterActivity<string, bool>
{
    protected override async Task<bool> RunAsync(string input, CancellationToken cancellationToken)
    {
        await wakeups.WakeAsync(input, cancellationToken);
        return true;
    }
}
