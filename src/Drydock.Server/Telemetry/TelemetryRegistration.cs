using Drydock.Server.Callers;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Drydock.Server.Telemetry;

/// <summary>Registers metrics, traces and the form of the log.</summary>
internal static class TelemetryRegistration
{
    public static IServiceCollection AddTelemetry(this IServiceCollection services, DrydockOptions options)
    {
        services.AddSingleton<InstanceNodes>();
        services.AddSingleton<ServerMeter>();
        services.AddSingleton<IHostedService, MaintenanceMetrics>();
        services.AddSingleton<IHostedService, HubMetrics>();
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(static resource => resource.AddService("drydock"))
            .WithMetrics(static metrics => metrics
                .AddMeter(ServerMeter.Name, "Drydock.TaskHub", "Microsoft.AspNetCore.Hosting", "System.Net.Http")
                .AddView("drydock.maintenance.duration", new ExplicitBucketHistogramConfiguration { Boundaries = Minutes })
                .AddView("drydock.maintenance.step.duration", new ExplicitBucketHistogramConfiguration { Boundaries = Minutes })
                .AddView("drydock.hub.commit.duration", new ExplicitBucketHistogramConfiguration { Boundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5] })
                .AddPrometheusExporter());
        if (options.Telemetry.OtlpEndpoint is { } endpoint)
        {
            telemetry.WithTracing(traces => traces
                .AddSource("Drydock.DurableTask")
                .AddAspNetCoreInstrumentation(static http => http.Filter = static context =>
                    context.GetEndpoint()?.Metadata.GetMetadata<EndpointAccess>() is not { IsAnonymous: true })
                .AddHttpClientInstrumentation()
                .AddOtlpExporter(otlp => otlp.Endpoint = new Uri(endpoint)));
        }

        services.AddLogging(logging => logging
            .AddConsole(console => console.FormatterName = options.LogFormat == LogFormat.Json ? JsonLineFormatter.FormatterName : TextLineFormatter.FormatterName)
            .AddConsoleFormatter<JsonLineFormatter, ConsoleFormatterOptions>()
            .AddConsoleFormatter<TextLineFormatter, ConsoleFormatterOptions>());
        return services;
    }

    private static double[] Minutes => [1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 86400];
}
