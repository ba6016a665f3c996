using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>The simulated etcd in memory: writes one after the other behind one lock, reads beside it. See <see cref="IObjectStore"/> for the rules.</summary>
/// <param name="time">Source of every timestamp.</param>
/// <param name="seed">Seed of uids and generated names: the same writes give the same objects.</param>
/// <param name="logCapacity">How many writes watches can look back.</param>
public sealed partial class ObjectStore(TimeProvider time, int seed = 0, int logCapacity = 20_000) : IObjectStore
{
    /// <summary>A fresh cluster has written a little before anybody looks: version 1 is always too old.</summary>
    private const long FirstVersion = 100;

    private readonly ObjectTable _empty = new();
    private readonly Lock _lock = new();
    private Dictionary<ResourceType, ObjectTable> _tables = ResourceTypes.BuiltIn.ToDictionary(t => t, _ => new ObjectTable());
    private readonly TreeCache _trees = new();
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
    public JsonObject? Get(ResourceType type, string? @namespace, string name) => Find(type, @namespace, name)?.Tree;

    /// <inheritdoc/>
    public StoredObject? Find(ResourceType type, string? @namespace, string name) => Known(type).Find(@namespace, name);

    /// <inheritdoc/>
    public IReadOnlyList<JsonObject> List(ResourceType type, string? @namespace = null) =>
        (Known(type).Taken?.Of(@namespace) ?? Snapshot(type, @namespace).Items).Trees();

    /// <inheritdoc/>
    public (ObjectList Items, long ResourceVersion) Snapshot(ResourceType type, string? @namespace)
    {
        lock (_lock)
        {
            return (Known(type).List(@namespace), _version);
        }
    }

    /// <inheritdoc/>
    public ObjectList ListAt(ResourceType type, string? @namespace, long resourceVersion)
    {
        lock (_lock)
        {
            if (resourceVersion < _log.OldestVersion)
            {
                throw new ApiException(410, "Expired", "The resourceVersion for the provided list is too old.");
            }

            var later = _log.Since(resourceVersion).Where(c => c.Type.Equals(type)).ToList();
            var now = Table(type).List(null);

            return (later.Count == 0 ? now : Undo(now, later)).Of(@namespace);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<JsonObject> PodsOnNode(string node) => Trees(Indexed(ResourceTypes.Pods, IndexTerms.Node(node)));

    /// <inheritdoc/>
    public IReadOnlyList<JsonObject> PodsLabelled(string? @namespace, string key, string value) =>
        Trees(Indexed(ResourceTypes.Pods, IndexTerms.Label(key, value)).Where(pod => @namespace is null || pod.Namespace == @namespace));

    /// <inheritdoc/>
    public IReadOnlyList<JsonObject> OwnedBy(ResourceType type, string ownerUid) => Trees(Indexed(type, IndexTerms.Owner(ownerUid)));

    /// <inheritdoc/>
    public IReadOnlyList<StoredObject> Indexed(ResourceType type, string term)
    {
        lock (_lock)
        {
            return Known(type).Indexed(term);
        }
    }

    /// <inheritdoc/>
    public JsonObject Create(ResourceType type, JsonObject @object) => Create(type, @object, dryRun: false);

    /// <inheritdoc/>
    public JsonObject Create(ResourceType type, JsonObject @object, bool dryRun)
    {
        _trees.Settle();
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

            var stored = Commit(ChangeKind.Added, type, created, before: null);
            if (type.Equals(ResourceTypes.CustomResourceDefinitions))
            {
                Establish(stored);
            }

            return created;
        }
    }

    /// <inheritdoc/>
    public JsonObject? Update(ResourceType type, string? @namespace, string name, Func<JsonObject, bool> change)
    {
        _trees.Settle();

        // Readers and writers get the lock in turn only if each holds it shortly: all but the storing is done before it is taken, and again
        // under it if somebody was faster.
        var seen = Find(type, @namespace, name);
        var after = seen is null ? null : Changed(type, seen, change);
        lock (_lock)
        {
            if (Table(type).Find(@namespace, name) is not { } before)
            {
                return null;
            }

            if (!ReferenceEquals(before, seen))
            {
                after = Changed(type, before, change);
            }

            return after is null ? before.Tree : Write(type, before, after);
        }
    }

    /// <inheritdoc/>
    public JsonObject? Replace(ResourceType type, JsonObject before, JsonObject after, bool dryRun)
    {
        _trees.Settle();
        if (Find(type, before.NamespaceOf(), before.NameOf()) is not { } seen || seen.ResourceVersion != before.VersionOf())
        {
            return null;
        }

        var written = Changed(type, seen, after.Copy());
        if (written is null || dryRun)
        {
            return written ?? seen.Tree;
        }

        lock (_lock)
        {
            return ReferenceEquals(Table(type).Find(seen.Namespace, seen.Name), seen) ? Write(type, seen, written) : null;
        }
    }

    /// <inheritdoc/>
    public JsonObject? Delete(ResourceType type, string? @namespace, string name, Deletion deletion) =>
        Delete(type, @namespace, name, deletion, dryRun: false);

    /// <inheritdoc/>
    public JsonObject? Delete(ResourceType type, string? @namespace, string name, Deletion deletion, bool dryRun)
    {
        _trees.Settle();
        lock (_lock)
        {
            if (Table(type).Find(@namespace, name) is not { } before)
            {
                return null;
            }

            var tree = before.Tree;
            var (marked, stays) = _deletion.Apply(type, tree, deletion);
            if (dryRun)
            {
                return marked;
            }

            if (!ReferenceEquals(marked, tree))
            {
                before = Commit(ChangeKind.Modified, type, marked, before);
            }

            if (!stays)
            {
                Commit(ChangeKind.Deleted, type, marked.Copy(), before);
            }

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
            // Readers take no lock: they see the tables before or after.
            var table = _tables.GetValueOrDefault(type) ?? new ObjectTable();
            Volatile.Write(ref _tables, new(_tables.Where(other => !other.Key.Equals(type))) { [type] = table });
            _types = [.. _types.Where(t => !t.Equals(type)), type];
        }
    }

    /// <inheritdoc/>
    public void Unregister(ResourceType type)
    {
        lock (_lock)
        {
            Volatile.Write(ref _tables, new(_tables.Where(other => !other.Key.Equals(type))));
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
    private ObjectTable Known(ResourceType type) => Volatile.Read(ref _tables).GetValueOrDefault(type) ?? _empty;

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

    // What a write leaves of an object, or null if it changes nothing.
    private static JsonObject? Changed(ResourceType type, StoredObject before, Func<JsonObject, bool> change)
    {
        var after = before.Tree.Copy();

        return change(after) ? Changed(type, before, after) : null;
    }

    private static JsonObject? Changed(ResourceType type, StoredObject before, JsonObject after) =>
        SystemFields.Keep(type, before.Tree, after) ? after : null;

    private JsonObject Write(ResourceType type, StoredObject before, JsonObject after)
    {
        if (DeletionRules.IsReleased(type, after))
        {
            // Watchers see the object as it was last stored, with its finalizer; whoever removed it sees it gone.
            var last = before.Tree.Copy();
            Commit(ChangeKind.Deleted, type, last, before);
            after.Child("metadata")["resourceVersion"] = last.VersionOf();
        }
        else
        {
            Commit(ChangeKind.Modified, type, after, before);
        }

        return after;
    }

    private StoredObject Commit(ChangeKind kind, ResourceType type, JsonObject @object, StoredObject? before)
    {
        var version = _version + 1;
        @object.Child("metadata")["resourceVersion"] = version.ToString();
        var stored = new StoredObject(@object, _trees, before);
        if (kind is ChangeKind.Deleted)
        {
            Table(type).Remove(stored);
        }
        else
        {
            Table(type).Put(type, stored);
        }

        var change = new Change(kind, type, stored, before, version);
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

        return stored;
    }

    private static ObjectList Undo(ObjectList now, List<Change> later)
    {
        var objects = SortedObjects.From(now);
        foreach (var change in Enumerable.Reverse(later))
        {
            if (change.StoredBefore is { } before)
            {
                objects.Put(before);
            }
            else
            {
                objects.Remove(change.Namespace ?? "", change.Name);
            }
        }

        return objects.List();
    }

    private static JsonObject[] Trees(IEnumerable<StoredObject> objects) => [.. objects.Select(each => each.Tree)];

    private sealed class Subscription(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
