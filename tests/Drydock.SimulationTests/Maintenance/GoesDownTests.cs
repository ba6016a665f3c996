using Drydock.Kubernetes;
using Drydock.Maintenance;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Before its machine goes down, by whichever action: somebody has approved it where that is demanded, and nothing has come to the node.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class GoesDownTests
{
    public enum End
    {
        Leaves,
        Cancel,
        Deadline,
    }

    public static TheoryData<End> Ends => [.. Enum.GetValues<End>()];

    [Theory(Timeout = World.Timeout)]
    [InlineData(MaintenanceAction.Reboot, true)]
    [InlineData(MaintenanceAction.PowerCycle, true)]
    [InlineData(MaintenanceAction.Reboot, false)]
    public async Task A_hook_that_takes_the_machine_down_waits_for_the_gate_of_the_policy_which_is_asked_once(MaintenanceAction kind, bool isApproved)
    {
        await using var world = await World.StartAsync(
            ActionTests.Hardware, configure: Policies.Of(new MaintenancePolicy("p") { RequiredApprovals = [ApprovalGate.Action] }));
        var boot = await BootIdAsync(world);
        await world.BeginAsync(world.Request() with
        {
            Policy = "p",
            Hooks = new MaintenanceHooks { AfterDrain = [new ActionStep(kind, new ActionOptions())] },
            Action = MaintenanceAction.Reboot,
        });
        await world.RunForAsync(TimeSpan.FromHours(2));
        (await world.StatusAsync<MaintenanceStatus>())!.AwaitsApproval.ShouldBe(ApprovalGate.Action);
        (await BootIdAsync(world)).ShouldBe(boot);

        await ApproveAsync(world, isApproved);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(isApproved ? MaintenanceOutcome.Completed : MaintenanceOutcome.Cancelled, report.Message);
        report.Approvals.ShouldHaveSingleItem().IsApproved.ShouldBe(isApproved);
        report.Actions.Select(static action => action.Outcome).ShouldBe(isApproved ? [ActionOutcome.Done, ActionOutcome.Done] : []);
        ((await BootIdAsync(world)) == boot).ShouldBe(!isApproved);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Ends))]
    public async Task The_machine_does_not_go_down_under_a_virtual_machine_that_came_to_the_node_meanwhile(End how)
    {
        await using var world = await World.StartAsync(Machines(Machine("one"), Machine("late") with { On = "node-2" }));
        var request = Request(world) with { Action = MaintenanceAction.Reboot, Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] } };
        await world.BeginAsync(request with { Drain = request.Drain with { Timeout = TimeSpan.FromMinutes(30), OnTimeout = DeadlinePolicy.Fail } });
        await world.RunForAsync(TimeSpan.FromHours(3));
        await CordonAsync(world, "node-2");
        await CordonAsync(world, "node-3");
        var boot = await BootIdAsync(world);

        RuledMachineTests.Arrive(world, "late");
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        await ApproveAsync(world);
        await world.RunForAsync(TimeSpan.FromMinutes(20));
        var meanwhile = (await world.StatusAsync<MaintenanceStatus>())!;
        var blocker = (await VmAsync(world, "late")).Blocker;
        if (how == End.Leaves)
        {
            await LiftAsync(world, "node-2");
        }
        else if (how == End.Cancel)
        {
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        }

        var report = await world.EndAsync();

        (meanwhile.Step, meanwhile.Deadline).ShouldBe((MaintenanceStep.Drain, meanwhile.StepSince + TimeSpan.FromMinutes(30)));
        meanwhile.Message.ShouldBe("Node node-1 is not empty any more: what has come to it must leave before the machine goes down.");
        blocker.ShouldNotBeNull();
        report.Outcome.ShouldBe(how switch { End.Leaves => MaintenanceOutcome.Completed, End.Cancel => MaintenanceOutcome.Cancelled, _ => MaintenanceOutcome.Failed }, report.Message);
        ((await BootIdAsync(world)) == boot).ShouldBe(how != End.Leaves);
        Vmi(world, "late")!["status"]!["nodeName"]!.GetValue<string>().ShouldBe(how == End.Leaves ? "node-2" : "node-1");
        report.Actions.Count.ShouldBe(how == End.Leaves ? 1 : 0);
        if (how == End.Deadline)
        {
            report.Message.ShouldBe("Node node-1 was not empty within 30m: still there: virtual machine vms/late.");
        }
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_the_policy_leaves_on_the_node_does_not_keep_it_from_going_down()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }));

        var report = await world.MaintainAsync(Request(world, Quick with { OnNotMigratable = StuckVmPolicy.Skip }) with { Action = MaintenanceAction.Reboot });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.ShouldHaveSingleItem().Outcome.ShouldBe(ActionOutcome.Done);
    }

    private static Task ApproveAsync(World world, bool isApproved = true) => world.Client.RaiseEventAsync(
        "m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(isApproved, "ann"), CancellationToken.None);

    private static async Task CordonAsync(World world, string node) => await world.Kubernetes.ChangeNodeAsync(
        (await world.Kubernetes.GetNodeAsync(node, CancellationToken.None))!, new NodeChange { Unschedulable = true }, CancellationToken.None);

    private static async Task<string?> BootIdAsync(World world) => (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId;
}
