using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>
/// An activity that talks to the cluster. What another try can mend is thrown as it came and retried by the orchestrator's policy;
/// what it cannot mend becomes a <see cref="ClusterRefusalException"/>. An API server that has just started answers 401 until it can check
/// tokens and 403 until it has read the roles, and a login program fails now and then: that is tried again too, a 403 for a minute.
/// </summary>
internal abstract class ClusterActivity<TInput, TOutput> : TaskActivity<TInput, TOutput>
{
    /// <summary>A person waits for the answer: whoever is not let in is told so at once.</summary>
    protected virtual bool IsAwaitedByPerson => false;

    public sealed override async Task<TOutput> RunAsync(TaskActivityContext context, TInput input)
    {
        try
        {
            return await RunAsync(input, CancellationToken.None);
        }
        catch (ClusterException refusal) when (!refusal.IsTransient && (IsAwaitedByPerson || refusal.Kind != ClusterErrorKind.Unauthorized))
        {
            throw refusal.Kind switch
            {
                ClusterErrorKind.Unauthorized => new ClusterRefusalException($"{refusal.Message} Log in again, or give Drydock a token or certificate that is valid.", refusal),
                ClusterErrorKind.Forbidden when !IsAwaitedByPerson => new ClusterForbiddenException(refusal.Message, refusal),
                _ => new ClusterRefusalException(refusal.Message, refusal),
            };
        }
    }

    protected abstract Task<TOutput> RunAsync(TInput input, CancellationToken cancellationToken);
}

/// <summary>The API server will go on refusing until somebody changes something: a permission, an object, the request.</summary>
public class ClusterRefusalException(string message, Exception innerException) : Exception(message, innerException);

/// <summary>A permission is missing, or the API server does not know yet that it is there.</summary>
public sealed class ClusterForbiddenException(string message, Exception innerException) : ClusterRefusalException(message, innerException);
