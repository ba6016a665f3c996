using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.Benchmarks;

/// <summary>How large a cluster the simulator carries, measured over HTTP: memory, lists, the fan-out of a write, evictions per second.</summary>
internal sealed class SimulatorFigures(int nodes, int pods, int machines)
{
    private const int Watchers = 50;
    private const int PodsPerDeployment = 100;

    /// <summary>Starts the cluster, measures, and returns each figure with its limit.</summary>
    public async Task<IReadOnlyList<Figure>> MeasureAsync()
    {
        var figures = new List<Figure>();
        var clock = Stopwatch.StartNew();
        await using var cluster = SimulatedCluster.Create(Cluster(), TimeProvider.System, NullLoggerFactory.Instance);
        await cluster.StartAsync(CancellationToken.None);
        using var http = new HttpClient { BaseAddress = await cluster.ListenAsync(0, CancellationToken.None), Timeout = TimeSpan.FromMinutes(5) };
        figures.Add(new($"start of {nodes} nodes, {pods} pods, {machines} VMs, seconds", null, clock.Elapsed.TotalSeconds));
        figures.Add(new("start, CPU seconds", null, Environment.CpuUsage.TotalTime.TotalSeconds));

        var (listed, took, cpu) = await TimedAsync(() => ListAllAsync(http));
        figures.Add(new($"list of {listed} pods in pages of 500, seconds", 5, took));
        figures.Add(new("list, CPU seconds", null, cpu));

        figures.Add(new($"a write seen by {Watchers} watchers, milliseconds (median of 20)", 100, await FanOutAsync(http)));
        var (rate, _, evictionCpu) = await TimedAsync(() => EvictionsAsync(http, cluster.Store));
        figures.Add(new("pod evictions per second", 1000, rate) { AtLeast = true });
        figures.Add(new("CPU time of 5,000 evictions and their replacements so far, client included, seconds", null, evictionCpu));
        var (_, until, rest) = await TimedAsync(() => ReplacedAsync(cluster, pods));
        figures.Add(new("until every replacement runs, seconds more", null, until));
        figures.Add(new("until every replacement runs, CPU seconds", null, rest));
        GC.Collect();
        figures.Add(new("memory, MB", 2000, Environment.WorkingSet / 1e6));
        figures.Add(new("of which managed, MB", null, GC.GetTotalMemory(forceFullCollection: false) / 1e6));
        return figures;
    }

    private static async Task<(T Result, double Seconds, double Cpu)> TimedAsync<T>(Func<Task<T>> act)
    {
        var (cpu, clock) = (Environment.CpuUsage.TotalTime, Stopwatch.StartNew());
        var result = await act();
        return (result, clock.Elapsed.TotalSeconds, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds);
    }

    private static async Task<int> ListAllAsync(HttpClient http)
    {
        var (count, next) = (0, string.Empty);
        do
        {
            var path = "/api/v1/pods?limit=500" + (next.Length > 0 ? $"&continue={Uri.EscapeDataString(next)}" : string.Empty);
            await using var body = await http.GetStreamAsync(path);
            using var page = await JsonDocument.ParseAsync(body);
            count += page.RootElement.GetProperty("items").GetArrayLength();
            next = page.RootElement.GetProperty("metadata").TryGetProperty("continue", out var token) ? token.GetString() ?? string.Empty : string.Empty;
        }
        while (next.Length > 0);
        return count;
    }

    // From the answer of the write until the last of the watchers has read its event.
    private static async Task<double> FanOutAsync(HttpClient http)
    {
        using var stop = new CancellationTokenSource();
        var version = (await http.GetFromJsonAsync<JsonObject>("/api/v1/nodes?limit=1"))!["metadata"]!["resourceVersion"]!.ToString();
        var readers = new List<StreamReader>();
        for (var i = 0; i < Watchers; i++)
        {
            var answer = await http.GetAsync($"/api/v1/nodes?watch=true&resourceVersion={version}", HttpCompletionOption.ResponseHeadersRead, stop.Token);
            readers.Add(new StreamReader(await answer.Content.ReadAsStreamAsync(stop.Token)));
        }

        var spans = new List<double>();
        for (var round = 0; round < 20; round++)
        {
            var mark = $"round-{round}";
            var seen = readers.Select(reader => ReadUntilAsync(reader, mark)).ToList();
            using var patch = new StringContent($"{{\"metadata\":{{\"labels\":{{\"mark\":\"{mark}\"}}}}}}", Encoding.UTF8, "application/merge-patch+json");
            var clock = Stopwatch.StartNew();
            (await http.PatchAsync("/api/v1/nodes/node-1", patch)).EnsureSuccessStatusCode();
            await Task.WhenAll(seen);
            spans.Add(clock.Elapsed.TotalMilliseconds);
        }

        await stop.CancelAsync();
        return spans.Order().ElementAt(spans.Count / 2);
    }

    private static async Task ReadUntilAsync(StreamReader reader, string mark)
    {
        while (await reader.ReadLineAsync() is { } line && !line.Contains($"\"mark\":\"{mark}\"", StringComparison.Ordinal))
        {
            // Heartbeats of the other nodes.
        }
    }

    private static async Task<double> EvictionsAsync(HttpClient http, IObjectStore store)
    {
        var victims = store.List(ResourceTypes.Pods).Where(pod => pod["metadata"]!["namespace"]!.ToString() == "load").Take(5000).Select(pod => pod["metadata"]!["name"]!.ToString()).ToList();
        var clock = Stopwatch.StartNew();
        await Parallel.ForEachAsync(victims, new ParallelOptions { MaxDegreeOfParallelism = 50 }, async (pod, cancellationToken) =>
        {
            using var body = new StringContent(
                $"{{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{{\"name\":\"{pod}\",\"namespace\":\"load\"}}}}", Encoding.UTF8, "application/json");
            (await http.PostAsync($"/api/v1/namespaces/load/pods/{pod}/eviction", body, cancellationToken)).EnsureSuccessStatusCode();
        });
        return victims.Count / clock.Elapsed.TotalSeconds;
    }

    // What the deployments say is old as long as the controllers have work.
    private static async Task<bool> ReplacedAsync(SimulatedCluster cluster, int pods)
    {
        while (cluster.PendingWork > 0 || cluster.Store.List(ResourceTypes.Deployments, "load").Sum(each => each.Number("status", "readyReplicas") ?? 0) < pods)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, CancellationToken.None);
        }

        return true;
    }

    private Scenario Cluster()
    {
        var text = new StringBuilder("name: scale\nevictionStrategy: LiveMigrate\n");
        text.AppendLine(CultureInfo.InvariantCulture, $"nodes: [{{name: 'node-{{n}}', count: {nodes}}}]").AppendLine("workloads:");
        for (var i = 0; i < pods / PodsPerDeployment; i++)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  - {{deployment: load/app-{i}, replicas: {PodsPerDeployment}}}");
        }

        text.AppendLine("virtualMachines:");
        for (var i = 0; i < machines; i++)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  - {{name: vms/vm-{i}, on: node-{(i % nodes) + 1}}}");
        }

        return Scenario.Load(text.ToString());
    }
}
