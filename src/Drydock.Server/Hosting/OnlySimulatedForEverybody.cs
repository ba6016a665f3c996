using Drydock.Kubernetes;

namespace Drydock.Server;

/// <summary>
/// Callers who are not asked who they are may do what this server may: that is for a demonstration, so with <see cref="Callers.AccessMode.None"/>
/// the start ends here unless the cluster is a simulated one.
/// </summary>
internal sealed class OnlySimulatedForEverybody(ICluster cluster) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (!await cluster.IsSimulatedAsync(cancellationToken))
            {
                throw new DrydockOptionsException([
                    "access.mode: 'None' is for a simulated cluster only (drydock demo, serve --simulate), since every user and program on this machine could do what this server may; let callers show a token (--access kubernetes)."]);
            }
        }
        catch (ClusterException error)
        {
            throw ClusterUnusableException.From(error);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
