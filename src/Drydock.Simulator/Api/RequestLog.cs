namespace Drydock.Simulator.Api;

/// <summary>One answered request.</summary>
/// <param name="Verb">Such as <c>list</c> or <c>patch</c>; the HTTP method in lower case for paths that are no resource.</param>
/// <param name="Path">The path with its query.</param>
/// <param name="Resource">Such as <c>pods</c> or <c>deployments.apps</c>; null for other paths.</param>
/// <param name="Subresource">Such as <c>eviction</c>.</param>
/// <param name="Namespace">The namespace.</param>
/// <param name="Name">The name of the object.</param>
/// <param name="User">Who asked.</param>
/// <param name="Code">The HTTP code; 0 if the connection was reset.</param>
/// <param name="Time">When the answer was ready.</param>
public sealed record RequestRecord(
    string Verb, string Path, string? Resource, string? Subresource, string? Namespace, string? Name, string User, int Code, DateTimeOffset Time);

/// <summary>The latest requests, for tests to ask what a client did.</summary>
public sealed class RequestLog
{
    private const int Capacity = 10_000;

    private readonly Lock _lock = new();
    private readonly Queue<RequestRecord> _records = new();

    /// <summary>The requests so far, oldest first; the oldest of very many are forgotten.</summary>
    public IReadOnlyList<RequestRecord> All
    {
        get
        {
            lock (_lock)
            {
                return [.. _records];
            }
        }
    }

    /// <summary>The requests of a verb on a resource, such as <c>create</c> on <c>pods</c>, <c>eviction</c>.</summary>
    public IReadOnlyList<RequestRecord> Of(string verb, string resource, string? subresource = null) =>
        [.. All.Where(r => r.Verb == verb && r.Resource == resource && r.Subresource == subresource)];

    /// <summary>Forgets all requests so far.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _records.Clear();
        }
    }

    internal void Add(RequestRecord record)
    {
        lock (_lock)
        {
            if (_records.Count == Capacity)
            {
                _records.Dequeue();
            }

            _records.Enqueue(record);
        }
    }
}
