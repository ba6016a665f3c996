using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Drydock.Server.Rest;

/// <summary>Tells a supervisor whether the process lives and whether it can do its work; and what it measures.</summary>
internal static class ProbeEndpoints
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>A watch is silent for a minute between two bookmarks, and is taken for dead after 150 s.</summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(200);

    private static readonly TimeSpan LongestBreak = TimeSpan.FromSeconds(30);

    public static void MapProbes(this IEndpointRouteBuilder app)
    {
        app.MapGet("/healthz", static () => TypedResults.Text("ok")).ForAnybody().WithTags("Probes").WithSummary("The process lives.");
        app.MapGet("/readyz", ReadyAsync).ForAnybody().WithTags("Probes")
            .WithSummary("Something was written to the task hub just now, the API server answers, and the watches are live.");
        app.MapPrometheusScrapingEndpoint("/metrics").Needs(Permissions.ReadMetrics);
    }

    private static async Task<Results<ContentHttpResult, ProblemResult>> ReadyAsync(
        IServerHub hub, ICluster cluster, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Patience, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        var checks = await Task.WhenAll(
            CheckAsync("The task hub", hub.ProveAsync(stop.Token).WaitAsync(stop.Token), cancellationToken),
            CheckAsync("The API server", cluster.GetIdentityAsync(stop.Token), cancellationToken));
        return checks.OfType<string>().Concat(Watches(cluster, clock.GetUtcNow())).ToList() is { Count: > 0 } broken
            ? new ProblemResult(new Problem(ProblemTypes.Unavailable, "Not ready", 503, string.Join(' ', broken)))
            : TypedResults.Text("ready");
    }

    private static IEnumerable<string> Watches(ICluster cluster, DateTimeOffset now) =>
        from watch in cluster.Counts.Watches
        let silent = now - watch.HeardAt
        where silent > LongestSilence || (watch.Broken is not null && silent > LongestBreak)
        select $"The watch of {watch.Resource} heard nothing for {silent.TotalSeconds:0} s{(watch.Broken is null ? "" : ": " + watch.Broken.TrimEnd('.'))}.";

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
