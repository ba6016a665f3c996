using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Each scenario ends as its file says, seen from the cluster.</summary>
public sealed class ScenarioTests
{
    public static TheoryData<string> Names() => [.. Scenario.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_maintenance_ends_as_its_scenario_says(string name)
    {
        await using var world = await World.StartAsync(name);

        var report = await world.MaintainAsync();

        world.WhatIsWrong().ShouldBeEmpty(report.ToString());
        report.Outcome.ToString().ShouldBe(world.Scenario.Expect.Outcome ?? "Completed", report.Message);
        world.AcceptedEvictions().ShouldBeUnique();
    }

    [Fact]
    public async Task A_whole_maintenance_of_a_healthy_node_is_a_short_history()
    {
        await using var world = await World.StartAsync("healthy");
        var begun = world.Time.GetUtcNow();

        var report = await world.MaintainAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.IsRestored.ShouldBeTrue();
        report.LeftBehind.ShouldBeEmpty();
        report.VirtualMachines.ShouldAllBe(vm => vm.Outcome == VmOutcome.Migrated);
        report.Pods.ShouldAllBe(pod => pod.IsGone);
        (world.Time.GetUtcNow() - begun).ShouldBeLessThan(TimeSpan.FromSeconds(40), string.Join("\n", report.Steps.Select(step => step.ToString()).Concat(report.Pods.Select(pod => pod.ToString())).Concat(report.VirtualMachines.Select(vm => vm.ToString()))
            .Concat(world.Api.RequestLog.All.Select(r => $"{r.Time:mm:ss.fff} {r.Verb} {r.Path} {r.Code}"))));
    }
}
