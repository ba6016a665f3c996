using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Whoever suspends or cancels a maintenance in the middle of a batch of evictions sees no other begun than those that are in flight.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class EvictionStopTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_pod_of_a_batch_is_evicted_any_more_once_it_is_suspended_or_cancelled(bool isCancel)
    {
        await using var world = await World.StartAsync(Machines() with
        {
            Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
            Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 40, On = [.. Enumerable.Repeat("node-1", 40)] }],
        });
        await StopsAsync(world, Request(world), isCancel);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task No_launcher_that_waited_for_its_turn_is_evicted_any_more_once_it_is_suspended()
    {
        await using var world = await World.StartAsync(Machines([.. Enumerable.Range(1, 8).Select(n => Machine($"vm-{n}"))]));
        await StopsAsync(world, Request(world), isCancel: false);
    }

    private static async Task StopsAsync(World world, MaintenanceRequest request, bool isCancel)
    {
        using var slow = world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Latency = TimeSpan.FromSeconds(2) });
        await world.BeginAsync(request with { Drain = request.Drain with { MaxParallelEvictions = 2 } });
        await world.RunUntilAsync(() => Evictions(world) >= 2);
        await world.RunForAsync(TimeSpan.FromSeconds(1));
        await (isCancel
            ? world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None)
            : world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), CancellationToken.None));
        await world.RunForAsync(TimeSpan.FromMilliseconds(100));
        var before = Evictions(world);

        await world.RunForAsync(TimeSpan.FromMinutes(5));
        (Evictions(world) - before).ShouldBeInRange(0, 2, "those that were in flight are answered");
        if (!isCancel)
        {
            (await world.StatusAsync<MaintenanceStatus>())!.Suspension.ShouldNotBeNull();
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Resume, "ann"), CancellationToken.None);
        }

        var report = await world.EndAsync();
        report.Outcome.ShouldBe(isCancel ? MaintenanceOutcome.Cancelled : MaintenanceOutcome.Completed, report.Message);
        world.AcceptedEvictions().ShouldBeUnique();
    }

    /// <summary>Those that were answered.</summary>
    private static int Evictions(World world) => world.Api.RequestLog.Of("create", "pods", "eviction").Count;
}
