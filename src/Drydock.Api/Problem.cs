namespace Drydock.Api;

/// <summary>What went wrong, as RFC 9457 has it (<c>application/problem+json</c>).</summary>
/// <param name="Type">A stable name of the kind of problem, such as <c>urn:drydock:problem:invalid-request</c>.</param>
/// <param name="Title">The kind of problem in a few words.</param>
/// <param name="Status">The HTTP code.</param>
/// <param name="Detail">One sentence on this occurrence.</param>
public sealed record Problem(string Type, string Title, int Status, string Detail)
{
    /// <summary>The address that was asked.</summary>
    public string? Instance { get; init; }

    /// <summary>The maintenance or other thing in question, or null.</summary>
    public string? SubjectId { get; init; }

    /// <summary>With 403: the verb that the caller may not use, or null.</summary>
    public string? Verb { get; init; }

    /// <summary>With 403: the resource that he may not use it on, or null.</summary>
    public string? Resource { get; init; }

    /// <summary>The fields that are wrong; all of them at once.</summary>
    public IReadOnlyList<FieldError> Errors { get; init; } = [];
}

/// <summary>A field that is wrong.</summary>
/// <param name="Field">Its path, such as <c>drain.timeout</c>.</param>
/// <param name="Value">What was sent, as text; null if it is missing.</param>
/// <param name="Allowed">What may stand there.</param>
public sealed record FieldError(string Field, string? Value, string Allowed);

/// <summary>The stable names of the kinds of problems.</summary>
public static class ProblemTypes
{
    /// <summary>400: the request says something that is not allowed.</summary>
    public const string InvalidRequest = "urn:drydock:problem:invalid-request";

    /// <summary>401: the request has no token that is accepted.</summary>
    public const string Unauthenticated = "urn:drydock:problem:unauthenticated";

    /// <summary>403: the caller lacks a permission; <see cref="Problem.Verb"/> and <see cref="Problem.Resource"/> name it.</summary>
    public const string Forbidden = "urn:drydock:problem:forbidden";

    /// <summary>429: the caller sends more than its share; Retry-After says when to try again.</summary>
    public const string TooManyRequests = "urn:drydock:problem:too-many-requests";

    /// <summary>412: it changed since the caller read it (<c>If-Match</c>).</summary>
    public const string Changed = "urn:drydock:problem:changed-meanwhile";

    /// <summary>404: there is no such maintenance, rollout or window.</summary>
    public const string NotFound = "urn:drydock:problem:not-found";

    /// <summary>404: the cluster has no node of that name.</summary>
    public const string NodeNotFound = "urn:drydock:problem:node-not-found";

    /// <summary>409: the node is under maintenance already; <see cref="Problem.SubjectId"/> names it.</summary>
    public const string AlreadyUnderMaintenance = "urn:drydock:problem:already-under-maintenance";

    /// <summary>409: what is asked does not fit the state it is in.</summary>
    public const string WrongState = "urn:drydock:problem:wrong-state";

    /// <summary>409: the idempotency key was used for another request.</summary>
    public const string KeyReused = "urn:drydock:problem:idempotency-key-reused";

    /// <summary>502: the API server of the cluster did not do what it was asked.</summary>
    public const string Cluster = "urn:drydock:problem:cluster";

    /// <summary>503: the API server of the cluster or the task hub cannot be reached.</summary>
    public const string Unavailable = "urn:drydock:problem:unavailable";

    /// <summary>501: this version cannot do that.</summary>
    public const string NotInThisVersion = "urn:drydock:problem:not-in-this-version";

    /// <summary>500: a fault of the server.</summary>
    public const string Internal = "urn:drydock:problem:internal";
}

/// <summary>The server answered with a problem.</summary>
public sealed class ApiProblemException(Problem problem) : Exception(Describe(problem))
{
    /// <summary>What it said.</summary>
    public Problem Problem { get; } = problem;

    private static string Describe(Problem problem) => problem.Errors.Count == 0
        ? problem.Detail
        : string.Join(' ', problem.Errors.Select(error => $"{error.Field}: {(error.Value is null ? "is missing" : $"'{error.Value}' is not allowed")}; allowed: {error.Allowed}."));
}
