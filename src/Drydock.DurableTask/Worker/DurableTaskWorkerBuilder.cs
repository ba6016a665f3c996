using Drydock.DurableTask.Worker.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Drydock.DurableTask.Worker;

/// <summary>Describes a worker while services are registered.</summary>
public interface IDurableTaskWorkerBuilder
{
    /// <summary>The name of the worker; empty for the only one.</summary>
    string Name { get; }

    /// <summary>Where services are registered.</summary>
    IServiceCollection Services { get; }

    /// <summary>The class of the worker.</summary>
    Type? BuildTarget { get; set; }

    /// <summary>Creates the worker.</summary>
    IHostedService Build(IServiceProvider serviceProvider);
}

/// <summary>Creates the worker by its class.</summary>
public class DefaultDurableTaskWorkerBuilder(string? name, IServiceCollection services) : IDurableTaskWorkerBuilder
{
    /// <inheritdoc/>
    public string Name { get; } = name ?? Options.DefaultName;

    /// <inheritdoc/>
    public IServiceCollection Services { get; } = services;

    /// <inheritdoc/>
    public Type? BuildTarget { get; set; }

    /// <inheritdoc/>
    public IHostedService Build(IServiceProvider serviceProvider)
    {
        var target = BuildTarget ?? throw new InvalidOperationException(
            $"The durable task worker '{Name}' has no build target: call UseTaskHub() or another Use… method on its builder.");
        var registry = serviceProvider.GetRequiredService<IOptionsMonitor<DurableTaskRegistry>>().Get(Name);
        return (IHostedService)ActivatorUtilities.CreateInstance(serviceProvider, target, Name, new DurableTaskFactory(registry));
    }
}

/// <summary>Settings of a worker.</summary>
public static class DurableTaskWorkerBuilderExtensions
{
    /// <summary>Registers orchestrators and activities.</summary>
    public static IDurableTaskWorkerBuilder AddTasks(this IDurableTaskWorkerBuilder builder, Action<DurableTaskRegistry> configure)
    {
        builder.Services.Configure(builder.Name, configure);
        return builder;
    }

    /// <summary>Sets the worker's options.</summary>
    public static IDurableTaskWorkerBuilder Configure(this IDurableTaskWorkerBuilder builder, Action<DurableTaskWorkerOptions> configure)
    {
        builder.Services.Configure(builder.Name, configure);
        return builder;
    }

    /// <summary>Sets which versions the worker runs.</summary>
    public static IDurableTaskWorkerBuilder UseVersioning(
        this IDurableTaskWorkerBuilder builder, DurableTaskWorkerOptions.VersioningOptions versionOptions) =>
        builder.Configure(options => options.Versioning = versionOptions);

    /// <summary>The worker takes only what is registered with it; other work is left to other workers of the hub.</summary>
    public static IDurableTaskWorkerBuilder UseWorkItemFilters(this IDurableTaskWorkerBuilder builder)
    {
        builder.Services.Configure<WorkItemFilterOptions>(builder.Name, static options => options.FromRegistry = true);
        return builder;
    }

    /// <summary>The worker takes only what the filters name; null takes everything.</summary>
    public static IDurableTaskWorkerBuilder UseWorkItemFilters(
        this IDurableTaskWorkerBuilder builder, DurableTaskWorkerWorkItemFilters? workItemFilters)
    {
        builder.Services.Configure<WorkItemFilterOptions>(builder.Name, options =>
        {
            options.Given = workItemFilters;
            options.FromRegistry = false;
        });
        return builder;
    }

    /// <summary>Sets the class of the worker.</summary>
    public static IDurableTaskWorkerBuilder UseBuildTarget(this IDurableTaskWorkerBuilder builder, Type target)
    {
        builder.BuildTarget = target;
        return builder;
    }

    /// <summary>Sets the class of the worker.</summary>
    public static IDurableTaskWorkerBuilder UseBuildTarget<TTarget>(this IDurableTaskWorkerBuilder builder)
        where TTarget : DurableTaskWorker => builder.UseBuildTarget(typeof(TTarget));

    /// <summary>Sets the class of the worker and of its options.</summary>
    public static IDurableTaskWorkerBuilder UseBuildTarget<TTarget, TOptions>(this IDurableTaskWorkerBuilder builder)
        where TTarget : DurableTaskWorker
        where TOptions : DurableTaskWorkerOptions
    {
        builder.Services.AddOptions<TOptions>(builder.Name).PostConfigure<IOptionsMonitor<DurableTaskWorkerOptions>>(
            (options, common) => options.CopyFrom(common.Get(builder.Name)));
        return builder.UseBuildTarget<TTarget>();
    }
}

/// <summary>Registers workers.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>Adds a worker that the host runs, or goes on with the one of that name.</summary>
    public static IDurableTaskWorkerBuilder AddDurableTaskWorker(this IServiceCollection services, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions();
        var existing = services
            .Select(static service => service.ImplementationInstance)
            .OfType<RegisteredWorker>()
            .FirstOrDefault(worker => worker.Builder.Name == (name ?? Options.DefaultName));
        if (existing is null)
        {
            existing = new RegisteredWorker(new DefaultDurableTaskWorkerBuilder(name, services));
            services.AddSingleton(existing);
            services.AddSingleton<IHostedService>(provider => existing.Builder.Build(provider));
        }

        return existing.Builder;
    }

    /// <summary>Adds a worker that the host runs.</summary>
    public static IServiceCollection AddDurableTaskWorker(this IServiceCollection services, Action<IDurableTaskWorkerBuilder> configure) =>
        AddDurableTaskWorker(services, Options.DefaultName, configure);

    /// <summary>Adds a worker that the host runs.</summary>
    public static IServiceCollection AddDurableTaskWorker(
        this IServiceCollection services, string name, Action<IDurableTaskWorkerBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        configure(services.AddDurableTaskWorker(name));
        return services;
    }
}

/// <summary>A worker that was described.</summary>
internal sealed record RegisteredWorker(IDurableTaskWorkerBuilder Builder);
