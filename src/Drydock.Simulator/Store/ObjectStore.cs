using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>The simulated etcd in memory, behind one lock. See <see cref="IObjectStore"/> for the rules.</summary>
/// <param name="time">Source of every timestamp.</param>
/// <param name="seed">Seed of uids and generated names: the same writes give the same objects.</param>
/// <param name="logCapacity">How many writes watches can look back.</param>
public sealed partial class ObjectStore(TimeProvider time, int seed = 0, int logCapacity = 20_000) : IObjectStore
{
    /// <summary>A fresh cluster has written a little before anybody looks: version 1 is always too old.</summary>
    private const long FirstVersion = 100;

    private readonly ObjectTable _empty = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<ResourceType, ObjectTable> _tables = ResourceTypes.BuiltIn.ToDictionary(t => t, _ => new ObjectTable());
    private readonly ChangeLog _log = new(logCapacity, FirstVersion);
    private Identities _identities = new(seed);
    private readonly DeletionRules _deletion = new(time);
    private ResourceType[] _types = [.. ResourceTypes.BuiltIn];
    private Action<Change>[] _observers = [];
    private long _version = FirstVersion;

    /// <inheritdoc/>
    public long ResourceVersion => Volatile.Read(ref _version);

    /// <inheritdoc/>
    public IReadOnlyCollection<ResourceType> Types => Volatile.Read(ref _types);

    /// <inheritdoc/>
    public JsonObject? Get(ResourceType type, string? @namespace, string name)
    {
        lock (_lock)
        {
            return Known(type).Find(@namespace, name);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<JsonObject> List(ResourceType type, string? @namespace = null)
    {
        lock (_lock)
        {
            return Known(type).List(@namespace);
        }
    }

    /// <inheritdoc/>
    public (IReadOnlyList<JsonObject> Items, long ResourceVersion) Snapshot(ResourceType type, string? @namespace)
    {
        lock (_lock)
        {
            return (Known(type).List(@namespace), _version);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<JsonObject> ListAt(ResourceType type, string? @namespace, long resourceVersion)
    {
        lock (_lock)
        {
            if (resourceVersion < _log.OldestVersion)
            {
                throw new ApiException(410, "Expired", "The resourceVersion for the provided list is too old.");
            }

            var now = Table(type).List(@namespace);
            var later = _log.Since(resourceVersion)
                .Where(c => c.Type.Equals(type) && (@namespace is null || c.Namespace == @namespace))
                .ToList();

            return later.Count == 0 ? now : Undo(now, later);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<JsonObject> PodsOnNode(string node)
    {
        lock (_lock)
        {
            return Table(ResourceTypes.Pods).OnNode(node);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<JsonObject> OwnedBy(ResourceType type, string ownerUid)
    {
        lock (_lock)
        {
            return Known(type).OwnedBy(ownerUid);
        }
    }

    /// <inheritdoc/>
    public JsonObject Create(ResourceType type, JsonObject @object) => Create(type, @object, dryRun: false);

    /// <inheritdoc/>
    public JsonObject Create(ResourceType type, JsonObject @object, bool dryRun)
    {
        var created = @object.Copy();
        ObjectDefaults.Complete(type, created);

        lock (_lock)
        {
            var table = Table(type);
            Identify(type, created, table);
            if (dryRun)
            {
                return created;
            }

            Commit(ChangeKind.Added, type, created, before: null);
            if (type.Equals(ResourceTypes.CustomResourceDefinitions))
            {
                Establish(created);
            }

            return created;
        }
    }

    /// <inheritdoc/>
    public JsonObject? Update(ResourceType type, string? @namespace, string name, Func<JsonObject, bool> change)
    {
        lock (_lock)
        {
            if (Table(type).Find(@namespace, name) is not { } before)
            {
                return null;
            }

            var after = before.Copy();

            return change(after) ? Write(type, before, after, dryRun: false) : before;
        }
    }

    /// <inheritdoc/>
    public JsonObject? Replace(ResourceType type, JsonObject before, JsonObject after, bool dryRun)
    {
        lock (_lock)
        {
            return ReferenceEquals(Table(type).Find(before.NamespaceOf(), before.NameOf()), before)
                ? Write(type, before, after.Copy(), dryRun)
                : null;
        }
    }

    /// <inheritdoc/>
    public JsonObject? Delete(ResourceType type, string? @namespace, string name, Deletion deletion) =>
        Delete(type, @namespace, name, deletion, dryRun: false);

    /// <inheritdoc/>
    public JsonObject? Delete(ResourceType type, string? @namespace, string name, Deletion deletion, bool dryRun)
    {
        lock (_lock)
        {
            if (Table(type).Find(@namespace, name) is not { } before)
            {
                return null;
            }

            var (marked, stays) = _deletion.Apply(type, before, deletion);
            if (dryRun)
            {
                return marked;
            }

            if (!ReferenceEquals(marked, before))
            {
                Commit(ChangeKind.Modified, type, marked, before);
            }

            if (!stays)
            {
                Commit(ChangeKind.Deleted, type, marked.Copy(), marked);
            }

            Sweep(type);

            return marked;
        }
    }

    /// <inheritdoc/>
    public IDisposable Subscribe(Action<Change> observer) => Subscribe(ResourceVersion, observer);

    /// <inheritdoc/>
    public IDisposable Subscribe(long sinceResourceVersion, Action<Change> observer)
    {
        lock (_lock)
        {
            if (sinceResourceVersion < _log.OldestVersion)
            {
                throw Refusals.TooOld(sinceResourceVersion, _log.OldestVersion);
            }

            foreach (var change in _log.Since(sinceResourceVersion))
            {
                observer(change);
            }

            _observers = [.. _observers, observer];
        }

        return new Subscription(() =>
        {
            lock (_lock)
            {
                _observers = [.. _observers.Where(o => o != observer)];
            }
        });
    }

    /// <inheritdoc/>
    public void Register(ResourceType type)
    {
        lock (_lock)
        {
            var table = _tables.GetValueOrDefault(type) ?? new ObjectTable();
            _tables.Remove(type);
            _tables[type] = table;
            _types = [.. _types.Where(t => !t.Equals(type)), type];
        }
    }

    /// <inheritdoc/>
    public void Unregister(ResourceType type)
    {
        lock (_lock)
        {
            _tables.Remove(type);
            _types = [.. _types.Where(t => !t.Equals(type))];
        }
    }

    /// <summary>Forgets all writes so far: watches and lists of older versions are refused with 410, as after a compaction.</summary>
    public void Compact()
    {
        lock (_lock)
        {
            // A compaction never reaches the version just handed out: the next write makes the present one old.
            _log.Compact(++_version);
        }
    }

    /// <summary>Of a type that is not served nothing is there.</summary>
    private ObjectTable Known(ResourceType type) => _tables.GetValueOrDefault(type) ?? _empty;

    private ObjectTable Table(ResourceType type) =>
        _tables.GetValueOrDefault(type)
        ?? throw new ApiException(404, "NotFound", "the server could not find the requested resource") { Details = [] };

    private void Identify(ResourceType type, JsonObject created, ObjectTable table)
    {
        var metadata = created.Child("metadata");
        if (metadata.Text("name") is null or "" && metadata.Text("generateName") is { Length: > 0 } prefix)
        {
            do
            {
                metadata["name"] = prefix[..Math.Min(prefix.Length, 58)] + _identities.Suffix();
            }
            while (table.Find(created.NamespaceOf(), created.NameOf()) is not null);
        }

        var name = metadata.Text("name") is { Length: > 0 } given
            ? given
            : throw Refusals.Invalid(type, "", [FieldError.Required("metadata.name", "name or generateName is required")]);
        if (table.Find(created.NamespaceOf(), name) is not null)
        {
            throw Refusals.AlreadyExists(type, name);
        }

        if (type.Equals(ResourceTypes.Pods))
        {
            PodDefaults.MountToken(created, _identities.Suffix());
        }

        SystemFields.Fill(type, created, _identities.Uid(), time.GetUtcNow());
    }

    private JsonObject Write(ResourceType type, JsonObject before, JsonObject after, bool dryRun)
    {
        SystemFields.Keep(type, before, after);
        if (JsonNode.DeepEquals(before, after))
        {
            return before;
        }

        if (dryRun)
        {
            return after;
        }

        if (DeletionRules.IsReleased(type, after))
        {
            // Watchers see the object as it was last stored, with its finalizer; whoever removed it sees it gone.
            var last = before.Copy();
            Commit(ChangeKind.Deleted, type, last, before);
            after.Child("metadata")["resourceVersion"] = last.VersionOf();
            Sweep(type);
        }
        else
        {
            Commit(ChangeKind.Modified, type, after, before);
        }

        return after;
    }

    private void Commit(ChangeKind kind, ResourceType type, JsonObject @object, JsonObject? before)
    {
        var version = _version + 1;
        @object.Child("metadata")["resourceVersion"] = version.ToString();
        if (kind is ChangeKind.Deleted)
        {
            Table(type).Remove(@object);
        }
        else
        {
            Table(type).Put(@object);
        }

        var change = new Change(kind, type, @object, before, version);
        _log.Add(change);
        if (type.Equals(ResourceTypes.CustomResourceDefinitions))
        {
            FollowDefinition(change);
        }

        foreach (var observer in _observers)
        {
            observer(change);
        }

        // Last: whoever reads this version without the lock may promise that every observer has seen it (bookmarks do).
        Volatile.Write(ref _version, version);
    }

    private static JsonObject[] Undo(JsonObject[] now, List<Change> later)
    {
        var objects = now.ToDictionary(o => (o.NamespaceOf() ?? "", o.NameOf()));
        foreach (var change in Enumerable.Reverse(later))
        {
            var key = (change.Namespace ?? "", change.Name);
            if (change.Before is null)
            {
                objects.Remove(key);
            }
            else
            {
                objects[key] = change.Before;
            }
        }

        return [.. objects
            .OrderBy(p => p.Key.Item1, StringComparer.Ordinal)
            .ThenBy(p => p.Key.Item2, StringComparer.Ordinal)
            .Select(p => p.Value)];
    }

    private sealed class Subscription(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
