using System.Diagnostics.CodeAnalysis;
using Drydock.Api;

namespace Drydock.Server;

/// <summary>What a door answers: a value, or the problem that kept it from one. A problem changed nothing.</summary>
public sealed class Answer<T>
    where T : class
{
    private Answer(T? value, Problem? problem) => (Value, Problem) = (value, problem);

    /// <summary>The value, if there is no problem.</summary>
    public T? Value { get; }

    /// <summary>The problem, or null.</summary>
    public Problem? Problem { get; }

    /// <summary>There is a value.</summary>
    [MemberNotNullWhen(true, nameof(Value))]
    [MemberNotNullWhen(false, nameof(Problem))]
    public bool IsOk => Problem is null;

    /// <summary>An answer that is a value.</summary>
    public static implicit operator Answer<T>(T value) => new(value, null);

    /// <summary>An answer that is a problem.</summary>
    public static implicit operator Answer<T>(Problem problem) => new(null, problem);

    /// <summary>An answer that is a value, for interfaces, which no conversion can start from.</summary>
    internal static Answer<T> Of(T value) => new(value, null);

    /// <summary>The value.</summary>
    /// <exception cref="ApiProblemException">There is a problem instead.</exception>
    public T ValueOrThrow() => IsOk ? Value : throw new ApiProblemException(Problem);
}

/// <summary>The problems that doors answer with.</summary>
internal static class Problems
{
    public static Problem Invalid(params IReadOnlyList<FieldError> errors) =>
        new(ProblemTypes.InvalidRequest, "The request is not valid", 400, Sentence(errors)) { Errors = errors };

    public static Problem NotFound(string what, string id) =>
        new(ProblemTypes.NotFound, "Not found", 404, $"There is no {what} '{id}'.") { SubjectId = id };

    public static Problem NodeNotFound(string field, string node, IReadOnlyList<string> nodes) =>
        new(ProblemTypes.NodeNotFound, "Unknown node", 404, $"The cluster has no node '{node}'.")
        {
            Errors = [new FieldError(field, node, nodes.Count is > 0 and <= 20 ? string.Join(", ", nodes) : "the name of a node of the cluster")],
        };

    public static Problem AlreadyUnderMaintenance(string node, string id, MaintenanceState state) =>
        new(ProblemTypes.AlreadyUnderMaintenance, "Already under maintenance", 409,
            $"Node '{node}' is already under maintenance: {id} ({state}). Watch that one, or cancel it first.")
        { SubjectId = id, Errors = [new FieldError("node", node, "a node that is not under maintenance")] };

    public static Problem WrongState(string id, string sentence) =>
        new(ProblemTypes.WrongState, "Not possible in this state", 409, sentence) { SubjectId = id };

    public static Problem? OfKey(string? key) => key is { Length: 0 or > 255 }
        ? Invalid(new FieldError(DrydockApiClient.IdempotencyKeyHeader, key, "1 to 255 characters"))
        : null;

    public static Problem? OfReason(string? reason)
    {
        var reader = new FieldReader();
        reader.Reason("reason", reason);
        return reader.Errors.Count > 0 ? Invalid(reader.Errors) : null;
    }

    public static Problem KeyReused(string key, string id) =>
        new(ProblemTypes.KeyReused, "The idempotency key was used before", 409, $"Idempotency key '{key}' was used for another request, which is {id}.")
        {
            SubjectId = id,
            Errors = [new FieldError(DrydockApiClient.IdempotencyKeyHeader, key, "a key that was not used for another request")],
        };

    private static string Sentence(IReadOnlyList<FieldError> errors) => string.Join(' ', errors.Select(static error =>
        error.Value is null ? $"{error.Field} is missing; allowed: {error.Allowed}." : $"{error.Field}: '{error.Value}' is not allowed; allowed: {error.Allowed}."));
}
