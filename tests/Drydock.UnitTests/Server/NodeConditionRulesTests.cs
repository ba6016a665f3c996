using Drydock.Maintenance;
using Drydock.Server.NodeConditions;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

public sealed class NodeConditionRulesTests
{
    [Theory]
    [InlineData("v1.36.2", false)]
    [InlineData("v1.37.0", true)]
    [InlineData("v1.37.0-alpha.2", true)]
    [InlineData("v1.38.1+k3s1", true)]
    [InlineData("v2.0.0", true)]
    [InlineData("", false)]
    [InlineData("unknown", false)]
    public void They_came_with_Kubernetes_1_37(string version, bool known) => NodeConditionRules.AreKnownTo(version).ShouldBe(known);

    [Theory]
    [InlineData(MaintenanceStep.Approve, "MaintenancePlanned")]
    [InlineData(MaintenanceStep.Drain, "MaintenancePlanned DrainInProgress")]
    [InlineData(MaintenanceStep.Action, "Drained MaintenanceInProgress")]
    [InlineData(MaintenanceStep.Health, "Drained MaintenanceInProgress")]
    [InlineData(MaintenanceStep.Restore, "MaintenanceInProgress")]
    public void Each_step_has_its_conditions(MaintenanceStep step, string expected) => True(new MaintenanceStatus("node-1", step, "")).ShouldBe(expected.Split(' '));

    [Fact]
    public void At_a_gate_after_the_drain_the_node_is_empty_and_out_of_service() => True(new MaintenanceStatus("node-1", MaintenanceStep.Approve, "")
    {
        Steps = [new StepTime(MaintenanceStep.Drain, default, default), new StepTime(MaintenanceStep.Hook, default, default)],
    }).ShouldBe(["Drained", "MaintenanceInProgress"]);

    [Fact]
    public void While_the_lease_is_somebody_elses_or_not_ours_yet_nothing_is_said()
    {
        NodeConditionRules.Of(false, null).ShouldBeNull();
        NodeConditionRules.Of(false, new MaintenanceStatus("node-1", MaintenanceStep.Lease, "")).ShouldBeNull();
        NodeConditionRules.Of(false, new MaintenanceStatus("node-1", MaintenanceStep.Drain, "") { IsLeaseLost = true }).ShouldBeNull();
    }

    [Fact]
    public void At_the_end_none_is_true() =>
        NodeConditionRules.Of(true, new MaintenanceStatus("node-1", MaintenanceStep.Done, ""))!.ShouldAllBe(static condition => !condition.IsTrue);

    private static IEnumerable<string> True(MaintenanceStatus status) =>
        NodeConditionRules.Of(false, status)!.Where(static condition => condition.IsTrue).Select(static condition => condition.Type);
}
