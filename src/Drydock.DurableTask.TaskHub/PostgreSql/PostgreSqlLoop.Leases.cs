using Drydock.DurableTask.TaskHub.Dispatch;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>What this process holds: in memory the hand-outs, in the database a fencing token for each.</summary>
internal sealed partial class PostgreSqlLoop
{
    private readonly HashSet<WorkUnit> _givenBack = [];
    private readonly HashSet<WorkUnit> _poisoned = [];
    private long _replica;
    private long _lastToken;

    /// <summary>Another process says that nobody waits for these activities any more.</summary>
    public Task LoseAsync(IReadOnlyCollection<long> leaseTokens) => RunAsync(
        _ =>
        {
            Lose(leaseTokens);
            return true;
        },
        CancellationToken.None);

    private void Lose(IReadOnlyCollection<long> leaseTokens)
    {
        if (leaseTokens.Count > 0)
        {
            Dispatcher.LostActivities.Publish(Dispatcher.TokensOf(leaseTokens));
        }
    }

    /// <summary>
    /// The lease of this process was over and others have taken its work: what workers hold here is lost to them, and the process goes
    /// on as another one.
    /// </summary>
    public Task StartOverAsync(long replica) => RunAsync(
        _ =>
        {
            _replica = replica;
            _givenBack.Clear();
            _poisoned.Clear();
            Dispatcher.DropAll();
            Volatile.Write(ref _taken, Dispatcher.Outstanding);
            return true;
        },
        CancellationToken.None);

    /// <summary>
    /// Forgets hand-outs whose stream ended a while ago, because somebody has long taken the work, and frees what a transaction took of
    /// which nobody knows what became.
    /// </summary>
    public Task AgeAsync() => RunAsync(
        _ =>
        {
            Dispatcher.AgeOrphans();
            _freesUnknown = true;
            return true;
        },
        CancellationToken.None);

    /// <summary>Makes a hand-out that of what is in the transaction; false if its lease was lost.</summary>
    private bool Attach(HandOut handOut)
    {
        if (handOut.Unit is ActivityUnit unit)
        {
            if (_store.TokenOf(unit) is not { } token)
            {
                // The instance was purged, replaced or terminated meanwhile: nobody waits for the result.
                unit.Phase = Phase.Gone;
                return true;
            }

            // An attempt that was undone has left its mark on it.
            unit.Phase = Phase.InHand;
            return token == handOut.LeaseToken;
        }

        var instance = _state.Find(((Instance)handOut.Unit).Key);
        if (instance is null || _store.RowOf(instance).Token != handOut.LeaseToken)
        {
            return false;
        }

        var inHand = handOut.Turn!.Messages.Select(message => message.Seq).ToHashSet();
        instance.Inbox.RemoveAll(message => inHand.Contains(message.Seq));
        instance.Turn = handOut.Turn;
        instance.HandOut = handOut;
        handOut.Unit = instance;
        _state.QueueOf(instance).Withdraw(instance, Phase.InHand);
        return true;
    }

    /// <summary>The unit goes back with the next transaction.</summary>
    private void Return(WorkUnit unit)
    {
        if (unit.Phase != Phase.Gone)
        {
            unit.Phase = Phase.Ready;
            _givenBack.Add(unit);
            Wake();
        }
    }

    private void GiveBack(WorkUnit unit)
    {
        switch (unit)
        {
            case ActivityUnit activity:
                _store.GiveBack(activity);
                break;
            case Instance { IsEntity: true, Turn: null } entity:
                // It had nothing to do that a worker could: it is looked at anew.
                if (_state.Find(entity.Key) is { } found && _store.RowOf(found).Token == entity.LeaseToken)
                {
                    _store.EndLease(found);
                }

                break;
            case Instance instance:
                _store.GiveBack(instance);
                break;
        }
    }

    private bool IsSound(WorkUnit unit) => !_poisoned.Contains(unit);

    /// <summary>In a transaction: what was taken so often that it is given to nobody any more ends, if it is still ours.</summary>
    private void FailPoisoned(WorkUnit unit)
    {
        if (unit is ActivityUnit activity)
        {
            if (_store.TokenOf(activity) == activity.LeaseToken)
            {
                _state.FailPoisoned(activity, activity.Deliveries - 1);
            }

            return;
        }

        if (_state.Find(((Instance)unit).Key) is not { } instance || _store.RowOf(instance).Token != unit.LeaseToken)
        {
            return;
        }

        (instance.Turn, instance.Phase) = (null, Phase.Idle);
        if (!instance.IsEntity)
        {
            _state.FailPoisoned(instance, unit.Deliveries - 1);
            return;
        }

        _store.EndLease(instance);
        if (_state.TakeOperations(instance, 1) is [{ } operation])
        {
            _state.FailPoisoned(instance, operation, unit.Deliveries - 1);
        }
    }

    private sealed class Leases(PostgreSqlLoop loop) : ILeasedWork
    {
        public bool Attach(HandOut handOut) => loop.Attach(handOut);

        public void GiveBack(WorkUnit unit) => loop.Return(unit);
    }
}
