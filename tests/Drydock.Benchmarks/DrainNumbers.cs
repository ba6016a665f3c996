using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Drydock.Api;
using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.Benchmarks;

/// <summary>
/// The drain beside kubectl on the same simulated cluster, in the same run: how long until the last pod has left, and what was asked for
/// it. Then a thousand pods on fifty nodes at once.
/// </summary>
internal sealed class DrainNumbers(string program)
{
    private const int Nodes = 50;
    private const int PodsOfNode = 20;

    private const int Machines = 12;

    /// <summary>How exactly the end of a drain is seen.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(20);

    /// <summary>KubeVirt's default of <c>parallelOutboundMigrationsPerNode</c>.</summary>
    private const int MachinesAtOnce = 2;

    /// <summary>How many evictions may be under way in the process: fewer than its default, so that the bound is felt.</summary>
    private const int AtOnce = 25;

    /// <summary>An eviction takes that long on the way, as one does over a network.</summary>
    private static readonly TimeSpan EvictionTakes = TimeSpan.FromMilliseconds(30);

    public async Task<IReadOnlyList<Figure>> MeasureAsync()
    {
        var figures = new List<Figure>();
        foreach (var row in Rows())
        {
            var ours = await DrainAsync(row.Scene, "dotnet", [program, "maintain", "node-1", "--stable-for", "0s"]);
            var kubectl = await DrainAsync(row.Scene, "kubectl", ["drain", "node-1", "--ignore-daemonsets"]);
            figures.Add(new($"{row.Name}: seconds from the cordon", row.Most, ours.FromCordon));
            figures.Add(new($"{row.Name}: kubectl, seconds from the cordon", null, kubectl.FromCordon));
            figures.Add(new($"{row.Name}: seconds from the start of the process", null, ours.FromStart));
            figures.Add(new($"{row.Name}: kubectl, seconds from the start of the process", null, kubectl.FromStart));
            figures.Add(new($"{row.Name}: times faster, from the cordon", null, kubectl.FromCordon / ours.FromCordon));
            figures.Add(new($"{row.Name}: times faster, from the start of the process", row.TimesFaster, kubectl.FromStart / ours.FromStart) { AtLeast = true });
            figures.Add(new($"{row.Name}: requests for each pod", row.MostRequests, ours.RequestsForEachPod));
            figures.Add(new($"{row.Name}: kubectl, requests for each pod", null, kubectl.RequestsForEachPod));
        }

        var (move, one) = await MachinesAsync();
        var bound = one * Machines / MachinesAtOnce;
        figures.Add(new($"{Machines} VMs, {MachinesAtOnce} at a time by KubeVirt's limit, {one:0.0} s each, times the bound of {bound:0} s", 1.1, move / bound));

        var (took, most, memory) = await FiftyNodesAsync();
        figures.Add(new($"{Nodes * PodsOfNode} pods on {Nodes} nodes, most evictions under way at once ({AtOnce} configured)", AtOnce, most));
        figures.Add(new($"{Nodes * PodsOfNode} pods on {Nodes} nodes, most memory of the server, MB", 400, memory));
        figures.Add(new($"{Nodes * PodsOfNode} pods on {Nodes} nodes, seconds", null, took));
        return figures;
    }

    private static IEnumerable<Row> Rows()
    {
        // Ten kinds of pods that take 0.2 to 2 s to end.
        var mixed = Enumerable.Range(1, 10).Select(number => Load($"kind-{number}", 10) with { TerminateAfter = TimeSpan.FromSeconds(0.2 * number) });
        yield return new Row("100 pods without a budget, 2 s the longest to end", Scene([.. mixed]), 4, 3);
        yield return new Row("8 pods under maxUnavailable 1, replacement 1 s", Budgeted(8, "1"), 1.2 * 8, 6) { TimesFaster = 3.5 };
        yield return new Row("30 pods under maxUnavailable 1, replacement 1 s", Budgeted(30, "1"), 1.2 * 30, 6);
        yield return new Row("100 pods under maxUnavailable 10 %, replacement 1 s", Budgeted(100, "10%"), 1.2 * 10, 6);
    }

    private static Scenario Budgeted(int pods, string maxUnavailable) =>
        Scene([Load("web", pods) with { TerminateAfter = TimeSpan.FromSeconds(0.5), StartAfter = TimeSpan.FromSeconds(1) }]) with
        {
            Budgets = [new BudgetSpec("load", "web", "web") { MaxUnavailable = maxUnavailable }],
        };

    private static WorkloadSpec Load(string name, int pods) => new("deployment", "load", name) { Replicas = pods, On = ["node-1"] };

    private static Scenario Scene(IReadOnlyList<WorkloadSpec> workloads) => new()
    {
        Name = "drain-numbers",
        Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
        Workloads = workloads,
        Maintain = "node-1",
    };

    private static Scenario FiftyNodes() => new()
    {
        Name = "fifty-nodes",
        Nodes = [.. Enumerable.Range(1, 2 * Nodes).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
        Workloads = [new WorkloadSpec("deployment", "load", "web") { Replicas = Nodes * PodsOfNode, On = [.. Enumerable.Range(1, Nodes).Select(number => $"node-{number}")] }],
    };

    /// <summary>
    /// Empties node-1 of the scene by a program. Both programs are measured alike, on the cluster: from the start of the process and from the
    /// first change of the node, until the last pod of the scene is gone from it. All requests from that change on are counted; only those that
    /// open watches, one for each type and process, are left out.
    /// </summary>
    private static async Task<Drained> DrainAsync(Scenario scene, string program, string[] arguments)
    {
        await using var world = await BenchCluster.StartAsync(scene);
        var pods = PodsOf(world);
        var start = TimeProvider.System.GetUtcNow();
        var running = world.RunAsync(program, arguments);
        while (PodsOf(world) > 0 && !running.IsCompleted)
        {
            await Task.Delay(LookEvery, TimeProvider.System);
        }

        var gone = TimeProvider.System.GetUtcNow();
        await running;
        var left = PodsOf(world);
        var requests = world.Cluster.Api.RequestLog.All;
        var cordon = requests.First(static request => request is { Verb: "patch", Resource: "nodes", Code: 200 }).Time;
        return left > 0
            ? throw new InvalidOperationException($"{program} left {left} pods on the node.")
            : new Drained(
                (gone - start).TotalSeconds, (gone - cordon).TotalSeconds,
                (double)requests.Count(request => request.Verb != "watch" && request.Time >= cordon && request.Time <= gone) / pods);
    }

    private static int PodsOf(BenchCluster world) =>
        world.Cluster.Store.List(ResourceTypes.Pods, "load").Count(static pod => (string?)pod["spec"]!["nodeName"] == "node-1");

    /// <summary>Until the last machine has moved, and what one takes from Scheduling to Succeeded, in seconds; KubeVirt writes whole ones.</summary>
    private async Task<(double Seconds, double One)> MachinesAsync()
    {
        await using var world = await BenchCluster.StartAsync(Scene([]) with
        {
            EvictionStrategy = "LiveMigrate",
            VirtualMachines = [.. Enumerable.Range(1, Machines).Select(number => new VirtualMachineSpec("vms", $"vm-{number}") { On = "node-1", Copy = TimeSpan.FromSeconds(8) })],
        });
        var drain = DrainOf(await MaintainAsync(world));
        using var http = new HttpClient(world.Cluster.Api.CreateHandler()) { BaseAddress = new Uri("http://simulated") };
        await using var answer = await http.GetStreamAsync(new Uri("/apis/kubevirt.io/v1/virtualmachineinstancemigrations", UriKind.Relative));
        using var migrations = await JsonDocument.ParseAsync(answer);
        var times = migrations.RootElement.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("status").GetProperty("phaseTransitionTimestamps").EnumerateArray()
            .ToDictionary(time => time.GetProperty("phase").GetString()!, time => time.GetProperty("phaseTransitionTimestamp").GetDateTimeOffset())).ToList();
        return times.Count == Machines
            ? ((times.Max(each => each["Succeeded"]) - drain).TotalSeconds, times.Average(each => (each["Succeeded"] - each["Scheduling"]).TotalSeconds))
            : throw new InvalidOperationException($"{times.Count} migrations for {Machines} virtual machines.");
    }

    private async Task<JsonElement> MaintainAsync(BenchCluster world)
    {
        var output = await world.RunAsync("dotnet", program, "maintain", "node-1", "--kubeconfig", world.Kubeconfig, "--stable-for", "0s", "-o", "json");
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)
            .Single(line => line.GetProperty("type").GetString() == "summary").GetProperty("maintenance");
    }

    private static DateTimeOffset DrainOf(JsonElement summary) =>
        summary.GetProperty("steps").EnumerateArray().First(step => step.GetProperty("step").GetString() == "Drain").GetProperty("from").GetDateTimeOffset();

    private async Task<(double Seconds, double MostAtOnce, double Megabytes)> FiftyNodesAsync()
    {
        await using var world = await BenchCluster.StartAsync(FiftyNodes());
        var gate = new Lock();
        var (underWay, most) = (0, 0);
        world.Cluster.Api.Intercept = async request =>
        {
            if (request.Subresource != "eviction")
            {
                return;
            }

            lock (gate)
            {
                underWay += request.IsDone ? -1 : 1;
                most = Math.Max(most, underWay);
            }

            if (!request.IsDone)
            {
                await Task.Delay(EvictionTakes, TimeProvider.System);
            }
        };
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var url = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        listener.Stop();
        using var server = world.Start(
            "dotnet", program, "serve", "--kubeconfig", world.Kubeconfig, "--db", world.File("hub.db"), "--urls", url, "--access", "none",
            "--max-parallel-evictions", $"{AtOnce}", "--stop-with-stdin");
        server.ErrorDataReceived += static (_, line) => Console.Error.WriteLine(line.Data);
        server.BeginErrorReadLine();
        try
        {
            var client = DrydockApiClient.For(new Uri(url));
            var start = Stopwatch.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(1, Nodes).Select(number => CreateAsync(client, $"node-{number}", server)));
            while ((await client.ListMaintenancesAsync(null, true, null, CancellationToken.None)).Items.Count > 0)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
            }

            return (Stopwatch.GetElapsedTime(start).TotalSeconds, most, await PeakAsync(server));
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync();
        }
    }

    /// <summary>The most memory that was resident, in MB, as the kernel says (VmHWM, in KiB).</summary>
    private static async Task<double> PeakAsync(Process process)
    {
        var status = await File.ReadAllLinesAsync($"/proc/{process.Id}/status");
        return double.Parse(status.Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024 / 1e6;
    }

    private static async Task CreateAsync(DrydockApiClient client, string node, Process server)
    {
        while (true)
        {
            try
            {
                await client.CreateMaintenanceAsync(
                    new MaintenanceCreate { Node = node, Health = new HealthSettings { StableFor = "0s" } }, "bench-" + node, CancellationToken.None);
                return;
            }
            catch (HttpRequestException) when (!server.HasExited)
            {
                // It is not up yet.
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System);
            }
        }
    }

    private sealed record Row(string Name, Scenario Scene, double Most, double MostRequests)
    {
        /// <summary>How many times faster than kubectl it must be; null: no less is asked.</summary>
        public double? TimesFaster { get; init; }
    }

    private sealed record Drained(double FromStart, double FromCordon, double RequestsForEachPod);
}

/// <summary>A simulated cluster over HTTP, and a folder for what is run against it.</summary>
internal sealed class BenchCluster : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("drydock-bench-").FullName;

    private BenchCluster(SimulatedCluster cluster) => Cluster = cluster;

    public SimulatedCluster Cluster { get; }

    public string Kubeconfig => File("kubeconfig");

    public static async Task<BenchCluster> StartAsync(Scenario scene)
    {
        var world = new BenchCluster(SimulatedCluster.Create(scene, TimeProvider.System, NullLoggerFactory.Instance, seed: 1));
        await world.Cluster.StartAsync(CancellationToken.None);
        var address = await world.Cluster.ListenAsync(0, CancellationToken.None);
        await System.IO.File.WriteAllTextAsync(world.Kubeconfig, SimulatedApiServer.Kubeconfig(address));
        return world;
    }

    public string File(string name) => Path.Combine(_folder, name);

    public Process Start(string program, params string[] arguments) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        Environment = { ["KUBECONFIG"] = Kubeconfig, ["HOME"] = _folder, ["XDG_STATE_HOME"] = _folder },
        UseShellExecute = false,
        RedirectStandardOutput = true,
        RedirectStandardInput = true,
        RedirectStandardError = true,
    })!;

    public async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Start(program, arguments);

        // kubectl tells every refusal there; nobody reads it, but a full pipe would stop it.
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}.\n{output}");
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
