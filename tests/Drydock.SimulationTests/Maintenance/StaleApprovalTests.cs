using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>An approval, or a lease, that took long: the plan may be wrong by now, and is read again before anything is changed.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class StaleApprovalTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(60, true)]
    [InlineData(5, false)]
    public async Task What_has_come_since_is_told_if_it_took_longer_than_ten_minutes(int minutes, bool isTold)
    {
        var report = await ApprovedAfterAsync(minutes, static node => node["spec"]!["unschedulable"] = true);

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var told = report.Findings.SingleOrDefault(static finding => finding.Kind == "plan-changed");
        (told is not null).ShouldBe(isTold);
        (told?.Message.EndsWith("this has come: Node node-1 is cordoned already; it will be so afterwards too.", StringComparison.Ordinal) ?? true).ShouldBeTrue(told?.Message);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task What_refuses_by_now_ends_it_before_anything_is_changed()
    {
        var report = await ApprovedAfterAsync(60, static node =>
        {
            node["spec"]!["unschedulable"] = true;
            node["spec"]!["taints"] = new JsonArray(new JsonObject { ["key"] = "medik8s.io/drain", ["effect"] = "NoSchedule" });
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Refused, report.Message);
        report.Message.ShouldStartWith("This has changed since the plan of 2026-01-02 ");
        report.Message.ShouldContain(", which was approved: Node node-1 is cordoned with taint medik8s.io/drain and no mark of Drydock");
        report.Approvals.ShouldHaveSingleItem().IsApproved.ShouldBeTrue();
        report.Findings.ShouldContain(static finding => finding.Kind == "held-by-operator");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(30, true, "held-by-operator")]
    [InlineData(30, false, "pod-unmanaged")]
    [InlineData(5, false, null)]
    public async Task What_refuses_when_a_lease_that_was_waited_for_long_is_free_ends_it_before_anything_is_changed(int minutes, bool isOperator, string? finding)
    {
        await using var world = await World.StartAsync("healthy");
        var node = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        await world.Kubernetes.AcquireLeaseAsync("node-1", node.Uid, "node-maintenance", TimeSpan.FromMinutes(minutes), CancellationToken.None);
        if (isOperator)
        {
            Change(world, static held =>
            {
                held["spec"]!["unschedulable"] = true;
                held["spec"]!["taints"] = new JsonArray(new JsonObject { ["key"] = "medik8s.io/drain", ["effect"] = "NoSchedule" });
            });
        }

        await world.BeginAsync(world.Request() with { LeaseWait = TimeSpan.FromHours(2) });
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        if (finding == "pod-unmanaged")
        {
            LaterPodsTests.Land(world, "late");
        }

        var report = await world.EndAsync();

        (report.Outcome == MaintenanceOutcome.Refused).ShouldBe(finding is not null, report.Message);
        report.Findings.Select(static one => one.Kind).Contains(finding ?? "plan-changed").ShouldBe(finding is not null);
        if (finding is not null)
        {
            report.Message.ShouldStartWith("This has changed since the plan of 2026-01-02 03:00:00Z: ");
            report.Steps.ShouldNotContain(static step => step.Step == MaintenanceStep.Mark);
            (await world.Kubernetes.GetLeaseAsync("node-1", CancellationToken.None))?.Holder.ShouldBeNullOrEmpty();
            (await LeftRunningTests.RunningAsync(world)).ShouldBeEmpty();
        }
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_whose_start_a_person_rejected_is_not_asked_for_again_although_somebody_held_it_when_the_plan_was_read()
    {
        await using var world = await World.StartAsync("healthy");
        var node = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        await world.Kubernetes.AcquireLeaseAsync("node-1", node.Uid, "node-maintenance", TimeSpan.FromHours(1), CancellationToken.None);
        await RolloutTests.BeginAsync(world, new RolloutRequest(["node-1"])
        {
            Template = world.Request() with { LeaseWait = TimeSpan.FromHours(2), Approval = new ApprovalPolicy { Gates = [ApprovalGate.Start] } },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        await world.Client.RaiseEventAsync("r1:node-1", MaintenanceEvents.Approval(ApprovalGate.Start), new Approval(false, "ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(20));

        var rollout = (await world.StatusAsync<RolloutStatus>("r1"))!;
        (rollout.Failed, rollout.Nodes.Single().Attempt, rollout.Nodes.Single().Outcome).ShouldBe((1, 1, MaintenanceOutcome.Refused), rollout.Message);
    }

    private static void Change(World world, Action<JsonObject> change) => world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", node =>
    {
        change(node);
        return true;
    });

    private static async Task<MaintenanceReport> ApprovedAfterAsync(int minutes, Action<JsonObject> change)
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Approval = new ApprovalPolicy { Gates = [ApprovalGate.Start] } });
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        Change(world, change);
        await world.RunForAsync(TimeSpan.FromMinutes(minutes - 1));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Start), new Approval(true, "ann"), CancellationToken.None);
        return await world.EndAsync();
    }
}
