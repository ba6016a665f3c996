using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Virtual machines that a selector, a rule or a label of the request leaves where they are; and those that come to a held node.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RuledMachineTests
{
    public enum By
    {
        Selector,
        Rule,
        Label,
        Completion,
    }

    public static MatrixTheoryData<By, string> All => new([.. Enum.GetValues<By>()], ["migrates", "is-shut-down", "cannot-migrate"]);

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(All))]
    public async Task A_machine_that_the_request_leaves_alone_stays_as_the_plan_says(By by, string which)
    {
        await using var world = await World.StartAsync(Machines(which switch
        {
            "is-shut-down" => Machine("one") with { EvictionStrategy = "None", RunStrategy = "Once" },
            "cannot-migrate" => Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" },
            _ => Machine("one"),
        }));
        if (by == By.Label)
        {
            Launcher(world, pod => pod["metadata"]!["labels"]!["cluster.x-k8s.io/drain"] = "skip");
        }

        var drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(20) };
        var request = Request(world) with
        {
            Drain = by switch
            {
                By.Selector => drain with { PodSelector = "app=web" },
                By.Rule => drain with { Rules = [new DrainRule(DrainBehavior.Skip) { PodSelector = "kubevirt.io=virt-launcher" }] },
                By.Completion => drain with { Rules = [new DrainRule(DrainBehavior.WaitForCompletion) { PodSelector = "kubevirt.io=virt-launcher" }] },
                _ => drain,
            },
        };
        var uid = (string?)Vmi(world, "one")!["metadata"]!["uid"];
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        plan.VirtualMachines.ShouldHaveSingleItem().Fate.ShouldBe(VmFate.Stays);

        await world.BeginAsync(request);
        if (by == By.Completion)
        {
            await world.RunForAsync(TimeSpan.FromMinutes(10));
            (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers.ShouldHaveSingleItem().Kind.ShouldBe("await-completion");
            StaysAsItIs();
            Launcher(world, pod => pod["status"]!["phase"] = "Succeeded");
        }

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldBeEmpty();
        if (by != By.Completion)
        {
            StaysAsItIs();
        }

        void StaysAsItIs()
        {
            var vmi = Vmi(world, "one")!;
            ((string?)vmi["metadata"]!["uid"], (string?)vmi["status"]!["nodeName"], (string?)vmi["status"]!["phase"]).ShouldBe((uid, "node-1", "Running"));
            Migrations(world, "one").ShouldBeEmpty();
            world.Api.RequestLog.Of("create", "pods", "eviction").ShouldBeEmpty();
        }
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(DeadlinePolicy.Fail, true)]
    [InlineData(DeadlinePolicy.Force, true)]
    [InlineData(DeadlinePolicy.Fail, false)]
    public async Task A_machine_that_comes_to_a_held_node_long_after_the_deadline_has_a_time_of_its_own_and_fails_nothing(DeadlinePolicy policy, bool isMigratable)
    {
        var late = Machine("late") with { On = "node-2", NotMigratable = isMigratable ? null : "HostDeviceNotLiveMigratable" };
        await using var world = await World.StartAsync(Machines(Machine("one"), late));
        var request = Request(world) with { Action = MaintenanceAction.Hold };
        request = request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(30), OnTimeout = policy } };
        await world.BeginAsync(request);
        await world.RunForAsync(TimeSpan.FromHours(3));

        Arrive(world, "late");
        await world.RunForAsync(TimeSpan.FromHours(2));

        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "stop").ShouldBeEmpty();
        ((string?)Vmi(world, "late")!["status"]!["nodeName"] == "node-1").ShouldBe(!isMigratable);
        if (!isMigratable)
        {
            (await VmAsync(world, "late")).Blocker.ShouldNotBeNull().Kind.ShouldBe("vm-not-migratable");
        }

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(StuckVmPolicy.Wait, 503, 25)]
    [InlineData(StuckVmPolicy.Wait, 403, 5)]
    [InlineData(StuckVmPolicy.Fail, 503, 25)]
    [InlineData(StuckVmPolicy.Fail, 503, 0)]
    public async Task A_machine_that_comes_to_a_held_node_and_cannot_leave_fails_nothing_whatever_the_policy_and_the_API_server_say(StuckVmPolicy policy, int code, int minutesAway)
    {
        await using var world = await World.StartAsync(Machines(Machine("late") with { On = "node-2", NotMigratable = "HostDeviceNotLiveMigratable" }));
        await world.BeginAsync(Request(world, Quick with { OnNotMigratable = policy, OnStuck = policy }) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        Arrive(world, "late");
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var back = world.Time.GetUtcNow() + TimeSpan.FromMinutes(minutesAway);
        world.Api.Intercept = request => request is { Verb: not "watch", Resource: "virtualmachines.kubevirt.io", IsDone: false } && world.Time.GetUtcNow() < back
            ? throw new ApiException(code, code == 503 ? "ServiceUnavailable" : "Forbidden", "not now")
            : Task.CompletedTask;
        await world.RunForAsync(TimeSpan.FromMinutes(minutesAway));
        var away = await VmAsync(world, "late");
        await world.RunForAsync(TimeSpan.FromMinutes(10));

        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();
        if (minutesAway > 0)
        {
            away.Blocker.ShouldNotBeNull(away.Message).Kind.ShouldBe("node-unseen");
        }

        (await VmAsync(world, "late")).Blocker.ShouldNotBeNull().Kind.ShouldBe("vm-not-migratable");
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        Vmi(world, "late").InstancePhase().ShouldBe("Running");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_on_a_held_node_whose_move_cannot_look_hears_that_the_maintenance_ends()
    {
        await using var world = await World.StartAsync(Machines(Machine("late") with { On = "node-2", NotMigratable = "HostDeviceNotLiveMigratable" }));
        await world.BeginAsync(Request(world, Quick) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        Arrive(world, "late");
        var back = world.Time.GetUtcNow() + TimeSpan.FromMinutes(20);
        world.Api.Intercept = request => request is { Verb: not "watch", Resource: "virtualmachines.kubevirt.io", IsDone: false } && world.Time.GetUtcNow() < back
            ? throw new ApiException(503, "ServiceUnavailable", "not now")
            : Task.CompletedTask;
        await world.RunForAsync(TimeSpan.FromMinutes(16));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.StillThere);
    }

    private static void Launcher(World world, Action<System.Text.Json.Nodes.JsonObject> change)
    {
        var launcher = world.Cluster.Store.List(ResourceTypes.Pods, "vms").Single(pod => (string?)pod["metadata"]!["labels"]!["kubevirt.io"] == "virt-launcher");
        world.Cluster.Store.Update(ResourceTypes.Pods, "vms", (string)launcher["metadata"]!["name"]!, pod =>
        {
            change(pod);
            return true;
        });
    }

    /// <summary>Machine and launcher are on the node now, past its cordon.</summary>
    internal static void Arrive(World world, string name) => Move(world, name, "node-1");
}
