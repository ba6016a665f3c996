using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.DurableTask.TaskHub;

/// <summary>Registers the embedded hub.</summary>
public static class TaskHubServiceCollectionExtensions
{
    /// <summary>
    /// Makes <see cref="ITaskHub"/>, <see cref="ITaskHubExtensions"/> and <see cref="SqliteTaskHub"/> one hub in a SQLite file. The host
    /// opens it before any hosted service starts and closes it after all have stopped; what is wrong with the file stops the start
    /// as a <see cref="TaskHubOpenException"/>.
    /// </summary>
    public static IServiceCollection AddSqliteTaskHub(
        this IServiceCollection services, string path, Action<SqliteTaskHubOptions>? configure = null)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider =>
        {
            var options = new SqliteTaskHubOptions { Path = path };
            configure?.Invoke(options);
            var logger = provider.GetService<ILogger<SqliteTaskHub>>() ?? NullLogger<SqliteTaskHub>.Instance;
            return new SqliteTaskHub(options, provider.GetRequiredService<TimeProvider>(), logger);
        });
        services.AddSingleton<ITaskHub>(provider => provider.GetRequiredService<SqliteTaskHub>());
        services.AddSingleton<ITaskHubExtensions>(provider => provider.GetRequiredService<SqliteTaskHub>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<SqliteTaskHub>());
        return services;
    }
}
