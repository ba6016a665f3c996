using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Each scenario ends as its file says, seen from the cluster.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ScenarioTests
{
    public static TheoryData<string> Names() => [.. Scenario.Names];

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Names))]
    public async Task A_maintenance_ends_as_its_scenario_says(string name)
    {
        await using var world = await World.StartAsync(name);

        var report = await world.MaintainAsync();

        world.WhatIsWrong().ShouldBeEmpty(report.ToString());
        report.Outcome.ToString().ShouldBe(world.Scenario.Expect.Outcome ?? "Completed", report.Message);
        world.AcceptedEvictions().ShouldBeUnique();
        (world.Time.GetUtcNow() - World.Start).ShouldBeLessThanOrEqualTo(world.Scenario.Expect.Within);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_healthy_node_is_emptied_and_put_back_without_stopping_a_virtual_machine()
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.IsRestored.ShouldBeTrue();
        report.LeftBehind.ShouldBeEmpty();
        report.VirtualMachines.ShouldAllBe(vm => vm.Outcome == VmOutcome.Migrated);
        report.Pods.ShouldAllBe(pod => pod.IsGone);
    }
}
