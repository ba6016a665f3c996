using Drydock.Maintenance;
using Microsoft.Extensions.DependencyInjection;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Policies and what they name, for a world.</summary>
internal static class Policies
{
    public static Action<IServiceCollection> Of(MaintenancePolicy policy, IHttpTargets? targets = null) => services =>
    {
        services.AddSingleton<IMaintenancePolicies>(new FixedPolicies([policy]));
        services.AddSingleton<ISecretFiles>(new Secrets());
        services.AddSingleton(new CallbackAddress("https://drydock.example"));
        if (targets is not null)
        {
            services.AddSingleton(targets);
        }
    };

    /// <summary>Every file is mounted and holds its own name.</summary>
    private sealed class Secrets : ISecretFiles
    {
        public Task<string?> ReadAsync(string name, CancellationToken cancellationToken) => Task.FromResult<string?>($"secret of {name}");
    }
}
