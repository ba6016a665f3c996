using Drydock.DurableTask.TaskHub;
using Drydock.Kubernetes;

namespace Drydock.Server;

/// <summary>Calls that Drydock must be allowed to make and is not.</summary>
public sealed class MissingAccessException(string server, IReadOnlyList<AccessRule> missing)
    : Exception($"The API server {server} does not allow what Drydock needs: {string.Join(", ", missing)}. Nothing was changed.")
{
    /// <summary>The calls that are not allowed.</summary>
    public IReadOnlyList<AccessRule> Missing { get; } = missing;
}

/// <summary>The API server did not say who it is.</summary>
public sealed class ClusterUnusableException(string message, Exception innerException) : Exception(message, innerException)
{
    internal static ClusterUnusableException From(ClusterException error)
    {
        var what = error.Kind == ClusterErrorKind.Unreachable ? "The API server cannot be reached" : "The API server does not say who it is";
        return new ClusterUnusableException($"{what}: {error.Message.TrimEnd('.')}. Nothing was changed.", error);
    }
}

/// <summary>Tells the failures of a start that a person can mend from faults of the program.</summary>
public static class StartFailure
{
    /// <summary>
    /// One sentence for stderr if the exception (or one inside it) is an expected reason not to start; null if it is a fault.
    /// </summary>
    public static string? Describe(Exception error) => error switch
    {
        DrydockOptionsException or MissingAccessException or ClusterUnusableException => error.Message,
        TaskHubOpenException or TaskHubBindingException or ClusterConnectionException or ClusterException => error.Message,
        IOException when error.Message.Contains("address already in use", StringComparison.OrdinalIgnoreCase) => error.Message,
        AggregateException { InnerExceptions: [var only] } => Describe(only),
        { InnerException: { } inner } => Describe(inner),
        _ => null,
    };
}
