using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>
/// One state of one object, as a write left it. It never changes. It is kept as bytes, and as a tree for as long as somebody has looked at
/// it lately: a tree takes several times as much.
/// </summary>
public sealed class StoredObject
{
    private readonly TreeCache? _cache;
    private JsonObject? _tree;
    private byte[]? _bytes;

    /// <summary>A state of its own if there is no cache, or one of those whose trees a cache keeps or forgets.</summary>
    internal StoredObject(JsonObject tree, TreeCache? cache = null, StoredObject? before = null)
    {
        (_cache, _tree) = (cache, tree);
        var metadata = tree["metadata"];
        Namespace = before is null ? metadata.Text("namespace") is { } space ? string.Intern(space) : null : before.Namespace;
        Name = before?.Name ?? metadata.Text("name") ?? "";
        ResourceVersion = metadata.Text("resourceVersion") ?? "";
        cache?.Announce(this);
    }

    /// <summary>The namespace of the object, or null if its type is cluster-wide.</summary>
    public string? Namespace { get; }

    /// <summary>The name of the object.</summary>
    public string Name { get; }

    /// <summary>The version of the write.</summary>
    public string ResourceVersion { get; }

    /// <summary>The object. Shared and never to be mutated.</summary>
    public JsonObject Tree
    {
        get
        {
            WasUsed = true;
            _cache?.Looked();

            return Volatile.Read(ref _tree) ?? Parsed();
        }
    }

    /// <summary>The object in UTF-8, as an API server sends it; made once.</summary>
    public ReadOnlyMemory<byte> Bytes => Serialized();

    /// <summary>What the indexes of its table know it by.</summary>
    internal string[] Terms { get; set; } = [];

    /// <summary>Whether the tree was looked at since it was last asked for to be forgotten.</summary>
    internal bool WasUsed { get; set; }

    /// <summary>Keeps only the bytes.</summary>
    internal void ForgetTree()
    {
        _ = Serialized();
        Volatile.Write(ref _tree, null);
    }

    // The bytes are there before the tree goes.
    private byte[] Serialized()
    {
        if (Volatile.Read(ref _bytes) is { } bytes)
        {
            return bytes;
        }

        if (Volatile.Read(ref _tree) is { } tree)
        {
            Volatile.Write(ref _bytes, JsonBytes.Of(tree));
        }

        return Volatile.Read(ref _bytes)!;
    }

    private JsonObject Parsed()
    {
        var parsed = JsonBytes.Parse(Volatile.Read(ref _bytes));
        if (Interlocked.CompareExchange(ref _tree, parsed, null) is { } faster)
        {
            return faster;
        }

        _cache?.Admit(this);

        return parsed;
    }
}

/// <summary>The objects whose trees are kept: the latest that were written or looked at. Thread-safe.</summary>
internal sealed class TreeCache
{
    // So few that most are still young when they go: what grows old first costs the garbage collector far more than reading bytes again.
    private const int Capacity = 1000;

    // How many in use it passes over before one of them has to go.
    private const int Patience = 32;

    private readonly StoredObject?[] _ring = new StoredObject?[Capacity];
    private readonly ConcurrentQueue<StoredObject> _announced = new();
    private readonly Lock _lock = new();
    private int _next;

    /// <summary>How often a tree was looked at; exact as long as one thread does.</summary>
    public long Looks { get; private set; }

    /// <summary>Counts a look.</summary>
    public void Looked() => Looks++;

    /// <summary>A state was written: <see cref="Settle"/> admits it. Costs nothing, so it may be called while others wait for the store.</summary>
    public void Announce(StoredObject written) => _announced.Enqueue(written);

    /// <summary>Admits what was announced. Whoever is about to write does this for those who wrote before.</summary>
    public void Settle()
    {
        while (_announced.TryDequeue(out var written))
        {
            Admit(written);
        }
    }

    /// <summary>Keeps the tree of an object, and forgets one that was not looked at for long.</summary>
    public void Admit(StoredObject admitted)
    {
        StoredObject? leaving;
        lock (_lock)
        {
            for (var passed = 0; passed < Patience && _ring[_next] is { WasUsed: true } used; passed++)
            {
                used.WasUsed = false;
                _next = (_next + 1) % Capacity;
            }

            leaving = _ring[_next];
            _ring[_next] = admitted;
            _next = (_next + 1) % Capacity;
        }

        leaving?.ForgetTree();
    }
}
