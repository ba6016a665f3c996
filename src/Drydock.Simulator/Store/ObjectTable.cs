using System.Collections.Concurrent;

namespace Drydock.Simulator.Store;

/// <summary>
/// The objects of one type with their indexes. Writes and indexes are guarded by the store's lock; one object, and a list that was taken
/// since the last write, are had without it.
/// </summary>
internal sealed class ObjectTable
{
    private static readonly Comparer<(string Namespace, string Name)> _order = Comparer<(string Namespace, string Name)>.Create(
        static (a, b) => string.CompareOrdinal(a.Namespace, b.Namespace) is var o && o != 0 ? o : string.CompareOrdinal(a.Name, b.Name));

    private readonly ConcurrentDictionary<(string Namespace, string Name), StoredObject> _objects = new();
    private readonly SortedObjects _sorted = new();
    private readonly Dictionary<string, (string Term, SortedSet<(string Namespace, string Name)> Keys)> _index = [];

    public bool IsEmpty => _objects.IsEmpty;

    /// <summary>The list of all, if nothing was written since it was last taken; else null.</summary>
    public ObjectList? Taken => _sorted.Taken;

    public StoredObject? Find(string? @namespace, string name) => _objects.GetValueOrDefault((@namespace ?? "", name));

    public void Put(ResourceType type, StoredObject added)
    {
        var key = KeyOf(added);
        var before = _objects.GetValueOrDefault(key)?.Terms ?? [];

        string[] terms = [.. IndexTerms.Of(type, added.Tree)];
        if (terms.AsSpan().SequenceEqual(before))
        {
            added.Terms = before;
        }
        else
        {
            foreach (var gone in before.Except(terms))
            {
                Drop(gone, key);
            }

            added.Terms = [.. terms.Select(term => Enter(term, key))];
        }

        _objects[key] = added;
        _sorted.Put(added);
    }

    public void Remove(StoredObject removed)
    {
        var key = KeyOf(removed);
        if (_objects.TryRemove(key, out var before))
        {
            _sorted.Remove(key.Namespace, key.Name);
            foreach (var term in before.Terms)
            {
                Drop(term, key);
            }
        }
    }

    public ObjectList List(string? @namespace) => _sorted.List().Of(@namespace);

    /// <summary>The objects an index knows by a term, in order.</summary>
    public IReadOnlyList<StoredObject> Indexed(string term) =>
        _index.TryGetValue(term, out var entry) ? [.. entry.Keys.Select(key => _objects[key])] : [];

    private static (string Namespace, string Name) KeyOf(StoredObject o) => (o.Namespace ?? "", o.Name);

    /// <summary>Enters a key, and returns the one instance of the term that all objects share.</summary>
    private string Enter(string term, (string, string) key)
    {
        if (!_index.TryGetValue(term, out var entry))
        {
            _index[term] = entry = (term, new(_order));
        }

        entry.Keys.Add(key);

        return entry.Term;
    }

    private void Drop(string term, (string, string) key)
    {
        if (_index.TryGetValue(term, out var entry) && entry.Keys.Remove(key) && entry.Keys.Count == 0)
        {
            _index.Remove(term);
        }
    }
}
