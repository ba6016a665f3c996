using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>What all orchestrators here need of their context.</summary>
internal static class Context
{
    // A database or network outage that lasts longer than this ends the maintenance by its failure policy.
    private static readonly TaskOptions Patiently = TaskOptions.FromRetryPolicy(Policy(TimeSpan.FromMinutes(15)));

    // Undoing is worth more patience: nobody else does it.
    private static readonly TaskOptions VeryPatiently = TaskOptions.FromRetryPolicy(Policy(TimeSpan.FromHours(2)));

    // An API server that has just started answers 403 until it has read all roles. Who may not do it in a minute may not do it.
    private static readonly int[] SecondsAfterForbidden = [2, 4, 8, 16, 30];

    private static readonly TimeSpan WakeAgainAfter = TimeSpan.FromSeconds(1);

    private const int VainCallsBeforePause = 3;

    /// <summary>The time of the turn.</summary>
    public static DateTimeOffset Now(this TaskOrchestrationContext context) =>
        new(DateTime.SpecifyKind(context.CurrentUtcDateTime, DateTimeKind.Utc));

    /// <summary>Completes at that moment.</summary>
    public static Task CreateTimer(this TaskOrchestrationContext context, DateTimeOffset at, CancellationToken cancellationToken) =>
        context.CreateTimer(at.UtcDateTime, cancellationToken);

    /// <summary>Calls an activity; what another try can mend is tried again.</summary>
    public static Task<T> Do<T>(this TaskOrchestrationContext context, string activity, object input) =>
        CallAsync<T>(context, activity, input, Patiently);

    /// <summary>Calls an activity that undoes something; tried for longer.</summary>
    public static Task<T> Undo<T>(this TaskOrchestrationContext context, string activity, object input) =>
        CallAsync<T>(context, activity, input, VeryPatiently);

    /// <summary>
    /// The result of an activity that waits. If the end comes first, the wait is cut short: an orchestration cannot end before its
    /// activities have.
    /// </summary>
    public static async Task<T> Await<T>(this TaskOrchestrationContext context, string activity, object input, string node, Task end)
    {
        var waiting = context.Do<T>(activity, input);
        await context.CutShortAt(end, waiting, node);
        return await waiting;
    }

    /// <summary>Completes with activities that wait, or that go on by themselves, under a name. If the end comes first, they are cut short.</summary>
    public static async Task CutShortAt(this TaskOrchestrationContext context, Task end, Task waiting, string name)
    {
        if (await Task.WhenAny(waiting, end) != waiting)
        {
            await CutShortAsync(context, waiting, name);
        }
    }

    private static async Task<T> CallAsync<T>(TaskOrchestrationContext context, string activity, object input, TaskOptions options)
    {
        foreach (var pause in SecondsAfterForbidden)
        {
            try
            {
                return await context.CallActivityAsync<T>(activity, input, options);
            }
            catch (TaskFailedException refusal) when (refusal.FailureDetails.IsCausedBy<ClusterForbiddenException>())
            {
                await context.CreateTimer(context.Now().AddSeconds(pause), CancellationToken.None);
            }
        }

        return await context.CallActivityAsync<T>(activity, input, options);
    }

    // Again and again: a wait that had not begun yet when it was to end, or that began anew after a crash, is not reached by one call.
    private static async Task CutShortAsync(TaskOrchestrationContext context, Task waiting, string node)
    {
        for (var vain = 0; !waiting.IsCompleted; vain++)
        {
            await context.Do<bool>(Activities.WakeWaits, node);
            using var over = new CancellationTokenSource();

            // One that nothing ends is between two tries, with the API server away: that may last, and each call is history.
            var wait = vain < VainCallsBeforePause ? WakeAgainAfter : vain < 2 * VainCallsBeforePause ? WakeAgainAfter * 10 : WakeAgainAfter * 60;
            var pause = context.CreateTimer(context.Now() + wait, over.Token);
            if (await Task.WhenAny(waiting, pause) == waiting)
            {
                over.Cancel();
            }
        }
    }

    /// <summary>
    /// Tells whoever holds the lease that a change was not made because it is not ours, or too old: it looks at once instead of at its next
    /// renewal, and the maintenance says so.
    /// </summary>
    public static void LookAtLease(this TaskOrchestrationContext context, string? holder)
    {
        if (Holder.InstanceOf(holder) is { } maintenance)
        {
            context.SendEvent(InstanceIds.Lease(maintenance), ChildEvents.LookAtLease, "look");
        }
    }

    /// <summary>What a failed task said; of one that failed because another did, what that one said.</summary>
    public static string Sentence(this TaskFailedException failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        var details = failure.FailureDetails;
        while (details is { InnerFailure: { } inner } && details.IsCausedBy<TaskFailedException>())
        {
            details = inner;
        }

        return details.ErrorMessage;
    }

    private static RetryPolicy Policy(TimeSpan forAsLongAs) =>
        new(int.MaxValue, TimeSpan.FromSeconds(1), 2, TimeSpan.FromSeconds(30), forAsLongAs)
        {
            HandleFailure = static failure =>
                failure.IsCausedBy<HubAwayException>() || (failure.IsCausedBy<ClusterException>() && !failure.IsCausedBy<ClusterRefusalException>()),
        };
}
