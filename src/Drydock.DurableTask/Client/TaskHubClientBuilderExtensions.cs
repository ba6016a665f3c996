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
}
