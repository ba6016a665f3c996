using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The API server tells its time with every answer: where ours is another, times of the cluster would be read wrongly.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ClockSkewTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(0, MaintenanceOutcome.Completed, null)]
    [InlineData(30, MaintenanceOutcome.Completed, FindingSeverity.Notes)]
    [InlineData(-300, MaintenanceOutcome.Refused, FindingSeverity.Refuses)]
    public async Task A_maintenance_is_told_of_it_and_does_not_begin_where_it_would_harm(int serverAhead, MaintenanceOutcome outcome, FindingSeverity? severity)
    {
        await using var world = await World.StartAsync(Scenario.Named("healthy"));
        world.Api.Date = () => world.Time.GetUtcNow() + TimeSpan.FromSeconds(serverAhead);

        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(world.Request(), CancellationToken.None);
        var report = await world.MaintainAsync(world.Request());

        report.Outcome.ShouldBe(outcome, report.Message);
        plan.Findings.Where(static finding => finding.Kind == "clock-skew").Select(static finding => (FindingSeverity?)finding.Severity)
            .ShouldBe(severity is null ? [] : [severity]);
        plan.CanStart.ShouldBe(outcome == MaintenanceOutcome.Completed);
        if (outcome == MaintenanceOutcome.Refused)
        {
            report.Message.ShouldContain("The clock of this host is 5m ahead of that of the API server");
            world.Api.RequestLog.Of("create", "leases.coordination.k8s.io").ShouldBeEmpty();
        }
    }
}
