using Drydock.Kubernetes;

namespace Drydock.Maintenance.Lease;

/// <summary>A lease to hold.</summary>
/// <param name="Lease">Which.</param>
/// <param name="Parent">The maintenance to tell when it is lost or ours again.</param>
/// <param name="LostTo">It is lost, to that holder; empty: to nobody, or nobody knows. Null: it is ours.</param>
/// <param name="Failures">How many tries in a row did not leave it ours, or were not answered.</param>
internal sealed record HoldLeaseInput(LeaseInput Lease, string Parent, string? LostTo = null, int Failures = 0)
{
    /// <summary>When the API server last said that it is ours; null at the start.</summary>
    public DateTimeOffset? ConfirmedAt { get; init; }

    /// <summary>The last renewal was not answered.</summary>
    public bool IsUnanswered { get; init; }
}

/// <summary>News of the lease for the maintenance.</summary>
/// <param name="IsOurs">It is ours.</param>
/// <param name="Holder">Who holds it; empty: nobody, or nobody knows.</param>
internal sealed record LeaseNews(bool IsOurs, string? Holder)
{
    /// <summary>The API server has not answered for so long that nothing may be changed; since then. Else null.</summary>
    public DateTimeOffset? UnconfirmedSince { get; init; }
}

/// <summary>
/// Renews the lease at a third of its duration for as long as the maintenance lasts, and at once when somebody finds that it is not ours. A
/// lost lease is taken back when it is free; until then nothing is changed (the guard of each activity sees to that).
/// </summary>
internal sealed class HoldLeaseOrchestrator : TaskOrchestrator<HoldLeaseInput, bool>
{
    private const int RoundsBeforeNew = 60;

    private static readonly TimeSpan Seldom = TimeSpan.FromMinutes(1);

    public override async Task<bool> RunAsync(TaskOrchestrationContext context, HoldLeaseInput input)
    {
        var end = context.WaitForExternalEvent<string>(ChildEvents.End);
        var look = context.WaitForExternalEvent<string>(ChildEvents.LookAtLease);
        input = input with { ConfirmedAt = input.ConfirmedAt ?? context.Now() };
        for (var round = 0; round < RoundsBeforeNew; round++)
        {
            var isOurs = input is { LostTo: null, IsUnanswered: false };
            using var woken = new CancellationTokenSource();
            var timer = context.CreateTimer(context.Now() + (isOurs ? input.Lease.Duration / 3 : UntilNextTry(input)), woken.Token);

            // Of a lease that is lost already there is nothing new to hear.
            var first = await Task.WhenAny(isOurs ? [end, look, timer] : [end, timer]);
            if (first != timer)
            {
                End(woken);
            }

            if (first == end)
            {
                return true;
            }

            while (look.IsCompleted)
            {
                look = context.WaitForExternalEvent<string>(ChildEvents.LookAtLease);
            }

            var before = input;
            input = await TryAsync(context, input);
            input = input with { Failures = input is { LostTo: null, IsUnanswered: false } ? 0 : input.Failures + 1 };
            if (input.Failures != before.Failures)
            {
                context.SetCustomStatus(new HoldLeaseStatus(input.Failures));
            }

            if (input.LostTo != before.LostTo)
            {
                context.SendEvent(input.Parent, ChildEvents.Lease, new LeaseNews(input.LostTo is null, input.LostTo)
                {
                    UnconfirmedSince = input.IsUnanswered ? input.ConfirmedAt : null,
                });
            }
        }

        // An end that came during the last round would be lost with this generation.
        if (end.IsCompleted)
        {
            return true;
        }

        context.ContinueAsNew(input);
        return false;
    }

    // An API server that does not answer does not lose us the lease; the guard stops all changes when it gets too old, and only then it is told.
    private static async Task<HoldLeaseInput> TryAsync(TaskOrchestrationContext context, HoldLeaseInput input)
    {
        var asked = context.Now();
        try
        {
            var outcome = await context.CallActivityAsync<LeaseOutcome>(input.LostTo is null ? Activities.RenewLease : Activities.AcquireLease, input.Lease);
            return input with
            {
                LostTo = outcome.IsOurs ? null : outcome.Holder ?? "",
                ConfirmedAt = outcome.IsOurs ? asked : input.ConfirmedAt,
                IsUnanswered = false,
            };
        }
        catch (TaskFailedException)
        {
            var isTooOld = context.Now() - input.ConfirmedAt > Guard.Lasts(input.Lease.Duration);
            return input with { LostTo = input.LostTo ?? (isTooOld ? "" : null), IsUnanswered = true };
        }
    }

    // Whoever holds it instead may do so for days. An API server that did not answer is asked soon all the same: the lease may still be ours.
    private static TimeSpan UntilNextTry(HoldLeaseInput input)
    {
        var soon = Soon(input.Lease.Duration);
        if (input is not { LostTo: not null, IsUnanswered: false })
        {
            return soon;
        }

        var rest = soon * Math.Pow(2, Math.Clamp(input.Failures - 1, 0, 16));
        return rest < Seldom ? rest : Seldom;
    }

    private static TimeSpan Soon(TimeSpan duration)
    {
        var soon = duration / 30;
        return soon < TimeSpan.FromSeconds(2) ? TimeSpan.FromSeconds(2) : soon > TimeSpan.FromSeconds(30) ? TimeSpan.FromSeconds(30) : soon;
    }

    // CancelAsync would leave the orchestrator's thread.
    private static void End(CancellationTokenSource timer) => timer.Cancel();
}
