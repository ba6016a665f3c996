using Drydock.Kubernetes;
using Drydock.Maintenance.Drain;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>Evicts a launcher pod once: the request that makes KubeVirt migrate the machine or shut it down.</summary>
internal sealed record EvictLauncherInput(string Node, string Holder, PodInstance Launcher, bool Force, TimeSpan? GracePeriod)
{
    /// <summary>The machine; null in what was stored before there was a limit.</summary>
    public ObjectRef? Vm { get; init; }

    /// <summary>Our own limit; null: none, or it does not migrate.</summary>
    public int? MaxInboundPerNode { get; init; }

    /// <summary>How many evictions of this node, of pods and of launchers together, may be under way at once.</summary>
    public int AtOnce { get; init; } = EvictionSlots.DefaultOfNode;

    /// <summary>The budget that covers it, or null; also if several do.</summary>
    public string? Budget { get; init; }
}

/// <summary>What came of it.</summary>
/// <param name="Act">Whether it was asked for at all.</param>
/// <param name="Kind">The answer by its stable name (<see cref="Answers"/>).</param>
/// <param name="Message">The server's words.</param>
/// <param name="Object">The object to look at.</param>
internal sealed record LauncherEvicted(ActResult Act, string Kind, string? Message, string? Object)
{
    /// <summary>How long the server asks to wait, or null.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

/// <summary>Evicts the launcher pod of a machine, once. Safe to run twice: a machine on its way answers that it is.</summary>
internal sealed class EvictLauncherActivity(ICluster cluster, TimeProvider clock, InboundGate inbound, EvictionSlots slots, Wakeups wakeups)
    : ClusterActivity<EvictLauncherInput, LauncherEvicted>
{
    protected override async Task<LauncherEvicted> RunAsync(EvictLauncherInput input, CancellationToken cancellationToken)
    {
        if (slots.PatienceAt(clock.GetUtcNow()) is { } patience)
        {
            return Patient(patience);
        }

        // Others may hold their places for as long as a webhook takes, one after the other: no deadline passes meanwhile.
        using var late = new CancellationTokenSource(EvictPodsActivity.LongestRun, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(wakeups.Woken(Wakeups.EvictionsOf(input.Node)), late.Token);
        var stop = either.Token;
        LauncherEvicted? evicted = null;
        var move = new InboundMove(input.Node, input.Holder, input.Vm ?? default, input.Vm is null ? null : input.MaxInboundPerNode)
        {
            Enter = _ => slots.EnterAsync(input.Node, input.AtOnce, input.Force ? null : input.Budget, stop),
            Stop = stop,
        };
        try
        {
            var held = await inbound.BeginAsync(cluster, move, async () => evicted = await EvictAsync(input, stop, cancellationToken), cancellationToken);
            return evicted ?? new(ActResult.Done, Answers.InboundLimit, held, null);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return Stopped();
        }
        catch (ClusterException busy) when (busy.Kind == ClusterErrorKind.Throttled)
        {
            // Whichever of the requests it was: a retry of the activity would come sooner than the server asks for.
            return Answered(new(EvictionAnswer.Throttled, busy.Message, null, busy.RetryAfter));
        }
    }

    private async Task<LauncherEvicted> EvictAsync(EvictLauncherInput input, CancellationToken stop, CancellationToken cancellationToken)
    {
        if (stop.IsCancellationRequested)
        {
            return Stopped();
        }

        // Last of all: whoever waited for the others may have lost the lease meanwhile, or hears only now that the server wants patience.
        if (slots.PatienceAt(clock.GetUtcNow()) is { } patience)
        {
            return Patient(patience);
        }

        return await new Guard(cluster, clock, input.Node, input.Holder).CheckAsync(cancellationToken) is { Verdict: not Verdict.Done } no
            ? new(no, "", null, null)
            : Answered(input.Force
                ? await cluster.DeletePodAsync(input.Launcher, input.GracePeriod, cancellationToken)
                : await cluster.EvictPodAsync(input.Launcher, input.GracePeriod, cancellationToken));
    }

    private LauncherEvicted Answered(EvictionOutcome outcome) => new(ActResult.Done, Kebab.Of(outcome.Answer.ToString()), outcome.Message, outcome.Object)
    {
        RetryAfter = outcome.Answer == EvictionAnswer.Throttled ? slots.AskedForPatience(outcome.RetryAfter, clock.GetUtcNow()) : outcome.RetryAfter,
    };

    private static LauncherEvicted Stopped() =>
        new(ActResult.Done, Answers.InboundLimit, "Nothing was evicted: it waited for its place among the evictions under way, or the maintenance had news meanwhile.", null);

    private static LauncherEvicted Patient(TimeSpan patience) =>
        new(ActResult.Done, Answers.Throttled, "The API server asked for patience: nothing is evicted before that is over.", null) { RetryAfter = patience };
}
