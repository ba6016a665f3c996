using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Virtual machines whose end is waited for, in a drain that ends by force: past its ladder none goes down, since nobody would start it again.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RuledMachineForceTests
{
    public static MatrixTheoryData<string?, bool> All => new(["Always", "Manual", "Once", "RerunOnFailure", null], [true, false]);

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(All))]
    public async Task A_machine_that_is_waited_for_is_not_ended_by_force_and_is_named(string? runStrategy, bool hasOwnTime)
    {
        await using var world = await World.StartAsync(runStrategy is null ? Machines() : Machines(Machine("one") with { RunStrategy = runStrategy, Hotplug = true }));
        if (runStrategy is null)
        {
            MakeBare(world, "fake-kubelet/start-after", "1", "node-1");
        }
        else if (runStrategy == "Manual")
        {
            await world.Kubernetes.CallVmAsync(new ObjectRef("vms", "one"), VmCall.Start, null, CancellationToken.None);
        }

        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var uid = Uid(world);
        var request = Request(world) with { Drain = Waiting(hasOwnTime) };
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        var report = await world.MaintainAsync(request);

        var forecast = plan.VirtualMachines.ShouldHaveSingleItem();
        (forecast.Fate, forecast.Reason.Contains("it is not deleted by force", StringComparison.Ordinal)).ShouldBe((VmFate.Stays, true), forecast.Reason);
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, true), report.Message);
        report.Message.ShouldContain("(await-completion)");
        world.Api.RequestLog.Of("delete", "pods").ShouldBeEmpty();
        (Uid(world), Vmi(world, "one").InstancePhase()).ShouldBe((uid, "Running"));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_shuts_down_by_itself_after_the_deadline_ends_the_drain_and_until_then_it_is_told_how()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { RunStrategy = "Once" }));
        await world.BeginAsync(Request(world) with { Drain = Waiting(hasOwnTime: false) });
        await world.RunForAsync(TimeSpan.FromMinutes(12));
        var blocker = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers.ShouldHaveSingleItem();

        await world.Kubernetes.CallVmAsync(new ObjectRef("vms", "one"), VmCall.Stop, null, CancellationToken.None);
        var report = await world.EndAsync();

        blocker.NextStep.ShouldNotBeNull().ShouldStartWith("It goes on by itself when the virtual machine has shut down: ");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
    }

    private static DrainPolicy Waiting(bool hasOwnTime) => new()
    {
        Timeout = TimeSpan.FromMinutes(10),
        PodTimeout = hasOwnTime ? TimeSpan.FromMinutes(5) : null,
        OnTimeout = DeadlinePolicy.Force,
        Rules = [new DrainRule(DrainBehavior.WaitForCompletion)],
    };

    private static string? Uid(World world) => (string?)Vmi(world, "one")!["metadata"]!["uid"];
}
