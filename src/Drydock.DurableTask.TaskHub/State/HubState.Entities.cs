using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Kind = Drydock.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>
/// Entities: operations one batch after the other, in the order in which they came; while an orchestration has an entity locked, only
/// that orchestration's.
/// </summary>
internal sealed partial class HubState
{
    /// <summary>Entities that have something to do.</summary>
    public ReadyQueue<Instance> Entities { get; } = new();

    /// <summary>The queue in which an instance waits for a worker.</summary>
    public ReadyQueue<Instance> QueueOf(Instance instance) => instance.IsEntity ? Entities : Turns;

    /// <summary>Sends a message to an entity, which need not exist.</summary>
    public void SendToEntity(string id, HistoryEvent message, MessageFlags flags = MessageFlags.None)
    {
        var entity = Find(id) ?? CreateEntity(id);
        var due = (message.EntityOperationSignaled?.ScheduledTime ?? message.EntityOperationCalled?.ScheduledTime)?.ToDateTime();
        message.EventId = -1;
        message.Timestamp = Timestamp.FromDateTime(Now);
        if (due > Now)
        {
            Deliver(entity, message, flags: flags | MessageFlags.Waits, arrivesAt: due);
        }
        else
        {
            Deliver(entity, message, flags: flags);
        }
    }

    /// <summary>Writes what a batch of operations came to: state, answers, signals and new orchestrations, all or nothing.</summary>
    public void CompleteEntity(HandOut handOut, EntityBatchResult result)
    {
        var instance = (Instance)handOut.Unit;
        if (instance.HandOut != handOut || instance.Turn is not { } turn)
        {
            Ending.Add(handOut);
            throw new TaskHubException(StatusCode.NotFound, $"The operations of '{instance.Id}' are not in hand any more; nothing was written.");
        }

        End(handOut, instance);
        var done = Math.Min(result.Results.Count, turn.Messages.Count);
        for (var i = 0; i < done; i++)
        {
            store.DeleteMessage(instance.Key, turn.Messages[i].Seq);
            if (turn.Messages[i].Event!.EntityOperationCalled is { } call)
            {
                Answer(call, result.Results[i], turn.Messages[i].Flags);
            }
        }

        instance.Inbox.InsertRange(0, turn.Messages.Skip(done));
        foreach (var action in result.Actions)
        {
            Perform(action, handOut.IsWithOurs);
        }

        instance.Entity!.State = result.EntityState;
        store.WriteEntity(instance.Key, instance.Entity, Now);
        MakeReady(instance);
    }

    /// <summary>Deletes entities without state, backlog and lock, and frees what nobody holds any more.</summary>
    public (int Removed, int Released) CleanEntities(IEnumerable<long> keys, bool removeEmpty, bool releaseOrphaned)
    {
        var (removed, released) = (0, 0);
        foreach (var instance in keys.Select(Find).OfType<Instance>().Where(instance => instance.Entity is not null).ToList())
        {
            if (releaseOrphaned && instance.Entity!.LockedBy is { } holder && Find(holder) is not { Exists: true, IsFinished: false })
            {
                Unlock(instance);
                MakeReady(instance);
                released++;
            }

            if (removeEmpty && instance is { Entity: { State: null, LockedBy: null }, Inbox.Count: 0, Turn: null }
                && !store.HasMessages(instance.Key))
            {
                Delete(instance);
                removed++;
            }
        }

        return (removed, released);
    }

    /// <summary>Decides what an entity does next: grants and frees locks itself, and lets a worker have operations.</summary>
    private void Advance(Instance entity)
    {
        while (entity is { Turn: null, Entity: { } state } && NextOf(entity) is { } message)
        {
            switch (message.Event!.EventTypeCase)
            {
                case Kind.EntityLockRequested:
                    Take(entity, message);
                    Grant(entity, message.Event.EntityLockRequested, message.Flags);
                    break;
                case Kind.EntityUnlockSent:
                    Take(entity, message);
                    if (state.CriticalSection == message.Event.EntityUnlockSent.CriticalSectionId)
                    {
                        Unlock(entity);
                    }

                    break;
                default:
                    if (entity.Phase == Phase.Idle)
                    {
                        Entities.Add(entity);
                    }

                    return;
            }
        }
    }

    /// <summary>The first message that may be looked at now; null if there is none.</summary>
    private Message? NextOf(Instance entity)
    {
        foreach (var message in entity.Inbox)
        {
            message.Payload ??= store.ReadMessage(entity.Key, message.Seq);
            message.Event ??= HistoryEvent.Parser.ParseFrom(message.Payload);
        }

        return entity.Entity!.LockedBy is { } holder
            ? entity.Inbox.Find(message => SenderOf(message.Event!) == holder && message.Event!.EntityLockRequested is null)
            : entity.Inbox.FirstOrDefault();
    }

    private static string? SenderOf(HistoryEvent message) => message.EventTypeCase switch
    {
        Kind.EntityOperationCalled => message.EntityOperationCalled.ParentInstanceId,
        Kind.EntityUnlockSent => message.EntityUnlockSent.ParentInstanceId,
        _ => null,
    };

    /// <summary>The operations that a worker gets next, in order; they leave the inbox.</summary>
    public List<Message> TakeOperations(Instance entity, int most)
    {
        List<Message> operations = [];
        while (operations.Count < most && NextOf(entity) is { Event: { EntityLockRequested: null, EntityUnlockSent: null } } message)
        {
            entity.Inbox.Remove(message);
            operations.Add(message);
        }

        return operations;
    }

    private void Take(Instance entity, Message message)
    {
        entity.Inbox.Remove(message);
        store.DeleteMessage(entity.Key, message.Seq);
    }

    /// <summary>Locks the entity and asks the next of the set, or tells the orchestration that it has all of them.</summary>
    private void Grant(Instance entity, EntityLockRequestedEvent request, MessageFlags flags)
    {
        var (id, execution) = LockOwner.Read(request);
        if (Find(id) is not { Exists: true, IsFinished: false } parent || (execution is not null && execution != parent.ExecutionId))
        {
            // Whoever wanted it has ended meanwhile; another execution of the same id asks for itself.
            return;
        }

        entity.Entity!.LockedBy = parent.Id;
        entity.Entity.CriticalSection = request.CriticalSectionId;
        store.WriteEntity(entity.Key, entity.Entity, Now);
        store.AddLock(parent, entity.Key);
        if (request.Position + 1 < request.LockSet.Count)
        {
            var next = new EntityLockRequestedEvent(request) { Position = request.Position + 1 };
            SendToEntity(next.LockSet[next.Position], new HistoryEvent { EntityLockRequested = next }, flags & MessageFlags.OldForm);
            return;
        }

        var granted = NewEvent(-1);
        granted.EntityLockGranted = new EntityLockGrantedEvent { CriticalSectionId = request.CriticalSectionId };
        AnswerOrchestration(parent, granted, flags);
    }

    private void Unlock(Instance entity)
    {
        if (entity.Entity!.LockedBy is { } holder)
        {
            store.RemoveLock(holder, entity.Key);
        }

        entity.Entity.LockedBy = null;
        entity.Entity.CriticalSection = null;
        store.WriteEntity(entity.Key, entity.Entity, Now);
    }

    /// <summary>An execution has ended: what it had locked is free, whether or not its worker said so.</summary>
    private void ReleaseLocks(Instance orchestration)
    {
        foreach (var entity in store.LocksOf(orchestration).Select(Find).OfType<Instance>())
        {
            Unlock(entity);
            MakeReady(entity);
        }
    }

    private void Answer(EntityOperationCalledEvent call, OperationResult result, MessageFlags flags)
    {
        if (Find(call.ParentInstanceId ?? string.Empty) is not { Exists: true, IsFinished: false } parent
            || (!string.IsNullOrEmpty(call.ParentExecutionId) && parent.ExecutionId != call.ParentExecutionId))
        {
            return;
        }

        var answer = NewEvent(-1);
        if (result.Failure is { } failure)
        {
            answer.EntityOperationFailed = new() { RequestId = call.RequestId, FailureDetails = failure.FailureDetails };
        }
        else
        {
            answer.EntityOperationCompleted = new() { RequestId = call.RequestId, Output = result.Success?.Result };
        }

        AnswerOrchestration(parent, answer, flags);
    }

    private void AnswerOrchestration(Instance parent, HistoryEvent answer, MessageFlags flags) => Deliver(
        parent, flags.HasFlag(MessageFlags.OldForm) ? NewEvent(EntityMessages.Write(answer)) : answer, parent.Generation);

    private void Perform(OperationAction action, bool isOfOurs)
    {
        if (action.SendSignal is { } signal)
        {
            SendToEntity(signal.InstanceId, new HistoryEvent
            {
                EntityOperationSignaled = new()
                {
                    RequestId = Guid.NewGuid().ToString(), Operation = signal.Name, Input = signal.Input, ScheduledTime = signal.ScheduledTime,
                },
            });
        }
        else if (action.StartNewOrchestration is { } start && Find(start.InstanceId) is not { Exists: true, IsFinished: false })
        {
            var started = new ExecutionStartedEvent
            {
                Name = start.Name, Version = start.Version, Input = start.Input, ScheduledStartTimestamp = start.ScheduledTime,
                ParentTraceContext = start.ParentTraceContext,
            };
            if (isOfOurs)
            {
                // As our client does, and our orchestrators for their children; this action has no field for it.
                started.Tags[Semantics.Tag] = Semantics.Current;
            }

            Create(start.InstanceId.Length > 0 ? start.InstanceId : NewId(), started, null);
        }
    }

    /// <summary>What an orchestrator sends to an entity.</summary>
    private void Perform(Instance sender, SendEntityMessageAction action)
    {
        var message = new HistoryEvent();
        switch (action.EntityMessageTypeCase)
        {
            case SendEntityMessageAction.EntityMessageTypeOneofCase.EntityOperationSignaled:
                message.EntityOperationSignaled = action.EntityOperationSignaled;
                SendToEntity(action.EntityOperationSignaled.TargetInstanceId ?? string.Empty, message);
                break;
            case SendEntityMessageAction.EntityMessageTypeOneofCase.EntityOperationCalled:
                message.EntityOperationCalled = new(action.EntityOperationCalled) { ParentInstanceId = sender.Id, ParentExecutionId = sender.ExecutionId };
                SendToEntity(action.EntityOperationCalled.TargetInstanceId ?? string.Empty, message);
                break;
            case SendEntityMessageAction.EntityMessageTypeOneofCase.EntityLockRequested:
                var request = new EntityLockRequestedEvent(action.EntityLockRequested)
                {
                    ParentInstanceId = LockOwner.Write(sender.Id, sender.ExecutionId),
                };
                message.EntityLockRequested = request;
                SendToEntity(request.LockSet[request.Position], message);
                break;
            case SendEntityMessageAction.EntityMessageTypeOneofCase.EntityUnlockSent:
                message.EntityUnlockSent = new(action.EntityUnlockSent) { ParentInstanceId = sender.Id };
                SendToEntity(action.EntityUnlockSent.TargetInstanceId ?? string.Empty, message);
                break;
        }
    }

    private Instance CreateEntity(string id)
    {
        if (!IsEntity(id) || id.IndexOf('@', 1) <= 1)
        {
            throw new TaskHubException(StatusCode.InvalidArgument, $"'{id}' is not the id of an entity, which looks like @name@key.");
        }

        var key = store.InsertInstance(id, OrchestrationStatus.Running, NewId(), new ExecutionStartedEvent { Name = Instance.EntityName(id) }, null, Now);
        var instance = new Instance(key, id) { Status = OrchestrationStatus.Running, Entity = new EntityState() };
        store.WriteEntity(key, instance.Entity, Now);
        _byId.Add(id, instance);
        _byKey.Add(key, instance);
        return instance;
    }
}
