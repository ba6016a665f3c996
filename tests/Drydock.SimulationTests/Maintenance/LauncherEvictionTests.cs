using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Evictions of launcher pods are as polite as those of other pods: few at once, no sooner than the server asks, and at once when a budget frees up.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class LauncherEvictionTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(null)]
    [InlineData(8)]
    public async Task No_more_are_under_way_at_once_than_the_request_allows_for_the_node(int? mostInbound)
    {
        await using var world = await World.StartAsync(Machines([.. Enumerable.Range(1, 8).Select(n => Machine($"vm-{n}"))]));
        var (underWay, most) = (0, 0);
        world.Api.Intercept = async request =>
        {
            if (request is { Subresource: "eviction", IsDone: false })
            {
                var now = Interlocked.Increment(ref underWay);
                InterlockedMax(ref most, now);

                // Those that are sent together meet. A refused one is not told of again.
                await world.WhenStillAsync();
                Interlocked.Decrement(ref underWay);
            }
        };
        var wish = Request(world, new VirtualMachinePolicy { MaxInboundPerNode = mostInbound });

        var report = await world.MaintainAsync(wish with { Drain = wish.Drain with { MaxParallelEvictions = 2 } });

        report.VirtualMachines.Count.ShouldBe(8);
        report.VirtualMachines.ShouldAllBe(vm => vm.Outcome == VmOutcome.Migrated);
        most.ShouldBeInRange(1, 2);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_busy_API_server_is_left_in_peace_for_as_long_as_it_asks_and_the_machine_says_so()
    {
        await using var world = await World.StartAsync(Machines(Machine("one")));
        using var busy = world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Code = 429, RetryAfterSeconds = 45, Count = 1 });
        await world.BeginAsync(Request(world));
        await world.RunForAsync(TimeSpan.FromSeconds(20));

        // News of the machine does not shorten it.
        Annotate(world, "one", "example.com/note", "x");
        Change(world, "one", vmi => vmi["status"]!["conditions"]!.AsArray().Add(new JsonObject { ["type"] = "Paused", ["status"] = "False" }));
        await world.RunForAsync(TimeSpan.FromSeconds(10));

        var waiting = await VmAsync(world, "one");
        var report = await world.EndAsync();

        (waiting.Progress, waiting.Blocker!.Kind).ShouldBe((VmProgress.Blocked, "throttled"));
        report.VirtualMachines.Single().Outcome.ShouldBe(VmOutcome.Migrated);
        var refused = Evictions(world).Where(eviction => eviction.Code == 429).ToList();
        refused.Count.ShouldBe(2, "the busy server's answer and KubeVirt's, which means that it migrates");
        (refused[1].Time - refused[0].Time).ShouldBeInRange(TimeSpan.FromSeconds(45), TimeSpan.FromSeconds(50));
        waiting.Deadline.ShouldNotBeNull().ShouldBe(refused[0].Time.AddSeconds(45), TimeSpan.FromSeconds(1));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_budget_of_people_that_frees_up_lets_the_machine_go_at_once()
    {
        await using var world = await World.StartAsync(Machines(
            Machine("one") with { EvictionStrategy = "None" }, Machine("two") with { EvictionStrategy = "None", On = "node-2" }));
        world.Cluster.Store.Create(ResourceTypes.PodDisruptionBudgets, new JsonObject
        {
            ["metadata"] = new JsonObject { ["namespace"] = "vms", ["name"] = "all" },
            ["spec"] = new JsonObject
            {
                ["minAvailable"] = 2,
                ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["kubevirt.io"] = "virt-launcher" } },
            },
        });
        await world.RunForAsync(TimeSpan.FromSeconds(1));
        await world.BeginAsync(Request(world));
        await world.RunUntilAsync(() => Evictions(world).Count == 2);
        await world.RunForAsync(TimeSpan.FromSeconds(2));
        var held = await VmAsync(world, "one");

        world.Cluster.Store.Update(ResourceTypes.PodDisruptionBudgets, "vms", "all", budget =>
        {
            budget["spec"]!["minAvailable"] = 1;
            return true;
        });
        var freed = world.Time.GetUtcNow();
        await world.RunUntilAsync(() => world.AcceptedEvictions().Count > 0);

        (Evictions(world).First(eviction => eviction.Code == 201).Time - freed).ShouldBeLessThan(
            TimeSpan.FromSeconds(3), "the next was due eight seconds later");
        Evictions(world).Count(eviction => eviction.Code == 429).ShouldBe(2);
        held.Blocker.ShouldNotBeNull().ShouldSatisfyAllConditions(
            blocker => blocker.Kind.ShouldBe("budget-exhausted"), blocker => blocker.Object.ShouldBe("poddisruptionbudget/vms/all"));
        (await world.EndAsync()).VirtualMachines.Single().Outcome.ShouldBe(VmOutcome.RestartedElsewhere);
    }

    private static List<RequestRecord> Evictions(World world) => [.. world.Api.RequestLog.Of("create", "pods", "eviction")];

    private static void InterlockedMax(ref int most, int value)
    {
        for (var before = Volatile.Read(ref most); before < value; before = Volatile.Read(ref most))
        {
            Interlocked.CompareExchange(ref most, value, before);
        }
    }
}
