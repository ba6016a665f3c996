using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>
/// Task hubs over gRPC, for any Durable Task SDK. A port of its own, because clear text HTTP/2 and HTTP/1.1 cannot share one. As a
/// hosted service it stops before the hubs that were there before it.
/// </summary>
public sealed class TaskHubServer : IHostedService, IAsyncDisposable
{
    // A client may wait for many instances over the one connection that its worker's answers take too.
    private const int StreamsPerConnection = 10_000;

    private readonly TaskHubDirectory _hubs;
    private readonly TaskHubServerOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Deliveries _deliveries = new();
    private readonly WebApplication _app;
    private bool _stopped;

    /// <summary>Makes a server that is not started yet.</summary>
    /// <param name="hubs">What it serves; it stays with the caller.</param>
    /// <param name="options">Where and to whom.</param>
    /// <param name="clock">The clock of pings and of the drain.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <exception cref="ArgumentException">The options are wrong; the message lists everything.</exception>
    public TaskHubServer(TaskHubDirectory hubs, TaskHubServerOptions options, TimeProvider clock, ILoggerFactory loggers)
    {
        if (options.Validate() is { Count: > 0 } errors)
        {
            throw new ArgumentException(string.Join(' ', errors), nameof(options));
        }

        _hubs = hubs;
        _options = options;
        _clock = clock;
        _logger = loggers.CreateLogger<TaskHubServer>();
        _app = Build(loggers);
    }

    /// <summary>Where it listens, once it is started.</summary>
    public Uri Address => new(_app.Urls.First());

    /// <summary>Opens the default hub and listens.</summary>
    /// <exception cref="TaskHubOpenException">The default hub cannot be used.</exception>
    /// <exception cref="IOException">The address is taken.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _hubs.GetAsync(null, cancellationToken);
        await _app.StartAsync(cancellationToken);
    }

    /// <summary>Hands out nothing more, waits for what workers hold, ends the streams and closes the port.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_stopped)
        {
            return;
        }

        _stopped = true;
        if (await _deliveries.DrainAsync(_options.DrainTimeout, _clock) is > 0 and var left)
        {
            Log.DrainTimedOut(_logger, left, _options.DrainTimeout);
        }

        await _app.StopAsync(cancellationToken);
    }

    /// <summary>Stops it if it was not stopped.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        _deliveries.Dispose();
    }

    private WebApplication Build(ILoggerFactory loggers)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton(_hubs);
        builder.Services.AddSingleton(_options);
        builder.Services.AddSingleton(_clock);
        builder.Services.AddSingleton(_deliveries);
        builder.Services.AddSingleton<CallGuard>();
        builder.Services.AddSingleton<TaskHubService>();
        builder.Services.AddSingleton<TaskHubExtensionsService>();
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        builder.Services.AddRouting();
        builder.Services.AddGrpc(static grpc => grpc.Interceptors.Add<CallGuard>());
        builder.Services.Configure<HealthCheckPublisherOptions>(static health => health.Delay = TimeSpan.Zero);
        builder.Services.AddGrpcHealthChecks(static health =>
        {
            // "" is the whole server; the other is what orchestrators of processes ask for by name.
            health.Services.Map("", static _ => true);
            health.Services.Map("TaskHubSidecarService", static _ => true);
        }).AddAsyncCheck("task hub", CheckAsync);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.Http2.MaxStreamsPerConnection = StreamsPerConnection;
            kestrel.Limits.Http2.InitialConnectionWindowSize = 4 * 1024 * 1024;
            kestrel.Limits.Http2.InitialStreamWindowSize = 1024 * 1024;

            // A worker whose machine died without a word is found out, and its work given to others.
            kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
            kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
            kestrel.Listen(_options.Listen, static listen => listen.Protocols = HttpProtocols.Http2);
        });
        var app = builder.Build();
        app.UseRouting();
        app.MapGrpcService<TaskHubService>();
        app.MapGrpcService<TaskHubExtensionsService>();
        app.MapGrpcHealthChecksService();
        return app;
    }

    private async Task<HealthCheckResult> CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            await (await _hubs.GetAsync(null, cancellationToken)).HelloAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception exception) when (exception is TaskHubException or TaskHubOpenException)
        {
            return HealthCheckResult.Unhealthy(exception.Message);
        }
    }
}
