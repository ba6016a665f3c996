using Drydock.DurableTask.Protobuf;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>
/// How often an item was given out without an answer. Only what may have ended a worker is counted: in a quiet life nothing is.
/// </summary>
internal sealed partial class Dispatcher
{
    private readonly List<(HandOut HandOut, WorkItem Item)> _heldBack = [];
    private bool _holdsBack;

    /// <summary>What was written while work was handed out is on disk: now workers get it.</summary>
    public void LetGo()
    {
        foreach (var (handOut, item) in _heldBack)
        {
            handOut.Stream?.Items.Writer.TryWrite(item);
        }

        _heldBack.Clear();
        _holdsBack = false;
    }

    /// <summary>It is not: nobody has got it.</summary>
    public void TakeBack()
    {
        _heldBack.ForEach(one => Release(one.HandOut));
        _heldBack.Clear();
        _holdsBack = false;
    }

    /// <summary>Whether an item that was given out so often without an answer is given out no more.</summary>
    public bool IsTooOften(int deliveries) => options.MaximumDeliveries > 0 && deliveries >= options.MaximumDeliveries;

    /// <summary>
    /// Counts that an item is given out which may have been lost before; returns how often it was. From here on everything waits for
    /// the commit of that: if this item ends the process, the next one must know.
    /// </summary>
    private int CountDelivery(WorkUnit unit, long key, long seq)
    {
        if (leases is not null)
        {
            // The lease was counted when it was taken.
            return Math.Max(unit.Deliveries - 1, 0);
        }

        if (!unit.IsSuspect || options.MaximumDeliveries <= 0)
        {
            return 0;
        }

        _holdsBack = true;
        return store.CountDelivery(key, seq, unit.WasLost);
    }

    /// <summary>A worker gives an item back, so it has not ended because of it.</summary>
    private void Excuse(HandOut handOut)
    {
        var unit = handOut.Unit;
        (unit.IsSuspect, unit.WasLost) = (false, false);
        if (handOut.IsCounted)
        {
            handOut.IsCounted = false;
            _ = unit switch
            {
                Instance instance => store.UncountDelivery(instance.Key, 0),
                ActivityUnit activity => store.UncountDelivery(activity.InstanceKey, activity.Seq),
                _ => 0,
            };
        }
    }

    /// <summary>A late answer to what was given out before means nothing any more.</summary>
    private void Forget(WorkUnit unit)
    {
        if (unit.HandOut is { } earlier)
        {
            Release(earlier);
        }
    }
}
