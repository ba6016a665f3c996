using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// A crash before and after every change that the move of a virtual machine makes: one stop, one start, one migration, and the machine
/// runs as it did before. Then the same machines with a cancel and with a failure in place of the crash.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineCrashTests
{
    private const string Stop = "update virtualmachines.subresources.kubevirt.io/stop";
    private const string Start = "update virtualmachines.subresources.kubevirt.io/start";

    private static readonly string[] Strategies = ["Always", "RerunOnFailure", "Manual", "Once", "running"];

    public static TheoryData<string, bool> StrategiesAndSides
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (var strategy in Strategies)
            {
                data.Add(strategy, false);
                data.Add(strategy, true);
            }

            return data;
        }
    }

    public static TheoryData<string, bool> StrategiesAndEnds => StrategiesAndSides;

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(StrategiesAndSides))]
    public async Task A_machine_is_stopped_once_and_runs_again_wherever_the_process_dies(string strategy, bool after)
    {
        var wrong = await SweepAsync(NotMigratable(strategy), after, (crash, report) =>
        [
            .. crash.Count(Stop) == 1 ? [] : new[] { $"{crash.Count(Stop)} stops" },
            .. crash.Count(Start) <= 1 ? [] : new[] { $"{crash.Count(Start)} starts" },
            .. report.VirtualMachines.All(vm => vm is { Outcome: VmOutcome.Stopped, IsRestored: true }) ? [] : new[] { string.Join(", ", report.VirtualMachines) },
        ], world => WhatIsNotAsBefore(world, strategy));

        wrong.ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_machine_is_migrated_once_wherever_the_process_dies(bool after)
    {
        var scenario = Machines(new VirtualMachineSpec("vms", "one") { On = "node-1" });

        var wrong = await SweepAsync(scenario, after, (_, report) =>
            report.VirtualMachines.All(vm => vm.Outcome == VmOutcome.Migrated) ? [] : [string.Join(", ", report.VirtualMachines)], world =>
            world.Cluster.Store.List(KubeVirtTypes.Migrations).Count == 1 ? [] : ["more than one migration"]);

        wrong.ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_machine_that_KubeVirt_shuts_down_is_evicted_once_and_restarts_elsewhere_wherever_the_process_dies(bool after)
    {
        var scenario = Machines(new VirtualMachineSpec("vms", "one") { On = "node-1", EvictionStrategy = "None" });

        var wrong = await SweepAsync(scenario, after, (crash, report) =>
        [
            .. crash.Count("create pods/eviction") == 1 ? [] : new[] { $"{crash.Count("create pods/eviction")} evictions" },
            .. report.VirtualMachines.All(vm => vm.Outcome == VmOutcome.RestartedElsewhere) ? [] : new[] { string.Join(", ", report.VirtualMachines) },
        ], _ => []);

        wrong.ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(StrategiesAndEnds))]
    public async Task A_machine_that_was_stopped_runs_again_after_a_cancel_and_after_a_failure(string strategy, bool fails)
    {
        await using var world = await StartAsync(NotMigratable(strategy));
        await world.BeginAsync(Request(world) with
        {
            Action = MaintenanceAction.Hold,
            Health = new HealthPolicy { Timeout = TimeSpan.FromSeconds(1), StableFor = TimeSpan.FromHours(1) },
        });
        await world.RunForAsync(TimeSpan.FromSeconds(20));
        Vmi(world).ShouldBeNull("it was stopped");

        await (fails
            ? world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None)
            : world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", "enough"), CancellationToken.None));
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(fails ? MaintenanceOutcome.Failed : MaintenanceOutcome.Cancelled, report.Message);
        WhatIsNotAsBefore(world, strategy).ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public async Task A_cancel_while_it_is_being_stopped_leaves_it_running(int seconds)
    {
        await using var world = await StartAsync(NotMigratable("Manual"));
        await world.BeginAsync(Request(world));
        await world.RunForAsync(TimeSpan.FromSeconds(seconds));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", "enough"), CancellationToken.None);
        await world.EndAsync();

        WhatIsNotAsBefore(world, "Manual").ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("Always")]
    [InlineData("Once")]
    [InlineData("Manual")]
    [InlineData("RerunOnFailure")]
    [InlineData("running")]
    public async Task A_guest_that_still_shuts_down_when_the_maintenance_is_cancelled_runs_again_when_it_is_down(string strategy)
    {
        var scenario = NotMigratable(strategy);
        await using var world = await StartAsync(scenario with { VirtualMachines = [scenario.VirtualMachines[0] with { Shutdown = TimeSpan.FromMinutes(20) }] });
        world.Cluster.Store.Update(KubeVirtTypes.Instances, "vms", "one", vmi =>
        {
            vmi["spec"]!["terminationGracePeriodSeconds"] = 7200;
            return true;
        });
        var stopped = (string?)Vmi(world)!["metadata"]!["uid"];
        await world.BeginAsync(Request(world) with { VirtualMachines = Request(world).VirtualMachines with { StopTimeout = TimeSpan.FromHours(1) } });
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        Vmi(world)!["metadata"]!["deletionTimestamp"].ShouldNotBeNull("it is shutting down");

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", "enough"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(15));
        var told = (await world.StatusAsync<RestoreStatus>(InstanceIds.Restore("m1"))).ShouldNotBeNull().VirtualMachines.ShouldHaveSingleItem();
        var own = await VirtualMachineWorld.VmAsync(world, "one");
        var report = await world.EndAsync();

        (told.Progress, told.Blocker?.Kind).ShouldBe((VmProgress.Stopping, "vm-shutting-down"), told.Message);
        told.Message.ShouldBe("Virtual machine vms/one is still shutting down: it cannot be started before it is down.");
        told.Blocker!.Deadline.ShouldNotBeNull();
        (own.Progress, own.Blocker).ShouldBe((VmProgress.Stopping, null));
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            vm => vm.IsRestored.ShouldBeTrue(vm.Message),
            vm => vm.Outcome.ShouldBe(VmOutcome.Stopped),
            vm => vm.Message.ShouldBe("It was stopped, and its guest was still shutting down when the maintenance ended. It runs again."));
        ((string?)Vmi(world)!["metadata"]!["uid"]).ShouldNotBe(stopped);
        WhatIsNotAsBefore(world, strategy).ShouldBeEmpty();
        report.LeftBehind.ShouldBeEmpty();
    }

    /// <summary>One world for each change at which it dies, until one ends before it would have died.</summary>
    private static async Task<IReadOnlyList<string>> SweepAsync(
        Scenario scenario, bool after, Func<RequestCrash, MaintenanceReport, IEnumerable<string>> wrongBy, Func<World, IEnumerable<string>> wrongIn)
    {
        var wrong = new List<string>();
        for (var nth = 1; ; nth++)
        {
            await using var world = await StartAsync(scenario);
            var crash = RequestCrash.Arm(world, IsOfMachine, nth, after);
            await world.BeginAsync(Request(world));
            var report = await world.EndAsync();
            string[] found =
            [
                .. wrongBy(crash, report), .. wrongIn(world), .. report.LeftBehind,
                .. report.Outcome == MaintenanceOutcome.Completed ? [] : new[] { $"{report.Outcome}: {report.Message}" },
            ];
            wrong.AddRange(found.Select(what => $"killed {crash.At}: {what}"));
            if (crash.At is null)
            {
                nth.ShouldBeGreaterThan(1, "there was a change to die at");
                return wrong;
            }
        }
    }

    private static bool IsOfMachine(InterceptedRequest request) =>
        request.Resource.EndsWith("kubevirt.io", StringComparison.Ordinal) || request.Subresource == "eviction";

    private static IEnumerable<string> WhatIsNotAsBefore(World world, string strategy)
    {
        var vm = world.Cluster.Store.Get(KubeVirtTypes.VirtualMachines, "vms", "one")!;
        var now = strategy == "running" ? $"running {(bool?)vm["spec"]!["running"]}" : (string?)vm["spec"]!["runStrategy"];
        if (now != (strategy == "running" ? "running True" : strategy))
        {
            yield return $"its run strategy is {now}";
        }

        if ((string?)Vmi(world)?["status"]!["phase"] != "Running")
        {
            yield return $"it is {Vmi(world)?["status"]!["phase"]?.ToString() ?? "down"}";
        }

        if (vm["metadata"]!["annotations"]?["drydock.dev/held-by"] is not null)
        {
            yield return "it still carries the mark";
        }
    }

    private static JsonObject? Vmi(World world) => world.Cluster.Store.Get(KubeVirtTypes.Instances, "vms", "one");

    private static async Task<World> StartAsync(Scenario scenario)
    {
        var world = await World.StartAsync(scenario);
        if (scenario.Description is "running" or "Manual")
        {
            // A machine that nobody started runs nowhere: it was started with Always, and then somebody changed its mind.
            world.Cluster.Store.Update(KubeVirtTypes.VirtualMachines, "vms", "one", vm =>
            {
                var spec = vm["spec"]!.AsObject();
                spec.Remove("runStrategy");
                spec[scenario.Description == "running" ? "running" : "runStrategy"] = scenario.Description == "running" ? true : "Manual";
                return true;
            });
            await world.RunForAsync(TimeSpan.FromSeconds(1));
        }

        return world;
    }

    private static MaintenanceRequest Request(World world) => world.Request() with
    {
        VirtualMachines = new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown },
        Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
    };

    private static Scenario NotMigratable(string strategy) => Machines(new VirtualMachineSpec("vms", "one")
    {
        On = "node-1",
        RunStrategy = strategy is "running" or "Manual" ? "Always" : strategy,
        NotMigratable = "HostDeviceNotLiveMigratable",
    }) with { Description = strategy };

    private static Scenario Machines(params VirtualMachineSpec[] machines) => new()
    {
        Name = "machines",
        EvictionStrategy = "LiveMigrate",
        Nodes = [.. Enumerable.Range(1, 3).Select(n => new NodeSpec($"node-{n}"))],
        VirtualMachines = machines,
        Maintain = "node-1",
    };
}
