using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Power-cycles, jobs, webhooks, hooks, holds and approvals of a maintenance, in virtual time.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ActionTests
{
    private const string Quick = """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"5s"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";

    private static readonly MaintenancePolicy Policy = new("p")
    {
        Jobs = new Dictionary<string, JobTemplate> { ["firmware"] = new("default", Quick) },
        Webhooks = new Dictionary<string, WebhookTemplate> { ["change"] = new("https://hooks.example/{node}", "key") },
    };

    internal static Scenario Hardware { get; } = Scenario.Named("healthy") with
    {
        Nodes = [.. Scenario.Named("healthy").Nodes.Select(node => node with { BareMetalHost = $"metal/{node.Name}", Machine = $"metal/m-{node.Name}", RebootTakes = TimeSpan.FromSeconds(20) })],
        NodeHealthChecks = [new NodeHealthCheckSpec("workers")],
        MachineHealthChecks = [new MachineHealthCheckSpec("metal", "workers")],
    };

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_is_kept_off_as_long_as_asked_and_switched_on_again()
    {
        await using var world = await World.StartAsync(Hardware);
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffFor = TimeSpan.FromMinutes(20) },
        });

        await RunUntilAsync(world, async () => !(await HostAsync(world)).Power!.IsOn);
        (await HostAsync(world)).Annotations.Keys.ShouldContain(key => key.StartsWith("reboot.metal3.io/drydock-", StringComparison.Ordinal));
        (await world.Neighbours.ListNeighboursAsync(NeighbourKind.NodeHealthCheck, default))[0].PauseRequests
            .ShouldBe(["drydock: node node-1 is under maintenance (drydock/hub/m1)"]);
        (await world.Neighbours.ListNeighboursAsync(NeighbourKind.OpenShiftHealthCheck, default))[0].Annotations["cluster.x-k8s.io/paused"].ShouldBe("drydock");
        await world.RunForAsync(TimeSpan.FromMinutes(19));
        (await HostAsync(world)).Power!.IsOn.ShouldBeFalse();
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.Single().Message.ShouldBe("BareMetalHost metal/node-1 was switched off and on again.");
        await NothingIsHeldAsync(world);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_people_work_on_stays_off_until_they_say_complete()
    {
        await using var world = await World.StartAsync(Hardware);
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffUntilComplete = true, RemindEvery = TimeSpan.FromMinutes(30) },
        });
        await world.RunForAsync(TimeSpan.FromHours(5));
        (await HostAsync(world)).Power!.IsOn.ShouldBeFalse();
        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), default);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        Events(world, "MachineIsOff").ShouldBeGreaterThan(8);
        await NothingIsHeldAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_cancel_switches_the_machine_on_and_leaves_no_annotation_behind()
    {
        await using var world = await World.StartAsync(Hardware);
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffFor = TimeSpan.FromHours(9) } });
        await RunUntilAsync(world, async () => !(await HostAsync(world)).Power!.IsOn);

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), default);
        var report = await world.EndAsync();

        (report.Outcome, report.Actions.Single().Outcome).ShouldBe((MaintenanceOutcome.Cancelled, ActionOutcome.Cancelled));
        report.LeftBehind.ShouldBeEmpty();
        await NothingIsHeldAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_lost_hub_does_not_leave_the_machine_off_restore_switches_it_on()
    {
        await using var world = await World.StartAsync(Hardware);
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffFor = TimeSpan.FromHours(9) }, LeaseDuration = TimeSpan.FromMinutes(1),
        });
        await RunUntilAsync(world, async () => !(await HostAsync(world)).Power!.IsOn);

        await world.LoseHubAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var restore = new NodeRestore(world.Kubernetes, world.Neighbours, world.Time);
        (await restore.RestoreAsync("node-1", evenIfRunning: false, default)).LeftBehind.ShouldHaveSingleItem().ShouldContain("its machine was switched on just now");
        await world.RunForAsync(TimeSpan.FromMinutes(10));

        (await restore.RestoreAsync("node-1", evenIfRunning: false, default)).LeftBehind.ShouldBeEmpty();
        await NothingIsHeldAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_lost_hub_leaves_no_job_behind_restore_deletes_the_one_under_way_and_no_other()
    {
        var slow = Quick.Replace("\"5s\"", "\"32400\"");
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.Job, ActionOptions = new ActionOptions { Job = new JobTemplate("default", slow), Timeout = TimeSpan.FromHours(12) },
            LeaseDuration = TimeSpan.FromMinutes(1),
        });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        await world.Neighbours.CreateJobAsync(new("default", "theirs"), slow.Replace("{\"spec\"", "{\"metadata\":{\"name\":\"theirs\"},\"spec\""), default);

        await world.LoseHubAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var result = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, default);

        result.LeftBehind.ShouldBeEmpty();
        result.Done.ShouldContain(sentence => sentence.Contains("which is deleted"));
        world.Cluster.Store.List(ResourceTypes.Jobs).Select(job => (string?)job["metadata"]!["name"]).ShouldBe(["theirs"]);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Hooks_and_a_job_run_on_the_node_in_order_once_each_and_are_cleaned_up()
    {
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(Policy));
        var job = new ActionStep(MaintenanceAction.Job, new ActionOptions { Template = "firmware" });

        var report = await world.MaintainAsync(world.Request() with
        {
            Policy = "p",
            Action = MaintenanceAction.Job,
            ActionOptions = job.Options,
            Hooks = new MaintenanceHooks { BeforeDrain = [job], AfterDrain = [job], BeforeUncordon = [job] },
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.Select(action => action.Key).ShouldBe(["before-drain-1", "after-drain-1", "action", "before-uncordon-1"]);
        report.Actions.ShouldAllBe(action => action.Outcome == ActionOutcome.Done);
        var created = world.Api.RequestLog.Of("create", "jobs.batch").ToList();
        created.Count(request => request.Code == 201).ShouldBe(4);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_that_a_request_brings_itself_runs_on_the_node_without_any_policy()
    {
        await using var world = await World.StartAsync("healthy");
        var own = new ActionStep(MaintenanceAction.Job, new ActionOptions { Job = new JobTemplate("default", Quick) });

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = own.Kind, ActionOptions = own.Options, Hooks = new MaintenanceHooks { AfterDrain = [own] },
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.Select(action => (action.Key, action.Step.ToString(), action.Outcome))
            .ShouldBe([("after-drain-1", "job in default", ActionOutcome.Done), ("action", "job in default", ActionOutcome.Done)]);
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(2);
        world.AcceptedEvictions().ShouldNotContain(pod => pod.Contains("drydock-"), "its own job is not drained");
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_webhook_is_called_signed_and_its_call_back_ends_the_wait()
    {
        var targets = new Targets();
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(Policy, targets));
        await world.BeginAsync(Webhook(world));
        await world.RunUntilAsync(() => targets.Calls.Count > 0);
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        await world.Client.RaiseEventAsync(InstanceIds.Action("m1", "action"), ActionEvents.Callback, new WebhookCallback(true, "ticket closed"), default);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.Single().Message.ShouldBe("Webhook change called back: done: ticket closed.");
        var call = targets.Calls.ShouldHaveSingleItem();
        (call.Url, call.Headers["Idempotency-Key"]).ShouldBe(("https://hooks.example/node-1", "m1/action"));
        WebhookSignature.Problem(
            "secret of key", call.Headers[WebhookSignature.TimestampHeader], call.Headers[WebhookSignature.Header], call.Body!,
            DateTimeOffset.FromUnixTimeSeconds(long.Parse(call.Headers[WebhookSignature.TimestampHeader], CultureInfo.InvariantCulture))).ShouldBeNull();
        ((string?)JsonNode.Parse(call.Body!)!["callback"]).ShouldBe("https://drydock.example/api/v1/maintenances/m1/callbacks/action");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("no such ticket.", "Webhook change called back: failed: no such ticket.")]
    [InlineData(null, "Webhook change called back: failed.")]
    public async Task A_webhook_that_calls_back_that_it_failed_fails_the_maintenance_in_its_words(string? said, string message)
    {
        var targets = new Targets();
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(Policy, targets));
        await world.BeginAsync(Webhook(world));
        await world.RunUntilAsync(() => targets.Calls.Count > 0);

        await world.Client.RaiseEventAsync(InstanceIds.Action("m1", "action"), ActionEvents.Callback, new WebhookCallback(false, said), default);
        var report = await world.EndAsync();

        (report.Outcome, report.Message, report.Actions.ShouldHaveSingleItem().Outcome).ShouldBe((MaintenanceOutcome.Failed, message, ActionOutcome.Failed));
        targets.Calls.Count.ShouldBe(1);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(400)]
    [InlineData(403)]
    [InlineData(404)]
    public async Task A_webhook_that_is_refused_for_good_is_not_tried_again(int code)
    {
        var targets = new Targets { Failures = int.MaxValue, Code = code };
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(Policy, targets));

        var report = await world.MaintainAsync(Webhook(world));

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Failed, $"Webhook change: https://hooks.example/node-1 answered {code} starting"));
        targets.Calls.Count.ShouldBe(1);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_webhook_that_is_away_is_tried_with_the_same_key_and_one_that_does_not_call_back_fails_by_its_deadline()
    {
        var targets = new Targets { Failures = 4 };
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(Policy, targets));

        var report = await world.MaintainAsync(Webhook(world));

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Failed, "Webhook change did not call back within 1h."));
        targets.Calls.Count.ShouldBe(5);
        targets.Calls.Select(call => (call.Headers["Idempotency-Key"], call.Body)).Distinct().Count().ShouldBe(1);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_hold_has_a_deadline_and_reminds_of_itself()
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.Hold,
            ActionOptions = new ActionOptions { Timeout = TimeSpan.FromHours(4), RemindEvery = TimeSpan.FromMinutes(30) },
        });

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Failed, "Nobody said complete within 4h."));
        (await world.Kubernetes.GetNodeAsync("node-1", default))!.Unschedulable.ShouldBeTrue("somebody may be at the machine");
        report.LeftBehind.ShouldBe(["Node node-1 is still cordoned, tainted and marked. When it is fit: drydock restore node-1"]);
        Events(world, "MaintenanceHeld").ShouldBeInRange(7, 8);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Whoever_ends_a_hold_before_the_drain_does_not_decide_about_the_health_after_a_later_reboot()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with
        {
            Hooks = new MaintenanceHooks { BeforeDrain = [new ActionStep(MaintenanceAction.Hold, new ActionOptions())] }, Action = MaintenanceAction.Reboot,
        });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann", SkipHealth: true), default);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions[0].Message.ShouldBe("ann said complete. The node's health is checked all the same: the action comes later.");
        report.Steps.ShouldContain(static step => step.Step == MaintenanceStep.Health);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(ApprovalGate.Start, true, MaintenanceOutcome.Completed)]
    [InlineData(ApprovalGate.Start, false, MaintenanceOutcome.Refused)]
    [InlineData(ApprovalGate.Action, true, MaintenanceOutcome.Completed)]
    [InlineData(ApprovalGate.Action, false, MaintenanceOutcome.Cancelled)]
    [InlineData(ApprovalGate.Uncordon, true, MaintenanceOutcome.Completed)]
    [InlineData(ApprovalGate.Uncordon, false, MaintenanceOutcome.Failed)]
    public async Task A_gate_waits_for_a_decision_and_keeps_who_when_and_why(ApprovalGate gate, bool isApproved, MaintenanceOutcome outcome)
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Approval = new ApprovalPolicy { Gates = [gate] } });
        await world.RunForAsync(TimeSpan.FromHours(3));
        (await world.StatusAsync<MaintenanceStatus>())!.AwaitsApproval.ShouldBe(gate);
        (await world.Kubernetes.GetNodeAsync("node-1", default))!.Unschedulable.ShouldBe(gate != ApprovalGate.Start);
        await world.CrashAsync();

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(gate), new Approval(isApproved, "ann", "CHG-1"), default);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(outcome, report.Message);
        var decision = report.Approvals.ShouldHaveSingleItem();
        (decision.Gate, decision.IsApproved, decision.By, decision.Reason).ShouldBe((gate, isApproved, "ann", "CHG-1"));
        (decision.At - decision.AskedAt).ShouldBeGreaterThan(TimeSpan.FromHours(2));
        report.LeftBehind.Count.ShouldBe(gate == ApprovalGate.Uncordon && !isApproved ? 1 : 0);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_gate_nobody_passes_ends_the_maintenance_by_its_deadline()
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync(world.Request() with
        {
            Approval = new ApprovalPolicy { Gates = [ApprovalGate.Start], Timeout = TimeSpan.FromHours(2) },
        });

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Refused, "Nobody approved the maintenance within 2h."));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_somebody_uncordons_in_the_middle_is_cordoned_again_and_the_report_says_so()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var node = (await world.Kubernetes.GetNodeAsync("node-1", default))!;
        await world.Kubernetes.ChangeNodeAsync(
            node, new NodeChange { Unschedulable = false, RemoveTaints = node.Taints, Labels = new Dictionary<string, string?> { ["remediation.medik8s.io/exclude-from-remediation"] = null } }, default);

        await world.RunForAsync(TimeSpan.FromSeconds(10));
        var again = (await world.Kubernetes.GetNodeAsync("node-1", default))!;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), default);
        var report = await world.EndAsync();

        (again.Unschedulable, again.Taints.Count(taint => taint.Key == "medik8s.io/drain")).ShouldBe((true, 1));
        again.Annotations["cluster-autoscaler.kubernetes.io/scale-down-disabled"].ShouldBe("true");
        report.Findings.ShouldContain(finding => finding.Kind == "marks-reasserted" && finding.Message.Contains("the cordon"));
        var end = (await world.Kubernetes.GetNodeAsync("node-1", default))!;
        (end.Unschedulable, end.Taints.Count, end.Annotations.ContainsKey("cluster-autoscaler.kubernetes.io/scale-down-disabled")).ShouldBe((false, 0, false));
        world.WhatIsWrong().ShouldBeEmpty();
    }

    internal static MaintenanceRequest Webhook(World world) => world.Request() with
    {
        Policy = "p", Action = MaintenanceAction.Webhook, ActionOptions = new ActionOptions { Template = "change" },
    };

    internal static async Task<NeighbourSnapshot> HostAsync(World world) =>
        (await world.Neighbours.GetNeighbourAsync(NeighbourKind.BareMetalHost, new ObjectRef("metal", "node-1"), default))!;

    internal static async Task NothingIsHeldAsync(World world)
    {
        (await HostAsync(world)).Annotations.Keys.ShouldNotContain(key => key.StartsWith("reboot.metal3.io", StringComparison.Ordinal) || key.StartsWith("drydock.dev/", StringComparison.Ordinal));
        (await world.Neighbours.ListNeighboursAsync(NeighbourKind.NodeHealthCheck, default)).ShouldAllBe(check => check.PauseRequests.Count == 0);
        var checks = await world.Neighbours.ListNeighboursAsync(NeighbourKind.OpenShiftHealthCheck, default);
        checks.SelectMany(check => check.Annotations.Keys).ShouldNotContain(key => key.StartsWith("drydock.dev/", StringComparison.Ordinal) || key == "cluster.x-k8s.io/paused");
    }

    private static async Task RunUntilAsync(World world, Func<Task<bool>> isSo)
    {
        for (var second = 0; !await isSo(); second++)
        {
            second.ShouldBeLessThan(600);
            await world.RunForAsync(TimeSpan.FromSeconds(1));
        }
    }

    private static int Events(World world, string reason) => world.Cluster.Store.List(ResourceTypes.Events)
        .Where(found => (string?)found["reason"] == reason).Sum(found => (int?)found["count"] ?? 1);
}

/// <summary>A change system that accepts calls, after some failures.</summary>
internal sealed class Targets : IHttpTargets
{
    private readonly Lock _lock = new();
    private readonly List<HttpTargetCall> _calls = [];

    public int Failures { get; init; }

    /// <summary>What a failure answers.</summary>
    public int Code { get; init; } = 503;

    public IReadOnlyList<HttpTargetCall> Calls
    {
        get
        {
            lock (_lock)
            {
                return [.. _calls];
            }
        }
    }

    public string? Problem(string url) => null;

    public Task<HttpTargetAnswer> SendAsync(HttpTargetCall call, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _calls.Add(call);
            return Task.FromResult(_calls.Count <= Failures ? new HttpTargetAnswer(Code, "starting") : new HttpTargetAnswer(202, ""));
        }
    }
}
