using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Drydock.EndToEndTests.Cli;
using Drydock.Simulator.Api;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Kill;

/// <summary>The promise: SIGKILL the real process whenever you like, say the same command again, and it ends as if nothing had happened.</summary>
public sealed class KillTests
{
    private static readonly string[] Options = ["--yes", "--vm-not-migratable", "shutdown", "--stable-for", "1s"];

    [Fact]
    public async Task Killed_before_and_after_every_call_that_changes_the_cluster_it_ends_as_if_undisturbed()
    {
        await using var cluster = await LiveCluster.StartAsync(Scenario());
        var before = NodeOf(cluster);
        var killed = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        DrydockProcess? running = null;
        cluster.Cluster.Api.Intercept = async request =>
        {
            // Once just before it is carried out, and once, when it was sent again, just after: the answer never arrives.
            if (request.IsChange && running is { } process && killed.TryAdd($"{Moment(request)}: {Call(request)}", value: true))
            {
                await process.KillAsync();
                if (!request.IsDone)
                {
                    throw new OperationCanceledException("The client is dead before its request is carried out.");
                }
            }
        };

        var (code, told, kept) = (-1, "", 0);
        for (var start = 0; code != 0 && start < 100; start++)
        {
            await using var process = cluster.Start(["maintain", cluster.Node, "-o", "json", .. start == 0 ? Options : ["--yes"]]);
            running = process;
            code = await process.WaitForExitAsync();
            (code is 0 or 137).ShouldBeTrue($"Start {start} ended with {code}.\n{process.Output}\n{process.Error}");
            kept += Deadlines.ShouldBeTheSame(told, process.Output);
            told += process.Output;
        }

        kept.ShouldBeGreaterThan(0, "No deadline was seen both before and after a kill.");
        killed.Keys.Where(key => key.StartsWith("before", StringComparison.Ordinal)).ShouldContain(key => key.Contains("eviction"));
        killed.Keys.ShouldContain(key => key.StartsWith("after", StringComparison.Ordinal) && key.Contains("/stop "));
        TestContext.Current.TestOutputHelper?.WriteLine($"Killed {killed.Count} times:\n{string.Join('\n', killed.Keys.Order(StringComparer.Ordinal))}");
        ShouldBeAsIfUndisturbed(cluster, before);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(10)]
    public async Task Killed_at_a_random_moment_it_ends_as_if_undisturbed(int seed)
    {
        await using var cluster = await LiveCluster.StartAsync(Scenario(), seed);
        var cordonedBefore = seed % 2 == 0;
        cluster.Cluster.Store.Update(ResourceTypes.Nodes, null, cluster.Node, node => Cordon(node, cordonedBefore));
        var before = NodeOf(cluster);

        // The clock of the moment starts with the first call that changes something, or the process would mostly die while it loads;
        // the moments lie within the time that an undisturbed maintenance takes.
        var moment = TimeSpan.FromMilliseconds(new Random(seed).Next(0, 2000));
        var changing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var dead = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var since = 0L;
        cluster.Cluster.Api.Intercept = async request =>
        {
            if (!request.IsChange)
            {
                return;
            }

            Interlocked.CompareExchange(ref since, TimeProvider.System.GetTimestamp(), 0);
            changing.TrySetResult();
            if (!request.IsDone && TimeProvider.System.GetElapsedTime(Volatile.Read(ref since)) > moment)
            {
                // It does nothing more from that moment on, however late the kill comes.
                await dead.Task;
                throw new OperationCanceledException("The client is dead before its request is carried out.");
            }
        };
        string told;
        await using (var first = cluster.Start(["maintain", cluster.Node, "-o", "json", .. Options]))
        {
            await changing.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
            await Task.Delay(moment, TimeProvider.System, TestContext.Current.CancellationToken);
            await first.KillAsync();
            (await first.WaitForExitAsync()).ShouldBe(137, $"It was over before it could be killed after {moment}.");
            told = first.Output;
        }

        cluster.Cluster.Api.Intercept = null;
        dead.SetResult();

        var (code, output, error) = await cluster.RunAsync(["maintain", cluster.Node, "-o", "json", "--yes"]);

        code.ShouldBe(0, $"killed after {moment}\n{output}\n{error}");
        var kept = Deadlines.ShouldBeTheSame(told, output);
        TestContext.Current.TestOutputHelper?.WriteLine($"Killed after {moment}; {kept} deadlines that were told before it are told again.");
        ShouldBeAsIfUndisturbed(cluster, before);
    }

    private static void ShouldBeAsIfUndisturbed(LiveCluster cluster, string nodeBefore)
    {
        cluster.Cluster.Check().Where(check => !check.Ok && !check.Statement.Contains("takes pods", StringComparison.Ordinal)).ShouldBeEmpty();
        NodeOf(cluster).ShouldBe(nodeBefore);
        cluster.Evictions().Values.ShouldAllBe(times => times == 1);
        Accepted(cluster, "stop").ShouldBe(1);
        Accepted(cluster, "start").ShouldBe(1);
        var store = cluster.Cluster.Store;
        store.List(KubeVirtTypes.Migrations).Count(migration => (string?)migration["status"]?["phase"] == "Succeeded").ShouldBe(1);
        var stayer = store.Get(KubeVirtTypes.VirtualMachines, "vms", "stayer")!;
        ((string?)stayer["spec"]!["runStrategy"]).ShouldBe("RerunOnFailure");
        stayer["metadata"]!["annotations"]?.ToJsonString().ShouldNotContain("drydock.dev");
        store.Get(ResourceTypes.Leases, "medik8s-leases", $"node-{cluster.Node}").ShouldBeNull();
    }

    private static int Accepted(LiveCluster cluster, string subresource) => cluster.Cluster.Api.RequestLog.All
        .Count(request => request.Subresource == subresource && request.Code == 202);

    /// <summary>What a maintenance must put back: whether the node takes pods, its taints, and that it carries no mark or label of ours.</summary>
    private static string NodeOf(LiveCluster cluster)
    {
        var node = cluster.Cluster.Store.Get(ResourceTypes.Nodes, null, cluster.Node)!;
        var marks = (node["metadata"]!["annotations"] as JsonObject ?? []).Where(pair => pair.Key.StartsWith("drydock.dev", StringComparison.Ordinal));
        var labels = (node["metadata"]!["labels"] as JsonObject ?? []).Where(pair => pair.Key.Contains("medik8s", StringComparison.Ordinal));
        return $"unschedulable: {node["spec"]?["unschedulable"]?.ToJsonString() ?? "false"}; "
            + $"taints: {string.Join(", ", (node["spec"]?["taints"] as JsonArray ?? []).Select(taint => (string?)taint!["key"]))}; "
            + $"marks: {string.Join(", ", marks.Concat(labels).Select(pair => pair.Key))}";
    }

    private static bool Cordon(JsonObject node, bool cordon)
    {
        if (cordon)
        {
            node["spec"]!["unschedulable"] = true;
            node["spec"]!["taints"] = new JsonArray(new JsonObject { ["key"] = "node.kubernetes.io/unschedulable", ["effect"] = "NoSchedule" });
        }

        return cordon;
    }

    private static string Moment(InterceptedRequest request) => request.IsDone ? "after" : "before";

    private static string Call(InterceptedRequest request) =>
        $"{request.Verb} {request.Resource}/{request.Subresource} {request.Namespace}/{(request.Resource.StartsWith("events", StringComparison.Ordinal) ? "" : request.Name)}";

    private static Scenario Scenario([CallerFilePath] string file = "") =>
        Simulator.Scenarios.Scenario.Load(File.ReadAllText(Path.Combine(Path.GetDirectoryName(file)!, "kill.yaml")));
}
