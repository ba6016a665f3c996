using Drydock.Api;
using Drydock.EndToEndTests.Server;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Telemetry;

/// <summary>
/// What Prometheus reads of a server. Instruments of one name are one metric of the process, which ends with the first server that does:
/// these tests run with no other beside them.
/// </summary>
[Collection(Alone.Name)]
public sealed class MetricsTests
{
    private const string Ends = "drydock_maintenance_duration_seconds_count{";

    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task Metrics_tell_how_long_steps_took_and_what_became_of_pods()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var started = await harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Health = new HealthSettings { StableFor = "0s" } }, null, Token);
        await harbour.WatchAsync(started.Id, static _ => false, Token);

        // One scrape reads one instrument after the other: the first that shows the end may be too early for the others.
        string[] wanted =
        [
            Ends, "drydock_maintenance_step_duration_seconds_count", "step=\"Drain\"", "outcome=\"Completed\"",
            "drydock_pods_total", "outcome=\"gone\"", "drydock_hub_commit_duration_seconds_bucket", "drydock_hub_items{", "drydock_watch_age_seconds{",
        ];
        await UntilAsync(harbour, metrics => wanted.All(metrics.Contains));
    }

    [Fact]
    public async Task Maintenances_of_a_rollout_are_measured_like_any_other()
    {
        await using var harbour = await Harbour.OpenAsync(Token);
        var settings = new MaintenanceSettings { Health = new HealthSettings { StableFor = "0s" } };
        await harbour.Api.CreateRolloutAsync(new RolloutCreate { Nodes = ["node-2", "node-3"], Maintenance = settings }, null, Token);

        await UntilAsync(harbour, static metrics => metrics.Split('\n').Any(static line =>
            line.StartsWith(Ends, StringComparison.Ordinal) && line.Contains("outcome=\"Completed\"", StringComparison.Ordinal) && line.Split("} ")[^1].Split(' ')[0] == "2"));
    }

    private async Task UntilAsync(Harbour harbour, Func<string, bool> holds)
    {
        var metrics = "";
        var since = TimeProvider.System.GetTimestamp();
        while (!holds(metrics) && TimeProvider.System.GetElapsedTime(since) < TimeSpan.FromMinutes(1))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System, Token);
            metrics = await harbour.Http.GetStringAsync("metrics", Token);
        }

        holds(metrics).ShouldBeTrue(metrics);
    }
}
