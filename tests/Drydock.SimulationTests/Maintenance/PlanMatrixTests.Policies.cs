using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <content>The same by the policies of the request.</content>
public sealed partial class PlanMatrixTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(StuckVmPolicy.ShutDown, VmFate.StoppedAndRestored, VmOutcome.Stopped)]
    [InlineData(StuckVmPolicy.Skip, VmFate.Stays, VmOutcome.Skipped)]
    [InlineData(StuckVmPolicy.Fail, VmFate.Blocks, VmOutcome.StillThere)]
    public async Task What_the_plan_says_of_the_policy_is_what_then_happens(StuckVmPolicy policy, VmFate fate, VmOutcome outcome)
    {
        var scene = SceneOf("LiveMigrate");
        await using var world = await World.StartAsync(scene with { VirtualMachines = [.. scene.VirtualMachines.Where(static machine => machine.EvictionStrategy != "External")] });
        await world.RunForAsync(TimeSpan.FromSeconds(5));
        var request = world.Request() with
        {
            Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(2) },
            VirtualMachines = new VirtualMachinePolicy { OnNotMigratable = policy },
        };
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);

        var report = await world.MaintainAsync(request);

        report.Outcome.ShouldBe(policy == StuckVmPolicy.Fail ? MaintenanceOutcome.Failed : MaintenanceOutcome.Completed, report.Message);
        var decided = plan.VirtualMachines.Where(static vm => vm is { IsLiveMigratable: false, EvictionStrategy: "LiveMigrate" }).ToList();
        decided.Count.ShouldBe(2, "its own strategy and that of the cluster");
        foreach (var forecast in decided)
        {
            (forecast.Fate, report.VirtualMachines.Single(vm => vm.Vmi == forecast.Vmi).Outcome).ShouldBe((fate, outcome), forecast.ToString());
        }

        foreach (var forecast in plan.VirtualMachines.Except(decided).Where(_ => policy != StuckVmPolicy.Fail))
        {
            report.VirtualMachines.Single(vm => vm.Vmi == forecast.Vmi).Outcome.ShouldBe(
                forecast.Fate == VmFate.Migrates ? VmOutcome.Migrated : VmOutcome.RestartedElsewhere, forecast.ToString());
        }
    }

    /// <summary>The drain has its default time, one hour; null: whoever moves them has his.</summary>
    [Theory(Timeout = World.Timeout)]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Fail, null, "within 30m, the policy leaves it on the node.", VmOutcome.Skipped, 30)]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Force, null, "within 30m, the policy leaves it on the node.", VmOutcome.Skipped, 30)]
    [InlineData(StuckVmPolicy.ShutDown, DeadlinePolicy.Fail, null, "within 30m, the policy stops it", VmOutcome.Stopped, 30)]
    [InlineData(StuckVmPolicy.ShutDown, DeadlinePolicy.Force, null, "within 30m, the policy stops it", VmOutcome.Stopped, 30)]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Fail, 61, "If nobody does, the maintenance fails at the deadline of the drain.", VmOutcome.StillThere, 60)]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Force, 61, "At the deadline of the drain it is stopped by force", VmOutcome.Stopped, 60)]
    [InlineData(StuckVmPolicy.ShutDown, DeadlinePolicy.Fail, 61, "If nobody does, the maintenance fails at the deadline of the drain.", VmOutcome.StillThere, 60)]
    [InlineData(StuckVmPolicy.ShutDown, DeadlinePolicy.Wait, 61, "within 1h1m, the policy stops it", VmOutcome.Stopped, 61)]
    public async Task What_the_plan_says_of_one_that_nobody_moves_is_what_then_happens(
        StuckVmPolicy onStuck, DeadlinePolicy onTimeout, int? minutes, string says, VmOutcome outcome, int after)
    {
        await using var world = await World.StartAsync(SceneOf("External") with { VirtualMachines = [VirtualMachineWorld.Machine("one") with { EvictionStrategy = "External" }] });
        var policy = new VirtualMachinePolicy { OnStuck = onStuck };
        var request = world.Request() with
        {
            Drain = new DrainPolicy { OnTimeout = onTimeout },
            VirtualMachines = minutes is { } given ? policy with { ExternalTimeout = TimeSpan.FromMinutes(given) } : policy,
        };
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);

        var report = await world.MaintainAsync(request);

        plan.VirtualMachines.ShouldHaveSingleItem().Reason.ShouldContain(says);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(outcome, report.Message);
        report.Outcome.ShouldBe(outcome == VmOutcome.StillThere ? MaintenanceOutcome.Failed : MaintenanceOutcome.Completed);
        var drain = report.Steps.Single(static step => step.Step == MaintenanceStep.Drain);
        (drain.To - drain.From).ShouldBeInRange(TimeSpan.FromMinutes(after), TimeSpan.FromMinutes(after + 2));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("both", DeadlinePolicy.Fail, "Running and RunStrategy are both set: KubeVirt refuses every change of it. The maintenance fails", VmOutcome.StillThere)]
    [InlineData("both", DeadlinePolicy.Force, "KubeVirt refuses every change of it. At the deadline of the drain its launcher pod is deleted by force.", VmOutcome.RestartedElsewhere)]
    [InlineData("receiver", DeadlinePolicy.Fail, "nothing would start it again: it is not stopped. The maintenance fails", VmOutcome.StillThere)]
    [InlineData("receiver", DeadlinePolicy.Force, "it is not stopped. At the deadline of the drain its launcher pod is deleted by force.", VmOutcome.StaysDown)]
    public async Task What_the_plan_says_of_one_that_nobody_moves_and_that_cannot_be_stopped_is_what_then_happens(
        string which, DeadlinePolicy onTimeout, string says, VmOutcome outcome)
    {
        await using var world = await World.StartAsync(SceneOf("External") with { VirtualMachines = [VirtualMachineWorld.Machine("one") with { EvictionStrategy = "External" }] });
        world.Cluster.Store.Update(KubeVirtTypes.VirtualMachines, "vms", "one", vm =>
        {
            vm["spec"]![which == "both" ? "running" : "runStrategy"] = which == "both" ? true : "WaitAsReceiver";
            return true;
        });
        var request = world.Request() with
        {
            Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(10), OnTimeout = onTimeout },
            VirtualMachines = new VirtualMachinePolicy { OnStuck = StuckVmPolicy.ShutDown, ExternalTimeout = TimeSpan.FromMinutes(5) },
        };
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);

        var report = await world.MaintainAsync(request);

        plan.VirtualMachines.ShouldHaveSingleItem().Reason.ShouldContain(says);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(outcome, report.Message);
        world.Api.RequestLog.Of("update", "virtualmachines.subresources.kubevirt.io", "stop").ShouldBeEmpty();
    }
}
