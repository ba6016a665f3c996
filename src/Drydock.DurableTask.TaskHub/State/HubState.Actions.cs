using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Failure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>What an orchestrator asked for in a turn.</summary>
internal sealed partial class HubState
{
    /// <summary>
    /// A turn that asks for what this hub cannot do ends its instance as failed, and says why: refused, it would be tried for ever.
    /// </summary>
    private static IReadOnlyList<OrchestratorAction> Supported(IReadOnlyList<OrchestratorAction> actions)
    {
        string? missing = null;
        foreach (var action in actions)
        {
            // Without an id a child gets one here, so that its history event and its instance agree.
            if (action.CreateSubOrchestration is { InstanceId: "" } child)
            {
                child.InstanceId = NewId();
            }

            missing ??= action.OrchestratorActionTypeCase switch
            {
                OrchestratorAction.OrchestratorActionTypeOneofCase.RewindOrchestration => "Rewinding an instance",
                OrchestratorAction.OrchestratorActionTypeOneofCase.None => "An action of a kind it does not know",
                _ => null,
            };
        }

        return missing is null ? actions : [Fails(actions.Max(action => action.Id) + 1, $"{missing}: not supported by this task hub.")];
    }

    private static OrchestratorAction Fails(int id, string message) => new()
    {
        Id = id,
        CompleteOrchestration = new CompleteOrchestrationAction
        {
            OrchestrationStatus = OrchestrationStatus.Failed,
            Result = message,
            FailureDetails = new Failure
            {
                ErrorType = typeof(NotSupportedException).FullName, ErrorMessage = message, IsNonRetriable = true,
            },
        },
    };

    private static bool IsEntity(string instanceId) => instanceId.StartsWith('@');

    /// <summary>The event that an action leaves in the history, so that a replay finds it done.</summary>
    private HistoryEvent? EventOf(OrchestratorAction action)
    {
        var historyEvent = NewEvent(action.Id);
        switch (action.OrchestratorActionTypeCase)
        {
            case OrchestratorAction.OrchestratorActionTypeOneofCase.ScheduleTask:
                var task = action.ScheduleTask;
                historyEvent.TaskScheduled = new()
                {
                    Name = task.Name, Version = task.Version, Input = task.Input, ParentTraceContext = task.ParentTraceContext,
                    Tags = { task.Tags },
                };
                return historyEvent;
            case OrchestratorAction.OrchestratorActionTypeOneofCase.CreateTimer:
                historyEvent.TimerCreated = new() { FireAt = action.CreateTimer.FireAt };
                return historyEvent;
            case OrchestratorAction.OrchestratorActionTypeOneofCase.CreateSubOrchestration:
                var child = action.CreateSubOrchestration;
                historyEvent.SubOrchestrationInstanceCreated = new()
                {
                    InstanceId = child.InstanceId, Name = child.Name, Version = child.Version, Input = child.Input,
                    ParentTraceContext = child.ParentTraceContext, Tags = { child.Tags },
                };
                return historyEvent;
            case OrchestratorAction.OrchestratorActionTypeOneofCase.SendEvent:
                var sent = action.SendEvent;
                historyEvent.EventSent = new() { InstanceId = sent.Instance.InstanceId, Name = sent.Name, Input = sent.Data };
                return historyEvent;
            case OrchestratorAction.OrchestratorActionTypeOneofCase.SendEntityMessage:
                var toEntity = action.SendEntityMessage;
                historyEvent.EntityOperationSignaled = toEntity.EntityOperationSignaled;
                switch (toEntity.EntityMessageTypeCase)
                {
                    case SendEntityMessageAction.EntityMessageTypeOneofCase.EntityOperationCalled:
                        historyEvent.EntityOperationCalled = toEntity.EntityOperationCalled;
                        break;
                    case SendEntityMessageAction.EntityMessageTypeOneofCase.EntityLockRequested:
                        historyEvent.EntityLockRequested = toEntity.EntityLockRequested;
                        break;
                    case SendEntityMessageAction.EntityMessageTypeOneofCase.EntityUnlockSent:
                        historyEvent.EntityUnlockSent = toEntity.EntityUnlockSent;
                        break;
                }

                return historyEvent;
            case OrchestratorAction.OrchestratorActionTypeOneofCase.CompleteOrchestration:
                var end = action.CompleteOrchestration;
                return Completed(action.Id, end.OrchestrationStatus, end.Result, end.FailureDetails);
            default:
                return null;
        }
    }

    private void Perform(Instance instance, IReadOnlyList<OrchestratorAction> actions, bool continues)
    {
        var finishes = actions.Any(action => action.CompleteOrchestration is not null);
        foreach (var action in actions)
        {
            switch (action.OrchestratorActionTypeCase)
            {
                case OrchestratorAction.OrchestratorActionTypeOneofCase.ScheduleTask:
                    Schedule(instance, action.Id, action.ScheduleTask);
                    break;
                case OrchestratorAction.OrchestratorActionTypeOneofCase.CreateTimer when !finishes:
                    CreateTimer(instance, action.Id, action.CreateTimer);
                    break;
                case OrchestratorAction.OrchestratorActionTypeOneofCase.CreateSubOrchestration:
                    CreateChild(instance, action.Id, action.CreateSubOrchestration);
                    break;
                case OrchestratorAction.OrchestratorActionTypeOneofCase.SendEvent
                    when !continues || action.SendEvent.Instance.InstanceId != instance.Id:
                    SendEvent(action.SendEvent);
                    break;
                case OrchestratorAction.OrchestratorActionTypeOneofCase.SendEntityMessage:
                    Perform(instance, action.SendEntityMessage);
                    break;
                case OrchestratorAction.OrchestratorActionTypeOneofCase.TerminateOrchestration
                    when Find(action.TerminateOrchestration.InstanceId) is { } target:
                    Terminate(target, action.TerminateOrchestration.Reason, action.TerminateOrchestration.Recurse);
                    break;
            }
        }
    }

    private void Schedule(Instance instance, int id, ScheduleTaskAction action)
    {
        var unit = new ActivityUnit(instance.Key, store.NextSeq(), instance.Generation, action.Name, action.Version)
        {
            Request = new ActivityRequest
            {
                Name = action.Name,
                Version = action.Version,
                Input = action.Input,
                OrchestrationInstance = new OrchestrationInstance { InstanceId = instance.Id, ExecutionId = instance.ExecutionId },
                TaskId = id,
                ParentTraceContext = action.ParentTraceContext ?? instance.Started.ParentTraceContext,
                Tags = { action.Tags },
            },
        };
        var input = Payloads.Keep(instance.Key, action.Input);
        store.InsertTask(unit, ReferenceEquals(input, action.Input) ? unit.Request : new ActivityRequest(unit.Request) { Input = input });
        Activities.Add(unit);
    }

    /// <summary>What an activity is given, from the store.</summary>
    public ActivityRequest ReadTask(ActivityUnit unit)
    {
        var request = store.ReadTask(unit.InstanceKey, unit.Seq);
        request.Input = Payloads.Read(unit.InstanceKey, request.Input);
        return request;
    }

    private void CreateTimer(Instance instance, int id, CreateTimerAction action)
    {
        var fired = new HistoryEvent
        {
            EventId = -1,
            Timestamp = action.FireAt,
            TimerFired = new TimerFiredEvent { FireAt = action.FireAt, TimerId = id },
        };
        Deliver(instance, fired, instance.Generation, MessageFlags.Waits, action.FireAt.ToDateTime());
    }

    private void CreateChild(Instance instance, int id, CreateSubOrchestrationAction action)
    {
        if (Find(action.InstanceId) is { Exists: true, IsFinished: false } running)
        {
            // Refusing the turn would wedge the parent for ever; as a failed child it can decide.
            var message = $"An orchestration with the id '{running.Id}' is already running.";
            var failed = NewEvent(-1);
            failed.SubOrchestrationInstanceFailed = new()
            {
                TaskScheduledId = id,
                FailureDetails = new Failure { ErrorType = "OrchestrationAlreadyExists", ErrorMessage = message },
            };
            Deliver(instance, failed, instance.Generation);
            return;
        }

        var started = new ExecutionStartedEvent
        {
            Name = action.Name,
            Version = action.Version,
            Input = action.Input,
            ParentInstance = new ParentInstanceInfo
            {
                TaskScheduledId = id,
                Name = instance.Name,
                Version = instance.Version,
                OrchestrationInstance = new OrchestrationInstance { InstanceId = instance.Id, ExecutionId = instance.ExecutionId },
            },
            ParentTraceContext = action.ParentTraceContext ?? instance.Started.ParentTraceContext,
            Tags = { action.Tags },
        };
        Create(action.InstanceId, started, instance);
    }

    private void SendEvent(SendEventAction action)
    {
        var execution = action.Instance.ExecutionId;
        if (string.IsNullOrEmpty(execution) || Find(action.Instance.InstanceId)?.ExecutionId == execution)
        {
            RaiseEvent(action.Instance.InstanceId, action.Name, action.Data);
        }
    }
}
