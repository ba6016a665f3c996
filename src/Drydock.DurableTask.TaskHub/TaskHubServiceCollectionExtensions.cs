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
        return services.AddEmbedded<SqliteTaskHub>();
    }

    /// <summary>
    /// Likewise, <see cref="PostgreSqlTaskHub"/> in a PostgreSQL database that several processes may share.
    /// </summary>
    public static IServiceCollection AddPostgreSqlTaskHub(
        this IServiceCollection services, string connectionString, Action<PostgreSqlTaskHubOptions>? configure = null)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider =>
        {
            var options = new PostgreSqlTaskHubOptions { ConnectionString = connectionString };
            configure?.Invoke(options);
            var logger = provider.GetService<ILogger<PostgreSqlTaskHub>>() ?? NullLogger<PostgreSqlTaskHub>.Instance;
            return new PostgreSqlTaskHub(options, provider.GetRequiredService<TimeProvider>(), logger);
        });
        return services.AddEmbedded<PostgreSqlTaskHub>();
    }

    private static IServiceCollection AddEmbedded<T>(this IServiceCollection services)
        where T : EmbeddedTaskHub
    {
        services.AddSingleton<EmbeddedTaskHub>(static provider => provider.GetRequiredService<T>());
        services.AddSingleton<ITaskHub>(static provider => provider.GetRequiredService<T>());
        services.AddSingleton<ITaskHubExtensions>(static provider => provider.GetRequiredService<T>());
        services.AddSingleton<IHostedService>(static provider => provider.GetRequiredService<T>());
        return services;
    }
}
