using Drydock.Kubernetes;

namespace Drydock.Maintenance;

/// <summary>Puts a node back from the marks in the cluster alone: no hub, no history (design D8).</summary>
public sealed class NodeRestore(ICluster cluster, TimeProvider clock)
{
    /// <summary>
    /// Undoes what a maintenance changed on the node and on the virtual machines it stopped, as their marks say, and releases its
    /// lease. Does nothing where there is no mark.
    /// </summary>
    /// <param name="node">The node.</param>
    /// <param name="evenIfRunning">Also if the maintenance that holds the node still renews its lease.</param>
    /// <param name="cancellationToken">Ends it between two changes.</param>
    public Task<RestoreResult> RestoreAsync(string node, bool evenIfRunning, CancellationToken cancellationToken)
    {
        _ = cluster;
        _ = clock;
        throw new NotSupportedException("Restoring from the marks is not there yet.");
    }
}

/// <summary>What a restore did.</summary>
/// <param name="IsRefused">The maintenance that holds the node is still running; nothing was changed.</param>
/// <param name="Done">What was put back, one sentence each; empty if nothing was marked.</param>
/// <param name="LeftBehind">What could not be put back, one sentence each, with the reason.</param>
public sealed record RestoreResult(bool IsRefused, IReadOnlyList<string> Done, IReadOnlyList<string> LeftBehind);
