using Cronos;

namespace Drydock.Maintenance.Rollouts;

/// <summary>A recurring maintenance window: sleeps until it opens, starts the rollout, tells it to stop when it closes, begins again.</summary>
internal sealed class WindowOrchestrator : TaskOrchestrator<WindowRequest, WindowStatus>
{
    public override async Task<WindowStatus> RunAsync(TaskOrchestrationContext context, WindowRequest input)
    {
        var cancel = context.WaitForExternalEvent<Cancel>(WindowEvents.Cancel);
        var next = await context.Do<NextWindow>(Activities.NextWindow, new NextWindowInput(input.Cron, input.TimeZone, context.Now()));
        if (next.At is not { } opensAt)
        {
            return Tell(context, new WindowStatus(next.Problem ?? "It never opens again."));
        }

        Tell(context, new WindowStatus($"The next window opens at {opensAt:u}.") { Next = opensAt });
        if (!await ComesAsync(context, opensAt, cancel))
        {
            return Tell(context, new WindowStatus("Cancelled."));
        }

        var status = await RollOutAsync(context, input, opensAt, cancel);
        if (cancel.IsCompleted)
        {
            return Tell(context, new WindowStatus($"Cancelled. {status}"));
        }

        context.ContinueAsNew(input);
        return new WindowStatus(status);
    }

    private static async Task<string> RollOutAsync(TaskOrchestrationContext context, WindowRequest input, DateTimeOffset opensAt, Task<Cancel> cancel)
    {
        var closesAt = opensAt + input.Duration;
        var id = $"{context.InstanceId}:{opensAt:yyyyMMdd'T'HHmm}";
        Tell(context, new WindowStatus($"Open until {closesAt:u}.") { Rollout = id, ClosesAt = closesAt });
        var rollout = context.CallSubOrchestratorAsync<RolloutStatus>(
            Orchestrations.Rollout, input.Rollout, new TaskOptions().WithInstanceId(id));

        // Nodes under maintenance when the window closes go on to their end; no new one is taken.
        using var closed = new CancellationTokenSource();
        var closing = context.CreateTimer(closesAt, closed.Token);
        var first = await Task.WhenAny(rollout, closing, cancel);
        End(closed);
        if (first != rollout)
        {
            context.SendEvent(id, RolloutEvents.Stop, cancel.IsCompleted ? await cancel : new Cancel($"window/{context.InstanceId}", "The window closed."));
        }

        try
        {
            return (await rollout).Message;
        }
        catch (TaskFailedException failure)
        {
            // The next window is a new chance.
            return failure.Sentence();
        }
    }

    private static async Task<bool> ComesAsync(TaskOrchestrationContext context, DateTimeOffset at, Task<Cancel> cancel)
    {
        using var woken = new CancellationTokenSource();
        var timer = context.CreateTimer(at, woken.Token);
        if (await Task.WhenAny(timer, cancel) == timer)
        {
            return true;
        }

        End(woken);
        return false;
    }

    private static WindowStatus Tell(TaskOrchestrationContext context, WindowStatus status)
    {
        context.SetCustomStatus(status);
        return status;
    }

    // CancelAsync would leave the orchestrator's thread.
    private static void End(CancellationTokenSource timer) => timer.Cancel();
}

/// <summary>Which window comes after that moment?</summary>
internal sealed record NextWindowInput(string Cron, string TimeZone, DateTimeOffset After);

/// <summary>When it opens, or why never.</summary>
internal sealed record NextWindow(DateTimeOffset? At, string? Problem = null);

/// <summary>Computes when a window opens next. An activity, because time zone data may differ between two runs.</summary>
internal sealed class NextWindowActivity : TaskActivity<NextWindowInput, NextWindow>
{
    public override Task<NextWindow> RunAsync(TaskActivityContext context, NextWindowInput input) => Task.FromResult(Next(input));

    /// <summary>When it opens next, strictly after that moment.</summary>
    public static NextWindow Next(NextWindowInput input)
    {
        if (!TimeZoneInfo.TryFindSystemTimeZoneById(input.TimeZone, out var zone))
        {
            return new(null, $"There is no time zone named {input.TimeZone}.");
        }

        var format = input.Cron.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length == 6 ? CronFormat.IncludeSeconds : CronFormat.Standard;
        try
        {
            return new(CronExpression.Parse(input.Cron, format).GetNextOccurrence(input.After, zone));
        }
        catch (CronFormatException mistake)
        {
            return new(null, $"'{input.Cron}' is no cron expression: {mistake.Message}");
        }
    }
}
