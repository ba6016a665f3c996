using Drydock.Kubernetes;

namespace Drydock.Server.Rest;

/// <summary>
/// Whether the work can be done: the hub can be written, the API server answers, the watches are live. Looked at once a second at most, however
/// many ask: every look writes to the hub.
/// </summary>
internal sealed class Readiness(IServerHub hub, ICluster cluster, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    /// <summary>A watch that is silent for 150 s is taken for dead and opened again, which counts as heard.</summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(200);

    private static readonly TimeSpan LongestBreak = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private Task<IReadOnlyList<string>>? _look;
    private long _lookedAt;

    /// <summary>What does not work, one sentence each; empty: all does.</summary>
    public Task<IReadOnlyList<string>> CheckAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_look is null || (_look.IsCompleted && clock.GetElapsedTime(_lookedAt) >= Fresh))
            {
                // Not with the token of one of those who ask: the others wait for the same look.
                (_look, _lookedAt) = (LookAsync(), clock.GetTimestamp());
            }

            return _look.WaitAsync(cancellationToken);
        }
    }

    private async Task<IReadOnlyList<string>> LookAsync()
    {
        using var limit = new CancellationTokenSource(Patience, clock);
        var checks = await Task.WhenAll(
            CheckAsync("The task hub", stop => hub.ProveAsync(stop).WaitAsync(stop), limit.Token),
            CheckAsync("The API server", cluster.GetIdentityAsync, limit.Token));
        return [.. checks.OfType<string>(), .. Watches()];
    }

    private IEnumerable<string> Watches() =>
        from watch in cluster.Counts.Watches
        let silent = clock.GetUtcNow() - watch.HeardAt
        where silent > LongestSilence || (watch.Broken is not null && silent > LongestBreak)
        select $"The watch of {watch.Resource} heard nothing for {silent.TotalSeconds:0} s{(watch.Broken is null ? "" : ": " + watch.Broken.TrimEnd('.'))}.";

    private static async Task<string?> CheckAsync(string what, Func<CancellationToken, Task> check, CancellationToken stop)
    {
        try
        {
            await check(stop);
            return null;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return $"{what} did not answer within {Patience.TotalSeconds} s.";
        }
        catch (Exception error) when (error is TaskHubException or ClusterException)
        {
            return $"{what} does not work: {error.Message}";
        }
    }
}
