using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Drydock.DurableTask.Client;

/// <summary>Describes a client while services are registered.</summary>
public interface IDurableTaskClientBuilder
{
    /// <summary>The name of the client; empty for the only one.</summary>
    string Name { get; }

    /// <summary>Where services are registered.</summary>
    IServiceCollection Services { get; }

    /// <summary>The class of the client.</summary>
    Type? BuildTarget { get; set; }

    /// <summary>Creates the client.</summary>
    DurableTaskClient Build(IServiceProvider serviceProvider);
}

/// <summary>Gives clients by name.</summary>
public interface IDurableTaskClientProvider
{
    /// <summary>The client of that name.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is none.</exception>
    DurableTaskClient GetClient(string? name = null);
}

/// <summary>Creates the client by its class.</summary>
public class DefaultDurableTaskClientBuilder(string? name, IServiceCollection services) : IDurableTaskClientBuilder
{
    /// <inheritdoc/>
    public string Name { get; } = name ?? Options.DefaultName;

    /// <inheritdoc/>
    public IServiceCollection Services { get; } = services;

    /// <inheritdoc/>
    public Type? BuildTarget { get; set; }

    /// <inheritdoc/>
    public DurableTaskClient Build(IServiceProvider serviceProvider)
    {
        var target = BuildTarget ?? throw new InvalidOperationException(
            $"The durable task client '{Name}' has no build target: call UseTaskHub() or another Use… method on its builder.");
        return (DurableTaskClient)ActivatorUtilities.CreateInstance(serviceProvider, target, Name);
    }
}

/// <summary>Settings of a client.</summary>
public static class DurableTaskBuilderExtensions
{
    /// <summary>Sets the client's options.</summary>
    public static IDurableTaskClientBuilder Configure(this IDurableTaskClientBuilder builder, Action<DurableTaskClientOptions> configure)
    {
        builder.Services.Configure(builder.Name, configure);
        return builder;
    }

    /// <summary>Sets the version of started orchestrations that name none.</summary>
    public static IDurableTaskClientBuilder UseDefaultVersion(this IDurableTaskClientBuilder builder, string version) =>
        builder.Configure(options => options.DefaultVersion = version);

    /// <summary>Sets the class of the client.</summary>
    public static IDurableTaskClientBuilder UseBuildTarget(this IDurableTaskClientBuilder builder, Type target)
    {
        builder.BuildTarget = target;
        return builder;
    }

    /// <summary>Sets the class of the client.</summary>
    public static IDurableTaskClientBuilder UseBuildTarget<TTarget>(this IDurableTaskClientBuilder builder)
        where TTarget : DurableTaskClient => builder.UseBuildTarget(typeof(TTarget));

    /// <summary>Sets the class of the client and of its options.</summary>
    public static IDurableTaskClientBuilder UseBuildTarget<TTarget, TOptions>(this IDurableTaskClientBuilder builder)
        where TTarget : DurableTaskClient
        where TOptions : DurableTaskClientOptions
    {
        builder.Services.AddOptions<TOptions>(builder.Name).PostConfigure<IOptionsMonitor<DurableTaskClientOptions>>((options, common) =>
        {
            var source = common.Get(builder.Name);
            options.DataConverter = source.DataConverter;
            options.DefaultVersion = source.DefaultVersion;
            options.EnableEntitySupport = source.EnableEntitySupport;
        });
        return builder.UseBuildTarget<TTarget>();
    }

    /// <summary>Makes <see cref="DurableTaskClient"/> itself a service: this client.</summary>
    public static IDurableTaskClientBuilder RegisterDirectly(this IDurableTaskClientBuilder builder)
    {
        builder.Services.AddSingleton(services => services.GetRequiredService<IDurableTaskClientProvider>().GetClient(builder.Name));
        return builder;
    }
}

/// <summary>Registers clients.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds a client, or goes on with the one of that name.</summary>
    public static IDurableTaskClientBuilder AddDurableTaskClient(this IServiceCollection services, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton<IDurableTaskClientProvider, DurableTaskClientProvider>();
        services.AddOptions();
        var existing = services
            .Select(static service => service.ImplementationInstance)
            .OfType<RegisteredClient>()
            .FirstOrDefault(client => client.Builder.Name == (name ?? Options.DefaultName));
        if (existing is null)
        {
            existing = new RegisteredClient(new DefaultDurableTaskClientBuilder(name, services));
            services.AddSingleton(existing);
        }

        return existing.Builder;
    }

    /// <summary>Adds a client and makes <see cref="DurableTaskClient"/> itself a service.</summary>
    public static IServiceCollection AddDurableTaskClient(this IServiceCollection services, Action<IDurableTaskClientBuilder> configure) =>
        AddDurableTaskClient(services, Options.DefaultName, configure);

    /// <summary>Adds a client; the one with the default name makes <see cref="DurableTaskClient"/> itself a service.</summary>
    public static IServiceCollection AddDurableTaskClient(
        this IServiceCollection services, string name, Action<IDurableTaskClientBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var builder = services.AddDurableTaskClient(name);
        configure(builder);
        if (builder.Name == Options.DefaultName && !services.Any(static service => service.ServiceType == typeof(DurableTaskClient)))
        {
            builder.RegisterDirectly();
        }

        return services;
    }
}

/// <summary>A client that was described.</summary>
internal sealed record RegisteredClient(IDurableTaskClientBuilder Builder);

/// <summary>Creates each client when it is first asked for.</summary>
internal sealed class DurableTaskClientProvider(IEnumerable<RegisteredClient> clients, IServiceProvider services)
    : IDurableTaskClientProvider, IAsyncDisposable
{
    private readonly Dictionary<string, Lazy<DurableTaskClient>> _clients = clients.ToDictionary(
        client => client.Builder.Name,
        client => new Lazy<DurableTaskClient>(() => client.Builder.Build(services)));

    public DurableTaskClient GetClient(string? name = null) =>
        _clients.TryGetValue(name ?? Options.DefaultName, out var client)
            ? client.Value
            : throw new ArgumentOutOfRangeException(nameof(name), name, "There is no durable task client of that name.");

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients.Values.Where(static client => client.IsValueCreated))
        {
            await client.Value.DisposeAsync();
        }
    }
}
