using Drydock.Maintenance;
using Drydock.Maintenance.Planning;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

public sealed class StalePlanTests
{
    private static readonly DateTimeOffset Then = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static readonly MaintenancePlan Approved = new("node-1", Then)
    {
        NodeUid = "u", GoesStale = true, Policy = new MaintenancePolicy("p"), Steps = [new("drain", "Drain it.")], Findings = [new(FindingSeverity.Notes, "known", "Known.")],
    };

    private static readonly MaintenancePlan Now = new("node-1", Then.AddHours(1)) { NodeUid = "u", Findings = Approved.Findings };

    [Fact]
    public void What_was_approved_is_done_with_what_is_there_now()
    {
        var renewed = StalePlan.Renewed(Approved, Now);

        (renewed.At, renewed.Policy, renewed.Steps).ShouldBe((Now.At, Approved.Policy, Approved.Steps));
        renewed.Findings.ShouldBe(Approved.Findings);
    }

    [Fact]
    public void What_has_come_is_told_once_more_together()
    {
        var renewed = StalePlan.Renewed(Approved, Now with { Findings = [.. Now.Findings, new(FindingSeverity.Blocks, "new", "New.")] });

        renewed.CanStart.ShouldBeTrue();
        renewed.Findings.Select(static finding => finding.Kind).ShouldBe(["known", "new", "plan-changed"]);
        renewed.Findings[^1].Message.ShouldBe("Since 2026-01-02 03:04:05Z, when the plan that was approved was read, this has come: New.");
    }

    [Fact]
    public void What_nobody_approved_is_not_called_so() =>
        StalePlan.Renewed(Approved with { GoesStale = false }, Now with { Findings = [new(FindingSeverity.Blocks, "new", "New.")] }).Findings[^1].Message
            .ShouldBe("Since 2026-01-02 03:04:05Z, when the plan was read, this has come: New.");

    [Fact]
    public void Another_node_of_that_name_was_not_approved() =>
        StalePlan.Renewed(Approved, Now with { NodeUid = "other" }).Findings[0].ShouldBe(
            new(FindingSeverity.Refuses, "node-replaced", "Node node-1 is another one of that name by now.", "node/node-1"));
}
