using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>One kind of object the simulated API server serves.</summary>
/// <param name="Group">API group; empty for the core group.</param>
/// <param name="Version">The served and stored version, such as <c>v1</c>.</param>
/// <param name="Plural">Name in paths, such as <c>pods</c>.</param>
/// <param name="Singular">Name for people, such as <c>pod</c>.</param>
/// <param name="Kind">The kind, such as <c>Pod</c>.</param>
/// <param name="Namespaced">Whether objects live in a namespace.</param>
/// <param name="HasStatus">Whether <c>status</c> is a subresource of its own. False for VirtualMachineInstance.</param>
public sealed record ResourceType(
    string Group, string Version, string Plural, string Singular, string Kind, bool Namespaced, bool HasStatus = true)
{
    /// <summary>Short names for kubectl, such as <c>po</c>.</summary>
    public IReadOnlyList<string> ShortNames { get; init; } = [];

    /// <summary>Categories for kubectl, such as <c>all</c>.</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Whether the server counts changes of the spec in <c>metadata.generation</c>.</summary>
    public bool HasGeneration { get; init; } = true;

    /// <summary>Whether the type is defined by a CustomResourceDefinition: its objects are untyped.</summary>
    public bool IsCustom { get; init; }

    /// <summary>Whether the type has a <c>scale</c> subresource.</summary>
    public bool HasScale { get; init; }

    /// <summary><c>v1</c> or <c>policy/v1</c>.</summary>
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary><c>pods</c> or <c>deployments.apps</c>.</summary>
    public string GroupResource => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>Two types are the same if group and plural are.</summary>
    public bool Equals(ResourceType? other) => ReferenceEquals(this, other) || (other is not null && Group == other.Group && Plural == other.Plural);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Group, Plural);
}

/// <summary>What happened to an object.</summary>
public enum ChangeKind
{
    /// <summary>It was created.</summary>
    Added,

    /// <summary>It was changed.</summary>
    Modified,

    /// <summary>It is gone.</summary>
    Deleted,
}

/// <summary>One write, in the order of the store.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Type">The type of the object.</param>
/// <param name="Stored">The object after the write (for a deletion: its last state, with the resource version of the deletion).</param>
/// <param name="StoredBefore">The object before the write, or null if it was created.</param>
/// <param name="ResourceVersion">The version of the write; rises by at least one with every write to any object.</param>
public sealed record Change(ChangeKind Kind, ResourceType Type, StoredObject Stored, StoredObject? StoredBefore, long ResourceVersion)
{
    /// <summary>The object after the write. Never mutate it.</summary>
    public JsonObject Object => Stored.Tree;

    /// <summary>The object before the write, or null if it was created. Never mutate it.</summary>
    public JsonObject? Before => StoredBefore?.Tree;

    /// <summary>The namespace of the object, or null if its type is cluster-wide.</summary>
    public string? Namespace => Stored.Namespace;

    /// <summary>The name of the object.</summary>
    public string Name => Stored.Name;
}

/// <summary>The options of a deletion, as in the API's DeleteOptions.</summary>
public sealed record Deletion(
    int? GracePeriodSeconds = null, string? PropagationPolicy = null, string? PreconditionUid = null, string? PreconditionResourceVersion = null);

/// <summary>
/// The simulated etcd: every object of every type as JSON, with the rules every Kubernetes object obeys (uid, creationTimestamp,
/// resourceVersion, generation, finalizers, graceful deletion of pods, generateName). Objects handed out are shared and never to be
/// mutated; every change goes through a method here. All methods are thread-safe and do not block.
/// </summary>
/// <remarks>Refusals are thrown as <see cref="ApiException"/> with the status a real API server answers.</remarks>
public interface IObjectStore
{
    /// <summary>The version of the latest write.</summary>
    long ResourceVersion { get; }

    /// <summary>The types known now: built in and defined by CustomResourceDefinitions.</summary>
    IReadOnlyCollection<ResourceType> Types { get; }

    /// <summary>The object, or null.</summary>
    JsonObject? Get(ResourceType type, string? @namespace, string name);

    /// <summary>The object as it is kept, or null.</summary>
    StoredObject? Find(ResourceType type, string? @namespace, string name);

    /// <summary>All objects of a type, of one namespace or of all if null, ordered by namespace and name.</summary>
    IReadOnlyList<JsonObject> List(ResourceType type, string? @namespace = null);

    /// <summary>The pods whose <c>spec.nodeName</c> is the node: an index, not a scan.</summary>
    IReadOnlyList<JsonObject> PodsOnNode(string node);

    /// <summary>The pods with a label, of one namespace or of all if null: an index, not a scan.</summary>
    IReadOnlyList<JsonObject> PodsLabelled(string? @namespace, string key, string value);

    /// <summary>Objects of a type that name this uid as an owner: an index, not a scan.</summary>
    IReadOnlyList<JsonObject> OwnedBy(ResourceType type, string ownerUid);

    /// <summary>The objects an index knows by one of <see cref="IndexTerms"/>, ordered by namespace and name.</summary>
    IReadOnlyList<StoredObject> Indexed(ResourceType type, string term);

    /// <summary>Creates an object: fills uid, creationTimestamp, resourceVersion, generation and a generated name.</summary>
    /// <exception cref="ApiException">409 AlreadyExists.</exception>
    JsonObject Create(ResourceType type, JsonObject @object);

    /// <summary>
    /// Changes an object atomically: the callback gets a private copy, mutates it and returns whether to write it. Writing an
    /// unchanged object writes nothing. Removing the last finalizer of a deleted object removes the object.
    /// </summary>
    /// <returns>The object after the change, or null if there is no such object.</returns>
    JsonObject? Update(ResourceType type, string? @namespace, string name, Func<JsonObject, bool> change);

    /// <summary>
    /// Deletes as the API server does: sets deletionTimestamp if there are finalizers or (pods on a node) a grace period, else
    /// removes the object at once.
    /// </summary>
    /// <returns>The object, with its deletionTimestamp if it is still there; null if there was none.</returns>
    JsonObject? Delete(ResourceType type, string? @namespace, string name, Deletion deletion);

    /// <summary>
    /// Calls the observer for every write from now on, in order, on the writing thread and under the store's lock: it must only
    /// enqueue. Dispose to stop.
    /// </summary>
    IDisposable Subscribe(Action<Change> observer);

    /// <summary>As <see cref="Subscribe(Action{Change})"/>, after the writes since a version, without a gap.</summary>
    /// <exception cref="ApiException">410 Expired: the log does not reach back that far.</exception>
    IDisposable Subscribe(long sinceResourceVersion, Action<Change> observer);

    /// <summary>The list as it was at a version.</summary>
    /// <exception cref="ApiException">410 Expired: the log does not reach back that far.</exception>
    ObjectList ListAt(ResourceType type, string? @namespace, long resourceVersion);

    /// <summary>What <see cref="List"/> answers, with the version it is of.</summary>
    (ObjectList Items, long ResourceVersion) Snapshot(ResourceType type, string? @namespace);

    /// <summary>As <see cref="Create(ResourceType, JsonObject)"/>; a dry run answers the same and stores nothing.</summary>
    JsonObject Create(ResourceType type, JsonObject @object, bool dryRun);

    /// <summary>Puts an object in the place of the one given, if that is still the stored one.</summary>
    /// <returns>The object as stored, or null if somebody else was faster.</returns>
    JsonObject? Replace(ResourceType type, JsonObject before, JsonObject after, bool dryRun);

    /// <summary>As <see cref="Delete(ResourceType, string?, string, Deletion)"/>; a dry run answers the same and changes nothing.</summary>
    JsonObject? Delete(ResourceType type, string? @namespace, string name, Deletion deletion, bool dryRun);

    /// <summary>Serves a type from now on, or replaces what is known of it.</summary>
    void Register(ResourceType type);

    /// <summary>Serves the type no more; its objects are forgotten.</summary>
    void Unregister(ResourceType type);
}

/// <summary>A refusal, as the API server puts it: an HTTP code and a Status object.</summary>
public sealed class ApiException(int code, string? reason, string message) : Exception(message)
{
    /// <summary>The HTTP code.</summary>
    public int Code { get; } = code;

    /// <summary>The Status reason, such as <c>NotFound</c>; null where a real server leaves it out.</summary>
    public string? Reason { get; } = reason;

    /// <summary>The Status details (name, group, kind, causes, retryAfterSeconds …), if any.</summary>
    public JsonObject? Details { get; init; }

    /// <summary>The metadata of the Status, where it is more than empty: a new token in place of one that expired.</summary>
    public JsonObject? ListMetadata { get; init; }

    /// <summary>The Retry-After header in seconds, if any.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>How long the answer is held back: what a webhook that does not answer costs.</summary>
    public TimeSpan HeldBack { get; init; }

    /// <summary>What the client is warned of besides.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Whether the answer is the message as plain text instead of a Status, as that of the aggregator.</summary>
    public bool IsPlainText { get; init; }
}
