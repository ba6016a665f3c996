using Drydock.Kubernetes;

namespace Drydock.Maintenance.Lease;

/// <summary>A lease to hold.</summary>
/// <param name="Lease">Which.</param>
/// <param name="Parent">The maintenance to tell when it is lost or ours again.</param>
/// <param name="LostTo">It is lost, to that holder; empty: nobody holds it. Null: it is ours.</param>
/// <param name="Failures">How many tries in a row did not leave it ours.</param>
internal sealed record HoldLeaseInput(LeaseInput Lease, string Parent, string? LostTo = null, int Failures = 0);

/// <summary>News of the lease for the maintenance.</summary>
/// <param name="IsOurs">It is ours.</param>
/// <param name="Holder">Who holds it.</param>
internal sealed record LeaseNews(bool IsOurs, string? Holder);

/// <summary>
/// Renews the lease at a third of its duration for as long as the maintenance lasts. A lost lease is taken back when it is free;
/// until then nothing is changed (the guard of each activity sees to that).
/// </summary>
internal sealed class HoldLeaseOrchestrator : TaskOrchestrator<HoldLeaseInput, bool>
{
    private const int RoundsBeforeNew = 60;

    public override async Task<bool> RunAsync(TaskOrchestrationContext context, HoldLeaseInput input)
    {
        var end = context.WaitForExternalEvent<string>(ChildEvents.End);
        var (lostTo, failures) = (input.LostTo, input.Failures);
        for (var round = 0; round < RoundsBeforeNew; round++)
        {
            var pause = lostTo is null ? input.Lease.Duration / 3 : Soon(input.Lease.Duration);
            using var woken = new CancellationTokenSource();
            var timer = context.CreateTimer(context.Now() + pause, woken.Token);
            if (await Task.WhenAny(end, timer) == end)
            {
                End(woken);
                return true;
            }

            var (wasLostTo, failedBefore) = (lostTo, failures);
            lostTo = await TryAsync(context, input.Lease, lostTo);
            failures = lostTo is null ? 0 : failures + 1;
            if (failures != failedBefore)
            {
                context.SetCustomStatus(new HoldLeaseStatus(failures));
            }

            if (lostTo != wasLostTo)
            {
                context.SendEvent(input.Parent, ChildEvents.Lease, new LeaseNews(lostTo is null, lostTo));
            }
        }

        context.ContinueAsNew(input with { LostTo = lostTo, Failures = failures });
        return false;
    }

    // An API server that cannot be reached does not lose us the lease; the guard stops all changes when it gets too old.
    private static async Task<string?> TryAsync(TaskOrchestrationContext context, LeaseInput lease, string? lostTo)
    {
        try
        {
            var outcome = await context.CallActivityAsync<LeaseOutcome>(lostTo is null ? Activities.RenewLease : Activities.AcquireLease, lease);
            return outcome.IsOurs ? null : outcome.Holder ?? "";
        }
        catch (TaskFailedException)
        {
            return lostTo ?? "";
        }
    }

    private static TimeSpan Soon(TimeSpan duration)
    {
        var soon = duration / 30;
        return soon < TimeSpan.FromSeconds(2) ? TimeSpan.FromSeconds(2) : soon > TimeSpan.FromSeconds(30) ? TimeSpan.FromSeconds(30) : soon;
    }

    // CancelAsync would leave the orchestrator's thread.
    private static void End(CancellationTokenSource timer) => timer.Cancel();
}
