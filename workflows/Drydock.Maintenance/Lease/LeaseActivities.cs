using Drydock.Kubernetes;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Maintenance.Lease;

/// <summary>The lease of a node, with the uid it had when the plan was made, and who wants it.</summary>
internal sealed record LeaseInput(string Node, string? NodeUid, string Holder, TimeSpan Duration)
{
    /// <summary>The maintenance that the lease is held for; null: whoever asks is that maintenance.</summary>
    public string? Maintenance { get; init; }

    /// <summary>
    /// What to say instead, if that maintenance is over: its parts are ended, the lease is given up. A hub that does not say whether it is over
    /// must not cost a maintenance that goes on its lease.
    /// </summary>
    public async Task<LeaseOutcome?> EndIfLeftRunningAsync(LeftRunning left, CancellationToken cancellationToken)
    {
        try
        {
            if (!await left.IsSoAsync(Maintenance))
            {
                return null;
            }
        }
        catch (HubAwayException)
        {
            return null;
        }

        await left.EndAsync(new LeftRunningInput(Node, Holder, Maintenance!), cancellationToken);
        return new LeaseOutcome(IsOurs: false, Holder: null, ExpiresAt: null, IsCancelled: true);
    }
}

/// <summary>
/// Takes the lease, or takes it over if it has expired. Safe to run twice: ours is renewed. It goes with its node; the one of a node that was
/// deleted and came back under its name belongs to the new one: it would be collected with the old one at once.
/// </summary>
internal sealed class AcquireLeaseActivity(ICluster cluster, LeftRunning left) : ClusterActivity<LeaseInput, LeaseOutcome>
{
    protected override async Task<LeaseOutcome> RunAsync(LeaseInput input, CancellationToken cancellationToken) =>
        await input.EndIfLeftRunningAsync(left, cancellationToken)
        ?? await cluster.AcquireLeaseAsync(
            input.Node,
            await cluster.GetNodeAsync(input.Node, cancellationToken) is { } node ? node.Uid : input.NodeUid,
            input.Holder,
            input.Duration,
            cancellationToken);
}

/// <summary>Renews the lease if it is still ours.</summary>
internal sealed class RenewLeaseActivity(ICluster cluster, LeftRunning left) : ClusterActivity<LeaseInput, LeaseOutcome>
{
    protected override async Task<LeaseOutcome> RunAsync(LeaseInput input, CancellationToken cancellationToken)
    {
        // First of all: the hub may take its time to answer.
        var renewed = await cluster.RenewLeaseAsync(input.Node, input.Holder, input.Duration, cancellationToken);
        return await input.EndIfLeftRunningAsync(left, cancellationToken) ?? renewed;
    }
}

/// <summary>Writes the cancel mark on the lease, from when on no activity changes anything but to undo, and ends the waits.</summary>
internal sealed class CancelLeaseActivity(ICluster cluster, Wakeups wakeups) : ClusterActivity<NodeInput, bool>
{
    protected override async Task<bool> RunAsync(NodeInput input, CancellationToken cancellationToken)
    {
        var marked = await cluster.MarkLeaseCancelledAsync(input.Node, input.Holder, cancellationToken);
        await wakeups.WakeAsync(input.Node, cancellationToken);
        return marked;
    }
}

/// <summary>Deletes the lease if it is ours.</summary>
internal sealed class ReleaseLeaseActivity(ICluster cluster) : ClusterActivity<NodeInput, bool>
{
    protected override async Task<bool> RunAsync(NodeInput input, CancellationToken cancellationToken)
    {
        await cluster.ReleaseLeaseAsync(input.Node, input.Holder, cancellationToken);
        return true;
    }
}
