using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub.Dispatch;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>What a worker sends back: the outcome of a turn, the result of an activity.</summary>
internal sealed partial class HubState
{
    /// <summary>
    /// Writes a turn: its events move from the inbox to the history, its actions become messages, activities, timers and children.
    /// </summary>
    public void CommitTurn(HandOut handOut, OrchestratorResponse response)
    {
        var instance = (Instance)handOut.Unit;
        if (instance.HandOut != handOut || instance.Turn is not { } turn)
        {
            Ending.Add(handOut);
            throw new TaskHubException(
                Grpc.Core.StatusCode.NotFound, $"The turn of '{instance.Id}' is not in hand any more; nothing was written.");
        }

        var actions = Supported(response.Actions);
        var completion = actions.FirstOrDefault(action => action.CompleteOrchestration is not null);
        var status = completion?.CompleteOrchestration.OrchestrationStatus;
        if (status == OrchestrationStatus.Terminated)
        {
            // Terminate means stop: what this very turn would have begun does not begin.
            actions = [.. actions.Where(action => action.CompleteOrchestration is not null || action.SendEvent is not null)];
        }

        var continues = status == OrchestrationStatus.ContinuedAsNew;
        End(handOut, instance);
        instance.Trace = response.OrchestrationTraceContext ?? instance.Trace;
        WriteTurn(instance, turn, actions, keep: !continues);
        crashPoints.Hit(CrashPoints.TurnAfterHistory);
        Perform(instance, actions, continues);
        crashPoints.Hit(CrashPoints.TurnAfterActions);
        if (continues)
        {
            ContinueAsNew(instance, actions, completion!.CompleteOrchestration, response.CustomStatus);
        }
        else if (completion is not null)
        {
            var end = completion.CompleteOrchestration;
            Finish(instance, end.OrchestrationStatus, end.Result, end.FailureDetails, response.CustomStatus);
            TerminateChildren(instance, turn);
        }
        else
        {
            instance.Status = StatusAfter(instance.Status, turn);
            store.UpdateInstance(instance, Payloads.KeepStatus(instance.Key, response.CustomStatus), null);
        }

        Changed.Add(instance.Id);
        MakeReady(instance);
    }

    /// <summary>Writes the result of an activity: the task goes, the answer arrives at the execution that asked, if it still runs.</summary>
    public void CompleteActivity(HandOut handOut, ActivityResponse response)
    {
        var unit = (ActivityUnit)handOut.Unit;
        Ending.Add(handOut);
        handOut.IsEnding = true;
        if (unit.Phase != Phase.Gone)
        {
            Answer(unit, response);
        }

        // Otherwise the instance was purged, replaced or terminated meanwhile: nobody waits for the result.
    }

    private void Answer(ActivityUnit unit, ActivityResponse response)
    {
        store.DeleteTask(unit);
        Activities.Withdraw(unit, Phase.Gone);
        if (Find(unit.InstanceKey) is not { IsFinished: false } instance || instance.Generation != unit.Generation)
        {
            return;
        }

        var answer = NewEvent(-1);
        var id = unit.Request!.TaskId;
        if (response.FailureDetails is { } failure)
        {
            if (unit.Progress is { } said)
            {
                // A retry is another call, which the orchestrator makes: so it can pass on how far this one came.
                failure.Properties[ActivityLimits.ProgressTag] = Value.ForString(said);
            }

            answer.TaskFailed = new TaskFailedEvent { TaskScheduledId = id, FailureDetails = failure };
        }
        else
        {
            answer.TaskCompleted = new TaskCompletedEvent { TaskScheduledId = id, Result = response.Result };
        }

        Deliver(instance, answer, instance.Generation);
    }

    private void End(HandOut handOut, Instance instance)
    {
        Ending.Add(handOut);
        handOut.IsEnding = true;
        instance.Turn = null;
        instance.LastTurn = handOut.Token;
        (instance.IsSuspect, instance.WasLost) = (false, false);
        store.ForgetDeliveries(instance.Key, 0);
        instance.HistoryWrittenIn = Batch;
        if (handOut.SpeculatedIn == Batch)
        {
            Speculated--;
        }

        instance.Touch(handOut.Turn?.Started.Timestamp?.ToDateTime() ?? Now);
        instance.Touch(Now);
        QueueOf(instance).Withdraw(instance, Phase.Idle);
    }

    private void WriteTurn(Instance instance, Turn turn, IReadOnlyList<OrchestratorAction> actions, bool keep)
    {
        foreach (var message in turn.Messages)
        {
            store.DeleteMessage(instance.Key, message.Seq);
        }

        if (!keep)
        {
            return;
        }

        _chunk.Clear();
        _chunk.Add(turn.Started);
        foreach (var message in turn.Messages)
        {
            _chunk.Add(message.Payload, message.CharactersApart);
        }

        foreach (var action in actions)
        {
            if (EventOf(action) is { } historyEvent)
            {
                _chunk.Add(Payloads.Keep(instance, historyEvent));
            }
        }

        AppendHistory(instance);
    }

    private void ContinueAsNew(
        Instance instance, IReadOnlyList<OrchestratorAction> actions, CompleteOrchestrationAction completion, string? customStatus)
    {
        // Answers to the execution that ends go; what others sent to the instance while it took this turn stays.
        var later = store.DeleteBoundMessages(instance);
        instance.Inbox.Clear();
        store.DeleteHistory(instance.Key);
        store.DeleteUnusedPayloads(instance.Key);
        ReleaseLocks(instance);
        crashPoints.Hit(CrashPoints.ContinueAsNewAfterDelete);

        // An orchestrator's guids come from the time of its turn: no execution begins when the one before it took a turn, even with the
        // clock set back.
        instance.Touch(instance.UpdatedAt.AddTicks(1));
        instance.Generation++;
        instance.ExecutionId = NewId();
        instance.HistoryLength = 0;
        instance.HistoryBytes = 0;
        instance.Trace = null;
        instance.LastTurn = null;
        var isSuspended = completion.CarryoverEvents.Any(static carried => carried.ExecutionSuspended is not null);
        instance.Status = isSuspended ? OrchestrationStatus.Suspended : OrchestrationStatus.Running;
        instance.Started = new ExecutionStartedEvent(instance.Started)
        {
            Version = completion.NewVersion ?? instance.Started.Version,
            OrchestrationInstance = new OrchestrationInstance { InstanceId = instance.Id, ExecutionId = instance.ExecutionId },
            ScheduledStartTimestamp = null,
        };
        store.UpdateStart(instance.Key, Payloads.Keep(instance.Key, completion.Result), instance.Started);
        store.UpdateInstance(instance, Payloads.KeepStatus(instance.Key, customStatus), null);

        // In the order in which they happened: events sent to itself had been buffered before those that were carried over.
        DeliverStart(instance, completion.Result);
        foreach (var sent in actions.Select(action => action.SendEvent).Where(sent => sent?.Instance.InstanceId == instance.Id))
        {
            Deliver(instance, NewEvent(new EventRaisedEvent { Name = sent.Name, Input = sent.Data }));
        }

        foreach (var carried in completion.CarryoverEvents)
        {
            carried.EventId = -1;
            carried.Timestamp ??= Timestamp.FromDateTime(Now);
            Deliver(instance, carried);
        }

        MoveTo(instance, instance.Key, later);
    }

    private void TerminateChildren(Instance instance, Turn turn)
    {
        var order = turn.Messages.Find(message => message.Event?.ExecutionTerminated?.Recurse == true)?.Event!.ExecutionTerminated;
        if (instance.Status != OrchestrationStatus.Terminated || order is null)
        {
            return;
        }

        foreach (var child in store.Children(instance.Key))
        {
            Terminate(Find(child)!, order.Input, recurse: true);
        }
    }

    private static OrchestrationStatus StatusAfter(OrchestrationStatus before, Turn turn)
    {
        var suspended = before == OrchestrationStatus.Suspended;
        foreach (var message in turn.Messages)
        {
            suspended = message.Event!.EventTypeCase switch
            {
                HistoryEvent.EventTypeOneofCase.ExecutionSuspended => true,
                HistoryEvent.EventTypeOneofCase.ExecutionResumed => false,
                _ => suspended,
            };
        }

        return suspended ? OrchestrationStatus.Suspended : OrchestrationStatus.Running;
    }
}
