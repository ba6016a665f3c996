using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Server.NodeConditions;

/// <summary>
/// Keeps the lifecycle conditions of nodes in step with their maintenances, where the API server has them and the role allows it.
/// Level-triggered: each look reads both sides afresh, so a crash, a repetition or a missed change is made good by the next look.
/// </summary>
internal sealed class NodeConditionWriter(
    DurableTaskClient client, Subjects subjects, INodeConditions conditions, ICluster cluster, ClusterState state, TimeProvider clock, ILogger<NodeConditionWriter> logger)
    : BackgroundService
{
    private static readonly AccessRule Needed = new("patch", "", "nodes", "status");
    private static readonly TimeSpan Round = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Memory = TimeSpan.FromHours(24);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!NodeConditionRules.AreKnownTo(state.Identity.Version))
        {
            return;
        }

        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if ((await cluster.GetMissingAccessAsync([Needed], stoppingToken)).Count > 0)
                {
                    logger.LogInformation("Node lifecycle conditions (KEP-5683) are not written: '{Needed}' is not allowed. The component node-conditions allows it.", Needed);
                    return;
                }

                await subjects.FollowAsync(Round, clock.GetUtcNow() - Memory, LookAsync, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                // What only tells must not end the process that does the work.
                logger.LogWarning(error, "Node lifecycle conditions could not be written; it is tried again.");
                await Task.Delay(Patience, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task LookAsync(OrchestrationMetadata instance, CancellationToken cancellationToken)
    {
        if (instance.Name == Orchestrations.Maintenance
            && await InstanceTree.ReadAsync(client, instance.InstanceId, cancellationToken) is { } tree
            && NodeConditionRules.Of(tree.Root.IsCompleted, tree.Status) is { } wanted)
        {
            await conditions.SetAsync(tree.Request.Node, $"drydock/{instance.InstanceId}", wanted, cancellationToken);
        }
    }
}
