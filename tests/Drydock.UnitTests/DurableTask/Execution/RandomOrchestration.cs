using System.Collections.Immutable;
using Drydock.DurableTask;
using Drydock.DurableTask.Entities;

namespace Drydock.UnitTests.DurableTask.Execution;

/// <summary>An orchestrator made of random steps; the same seed is the same code.</summary>
internal sealed class RandomOrchestration
{
    /// <summary>How many kinds of steps there are without entities and orchestrators that fail.</summary>
    public const int WithoutEntities = 12;

    /// <summary>How many kinds of steps there are.</summary>
    public const int WithEntities = 16;

    private static readonly RetryPolicy _retry = new(3, TimeSpan.FromSeconds(3), 2);

    private readonly ImmutableArray<(int Kind, int Number)> _steps;

    public RandomOrchestration(int seed, int kinds = WithoutEntities)
    {
        var random = new Random(seed);
        _steps = [.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => (random.Next(kinds), random.Next(4)))];
    }

    public async Task<string> RunAsync(TaskOrchestrationContext context)
    {
        var log = new List<string>();
        foreach (var (kind, number) in _steps)
        {
            if (kind == 11 && number == 3)
            {
                context.ContinueAsNew(context.NewGuid());
                break;
            }

            log.Add(await TryAsync(context, kind, number));
            context.SetCustomStatus(new { log.Count, Last = log[^1] });
        }

        return string.Join(';', log);
    }

    private static async Task<string> TryAsync(TaskOrchestrationContext context, int kind, int number)
    {
        try
        {
            return await RunStepAsync(context, kind, number);
        }
        catch (TaskFailedException e)
        {
            return $"failed:{e.TaskName}#{e.TaskId}";
        }
        catch (EntityOperationFailedException e)
        {
            return $"refused:{e.OperationName}";
        }
        catch (OperationCanceledException)
        {
            return "cancelled";
        }
    }

    private static async Task<string> RunStepAsync(TaskOrchestrationContext context, int kind, int number)
    {
        switch (kind)
        {
            case 0:
                return await context.CallActivityAsync<string>($"A{number}", number);
            case 1:
                return string.Join(',', await Task.WhenAll(
                    Enumerable.Range(0, number + 1).Select(i => context.CallActivityAsync<string>("F", i))));
            case 2:
                await context.CreateTimer(TimeSpan.FromSeconds(number), CancellationToken.None);
                return "timer";
            case 3:
                await context.CreateTimer(TimeSpan.FromDays(2 * number), CancellationToken.None);
                return "long timer";
            case 4:
                return await context.WaitForExternalEvent<string>($"E{number % 2}");
            case 5:
                return await context.WaitForExternalEvent<string>($"E{number % 2}", TimeSpan.FromSeconds(number));
            case 6:
                return await context.CallSubOrchestratorAsync<string>("Child", number);
            case 7:
                context.SendEvent("other", $"S{number}", number);
                return "sent";
            case 8:
                return await context.CallActivityAsync<string>("R", number, TaskOptions.FromRetryPolicy(_retry));
            case 9:
                return await context.CallActivityAsync<string>(
                    "H", number, TaskOptions.FromRetryHandler(retry => retry.LastAttemptNumber <= number));
            case 10:
                return await FirstOfActivityAndTimerAsync(context, number);
            case 12:
                await context.Entities.SignalEntityAsync(Entity(number), "Add", context.NewGuid());
                return "signalled";
            case 13:
                return await context.Entities.CallEntityAsync<string>(Entity(number), number == 3 ? "Fail" : "Add", context.NewGuid());
            case 14:
                return await InCriticalSectionAsync(context, number);
            case 15:
                return await FailIfActivityFailsAsync(context, number);
            default:
                return context.NewGuid().ToString();
        }
    }

    private static async Task<string> FirstOfActivityAndTimerAsync(TaskOrchestrationContext context, int number)
    {
        using var end = new CancellationTokenSource();
        var timer = context.CreateTimer(TimeSpan.FromSeconds(number), end.Token);
        var activity = context.CallActivityAsync<string>("W", number);
        var first = await Task.WhenAny(timer, activity);
        end.Cancel();
        return first == timer ? "late" : await activity;
    }

    private static EntityInstanceId Entity(int number) => new("List", $"{number % 3}");

    private static async Task<string> InCriticalSectionAsync(TaskOrchestrationContext context, int number)
    {
        await using var section = await context.Entities.LockEntitiesAsync(Entity(number), Entity(number + 1));
        await context.Entities.CallEntityAsync(Entity(number), "Add", context.NewGuid());
        var activity = await context.CallActivityAsync<string>("L", number);
        await context.Entities.CallEntityAsync(Entity(number + 1), "Add", context.NewGuid());
        return activity;
    }

    /// <summary>What an orchestration fails of, and is rewound.</summary>
    private static async Task<string> FailIfActivityFailsAsync(TaskOrchestrationContext context, int number)
    {
        try
        {
            return await context.CallActivityAsync<string>("B", number);
        }
        catch (TaskFailedException e)
        {
            throw new InvalidOperationException("broken", e);
        }
    }
}
