using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Machines that may not be stopped: another maintenance has marked them, KubeVirt refuses it, or they have left in that moment.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineHeldTests
{
    private const string Words = "Internal error occurred: admission webhook \"quota\" denied the request: nothing stops here";

    private static readonly VirtualMachinePolicy ShutsDown = Quick with { OnNotMigratable = StuckVmPolicy.ShutDown };

    [Theory(Timeout = World.Timeout)]
    [InlineData("LiveMigrate", "Always", DeadlinePolicy.Fail, MaintenanceOutcome.Failed, VmOutcome.StillThere)]
    [InlineData("LiveMigrate", "Always", DeadlinePolicy.Force, MaintenanceOutcome.Completed, VmOutcome.RestartedElsewhere)]
    [InlineData("None", "RerunOnFailure", DeadlinePolicy.Fail, MaintenanceOutcome.Failed, VmOutcome.StillThere)]
    [InlineData("None", "RerunOnFailure", DeadlinePolicy.Force, MaintenanceOutcome.Completed, VmOutcome.StaysDown)]
    public async Task One_that_another_maintenance_has_marked_is_in_the_plan_and_its_blocker_says_how_it_is_put_back(
        string strategy, string runStrategy, DeadlinePolicy policy, MaintenanceOutcome outcome, VmOutcome ofMachine)
    {
        await using var world = await World.StartAsync(
            Machines(Machine("one") with { EvictionStrategy = strategy, RunStrategy = runStrategy, NotMigratable = "HostDeviceNotLiveMigratable" }));
        await MarkAsync(world);
        var request = Request(world, ShutsDown) with { Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(5), OnTimeout = policy } };
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        await world.BeginAsync(request);
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        var told = await VmAsync(world, "one");

        var report = await world.EndAsync();

        var finding = plan.Findings.Single(static finding => finding.Kind == "vm-held-by-other");
        (finding.Severity, plan.VirtualMachines.Single().Fate).ShouldBe((FindingSeverity.Blocks, VmFate.Blocks));
        finding.Message.ShouldContain("maintenance m0 of node node-2");
        finding.Message.Contains("its launcher pod is deleted by force", StringComparison.Ordinal).ShouldBe(policy == DeadlinePolicy.Force);
        finding.NextStep.ShouldNotBeNull().ShouldEndWith("drydock restore node-2");
        var blocker = told.Blocker.ShouldNotBeNull(told.Message);
        (blocker.Kind, blocker.NextStep).ShouldBe((finding.Kind, finding.NextStep));
        blocker.Message.ShouldNotBeNull().ShouldContain("maintenance m0 of node node-2");
        (report.Outcome, report.VirtualMachines.Single().Outcome).ShouldBe((outcome, ofMachine), report.Message);
        Stops(world).ShouldBeEmpty();
        world.Api.RequestLog.Of("delete", "pods").Count.ShouldBe(policy == DeadlinePolicy.Force ? 1 : 0);
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(7));
        MarkedBy(world).ShouldBe("drydock/hub/m0");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_another_maintenance_has_marked_migrates_all_the_same()
    {
        await using var world = await World.StartAsync(Machines(Machine("one")));
        await MarkAsync(world);
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(Request(world), CancellationToken.None);

        var report = await world.MaintainAsync(Request(world));

        plan.Findings.Single(static finding => finding.Kind == "vm-held-by-other").Severity.ShouldBe(FindingSeverity.Notes);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.Migrated);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_is_put_back_meanwhile_is_stopped_and_started_again()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }));
        var vm = await MarkAsync(world);
        await world.BeginAsync(Request(world, ShutsDown));
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        await world.Kubernetes.MarkVmAsync(vm, null, CancellationToken.None);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            static one => one.Outcome.ShouldBe(VmOutcome.Stopped), static one => one.IsRestored.ShouldBeTrue(one.Message));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(StuckVmPolicy.ShutDown, DeadlinePolicy.Fail, 5)]
    [InlineData(StuckVmPolicy.ShutDown, DeadlinePolicy.Force, 5)]
    [InlineData(StuckVmPolicy.Wait, DeadlinePolicy.Force, 6)]
    public async Task A_stop_that_KubeVirt_refuses_for_good_ends_at_the_deadline_with_its_words_or_by_force(StuckVmPolicy policy, DeadlinePolicy onTimeout, int minutes)
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }));
        world.Api.Intercept = static request => request is { Resource: "virtualmachines.subresources.kubevirt.io", Subresource: "stop", IsDone: false }
            ? throw new ApiException(500, "InternalError", Words) : Task.CompletedTask;

        var report = await world.MaintainAsync(Request(world, Quick with { OnNotMigratable = policy }) with
        {
            Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(5), OnTimeout = onTimeout },
        });

        var drain = report.Steps.Single(static step => step.Step == MaintenanceStep.Drain);
        (drain.To - drain.From).ShouldBeInRange(TimeSpan.FromMinutes(minutes), TimeSpan.FromMinutes(minutes + 0.7));
        var vm = report.VirtualMachines.ShouldHaveSingleItem();
        if (onTimeout == DeadlinePolicy.Fail)
        {
            (report.Outcome, vm.Outcome).ShouldBe((MaintenanceOutcome.Failed, VmOutcome.StillThere));
            vm.Message.ShouldContain("nothing stops here");
            world.Api.RequestLog.Of("delete", "pods").ShouldBeEmpty();
        }
        else
        {
            (report.Outcome, vm.Outcome).ShouldBe((MaintenanceOutcome.Completed, VmOutcome.RestartedElsewhere), report.Message);
            world.Api.RequestLog.Of("delete", "pods").ShouldHaveSingleItem();
        }

        MarkedBy(world).ShouldBeNull();
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        Vmi(world, "one").InstancePhase().ShouldBe("Running");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_leaves_in_the_moment_it_is_to_be_stopped_is_not_stopped_where_it_went()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }));
        world.Api.Intercept = request =>
        {
            if (request is { Verb: "patch", Resource: "virtualmachines.kubevirt.io", IsDone: true } && Vmi(world, "one")!["status"]!["nodeName"]!.ToString() == "node-1")
            {
                Move(world, "one", "node-2");
            }

            return Task.CompletedTask;
        };

        var report = await world.MaintainAsync(Request(world, ShutsDown));

        Stops(world).ShouldBeEmpty();
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.Migrated);
        Vmi(world, "one").InstancePhase().ShouldBe("Running");
        MarkedBy(world).ShouldBeNull();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_gets_both_keys_in_the_moment_it_is_to_be_stopped_is_neither_marked_nor_stopped()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }));
        var looks = 0;
        world.Api.Intercept = request =>
        {
            // The look that comes before the mark; the one before that is of the plan.
            if (request is { Verb: "get", Resource: "virtualmachines.kubevirt.io", IsDone: true } && ++looks == 2)
            {
                world.Cluster.Store.Update(KubeVirtTypes.VirtualMachines, "vms", "one", static vm =>
                {
                    vm["spec"]!["running"] = true;
                    return true;
                });
            }

            return Task.CompletedTask;
        };
        await world.BeginAsync(Request(world, ShutsDown));
        await world.RunForAsync(TimeSpan.FromMinutes(2));

        (await VmAsync(world, "one")).Message.ShouldContain("Running and RunStrategy are both set");
        Stops(world).ShouldBeEmpty();
        MarkedBy(world).ShouldBeNull();
        world.Api.RequestLog.Of("patch", "virtualmachines.kubevirt.io").ShouldBeEmpty();
    }

    private static async Task<VmSnapshot> MarkAsync(World world) => (await world.Kubernetes.MarkVmAsync(
        (await world.Kubernetes.GetVmAsync(new ObjectRef("vms", "one"), CancellationToken.None))!,
        new HoldMark("drydock/hub/m0", """{"node":"node-2","runStrategy":"Always"}"""), CancellationToken.None))!;

    private static string? MarkedBy(World world) =>
        (string?)world.Cluster.Store.Get(KubeVirtTypes.VirtualMachines, "vms", "one")!["metadata"]!["annotations"]?["drydock.dev/held-by"];

    private static IEnumerable<RequestRecord> Stops(World world) => world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "stop");

}
