using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Drydock.Server.Rest;

/// <summary>Tells a supervisor whether the process lives and whether it can do its work.</summary>
internal static class ProbeEndpoints
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static void MapProbes(this IEndpointRouteBuilder app)
    {
        app.MapGet("/healthz", static () => TypedResults.Text("ok")).ForAnybody().WithTags("Probes").WithSummary("The process lives.");
        app.MapGet("/readyz", ReadyAsync).ForAnybody().WithTags("Probes").WithSummary("The task hub answers and the API server of the cluster can be reached.");
    }

    private static async Task<Results<ContentHttpResult, ProblemResult>> ReadyAsync(
        ITaskHub hub, ICluster cluster, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Patience, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        var checks = await Task.WhenAll(
            CheckAsync("The task hub", hub.HelloAsync(stop.Token), cancellationToken),
            CheckAsync("The API server", cluster.GetIdentityAsync(stop.Token), cancellationToken));
        return checks.OfType<string>().ToList() is { Count: > 0 } broken
            ? new ProblemResult(new Problem(ProblemTypes.Unavailable, "Not ready", 503, string.Join(' ', broken)))
            : TypedResults.Text("ready");
    }

    private static async Task<string?> CheckAsync(string what, Task check, CancellationToken cancellationToken)
    {
        try
        {
            await check;
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"{what} did not answer within {Patience.TotalSeconds} s.";
        }
        catch (Exception error) when (error is TaskHubException or ClusterException)
        {
            return $"{what} does not work: {error.Message}";
        }
    }
}
