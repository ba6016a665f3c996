using Drydock.Maintenance;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>A maintenance that reboots its node by a Job on it.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RebootTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_node_is_rebooted_once_and_the_report_shows_both_boot_ids()
    {
        await using var world = await World.StartAsync("healthy");
        var before = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId;

        var report = await world.MaintainAsync(world.Request() with { Action = MaintenanceAction.Reboot });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var after = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId;
        after.ShouldNotBe(before);
        var action = report.Actions.ShouldHaveSingleItem();
        (action.Key, action.Outcome).ShouldBe(("action", ActionOutcome.Done));
        action.Message.ShouldBe($"The node has rebooted: its boot ID was {before} and is {after}.");
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(1);
        (await world.Neighbours.ListPodsAsync("kube-system", "drydock.dev/job", CancellationToken.None)).ShouldBeEmpty();
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_is_to_be_rebooted_twice_is_rebooted_twice()
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.Reboot,
            Hooks = new MaintenanceHooks { AfterDrain = [new ActionStep(MaintenanceAction.Reboot, new ActionOptions())] },
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.Select(action => action.Key).ShouldBe(["after-drain-1", "action"]);
        report.Actions[1].Message.Split(' ')[^4].ShouldBe(report.Actions[0].Message.Split(' ')[^1].TrimEnd('.'), report.Actions[1].Message);
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(2);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(MaintenanceAction.Reboot)]
    [InlineData(MaintenanceAction.PowerCycle)]
    public async Task A_node_that_somebody_else_has_rebooted_meanwhile_is_taken_down_all_the_same(MaintenanceAction kind)
    {
        const string boots = """{"spec":{"template":{"spec":{"hostPID":true,"containers":[{"name":"c","image":"i","command":["reboot"],"securityContext":{"privileged":true}}]}}}}""";
        await using var world = await World.StartAsync(
            ActionTests.Hardware,
            configure: Policies.Of(new MaintenancePolicy("p") { Jobs = new Dictionary<string, JobTemplate> { ["boots"] = new("kube-system", boots) } }));
        await world.BeginAsync(world.Request() with
        {
            Policy = "p",
            Hooks = new MaintenanceHooks { AfterDrain = [new ActionStep(MaintenanceAction.Job, new ActionOptions { Template = "boots" })] },
            Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] },
            Action = kind,
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var meanwhile = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ann", null), CancellationToken.None);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.Select(static action => action.Outcome).ShouldBe([ActionOutcome.Done, ActionOutcome.Done]);
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId.ShouldNotBe(meanwhile);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_that_does_not_reboot_the_node_fails_the_maintenance_by_its_deadline()
    {
        await using var world = await World.StartAsync(
            Drydock.Simulator.Scenarios.Scenario.Named("healthy"),
            configure: Policies.Of(new MaintenancePolicy("p")
            {
                RebootJob = "lazy",
                Jobs = new Dictionary<string, JobTemplate>
                {
                    ["lazy"] = new("kube-system", """{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i","command":["sleep","infinity"]}]}}}}"""),
                },
            }));

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.Reboot,
            ActionOptions = new ActionOptions { Timeout = TimeSpan.FromMinutes(10) },
            Policy = "p",
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldStartWith("The node did not reboot within 10m: its boot ID is still ");
        report.LeftBehind.ShouldBe(["Node node-1 is still cordoned, tainted and marked. When it is fit: drydock restore node-1"]);
        (await world.Neighbours.ListPodsAsync("kube-system", "drydock.dev/job", CancellationToken.None)).ShouldAllBe(pod => pod.DeletionRequestedAt != null);
    }
}
