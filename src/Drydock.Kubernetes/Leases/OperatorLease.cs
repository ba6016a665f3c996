namespace Drydock.Kubernetes.Leases;

/// <inheritdoc cref="IOperatorLease"/>
internal sealed class OperatorLease(NamedLeases leases) : IOperatorLease
{
    private const string Name = "operator";

    public Task<LeaseOutcome> AcquireAsync(string holder, TimeSpan duration, CancellationToken cancellationToken) =>
        leases.AcquireAsync(Name, nodeUid: null, holder, duration, cancellationToken);

    public Task ReleaseAsync(string holder, CancellationToken cancellationToken) => leases.ReleaseAsync(Name, holder, cancellationToken);
}
