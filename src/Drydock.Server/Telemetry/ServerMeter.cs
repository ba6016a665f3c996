using System.Diagnostics.Metrics;
using Drydock.Kubernetes;

namespace Drydock.Server.Telemetry;

/// <summary>
/// All instruments of the server but those of the hub itself; the dashboard under <c>infra/observability</c> shows them. Of several servers
/// on one hub each measures every maintenance, so a query takes the highest (<c>max by</c>) and never the sum.
/// </summary>
internal sealed class ServerMeter : IDisposable
{
    public const string Name = "Drydock";

    private readonly Meter _meter;
    private volatile IReadOnlyDictionary<string, RunningCounts> _running = new Dictionary<string, RunningCounts>();
    private volatile TaskHubCounts? _hub;

    public ServerMeter(IMeterFactory meters, ICluster cluster, TimeProvider clock)
    {
        _meter = meters.Create(Name);
        StepDuration = _meter.CreateHistogram<double>("drydock.maintenance.step.duration", "s", "How long a step of a maintenance took, by whether it was done or the maintenance ended in it, and how.");
        MaintenanceDuration = _meter.CreateHistogram<double>("drydock.maintenance.duration", "s", "How long a maintenance took, by how it ended.");
        Pods = _meter.CreateCounter<long>("drydock.pods", null, "Pods that had to leave, by what became of them.");
        Vms = _meter.CreateCounter<long>("drydock.virtual_machines", null, "Virtual machines, by how they left.");
        Notifications = _meter.CreateCounter<long>("drydock.notifications", null, "Tries to deliver a notification, by target and outcome.");
        _meter.CreateObservableGauge("drydock.maintenances.running", () => Sum(static counts => counts.States), null, "Maintenances that are not over, by state.");
        _meter.CreateObservableGauge("drydock.blocked", () => Sum(static counts => counts.Blockers), null, "What holds maintenances up now, by kind.");
        _meter.CreateObservableGauge("drydock.migrations", () => Sum(static counts => counts.Migrations), null, "Migrations of maintenances under way, by phase.");
        _meter.CreateObservableGauge(
            "drydock.maintenance.step.age", () => _running.Select(each => new Measurement<double>(
                (clock.GetUtcNow() - each.Value.Since).TotalSeconds, new("node", each.Value.Node), new("step", each.Value.Step))), "s", "How long each maintenance is in its step.");
        _meter.CreateObservableGauge("drydock.hub.items", () => Items(_hub), null, "Work in the hub: ready for a worker, held by one, on its way to disk, timers.");
        _meter.CreateObservableGauge(
            "drydock.watch.age", () => cluster.Counts.Watches.GroupBy(static watch => watch.Resource).Select(each => new Measurement<double>(
                (clock.GetUtcNow() - each.Min(static watch => watch.HeardAt)).TotalSeconds, new KeyValuePair<string, object?>("resource", each.Key))), "s", "How long ago the server said something on each watch; the oldest of a kind.");
    }

    public Histogram<double> StepDuration { get; }

    public Histogram<double> MaintenanceDuration { get; }

    public Counter<long> Pods { get; }

    public Counter<long> Vms { get; }

    public Counter<long> Notifications { get; }

    /// <summary>What the gauges show from now on, by maintenance.</summary>
    public void Show(IReadOnlyDictionary<string, RunningCounts> running) => _running = running;

    /// <summary>What the gauge of the hub shows from now on; null: nothing, for it is not known.</summary>
    public void Show(TaskHubCounts? hub) => _hub = hub;

    public void Dispose() => _meter.Dispose();

    private static IEnumerable<Measurement<int>> Items(TaskHubCounts? counts) => counts is null
        ? []
        :
        [
            new(counts.ReadyItems, new KeyValuePair<string, object?>("state", "ready")),
            new(counts.OutstandingItems, new KeyValuePair<string, object?>("state", "outstanding")),
            new(counts.PendingCommits, new KeyValuePair<string, object?>("state", "committing")),
            new(counts.Timers, new KeyValuePair<string, object?>("state", "timer")),
        ];

    private IEnumerable<Measurement<int>> Sum(Func<RunningCounts, IEnumerable<(string Label, string Value)>> of) =>
        _running.Values.SelectMany(of).GroupBy(static each => each)
            .Select(static group => new Measurement<int>(group.Count(), new KeyValuePair<string, object?>(group.Key.Label, group.Key.Value)));
}

/// <summary>What the gauges need of one maintenance.</summary>
internal sealed record RunningCounts(string Node, string Step, DateTimeOffset Since)
{
    public IReadOnlyList<(string Label, string Value)> States { get; init; } = [];

    public IReadOnlyList<(string Label, string Value)> Blockers { get; init; } = [];

    public IReadOnlyList<(string Label, string Value)> Migrations { get; init; } = [];
}
