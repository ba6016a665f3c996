using System.Collections;
using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>The objects of a type at one moment, ordered by namespace and name. It never changes, and costs next to nothing to take.</summary>
public sealed class ObjectList : IReadOnlyList<StoredObject>
{
    private readonly StoredObject[][] _chunks;
    private readonly int[] _starts;
    private readonly int _from;

    internal ObjectList(StoredObject[][] chunks)
    {
        _chunks = chunks;
        _starts = new int[chunks.Length];
        for (var i = 0; i < chunks.Length; i++)
        {
            _starts[i] = Count;
            Count += chunks[i].Length;
        }
    }

    private ObjectList(ObjectList whole, int from, int count)
    {
        (_chunks, _starts, _from, Count) = (whole._chunks, whole._starts, whole._from + from, count);
    }

    /// <inheritdoc/>
    public int Count { get; }

    internal StoredObject[][] Chunks => _chunks;

    /// <inheritdoc/>
    public StoredObject this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            var at = _from + index;
            var chunk = Array.BinarySearch(_starts, at) is var found && found >= 0 ? found : ~found - 1;

            return _chunks[chunk][at - _starts[chunk]];
        }
    }

    /// <summary>Those of one namespace; all if it is null.</summary>
    public ObjectList Of(string? @namespace)
    {
        if (@namespace is null)
        {
            return this;
        }

        // No name contains U+FFFF.
        var (first, end) = (FirstFrom(@namespace, ""), FirstFrom(@namespace, "\uffff"));

        return new(this, first, end - first);
    }

    /// <summary>Those after a key.</summary>
    public ObjectList After(string @namespace, string name)
    {
        // The smallest key that is greater.
        var first = FirstFrom(@namespace, name + "\0");

        return new(this, first, Count - first);
    }

    /// <summary>The trees of the objects, made when they are looked at.</summary>
    public IReadOnlyList<JsonObject> Trees() => new TreeView(this);

    /// <inheritdoc/>
    public IEnumerator<StoredObject> GetEnumerator()
    {
        for (var i = 0; i < Count; i++)
        {
            yield return this[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private int FirstFrom(string @namespace, string name)
    {
        var (low, high) = (0, Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = SortedObjects.Compare(this[middle], @namespace, name) < 0 ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private sealed class TreeView(ObjectList objects) : IReadOnlyList<JsonObject>
    {
        public int Count => objects.Count;

        public JsonObject this[int index] => objects[index].Tree;

        public IEnumerator<JsonObject> GetEnumerator() => objects.Select(each => each.Tree).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}

/// <summary>Objects in the order of their keys, in chunks that are replaced and never changed: a list taken from it stays what it was.</summary>
internal sealed class SortedObjects
{
    private const int Most = 256;

    private readonly List<StoredObject[]> _chunks;
    private ObjectList? _list;

    public SortedObjects()
        : this([])
    {
    }

    private SortedObjects(IEnumerable<StoredObject[]> chunks) => _chunks = [.. chunks];

    /// <summary>Begins with the objects of a whole list.</summary>
    public static SortedObjects From(ObjectList list) => new(list.Chunks);

    public static int Compare(StoredObject one, string @namespace, string name) =>
        string.CompareOrdinal(one.Namespace ?? "", @namespace) is var order && order != 0 ? order : string.CompareOrdinal(one.Name, name);

    /// <summary>The list, if it is still the last one taken; needs no lock.</summary>
    public ObjectList? Taken => Volatile.Read(ref _list);

    public ObjectList List() => _list ??= new([.. _chunks]);

    public void Put(StoredObject added)
    {
        _list = null;
        if (_chunks.Count == 0)
        {
            _chunks.Add([added]);

            return;
        }

        var (chunk, at, there) = Find(added.Namespace ?? "", added.Name);
        if (there)
        {
            var replaced = (StoredObject[])_chunks[chunk].Clone();
            replaced[at] = added;
            _chunks[chunk] = replaced;

            return;
        }

        StoredObject[] longer = [.. _chunks[chunk].AsSpan(0, at), added, .. _chunks[chunk].AsSpan(at)];
        _chunks[chunk] = longer;
        if (longer.Length > Most)
        {
            _chunks[chunk] = longer[..(Most / 2)];
            _chunks.Insert(chunk + 1, longer[(Most / 2)..]);
        }
    }

    public void Remove(string @namespace, string name)
    {
        _list = null;
        var (chunk, at, there) = _chunks.Count == 0 ? default : Find(@namespace, name);
        if (!there)
        {
            return;
        }

        StoredObject[] shorter = [.. _chunks[chunk].AsSpan(0, at), .. _chunks[chunk].AsSpan(at + 1)];
        if (shorter.Length == 0)
        {
            _chunks.RemoveAt(chunk);
        }
        else
        {
            _chunks[chunk] = shorter;
        }
    }

    // The chunk whose first key is the last that is not greater, and the place in it.
    private (int Chunk, int At, bool There) Find(string @namespace, string name)
    {
        var (low, high) = (0, _chunks.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = Compare(_chunks[middle][0], @namespace, name) <= 0 ? (middle, high) : (low, middle - 1);
        }

        var chunk = _chunks[low];
        var (from, to) = (0, chunk.Length);
        while (from < to)
        {
            var middle = (from + to) / 2;
            (from, to) = Compare(chunk[middle], @namespace, name) < 0 ? (middle + 1, to) : (from, middle);
        }

        return (low, from, from < chunk.Length && Compare(chunk[from], @namespace, name) == 0);
    }
}
