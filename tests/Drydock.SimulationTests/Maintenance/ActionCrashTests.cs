using Drydock.Maintenance;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The process dies just before and just after every change an action makes through the API: each happens once.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ActionCrashTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData("/jobs", 1, false)]
    [InlineData("/jobs", 1, true)]
    [InlineData("/jobs", 2, false)]
    [InlineData("/jobs", 2, true)]
    [InlineData("/jobs", 3, true)]
    public async Task A_node_is_rebooted_once_whenever_the_process_dies(string path, int nth, bool after)
    {
        await using var world = await World.StartAsync("healthy");
        world.KillAtRequest(request => request.RequestUri!.AbsolutePath.Contains(path), nth, after);

        var report = await world.MaintainAsync(world.Request() with { Action = MaintenanceAction.Reboot });

        world.Deaths.ShouldBe(1);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(1);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    public async Task A_machine_is_switched_off_once_and_never_left_off_whenever_the_process_dies(int nth, bool after)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        world.KillAtRequest(request => request.Method == HttpMethod.Patch && request.RequestUri!.AbsolutePath.Contains("/baremetalhosts"), nth, after);

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffFor = TimeSpan.FromSeconds(30) },
        });

        world.Deaths.ShouldBe(1);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.Api.RequestLog.Of("patch", "baremetalhosts.metal3.io").Count(request => request.Code == 200).ShouldBe(2);
        await ActionTests.NothingIsHeldAsync(world);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("/nodehealthchecks/", 1, false)]
    [InlineData("/nodehealthchecks/", 1, true)]
    [InlineData("/nodehealthchecks/", 2, true)]
    [InlineData("/machinehealthchecks/", 1, true)]
    [InlineData("/machinehealthchecks/", 2, false)]
    [InlineData("/machinehealthchecks/", 2, true)]
    public async Task Remediation_is_paused_and_let_go_whenever_the_process_dies(string path, int nth, bool after)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        world.KillAtRequest(request => request.Method == HttpMethod.Patch && request.RequestUri!.AbsolutePath.Contains(path), nth, after);

        var report = await world.MaintainAsync();

        world.Deaths.ShouldBe(1);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        await ActionTests.NothingIsHeldAsync(world);
        world.WhatIsWrong().ShouldBeEmpty();
    }
}
