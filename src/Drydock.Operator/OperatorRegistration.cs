using Drydock.Kubernetes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.Operator;

/// <summary>Registers the door of the NodeMaintenance resources.</summary>
public static class OperatorRegistration
{
    /// <summary>
    /// While the host runs, NodeMaintenance resources start and end maintenances. Needs <see cref="INodeMaintenances"/>,
    /// <see cref="ICluster"/>, the durable task client and an <see cref="IInstanceFeed"/>.
    /// </summary>
    /// <param name="services">Where it is registered.</param>
    /// <param name="hubId">The id of the hub, asked for when the first maintenance is started.</param>
    public static IServiceCollection AddNodeMaintenanceOperator(this IServiceCollection services, Func<IServiceProvider, string> hubId)
    {
        services.AddSingleton(provider => new NodeMaintenanceReconciler(
            provider.GetRequiredService<INodeMaintenances>(),
            provider.GetRequiredService<ICluster>(),
            provider.GetRequiredService<DurableTaskClient>(),
            () => hubId(provider),
            provider.GetRequiredService<ILogger<NodeMaintenanceReconciler>>()));
        services.AddSingleton<IHostedService>(provider => new NodeMaintenanceOperator(
            provider.GetRequiredService<INodeMaintenances>(),
            provider.GetRequiredService<IInstanceFeed>(),
            provider.GetRequiredService<NodeMaintenanceReconciler>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<NodeMaintenanceOperator>>()));
        return services;
    }
}
