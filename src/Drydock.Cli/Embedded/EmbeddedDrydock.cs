using Drydock.DurableTask.TaskHub;
using Drydock.Kubernetes;
using Drydock.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.Cli.Embedded;

/// <summary>Everything the server is but its doors, inside this process: hub, worker and maintenances, for as long as one command runs.</summary>
internal sealed class EmbeddedDrydock(IHost host) : IAsyncDisposable
{
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);

    /// <summary>Starts, reads and signals maintenances.</summary>
    public Maintenances Maintenances => host.Services.GetRequiredService<Maintenances>();

    /// <summary>The cluster.</summary>
    public ICluster Cluster => host.Services.GetRequiredService<ICluster>();

    /// <summary>Composes it; nothing is opened or sent before <see cref="StartAsync"/>, and reading a plan needs no start.</summary>
    public static EmbeddedDrydock Build(ClusterConnection connection, string database, bool verbose, (string? Policies, string? Secrets) files)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        if (verbose)
        {
            builder.Logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        }

        builder.Services.AddDrydock(new DrydockOptions
        {
            Hub = $"Data Source={database}",
            Cluster = connection,
            Operator = false,
            PoliciesFile = files.Policies,
            SecretsFolder = files.Secrets,
            // The plan names what is missing, for exactly what was asked.
            CheckAccess = false,
        });
        return new EmbeddedDrydock(builder.Build());
    }

    /// <summary>Opens the hub and goes on with whatever is unfinished in it.</summary>
    /// <exception cref="TaskHubOpenException">The file cannot be used.</exception>
    /// <exception cref="TaskHubBindingException">The file belongs to another cluster.</exception>
    public Task StartAsync(CancellationToken cancellationToken) => host.StartAsync(cancellationToken);

    /// <summary>Lets what is under way come to its next checkpoint, for a few seconds; what does not is done again next time.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(StopPatience);
        try
        {
            await host.StopAsync(patience.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            // It is durable: leaving now loses nothing.
        }

        if (host is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }
        else
        {
            host.Dispose();
        }
    }
}
