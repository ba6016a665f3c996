using Drydock.Maintenance;
using Drydock.Maintenance.Drain;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// The numbers of many machines and of many nodes, in virtual time. The most memory that a server takes is measured by the benchmark, from
/// outside: this process is the simulated cluster too, and what tests before this one left in it.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class NumbersTests
{
    private const int Count = 12;
    private const int Nodes = 50;
    private const int PodsOfNode = 20;
    private const int AtOnce = 25;

    /// <summary>Of the cluster, the hub, fifty maintenances and all that holds them, in bytes; a bound for the product alone.</summary>
    private const long MostMemory = 400_000_000;

    [Theory(Timeout = World.Timeout)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Twelve_machines_take_little_longer_than_KubeVirts_limit_lets_them(int limit)
    {
        await using var world = await World.StartAsync(Machines([.. Enumerable.Range(1, Count).Select(number => Machine($"vm-{number}") with { Copy = TimeSpan.FromSeconds(8) })]));
        LimitPerNode(world, limit);

        await world.BeginAsync(Request(world));
        while (await world.StatusAsync<MaintenanceStatus>() is not { Step: MaintenanceStep.Done })
        {
            // Bit by bit: each has a minute of real time.
            await world.RunForAsync(TimeSpan.FromSeconds(5));
        }

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var times = world.Cluster.Store.List(KubeVirtTypes.Migrations)
            .Select(migration => (Began: Since(migration, "Scheduling"), Ended: Since(migration, "Succeeded"))).ToList();
        times.Count.ShouldBe(Count, "each migrates once");
        times.Max(one => times.Count(other => other.Began <= one.Began && other.Ended > one.Began)).ShouldBe(limit);
        var each = times.Average(one => (one.Ended - one.Began).TotalSeconds);
        var took = (times.Max(one => one.Ended) - report.Steps.Single(step => step.Step == MaintenanceStep.Drain).From).TotalSeconds;
        took.ShouldBeLessThanOrEqualTo(1.1 * Count / limit * each);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Of_a_thousand_pods_on_fifty_nodes_no_more_are_being_evicted_at_any_instant_than_configured_and_memory_is_bounded()
    {
        var scenario = new Scenario
        {
            Name = "fifty-nodes",
            Nodes = [.. Enumerable.Range(1, 2 * Nodes).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
            Workloads = [new WorkloadSpec("deployment", "load", "web") { Replicas = Nodes * PodsOfNode, On = [.. Enumerable.Range(1, Nodes).Select(number => $"node-{number}")] }],
            Maintain = "node-1",
        };
        await using var world = await World.StartAsync(scenario, configure: static services => services.AddSingleton(new EvictionSlots(AtOnce)));
        var gate = new Lock();
        var (underWay, most, done) = (0, 0, 0);
        var evicted = new List<string>();
        world.Api.Intercept = async request =>
        {
            if (request.Subresource == "eviction")
            {
                lock (gate)
                {
                    underWay += request.IsDone ? -1 : 1;
                    most = Math.Max(most, underWay);
                    if (request.IsDone)
                    {
                        evicted.Add(request.Name!);
                        done++;
                    }
                }

                if (!request.IsDone)
                {
                    // Those that are sent together meet.
                    await world.WhenStillAsync();
                }
            }
        };

        foreach (var number in Enumerable.Range(1, Nodes))
        {
            await world.BeginAsync(world.Request() with { Node = $"node-{number}", Action = MaintenanceAction.Hold }, $"m{number}");
        }

        await world.RunUntilAsync(() => Volatile.Read(ref done) == Nodes * PodsOfNode);

        most.ShouldBe(AtOnce);
        evicted.Count.ShouldBe(Nodes * PodsOfNode);
        evicted.ShouldBeUnique();
        GC.GetTotalMemory(forceFullCollection: true).ShouldBeLessThan(MostMemory);
    }
}
