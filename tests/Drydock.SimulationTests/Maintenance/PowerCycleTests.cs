using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Power-cycles that do not go as they should: metal3 in error, a host that others keep off, one that somebody let go.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class PowerCycleTests
{
    private const string Failure = "metal3 says: power management error: power management command failed: connection to the BMC timed out";

    [Fact(Timeout = World.Timeout)]
    public async Task A_host_that_metal3_cannot_switch_says_its_error_meanwhile_and_at_the_deadline_and_is_let_go()
    {
        await using var world = await World.StartAsync(Failing(lasts: null));
        await world.BeginAsync(PowerCycle(world));
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var meanwhile = (await world.StatusAsync<ActionStatus>(InstanceIds.Action("m1", "action")))!;

        var report = await world.EndAsync();

        meanwhile.Message.ShouldBe($"Waiting until BareMetalHost metal/node-1 is off. M{Failure[1..]}.");
        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Failed, $"BareMetalHost metal/node-1 was not off within 30m: {Failure}."));
        await ActionTests.NothingIsHeldAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_error_that_passes_before_the_deadline_is_waited_for_and_the_machine_is_switched_once()
    {
        await using var world = await World.StartAsync(Failing(lasts: TimeSpan.FromMinutes(5)));

        var report = await world.MaintainAsync(PowerCycle(world));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        PowerPatches(world).ShouldBe(2);
        await ActionTests.NothingIsHeldAsync(world);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("reboot.metal3.io/other", "somebody else keeps it off by reboot.metal3.io/other")]
    [InlineData("baremetalhost.metal3.io/paused", "annotation baremetalhost.metal3.io/paused keeps metal3 away from it")]
    public async Task A_host_that_somebody_else_does_not_let_come_on_is_told_with_what_holds_it(string annotation, string why)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(PowerCycle(world, TimeSpan.FromMinutes(1)));
        await world.RunUntilAsync(() => (bool?)Host(world)["status"]!["poweredOn"] == false);
        Annotate(world, annotation, "");
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var meanwhile = (await world.StatusAsync<ActionStatus>(InstanceIds.Action("m1", "action")))!;

        var report = await world.EndAsync();

        meanwhile.Message.ShouldBe($"Waiting until BareMetalHost metal/node-1 is on. {char.ToUpperInvariant(why[0])}{why[1..]}.");
        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Failed, $"BareMetalHost metal/node-1 was not on within 30m: {why}."));
        Host(world)["metadata"]!["annotations"]![annotation].ShouldNotBeNull("it is theirs");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_somebody_let_go_while_the_process_was_dead_is_not_switched_off_a_second_time()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        world.KillAtRequest(static request => request.Method == HttpMethod.Patch && request.RequestUri!.AbsolutePath.Contains("baremetalhosts"), 1, after: true);
        await world.BeginAsync(PowerCycle(world, TimeSpan.FromHours(1)));
        await world.RunUntilAsync(() => world.IsDead);
        PowerPatches(world).ShouldBe(1);

        // Whoever is on call lets the machine go; the process comes back much later.
        foreach (var key in Host(world)["metadata"]!["annotations"]!.AsObject().Select(annotation => annotation.Key).Where(key => key.StartsWith("reboot.metal3.io/drydock-")).ToList())
        {
            Annotate(world, key, null);
        }

        world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", node =>
        {
            node["status"]!["nodeInfo"]!["bootID"] = "another boot";
            return true;
        });
        await world.CrashAsync();
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed, report.Message);
        report.Message.ShouldEndWith(": BareMetalHost metal/node-1 is not switched off again.");
        PowerPatches(world).ShouldBe(1);
    }

    private static MaintenanceRequest PowerCycle(World world, TimeSpan offFor = default) => world.Request() with
    {
        Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffFor = offFor },
    };

    private static Scenario Failing(TimeSpan? lasts) => ActionTests.Hardware with { Faults = [new FaultSpec("powerFails", "node-1") { For = lasts }] };

    private static int PowerPatches(World world) => world.Api.RequestLog.Of("patch", "baremetalhosts.metal3.io").Count(request => request.Code == 200);

    private static JsonObject Host(World world) => world.Cluster.Store.Get(HardwareTypes.Hosts, "metal", "node-1")!;

    private static void Annotate(World world, string key, string? value) => world.Cluster.Store.Update(HardwareTypes.Hosts, "metal", "node-1", host =>
    {
        var annotations = host["metadata"]!["annotations"] as JsonObject ?? [];
        host["metadata"]!["annotations"] = annotations;
        if (value is null)
        {
            annotations.Remove(key);
        }
        else
        {
            annotations[key] = value;
        }

        return true;
    });
}
