namespace Drydock.Kubernetes;

/// <summary>
/// The lease <c>drydock-operator</c>, in the namespace of the leases of nodes: which of several servers acts on resources, where their
/// task hub cannot say it.
/// </summary>
public interface IOperatorLease
{
    /// <summary>Takes the lease if it is free or has run out, and renews it if it is the holder's already.</summary>
    /// <param name="holder">Who asks; never the same in two processes.</param>
    /// <param name="duration">How long it holds without a renewal, whole seconds.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="ClusterException">The API server did not answer or refused.</exception>
    Task<LeaseOutcome> AcquireAsync(string holder, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Gives it back; does nothing if it is somebody else's.</summary>
    /// <exception cref="ClusterException">The API server did not answer or refused.</exception>
    Task ReleaseAsync(string holder, CancellationToken cancellationToken);
}
