namespace Drydock.Maintenance;

/// <summary>Names of the orchestrations. Written into every stored history: rename the classes freely, never these.</summary>
public static class Orchestrations
{
    /// <summary>One node, from plan to restore. Input <see cref="MaintenanceRequest"/>, output <see cref="MaintenanceReport"/>.</summary>
    public const string Maintenance = "node.maintenance";

    /// <summary>Evicts the pods of a node.</summary>
    public const string Drain = "node.drain";

    /// <summary>Moves one virtual machine off a node.</summary>
    public const string MoveVm = "vm.move";

    /// <summary>Renews the lease for as long as the maintenance lasts.</summary>
    public const string HoldLease = "lease.hold";

    /// <summary>Puts a node back from the marks on it.</summary>
    public const string Restore = "node.restore";

    /// <summary>Rolling maintenance over many nodes.</summary>
    public const string Rollout = "rollout";

    /// <summary>A recurring maintenance window.</summary>
    public const string Window = "window";
}

/// <summary>Names of the external events of <see cref="Orchestrations.Maintenance"/>.</summary>
public static class MaintenanceEvents
{
    /// <summary>Stop and put everything back. Payload: <see cref="Cancel"/>.</summary>
    public const string Cancel = "cancel";

    /// <summary>The held node may go on to its health check and be restored. Payload: <see cref="Complete"/>.</summary>
    public const string Complete = "complete";
}

/// <summary>Payload of <see cref="MaintenanceEvents.Cancel"/>.</summary>
public sealed record Cancel(string By, string? Reason = null);

/// <summary>Payload of <see cref="MaintenanceEvents.Complete"/>.</summary>
/// <param name="By">Who said so.</param>
/// <param name="SkipHealth">Restore without the health check, as deleting a NodeMaintenance does.</param>
public sealed record Complete(string By, bool SkipHealth = false);
