using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Drains under pressure: several nodes under one budget, a busy API server, slow webhooks, a cluster in which much happens, what never goes.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class DrainPressureTests
{
    private static readonly string[] Nodes = ["node-1", "node-2", "node-3", "node-4"];

    [Fact(Timeout = World.Timeout)]
    public async Task Nodes_that_share_a_budget_do_not_ask_for_what_one_of_them_has_just_taken()
    {
        await using var world = await StartAsync([Web("web", 8) with { On = Nodes, StartAfter = TimeSpan.FromSeconds(3) }], new BudgetSpec("shop", "web", "web") { MaxUnavailable = "1" });
        foreach (var node in Nodes)
        {
            await world.BeginAsync(Request(world, new DrainPolicy()) with { Node = node, Action = MaintenanceAction.Hold }, node);
        }

        await world.RunUntilAsync(() => world.AcceptedEvictions().Count == 8);

        var evictions = world.Api.RequestLog.Of("create", "pods", "eviction");
        world.AcceptedEvictions().ShouldBeUnique();

        // Each node probes every ten seconds what it believes to be exhausted; nobody asks because the budget rose for somebody else.
        evictions.Count(request => request.Code == 429).ShouldBeLessThanOrEqualTo(12, string.Join('\n', evictions.Select(request => $"{request.Time:mm:ss.fff} {request.Name} {request.Code}")));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task What_happens_elsewhere_costs_a_held_node_no_turn()
    {
        await using var world = await StartAsync([Web("web", 1), Web("other", 2) with { On = ["node-2", "node-3"] }], new BudgetSpec("shop", "other", "other") { MaxUnavailable = "1" });
        await world.BeginAsync(Request(world, new DrainPolicy()) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var before = await world.HistoryEventsAsync(InstanceIds.Pods("m1"));

        for (var time = 0; time < 50; time++)
        {
            // A replacement in its place: the budget falls and rises.
            var pod = world.Cluster.Store.List(ResourceTypes.Pods, "shop").First(one => NameOf(one).StartsWith("other-", StringComparison.Ordinal));
            world.Cluster.Store.Delete(ResourceTypes.Pods, "shop", NameOf(pod), new Deletion());
            await world.RunForAsync(TimeSpan.FromSeconds(10));
        }

        (await world.HistoryEventsAsync(InstanceIds.Pods("m1")) - before).ShouldBeInRange(1, 50, "one look a minute, and nothing else");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_webhook_that_takes_its_time_for_every_pod_does_not_hold_the_deadline_up()
    {
        await using var world = await StartAsync([Web("web", 40)]);
        using var slow = world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Latency = TimeSpan.FromSeconds(9), Code = 500 });

        var report = await world.MaintainAsync(Request(world, new DrainPolicy { Timeout = TimeSpan.FromMinutes(2), MaxParallelEvictions = 1 }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        (report.Steps.Single(step => step.Step == MaintenanceStep.Drain).To - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(2), TimeSpan.FromSeconds(150));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Nodes_that_wait_for_each_others_evictions_under_a_slow_webhook_keep_their_deadlines_and_hear_a_cancel()
    {
        string[] nodes = [.. Nodes, "node-5"];
        await using var world = await StartAsync(
            [Web("web", 10) with { On = nodes }], new BudgetSpec("shop", "web", "web") { MaxUnavailable = "1" });
        using var slow = world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Latency = TimeSpan.FromSeconds(9), Code = 500 });
        foreach (var node in nodes)
        {
            await world.BeginAsync(Request(world, new DrainPolicy { Timeout = TimeSpan.FromMinutes(2) }) with { Node = node }, node);
        }

        await world.RunForAsync(TimeSpan.FromSeconds(65));
        await world.Client.RaiseEventAsync("node-5", MaintenanceEvents.Cancel, new Cancel("ann"), CancellationToken.None);
        var said = world.Time.GetUtcNow();
        var cancelled = await world.EndAsync("node-5");
        var took = world.Time.GetUtcNow() - said;
        List<MaintenanceReport> others = [];
        foreach (var node in Nodes)
        {
            others.Add(await world.EndAsync(node));
        }

        (cancelled.Outcome, took < TimeSpan.FromSeconds(15)).ShouldBe((MaintenanceOutcome.Cancelled, true), $"{took}");
        others.ShouldAllBe(static report => report.Outcome == MaintenanceOutcome.Failed);
        others.Select(static report => report.Steps.Single(static step => step.Step == MaintenanceStep.Drain).To - World.Start)
            .ShouldAllBe(static took => took >= TimeSpan.FromMinutes(2) && took < TimeSpan.FromSeconds(145));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_API_server_that_is_too_busy_to_list_pods_is_left_in_peace_for_as_long_as_it_asks()
    {
        await using var world = await StartAsync([Web("web", 3)]);
        await world.BeginAsync(Request(world, new DrainPolicy()) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        using var busy = world.Api.Fail(new Fault { Verb = "list", Resource = "pods", Code = 429, RetryAfterSeconds = 40, Count = 3 });

        await world.RunForAsync(TimeSpan.FromMinutes(10));

        var lists = world.Api.RequestLog.Of("list", "pods").Where(request => request.Time > World.Start.AddMinutes(5)).ToList();
        var refused = lists.Where(request => request.Code == 429).ToList();
        refused.Count.ShouldBe(3);
        refused.ShouldAllBe(one => lists.All(other => other == one || other.Time < one.Time || other.Time - one.Time >= TimeSpan.FromSeconds(40)));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Force_waits_for_what_is_stuck_as_long_again_and_then_the_maintenance_fails()
    {
        await using var world = await StartAsync([Web("hangs", 1) with { NeverTerminates = true }, Web("web", 1)]);
        await world.BeginAsync(Request(world, new DrainPolicy { Timeout = TimeSpan.FromMinutes(5), OnTimeout = DeadlinePolicy.Force, GracePeriod = TimeSpan.FromSeconds(5) }));
        await world.RunForAsync(TimeSpan.FromMinutes(7));
        var status = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!;

        var report = await world.EndAsync();

        status.Deadline!.Value.ShouldBe(World.Start.AddMinutes(10), TimeSpan.FromSeconds(10));
        status.Blockers.ShouldHaveSingleItem().Deadline.ShouldBe(status.Deadline);
        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        (report.Steps.Single(step => step.Step == MaintenanceStep.Drain).To - World.Start).ShouldBe(TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(10));
        report.Findings.ShouldContain(finding => finding.Kind == "stuck-terminating");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_pod_that_somebody_gave_an_hour_goes_within_the_grace_period_that_was_asked_for()
    {
        await using var world = await StartAsync([Web("slow", 1) with { NeverTerminates = true }]);
        var pod = world.Cluster.Store.List(ResourceTypes.Pods, "shop").Single();
        world.Cluster.Store.Delete(ResourceTypes.Pods, "shop", NameOf(pod), new Deletion { GracePeriodSeconds = 3600 });

        await world.BeginAsync(Request(world, new DrainPolicy { GracePeriod = TimeSpan.FromSeconds(30) }));
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        var found = world.Cluster.Store.Get(ResourceTypes.Pods, "shop", NameOf(pod))!;
        ((long)found["metadata"]!["deletionGracePeriodSeconds"]!).ShouldBe(30);
        world.AcceptedEvictions().Count(name => name == $"shop/{NameOf(pod)}").ShouldBe(1);
    }

    private static string NameOf(JsonNode pod) => (string)pod["metadata"]!["name"]!;

    private static WorkloadSpec Web(string name, int replicas) => new("deployment", "shop", name)
    {
        Replicas = replicas, On = ["node-1"], TerminateAfter = TimeSpan.FromSeconds(1), StartAfter = TimeSpan.FromSeconds(1),
    };

    private static MaintenanceRequest Request(World world, DrainPolicy drain) => world.Request() with { Drain = drain };

    private static Task<World> StartAsync(IReadOnlyList<WorkloadSpec> workloads, params BudgetSpec[] budgets) => World.StartAsync(new Scenario
    {
        Name = "pressure",
        Nodes = [.. Enumerable.Range(1, 6).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
        Workloads = workloads,
        Budgets = budgets,
        Maintain = "node-1",
    });
}
