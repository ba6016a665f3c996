using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>
/// An activity that talks to the cluster. What another try can mend is thrown as it came and retried by the orchestrator's policy;
/// what it cannot mend becomes a <see cref="ClusterRefusalException"/>. An API server that has just started answers 401 until it can check
/// tokens, and a login program fails now and then: that is tried again too.
/// </summary>
internal abstract class ClusterActivity<TInput, TOutput> : TaskActivity<TInput, TOutput>
{
    public sealed override async Task<TOutput> RunAsync(TaskActivityContext context, TInput input)
    {
        try
        {
            return await RunAsync(input, CancellationToken.None);
        }
        catch (ClusterException refusal) when (refusal is { IsTransient: false, Kind: not ClusterErrorKind.Unauthorized })
        {
            throw new ClusterRefusalException(refusal.Message, refusal);
        }
    }

    protected abstract Task<TOutput> RunAsync(TInput input, CancellationToken cancellationToken);
}

/// <summary>The API server will go on refusing until somebody changes something: a permission, an object, the request.</summary>
public sealed class ClusterRefusalException(string message, Exception innerException) : Exception(message, innerException);
