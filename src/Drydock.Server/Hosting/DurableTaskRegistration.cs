using System.Net;
#if OFFICIAL_DURABLETASK_SDK
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.DurableTask.Worker;
#else
using Drydock.DurableTask.Worker;
#endif
using Drydock.Maintenance;
using Drydock.Server.Notifications;

namespace Drydock.Server;

/// <summary>
/// The client and the worker of whichever Durable Task SDK the server is built against (design D2): ours speaks to the hub in the same
/// process, the official one by gRPC to the hub's endpoint on loopback.
/// </summary>
internal static class DurableTaskRegistration
{
#if OFFICIAL_DURABLETASK_SDK
    private static readonly IPEndPoint Loopback = new(IPAddress.Loopback, 4001);

    /// <summary>Where the hub is served to other Durable Task SDKs; the official one needs it, so there is always an endpoint.</summary>
    public static IPEndPoint? HubListen(DrydockOptions options) => options.HubListen ?? Loopback;

    /// <summary>Registers the client and a worker that runs every orchestration and activity of node maintenance.</summary>
    public static IServiceCollection AddMaintenanceTasks(this IServiceCollection services, DrydockOptions options)
    {
        var invoker = GrpcChannel.ForAddress($"http://{HubListen(options)}").Intercept(headers => Sign(headers, options.HubToken));
        services.AddDurableTaskClient(client => client.UseGrpc(grpc => grpc.CallInvoker = invoker));
        services.AddDurableTaskWorker(worker => worker.AddTasks(static tasks => tasks.AddMaintenance().AddNotices()).UseGrpc(grpc => grpc.CallInvoker = invoker));
        return services;
    }

    private static Metadata Sign(Metadata headers, string? token)
    {
        headers.Add("taskhub", DrydockHost.MaintenanceHub);
        if (token is not null)
        {
            headers.Add("authorization", $"Bearer {token}");
        }

        return headers;
    }
#else
    /// <summary>Where the hub is served to other Durable Task SDKs; null if it is not.</summary>
    public static IPEndPoint? HubListen(DrydockOptions options) => options.HubListen;

    /// <summary>Registers the client and a worker that runs every orchestration and activity of node maintenance.</summary>
    public static IServiceCollection AddMaintenanceTasks(this IServiceCollection services, DrydockOptions options)
    {
        services.AddDurableTaskClient(static client => client.UseTaskHub());
        services.AddDurableTaskWorker(static worker => worker.AddTasks(static tasks => tasks.AddMaintenance().AddNotices()).UseTaskHub());
        return services;
    }
#endif
}
