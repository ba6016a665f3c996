using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.DurableTask.Execution;

/// <summary>The protocol's actions, without their ids.</summary>
internal static class Actions
{
    public static OrchestratorAction Activity(string name, string version, string? input, IDictionary<string, string>? tags, string? progress)
    {
        var action = new ScheduleTaskAction { Name = name, Version = version, Input = input };
        AddTags(action.Tags, tags);
        if (progress is not null)
        {
            action.Tags[ActivityLimits.ProgressTag] = progress;
        }

        return new OrchestratorAction { ScheduleTask = action };
    }

    public static OrchestratorAction SubOrchestration(
        string instanceId, string name, string version, string? input, IDictionary<string, string>? tags)
    {
        var action = new CreateSubOrchestrationAction { InstanceId = instanceId, Name = name, Version = version, Input = input };
        AddTags(action.Tags, tags);
        return new OrchestratorAction { CreateSubOrchestration = action };
    }

    public static OrchestratorAction Timer(DateTime fireAt) =>
        new() { CreateTimer = new CreateTimerAction { FireAt = Timestamp.FromDateTime(fireAt) } };

    public static OrchestratorAction Event(string instanceId, string name, string? data) => new()
    {
        SendEvent = new SendEventAction { Instance = new OrchestrationInstance { InstanceId = instanceId }, Name = name, Data = data },
    };

    public static OrchestratorAction Completed(string? output) => Completion(OrchestrationStatus.Completed, output);

    public static OrchestratorAction Terminated(string? output) => Completion(OrchestrationStatus.Terminated, output);

    public static OrchestratorAction Failed(Exception exception, Protobuf.TaskFailureDetails details)
    {
        var action = Completion(OrchestrationStatus.Failed, exception.Message);
        action.CompleteOrchestration.FailureDetails = details;
        return action;
    }

    public static OrchestratorAction Failed(string errorType, string message) => new()
    {
        CompleteOrchestration = new CompleteOrchestrationAction
        {
            OrchestrationStatus = OrchestrationStatus.Failed,
            Result = message,
            FailureDetails = new() { ErrorType = errorType, ErrorMessage = message, IsNonRetriable = true },
        },
    };

    public static OrchestratorAction ContinuedAsNew(string? input, string? newVersion, IEnumerable<HistoryEvent> carryover)
    {
        var action = Completion(OrchestrationStatus.ContinuedAsNew, input);
        action.CompleteOrchestration.NewVersion = newVersion;
        action.CompleteOrchestration.CarryoverEvents.Add(carryover);
        return action;
    }

    /// <summary>What an action does, for people.</summary>
    public static string Describe(OrchestratorAction action) => action.OrchestratorActionTypeCase switch
    {
        OrchestratorAction.OrchestratorActionTypeOneofCase.ScheduleTask => $"called activity '{action.ScheduleTask.Name}'",
        OrchestratorAction.OrchestratorActionTypeOneofCase.CreateSubOrchestration =>
            $"called sub-orchestration '{action.CreateSubOrchestration.Name}'",
        OrchestratorAction.OrchestratorActionTypeOneofCase.CreateTimer =>
            $"created a timer for {action.CreateTimer.FireAt.ToDateTime():o}",
        OrchestratorAction.OrchestratorActionTypeOneofCase.SendEvent =>
            $"sent event '{action.SendEvent.Name}' to '{action.SendEvent.Instance.InstanceId}'",
        OrchestratorAction.OrchestratorActionTypeOneofCase.SendEntityMessage =>
            $"sent {action.SendEntityMessage.EntityMessageTypeCase} to an entity",
        _ => $"produced {action.OrchestratorActionTypeCase}",
    };

    private static OrchestratorAction Completion(OrchestrationStatus status, string? result) => new()
    {
        CompleteOrchestration = new CompleteOrchestrationAction { OrchestrationStatus = status, Result = result },
    };

    private static void AddTags(Google.Protobuf.Collections.MapField<string, string> target, IDictionary<string, string>? tags)
    {
        if (tags is not null)
        {
            target.Add(tags);
        }
    }
}
