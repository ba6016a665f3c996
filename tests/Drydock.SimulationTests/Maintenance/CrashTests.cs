using Drydock.DurableTask.TaskHub;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The process dies again and again in the middle, and the maintenance ends as if it had not.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class CrashTests
{
    [Theory(Timeout = World.Timeout)]
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
        world.Deaths.ShouldBePositive();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("healthy", CrashPoints.CommitBeforeCommit)]
    [InlineData("healthy", CrashPoints.CommitAfterCommit)]
    [InlineData("disruption-budget", CrashPoints.CommitBeforeCommit)]
    [InlineData("node-not-ready", CrashPoints.CommitBeforeCommit)]
    public async Task A_crash_at_every_tenth_commit_changes_nothing_of_the_end(string scenario, string point) =>
        (await SweepAsync(scenario, point, step: 10)).ShouldBeEmpty();

    // Not run by default: it takes minutes.
    [Theory(Explicit = true)]
    [MemberData(nameof(Everything))]
    public async Task A_crash_at_any_commit_changes_nothing_of_the_end(string scenario, string point) =>
        (await SweepAsync(scenario, point, step: 1)).ShouldBeEmpty();

    public static TheoryData<string, string> Everything()
    {
        var data = new TheoryData<string, string>();
        foreach (var name in Scenario.Names)
        {
            data.Add(name, CrashPoints.CommitBeforeCommit);
            data.Add(name, CrashPoints.CommitAfterCommit);
        }

        return data;
    }

    [Fact(Timeout = World.Timeout)]
    public async Task No_virtual_machine_is_migrated_twice_because_of_a_crash()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request());

        await EndWithCrashesAsync(world, 7);

        world.Cluster.Store.List(KubeVirtTypes.Migrations).Select(migration => (string?)migration["spec"]!["vmiName"]).ShouldBeUnique();
    }

    [Fact(Timeout = World.Timeout)]
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

    /// <summary>One world for each commit at which it dies, until one ends before it would have died; the first commit is the begin.</summary>
    private static async Task<IReadOnlyList<string>> SweepAsync(string scenario, string point, int step)
    {
        var wrong = new List<string>();
        var wasKilled = true;
        for (var commit = 2; wasKilled; commit += step)
        {
            await using var world = await World.StartAsync(scenario);
            world.KillAt(point, commit);
            await world.BeginAsync(world.Request());
            var report = await world.EndAsync();
            wasKilled = world.Deaths > 0;
            wrong.AddRange(WhatIsWrong(world, report).Select(what => $"killed at commit {commit}: {what}"));
        }

        return wrong;
    }

    private static IEnumerable<string> WhatIsWrong(World world, MaintenanceReport report) =>
    [
        .. world.WhatIsWrong(),
        .. world.AcceptedEvictions().CountBy(pod => pod).Where(pod => pod.Value > 1).Select(pod => $"{pod.Key} was evicted {pod.Value} times"),
        .. report.LeftBehind.Where(_ => world.Scenario.Expect.Schedulable).Select(left => $"left behind: {left}"),
        .. report.Outcome.ToString() == (world.Scenario.Expect.Outcome ?? "Completed") ? [] : new[] { $"{report.Outcome}: {report.Message}" },
    ];

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
