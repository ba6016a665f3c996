using System.Diagnostics;
using System.Text.Json;
using Drydock.Api;
using Drydock.EndToEndTests.Cli;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>A drain by the running server beside one by the real kubectl: two clusters alike, at the same time, on the same machine.</summary>
[Collection(Alone.Name)]
public sealed class BesideKubectlTests
{
    private const double TimesFaster = 3.5;

    private static readonly string Program = Environment.GetEnvironmentVariable("DRYDOCK_TEST_KUBECTL") is { Length: > 0 } program ? program : "kubectl";

    private static readonly Scenario Scene = new()
    {
        Name = "beside-kubectl",
        Nodes = [.. Enumerable.Range(1, 3).Select(static number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
        Workloads =
        [
            new WorkloadSpec("deployment", "load", "web") { Replicas = 8, On = ["node-1"], TerminateAfter = TimeSpan.FromSeconds(0.5), StartAfter = TimeSpan.FromSeconds(1) },
        ],
        Budgets = [new BudgetSpec("load", "web", "web") { MaxUnavailable = "1" }],
        Maintain = "node-1",
    };

    private CancellationToken Token { get; } = Harbour.Deadline();

    // By hand, on a machine that does nothing else: ours has two seconds to spare, and whatever runs beside it takes them.
    [Fact(Explicit = true)]
    public async Task Eight_pods_under_a_budget_of_one_are_gone_three_and_a_half_times_sooner()
    {
        var drains = await Task.WhenAll(ByServerAsync(), ByKubectlAsync());
        var (ours, kubectl) = (drains[0], drains[1]);

        ours.TotalSeconds.ShouldBeGreaterThanOrEqualTo(7, "one replacement after the other");
        (kubectl / ours).ShouldBeGreaterThanOrEqualTo(TimesFaster, $"{ours.TotalSeconds:0.0} s, kubectl {kubectl.TotalSeconds:0.0} s");
    }

    /// <summary>From the request that the running server accepted.</summary>
    private async Task<TimeSpan> ByServerAsync()
    {
        await using var cluster = await LiveCluster.StartAsync(Scene);
        await using var server = cluster.Start("serve", "--db", Path.Combine(cluster.Folder, "hub.db"), "--urls", "http://127.0.0.1:0", "--access", "none", "--output", "json");
        await server.WaitForAsync("\"kind\":\"listening\"");
        var line = server.Output.Split('\n').First(static line => line.Contains("\"kind\":\"listening\"", StringComparison.Ordinal));
        using var http = new HttpClient { BaseAddress = new Uri(JsonDocument.Parse(line).RootElement.GetProperty("data").GetProperty("url").GetString()!) };
        var api = new DrydockApiClient(http);
        var request = new MaintenanceCreate { Node = cluster.Node, Health = new HealthSettings { StableFor = "0s" } };

        // A server that runs has maintained a node before; this one is empty.
        var earlier = await api.CreateMaintenanceAsync(request with { Node = "node-3" }, null, Token);
        await foreach (var view in api.WatchMaintenanceAsync(earlier.Id, Token))
        {
            if (view.IsOver)
            {
                break;
            }
        }

        await api.CreateMaintenanceAsync(request, null, Token);
        return await UntilEmptyAsync(cluster);
    }

    /// <summary>From the start of its process, which takes it a tenth of a second.</summary>
    private async Task<TimeSpan> ByKubectlAsync()
    {
        await using var cluster = await LiveCluster.StartAsync(Scene);
        using var kubectl = Process.Start(new ProcessStartInfo(Program, ["drain", cluster.Node, "--ignore-daemonsets", "--kubeconfig", cluster.Kubeconfig])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var texts = Task.WhenAll(kubectl.StandardOutput.ReadToEndAsync(Token), kubectl.StandardError.ReadToEndAsync(Token));
        var took = await UntilEmptyAsync(cluster);
        await kubectl.WaitForExitAsync(Token);
        kubectl.ExitCode.ShouldBe(0, (await texts)[1]);

        // The deployed roles are held against what Drydock calls.
        cluster.Cluster.Api.RequestLog.Clear();
        return took;
    }

    private async Task<TimeSpan> UntilEmptyAsync(LiveCluster cluster)
    {
        var since = Stopwatch.GetTimestamp();
        while (cluster.Cluster.Store.List(ResourceTypes.Pods, "load").Any(static pod => (string?)pod["spec"]!["nodeName"] == "node-1"))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
        }

        return Stopwatch.GetElapsedTime(since);
    }
}
