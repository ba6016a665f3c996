using Drydock.Kubernetes;

namespace Drydock.Maintenance.Node;

/// <summary>Finds the objects around a node that would remediate it while it is away.</summary>
internal sealed class ReadNeighboursActivity(ICluster cluster, INeighbours neighbours) : ClusterActivity<NodeInput, IReadOnlyList<HeldNeighbour>>
{
    protected override async Task<IReadOnlyList<HeldNeighbour>> RunAsync(NodeInput input, CancellationToken cancellationToken)
    {
        if (await cluster.GetNodeAsync(input.Node, cancellationToken) is not { } node)
        {
            return [];
        }

        List<NeighbourSnapshot> held =
        [
            .. (await neighbours.ListNeighboursAsync(NeighbourKind.NodeHealthCheck, cancellationToken))
                .Where(check => check.Selector.Matches(node.Labels)),
            .. (await MachinesAsync(NeighbourKind.ClusterMachine, input.Node, cancellationToken)),
        ];
        var machines = await MachinesAsync(NeighbourKind.OpenShiftMachine, input.Node, cancellationToken);
        if (machines.Count > 0)
        {
            held.AddRange((await neighbours.ListNeighboursAsync(NeighbourKind.OpenShiftHealthCheck, cancellationToken))
                .Where(check => machines.Any(machine => machine.Ref.Namespace == check.Ref.Namespace && check.Selector.Matches(machine.Labels))));
        }

        return [.. held.Select(neighbour => new HeldNeighbour(neighbour.Kind, neighbour.Ref))];
    }

    private async Task<IReadOnlyList<NeighbourSnapshot>> MachinesAsync(NeighbourKind kind, string node, CancellationToken cancellationToken) =>
        [.. (await neighbours.ListNeighboursAsync(kind, cancellationToken)).Where(machine => machine.Node == node)];
}

/// <summary>Objects to hold for a node.</summary>
internal sealed record HoldNeighboursInput(string Node, string Holder, IReadOnlyList<HeldNeighbour> Neighbours);

/// <summary>Holds the objects around a node. Safe to run twice, and again later: what somebody took off is put on again.</summary>
internal sealed class HoldNeighboursActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock)
    : ClusterActivity<HoldNeighboursInput, ActResult>
{
    protected override async Task<ActResult> RunAsync(HoldNeighboursInput input, CancellationToken cancellationToken)
    {
        var guard = new Guard(cluster, clock, input.Node, input.Holder);
        foreach (var held in input.Neighbours)
        {
            for (var attempt = 0; ; attempt++)
            {
                var neighbour = await neighbours.GetNeighbourAsync(held.Kind, held.Ref, cancellationToken);
                if (neighbour is null || NeighbourMarks.Hold(neighbour, input.Node, input.Holder) is not { } change)
                {
                    break;
                }

                if (await guard.CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no)
                {
                    return no;
                }

                if (await neighbours.ChangeNeighbourAsync(neighbour, change.Annotations, change.PauseRequests, cancellationToken) is not null)
                {
                    break;
                }

                NeighbourUndo.ThrowIfTooOften(attempt, held);
            }
        }

        return ActResult.Done;
    }
}

/// <summary>Takes off whatever a maintenance of the node wrote on the objects around it. Safe to run twice.</summary>
internal sealed class ReleaseNeighboursActivity(ICluster cluster, INeighbours neighbours, TimeProvider clock) : ClusterActivity<UndoInput, UndoResult>
{
    protected override async Task<UndoResult> RunAsync(UndoInput input, CancellationToken cancellationToken) =>
        await input.RefusalAsync(cluster, clock, cancellationToken)
        ?? await new NeighbourUndo(neighbours).ReleaseAsync(input.Node, input.Holder, cancellationToken);
}

/// <summary>Undoes what stands around a node, from the marks alone.</summary>
internal sealed class NeighbourUndo(INeighbours neighbours)
{
    private static readonly NeighbourKind[] Held = [NeighbourKind.NodeHealthCheck, NeighbourKind.OpenShiftHealthCheck, NeighbourKind.ClusterMachine];

    /// <summary>Ends pauses and lets the machine go, where a maintenance of the node (of this holder, or any if null) wrote that.</summary>
    public async Task<UndoResult> ReleaseAsync(string node, string? holder, CancellationToken cancellationToken)
    {
        var done = new List<string>();
        foreach (var kind in Held)
        {
            foreach (var found in await neighbours.ListNeighboursAsync(kind, cancellationToken))
            {
                if (await ReleaseAsync(found, node, holder, cancellationToken))
                {
                    done.Add(new HeldNeighbour(found.Kind, found.Ref).ToString());
                }
            }
        }

        foreach (var host in await neighbours.ListNeighboursAsync(NeighbourKind.BareMetalHost, cancellationToken))
        {
            if (await Actions.PowerOnActivity.ReleaseAsync(neighbours, new Actions.PowerInput(node, holder, host.Ref), cancellationToken))
            {
                done.Add($"{new HeldNeighbour(host.Kind, host.Ref)}, which is switched on");
            }
        }

        if (holder is null)
        {
            done.AddRange(await EndJobsAsync(node, cancellationToken));
        }

        return new(Verdict.Done, done.Count == 0 ? null : $"Let go: {string.Join(", ", done)}.");
    }

    /// <summary>For an object that changes faster than it can be changed.</summary>
    public static void ThrowIfTooOften(int attempt, HeldNeighbour held)
    {
        if (attempt + 1 >= NodeUndo.MaxConflicts)
        {
            throw NodeUndo.KeepsChanging(held.Kind.ToString(), held.Ref.ToString());
        }
    }

    // A maintenance ends its jobs itself. Where its hub is lost they are found by their pods on the node: whoever restores a node by hand has
    // made sure that no maintenance runs on it.
    private async Task<IReadOnlyList<string>> EndJobsAsync(string node, CancellationToken cancellationToken)
    {
        var done = new List<string>();
        var pods = (await neighbours.ListPodsAsync(@namespace: null, Actions.JobManifest.Label, cancellationToken)).Where(pod => pod.Node == node);
        foreach (var name in pods.Select(pod => new ObjectRef(pod.Ref.Namespace, pod.Labels[Actions.JobManifest.Label])).Distinct())
        {
            if (await neighbours.GetJobAsync(name, cancellationToken) is { } job && job.Annotations.ContainsKey(Actions.JobManifest.MaintenanceAnnotation))
            {
                await neighbours.DeleteJobAsync(name, job.Uid, cancellationToken);
                done.Add($"Job {name}, which is deleted");
            }
        }

        return done;
    }

    private async Task<bool> ReleaseAsync(NeighbourSnapshot found, string node, string? holder, CancellationToken cancellationToken)
    {
        var current = found;
        for (var attempt = 0; ; attempt++)
        {
            if (current is null || NeighbourMarks.Release(current, node, holder) is not { } change)
            {
                return false;
            }

            if (await neighbours.ChangeNeighbourAsync(current, change.Annotations, change.PauseRequests, cancellationToken) is not null)
            {
                return true;
            }

            ThrowIfTooOften(attempt, new HeldNeighbour(found.Kind, found.Ref));
            current = await neighbours.GetNeighbourAsync(found.Kind, found.Ref, cancellationToken);
        }
    }
}
