namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>
/// What heartbeats say, on its way to the store: all of it together, at most once a second however many beat, and before an item is given
/// to somebody else. A heartbeat waits for none of that.
/// </summary>
internal sealed partial class Dispatcher
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(1);

    private readonly HashSet<ActivityUnit> _unwritten = [];
    private DateTime _nextProgress = DateTime.MinValue;

    /// <summary>When what heartbeats said is to be written; null if it is.</summary>
    public DateTime? EarliestProgress => _unwritten.Count > 0 ? _nextProgress : null;

    /// <summary>Part of a transaction: writes what heartbeats said, if it is time.</summary>
    public void WriteProgress(DateTime now)
    {
        // A clock that was set back must not make it wait for longer than the interval.
        if (_unwritten.Count == 0 || (now < _nextProgress && _nextProgress - now <= ProgressInterval))
        {
            return;
        }

        foreach (var unit in _unwritten.Where(unit => unit.Phase != Phase.Gone))
        {
            store.WriteProgress(unit);
        }

        _unwritten.Clear();
        _nextProgress = now + ProgressInterval;
    }

    /// <summary>What was said is written with the next transaction.</summary>
    public void HurryProgress() => _nextProgress = DateTime.MinValue;

    private void NoteProgress(ActivityUnit unit, string progress, DateTime at)
    {
        (unit.Progress, unit.ProgressAt) = (progress, at);
        _unwritten.Add(unit);
    }

    /// <summary>Nobody knows what of it was written.</summary>
    private void RewriteProgress()
    {
        _unwritten.UnionWith(_handOuts.Values.Select(handOut => handOut.Unit).OfType<ActivityUnit>().Where(unit => unit.ProgressAt != default));
    }
}
