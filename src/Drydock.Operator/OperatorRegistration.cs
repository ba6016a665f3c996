using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Operator.Resources;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.Operator;

/// <summary>Registers the door of the NodeMaintenance resources.</summary>
public static class OperatorRegistration
{
    /// <summary>
    /// While the host runs, NodeMaintenance resources start and end maintenances. Needs <see cref="INodeMaintenances"/>,
    /// <see cref="ICluster"/>, <see cref="IMaintenancePolicies"/>, the durable task client and an <see cref="IInstanceFeed"/>.
    /// </summary>
    /// <param name="services">Where it is registered.</param>
    /// <param name="hubId">The id of the hub, asked for when the first maintenance is started.</param>
    public static IServiceCollection AddNodeMaintenanceOperator(this IServiceCollection services, Func<IServiceProvider, string> hubId)
    {
        services.AddSingleton(provider => new NodeMaintenanceReconciler(
            provider.GetRequiredService<INodeMaintenances>(),
            provider.GetRequiredService<ICluster>(),
            provider.GetRequiredService<DurableTaskClient>(),
            provider.GetRequiredService<IMaintenancePolicies>(),
            () => hubId(provider),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<NodeMaintenanceReconciler>>()));
        services.AddSingleton(provider => new OtherOperator(
            provider.GetRequiredService<INeighbours>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<OtherOperator>>()));
        services.AddOperator(
            static provider => provider.GetRequiredService<NodeMaintenanceReconciler>(),
            static provider => provider.GetRequiredService<OtherOperator>());
        return services;
    }

    /// <summary>
    /// While the host runs, MaintenanceRollout and MaintenanceWindow resources start, steer and end rollouts and windows, and a
    /// MaintenancePolicy says whether it can be read. Needs
    /// <see cref="IDrydockResources"/>, <see cref="IResourceRequests"/>, the durable task client and an <see cref="IInstanceFeed"/>.
    /// </summary>
    public static IServiceCollection AddResourceOperators(this IServiceCollection services)
    {
        services.AddOperator(static provider => new RolloutReconciler(
            provider.GetRequiredService<IDrydockResources>(),
            provider.GetRequiredService<IResourceRequests>(),
            provider.GetRequiredService<DurableTaskClient>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddOperator(static provider => new PolicyReconciler(
            provider.GetRequiredService<IDrydockResources>(),
            provider.GetRequiredService<IResourceRequests>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddOperator(static provider => new WindowReconciler(
            provider.GetRequiredService<IDrydockResources>(),
            provider.GetRequiredService<IResourceRequests>(),
            provider.GetRequiredService<DurableTaskClient>(),
            provider.GetRequiredService<TimeProvider>()));
        return services;
    }

    private static void AddOperator(
        this IServiceCollection services, Func<IServiceProvider, IReconciler> reconciler, Func<IServiceProvider, OtherOperator>? other = null) =>
        services.AddSingleton<IHostedService>(provider => new ResourceOperator(
            reconciler(provider),
            other?.Invoke(provider),
            provider.GetRequiredService<IInstanceFeed>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<ResourceOperator>>(),
            provider.GetService<ILeadership>()));
}
