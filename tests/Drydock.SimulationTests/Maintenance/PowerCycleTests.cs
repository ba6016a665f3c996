using System.Text.Json.Nodes;
using Drydock.Kubernetes;
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
        await StaysOutAsync(world, report);
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
        await StaysOutAsync(world, report);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task After_a_cancel_remediation_is_let_go_when_the_machine_is_back_and_not_before()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(PowerCycle(world, TimeSpan.FromHours(9)));
        await world.RunUntilAsync(() => (bool?)Host(world)["status"]!["poweredOn"] == false);
        Annotate(world, "reboot.metal3.io/other", "");
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var meanwhile = (await world.StatusAsync<MaintenanceStatus>())!.Message;
        await IsHeldAsync(world);
        Annotate(world, "reboot.metal3.io/other", null);

        var report = await world.EndAsync();

        meanwhile.ShouldStartWith("Node node-1 is put back when its machine is: waiting until BareMetalHost metal/node-1 is on (somebody else keeps it off by reboot.metal3.io/other), until ");
        (report.Outcome, report.LeftBehind.Count, report.Findings.Any(static finding => finding.Kind == "machine-not-back")).ShouldBe((MaintenanceOutcome.Cancelled, 0, false));
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.IsReady.ShouldBeTrue();
        await ActionTests.NothingIsHeldAsync(world);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(40)]
    [InlineData(70)]
    public async Task After_a_cancel_a_machine_that_cannot_be_seen_is_looked_for_again_for_as_long_as_the_action_had(int minutes)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(PowerCycle(world, TimeSpan.FromHours(9)));
        await world.RunUntilAsync(() => (bool?)Host(world)["status"]!["poweredOn"] == false);
        var back = world.Time.GetUtcNow().AddMinutes(minutes);
        world.Api.Intercept = request => request is { Resource: "nodes", Verb: not "watch", IsDone: false } && world.Time.GetUtcNow() < back
            ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out") : Task.CompletedTask;

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(35));
        var meanwhile = (await world.StatusAsync<MaintenanceStatus>())!;
        var report = await world.EndAsync();

        (meanwhile.Step, meanwhile.IsCancelling).ShouldBe((MaintenanceStep.Restore, true));
        meanwhile.Message.ShouldStartWith("Node node-1 is put back when its machine is: whether it is cannot be seen now, until ");
        (report.Outcome, report.LeftBehind.Count).ShouldBe((MaintenanceOutcome.Cancelled, 0));
        var finding = report.Findings.SingleOrDefault(static finding => finding.Kind == "machine-not-back");
        if (minutes == 40)
        {
            finding.ShouldBeNull();
        }
        else
        {
            finding.ShouldNotBeNull().Message.ShouldStartWith("Whether the machine of node node-1 is back could not be found out: ");
        }

        await ActionTests.NothingIsHeldAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_does_not_come_back_after_a_cancel_holds_it_up_for_as_long_as_the_action_had()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(PowerCycle(world, TimeSpan.FromHours(9)));
        await world.RunUntilAsync(() => (bool?)Host(world)["status"]!["poweredOn"] == false);
        Annotate(world, "reboot.metal3.io/other", "");
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(28));
        await IsHeldAsync(world);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Cancelled, report.Message);
        report.Findings.Single(static finding => finding.Kind == "machine-not-back").Message.ShouldBe(
            "Node node-1 was put back although its machine did not come back within 30m of the cancel: "
            + "BareMetalHost metal/node-1 is not on: somebody else keeps it off by reboot.metal3.io/other.");
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBeFalse();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_cancel_while_the_node_boots_after_its_power_cycle_puts_it_back_when_it_is_Ready_and_not_before()
    {
        await using var world = await World.StartAsync(Slow(silently: false));
        await world.BeginAsync(PowerCycle(world));
        while ((await world.StatusAsync<MaintenanceStatus>())?.Step != MaintenanceStep.Health)
        {
            await world.RunForAsync(TimeSpan.FromSeconds(1));
        }

        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.IsReady.ShouldBeFalse();
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        await IsHeldAsync(world);

        var report = await world.EndAsync();

        (report.Outcome, report.LeftBehind.Count, report.Findings.Any(static finding => finding.Kind == "machine-not-back")).ShouldBe((MaintenanceOutcome.Cancelled, 0, false));
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.IsReady.ShouldBeTrue();
        await ActionTests.NothingIsHeldAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_whose_machine_was_switched_off_and_on_stays_out_if_what_follows_fails_before_it_was_seen_healthy()
    {
        const string fails = """{"spec":{"backoffLimit":0,"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"1","fake-kubelet/exit-code":"3"}},"spec":{"restartPolicy":"Never","tolerations":[{"operator":"Exists"}],"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";
        await using var world = await World.StartAsync(Slow(silently: false));

        var report = await world.MaintainAsync(world.Request() with
        {
            Hooks = new MaintenanceHooks { AfterDrain = [new ActionStep(MaintenanceAction.PowerCycle, new ActionOptions())] },
            Action = MaintenanceAction.Job,
            ActionOptions = new ActionOptions { Job = new JobTemplate("default", fails), Timeout = TimeSpan.FromMinutes(30) },
            OnFailure = FailurePolicy.Restore,
        });

        report.Actions.Select(static action => action.Outcome).ShouldBe([ActionOutcome.Done, ActionOutcome.Failed]);
        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        await StaysOutAsync(world, report);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_reboot_that_is_cancelled_before_the_kubelet_is_seen_to_be_silent_keeps_the_node_out_until_it_has_booted()
    {
        await using var world = await World.StartAsync(Slow(silently: true));
        var before = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId;
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Reboot });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Pods).Any(static pod =>
            ((string)pod["metadata"]!["name"]!).Contains("drydock-", StringComparison.Ordinal) && (string?)pod["status"]?["phase"] == "Running"));
        await world.RunForAsync(TimeSpan.FromSeconds(10));
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.IsReady.ShouldBeTrue("its kubelet has said nothing");

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", "wrong node"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.IsReady.ShouldBeFalse();
        await IsHeldAsync(world);
        var report = await world.EndAsync();

        (report.Outcome, report.LeftBehind.Count).ShouldBe((MaintenanceOutcome.Cancelled, 0), report.Message);
        var node = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        (node.IsReady, node.BootId == before, node.Unschedulable).ShouldBe((true, false, false));
        await ActionTests.NothingIsHeldAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_hold_that_is_cancelled_while_its_node_is_down_puts_it_back_when_it_is_Ready()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        Annotate(world, "reboot.metal3.io/technician", "");
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        await IsHeldAsync(world);
        Annotate(world, "reboot.metal3.io/technician", null);
        var report = await world.EndAsync();

        (report.Outcome, report.LeftBehind.Count).ShouldBe((MaintenanceOutcome.Cancelled, 0), report.Message);
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.IsReady.ShouldBeTrue();
        await ActionTests.NothingIsHeldAsync(world);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true, "until somebody says complete")]
    [InlineData(false, "for 9h")]
    public async Task A_machine_that_comes_on_while_it_is_to_stay_off_is_told_at_once_and_its_node_stays_out(bool forPeople, string asked)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        var request = PowerCycle(world, TimeSpan.FromHours(9));
        await world.BeginAsync(forPeople ? request with { ActionOptions = new ActionOptions { PowerOffUntilComplete = true } } : request);
        await world.RunUntilAsync(() => (bool?)Host(world)["status"]!["poweredOn"] == false);
        await world.RunForAsync(TimeSpan.FromHours(3));
        var key = Host(world)["metadata"]!["annotations"]!.AsObject().Single(static annotation => annotation.Key.StartsWith("reboot.metal3.io/drydock-", StringComparison.Ordinal)).Key;
        Annotate(world, key, null);

        var report = await world.EndAsync();

        (report.Outcome, report.Message).ShouldBe((
            MaintenanceOutcome.Failed,
            $"BareMetalHost metal/node-1 came on although it was to stay off {asked}: somebody switched it on, or took annotation {key} off it."));
        (world.Time.GetUtcNow() - World.Start).ShouldBeLessThan(TimeSpan.FromHours(3) + TimeSpan.FromMinutes(10));
        await StaysOutAsync(world, report);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_somebody_switches_on_by_its_button_while_it_is_to_stay_off_is_told_and_its_node_stays_out()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware with { Faults = [new FaultSpec("powerButton", "node-1") { After = TimeSpan.FromHours(3) }] });
        await world.BeginAsync(PowerCycle(world) with { ActionOptions = new ActionOptions { PowerOffUntilComplete = true } });
        await world.RunUntilAsync(() => (bool?)Host(world)["status"]!["poweredOn"] == false);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldNotBeNull().ShouldStartWith("BareMetalHost metal/node-1 came on although it was to stay off until somebody says complete: somebody switched it on, or took annotation ");
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromHours(3), TimeSpan.FromHours(3) + TimeSpan.FromMinutes(10));
        await StaysOutAsync(world, report);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whoever_ends_the_time_off_may_leave_the_health_unchecked(bool skips)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(PowerCycle(world) with { ActionOptions = new ActionOptions { PowerOffUntilComplete = true } });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann", skips), CancellationToken.None);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Steps.Any(static step => step.Step == MaintenanceStep.Health).ShouldBe(!skips);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task The_deadline_that_is_told_is_that_of_the_wait_in_hand()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(PowerCycle(world, TimeSpan.FromMinutes(50)));
        await world.RunUntilAsync(() => (bool?)Host(world)["status"]!["poweredOn"] == false);
        Annotate(world, "reboot.metal3.io/other", "");
        var off = world.Time.GetUtcNow();
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var kept = await DeadlineAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(49.5));
        var waits = await DeadlineAsync();
        Annotate(world, "reboot.metal3.io/other", null);
        var report = await world.EndAsync();

        kept.ShouldBe(off + TimeSpan.FromMinutes(50), TimeSpan.FromSeconds(10));
        waits.ShouldBe(off + TimeSpan.FromMinutes(80), TimeSpan.FromSeconds(10));
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);

        async Task<DateTimeOffset> DeadlineAsync() => (await world.StatusAsync<ActionStatus>(InstanceIds.Action("m1", "action")))!.Deadline!.Value;
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

    // The host itself is let go: what keeps the machine off is never left behind.
    private static async Task StaysOutAsync(World world, MaintenanceReport report)
    {
        await IsHeldAsync(world);
        (await ActionTests.HostAsync(world)).Annotations.Keys
            .ShouldNotContain(static key => key.StartsWith("reboot.metal3.io/drydock-", StringComparison.Ordinal));
        report.LeftBehind[0].ShouldBe("Node node-1 is still cordoned, tainted and marked. When it is fit: drydock restore node-1");
    }

    private static async Task IsHeldAsync(World world)
    {
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBeTrue();
        (await world.Neighbours.ListNeighboursAsync(NeighbourKind.NodeHealthCheck, CancellationToken.None)).ShouldAllBe(static check => check.PauseRequests.Count == 1);
        (await world.Neighbours.ListNeighboursAsync(NeighbourKind.OpenShiftHealthCheck, CancellationToken.None))
            .ShouldAllBe(static check => check.Annotations.ContainsKey("cluster.x-k8s.io/paused"));
    }

    private static MaintenanceRequest PowerCycle(World world, TimeSpan offFor = default) => world.Request() with
    {
        Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffFor = offFor },
    };

    private static Scenario Failing(TimeSpan? lasts) => ActionTests.Hardware with { Faults = [new FaultSpec("powerFails", "node-1") { For = lasts }] };

    private static Scenario Slow(bool silently) => ActionTests.Hardware with
    {
        Nodes = [.. ActionTests.Hardware.Nodes.Select(node => node with { RebootTakes = TimeSpan.FromMinutes(5), StopsSilently = silently })],
    };

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
