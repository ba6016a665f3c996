using Drydock.DurableTask;
using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.UnitTests.DurableTask.Execution;

/// <summary>Runs an orchestrator on a history.</summary>
internal static class Turns
{
    public static OrchestrationExecutor Executor<TInput, TOutput>(
        Func<TaskOrchestrationContext, TInput, Task<TOutput>> orchestrator, DurableTaskWorkerOptions? options = null) =>
        new(
            (_, _) => FuncTaskOrchestrator.Create(orchestrator),
            options ?? new DurableTaskWorkerOptions(),
            NullLoggerFactory.Instance);

    public static OrchestrationExecutor Executor<TOutput>(
        Func<TaskOrchestrationContext, Task<TOutput>> orchestrator, DurableTaskWorkerOptions? options = null) =>
        Executor<object?, TOutput>((context, _) => orchestrator(context), options);

    public static OrchestrationTurn Run(this OrchestrationExecutor executor, History newEvents) => executor.Run([], newEvents.Events);

    public static OrchestrationTurn Run(this OrchestrationExecutor executor, History pastEvents, History newEvents) =>
        executor.Run(pastEvents.Events, newEvents.Events);

    /// <summary>The output of a turn that completed the orchestration, as text.</summary>
    public static string? Output(this OrchestrationTurn turn)
    {
        var completion = turn.Completion ?? throw new InvalidOperationException($"It did not end: {string.Join(", ", turn.Actions)}");
        return completion.OrchestrationStatus == OrchestrationStatus.Completed
            ? completion.Result
            : throw new InvalidOperationException($"It did not complete: {completion}");
    }
}
