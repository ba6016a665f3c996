using Grpc.Core;

namespace Drydock.Server.Telemetry;

/// <summary>
/// Counts what is in the hub once in ten seconds: a hub that several servers share asks its database for that, which no scrape should wait for.
/// </summary>
internal sealed class HubMetrics(ITaskHub hub, ServerMeter meter, TimeProvider clock, ILogger<HubMetrics> logger) : BackgroundService
{
    /// <summary>How old a count may be.</summary>
    internal static readonly TimeSpan Round = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (hub is not ITaskHubExtensions counted)
        {
            return;
        }

        using var rounds = new PeriodicTimer(Round, clock);
        try
        {
            do
            {
                try
                {
                    meter.Show(await counted.GetCountsAsync(stoppingToken));
                }
                catch (TaskHubException unknown) when (unknown.Status == StatusCode.Unimplemented)
                {
                    // Another make of hub; it counts for itself.
                    return;
                }
                catch (Exception error) when (!stoppingToken.IsCancellationRequested)
                {
                    // Measuring must not end the process that does the work.
                    meter.Show(hub: null);
                    logger.LogWarning(error, "The hub could not be counted; it is tried again.");
                }
            }
            while (await rounds.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end of the process.
        }
    }
}
