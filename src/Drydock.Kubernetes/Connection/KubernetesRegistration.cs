using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Drydock.Kubernetes;

/// <summary>Registers the cluster.</summary>
public static class KubernetesRegistration
{
    /// <summary>
    /// Registers <see cref="ICluster"/>, <see cref="INeighbours"/>, <see cref="INodeMaintenances"/> and <see cref="IAccessReviews"/>. The connection is read when the first of them is resolved,
    /// which throws <see cref="ClusterConnectionException"/> if it cannot be used; nothing is sent before the first call.
    /// </summary>
    public static IServiceCollection AddKubernetesCluster(this IServiceCollection services, ClusterConnection connection)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider => KubernetesCluster.Open(
            connection, provider.GetRequiredService<TimeProvider>(), provider.GetService<ILoggerFactory>()));
        services.TryAddSingleton<ICluster>(provider => provider.GetRequiredService<KubernetesCluster>());
        services.TryAddSingleton<INeighbours>(provider => provider.GetRequiredService<KubernetesCluster>());
        services.TryAddSingleton<INodeMaintenances>(provider => provider.GetRequiredService<KubernetesCluster>().NodeMaintenances);
        services.TryAddSingleton(provider => provider.GetRequiredService<KubernetesCluster>().AccessReviews);
        services.TryAddSingleton<IDrydockResources>(provider => provider.GetRequiredService<KubernetesCluster>().Resources);
        services.TryAddSingleton(provider => provider.GetRequiredService<KubernetesCluster>().NodeConditions);
        services.TryAddSingleton(provider => provider.GetRequiredService<KubernetesCluster>().OperatorLease);
        services.TryAddSingleton<IAdmissionObjects>(provider => provider.GetRequiredService<KubernetesCluster>().Admission);
        return services;
    }
}
