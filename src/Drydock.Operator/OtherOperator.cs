using Drydock.Kubernetes;
using Microsoft.Extensions.Logging;

namespace Drydock.Operator;

/// <summary>
/// Keeps the door of the NodeMaintenance resources shut while a Node Maintenance Operator runs: two would act on each resource, and its
/// uncordon knows of nobody's cordon but its own (facts 2.1).
/// </summary>
internal sealed class OtherOperator(INeighbours neighbours, TimeProvider clock, ILogger<OtherOperator> logger)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(1);

    /// <summary>Why the door is shut, or null: it is open.</summary>
    public string? ShutBecause { get; private set; }

    /// <summary>Returns when no other operator leads any more; says once why it waits.</summary>
    public async Task WaitUntilGoneAsync(CancellationToken cancellationToken)
    {
        while (await FindAsync(cancellationToken) is { } why)
        {
            if (ShutBecause != why)
            {
                ShutBecause = why;
                logger.LogError("The NodeMaintenance door does not open. {Why} Looking again every {Minutes} minute.", why, LookAgain.TotalMinutes);
            }

            await Task.Delay(LookAgain, clock, cancellationToken);
        }

        if (ShutBecause is not null)
        {
            ShutBecause = null;
            logger.LogWarning("No Node Maintenance Operator runs any more: the NodeMaintenance door opens.");
        }
    }

    /// <summary>Returns when another operator leads: it was installed, or is back after a pause.</summary>
    public async Task WaitUntilThereAsync(CancellationToken cancellationToken)
    {
        do
        {
            await Task.Delay(LookAgain, clock, cancellationToken);
        }
        while (await FindAsync(cancellationToken) is null);
    }

    /// <summary>Why the door must not open, or null.</summary>
    private async Task<string?> FindAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await neighbours.FindNodeMaintenanceOperatorAsync(cancellationToken) is { } leader
                    ? $"A Node Maintenance Operator runs in this cluster: {leader}. NodeMaintenance resources are left to it; uninstall it, or run Drydock without its operator."
                    : null;
            }
            catch (ClusterException error) when (error.IsTransient)
            {
                await Task.Delay(LookAgain, clock, cancellationToken);
            }
            catch (ClusterException error)
            {
                // Two operators on one resource undo each other: not to know is no reason to open.
                return $"Whether a Node Maintenance Operator runs cannot be told: {error.Message} Grant Drydock the verb list on leases.coordination.k8s.io, or run it without its operator.";
            }
        }
    }
}
