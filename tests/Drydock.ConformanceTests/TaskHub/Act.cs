using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>Actions of an orchestrator, as a worker sends them.</summary>
internal static class Act
{
    public static OrchestratorAction Schedule(int id, string name, string? input = null) =>
        new() { Id = id, ScheduleTask = new ScheduleTaskAction { Name = name, Input = input } };

    public static OrchestratorAction Timer(int id, DateTimeOffset at) =>
        new() { Id = id, CreateTimer = new CreateTimerAction { FireAt = Timestamp.FromDateTimeOffset(at) } };

    public static OrchestratorAction Child(int id, string instanceId, string name = "Child", string? input = null) =>
        new() { Id = id, CreateSubOrchestration = new CreateSubOrchestrationAction { InstanceId = instanceId, Name = name, Input = input } };

    public static OrchestratorAction Send(int id, string to, string name, string? data = null) => new()
    {
        Id = id,
        SendEvent = new SendEventAction { Instance = new OrchestrationInstance { InstanceId = to }, Name = name, Data = data },
    };

    public static OrchestratorAction Call(int id, string entity, string operation) => new()
    {
        Id = id,
        SendEntityMessage = new SendEntityMessageAction
        {
            EntityOperationCalled = new EntityOperationCalledEvent { RequestId = Guid.NewGuid().ToString(), Operation = operation, TargetInstanceId = entity },
        },
    };

    public static OrchestratorAction Complete(int id, string? result = null) => End(id, OrchestrationStatus.Completed, result);

    public static OrchestratorAction Terminated(int id, string? result = null) => End(id, OrchestrationStatus.Terminated, result);

    public static OrchestratorAction Fail(int id, string message)
    {
        var action = End(id, OrchestrationStatus.Failed, message);
        action.CompleteOrchestration.FailureDetails = new Failure { ErrorType = "My.Error", ErrorMessage = message };
        return action;
    }

    public static OrchestratorAction ContinueAsNew(int id, string? input, params HistoryEvent[] carryover)
    {
        var action = End(id, OrchestrationStatus.ContinuedAsNew, input);
        action.CompleteOrchestration.CarryoverEvents.Add(carryover);
        return action;
    }

    private static OrchestratorAction End(int id, OrchestrationStatus status, string? result) =>
        new() { Id = id, CompleteOrchestration = new CompleteOrchestrationAction { OrchestrationStatus = status, Result = result } };
}
