using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The part that keeps the marks on the node ends before its time: it is started again, and that is told.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class MarksKeptTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(1)]
    [InlineData(5)]
    public async Task What_keeps_the_marks_and_is_ended_by_somebody_is_started_again_and_told(int times)
    {
        await using var world = await HeldAsync();
        for (var time = 0; time < times; time++)
        {
            await world.Client.TerminateInstanceAsync(InstanceIds.Hold("m1"), "by mistake", CancellationToken.None);
            await world.RunForAsync(TimeSpan.FromSeconds(5));
        }

        var told = (await world.StatusAsync<MaintenanceStatus>())!;
        Uncordon(world);
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var isCordoned = IsCordoned(world);
        await world.CrashAsync();
        var report = await CompleteAsync(world);

        told.Message.ShouldStartWith("What keeps the marks on node node-1 ended at 2026-01-02 03:1");
        isCordoned.ShouldBeTrue("what takes its place looks after the marks as well");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.ShouldContain(finding => finding.Kind == "marks-reasserted");
        var unkept = report.Findings.Where(finding => finding.Kind == "marks-unkept").ToList();
        unkept.Count.ShouldBeInRange(1, 2, "what ends again and again is started once a minute");
        unkept.ShouldAllBe(finding => finding.Message.Contains("by mistake") && finding.NextStep == "If nobody ended it, see: drydock history m1:hold" && finding.Object == "node/node-1");
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task What_it_had_put_back_before_somebody_told_it_to_end_stands_in_the_report_with_what_came_after()
    {
        await using var world = await HeldAsync();
        Uncordon(world);
        await world.RunForAsync(TimeSpan.FromSeconds(30));
        await world.Client.RaiseEventAsync(InstanceIds.Hold("m1"), "end", "end", CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        Uncordon(world);
        await world.RunForAsync(TimeSpan.FromSeconds(30));
        var report = await CompleteAsync(world);

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.Count(finding => finding.Kind == "marks-reasserted").ShouldBe(2);
        report.Findings.Single(finding => finding.Kind == "marks-unkept").Message.ShouldContain("(somebody told it to end)");
        IsCordoned(world).ShouldBeFalse("nothing puts them on after the end");
        world.WhatIsWrong().ShouldBeEmpty();
    }

    private static async Task<World> HeldAsync()
    {
        var world = await World.StartAsync(new Scenario
        {
            Name = "held",
            Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2")],
            Workloads = [new WorkloadSpec("deployment", "shop", "web") { On = ["node-1"] }],
            Maintain = "node-1",
        });
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold, Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) } });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        return world;
    }

    private static async Task<MaintenanceReport> CompleteAsync(World world)
    {
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        return await world.EndAsync();
    }

    private static bool IsCordoned(World world) => Node(world)["spec"]!["unschedulable"] is not null;

    private static JsonObject Node(World world) => world.Cluster.Store.Get(ResourceTypes.Nodes, null, "node-1")!;

    private static void Uncordon(World world) => world.Cluster.Store.Update(
        ResourceTypes.Nodes, null, "node-1", node => node["spec"]!.AsObject().Remove("unschedulable"));
}
