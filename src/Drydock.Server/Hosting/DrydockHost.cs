using Drydock.Api;
using Drydock.DurableTask.TaskHub;
using Drydock.DurableTask.TaskHub.Endpoint;
using Drydock.Operator;
using Drydock.Server.Callers;
using Drydock.Server.Rest;
using Drydock.Server.Telemetry;
using Drydock.Server.Tls;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Scalar.AspNetCore;

namespace Drydock.Server;

/// <summary>The server: Drydock behind REST.</summary>
public static class DrydockHost
{
    private const long LargestBody = 1024 * 1024;

    // What a caller of the gRPC endpoint must say to reach the maintenances.
    internal const string MaintenanceHub = "drydock";

    /// <summary>
    /// The server, ready to be started. Nothing is opened, bound or listened on before its start;
    /// <see cref="StartFailure.Describe"/> tells why a start failed.
    /// </summary>
    /// <param name="options">What it is told.</param>
    /// <param name="configure">Last changes to the services, for tests and for callers with a logger of their own.</param>
    /// <exception cref="DrydockOptionsException">The options are wrong; the message lists everything.</exception>
    public static WebApplication Build(DrydockOptions options, Action<IServiceCollection>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ApplicationName = "Drydock.Server",
            ContentRootPath = AppContext.BaseDirectory,
            EnvironmentName = Environments.Production,
        });

        // Everything comes by the options: an ASPNETCORE_ variable must not open another port.
        builder.Configuration.Sources.Clear();
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        if (options.Access.Mode == AccessMode.None)
        {
            // Before the hub is opened and bound to the cluster.
            builder.Services.AddHostedService<OnlySimulatedForEverybody>();
        }

        builder.Services.AddDrydock(options);
        builder.Services.AddHostedService(static services => new IdleMemory(
            services.GetRequiredService<IInstanceFeed>(), IdleMemory.Collect, services.GetRequiredService<TimeProvider>()));
        builder.Services.AddHostedService<FirstUse>();
        AddHubServer(builder.Services, options);
        builder.Services.ConfigureHttpJsonOptions(static json => ApiJson.Apply(json.SerializerOptions));
        builder.Services.AddAccess(options.Access);
        builder.Services.AddTelemetry(options);
        builder.Services.AddSingleton<LiveOptions>();
        builder.Services.AddSingleton<IHostedService>(static provider => provider.GetRequiredService<LiveOptions>());
        builder.Services.AddSingleton(options.Tls);
        builder.Services.AddSingleton<ServerCertificate>();
        builder.Services.AddExceptionHandler<Faults>();
        builder.Services.AddProblemDetails();
        builder.Services.AddApiDocument(options.Access.Mode);
        // Longer than the worker lets what runs end, or it would be cut off in the middle of giving its items back.
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = TimeSpan.FromSeconds(15));
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestBody;
            foreach (var url in options.Urls)
            {
                Listen(kestrel, url, options.Access.Mode != AccessMode.None);
            }
        });
        configure?.Invoke(builder.Services);
        var app = builder.Build();
        Map(app);
        return app;
    }

    /// <summary>
    /// Task hubs for other SDKs. A worker that names none must not get the work of maintenances, which it could only fail: it gets a hub
    /// of its own.
    /// </summary>
    private static void AddHubServer(IServiceCollection services, DrydockOptions options)
    {
        if (DurableTaskRegistration.HubListen(options) is not { } listen)
        {
            return;
        }

        services.AddSingleton(provider =>
        {
            var hubs = Others(options, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>());
            hubs.Lend(MaintenanceHub, provider.GetRequiredService<EmbeddedTaskHub>());
            return hubs;
        });
        services.AddSingleton(provider => new TaskHubServer(
            provider.GetRequiredService<TaskHubDirectory>(),
            new TaskHubServerOptions { Listen = listen, Token = options.HubToken },
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton<IHostedService>(static provider => provider.GetRequiredService<TaskHubServer>());
    }

    private static TaskHubDirectory Others(DrydockOptions options, TimeProvider clock, ILoggerFactory loggers) => options.HubStore switch
    {
        HubStore.PostgreSql database => TaskHubDirectory.OnPostgreSql(database.ConnectionString, options.HubSettings, clock, loggers),
        HubStore.Sqlite file => new TaskHubDirectory(
            Path.ChangeExtension(file.Path, TaskHubDirectory.DefaultName + Path.GetExtension(file.Path)), options.HubSettings, clock, loggers),
        _ => throw new InvalidOperationException($"There are no other hubs beside {options.HubStore}."),
    };

    private static void Listen(KestrelServerOptions kestrel, string url, bool withAccess)
    {
        DrydockOptions.ReadUrl(url, withAccess, out var endpoint, out var isHttps);
        kestrel.Listen(endpoint, listen =>
        {
            if (isHttps)
            {
                var certificate = kestrel.ApplicationServices.GetRequiredService<ServerCertificate>();
                _ = certificate.Current;
                listen.UseHttps(https => https.ServerCertificateSelector = (_, _) => certificate.Current);
            }
        });
    }

    private static void Map(WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages(Faults.DescribeStatusAsync);
        app.UseAccess();
        app.MapProbes();
        app.MapOpenApi("/openapi/{documentName}.json").NeedsToken();
        var isOpen = app.Services.GetRequiredService<AccessOptions>().Mode == AccessMode.None;
        if (!isOpen)
        {
            app.MapDocumentLogin();
        }

        app.MapScalarApiReference(DocumentLogin.Home, docs => docs.WithTitle("Drydock").DisableAgent().DisableDefaultFonts().DisableTelemetry().HideDeveloperTools()
                .AddHeaderContent(isOpen ? "" : DocumentLogin.LogOutButton))
            .NeedsToken().AddEndpointFilter(static (invocation, next) =>
            {
                // Whatever the page would like to fetch from elsewhere: it works without, and a browser must not try.
                invocation.HttpContext.Response.Headers.ContentSecurityPolicy =
                    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";
                return next(invocation);
            });

        // To where a browser is asked who it is.
        app.MapGet("/", static () => TypedResults.Redirect(DocumentLogin.Home)).ForAnybody().ExcludeFromDescription();
        var api = app.MapGroup("/api/v1").AddEndpointFilter(SpecialPermissions.CheckAsync);
        api.MapMaintenances();
        api.MapNodes();
        api.MapRollouts();
        api.MapWindows();
        api.MapVirtualMachines();
    }
}
