using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>What a drain asks of the API server, as the benchmark counts it: from the cordon until the last pod is gone, but for watches.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RequestCountTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(8, "1", 6)]
    [InlineData(30, "1", 6)]
    [InlineData(100, "10%", 6)]
    [InlineData(100, "100%", 3)]
    public async Task A_pod_costs_no_more_requests_than_the_README_says(int pods, string maxUnavailable, double atMost)
    {
        await using var world = await World.StartAsync(new Scenario
        {
            Name = "numbers",
            Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
            Workloads =
            [
                new WorkloadSpec("deployment", "load", "web")
                {
                    Replicas = pods, On = ["node-1"], TerminateAfter = TimeSpan.FromSeconds(0.5), StartAfter = TimeSpan.FromSeconds(1),
                },

                // As many as real nodes have.
                .. Enumerable.Range(1, 12).Select(number => new WorkloadSpec("daemonSet", "kube-system", $"agent-{number}")),
            ],
            Budgets = [new BudgetSpec("load", "web", "web") { MaxUnavailable = maxUnavailable }],
            Maintain = "node-1",
        });

        await world.BeginAsync(world.Request());
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count == pods && !world.Cluster.Store.List(ResourceTypes.Pods, "load").Any(pod => (string?)pod["spec"]!["nodeName"] == "node-1"));
        var counted = world.Api.RequestLog.All.SkipWhile(static request => request is not { Verb: "patch", Resource: "nodes", Code: 200 })
            .Where(static request => request.Verb != "watch").ToList();

        ((double)counted.Count / pods).ShouldBeLessThanOrEqualTo(atMost, string.Join('\n', counted.Select(request => $"{request.Time:mm:ss.fff} {request.Verb} {request.Resource}/{request.Subresource} {request.Name} {request.Code}")));
    }
}
