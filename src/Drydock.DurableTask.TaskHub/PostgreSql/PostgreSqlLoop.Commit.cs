using Drydock.DurableTask.TaskHub.Dispatch;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>One transaction: what was asked, and the work that it takes.</summary>
internal sealed partial class PostgreSqlLoop
{
    private const int Attempts = 8;

    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(1);

    private bool _tellOthers;
    private DateTime? _nextReady;
    private DateTime? _pausedUntil;
    private string? _committing;

    private void Commit(List<Command> writes, bool take)
    {
        var from = _clock.GetTimestamp();
        WorkTaker? taker;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                Connect();
                taker = Transact(writes, take);
                break;
            }
            catch (Exception e) when (PostgreSqlFaults.IsConnectionLost(e))
            {
                if (!GoesOn(writes, e))
                {
                    return;
                }

                if (attempt >= Attempts)
                {
                    Refuse(writes, e);
                    return;
                }
            }
            catch (Exception e)
            {
                Undo();
                if (PostgreSqlFaults.IsCollision(e) && writes.Count <= 1 && attempt < Attempts)
                {
                    continue;
                }

                if (writes.Count > 1 && !PostgreSqlFaults.IsOfTheDatabase(e))
                {
                    // Others must not suffer from the one that is at fault: each gets a transaction of its own.
                    writes.ForEach(command => Commit([command], take: false));
                    Wake();
                    return;
                }

                Refuse(writes, e);
                return;
            }
        }

        if (writes.Count > 0)
        {
            HubMeter.CommitDuration.Record(_clock.GetElapsedTime(from).TotalSeconds);
            HubMeter.CommitSize.Record(writes.Count);
        }

        if (taker is not null)
        {
            HandOut(taker);
        }
    }

    private WorkTaker? Transact(List<Command> writes, bool take)
    {
        var now = Now;
        _state.Load(now);
        var returning = _givenBack.ToArray();
        var failing = _poisoned.ToArray();
        var number = Begin(now, writes, returning.Length + failing.Length > 0);
        foreach (var unit in returning)
        {
            GiveBack(unit);
        }

        foreach (var unit in failing)
        {
            FailPoisoned(unit);
        }

        Dispatcher.Expire(now);
        foreach (var command in writes)
        {
            command.Apply(_state);
            _crashPoints.Hit(CrashPoints.CommitAfterCommand);
        }

        // After all instances: whoever locks both takes them in this order.
        Dispatcher.WriteProgress(now);
        _store.WriteRows();
        var taker = take && Dispatcher.Streams.Count > 0 ? new WorkTaker(_replica, _lastToken, now, Dispatcher.Streams) : null;
        var notice = Notice();
        _committing = number;
        _store.Commit(taker, notice?.Write(), _database.Channel);
        _committing = null;
        _tellOthers = false;
        _givenBack.ExceptWith(returning);
        _poisoned.ExceptWith(failing);
        Settle(writes);
        return taker;
    }

    private string? Begin(DateTime now, List<Command> writes, bool gives)
    {
        if (writes.Count == 0 && !gives && !(Dispatcher.EarliestDeadline <= now))
        {
            _store.Begin(now);
            return null;
        }

        var units = writes.Select(command => command.Token is { } token ? Dispatcher.Find(token)?.Unit : null).OfType<WorkUnit>().ToList();
        var activities = units.OfType<ActivityUnit>().ToList();
        var number = _store.Begin(
            now,
            [.. writes.SelectMany(command => command.Touched).Where(id => id.Length > 0).Distinct(StringComparer.Ordinal)],
            [.. units.OfType<Instance>().Select(instance => instance.Key).Concat(activities.Select(unit => unit.InstanceKey)).Distinct()]);
        if (activities.Count > 0)
        {
            _store.LockTasks(activities);
        }

        return number;
    }

    /// <summary>The transaction has happened: hand-outs end, callers and watchers are told.</summary>
    private void Settle(List<Command> writes)
    {
        _pausedUntil = null;
        _state.Ending.ForEach(Dispatcher.Release);
        _state.Ending.Clear();
        Dispatcher.LostActivities.Publish(_state.Lost);
        _state.Lost.Clear();
        Lose(_store.LostTokens);
        Interlocked.Add(ref _pending, -writes.Count);
        Volatile.Write(ref _taken, Dispatcher.Outstanding);
        writes.ForEach(command => command.Acknowledge());
        Feed.Publish(_state.Changed);
        Signals.Signal(_state.Changed);
        _crashPoints.Hit(CrashPoints.CommitAfterAcknowledge);
    }

    /// <summary>What the others must hear of it; null if it is nothing.</summary>
    private ReplicaNotice? Notice()
    {
        var isShort = Dispatcher.Streams.All(stream => stream.OrchestratorRoom == 0 || stream.ActivityRoom == 0 || stream.EntityRoom == 0);
        var work = _tellOthers || (_store.MadeReady && isShort);
        return work || _state.Changed.Count > 0 || _store.LostTokens.Count > 0
            ? new ReplicaNotice(_replica, [.. _state.Changed], work, [.. _store.LostTokens])
            : null;
    }

    private void HandOut(WorkTaker taker)
    {
        _lastToken = taker.LastToken;
        _nextReady = taker.NextReady;
        var now = Now;

        // What the decisions made ready is in the database; in memory is only what was taken.
        _state.Load(now);
        foreach (var unit in taker.Units.Where(unit => Dispatcher.IsTooOften(unit.Deliveries - 1)))
        {
            _poisoned.Add(unit);
            Wake();
        }

        taker.Turns.FindAll(IsSound).ForEach(_state.Turns.Add);
        taker.Entities.FindAll(IsSound).ForEach(_state.Entities.Add);
        taker.Activities.FindAll(IsSound).ForEach(_state.Activities.Add);
        try
        {
            Dispatcher.Dispatch(now);
        }
        catch (Exception e)
        {
            // A history could not be read. What was taken and not handed out goes back; the next round tries again.
            _logger.LogWarning(e, "The task hub {Hub} could not hand out all that it took.", _database.Description);
            Disconnect();
        }
        finally
        {
            foreach (var unit in taker.Units)
            {
                if (unit.HandOut is null && IsSound(unit))
                {
                    Return(unit);
                }
            }

            Volatile.Write(ref _taken, Dispatcher.Outstanding);
        }

        if (taker.MayHaveMore)
        {
            // Either there is room for it here, or others may have some.
            _tellOthers = true;
            Wake();
        }
    }

    private void Refuse(List<Command> writes, Exception cause)
    {
        if (writes.Count > 0)
        {
            _logger.LogError(cause, "A transaction of the task hub {Hub} failed; nothing of it was stored.", _database.Description);
        }
        else
        {
            _logger.LogWarning(cause, "The task hub {Hub} could not take work.", _database.Description);
            _nextReady = Now + PauseAfterFailure;
        }

        _pausedUntil = Now + PauseAfterFailure;

        var refusal = PostgreSqlFaults.Explain(_database.Description, cause);
        Interlocked.Add(ref _pending, -writes.Count);
        writes.ForEach(command => command.Fail(refusal));
    }

    /// <summary>Nothing of the transaction happened: hand-outs that it would have ended go on.</summary>
    private void Undo()
    {
        _committing = null;
        TakeBackEnds();
        try
        {
            _store.Rollback();
        }
        catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException)
        {
            Disconnect();
        }
    }

    private void TakeBackEnds()
    {
        _state.Ending.ForEach(static handOut => handOut.IsEnding = false);
        _state.Ending.Clear();
        Dispatcher.Undo();
    }
}
