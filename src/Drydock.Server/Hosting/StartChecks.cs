using Drydock.Kubernetes;

namespace Drydock.Server;

/// <summary>
/// Runs after the hub is open and before any work is handed out: the cluster answers, the hub belongs to it, and the caller may do
/// what Drydock does. Each failure stops the start with one sentence.
/// </summary>
internal sealed class StartChecks(
    DrydockOptions options, ICluster cluster, IServerHub hub, ClusterState state) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        // A window in the hub would end for good if its zone were not known here.
        if (!TimeZoneInfo.TryFindSystemTimeZoneById("Europe/Berlin", out _))
        {
            throw new DrydockOptionsException(["This machine knows no IANA time zones, so maintenance windows could not be kept; install the package tzdata, or take the image with it."]);
        }

        var identity = await ReadIdentityAsync(cancellationToken);
        await hub.BelongToAsync(identity.Uid, cancellationToken);
        if (options.CheckAccess)
        {
            var needed = RequiredAccess.For(identity, options.Operator);
            var missing = await cluster.GetMissingAccessAsync(needed, cancellationToken);
            if (missing.Count > 0)
            {
                throw new MissingAccessException(identity.Server, missing);
            }
        }

        state.Identity = identity;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<ClusterIdentity> ReadIdentityAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await cluster.GetIdentityAsync(cancellationToken);
        }
        catch (ClusterException error)
        {
            throw ClusterUnusableException.From(error);
        }
    }
}

/// <summary>The cluster as it was when the process started.</summary>
internal sealed class ClusterState
{
    private ClusterIdentity? _identity;

    /// <summary>Who the cluster is.</summary>
    public ClusterIdentity Identity
    {
        get => _identity ?? throw new InvalidOperationException("The start checks have not run.");
        set => _identity = value;
    }
}
