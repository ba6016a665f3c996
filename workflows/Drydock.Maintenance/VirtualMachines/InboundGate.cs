using Drydock.Kubernetes;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>A migration that is to begin.</summary>
/// <param name="Source">Where the machine is.</param>
/// <param name="Holder">Whose maintenance it is.</param>
/// <param name="Vm">The machine.</param>
/// <param name="Most">How many may be on their way to one node; null: no limit.</param>
internal sealed record InboundMove(string Source, string Holder, ObjectRef Vm, int? Most)
{
    /// <summary>
    /// What to wait for first, and to hold until it has begun; null: nothing. Of those that wait for each other a single one waits for this,
    /// and none spends its turn on it.
    /// </summary>
    public Func<CancellationToken, Task<IDisposable>>? Enter { get; init; }

    /// <summary>Its turn is waited for no longer.</summary>
    public CancellationToken Stop { get; init; }

    /// <summary>Waits for <see cref="Enter"/>.</summary>
    public async Task<IDisposable?> EnterAsync(CancellationToken cancellationToken) =>
        Enter is { } enter ? await enter(cancellationToken) : null;
}

/// <summary>
/// Lets one at a time look at the limit and begin a migration, so that two that look at the same moment do not both begin the last one it
/// allows: of this process in the order they come, of all processes on the cluster by a turn, a lease of the cluster. What is counted
/// stands in the cluster: migrations and machines marked for one, whoever asked for them.
/// </summary>
internal sealed class InboundGate(TimeProvider clock)
{
    /// <summary>A few requests long; the API server may be slow. Whoever died with the turn is in the way for that long.</summary>
    private static readonly TimeSpan TurnLasts = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan AskAgain = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private Task _last = Task.CompletedTask;

    /// <summary>Why nothing was done, or null after <paramref name="begin"/>. Without a limit it begins at once.</summary>
    public async Task<string?> BeginAsync(ICluster cluster, InboundMove move, Func<Task> begin, CancellationToken cancellationToken)
    {
        if (move.Most is not { } most)
        {
            using var free = await move.EnterAsync(cancellationToken);
            await begin();
            return null;
        }

        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var before = Interlocked.Exchange(ref _last, over.Task);

        // A rerun after a crash, in whichever process, finds the turn its own.
        var holder = $"{move.Holder}/{move.Vm}";
        try
        {
            await before.WaitAsync(move.Stop);
            using var place = await move.EnterAsync(cancellationToken);
            if (await TakeTurnAsync(cluster, holder, cancellationToken) is { } busy)
            {
                return busy;
            }

            try
            {
                return await BeginInTurnAsync(cluster, move, most, begin, cancellationToken);
            }
            finally
            {
                await GiveTurnBackAsync(cluster, holder, cancellationToken);
            }
        }
        finally
        {
            // Whoever leaves the queue before its turn lets nobody past those before it.
            _ = before.ContinueWith(_ => over.SetResult(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private async Task<string?> BeginInTurnAsync(ICluster cluster, InboundMove move, int most, Func<Task> begin, CancellationToken cancellationToken)
    {
        var since = clock.GetTimestamp();
        var migrations = await cluster.ListMigrationsAsync(null, cancellationToken);
        var vmis = await cluster.ListVmisAsync(cancellationToken);

        // A rerun finds its own migration: that one has begun.
        var hasBegun = migrations.Any(one => one.Vmi == move.Vm && !one.IsFinished) || vmis.Any(one => one.Ref == move.Vm && one.EvacuationNode is not null);
        var hold = hasBegun ? null : Inbound.Hold(
            most, move.Source, Inbound.AsksOf(await cluster.ListLaunchersOnNodeAsync(move.Source, cancellationToken), move.Vm),
            await cluster.ListNodesAsync(cancellationToken), migrations, vmis);
        if (hold is null && clock.GetElapsedTime(since) > TurnLasts / 2)
        {
            hold = "Counting the migrations under way took so long that another may have begun one meanwhile: they are counted again.";
        }

        if (hold is null)
        {
            await begin();
        }

        return hold;
    }

    private async Task<string?> TakeTurnAsync(ICluster cluster, string holder, CancellationToken cancellationToken)
    {
        using var again = new PeriodicTimer(AskAgain, clock);
        for (var since = clock.GetTimestamp(); ;)
        {
            var turn = await cluster.AcquireTurnAsync(ClusterTurn.Inbound, holder, TurnLasts, cancellationToken);
            if (turn.IsOurs)
            {
                return null;
            }

            if (clock.GetElapsedTime(since) >= Patience)
            {
                return $"{Holder.Describe(turn.Holder)} is beginning a migration: no two at the same moment, so that the limit to one node holds.";
            }

            await again.WaitForNextTickAsync(cancellationToken);
        }
    }

    // What was begun must not be told as failed because of this: the turn lapses by itself.
    private static async Task GiveTurnBackAsync(ICluster cluster, string holder, CancellationToken cancellationToken)
    {
        try
        {
            await cluster.ReleaseTurnAsync(ClusterTurn.Inbound, holder, cancellationToken);
        }
        catch (ClusterException)
        {
            // In half a minute the next one has it.
        }
    }
}
