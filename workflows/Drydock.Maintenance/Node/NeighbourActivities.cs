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
                    IsRetried = true,
                },
                cancellationToken);
        }

        return await undo.HoldsAnythingAsync(input.Node, input.Holder!, input.MayBeUnread, cancellationToken) ? refusal : new UndoResult(Verdict.Done, null);
    }
}

/// <summary>What around a node is let go.</summary>
/// <param name="Node">The node.</param>
/// <param name="Holder">Whose marks count, or null: all.</param>
internal sealed record NeighbourRelease(string Node, string? Holder)
{
    /// <summary>What may not be listed was not held either: no problem.</summary>
    public bool MayBeUnread { get; init; }

    /// <summary>Its jobs on the node are deleted too: a maintenance that lives ends its own, and keeps those that are over.</summary>
    public bool EndsJobs { get; init; }

    /// <summary>The maintenance whose jobs those are, also without a pod; null: it is not known.</summary>
    public string? Maintenance { get; init; }

    /// <summary>The node stays out of service, and nobody is to remediate it: only its machine and its jobs are let go.</summary>
    public bool KeepsPauses { get; init; }

    /// <summary>It is tried again after an exception: what another try may mend is thrown, after all else was let go.</summary>
    public bool IsRetried { get; init; }
}

/// <summary>Undoes what stands around a node, from the marks alone.</summary>
internal sealed class NeighbourUndo(INeighbours neighbours)
{
    private static readonly NeighbourKind[] Held = [NeighbourKind.NodeHealthCheck, NeighbourKind.OpenShiftHealthCheck, NeighbourKind.ClusterMachine];

    /// <summary>
    /// Ends pauses and lets the machine go, where a maintenance of the node (of this holder, or any if null) wrote that. What refuses keeps
    /// nothing else held: it is the problem of the result.
    /// </summary>
    /// <exception cref="ClusterException">Some refused, all named, and it is tried again.</exception>
    public async Task<UndoResult> ReleaseAsync(NeighbourRelease wish, CancellationToken cancellationToken)
    {
        var (release, node, holder) = (new Release(), wish.Node, wish.Holder);
        foreach (var kind in wish.KeepsPauses ? [] : Held)
        {
            foreach (var found in await release.ListAsync(() => ListAsync(kind, wish.MayBeUnread ? null : release.Unread, cancellationToken)))
            {
                var held = new HeldNeighbour(found.Kind, found.Ref).ToString();
                await release.TryAsync(held, async () => await ReleaseAsync(found, node, holder, cancellationToken) ? held : null);
            }
        }

        // A maintenance lets a machine that it switched off go itself, when it ends that action.
        foreach (var host in await release.ListAsync(() => ListAsync(NeighbourKind.BareMetalHost, holder is null ? release.Unread : null, cancellationToken)))
        {
            var held = new HeldNeighbour(host.Kind, host.Ref).ToString();
            await release.TryAsync(
                held,
                async () => await Actions.PowerOnActivity.ReleaseAsync(neighbours, new Actions.PowerInput(node, holder, host.Ref), cancellationToken) ? $"{held}, which is switched on" : null);
        }

        if (wish.EndsJobs)
        {
            await EndJobsAsync(release, wish, cancellationToken);
        }

        if (wish.IsRetried)
        {
            release.ThrowIfAnotherTryMayMend();
        }

        return release.ResultFor(node);
    }

    /// <summary>Whether <see cref="ReleaseAsync(NeighbourRelease, CancellationToken)"/> would change anything, or that is not known.</summary>
    public async Task<bool> HoldsAnythingAsync(string node, string holder, bool mayBeUnread, CancellationToken cancellationToken)
    {
        List<string> unread = [];
        foreach (var kind in Held)
        {
            var found = await ListAsync(kind, mayBeUnread ? null : unread, cancellationToken);
            if (unread.Count > 0 || found.Any(neighbour => NeighbourMarks.Release(neighbour, node, holder) is not null))
            {
                return true;
            }
        }

        return (await ListAsync(NeighbourKind.BareMetalHost, null, cancellationToken)).Any(host => host.Annotations.ContainsKey(Actions.PowerKey.Of(node)));
    }

    private async Task<IReadOnlyList<NeighbourSnapshot>> ListAsync(NeighbourKind kind, List<string>? unread, CancellationToken cancellationToken)
    {
        try
        {
            return await neighbours.ListNeighboursAsync(kind, cancellationToken);
        }
        catch (ClusterException refusal) when (refusal.Kind == ClusterErrorKind.Forbidden)
        {
            unread?.Add(refusal.Message);
            return [];
        }
    }

    /// <summary>For an object that changes faster than it can be changed.</summary>
    public static void ThrowIfTooOften(int attempt, HeldNeighbour held)
    {
        if (attempt + 1 >= NodeUndo.MaxConflicts)
        {
            throw NodeUndo.KeepsChanging(held.Kind.ToString(), held.Ref.ToString());
        }
    }

    // A maintenance ends its jobs itself. Where it was ended by force, or its hub is lost, they are found by their pods on the node: a reboot
    // that waits its turn would come when the node is in use. So would one whose pod was refused so far: it is found by its name. Whoever
    // restores a node by hand has made sure that no maintenance runs on it.
    private async Task EndJobsAsync(Release release, NeighbourRelease wish, CancellationToken cancellationToken)
    {
        var pods = (await release.ListAsync(() => neighbours.ListPodsAsync(@namespace: null, Actions.JobManifest.Label, cancellationToken))).Where(pod => pod.Node == wish.Node);
        var ran = pods.Select(static pod => new ObjectRef(pod.Ref.Namespace, pod.Labels[Actions.JobManifest.Label])).ToHashSet();
        foreach (var name in ran.Union(wish.Maintenance is null ? [] : Actions.JobManifest.ThatMayReboot(wish.Maintenance)))
        {
            await release.TryAsync($"Job {name}", async () =>
            {
                if (await FindJobAsync(name, mayBeUnread: !ran.Contains(name), cancellationToken) is not { } job || !IsToEnd(job, wish.Holder))
                {
                    return null;
                }

                await neighbours.DeleteJobAsync(name, job.Uid, cancellationToken);
                return $"Job {name}, which is deleted";
            });
        }
    }

    // Who may not read it made none.
    private async Task<JobSnapshot?> FindJobAsync(ObjectRef name, bool mayBeUnread, CancellationToken cancellationToken)
    {
        try
        {
            return await neighbours.GetJobAsync(name, cancellationToken);
        }
        catch (ClusterException refusal) when (mayBeUnread && refusal.Kind == ClusterErrorKind.Forbidden)
        {
            return null;
        }
    }

    // The log of one that is over may still be wanted.
    private static bool IsToEnd(JobSnapshot job, string? holder) =>
        job is { IsComplete: false, Failure: null }
        && job.Annotations.GetValueOrDefault(Actions.JobManifest.MaintenanceAnnotation) is { } maintenance
        && (holder is null || maintenance == Holder.InstanceOf(holder));

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

    /// <summary>What was let go, what could not be read, and what refused.</summary>
    private sealed class Release
    {
        private readonly List<string> _done = [];
        private readonly List<(string? What, ClusterException Refusal)> _refused = [];

        /// <summary>What may not be listed.</summary>
        public List<string> Unread { get; } = [];

        public async Task<IReadOnlyList<T>> ListAsync<T>(Func<Task<IReadOnlyList<T>>> list)
        {
            try
            {
                return await list();
            }
            catch (ClusterException refusal)
            {
                _refused.Add((null, refusal));
                return [];
            }
        }

        /// <summary>Does it; it answers what was let go, or null.</summary>
        public async Task TryAsync(string what, Func<Task<string?>> letGo)
        {
            try
            {
                if (await letGo() is { } done)
                {
                    _done.Add(done);
                }
            }
            catch (ClusterException refusal)
            {
                _refused.Add((what, refusal));
            }
        }

        public void ThrowIfAnotherTryMayMend()
        {
            var mended = _refused.Select(one => one.Refusal).Where(refusal => refusal.IsTransient || refusal.Kind is ClusterErrorKind.Forbidden or ClusterErrorKind.Unauthorized)
                .OrderByDescending(refusal => refusal.IsTransient).FirstOrDefault();
            if (mended is not null)
            {
                throw new ClusterException(mended.Kind, mended.Verb, mended.Resource, Refused(), mended) { Code = mended.Code, RetryAfter = mended.RetryAfter };
            }
        }

        public UndoResult ResultFor(string node)
        {
            List<string> problems =
            [
                .. Unread.Count == 0 ? Array.Empty<string>()
                    : [$"{string.Join(" ", Unread)} Whether any of them is still held for node {node} is not known: grant that, then drydock restore {node}"],
                .. _refused.Count == 0 ? Array.Empty<string>() : [$"{Refused()} Try again: drydock restore {node}"],
            ];
            return new(
                Verdict.Done, _done.Count == 0 ? null : $"Let go: {string.Join(", ", _done)}.", problems.Count == 0 ? null : string.Join(". ", problems));
        }

        private string Refused() =>
            string.Join(" ", _refused.Select(static one => $"{(one.What is null ? "" : $"{one.What} is not let go: ")}{one.Refusal.Message.TrimEnd('.')}."));
    }
}
