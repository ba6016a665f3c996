using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Cli.Embedded;

/// <summary>What stays changed in the cluster when the program leaves a maintenance before its end, read from the cluster itself.</summary>
internal static class StillChanged
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>One sentence each; empty if nothing is changed.</summary>
    public static async Task<IReadOnlyList<string>> ReadAsync(ICluster cluster, MaintenanceView? last, string node)
    {
        // The caller's own token is cancelled already: this is what it wants to know before it goes.
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            return await ReadAsync(cluster, last, node, patience.Token);
        }
        catch (Exception exception) when (exception is ClusterException or OperationCanceledException)
        {
            return [$"Unknown: the API server did not answer. Node {node} may be cordoned and marked."];
        }
    }

    private static async Task<IReadOnlyList<string>> ReadAsync(ICluster cluster, MaintenanceView? last, string node, CancellationToken cancellationToken)
    {
        var sentences = new List<string>();
        var snapshot = await cluster.GetNodeAsync(node, cancellationToken);
        if (snapshot is { Mark: { } mark })
        {
            sentences.Add($"Node {node} is {(snapshot.Unschedulable ? "cordoned" : "schedulable")} and marked as held by {mark.HeldBy}.");
            sentences.AddRange((await cluster.ListMarkedVmsAsync(mark.HeldBy, cancellationToken)).Select(MarkedVms.Describe));
        }

        if (await cluster.GetLeaseAsync(node, cancellationToken) is { Holder: { } holder, ExpiresAt: { } expires } && snapshot?.Mark?.HeldBy == holder)
        {
            sentences.Add($"The maintenance lease of the node is ours until {expires.UtcDateTime:HH:mm:ss}Z; nobody renews it while this program is away.");
        }

        if (last is { Pods.Gone: > 0 } && sentences.Count > 0)
        {
            sentences.Add($"{last.Pods.Gone} of {last.Pods.ToEvict} pods were evicted; they run elsewhere.");
        }

        return sentences;
    }
}
