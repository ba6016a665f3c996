using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Actions that are tried again and again: as one action to whoever is asked, in histories that stay short (design D11).</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ActionRetryTests
{
    private const int LongestHistory = 600;

    private const string Brief = """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"5s"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";

    private static readonly MaintenancePolicy Policy = new("p")
    {
        Jobs = new Dictionary<string, JobTemplate> { ["firmware"] = new("default", Brief) },
        Webhooks = new Dictionary<string, WebhookTemplate> { ["change"] = new("https://hooks.example/{node}", "key") { Timeout = TimeSpan.FromHours(1) } },
    };

    [Fact(Timeout = World.Timeout)]
    public async Task A_webhook_that_is_away_for_hours_is_called_once_a_minute_with_the_same_key_and_body_until_its_deadline()
    {
        var targets = new Targets { Failures = int.MaxValue };
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(Policy, targets));
        await world.BeginAsync(Request(world, MaintenanceAction.Webhook, "change"));
        await world.RunUntilAsync(() => targets.Calls.Count > 0);
        var from = world.Time.GetUtcNow();
        var longest = await LongestForAsync(world, TimeSpan.FromMinutes(50), TimeSpan.FromMinutes(7));

        // In a later generation it is given longer: that is no other call.
        var deadline = (await world.StatusAsync<MaintenanceStatus>())!.Deadline!.Value;
        await world.Client.RaiseEventAsync(
            "m1", MaintenanceEvents.Steer, new Steer(SteerKind.Extend, "ann") { From = deadline, To = deadline.AddHours(1) }, CancellationToken.None);
        longest = Math.Max(longest, await LongestForAsync(world, TimeSpan.FromMinutes(50), TimeSpan.FromMinutes(7)));
        var report = await world.EndAsync();

        longest.ShouldBeInRange(100, LongestHistory);
        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Failed, "Webhook change: https://hooks.example/node-1 answered 503 starting"));
        targets.Calls.Count.ShouldBeInRange(115, 130);
        targets.Calls.Select(call => (call.Headers["Idempotency-Key"], call.Body)).Distinct().ShouldHaveSingleItem().Item1.ShouldBe("m1/action");
        (report.Actions.Single().To! - from).Value.ShouldBe(TimeSpan.FromHours(2), TimeSpan.FromMinutes(2));
        ((DateTimeOffset)JsonNode.Parse(targets.Calls[^1].Body!)!["deadline"]!).ShouldBe(deadline, TimeSpan.FromSeconds(1));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_waits_for_a_lease_that_somebody_else_has_and_is_then_started_once()
    {
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(Policy));
        await world.BeginAsync(Request(world, MaintenanceAction.Job, "firmware") with { Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] } });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        LeaseTests.Take(world, "drydock/other/m9");
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ann"), CancellationToken.None);

        var longest = await LongestForAsync(world, TimeSpan.FromMinutes(15), TimeSpan.FromSeconds(50));
        var before = world.Cluster.Store.List(ResourceTypes.Jobs).Count;
        world.Cluster.Store.Delete(ResourceTypes.Leases, "medik8s-leases", "node-node-1", new Deletion());
        var report = await world.EndAsync();

        longest.ShouldBeInRange(100, LongestHistory);
        before.ShouldBe(0);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(1);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_webhook_that_finds_its_lease_gone_has_it_taken_back_at_once()
    {
        var targets = new Targets { Failures = int.MaxValue };
        await using var world = await World.StartAsync(Scenario.Named("healthy"), configure: Policies.Of(Policy, targets));
        await world.BeginAsync(Request(world, MaintenanceAction.Webhook, "change"));
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        world.Cluster.Store.Delete(ResourceTypes.Leases, "medik8s-leases", "node-node-1", new Deletion());
        await world.RunForAsync(TimeSpan.FromMinutes(1.2));

        var lease = world.Cluster.Store.Get(ResourceTypes.Leases, "medik8s-leases", "node-node-1");

        ((string?)lease?["spec"]?["holderIdentity"]).ShouldBe("drydock/hub/m1", "it is not waited for until it would be renewed");
    }

    /// <summary>The longest history that the action has in that time.</summary>
    private static async Task<int> LongestForAsync(World world, TimeSpan time, TimeSpan step)
    {
        var longest = 0;
        for (var until = world.Time.GetUtcNow() + time; world.Time.GetUtcNow() < until;)
        {
            await world.RunForAsync(step);
            longest = Math.Max(longest, await world.HistoryEventsAsync(InstanceIds.Action("m1", "action")));
        }

        return longest;
    }

    private static MaintenanceRequest Request(World world, MaintenanceAction kind, string template) => world.Request() with
    {
        Policy = "p", Action = kind, ActionOptions = new ActionOptions { Template = template, Timeout = TimeSpan.FromHours(1) },
        Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
    };
}
