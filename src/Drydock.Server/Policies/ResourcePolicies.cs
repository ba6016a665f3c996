using System.Text.Json;
using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Server.Policies;

/// <summary>
/// The policies of the admin's file and, under other names, those of MaintenancePolicy objects. The file wins: what the machine's admin
/// wrote cannot be replaced from within the cluster. Addresses are allowed by the file alone.
/// </summary>
internal sealed class ResourcePolicies(FixedPolicies file, Func<IDrydockResources> resources) : IMaintenancePolicies
{
    public async Task<MaintenancePolicy?> FindAsync(string name, CancellationToken cancellationToken) =>
        await file.FindAsync(name, cancellationToken)
        ?? (await resources().GetAsync(DrydockKind.Policy, name, cancellationToken) is { DeletionRequestedAt: null } found ? Read(found) : null);

    public async Task<IReadOnlyList<string>> ListNamesAsync(CancellationToken cancellationToken) =>
    [
        .. (await file.ListNamesAsync(cancellationToken))
            .Concat((await resources().ListAsync(DrydockKind.Policy, cancellationToken)).Select(static found => found.Name))
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal),
    ];

    // One that cannot be read is none: its condition says why, and a maintenance that names it is refused.
    private static MaintenancePolicy? Read(DrydockResource found)
    {
        try
        {
            return PolicyFile.ReadPolicy(found.Name, found.Spec);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
