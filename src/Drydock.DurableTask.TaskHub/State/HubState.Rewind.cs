using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Grpc.Core;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>Rewinding: a failed instance, and its failed children, go on from their last good step.</summary>
internal sealed partial class HubState
{
    /// <summary>Rewinds a failed instance.</summary>
    public void Rewind(string id, string? reason)
    {
        var instance = Existing(id);
        if (instance.Status != OrchestrationStatus.Failed)
        {
            throw new TaskHubException(
                StatusCode.FailedPrecondition, $"The orchestration '{id}' is {NameOf(instance.Status)}; only a failed one can be rewound.");
        }

        if (Objection(instance) is { } objection)
        {
            throw new TaskHubException(StatusCode.FailedPrecondition, objection);
        }

        Rewind(instance, reason, null);
    }

    /// <summary>Why a failed instance cannot be rewound; null if it can.</summary>
    private string? Objection(Instance instance) => RewoundHistory.FailedInCriticalSection([.. store.ReadHistory(instance.Key)])
        ? $"The orchestration '{instance.Id}' failed while it had entities locked. Its end has freed them, and others may have changed them since: "
            + "it cannot be rewound. Restart it instead."
        : null;

    private void Rewind(Instance instance, string? reason, string? parentExecutionId)
    {
        var before = instance.ExecutionId;
        instance.ExecutionId = NewId();
        var underWay = store.TaskIds(instance.Key);
        var rewound = new RewoundHistory([.. store.ReadHistory(instance.Key)], instance.ExecutionId, underWay.Contains);
        WriteHistory(instance, rewound);
        instance.Started = new ExecutionStartedEvent(instance.Started)
        {
            OrchestrationInstance = new OrchestrationInstance { InstanceId = instance.Id, ExecutionId = instance.ExecutionId },
        };
        if (parentExecutionId is not null)
        {
            instance.Started.ParentInstance.OrchestrationInstance.ExecutionId = parentExecutionId;
        }

        instance.Status = OrchestrationStatus.Running;
        instance.LastTurn = null;
        instance.Touch(Now);
        store.UpdateStart(instance.Key, store.ReadInput(instance.Key), instance.Started);
        store.UpdateResult(instance.Key, null, null);
        store.UpdateInstance(instance, Payloads.KeepStatus(instance.Key, Payloads.Read(instance.Key, store.ReadCustomStatus(instance.Key))), null);
        foreach (var timer in rewound.Timers)
        {
            CreateTimer(instance, timer.EventId, new CreateTimerAction { FireAt = timer.TimerCreated.FireAt });
        }

        rewound.EntityMessages.ToList().ForEach(asked => AskEntityAgain(instance, asked));
        var nudge = NewEvent(-1);
        nudge.ExecutionRewound = new ExecutionRewoundEvent { Reason = reason, ParentExecutionId = before, InstanceId = instance.Id };
        Deliver(instance, nudge);
        foreach (var child in rewound.Children)
        {
            AwaitAgain(instance, child, reason);
        }

        Changed.Add(instance.Id);
    }

    /// <summary>A child that the instance waits for: it is rewound, or answers what it has answered before, or is still running.</summary>
    private void AwaitAgain(Instance parent, HistoryEvent created, string? reason)
    {
        var child = Find(created.SubOrchestrationInstanceCreated.InstanceId);
        if (child is not { Exists: true } || child.Started.ParentInstance?.OrchestrationInstance.InstanceId != parent.Id)
        {
            var gone = NewEvent(-1);
            gone.SubOrchestrationInstanceFailed = new()
            {
                TaskScheduledId = created.EventId,
                FailureDetails = new()
                {
                    ErrorType = "OrchestrationNotFound",
                    ErrorMessage = $"The sub-orchestration '{created.SubOrchestrationInstanceCreated.InstanceId}' does not exist any more.",
                },
            };
            Deliver(parent, gone, parent.Generation);
            return;
        }

        var objection = child.Status == OrchestrationStatus.Failed ? Objection(child) : null;
        if (child.Status == OrchestrationStatus.Failed && objection is null)
        {
            Rewind(child, reason, parent.ExecutionId);
            return;
        }

        child.Started.ParentInstance.OrchestrationInstance.ExecutionId = parent.ExecutionId;
        store.UpdateStart(child.Key, store.ReadInput(child.Key), child.Started);
        if (child.IsFinished)
        {
            var failure = objection is null ? null : new Protobuf.TaskFailureDetails { ErrorType = "RewindRefused", ErrorMessage = objection };
            AnswerParent(child, Payloads.Read(child.Key, store.ReadOutput(child.Key)), failure);
        }
    }

    /// <summary>
    /// A call or a lock that had no answer: asked for again, in the name of the execution that goes on, in the place of what still waits at
    /// the entity. An operation whose answer was lost is done again, as an activity is.
    /// </summary>
    private void AskEntityAgain(Instance instance, HistoryEvent asked)
    {
        var call = asked.EntityOperationCalled;
        var target = call?.TargetInstanceId ?? asked.EntityLockRequested.LockSet[0];
        if (call is not null && Find(target) is { IsEntity: true } entity)
        {
            NextOf(entity);
            foreach (var message in entity.Inbox.FindAll(message => message.Event!.EntityOperationCalled?.RequestId == call.RequestId))
            {
                Take(entity, message);
            }
        }

        Perform(instance, call is null
            ? new SendEntityMessageAction { EntityLockRequested = asked.EntityLockRequested }
            : new SendEntityMessageAction { EntityOperationCalled = call });
    }

    private void WriteHistory(Instance instance, RewoundHistory rewound)
    {
        store.DeleteHistory(instance.Key);
        instance.HistoryLength = 0;
        instance.HistoryBytes = 0;
        instance.HistoryWrittenIn = Batch;
        foreach (var turn in rewound.Turns.Where(turn => turn.Count > 0))
        {
            _chunk.Clear();
            foreach (var historyEvent in turn)
            {
                _chunk.Add(historyEvent);
            }

            store.InsertHistory(instance.Key, instance.HistoryLength, _chunk.Written);
            instance.HistoryLength += _chunk.Count;
            instance.HistoryBytes += _chunk.Written.Length + _chunk.CharactersApart;
        }
    }
}
