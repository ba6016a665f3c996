using System.Net;
#if OFFICIAL_DURABLETASK_SDK
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.DurableTask.Worker;
using Drydock.DurableTask.Remote;
#else
using Drydock.DurableTask.Worker;
#endif
using Drydock.Maintenance;
using Drydock.Server.Notifications;

namespace Drydock.Server;

/// <summary>
/// The client and the worker of whichever Durable Task SDK the server is built against (design D2): ours speaks to the hub in the same
/// process or wherever it is, the official one by gRPC to the hub's endpoint: on loopback, or where the connection string says.
/// </summary>
internal static class DurableTaskRegistration
{
#if OFFICIAL_DURABLETASK_SDK
    private static readonly IPEndPoint Loopback = new(IPAddress.Loopback, 4001);

    /// <summary>Where the hub is served to other Durable Task SDKs; the official one needs it, so there is always an endpoint.</summary>
    public static IPEndPoint? HubListen(DrydockOptions options) => options.HubStore is HubStore.Remote ? null : options.HubListen ?? Loopback;

    /// <summary>Registers the client and a worker that runs every orchestration and activity of node maintenance.</summary>
    public static IServiceCollection AddMaintenanceTasks(this IServiceCollection services, DrydockOptions options)
    {
        var address = (options.HubStore as HubStore.Remote)?.Address
            ?? new TaskHubAddress(new Uri($"http://{HubListen(options)}")) { TaskHub = DrydockHost.MaintenanceHub, Token = options.HubToken };
        if (address.Authentication != TaskHubAuthentication.None)
        {
            throw new DrydockOptionsException([
                $"hub: Authentication={address.Authentication} is not supported by a build against the official SDK; build without DurableTaskSdk=Microsoft, or use Authentication=None."]);
        }

        var invoker = GrpcChannel.ForAddress(address.Endpoint).Intercept(headers => Sign(headers, address));
        services.AddDurableTaskClient(client => client.UseGrpc(grpc => grpc.CallInvoker = invoker));
        services.AddDurableTaskWorker(worker => worker.AddTasks(AddAll).UseGrpc(grpc => grpc.CallInvoker = invoker));
        return services;
    }

    private static Metadata Sign(Metadata headers, TaskHubAddress address)
    {
        if (address.TaskHub is { } name)
        {
            headers.Add("taskhub", name);
        }

        if (address.Token is { } token)
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
        services.AddDurableTaskWorker(static worker => worker.AddTasks(AddAll).UseTaskHub());
        return services;
    }
#endif

    private static void AddAll(DurableTaskRegistry tasks) =>
        tasks.AddMaintenance().AddNotices().AddOrchestrator<HubBindingOrchestrator>(HubBindingOrchestrator.Name);
}
