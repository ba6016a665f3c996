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

        Rewind(instance, reason, null);
    }

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

        if (child.Status == OrchestrationStatus.Failed)
        {
            Rewind(child, reason, parent.ExecutionId);
            return;
        }

        child.Started.ParentInstance.OrchestrationInstance.ExecutionId = parent.ExecutionId;
        store.UpdateStart(child.Key, store.ReadInput(child.Key), child.Started);
        if (child.IsFinished)
        {
            AnswerParent(child, Payloads.Read(child.Key, store.ReadOutput(child.Key)), null);
        }
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
