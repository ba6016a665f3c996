namespace Drydock.Simulator.Store;

/// <summary>The latest writes, oldest first; older ones are forgotten as a compacted etcd does. Guarded by the store's lock.</summary>
internal sealed class ChangeLog(int capacity, long start)
{
    private readonly Change[] _ring = new Change[capacity];
    private int _first;
    private int _count;

    /// <summary>The oldest version from which every later write is still here.</summary>
    public long OldestVersion { get; private set; } = start;

    public void Add(Change change)
    {
        if (_count == _ring.Length)
        {
            OldestVersion = _ring[_first].ResourceVersion;
            _first = (_first + 1) % _ring.Length;
            _count--;
        }

        _ring[(_first + _count) % _ring.Length] = change;
        _count++;
    }

    /// <summary>Forgets everything so far, as a compaction does.</summary>
    public void Compact(long version)
    {
        Array.Clear(_ring);
        (_first, _count, OldestVersion) = (0, 0, version);
    }

    /// <summary>The writes after a version, oldest first.</summary>
    public IEnumerable<Change> Since(long version)
    {
        for (var i = FirstAfter(version); i < _count; i++)
        {
            yield return At(i);
        }
    }

    private Change At(int index) => _ring[(_first + index) % _ring.Length];

    private int FirstAfter(long version)
    {
        var (low, high) = (0, _count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = At(middle).ResourceVersion > version ? (low, middle) : (middle + 1, high);
        }

        return low;
    }
}
