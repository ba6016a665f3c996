using Drydock.DurableTask.Remote;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Drydock.DurableTask.Client;

/// <summary>Connects clients with task hubs.</summary>
public static class TaskHubClientBuilderExtensions
{
    /// <summary>The client talks to the <see cref="ITaskHub"/> of the services.</summary>
    public static IDurableTaskClientBuilder UseTaskHub(this IDurableTaskClientBuilder builder)
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        return builder.UseBuildTarget<TaskHubClient>();
    }

    /// <summary>The client talks to a hub in another process.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="address">Its address or connection string; see <see cref="TaskHubAddress"/>.</param>
    /// <exception cref="FormatException">It is neither.</exception>
    public static IDurableTaskClientBuilder UseRemoteTaskHub(this IDurableTaskClientBuilder builder, string address)
    {
        builder.Services.AddRemoteTaskHub(address);
        return builder.UseTaskHub();
    }
}
