using Drydock.Kubernetes;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>Which machine to wait for.</summary>
/// <param name="Node">The node under maintenance.</param>
/// <param name="Vm">The machine.</param>
/// <param name="Known">The fingerprint of what is known already, or null: return at once.</param>
/// <param name="Cursor">From the wait before.</param>
/// <param name="Until">Return by then, whatever happened.</param>
internal sealed record AwaitVmInput(string Node, ObjectRef Vm, string? Known, string? Cursor, DateTimeOffset Until)
{
    /// <summary>Our own limit, to be told whether it holds this machine back.</summary>
    public int? MaxInboundPerNode { get; init; }

    /// <summary>Read the nodes it could go to.</summary>
    public bool WantsTargets { get; init; }

    /// <summary>Whose maintenance it is; null: whether another holds the machine is not read.</summary>
    public string? Holder { get; init; }

    /// <summary>It is marked, and KubeVirt owes it a migration for a while: read what it says about that.</summary>
    public bool ReadsBackoffs { get; init; }

    /// <summary>The machine's annotations count.</summary>
    public bool ReadsAnnotations { get; init; }

    /// <summary>Those that count; null in what was stored before they were chosen: all.</summary>
    public IReadOnlyList<string>? AllowedAnnotations { get; init; }

    /// <summary>Nothing is known of it yet: read when the newest of its owner's instances was made.</summary>
    public bool ReadsSiblings { get; init; }

    /// <summary>The owner that makes another in its place, or null: that is not followed.</summary>
    public string? FollowsOwner { get; init; }

    /// <summary>What that owner made after this is made in its place.</summary>
    public DateTimeOffset? FollowsFrom { get; init; }
}

/// <summary>Waits until something about the machine differs from what is known. Changes nothing.</summary>
internal sealed class AwaitVmActivity(ICluster cluster, TimeProvider clock, Wakeups wakeups) : ClusterActivity<AwaitVmInput, VmObservation>
{
    // A slot that is free for a moment between two migrations is no news.
    private static readonly TimeSpan SlotMustStayFor = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestRest = TimeSpan.FromMilliseconds(500);

    protected override async Task<VmObservation> RunAsync(AwaitVmInput input, CancellationToken cancellationToken)
    {
        var wait = wakeups.OpenForMachine(cluster, input.Node, input.Cursor, input.Until);
        var observer = new VmObserver(cluster, clock);
        DateTimeOffset? onlySlotSince = null;
        var took = TimeSpan.Zero;
        while (true)
        {
            // Whatever happens to one machine wakes all of the node, and each look asks for much: rest longer than looking takes.
            if (took > TimeSpan.Zero)
            {
                await wait.SleepAsync(took * 2 < LongestRest ? took * 2 : LongestRest, cancellationToken);
            }

            // Known is read against the cursor of the wait before: whatever changed since ends this wait at once.
            if (input.Known is not null)
            {
                await wait.NextAsync(onlySlotSince + SlotMustStayFor, cancellationToken);
            }

            var from = clock.GetTimestamp();
            var seen = await observer.ReadAsync(input, cancellationToken);
            took = clock.GetElapsedTime(from);
            var now = clock.GetUtcNow();
            onlySlotSince = seen.DiffersForAMoment(input.Known) ? onlySlotSince ?? now : null;
            var isNews = seen.Fingerprint() != input.Known && (onlySlotSince is null || now - onlySlotSince >= SlotMustStayFor);
            if (isNews || wait.IsOver)
            {
                return seen with { Cursor = wait.Cursor };
            }
        }
    }
}
