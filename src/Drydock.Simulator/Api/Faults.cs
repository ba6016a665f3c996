using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>Something that goes wrong with requests.</summary>
public sealed record Fault
{
    /// <summary>The verb hit, such as <c>patch</c>; null for all.</summary>
    public string? Verb { get; init; }

    /// <summary>The resource hit, such as <c>pods</c> or <c>leases.coordination.k8s.io</c>; null for all.</summary>
    public string? Resource { get; init; }

    /// <summary>The subresource hit, such as <c>eviction</c>; null for all.</summary>
    public string? Subresource { get; init; }

    /// <summary>The namespace hit; null for all.</summary>
    public string? Namespace { get; init; }

    /// <summary>The share of the matching requests that is hit, from 0 to 1: which ones depends only on the seed and on how many matched before.</summary>
    public double Share { get; init; } = 1;

    /// <summary>How many requests are hit; the default is every one until the fault is lifted.</summary>
    public int? Count { get; init; }

    /// <summary>How long the answer is held back.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>How much longer it may be held back, by chance.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>The HTTP code answered in place of doing anything; null to do it.</summary>
    public int? Code { get; init; }

    /// <summary>The Retry-After of that answer, in seconds.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>The connection breaks instead of an answer.</summary>
    public bool ConnectionReset { get; init; }

    /// <summary>Whether the request is carried out before its connection breaks: the caller cannot tell.</summary>
    public bool AfterTheWrite { get; init; }
}

/// <summary>A request at the moment before it is carried out, or after it and before its answer.</summary>
/// <param name="Verb">Such as <c>patch</c>.</param>
/// <param name="Resource">Such as <c>pods</c> or <c>leases.coordination.k8s.io</c>.</param>
/// <param name="Subresource">Such as <c>eviction</c>.</param>
/// <param name="Namespace">The namespace.</param>
/// <param name="Name">The name of the object.</param>
/// <param name="IsDone">It is carried out.</param>
public sealed record InterceptedRequest(string Verb, string Resource, string? Subresource, string? Namespace, string? Name, bool IsDone)
{
    /// <summary>It may change something.</summary>
    public bool IsChange => Verb is "create" or "update" or "patch" or "delete" && !Resource.Contains("reviews.", StringComparison.Ordinal);
}

/// <summary>The faults in force.</summary>
/// <param name="seed">The same seed and the same requests give the same faults.</param>
internal sealed class Faults(int seed)
{
    private readonly Lock _lock = new();
    private readonly List<Entry> _entries = [];
    private int _added;

    public IDisposable Add(Fault fault)
    {
        var entry = new Entry(this, fault);
        lock (_lock)
        {
            entry.Chance = new Random(unchecked((seed * 397) ^ _added++));
            _entries.Add(entry);
        }

        return entry;
    }

    /// <summary>The fault that hits this request, counted as used; null if none does.</summary>
    public Fault? Take(ResourceRequest request)
    {
        lock (_lock)
        {
            // Each fault draws for every request it is about, hit or not: another fault changes nothing about its sequence.
            var hit = _entries.Where(entry => entry.IsAbout(request)).ToList().FindAll(entry => entry.Draw()).FirstOrDefault();
            if (hit is { Left: not null } && --hit.Left == 0)
            {
                _entries.Remove(hit);
            }

            return hit is null ? null : hit.Fault with { Latency = hit.Fault.Latency + (hit.Fault.Jitter * hit.LastJitter) };
        }
    }

    private sealed class Entry(Faults owner, Fault fault) : IDisposable
    {
        public Fault Fault { get; } = fault;

        public int? Left { get; set; } = fault.Count;

        public Random Chance { get; set; } = new(0);

        public double LastJitter { get; private set; }

        public bool Draw()
        {
            LastJitter = Chance.NextDouble();
            return Chance.NextDouble() < Fault.Share;
        }

        public bool IsAbout(ResourceRequest request) =>
            (Fault.Namespace is null || Fault.Namespace == request.Namespace)
            && (Fault.Verb is null || Fault.Verb == request.Verb)
            && (Fault.Resource is null || Fault.Resource == request.GroupResource)
            && (Fault.Subresource is null || Fault.Subresource == request.Subresource);

        public void Dispose()
        {
            lock (owner._lock)
            {
                owner._entries.Remove(this);
            }
        }
    }
}

/// <summary>What a server in trouble answers.</summary>
internal static class FaultAnswers
{
    public static ApiException Of(int code, int? retryAfterSeconds)
    {
        var (reason, message) = code switch
        {
            409 => ("Conflict", "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again"),
            410 => ("Expired", "The resourceVersion for the provided list is too old."),
            429 => ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
            500 => ("InternalError", "Internal error occurred: simulated fault"),
            503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504 => ("Timeout", "the server was unable to return a response in the time allotted, but may still be processing the request"),
            _ => ((string?)null, "simulated fault"),
        };

        return new ApiException(code, reason, message)
        {
            RetryAfterSeconds = retryAfterSeconds,
            Details = retryAfterSeconds is { } seconds ? new System.Text.Json.Nodes.JsonObject { ["retryAfterSeconds"] = seconds } : null,
        };
    }
}
