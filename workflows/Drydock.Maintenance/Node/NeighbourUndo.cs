using Drydock.Kubernetes;

namespace Drydock.Maintenance.Node;

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

    /// <summary>The node is not Ready: if its machine is switched on, it boots, and what would remediate it stays paused until it is back.</summary>
    public bool IsDown { get; init; }

    /// <summary>Its machine was switched on before, for the same restore.</summary>
    public bool WasSwitchedOn { get; init; }

    /// <summary>It is tried again after an exception: what another try may mend is thrown, after all else was let go.</summary>
    public bool IsRetried { get; init; }
}

/// <summary>Undoes what stands around a node, from the marks alone.</summary>
internal sealed class NeighbourUndo(INeighbours neighbours)
{
    private static readonly NeighbourKind[] Held = [NeighbourKind.NodeHealthCheck, NeighbourKind.OpenShiftHealthCheck, NeighbourKind.ClusterMachine];

    /// <summary>
    /// Lets the machine go and ends pauses, where a maintenance of the node (of this holder, or any if null) wrote that. What refuses keeps
    /// nothing else held: it is the problem of the result. Where a machine boots its pauses are left, and the result is busy.
    /// </summary>
    /// <exception cref="ClusterException">Some refused, all named, and it is tried again.</exception>
    public async Task<UndoResult> ReleaseAsync(NeighbourRelease wish, CancellationToken cancellationToken)
    {
        var (release, node, holder) = (new Release(), wish.Node, wish.Holder);
        var isSwitchedOn = wish.WasSwitchedOn;

        // A maintenance lets a machine that it switched off go itself, when it ends that action.
        foreach (var host in await release.ListAsync(() => ListAsync(NeighbourKind.BareMetalHost, holder is null ? release.Unread : null, cancellationToken)))
        {
            var held = new HeldNeighbour(host.Kind, host.Ref).ToString();
            await release.TryAsync(held, async () =>
            {
                var isLetGo = await Actions.PowerOnActivity.ReleaseAsync(neighbours, new Actions.PowerInput(node, holder, host.Ref), cancellationToken);
                isSwitchedOn |= isLetGo;
                return isLetGo ? $"{held}, which is switched on" : null;
            });
        }

        // One that was off for hours would be remediated at once, and perhaps deleted, while it boots.
        List<string> paused = [];
        foreach (var kind in wish.KeepsPauses ? [] : Held)
        {
            foreach (var found in await release.ListAsync(() => ListAsync(kind, wish.MayBeUnread ? null : release.Unread, cancellationToken)))
            {
                var held = new HeldNeighbour(found.Kind, found.Ref).ToString();
                if (wish.IsDown && isSwitchedOn)
                {
                    paused.AddRange(NeighbourMarks.Release(found, node, holder) is null ? [] : [held]);
                    continue;
                }

                await release.TryAsync(held, async () => await ReleaseAsync(found, node, holder, cancellationToken) ? held : null);
            }
        }

        if (wish.EndsJobs)
        {
            await EndJobsAsync(release, wish, cancellationToken);
        }

        // Of another try nobody would tell that the machine was switched on by this one.
        var isBooting = wish.IsDown && isSwitchedOn && (paused.Count > 0 || release.HasRefusals);
        if (wish.IsRetried && !isBooting)
        {
            release.ThrowIfAnotherTryMayMend();
        }

        var result = release.ResultFor(node);
        return !isBooting ? result : result with
        {
            Busy = UndoResult.Booting,
            Problem = $"{(result.Problem is { } problem ? problem + ". " : "")}{(paused.Count > 0 ? string.Join(", ", paused) : "What was paused for it")} must not remediate node {node} yet: its machine was switched on just now, and the node is not Ready.",
        };
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

        /// <summary>Something refused, or could not be read.</summary>
        public bool HasRefusals => _refused.Count > 0;

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
