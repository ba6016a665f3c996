using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>What all orchestrators here need of their context.</summary>
internal static class Context
{
    // A database or network outage that lasts longer than this ends the maintenance by its failure policy.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private static readonly TaskOptions Patiently = TaskOptions.FromRetryPolicy(Policy(Patience));

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

    /// <summary>
    /// The same, but nothing is tried any more once that has happened, or that moment has come: then the last failure is thrown, also if it came
    /// between two tries.
    /// </summary>
    public static Task<T> Do<T>(this TaskOrchestrationContext context, string activity, object input, Task stop, DateTimeOffset? until = null)
    {
        Func<TimeSpan, Task<bool>> pause = span => PausedAsync(context, span, stop, until);
        var options = TaskOptions.FromRetryHandler(async retry => IsMended(retry.LastFailure) && retry.TotalRetryTime < Patience && await pause(PauseAfter(retry.LastAttemptNumber)));
        return CallAsync<T>(context, activity, input, options, pause);
    }

    /// <summary>Calls an activity that undoes something; tried for longer.</summary>
    public static Task<T> Undo<T>(this TaskOrchestrationContext context, string activity, object input) =>
        CallAsync<T>(context, activity, input, VeryPatiently);

    /// <summary>
    /// The result of an activity that waits. If the end comes first, the wait is cut short: an orchestration cannot end before its
    /// activities have.
    /// </summary>
    /// <param name="context">The context.</param>
    /// <param name="activity">What waits.</param>
    /// <param name="input">Its input.</param>
    /// <param name="node">The name under which it is cut short.</param>
    /// <param name="end">What cuts it short.</param>
    /// <param name="isTriedOn">It is tried again also after the end; false: a failure is thrown then, and at that moment.</param>
    /// <param name="until">The moment, or null: only the end counts.</param>
    public static async Task<T> Await<T>(
        this TaskOrchestrationContext context, string activity, object input, string node, Task end, bool isTriedOn = true, DateTimeOffset? until = null)
    {
        var waiting = isTriedOn ? context.Do<T>(activity, input) : context.Do<T>(activity, input, end, until);
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

    private static async Task<T> CallAsync<T>(
        TaskOrchestrationContext context, string activity, object input, TaskOptions options, Func<TimeSpan, Task<bool>>? pause = null)
    {
        foreach (var seconds in SecondsAfterForbidden)
        {
            try
            {
                return await context.CallActivityAsync<T>(activity, input, options);
            }
            catch (TaskFailedException refusal) when (refusal.FailureDetails.IsCausedBy<ClusterForbiddenException>())
            {
                if (pause is null)
                {
                    await context.CreateTimer(context.Now().AddSeconds(seconds), CancellationToken.None);
                }
                else if (!await pause(TimeSpan.FromSeconds(seconds)))
                {
                    throw;
                }
            }
        }

        return await context.CallActivityAsync<T>(activity, input, options);
    }

    // Whether another try may be made after it.
    private static async Task<bool> PausedAsync(TaskOrchestrationContext context, TimeSpan pause, Task stop, DateTimeOffset? until)
    {
        if (stop.IsCompleted || context.Now() >= until)
        {
            return false;
        }

        using var over = new CancellationTokenSource();
        var at = context.Now() + pause;
        var timer = context.CreateTimer(until < at ? until.Value : at, over.Token);
        if (await Task.WhenAny(timer, stop) != timer)
        {
            over.Cancel();
        }

        return !stop.IsCompleted && !(context.Now() >= until);
    }

    // As a policy has it.
    private static TimeSpan PauseAfter(int attempt)
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(attempt - 1, 10));
        return pause < LongestPause ? pause : LongestPause;
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
        new(int.MaxValue, FirstPause, 2, LongestPause, forAsLongAs) { HandleFailure = IsMended };

    // By another try.
    private static bool IsMended(TaskFailureDetails failure) =>
        failure.IsCausedBy<HubAwayException>() || (failure.IsCausedBy<ClusterException>() && !failure.IsCausedBy<ClusterRefusalException>());
}
