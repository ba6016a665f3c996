using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Drydock.Api;
using Drydock.Server.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>
/// What is measured of maintenances, as Prometheus reads it. Instruments of one name are one metric of the process, which ends with the
/// first server that does: no other may be there.
/// </summary>
[Collection(Alone.Name)]
public sealed class MaintenanceMetricsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_holds_maintenances_up_and_the_phases_of_migrations_are_shown_until_they_are_over()
    {
        await using var host = await RestHost.StartAsync(["node-1"]);
        using var metrics = ActivatorUtilities.CreateInstance<MaintenanceMetrics>(host.Services);
        var first = Running("m-1") with
        {
            Blockers = [Blocker("vm-not-migratable"), Blocker("budget-can-never-be-met")],
            Vms = [new("shop", "db", "Migrating", "") { Phase = "Running" }, new("shop", "gone", "Migrated", "") { Phase = "Succeeded", Outcome = "Migrated" }, new("shop", "down", "Waiting", "")],
        };

        metrics.See(first);
        metrics.See(Running("m-2") with { State = MaintenanceState.LeaseLost, Blockers = [Blocker("vm-not-migratable")] });
        metrics.See(Running("m-4") with { State = MaintenanceState.Suspended });
        metrics.See(Running("m-3") with { State = MaintenanceState.Completed, EndedAt = TimeProvider.System.GetUtcNow(), Blockers = [Blocker("vm-not-migratable")] });
        var text = await host.Http.GetStringAsync("metrics", Token);

        Values(text, "drydock_blocked", "kind").ShouldBe(["budget-can-never-be-met 1", "vm-not-migratable 2"], ignoreOrder: true);
        Values(text, "drydock_migrations", "phase").ShouldBe(["Running 1"]);
        Values(text, "drydock_maintenances_running", "state").ShouldBe(["LeaseLost 1", "Running 1", "Suspended 1"], ignoreOrder: true);
    }

    [Fact]
    public void An_end_is_counted_once_and_not_kept_in_mind_for_ever()
    {
        var clock = new FakeTimeProvider();
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var meter = new ServerMeter(services.GetRequiredService<IMeterFactory>(), new StubCluster(), clock);
        using var metrics = new MaintenanceMetrics(null!, null!, meter, new InstanceNodes(), clock, NullLogger<MaintenanceMetrics>.Instance);
        var ends = 0;
        using var listener = new MeterListener();
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => ends++);
        listener.EnableMeasurementEvents(meter.MaintenanceDuration);
        var first = Running("m-1") with { StartedAt = clock.GetUtcNow(), State = MaintenanceState.Completed, EndedAt = clock.GetUtcNow() };

        metrics.See(first);
        metrics.See(first);
        (ends, metrics.Remembered).ShouldBe((1, 1));
        clock.Advance(TimeSpan.FromHours(2));
        metrics.See(first with { Id = "m-2", EndedAt = clock.GetUtcNow() });
        (ends, metrics.Remembered).ShouldBe((2, 1));
        metrics.See(first);

        (ends, metrics.Remembered).ShouldBe((2, 1), "Forgotten, and still not counted again.");
    }

    [Fact]
    public void A_step_is_measured_when_it_is_over_with_how_it_ended()
    {
        var clock = new FakeTimeProvider();
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var meter = new ServerMeter(services.GetRequiredService<IMeterFactory>(), new StubCluster(), clock);
        using var metrics = new MaintenanceMetrics(null!, null!, meter, new InstanceNodes(), clock, NullLogger<MaintenanceMetrics>.Instance);
        var steps = new List<string>();
        using var listener = new MeterListener();
        listener.SetMeasurementEventCallback<double>((_, seconds, tags, _) => steps.Add($"{string.Join(' ', tags.ToArray().Select(static tag => $"{tag.Key}={tag.Value}"))} {seconds}"));
        listener.EnableMeasurementEvents(meter.StepDuration);
        var begun = clock.GetUtcNow();
        StepView Step(string name, int from, int to) => new(name, begun.AddSeconds(from), begun.AddSeconds(to));
        var view = Running("m-1") with { StartedAt = begun, Steps = [Step("Plan", 0, 2), Step("Lease", 2, 3)] };

        metrics.See(view);
        metrics.See(view);
        metrics.See(view with { State = MaintenanceState.Failed, EndedAt = begun.AddSeconds(63), Steps = [.. view.Steps, Step("Drain", 3, 63)] });

        steps.ShouldBe(["step=Plan outcome=Done 2", "step=Lease outcome=Done 1", "step=Drain outcome=Failed 60"]);
    }

    private static MaintenanceView Running(string id) =>
        new(id, "node-1", MaintenanceState.Running, "Drain", "") { StartedAt = TimeProvider.System.GetUtcNow() };

    private static BlockerView Blocker(string kind) => new(kind, "shop/db", null, null, default, 1, null, null, "");

    /// <summary>Each label and value of a series.</summary>
    private static IEnumerable<string> Values(string text, string series, string label) =>
        from line in text.Split('\n')
        let match = Regex.Match(line, $"^{series}\\{{(?:[^}}]*,)?{label}=\"(?<value>[^\"]*)\"[^}}]*\\}} (?<count>[0-9]+)", RegexOptions.None, TimeSpan.FromSeconds(5))
        where match.Success
        select $"{match.Groups["value"].Value} {match.Groups["count"].Value}";
}
