using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// Somebody ends a maintenance by force, and nobody is there any more who would withdraw what was asked of KubeVirt, or end a job that has no
/// pod yet: whoever restores the node does.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class EndedByForceMachineTests
{
    public static MatrixTheoryData<string, bool> Stages => new(["scheduling", "running", "external"], [false, true]);

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Stages))]
    public async Task A_machine_that_was_asked_to_leave_is_told_to_stay(string stage, bool atTheHub)
    {
        await using var world = await EndedAsync(stage);
        var wasMarked = Mark(world);

        var restored = await RestoreAsync(world, atTheHub);
        await world.RunForAsync(TimeSpan.FromMinutes(20));

        wasMarked.ShouldBe("node-1");
        (restored.IsRefused, restored.LeftBehind.Count).ShouldBe((false, 0), string.Join(' ', restored.LeftBehind));
        restored.Done.ShouldContain("Told to stay: virtual machine vms/one.");
        Mark(world).ShouldBeNull();
        Migrations(world, "one").ShouldAllBe(static migration => IsOver(migration), "a copy that hangs KubeVirt has ended, and it makes no other");
        ((string?)Vmi(world, "one")!["status"]!["nodeName"]).ShouldBe("node-1");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_KubeVirt_does_not_let_stay_is_named(bool atTheHub)
    {
        await using var world = await EndedAsync("scheduling", "v1.5.0");

        var restored = await RestoreAsync(world, atTheHub);

        restored.LeftBehind.ShouldHaveSingleItem().ShouldStartWith("Virtual machine vms/one is still marked for evacuation, so that it may leave later: ");
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBeFalse();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_for_which_nobody_answers_keeps_nothing_else_and_is_told_to_stay_by_the_next_restore()
    {
        await using var world = await EndedAsync("external");
        world.Api.Intercept = static request => request.Resource.EndsWith(".subresources.kubevirt.io", StringComparison.Ordinal) && !request.IsDone
            ? throw new ApiException(503, "ServiceUnavailable", "not now")
            : Task.CompletedTask;
        var first = await RestoreAsync(world, atTheHub: false);
        world.Api.Intercept = null;

        var second = await RestoreAsync(world, atTheHub: false);

        first.LeftBehind.ShouldHaveSingleItem().ShouldEndWith(" Try again: drydock restore node-1");
        (second.LeftBehind.Count, Mark(world)).ShouldBe((0, null));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_somebody_else_drains_from_the_node_is_left_to_that()
    {
        await using var world = await World.StartAsync(NoRoom());
        world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", static node =>
        {
            node["spec"]!["unschedulable"] = true;
            return true;
        });
        Change(world, "one", static vmi => vmi["status"]!["evacuationNodeName"] = "node-1");

        await RestoreAsync(world, atTheHub: false);

        Mark(world).ShouldBe("node-1");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_job_of_a_reboot_that_has_no_pod_is_ended(bool atTheHub)
    {
        await using var world = await World.StartAsync(
            Scenario.Named("healthy"),
            configure: Policies.Of(new MaintenancePolicy("p")
            {
                RebootJob = "stuck",
                Jobs = new Dictionary<string, JobTemplate>
                {
                    ["stuck"] = new("kube-system", """{"spec":{"suspend":true,"template":{"spec":{"containers":[{"name":"c","image":"i","command":["sleep","infinity"]}]}}}}"""),
                },
            }));
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Reboot, ActionOptions = new ActionOptions { Timeout = TimeSpan.FromHours(3) }, Policy = "p" });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await EndAsync(world);

        var restored = await RestoreAsync(world, atTheHub);

        restored.LeftBehind.ShouldBeEmpty();
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldBeEmpty();
    }

    private static async Task<World> EndedAsync(string stage, string? kubeVirt = null)
    {
        var world = await World.StartAsync(stage switch
        {
            "running" => Machines(Machine("one") with { Copy = TimeSpan.FromHours(2) }),
            "external" => Machines(Machine("one") with { EvictionStrategy = "External" }),
            _ => NoRoom(),
        });
        if (kubeVirt is not null)
        {
            SetVersion(world, kubeVirt);
        }

        await world.BeginAsync(Request(world));
        await world.RunUntilAsync(() => stage == "external" ? Mark(world) is not null
            : Migrations(world, "one").Any(migration => string.Equals((string?)migration["status"]?["phase"], stage, StringComparison.OrdinalIgnoreCase)));
        await EndAsync(world);
        return world;
    }

    private static async Task EndAsync(World world)
    {
        await world.Client.TerminateInstanceAsync("m1", new TerminateInstanceOptions("enough", Recursive: true), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(45));
    }

    private static async Task<RestoreResult> RestoreAsync(World world, bool atTheHub)
    {
        if (!atTheHub)
        {
            return await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        }

        var request = new RestoreRequest("node-1") { Holder = Holder.Of("hub", "m1"), EvenIfRunning = true, TellsToStay = true };
        await world.Client.ScheduleNewOrchestrationInstanceAsync(Orchestrations.Restore, request, new StartOrchestrationOptions("m1:undo"), CancellationToken.None);
        return (await world.EndOrDieAsync<RestoreResult>("m1:undo"))!;
    }

    private static string? Mark(World world) => (string?)Vmi(world, "one")!["status"]!["evacuationNodeName"];
}
