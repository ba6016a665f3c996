using Drydock.DurableTask.TaskHub;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The process dies again and again in the middle, and the maintenance ends as if it had not.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class CrashTests
{
    [Theory]
    [InlineData("healthy", 5)]
    [InlineData("healthy", 13)]
    [InlineData("disruption-budget", 17)]
    [InlineData("vm-not-migratable", 11)]
    [InlineData("migration-stuck", 19)]
    public async Task A_crash_after_every_so_many_commits_changes_nothing_of_the_end(string scenario, int every)
    {
        await using var world = await World.StartAsync(scenario);
        await world.BeginAsync(world.Request());

        var report = await EndWithCrashesAsync(world, every);

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.WhatIsWrong().ShouldBeEmpty();
        world.AcceptedEvictions().ShouldBeUnique();
        report.LeftBehind.ShouldBeEmpty();
    }

    [Fact]
    public async Task No_virtual_machine_is_migrated_twice_because_of_a_crash()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request());

        await EndWithCrashesAsync(world, 7);

        world.Cluster.Store.List(KubeVirtTypes.Migrations).Select(migration => (string?)migration["spec"]!["vmiName"]).ShouldBeUnique();
    }

    [Fact]
    public async Task A_restart_does_not_give_the_drain_a_new_deadline()
    {
        await using var world = await World.StartAsync("disruption-budget");
        await world.BeginAsync(world.Request());
        await world.RunForAsync(TimeSpan.FromSeconds(2));
        var before = (await world.StatusAsync<MaintenanceStatus>())!;

        await world.CrashAsync();
        await world.RunForAsync(TimeSpan.FromSeconds(1));

        var after = (await world.StatusAsync<MaintenanceStatus>())!;
        before.Step.ShouldBe(MaintenanceStep.Drain);
        (after.Step, after.Deadline).ShouldBe((before.Step, before.Deadline));
    }

    private static async Task<MaintenanceReport> EndWithCrashesAsync(World world, int every)
    {
        for (var crash = 0; crash < 12; crash++)
        {
            world.KillAt(CrashPoints.CommitBeforeCommit, every);
            if (await world.EndOrDieAsync() is { } report)
            {
                return report;
            }
        }

        return await world.EndAsync();
    }
}
