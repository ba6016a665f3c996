#if OFFICIAL_DURABLETASK_SDK
using Microsoft.DurableTask.Worker;
#else
using Drydock.DurableTask.Worker;
#endif
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>
/// The client and the worker of whichever Durable Task SDK the server is built against (design D2): ours speaks to the hub in the same
/// process, the official one by gRPC to the hub's endpoint on loopback.
/// </summary>
internal static class DurableTaskRegistration
{
#if OFFICIAL_DURABLETASK_SDK
    private const string HubAddress = "http://127.0.0.1:4001";
#endif

    /// <summary>Registers the client and a worker that runs every orchestration and activity of node maintenance.</summary>
    public static IServiceCollection AddMaintenanceTasks(this IServiceCollection services)
    {
#if OFFICIAL_DURABLETASK_SDK
        services.AddDurableTaskClient(static client => client.UseGrpc(HubAddress));
        services.AddDurableTaskWorker(static worker => worker.AddTasks(static tasks => tasks.AddMaintenance()).UseGrpc(HubAddress));
#else
        services.AddDurableTaskClient(static client => client.UseTaskHub());
        services.AddDurableTaskWorker(static worker => worker.AddTasks(static tasks => tasks.AddMaintenance()).UseTaskHub());
#endif
        return services;
    }
}
