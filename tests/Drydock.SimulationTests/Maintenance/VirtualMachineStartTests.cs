using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>What KubeVirt answers to a stop or a start is not taken for what became of the machine: that is read.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineStartTests
{
    private const string Refusal = "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"one\": ";

    [Theory(Timeout = World.Timeout)]
    [InlineData(500, "InternalError", "Internal error occurred: unable to complete request: stop/start already underway")]
    [InlineData(409, "Conflict", Refusal + "jsonpatch test operation does not apply")]
    public async Task A_start_that_is_refused_for_a_while_is_told_and_made_when_it_is_accepted(int code, string reason, string message)
    {
        await using var world = await World.StartAsync(Fixed());
        Refuse(world, "start", code, reason, message, TimeSpan.FromMinutes(10));
        await world.BeginAsync(Request(world, Policy));
        await world.RunUntilAsync(() => world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "start").Count > 1);
        await world.RunForAsync(TimeSpan.FromMinutes(3));

        var told = (await world.StatusAsync<RestoreStatus>(InstanceIds.Restore("m1"))).ShouldNotBeNull().VirtualMachines.ShouldHaveSingleItem();
        var wasMarked = IsMarked(world);
        var report = await world.EndAsync();

        (told.Progress, told.Blocker?.Kind).ShouldBe((VmProgress.Starting, "vm-start-refused"), told.Message);
        told.Message.ShouldStartWith("Virtual machine vms/one could not be started: ");
        told.Message.ShouldContain(message);
        wasMarked.ShouldBeTrue("a restore by hand must find it");
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            vm => vm.Outcome.ShouldBe(VmOutcome.Stopped), vm => vm.IsRestored.ShouldBeTrue(vm.Message));
        Vmi(world, "one").InstancePhase().ShouldBe("Running");
        IsMarked(world).ShouldBeFalse();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(null)]
    public async Task A_process_that_dies_while_a_start_is_refused_or_in_its_call_makes_it_once_in_its_next_life(int? minutes)
    {
        await using var world = await World.StartAsync(Fixed());
        Refuse(world, "start", 500, "InternalError", "Internal error occurred: unable to complete request: stop/start already underway", TimeSpan.FromMinutes(10));
        await world.BeginAsync(Request(world, Policy));
        await world.RunUntilAsync(() => world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "start").Count > 1);
        var isAccepted = world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "start")[0].Time.AddMinutes(10);
        if (minutes is { } meanwhile)
        {
            await world.RunForAsync(TimeSpan.FromMinutes(meanwhile));
            await world.CrashAsync();
        }
        else
        {
            world.KillAtRequest(request => request.RequestUri!.AbsolutePath.EndsWith("/start", StringComparison.Ordinal) && world.Time.GetUtcNow() >= isAccepted, 1, after: true);
        }

        var report = await world.EndAsync();

        world.Deaths.ShouldBe(1);
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().IsRestored.ShouldBeTrue();
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "start").Count(static request => request.Code == 202).ShouldBe(1);
        Vmi(world, "one").InstancePhase().ShouldBe("Running");
        IsMarked(world).ShouldBeFalse();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(409, "Conflict", Refusal + "volume migration failed: ManualRecoveryRequired", true)]
    [InlineData(500, "InternalError", "Internal error occurred: admission webhook \"quota\" denied the request: no cores left", false)]
    public async Task A_start_that_is_refused_for_good_is_left_behind_with_KubeVirts_words_and_the_mark_stays(
        int code, string reason, string message, bool isTriedForLong)
    {
        await using var world = await World.StartAsync(Fixed());
        Refuse(world, "start", code, reason, message, TimeSpan.FromDays(1));

        var report = await world.MaintainAsync(Request(world, Policy));

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, false));
        report.LeftBehind.ShouldHaveSingleItem().ShouldContain(message);
        var vm = report.VirtualMachines.ShouldHaveSingleItem();
        (vm.Outcome, vm.IsRestored).ShouldBe((VmOutcome.Stopped, false));
        vm.Message.ShouldContain(message);
        IsMarked(world).ShouldBeTrue();
        (world.Time.GetUtcNow() - World.Start > TimeSpan.FromHours(2)).ShouldBe(isTriedForLong);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_was_started_again_and_finds_no_node_is_a_blocker_of_the_restore_with_its_deadline()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable", RunStrategy = "RerunOnFailure", Memory = "40Gi" }) with
        {
            Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2") { Memory = "32Gi" }],
        });
        world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", static node =>
        {
            // Somebody else's cordon: it stays.
            node["spec"]!["unschedulable"] = true;
            return true;
        });
        await world.BeginAsync(Request(world, Policy with { RestartTimeout = TimeSpan.FromMinutes(8) }));
        await world.RunUntilAsync(() => world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "start").Count > 0);
        var started = world.Time.GetUtcNow();
        await world.RunForAsync(TimeSpan.FromMinutes(3));

        var told = (await world.StatusAsync<RestoreStatus>(InstanceIds.Restore("m1"))).ShouldNotBeNull().VirtualMachines.ShouldHaveSingleItem();
        var report = await world.EndAsync();

        (told.Progress, told.Blocker?.Kind).ShouldBe((VmProgress.Starting, "vm-pending-after-restart"), told.Message);
        told.Message.ShouldContain("Insufficient memory");
        (told.Blocker!.Deadline!.Value - started).ShouldBeInRange(TimeSpan.FromMinutes(8), TimeSpan.FromMinutes(9));
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            static vm => vm.IsRestored.ShouldBeFalse(), static vm => vm.Message.ShouldContain("is not Running after 8m"));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_stop_that_another_change_came_between_is_asked_for_again_and_nothing_is_stopped_by_force()
    {
        await using var world = await World.StartAsync(Fixed());
        Refuse(world, "stop", 409, "Conflict", Refusal + "jsonpatch test operation does not apply", TimeSpan.FromSeconds(30));

        var report = await world.MaintainAsync(Request(world, Policy));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            vm => vm.Outcome.ShouldBe(VmOutcome.Stopped), vm => vm.IsRestored.ShouldBeTrue(vm.Message));
        var stops = world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "stop");
        stops.Count(request => request.Code == 409).ShouldBeGreaterThan(0);
        stops.Count(request => request.Code == 202).ShouldBe(1);
        var drain = report.Steps.Single(step => step.Step == MaintenanceStep.Drain);
        (drain.To - drain.From).ShouldBeLessThan(TimeSpan.FromMinutes(2), "it was not held for stopped until it was to be forced");
    }

    private static VirtualMachinePolicy Policy => Quick with { OnNotMigratable = StuckVmPolicy.ShutDown, StopTimeout = TimeSpan.FromMinutes(5) };

    private static Scenario Fixed() => Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable", RunStrategy = "RerunOnFailure" });

    private static bool IsMarked(World world) =>
        world.Cluster.Store.Get(KubeVirtTypes.VirtualMachines, "vms", "one")!["metadata"]!["annotations"]?["drydock.dev/held-by"] is not null;

    /// <summary>From the first such call on.</summary>
    private static void Refuse(World world, string call, int code, string reason, string message, TimeSpan span)
    {
        DateTimeOffset? first = null;
        world.Api.Intercept = request =>
        {
            if (request.Resource != "virtualmachines.subresources.kubevirt.io" || request.Subresource != call || request.IsDone)
            {
                return Task.CompletedTask;
            }

            first ??= world.Time.GetUtcNow();
            return world.Time.GetUtcNow() - first < span ? throw new ApiException(code, reason, message) : Task.CompletedTask;
        };
    }
}
