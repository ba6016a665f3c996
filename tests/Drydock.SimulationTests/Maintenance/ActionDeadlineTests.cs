using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Every deadline and every other end of actions and gates, in virtual time: what the report says, and that nothing goes on.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ActionDeadlineTests
{
    private const string Hours = """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"36000"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";

    private const string Fails = """{"spec":{"backoffLimit":0,"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"1","fake-kubelet/exit-code":"3"}},"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";

    private static readonly TimeSpan Given = TimeSpan.FromMinutes(10);

    private static readonly MaintenancePolicy Policy = new("p")
    {
        RebootJob = "hours",
        Jobs = new Dictionary<string, JobTemplate> { ["hours"] = new("default", Hours) },
        Webhooks = new Dictionary<string, WebhookTemplate> { ["change"] = new("https://hooks.example/{node}", "key") },
    };

    public static TheoryData<MaintenanceAction> Kinds => [MaintenanceAction.Job, MaintenanceAction.Reboot, MaintenanceAction.Webhook];

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Kinds))]
    public async Task One_that_is_not_done_by_its_deadline_fails_and_one_that_is_given_longer_by_the_later_one(MaintenanceAction kind)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy, new Targets()));
        await world.BeginAsync(Request(world, kind));
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var deadline = (await world.StatusAsync<MaintenanceStatus>())!.Deadline!.Value;

        await world.Client.RaiseEventAsync(
            "m1", MaintenanceEvents.Steer, new Steer(SteerKind.Extend, "ann") { From = deadline, To = deadline.AddHours(1) }, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(64));
        var meanwhile = (await world.StatusAsync<MaintenanceStatus>())!;
        var told = await world.StatusAsync<ActionStatus>(InstanceIds.Action("m1", "action"));
        var report = await world.EndAsync();

        (meanwhile.Step, meanwhile.Deadline).ShouldBe((MaintenanceStep.Action, deadline.AddHours(1)));
        told.ShouldNotBeNull().Deadline.ShouldBe(deadline.AddHours(1));
        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldContain("within 1h10m");
        report.Actions.ShouldHaveSingleItem().To!.Value.ShouldBe(deadline.AddHours(1), TimeSpan.FromSeconds(10));
        NothingGoesOn(world, report);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_that_is_not_done_by_its_deadline_is_deleted()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy));

        var report = await world.MaintainAsync(Request(world, MaintenanceAction.Job));

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldContain("was not done within 10m and was deleted.");
        NothingGoesOn(world, report);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(MaintenanceAction.Job, true)]
    [InlineData(MaintenanceAction.Job, false)]
    [InlineData(MaintenanceAction.Reboot, true)]
    [InlineData(MaintenanceAction.Reboot, false)]
    [InlineData(MaintenanceAction.Webhook, true)]
    [InlineData(MaintenanceAction.Webhook, false)]
    [InlineData(MaintenanceAction.PowerCycle, true)]
    [InlineData(MaintenanceAction.PowerCycle, false)]
    public async Task One_that_cannot_begin_by_its_deadline_is_never_begun(MaintenanceAction kind, bool isAway)
    {
        var targets = new Targets();
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy, targets));
        await world.BeginAsync(Request(world, kind) with { Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] } });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        if (isAway)
        {
            var back = world.Time.GetUtcNow().AddMinutes(14);
            world.Api.Intercept = request => request is { Resource: "leases.coordination.k8s.io", Name: "node-node-1", IsDone: false } && world.Time.GetUtcNow() < back
                ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out") : Task.CompletedTask;
        }
        else
        {
            LeaseTests.Take(world, "drydock/other/m9");
        }

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(15));
        var action = (await world.StatusAsync<MaintenanceStatus>())!.Actions.ShouldHaveSingleItem();
        LeaseTests.Take(world, "drydock/hub/m1");
        var report = await world.EndAsync();

        (report.Outcome, action.Outcome).ShouldBe((MaintenanceOutcome.Failed, ActionOutcome.Failed), report.Message);
        action.To.ShouldNotBeNull().ShouldBe(action.From + Given, TimeSpan.FromSeconds(10));
        report.Message.ShouldContain(isAway ? "etcdserver: request timed out" : "The lease of node node-1 is held by ");
        targets.Calls.ShouldBeEmpty();
        world.Api.RequestLog.Of("create", "jobs.batch").ShouldBeEmpty();
        world.Api.RequestLog.Of("patch", "baremetalhosts.metal3.io").ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_reboot_that_cannot_be_seen_at_its_deadline_fails_then_and_not_when_it_can_be_seen_again()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy));
        await world.BeginAsync(Request(world, MaintenanceAction.Reboot));
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var back = world.Time.GetUtcNow().AddMinutes(20);
        world.Api.Intercept = request => request is { Resource: "nodes", Verb: not "watch", IsDone: false } && world.Time.GetUtcNow() < back
            ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out") : Task.CompletedTask;

        var report = await world.EndAsync();

        var action = report.Actions.ShouldHaveSingleItem();
        report.Message.ShouldStartWith("Whether the node rebooted within 10m could not be seen: ");
        action.To.ShouldNotBeNull().ShouldBe(action.From + Given, TimeSpan.FromSeconds(10));
        NothingGoesOn(world, report);
    }

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Kinds))]
    public async Task A_cancel_ends_it_at_once(MaintenanceAction kind)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy, new Targets()));
        await world.BeginAsync(Request(world, kind));
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        (await world.StatusAsync<MaintenanceStatus>())!.Step.ShouldBe(MaintenanceStep.Action);

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", "enough"), CancellationToken.None);
        var said = world.Time.GetUtcNow();
        var report = await world.EndAsync();

        (report.Outcome, report.Message, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, "Cancelled by ann: enough.", true));
        
        // A node that was told to reboot may go down yet: its kubelet would not say so.
        var settles = kind == MaintenanceAction.Reboot ? TimeSpan.FromMinutes(2) : TimeSpan.Zero;
        (world.Time.GetUtcNow() - said).ShouldBeInRange(settles, settles + TimeSpan.FromSeconds(30));
        (report.Actions[0].To!.Value - said).ShouldBeLessThan(TimeSpan.FromSeconds(10));
        report.Actions.ShouldHaveSingleItem().Outcome.ShouldBe(ActionOutcome.Cancelled);
        NothingGoesOn(world, report);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(MaintenanceAction.Job)]
    [InlineData(MaintenanceAction.Reboot)]
    public async Task A_job_that_somebody_deletes_ends_a_job_at_once_and_a_reboot_by_its_deadline(MaintenanceAction kind)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy));
        await world.BeginAsync(Request(world, kind));
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var job = world.Cluster.Store.List(ResourceTypes.Jobs).ShouldHaveSingleItem();
        var from = (await world.StatusAsync<MaintenanceStatus>())!.StepSince;

        world.Cluster.Store.Delete(ResourceTypes.Jobs, "default", (string)job["metadata"]!["name"]!, new Deletion());
        var deleted = world.Time.GetUtcNow();
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldContain(kind == MaintenanceAction.Job ? "Somebody deleted Job default/" : "The node did not reboot within 10m");
        report.Actions.ShouldHaveSingleItem().To!.Value.ShouldBe(kind == MaintenanceAction.Job ? deleted : from + Given, TimeSpan.FromMinutes(1));
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(1);
        NothingGoesOn(world, report);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_reboot_whose_job_fails_fails_two_minutes_later_if_the_node_is_still_there()
    {
        var policy = Policy with { Jobs = new Dictionary<string, JobTemplate> { ["hours"] = new("default", Fails) } };
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(policy));

        var report = await world.MaintainAsync(Request(world, MaintenanceAction.Reboot));

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldContain(" failed and did not reboot the node: ");
        var action = report.Actions.ShouldHaveSingleItem();
        (action.To!.Value - action.From).ShouldBeInRange(TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(3));
        NothingGoesOn(world, report);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_hook_before_the_uncordon_that_fails_keeps_the_node_out_whatever_the_failure_policy()
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync(world.Request() with
        {
            Hooks = new MaintenanceHooks { BeforeUncordon = [new ActionStep(MaintenanceAction.Job, new ActionOptions { Job = new JobTemplate("default", Fails) })] },
            OnFailure = FailurePolicy.Restore,
        });

        (report.Outcome, report.Actions.ShouldHaveSingleItem().Outcome).ShouldBe((MaintenanceOutcome.Failed, ActionOutcome.Failed));
        report.LeftBehind.ShouldBe(["Node node-1 is still cordoned, tainted and marked. When it is fit: drydock restore node-1"]);
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBeTrue();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(ApprovalGate.Action, "Nobody approved the action within 2h.")]
    [InlineData(ApprovalGate.Uncordon, "Nobody approved the uncordon within 2h.")]
    public async Task A_gate_that_nobody_passes_fails_by_its_deadline_and_only_the_last_keeps_the_node_cordoned(ApprovalGate gate, string message)
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync(world.Request() with { OnFailure = FailurePolicy.Restore, Approval = new ApprovalPolicy { Gates = [gate], Timeout = TimeSpan.FromHours(2) } });

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Failed, message));
        var waited = report.Steps.Single(step => step.Step == MaintenanceStep.Approve);
        (waited.To - waited.From).ShouldBe(TimeSpan.FromHours(2), TimeSpan.FromSeconds(1));
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Unschedulable.ShouldBe(gate == ApprovalGate.Uncordon);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Nothing_is_evicted_after_a_cancel_also_while_the_action_still_lets_go_of_what_it_holds()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(Request(world, MaintenanceAction.PowerCycle) with { Drain = new DrainPolicy { EvictUnmanaged = true } });
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        (await ActionTests.HostAsync(world)).Power!.IsOn.ShouldBeFalse();
        var back = world.Time.GetUtcNow().AddMinutes(10);
        world.Api.Intercept = request => request.Resource == "baremetalhosts.metal3.io" && !request.IsDone && world.Time.GetUtcNow() < back
            ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out") : Task.CompletedTask;

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        LaterPodsTests.Land(world, "late");
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        (await world.StatusAsync<MaintenanceStatus>())!.Step.ShouldBe(MaintenanceStep.Action, "it still lets go");
        world.AcceptedEvictions().ShouldNotContain("default/late");
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Cancelled);
        world.AcceptedEvictions().ShouldNotContain("default/late");
        await ActionTests.NothingIsHeldAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_complete_that_is_said_twice_completes_the_wait_it_was_meant_for_and_not_the_next_one()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.Hold,
            Hooks = new MaintenanceHooks { BeforeDrain = [new ActionStep(MaintenanceAction.Hold, new ActionOptions())] },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await world.StatusAsync<MaintenanceStatus>())!.AwaitsComplete().ShouldBe("before-drain-1");

        foreach (var _ in (bool[])[true, true])
        {
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann") { Wait = "before-drain-1" }, CancellationToken.None);
        }

        await world.RunForAsync(TimeSpan.FromHours(1));
        (await world.StatusAsync<MaintenanceStatus>())!.AwaitsComplete().ShouldBe("action");
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann") { Wait = "action" }, CancellationToken.None);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.Select(static action => action.Message).ShouldBe(["ann said complete.", "ann said complete."]);
    }

    private static MaintenanceRequest Request(World world, MaintenanceAction kind) => world.Request() with
    {
        Policy = kind == MaintenanceAction.PowerCycle ? null : "p",
        Action = kind,
        ActionOptions = new ActionOptions
        {
            Template = kind switch { MaintenanceAction.Job => "hours", MaintenanceAction.Webhook => "change", _ => null },
            PowerOffFor = TimeSpan.FromHours(9),
            Timeout = Given,
        },
        Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
    };

    private static void NothingGoesOn(World world, MaintenanceReport report)
    {
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldBeEmpty();

        // A machine that was to go down and has not is kept out of service when that fails: it may go down yet.
        if (report is not { Outcome: MaintenanceOutcome.Failed, Actions: [{ Step.Kind: MaintenanceAction.Reboot }] })
        {
            report.LeftBehind.ShouldBeEmpty();
        }
    }
}
