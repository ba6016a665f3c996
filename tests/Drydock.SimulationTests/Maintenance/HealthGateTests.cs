using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The health gate in virtual time: deadlines, probes, and what the report says.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class HealthGateTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_is_not_Ready_any_more_when_its_uncordon_is_approved_stays_cordoned()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(world.Request() with
        {
            Approval = new ApprovalPolicy { Gates = [ApprovalGate.Uncordon] }, Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1), Timeout = TimeSpan.FromMinutes(5) },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await world.StatusAsync<MaintenanceStatus>())!.AwaitsApproval.ShouldBe(ApprovalGate.Uncordon);
        world.Cluster.Store.Update(HardwareTypes.Hosts, "metal", "node-1", static host =>
        {
            host["metadata"]!["annotations"] = new JsonObject { ["reboot.metal3.io/somebody"] = "" };
            return true;
        });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Uncordon), new Approval(true, "ann", null), CancellationToken.None);
        var report = await world.EndAsync();

        (report.Outcome, report.LeftBehind.Count > 0).ShouldBe((MaintenanceOutcome.Failed, true), report.Message);
        report.Message.ShouldStartWith("Node node-1 was not healthy within 5m: ");
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBeTrue();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true, MaintenanceOutcome.Completed)]
    [InlineData(false, MaintenanceOutcome.Failed)]
    public async Task Whoever_ends_a_hold_before_the_uncordon_may_have_a_node_put_back_that_is_not_healthy(bool skips, MaintenanceOutcome outcome)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(world.Request() with
        {
            Hooks = new MaintenanceHooks { BeforeUncordon = [new ActionStep(MaintenanceAction.Hold, new ActionOptions())] },
            Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1), Timeout = TimeSpan.FromMinutes(5) },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        world.Cluster.Store.Update(HardwareTypes.Hosts, "metal", "node-1", static host =>
        {
            host["metadata"]!["annotations"] = new JsonObject { ["reboot.metal3.io/somebody"] = "" };
            return true;
        });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann", SkipHealth: skips), CancellationToken.None);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(outcome, report.Message);
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBe(outcome == MaintenanceOutcome.Failed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_cannot_be_looked_at_fails_at_the_deadline_and_not_when_it_can()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with
        {
            Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] }, Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1), Timeout = TimeSpan.FromMinutes(10) },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var back = world.Time.GetUtcNow().AddMinutes(12);
        world.Api.Intercept = request => request is { Resource: "nodes", Verb: not "watch", IsDone: false } && world.Time.GetUtcNow() < back
            ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out") : Task.CompletedTask;

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ann", null), CancellationToken.None);
        var report = await world.EndAsync();

        report.Message.ShouldStartWith("Node node-1 was not healthy within 10m: The node could not be looked at: ");
        var health = report.Steps.Single(static step => step.Step == MaintenanceStep.Health);
        (health.To - health.From).ShouldBe(TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(5));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_kubelet_that_stays_too_old_fails_by_the_deadline_and_the_node_stays_cordoned()
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync(world.Request() with
        {
            Health = new HealthPolicy { KubeletVersion = "v1.99.0", Timeout = TimeSpan.FromMinutes(20) },
        });

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, false));
        report.Message.ShouldBe("Node node-1 was not healthy within 20m: The kubelet is v1.36.2, at least v1.99.0 is wanted.");
        var health = report.Steps.Single(step => step.Step == MaintenanceStep.Health);
        (health.To - health.From).ShouldBeInRange(TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(21));
        (await world.Kubernetes.GetNodeAsync("node-1", default))!.Unschedulable.ShouldBeTrue();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_that_has_rebooted_takes_work_again_when_it_was_Ready_for_the_time_that_is_wanted_without_a_break(bool isUnsteady)
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.Reboot, Health = new HealthPolicy { StableFor = TimeSpan.FromMinutes(5), Timeout = TimeSpan.FromMinutes(20) },
        });
        while (await world.StatusAsync<MaintenanceStatus>() is not { Step: MaintenanceStep.Health })
        {
            await world.RunForAsync(TimeSpan.FromSeconds(1));
        }

        await world.RunForAsync(TimeSpan.FromMinutes(3));
        if (isUnsteady)
        {
            SetReady(world, "False");
            await world.RunForAsync(TimeSpan.FromSeconds(5));
            SetReady(world, "True");
        }

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var health = report.Steps.Single(step => step.Step == MaintenanceStep.Health);
        var wanted = TimeSpan.FromMinutes(isUnsteady ? 8 : 5);
        (health.To - health.From).ShouldBeInRange(wanted - TimeSpan.FromSeconds(20), wanted + TimeSpan.FromSeconds(20));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_kubelet_that_a_reboot_brings_to_the_wanted_version_passes()
    {
        var healthy = Scenario.Named("healthy");
        await using var world = await World.StartAsync(healthy with
        {
            Nodes = [.. healthy.Nodes.Select(node => node with { KubeletVersionAfterReboot = "v1.37.0" })],
        });

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.Reboot, Health = new HealthPolicy { KubeletVersion = "v1.37.0" },
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_node_without_a_pod_of_a_DaemonSet_that_had_one_is_not_healthy_unless_our_own_taint_keeps_it_away(bool tolerates)
    {
        await using var world = await World.StartAsync(WithAgent);
        world.Cluster.Store.Update(ResourceTypes.DaemonSets, "kube-system", "agent", set =>
        {
            set["metadata"]!["finalizers"] = new JsonArray("example.com/hold");
            set["spec"]!["template"]!["spec"]!["tolerations"] = tolerates ? new JsonArray(new JsonObject { ["operator"] = "Exists" }) : new JsonArray();
            return true;
        });
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold, Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) } });
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        // One that is being deleted makes no pods; it is there until its finalizer is gone.
        var agent = world.Cluster.Store.List(ResourceTypes.Pods)
            .Single(pod => (string?)pod["spec"]!["nodeName"] == "node-1" && (string?)pod["metadata"]!["labels"]?["app"] == "agent");
        world.Cluster.Store.Delete(ResourceTypes.DaemonSets, "kube-system", "agent", new Deletion());
        world.Cluster.Store.Delete(ResourceTypes.Pods, "kube-system", (string)agent["metadata"]!["name"]!, new Deletion());
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var status = (await world.StatusAsync<MaintenanceStatus>())!;
        var waiting = await world.StatusAsync<HealthStatus>(InstanceIds.Health("m1"));
        world.Cluster.Store.Update(ResourceTypes.DaemonSets, "kube-system", "agent", set => set["metadata"]!.AsObject().Remove("finalizers"));
        var report = await world.EndAsync();

        status.Step.ShouldBe(tolerates ? MaintenanceStep.Health : MaintenanceStep.Done);
        if (tolerates)
        {
            waiting!.Message.ShouldBe("Waiting until the node is healthy: DaemonSet kube-system/agent has no pod on the node any more.");
        }

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_probe_is_asked_until_it_passes_and_one_that_never_does_says_what_it_saw()
    {
        var targets = new Targets { Failures = 3 };
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(UpProbe, targets));

        var report = await world.MaintainAsync(world.Request() with
        {
            Policy = "p", Health = new HealthPolicy { Probes = ["up"], Timeout = TimeSpan.FromMinutes(2) },
        });

        report.Message.ShouldBe("Node node-1 was not healthy within 2m: Probe up: the answer does not contain 'ok': 202");
        targets.Calls.Count.ShouldBeInRange(11, 14);
        targets.Calls[0].Url.ShouldBe("https://status.example/node-1");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(39)]
    [InlineData(40)]
    [InlineData(41)]
    public async Task A_cancel_is_heard_in_whichever_pause_between_two_probes_it_comes(int pause)
    {
        // The fortieth is the last of a generation of the gate.
        var targets = new Targets { Failures = int.MaxValue };
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(UpProbe, targets));
        await world.BeginAsync(world.Request() with { Policy = "p", Health = new HealthPolicy { Probes = ["up"], StableFor = TimeSpan.Zero, Timeout = TimeSpan.FromHours(5) } });
        await world.RunUntilAsync(() => targets.Calls.Count == pause);
        await world.RunForAsync(TimeSpan.FromSeconds(3));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        var asked = world.Time.GetUtcNow();
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Cancelled, report.Message);
        (world.Time.GetUtcNow() - asked).ShouldBeLessThan(TimeSpan.FromSeconds(30));
        targets.Calls.Count.ShouldBe(pause);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_node_that_somebody_reset_by_its_button_while_it_was_held_takes_work_again_only_after_a_heartbeat_of_virt_handler_since(bool isPressed)
    {
        // virt-handler writes one a minute, and one when it comes up.
        var pressed = TimeSpan.FromMinutes(20);
        await using var world = await World.StartAsync(Scenario.Named("healthy") with
        {
            Faults = isPressed ? [new FaultSpec("powerButton", "node-1") { After = pressed }] : [],
        });
        var boot = await BootIdAsync(world);
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold, Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) } });
        await world.RunForAsync(pressed + TimeSpan.FromSeconds(20));
        var held = (await world.StatusAsync<MaintenanceStatus>())!;
        var (now, before) = (await BootIdAsync(world), (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.KubeVirtHeartbeat!.Value);

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var asked = world.Time.GetUtcNow();
        await world.RunForAsync(TimeSpan.FromSeconds(10));
        var waiting = (await world.StatusAsync<MaintenanceStatus>())!;
        var told = await world.StatusAsync<HealthStatus>(InstanceIds.Health("m1"));
        var report = await world.EndAsync();
        var after = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.KubeVirtHeartbeat!.Value;

        held.IsHolding.ShouldBeTrue();
        (now != boot).ShouldBe(isPressed);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        waiting.Step.ShouldBe(isPressed ? MaintenanceStep.Health : MaintenanceStep.Done);
        if (isPressed)
        {
            told!.Message.ShouldContain($"The last heartbeat of virt-handler ({before:HH:mm:ss}) is from before the boot (");
            after.ShouldBeGreaterThan(asked);
            report.Steps.Single(step => step.Step == MaintenanceStep.Health).To.ShouldBeInRange(after, after.AddSeconds(5));
        }

        world.WhatIsWrong().ShouldBeEmpty();
    }

    private static async Task<string?> BootIdAsync(World world) => (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId;

    private static MaintenancePolicy UpProbe { get; } = new("p")
    {
        Probes = new Dictionary<string, ProbeTemplate> { ["up"] = new(ProbeKind.Http) { Url = "https://status.example/{node}", Contains = "ok" } },
    };

    private static Scenario WithAgent { get; } = new()
    {
        Name = "with-agent",
        Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2")],
        Workloads = [new WorkloadSpec("daemonSet", "kube-system", "agent")],
        Maintain = "node-1",
    };

    private static void SetReady(World world, string status) => world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", node =>
    {
        var ready = node["status"]!["conditions"]!.AsArray().Single(condition => (string?)condition!["type"] == "Ready")!;
        ready["status"] = status;
        ready["lastTransitionTime"] = world.Time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");
        return true;
    });
}
