using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.DurableTask.Remote;

/// <summary>Registers a hub in another process.</summary>
public static class RemoteTaskHubServices
{
    /// <summary>
    /// Makes <see cref="ITaskHub"/> and <see cref="ITaskHubExtensions"/> the hub at an address, unless the services have one already.
    /// </summary>
    /// <exception cref="FormatException">The text is neither an address nor a connection string.</exception>
    public static IServiceCollection AddRemoteTaskHub(this IServiceCollection services, string address)
    {
        var options = new RemoteTaskHubOptions { Address = TaskHubAddress.Parse(address) };
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider => new RemoteTaskHub(
            options,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetService<ILogger<RemoteTaskHub>>() ?? NullLogger<RemoteTaskHub>.Instance));
        services.TryAddSingleton<ITaskHub>(static provider => provider.GetRequiredService<RemoteTaskHub>());
        services.TryAddSingleton<ITaskHubExtensions>(static provider => provider.GetRequiredService<RemoteTaskHub>());
        return services;
    }
}
