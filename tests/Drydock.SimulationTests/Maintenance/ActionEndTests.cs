using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Actions that end otherwise than by themselves: nothing that they began goes on afterwards.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ActionEndTests
{
    private const string Hours = """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"36000"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";

    private static readonly MaintenancePolicy Policy = new("p")
    {
        Jobs = new Dictionary<string, JobTemplate> { ["hours"] = new("default", Hours) },
    };

    [Theory(Timeout = World.Timeout)]
    [InlineData(MaintenanceAction.Job, "jobs.batch")]
    [InlineData(MaintenanceAction.PowerCycle, "baremetalhosts.metal3.io")]
    public async Task What_was_begun_is_ended_when_the_API_server_was_away_at_its_deadline(MaintenanceAction kind, string resource)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy));
        DateTimeOffset? away = null;
        world.Api.Intercept = request =>
        {
            if (request.Resource != resource)
            {
                return Task.CompletedTask;
            }

            away ??= request is { IsChange: true, IsDone: true } ? world.Time.GetUtcNow() : null;
            return request.IsDone || away is null || world.Time.GetUtcNow() > away + TimeSpan.FromMinutes(25)
                ? Task.CompletedTask
                : throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out");
        };

        var request = Request(world, kind);
        var report = await world.MaintainAsync(request with
        {
            ActionOptions = request.ActionOptions with { Timeout = TimeSpan.FromMinutes(10) }, OnFailure = FailurePolicy.KeepCordoned,
        });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        away.ShouldNotBeNull();
        (report.Outcome, report.Actions.ShouldHaveSingleItem().Outcome).ShouldBe((MaintenanceOutcome.Failed, ActionOutcome.Failed));
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldBeEmpty();
        var host = await ActionTests.HostAsync(world);
        host.Annotations.Keys.ShouldNotContain(key => key.StartsWith("reboot.metal3.io", StringComparison.Ordinal));
        host.Power!.IsOn.ShouldBeTrue();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_of_a_maintenance_that_is_suspended_for_hours_and_then_cancelled_is_deleted()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy));
        await world.BeginAsync(Request(world, MaintenanceAction.Job));
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        world.Cluster.Store.List(ResourceTypes.Jobs).Count.ShouldBe(1);

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann", "storage is down"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromHours(2));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann", "enough"), CancellationToken.None);
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Cancelled, true), report.Message);
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(503, 25)]
    [InlineData(403, 3)]
    public async Task A_job_whose_API_server_is_away_for_less_than_its_own_time_is_neither_ended_nor_started_again(int code, int minutes)
    {
        var policy = new MaintenancePolicy("p") { Jobs = new Dictionary<string, JobTemplate> { ["hours"] = new("default", Hours.Replace("36000", "3600", StringComparison.Ordinal)) } };
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(policy));
        var request = Request(world, MaintenanceAction.Job);
        await world.BeginAsync(request with { ActionOptions = request.ActionOptions with { Timeout = TimeSpan.FromHours(2) } });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        await world.RunForAsync(TimeSpan.FromMinutes(2));

        Deny(world, code, TimeSpan.FromMinutes(minutes), "jobs.batch");
        await world.RunForAsync(TimeSpan.FromMinutes(minutes - 1));
        var meanwhile = (await world.StatusAsync<ActionStatus>(InstanceIds.Action("m1", "action")))!.Message;
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var afterwards = (await world.StatusAsync<ActionStatus>(InstanceIds.Action("m1", "action")))!.Message;
        world.Cluster.Store.List(ResourceTypes.Jobs).Count.ShouldBe(1);
        var report = await world.EndAsync();

        meanwhile.ShouldContain("Nothing of it can be seen now: ");
        afterwards.ShouldNotContain("Nothing of it can be seen now: ");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.Api.RequestLog.Of("create", "jobs.batch").Count(static one => one.Code == 201).ShouldBe(1);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(503, 25, "baremetalhosts.metal3.io")]
    [InlineData(403, 3, "baremetalhosts.metal3.io")]
    [InlineData(503, 25, "pods")]
    [InlineData(403, 3, "pods")]
    public async Task A_machine_that_people_work_on_is_not_switched_on_because_it_or_its_node_could_not_be_looked_at(int code, int minutes, string resource)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(world.Request() with
        {
            Action = MaintenanceAction.PowerCycle, ActionOptions = new ActionOptions { PowerOffUntilComplete = true }, Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();

        Deny(world, code, TimeSpan.FromMinutes(minutes), resource);
        await world.RunForAsync(TimeSpan.FromMinutes(minutes + 5));
        var host = await ActionTests.HostAsync(world);
        var meanwhile = (await world.StatusAsync<MaintenanceStatus>())!;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        host.Power!.IsOn.ShouldBeFalse();
        host.Annotations.Keys.ShouldContain(static key => key.StartsWith("reboot.metal3.io/drydock-", StringComparison.Ordinal));
        meanwhile.IsHolding.ShouldBeTrue();
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        await ActionTests.NothingIsHeldAsync(world);
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
    public async Task Nothing_is_begun_after_a_cancel_or_a_suspension_that_comes_between_two_tries(MaintenanceAction kind, bool isCancel)
    {
        var targets = new Targets();
        var webhook = new Dictionary<string, WebhookTemplate> { ["change"] = new("https://hooks.example/{node}", "key") { WaitsForCallback = false } };
        var policy = Policy with
        {
            RebootJob = "hours", Webhooks = webhook, Jobs = new Dictionary<string, JobTemplate> { ["hours"] = new("default", Hours.Replace("36000", "30", StringComparison.Ordinal)) },
        };
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(policy, targets));
        await world.BeginAsync(Request(world, kind) with { Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] } });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var (isAway, isUnmarked) = (true, true);
        world.Api.Intercept = request => request is { Resource: "leases.coordination.k8s.io", Name: "node-node-1", IsDone: false } && (request.IsChange ? isUnmarked : isAway)
            ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: request timed out") : Task.CompletedTask;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(3));
        (await world.StatusAsync<ActionStatus>(InstanceIds.Action("m1", "action"))).ShouldNotBeNull("it is under way");

        await (isCancel
            ? world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None)
            : world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), CancellationToken.None));
        await world.RunForAsync(TimeSpan.FromMilliseconds(100));
        isAway = false;
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        Begun(world, targets).ShouldBe(0, "a try that was waited for is none any more, whether the lease carries a mark or not");
        isUnmarked = false;
        if (!isCancel)
        {
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Resume, "ann"), CancellationToken.None);
            await world.RunForAsync(TimeSpan.FromMinutes(1));
            Begun(world, targets).ShouldBe(1);
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        }

        var report = await world.EndAsync();
        report.LeftBehind.ShouldBeEmpty();
        if (isCancel)
        {
            (report.Outcome, report.Actions.ShouldHaveSingleItem().Outcome).ShouldBe((MaintenanceOutcome.Cancelled, ActionOutcome.Cancelled));
            await ActionTests.NothingIsHeldAsync(world);
        }
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(503, true)]
    [InlineData(503, false)]
    [InlineData(403, null)]
    public async Task One_that_was_not_begun_yet_is_told_as_over_when_it_is_cancelled_and_when_the_node_could_not_be_read(int code, bool? isCancel)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy with { RebootJob = "hours" }));
        await world.BeginAsync(Request(world, MaintenanceAction.Reboot) with { Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] } });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        Deny(world, code, TimeSpan.FromMinutes(5), "nodes");
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ann"), CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromSeconds(50));
        var meanwhile = (await world.StatusAsync<MaintenanceStatus>())!;
        var said = world.Time.GetUtcNow();
        if (isCancel is { } cancels)
        {
            await (cancels
                ? world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None)
                : world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Suspend, "ann"), CancellationToken.None));
        }

        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var jobs = world.Api.RequestLog.Of("create", "jobs.batch").Count;
        if (isCancel is false)
        {
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        }

        var report = await world.EndAsync();

        meanwhile.Step.ShouldBe(MaintenanceStep.Action);
        jobs.ShouldBe(0);
        var action = report.Actions.ShouldHaveSingleItem();
        (report.Outcome, action.Outcome).ShouldBe(isCancel is null
            ? (MaintenanceOutcome.Failed, ActionOutcome.Failed) : (MaintenanceOutcome.Cancelled, ActionOutcome.Cancelled), report.Message);
        action.To.ShouldNotBeNull();
        if (isCancel is true)
        {
            action.To.Value.ShouldBe(said, TimeSpan.FromSeconds(1));
        }
    }

    private static int Begun(World world, Targets targets) => targets.Calls.Count
        + world.Api.RequestLog.Of("create", "jobs.batch").Count(static one => one.Code == 201)
        + world.Api.RequestLog.Of("patch", "baremetalhosts.metal3.io").Count(static one => one.Code == 200);

    private static void Deny(World world, int code, TimeSpan span, string resource)
    {
        var until = world.Time.GetUtcNow() + span;
        world.Api.Intercept = request => request is { Verb: not "watch", IsDone: false } && request.Resource == resource && world.Time.GetUtcNow() < until
            ? throw new ApiException(code, code == 503 ? "ServiceUnavailable" : "Forbidden", "not now")
            : Task.CompletedTask;
    }

    private static MaintenanceRequest Request(World world, MaintenanceAction kind) => world.Request() with
    {
        Policy = "p",
        Action = kind,
        ActionOptions = new ActionOptions { Template = kind switch { MaintenanceAction.Job => "hours", MaintenanceAction.Webhook => "change", _ => null }, PowerOffFor = TimeSpan.FromMinutes(5), Timeout = TimeSpan.FromHours(12) },
        Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
    };
}
