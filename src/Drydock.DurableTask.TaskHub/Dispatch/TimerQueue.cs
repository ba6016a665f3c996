using System.Runtime.InteropServices;

namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>The messages that wait for their time, the earliest first. Only their places: the store has the rest.</summary>
internal sealed class TimerQueue
{
    private readonly SortedSet<Entry> _entries = [];

    public int Count => _entries.Count;

    public DateTime? Earliest => _entries.Count > 0 ? new DateTime(_entries.Min.Due, DateTimeKind.Utc) : null;

    public void Add(Entry entry) => _entries.Add(entry);

    public void Remove(Entry entry) => _entries.Remove(entry);

    public bool Contains(Entry entry) => _entries.Contains(entry);

    public void Clear() => _entries.Clear();

    /// <summary>Takes the earliest entry if its time has come.</summary>
    public bool TryTake(DateTime now, out Entry entry)
    {
        entry = default;
        if (_entries.Count == 0 || _entries.Min.Due > now.Ticks)
        {
            return false;
        }

        entry = _entries.Min;
        return _entries.Remove(entry);
    }

    /// <summary>A message that waits. Ordered by time, then by arrival.</summary>
    [StructLayout(LayoutKind.Auto)]
    public readonly record struct Entry(long Due, long Seq, long InstanceKey, MessageFlags Flags) : IComparable<Entry>
    {
        public int CompareTo(Entry other)
        {
            var byDue = Due.CompareTo(other.Due);
            return byDue != 0 ? byDue : Seq.CompareTo(other.Seq);
        }

        public static bool operator <(Entry left, Entry right) => left.CompareTo(right) < 0;

        public static bool operator >(Entry left, Entry right) => left.CompareTo(right) > 0;

        public static bool operator <=(Entry left, Entry right) => left.CompareTo(right) <= 0;

        public static bool operator >=(Entry left, Entry right) => left.CompareTo(right) >= 0;
    }
}
