using Drydock.DurableTask.Entities;

namespace Drydock.DurableTask.ScheduledTasks;

/// <summary>An operation on the entity of a schedule, for a client that wants to know how it ended.</summary>
/// <param name="EntityId">The entity.</param>
/// <param name="OperationName">The operation.</param>
/// <param name="Input">Its input.</param>
public record ScheduleOperationRequest(EntityInstanceId EntityId, string OperationName, object? Input = null);

/// <summary>Runs one operation on a schedule, and fails as it does.</summary>
[DurableTask]
public class ExecuteScheduleOperationOrchestrator : TaskOrchestrator<ScheduleOperationRequest, object>
{
    /// <inheritdoc/>
    public override Task<object> RunAsync(TaskOrchestrationContext context, ScheduleOperationRequest input)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(input);
        return context.Entities.CallEntityAsync<object>(input.EntityId, input.OperationName, input.Input);
    }
}
