using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>Gives ready work to streams that have room for it.</summary>
internal sealed partial class Dispatcher
{
    /// <summary>Hands out as much as there is room for.</summary>
    public void Dispatch(DateTime now)
    {
        while (_delayed.TryPeek(out var handOut, out var due) && due <= now)
        {
            _delayed.Dequeue();
            if (handOut.Unit.Phase == Phase.Delayed)
            {
                MakeReady(handOut.Unit);
            }
        }

        var idle = 0;
        while (idle < _streams.Count && (state.Turns.Count > 0 || state.Activities.Count > 0 || state.Entities.Count > 0))
        {
            // Round robin, one item each, so that one worker does not take everything.
            _nextStream = (_nextStream + 1) % _streams.Count;
            var stream = _streams[_nextStream];
            idle = TryHandOutTurn(stream) | TryHandOutActivity(stream) | TryHandOutEntity(stream) ? 0 : idle + 1;
        }
    }

    /// <summary>
    /// Inside a transaction: hands out the turns that it caused, to workers that take them before the commit. Not of an instance
    /// whose history the transaction wrote: a worker that had to replay would read the old one.
    /// </summary>
    public void Speculate()
    {
        List<Instance> later = [];
        foreach (var stream in _streams.Where(stream => stream.Speculates))
        {
            while (stream.OrchestratorRoom > 0 && state.Turns.TryTake(stream.Orchestrators, out var instance))
            {
                if (instance.HistoryWrittenIn == state.Batch || instance.IsSuspect)
                {
                    later.Add(instance);
                    continue;
                }

                HandOutTurn(stream, instance);
                instance.HandOut!.SpeculatedIn = state.Batch;
                state.Speculated++;
            }
        }

        later.ForEach(state.Turns.Add);
    }

    private bool TryHandOutTurn(WorkStream stream)
    {
        if (stream.OrchestratorRoom == 0 || !state.Turns.TryTake(stream.Orchestrators, out var instance))
        {
            return false;
        }

        if (CountDelivery(instance, instance.Key, 0) is var deliveries && IsTooOften(deliveries))
        {
            Forget(instance);
            state.FailPoisoned(instance, deliveries);
            return true;
        }

        HandOutTurn(stream, instance);
        instance.HandOut!.IsCounted = instance.IsSuspect;
        return true;
    }

    private void HandOutTurn(WorkStream stream, Instance instance)
    {
        instance.TakeBackTurn();
        var request = _turns.Next(instance, stream);
        stream.OrchestratorRoom--;
        HandOut(instance, stream, new WorkItem { OrchestratorRequest = request });
    }

    private bool TryHandOutActivity(WorkStream stream)
    {
        if (stream.ActivityRoom == 0 || !state.Activities.TryTake(stream.Activities, out var unit))
        {
            return false;
        }

        if (CountDelivery(unit, unit.InstanceKey, unit.Seq) is var deliveries && IsTooOften(deliveries))
        {
            Forget(unit);
            state.FailPoisoned(unit, deliveries);
            return true;
        }

        unit.Request ??= state.ReadTask(unit);
        stream.ActivityRoom--;
        HandOut(unit, stream, new WorkItem { ActivityRequest = WithProgress(unit) });
        unit.HandOut!.IsCounted = unit.IsSuspect;
        return true;
    }

    private bool TryHandOutEntity(WorkStream stream)
    {
        if (stream.EntityRoom == 0 || !state.Entities.TryTake(stream.Entities, out var entity))
        {
            return false;
        }

        entity.TakeBackTurn();
        var deliveries = CountDelivery(entity, entity.Key, 0);

        // One that was lost may have been lost because of one operation: that one alone is to fail.
        var operations = state.TakeOperations(entity, deliveries > 0 ? 1 : options.EntityBatch);
        if (operations.Count == 0)
        {
            // Taken because something came due, which a lock keeps back.
            entity.Phase = Phase.Idle;
            return true;
        }

        if (IsTooOften(deliveries))
        {
            Forget(entity);
            state.FailPoisoned(entity, operations[0], deliveries);
            return true;
        }

        stream.EntityRoom--;
        entity.Turn = new Turn(new HistoryEvent(), operations);
        var request = new EntityRequest { InstanceId = entity.Id, ExecutionId = entity.ExecutionId, EntityState = entity.Entity!.State };
        request.OperationRequests.Add(operations.Select(operation => operation.Event));
        HandOut(entity, stream, new WorkItem { EntityRequestV2 = request });
        entity.HandOut!.IsCounted = entity.IsSuspect;
        return true;
    }

    private void HandOut(WorkUnit unit, WorkStream stream, WorkItem item)
    {
        if (unit.HandOut is { } earlier)
        {
            _handOuts.Remove(earlier.Token);
            if (unit is ActivityUnit)
            {
                LostActivities.Publish([earlier.Token]);
            }
        }

        var instance = unit as Instance;
        var handOut = new HandOut($"{_run}.{++_lastToken}", unit, stream)
        {
            Turn = instance?.Turn,
            ExecutionId = instance?.ExecutionId,
            Deadline = item.ActivityRequest is { } activity ? ActivityDeadline.Of(activity, clock.GetUtcNow().UtcDateTime) : null,
        };
        unit.HandOut = handOut;
        if (handOut.Deadline is { } deadline)
        {
            _deadlines.Enqueue(handOut, deadline.Due);
        }

        _handOuts.Add(handOut.Token, handOut);
        stream.Held.Add(handOut);
        Outstanding++;
        item.CompletionToken = handOut.Token;
        if (_holdsBack)
        {
            _heldBack.Add((handOut, item));
        }
        else
        {
            stream.Items.Writer.TryWrite(item);
        }

        _crashPoints.Hit(CrashPoints.DispatchAfterHandOut);
    }

    private static ActivityRequest WithProgress(ActivityUnit unit)
    {
        if (unit.Progress is null)
        {
            return unit.Request!;
        }

        var request = unit.Request!.Clone();
        request.Tags[ActivityLimits.ProgressTag] = unit.Progress;
        return request;
    }
}
