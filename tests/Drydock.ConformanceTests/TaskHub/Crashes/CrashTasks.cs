using Drydock.DurableTask;
using Drydock.DurableTask.Entities;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>What the workloads run. Every run of an activity leaves a line, and gives a result that no other run gives.</summary>
internal static class CrashTasks
{
    public const string Chain = "Chain";
    public const string FanOut = "FanOut";
    public const string Timer = "Timer";
    public const string Events = "Events";
    public const string Parent = "Parent";
    public const string Entities = "Entities";
    public const string Generations = "Generations";
    public const string Forever = "Forever";
    public const string Fragile = "Fragile";
    public const string Mended = "mended";
    public const string Survivor = "Survivor";
    public const string Deadly = "Deadly";
    public const string Dies = "dies";
    private const string Step = "Step";
    private const string Break = "Break";

    public static void Register(DurableTaskRegistry tasks, Ledger ledger)
    {
        tasks.AddActivityFunc<int, string>(Step, (context, number) =>
        {
            var result = $"{number}:{Guid.NewGuid():N}";
            ledger.Write($"ran {context.InstanceId} {result}");
            return result;
        });
        tasks.AddActivityFunc<int, int>(Break, (_, number) =>
            ledger.Has(Mended) ? number : throw new InvalidOperationException("It is not mended yet."));
        tasks.AddActivityFunc<string>(Deadly, _ => Die<string>(ledger));
        tasks.AddOrchestratorFunc<string>(Deadly, _ => Task.FromResult(Die<string>(ledger)));
        tasks.AddOrchestratorFunc<string>(Survivor, RunSurvivorAsync);
        tasks.AddEntity<Counter>(nameof(Counter));
        tasks.AddOrchestratorFunc<int>(Chain, context => StepsAsync(context, 3));
        tasks.AddOrchestratorFunc<int>(FanOut, async context =>
            (await Task.WhenAll(Enumerable.Range(0, 12).Select(i => context.CallActivityAsync<string>(Step, i)))).Length);
        tasks.AddOrchestratorFunc<string>(Timer, RunTimerAsync);
        tasks.AddOrchestratorFunc<string>(Events, async context =>
            await context.WaitForExternalEvent<string>("one") + await context.WaitForExternalEvent<string>("two"));
        tasks.AddOrchestratorFunc<int>(Parent, async context =>
            (await Task.WhenAll(Enumerable.Range(0, 3).Select(i => context.CallSubOrchestratorAsync<int>(
                Chain, null, new SubOrchestrationOptions { InstanceId = $"{context.InstanceId}.{i}" })))).Sum());
        tasks.AddOrchestratorFunc<int>(Entities, RunEntitiesAsync);
        tasks.AddOrchestratorFunc<int, int>(Generations, RunGenerationAsync);
        tasks.AddOrchestratorFunc<int>(Forever, async context =>
        {
            await context.CallSubOrchestratorAsync<string>(Events, null, new SubOrchestrationOptions { InstanceId = $"{context.InstanceId}.0" });
            return await StepsAsync(context, 1);
        });
        tasks.AddOrchestratorFunc<int>(Fragile, async context => await StepsAsync(context, 1) + await context.CallActivityAsync<int>(Break, 6));
    }

    private static async Task<int> StepsAsync(TaskOrchestrationContext context, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await context.CallActivityAsync<string>(Step, i);
        }

        return count;
    }

    private static async Task<string> RunSurvivorAsync(TaskOrchestrationContext context)
    {
        try
        {
            return await context.CallActivityAsync<string>(Deadly, options: TaskOptions.FromRetryPolicy(new RetryPolicy(3, TimeSpan.FromMilliseconds(1))));
        }
        catch (TaskFailedException failed)
        {
            return failed.FailureDetails.ErrorType;
        }
    }

    private static T Die<T>(Ledger ledger)
    {
        ledger.Write(Dies);
        using var self = System.Diagnostics.Process.GetCurrentProcess();
        self.Kill();
        Thread.CurrentThread.Join();
        throw new InvalidOperationException("Nobody gets here.");
    }

    private static async Task<string> RunTimerAsync(TaskOrchestrationContext context)
    {
        await StepsAsync(context, 1);
        var due = context.CurrentUtcDateTime.AddMilliseconds(50);
        await context.CreateTimer(due, CancellationToken.None);
        return context.CurrentUtcDateTime >= due ? "in time" : "early";
    }

    private static async Task<int> RunEntitiesAsync(TaskOrchestrationContext context)
    {
        var id = new EntityInstanceId(nameof(Counter), context.InstanceId);
        for (var i = 0; i < 2; i++)
        {
            await context.Entities.SignalEntityAsync(id, "Add", 1);
            await context.Entities.CallEntityAsync(id, "Add", 10);
        }

        return await context.Entities.CallEntityAsync<int>(id, "Get");
    }

    private static async Task<int> RunGenerationAsync(TaskOrchestrationContext context, int generation)
    {
        await StepsAsync(context, 1);
        if (generation < 3)
        {
            context.ContinueAsNew(generation + 1);
        }

        return generation;
    }

    internal sealed class Counter : TaskEntity<int>
    {
        public void Add(int amount) => State += amount;

        public int Get() => State;
    }
}
