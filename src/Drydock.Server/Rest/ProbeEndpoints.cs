using Drydock.Api;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Drydock.Server.Rest;

/// <summary>Tells a supervisor whether the process lives and whether it can do its work; and what it measures.</summary>
internal static class ProbeEndpoints
{
    public static void MapProbes(this IEndpointRouteBuilder app)
    {
        app.MapGet("/healthz", static () => TypedResults.Text("ok")).ForAnybody().WithTags("Probes").WithSummary("The process lives.");
        app.MapGet("/readyz", ReadyAsync).ForAnybody().WithTags("Probes")
            .WithSummary("Something was written to the task hub just now, the API server answers, and the watches are live.");
        app.MapPrometheusScrapingEndpoint("/metrics").Needs(Permissions.ReadMetrics);
    }

    private static async Task<Results<ContentHttpResult, ProblemResult>> ReadyAsync(Readiness readiness, CancellationToken cancellationToken) =>
        await readiness.CheckAsync(cancellationToken) is { Count: > 0 } broken
            ? new ProblemResult(new Problem(ProblemTypes.Unavailable, "Not ready", 503, string.Join(' ', broken)))
            : TypedResults.Text("ready");
}
