using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>The objects of one type with their indexes. Guarded by the store's lock.</summary>
internal sealed class ObjectTable
{
    private static readonly Comparer<(string Namespace, string Name)> _order = Comparer<(string Namespace, string Name)>.Create(
        static (a, b) => string.CompareOrdinal(a.Namespace, b.Namespace) is var o && o != 0 ? o : string.CompareOrdinal(a.Name, b.Name));

    private readonly Dictionary<(string Namespace, string Name), JsonObject> _objects = [];
    private readonly SortedSet<(string Namespace, string Name)> _keys = new(_order);
    private readonly Dictionary<string, SortedSet<(string, string)>> _byNode = [];
    private readonly Dictionary<string, SortedSet<(string, string)>> _byOwner = [];
    private readonly Dictionary<string, JsonObject[]> _listsByNamespace = [];
    private JsonObject[]? _all;

    public int Count => _objects.Count;

    public JsonObject? Find(string? @namespace, string name) => _objects.GetValueOrDefault((@namespace ?? "", name));

    public void Put(JsonObject @object)
    {
        var key = KeyOf(@object);
        if (_objects.TryGetValue(key, out var before))
        {
            Index(key, before, add: false);
        }
        else
        {
            _keys.Add(key);
        }

        _objects[key] = @object;
        Index(key, @object, add: true);
        Forget(key.Namespace);
    }

    public void Remove(JsonObject @object)
    {
        var key = KeyOf(@object);
        if (_objects.Remove(key, out var before))
        {
            _keys.Remove(key);
            Index(key, before, add: false);
            Forget(key.Namespace);
        }
    }

    public JsonObject[] List(string? @namespace)
    {
        if (@namespace is null)
        {
            return _all ??= [.. _keys.Select(k => _objects[k])];
        }

        if (!_listsByNamespace.TryGetValue(@namespace, out var list))
        {
            // The smallest key after this namespace: no name contains U+FFFF.
            var keys = _keys.GetViewBetween((@namespace, ""), (@namespace, "\uffff"));
            list = [.. keys.Select(k => _objects[k])];
            _listsByNamespace[@namespace] = list;
        }

        return list;
    }

    public IReadOnlyList<JsonObject> OnNode(string node) => Pick(_byNode, node);

    public IReadOnlyList<JsonObject> OwnedBy(string uid) => Pick(_byOwner, uid);

    private static (string Namespace, string Name) KeyOf(JsonObject o) => (o.NamespaceOf() ?? "", o.NameOf());

    private IReadOnlyList<JsonObject> Pick(Dictionary<string, SortedSet<(string, string)>> index, string key) =>
        index.TryGetValue(key, out var keys) ? [.. keys.Select(k => _objects[k])] : [];

    private void Index((string, string) key, JsonObject @object, bool add)
    {
        if (@object.Text("spec", "nodeName") is { Length: > 0 } node)
        {
            Change(_byNode, node, key, add);
        }

        foreach (var owner in @object.Objects("metadata", "ownerReferences"))
        {
            Change(_byOwner, owner.Text("uid") ?? "", key, add);
        }
    }

    private static void Change(Dictionary<string, SortedSet<(string, string)>> index, string value, (string, string) key, bool add)
    {
        if (add)
        {
            if (!index.TryGetValue(value, out var keys))
            {
                index[value] = keys = new(_order);
            }

            keys.Add(key);
        }
        else if (index.TryGetValue(value, out var keys) && keys.Remove(key) && keys.Count == 0)
        {
            index.Remove(value);
        }
    }

    private void Forget(string @namespace)
    {
        _all = null;
        _listsByNamespace.Remove(@namespace);
    }
}
