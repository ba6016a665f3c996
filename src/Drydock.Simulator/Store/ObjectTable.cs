using System.Runtime.InteropServices;

namespace Drydock.Simulator.Store;

/// <summary>The objects of one type with their indexes. Guarded by the store's lock.</summary>
internal sealed class ObjectTable
{
    private static readonly Comparer<(string Namespace, string Name)> _order = Comparer<(string Namespace, string Name)>.Create(
        static (a, b) => string.CompareOrdinal(a.Namespace, b.Namespace) is var o && o != 0 ? o : string.CompareOrdinal(a.Name, b.Name));

    private readonly Dictionary<(string Namespace, string Name), StoredObject> _objects = [];
    private readonly SortedObjects _sorted = new();
    private readonly Dictionary<string, (string Term, SortedSet<(string Namespace, string Name)> Keys)> _index = [];

    public int Count => _objects.Count;

    public StoredObject? Find(string? @namespace, string name) => _objects.GetValueOrDefault((@namespace ?? "", name));

    public void Put(ResourceType type, StoredObject added)
    {
        var key = KeyOf(added);
        ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(_objects, key, out _);
        var before = place?.Terms ?? [];
        place = added;
        _sorted.Put(added);

        string[] terms = [.. IndexTerms.Of(type, added.Tree)];
        if (terms.AsSpan().SequenceEqual(before))
        {
            added.Terms = before;

            return;
        }

        foreach (var gone in before.Except(terms))
        {
            Drop(gone, key);
        }

        added.Terms = [.. terms.Select(term => Enter(term, key))];
    }

    public void Remove(StoredObject removed)
    {
        var key = KeyOf(removed);
        if (_objects.Remove(key, out var before))
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
