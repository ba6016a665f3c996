using Drydock.Kubernetes;
using Drydock.Maintenance.VirtualMachines;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Several servers on one cluster: our limit of migrations to one node holds for all of them together.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class InboundGateTests
{
    private const string Begun = "begun";

    [Fact(Timeout = World.Timeout)]
    public async Task What_one_server_has_begun_the_other_counts_also_when_both_want_it_at_the_same_moment()
    {
        await using var world = await World.StartAsync(TwoMachines);
        var (one, other) = (new InboundGate(world.Time), new InboundGate(world.Time));
        var (looked, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());

        var first = BeginAsync(world, one, "vm-1", async () =>
        {
            // It has counted and not begun yet: now the other comes.
            looked.SetResult();
            await goOn.Task;
        });
        await looked.Task;
        var second = BeginAsync(world, other, "vm-2");
        await world.RunUntilAsync(() => second.IsCompleted, TimeSpan.FromMinutes(1));
        goOn.SetResult();
        var third = BeginAsync(world, other, "vm-2");
        await world.RunUntilAsync(() => first.IsCompleted && third.IsCompleted, TimeSpan.FromMinutes(1));

        (await second).ShouldStartWith("maintenance m1/vms/vm-1 is beginning a migration: no two at the same moment");
        (await first).ShouldBe(Begun);
        (await third).ShouldEndWith(": no more than 1 at a time to one node.");
        Evacuating(world).ShouldBe(["vm-1"]);

        await world.RunUntilAsync(() => Evacuating(world).Count == 0 && !IsMoving(world), TimeSpan.FromMinutes(10));
        var last = BeginAsync(world, other, "vm-2");
        await world.RunUntilAsync(() => last.IsCompleted, TimeSpan.FromMinutes(1));
        (await last).ShouldBe(Begun);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Who_died_with_the_turn_is_in_the_way_for_half_a_minute_and_finds_it_again_itself()
    {
        await using var world = await World.StartAsync(TwoMachines);
        (await world.Kubernetes.AcquireTurnAsync(ClusterTurn.Inbound, "drydock/hub/m1/vms/vm-1", TimeSpan.FromSeconds(30), CancellationToken.None)).IsOurs.ShouldBeTrue();

        var other = BeginAsync(world, new InboundGate(world.Time), "vm-2");
        await world.RunUntilAsync(() => other.IsCompleted, TimeSpan.FromMinutes(1));
        var itself = BeginAsync(world, new InboundGate(world.Time), "vm-1");
        await world.RunUntilAsync(() => itself.IsCompleted, TimeSpan.FromMinutes(1));

        (await other).ShouldStartWith("maintenance m1/vms/vm-1 is beginning a migration");
        (await itself).ShouldBe(Begun);
        (await world.Kubernetes.AcquireTurnAsync(ClusterTurn.Inbound, "drydock/other/m2/vms/x", TimeSpan.FromSeconds(1), CancellationToken.None)).IsOurs.ShouldBeTrue();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_turn_that_nobody_gives_back_is_taken_over_when_it_has_lapsed()
    {
        await using var world = await World.StartAsync(TwoMachines);
        await world.Kubernetes.AcquireTurnAsync(ClusterTurn.Inbound, "drydock/dead/m9/vms/x", TimeSpan.FromSeconds(30), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromSeconds(31));

        var begun = BeginAsync(world, new InboundGate(world.Time), "vm-1");
        await world.RunUntilAsync(() => begun.IsCompleted, TimeSpan.FromMinutes(1));

        (await begun).ShouldBe(Begun);
    }

    private static Scenario TwoMachines { get; } = new()
    {
        Name = "two-machines",
        EvictionStrategy = "LiveMigrate",
        Nodes = [.. Enumerable.Range(1, 2).Select(number => new NodeSpec($"node-{number}"))],
        VirtualMachines = [.. Enumerable.Range(1, 2).Select(number => new VirtualMachineSpec("vms", $"vm-{number}") { On = "node-1" })],
        Maintain = "node-1",
    };

    /// <summary>Evicts the launcher of the machine through a gate that lets one at a time move to a node; what came of it.</summary>
    private static async Task<string> BeginAsync(World world, InboundGate gate, string vm, Func<Task>? first = null)
    {
        // As an activity does, on the pool: the clock of the world jumps only when nothing runs there.
        await Task.Yield();
        var name = new ObjectRef("vms", vm);
        return await gate.BeginAsync(world.Kubernetes, new InboundMove("node-1", "drydock/hub/m1", name, 1), EvictAsync, CancellationToken.None) ?? Begun;

        async Task EvictAsync()
        {
            await (first?.Invoke() ?? Task.CompletedTask);
            var launcher = (await world.Kubernetes.ListLaunchersOnNodeAsync("node-1", CancellationToken.None)).Single(pod => pod.Vmi == name);
            (await world.Kubernetes.EvictPodAsync(new PodInstance(launcher.Ref, launcher.Uid, "node-1"), null, CancellationToken.None)).Answer
                .ShouldBe(EvictionAnswer.VmMigrating);
        }
    }

    private static List<string> Evacuating(World world) =>
        [.. world.Cluster.Store.List(KubeVirtTypes.Instances).Where(vmi => vmi["status"]?["evacuationNodeName"] is not null).Select(vmi => (string)vmi["metadata"]!["name"]!)];

    private static bool IsMoving(World world) =>
        world.Cluster.Store.List(KubeVirtTypes.Migrations).Any(migration => (string?)migration["status"]?["phase"] is not ("Succeeded" or "Failed"));
}
