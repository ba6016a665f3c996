using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>How a drain goes by its request: who leaves when, what is waited for, what happens when a deadline passes.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class DrainTests
{
    private static readonly DrainPolicy Default = new();

    [Fact(Timeout = World.Timeout)]
    public async Task Pods_leave_in_the_order_of_the_rules_and_skipped_ones_stay()
    {
        await using var world = await StartAsync([Web("first"), Web("second"), Web("third"), Web("stays")]);

        var report = await world.MaintainAsync(Request(world, Default with
        {
            Rules =
            [
                new DrainRule(DrainBehavior.Skip) { PodSelector = "app=stays" },
                new DrainRule(DrainBehavior.Evict) { PodSelector = "app=first", NamespaceSelector = "kubernetes.io/metadata.name=shop", Order = -1 },
                new DrainRule(DrainBehavior.Evict) { PodSelector = "app in (third,fourth)", Order = 1 },
            ],
        }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.AcceptedEvictions().Select(name => name.Split('/', '-')[1]).ShouldBe(["first", "second", "third"]);
        var gone = report.Pods.ToDictionary(pod => pod.Pod.Name.Split('-')[0]);
        gone["first"].GoneAt.ShouldNotBeNull().ShouldBeLessThanOrEqualTo(gone["second"].AcceptedAt!.Value);
        gone["second"].GoneAt.ShouldNotBeNull().ShouldBeLessThanOrEqualTo(gone["third"].AcceptedAt!.Value);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_pod_that_is_waited_for_is_not_evicted_before_it_has_finished()
    {
        await using var world = await StartAsync([Web("web"), Web("batch")]);
        await world.BeginAsync(Request(world, Default with { Rules = [new DrainRule(DrainBehavior.WaitForCompletion) { PodSelector = "app=batch" }] }));
        await world.RunForAsync(TimeSpan.FromMinutes(3));

        var blocker = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers.ShouldHaveSingleItem();
        (blocker.Kind, blocker.Attempts).ShouldBe(("await-completion", 0));
        world.AcceptedEvictions().ShouldHaveSingleItem().ShouldStartWith("shop/web-");

        Change(world, "batch", pod => pod["status"]!["phase"] = "Succeeded");
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task What_leaves_last_leaves_after_what_is_waited_for()
    {
        await using var world = await StartAsync([Web("db"), Web("batch")]);
        await world.BeginAsync(Request(world, Default with
        {
            Rules = [new DrainRule(DrainBehavior.WaitForCompletion) { PodSelector = "app=batch" }, new DrainRule(DrainBehavior.Evict) { PodSelector = "app=db", Order = 1 }],
        }));
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        world.AcceptedEvictions().ShouldBeEmpty();

        Change(world, "batch", pod => pod["status"]!["phase"] = "Succeeded");
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
        world.AcceptedEvictions().Select(name => name.Split('/', '-')[1]).ShouldBe(["batch", "db"]);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(DeadlinePolicy.Force, MaintenanceOutcome.Completed)]
    [InlineData(DeadlinePolicy.Fail, MaintenanceOutcome.Failed)]
    public async Task When_a_pods_own_deadline_passes_the_policy_decides_about_that_pod(DeadlinePolicy policy, MaintenanceOutcome outcome)
    {
        await using var world = await StartAsync([Web("held"), Web("web")], new BudgetSpec("shop", "held", "held") { MaxUnavailable = "0" });

        var report = await world.MaintainAsync(Request(world, Default with { PodTimeout = TimeSpan.FromMinutes(5), OnTimeout = policy }));

        report.Outcome.ShouldBe(outcome, report.Message);
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(6));
        world.AcceptedEvictions().ShouldHaveSingleItem().ShouldStartWith("shop/web-");
        world.Api.RequestLog.Of("delete", "pods").Count(request => request.User != "system:kubelet" && request.Name!.StartsWith("held-", StringComparison.Ordinal))
            .ShouldBe(policy == DeadlinePolicy.Force ? 1 : 0);
        if (policy == DeadlinePolicy.Fail)
        {
            report.Findings.ShouldContain(finding => finding.Kind == "budget-can-never-be-met" && finding.Message.Contains("shop/held-"));
            report.Message.ShouldNotBeNull().ShouldMatch(@"^Pod shop/held-\S+ did not leave node node-1 in its own time: 1 pod is held \(the longest shop/held-\S+ \(budget-can-never-be-met\)\)\.");
        }
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Force_needs_the_permission_to_delete_pods_and_is_refused_without()
    {
        await using var world = await StartAsync([Web("web")]);
        using var denied = world.Api.Access.Deny("delete", "pods");

        var report = await world.MaintainAsync(Request(world, Default with { OnTimeout = DeadlinePolicy.Force }));

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Refused, "The account may not delete pods."));
        (await world.MaintainAsync(Request(world, Default), "m2")).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_pod_whose_finalizer_keeps_it_is_named_with_the_finalizer()
    {
        await using var world = await StartAsync([Web("web")]);
        Change(world, "web", pod => pod["metadata"]!["finalizers"] = new JsonArray("example.com/hold"));
        await world.BeginAsync(Request(world, Default));
        await world.RunForAsync(TimeSpan.FromMinutes(3));

        var blocker = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers.ShouldHaveSingleItem();
        blocker.Kind.ShouldBe("stuck-terminating");
        blocker.Message.ShouldNotBeNull().ShouldEndWith("its finalizers keep it: example.com/hold.");
        blocker.Since.ShouldBe(World.Start, TimeSpan.FromSeconds(10));

        Change(world, "web", pod => ((JsonObject)pod["metadata"]!).Remove("finalizers"));
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_pod_that_terminates_too_long_is_left_behind_if_asked_for_but_never_within_its_grace_period()
    {
        await using var world = await StartAsync([Web("slow") with { TerminateAfter = TimeSpan.FromMinutes(4) }, Web("hangs") with { NeverTerminates = true }]);

        var report = await world.MaintainAsync(Request(
            world, Default with { SkipTerminatingAfter = TimeSpan.FromMinutes(1), GracePeriod = TimeSpan.FromMinutes(5) }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Pods.Single(pod => pod.Pod.Name.StartsWith("slow-", StringComparison.Ordinal)).IsGone.ShouldBeTrue();
        report.Pods.Single(pod => pod.Pod.Name.StartsWith("hangs-", StringComparison.Ordinal)).IsGone.ShouldBeFalse();
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(6), TimeSpan.FromMinutes(8));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_is_empty_only_when_its_volumes_are_detached_if_asked_for()
    {
        await using var world = await StartAsync([Web("web")]);
        world.Cluster.Store.Create(ResourceTypes.VolumeAttachments, new JsonObject
        {
            ["apiVersion"] = "storage.k8s.io/v1",
            ["kind"] = "VolumeAttachment",
            ["metadata"] = new JsonObject { ["name"] = "csi-1" },
            ["spec"] = new JsonObject { ["attacher"] = "csi.example.com", ["nodeName"] = "node-1", ["source"] = new JsonObject { ["persistentVolumeName"] = "pv-1" } },
        });
        await world.BeginAsync(Request(world, Default with { WaitForVolumeDetach = true }));
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        (await world.StatusAsync<MaintenanceStatus>())!.Step.ShouldBe(MaintenanceStep.Drain);
        (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers.ShouldHaveSingleItem().Object.ShouldBe("volumeattachment/csi-1");

        world.Cluster.Store.Delete(ResourceTypes.VolumeAttachments, null, "csi-1", new Deletion());
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_busy_API_server_is_left_in_peace_for_as_long_as_it_asks()
    {
        // More than one activity tries at once.
        await using var world = await StartAsync([Web("web") with { Replicas = 120, On = [.. Enumerable.Repeat("node-1", 120)] }]);
        using var busy = world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Code = 429, RetryAfterSeconds = 7, Count = 1 });

        var report = await world.MaintainAsync(Request(world, Default with { MaxParallelEvictions = 1 }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var evictions = world.Api.RequestLog.Of("create", "pods", "eviction");
        var refused = evictions.Single(request => request.Code == 429);
        evictions.Where(request => request.Time >= refused.Time && request != refused).ShouldAllBe(request => request.Time >= refused.Time.AddSeconds(7));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(0)]
    [InlineData(15)]
    public async Task When_the_lease_cannot_be_read_in_the_middle_of_a_batch_what_was_accepted_before_is_told_with_its_time(int seconds)
    {
        await using var world = await StartAsync(
            [Web("web") with { Replicas = 5, On = [.. Enumerable.Repeat("node-1", 5)], TerminateAfter = TimeSpan.FromSeconds(25) }]);

        // The lease is read again for an eviction that begins more than 200 ms after the reading before.
        using var slow = world.Api.Fail(new Fault { Verb = "create", Resource = "pods", Subresource = "eviction", Latency = TimeSpan.FromMilliseconds(300) });
        DateTimeOffset? since = null;
        world.Api.Intercept = request =>
            request is { Verb: "get", Resource: "leases.coordination.k8s.io", IsDone: false } && world.AcceptedEvictions().Count == 2
                && world.Time.GetUtcNow() - (since ??= world.Time.GetUtcNow()) <= TimeSpan.FromSeconds(seconds)
                ? throw new ApiException(503, "ServiceUnavailable", "etcdserver: leader changed")
                : Task.CompletedTask;

        var report = await world.MaintainAsync(Request(world, Default with { MaxParallelEvictions = 1 }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        world.AcceptedEvictions().Count.ShouldBe(5);
        report.Pods.Select(pod => pod.Attempts).ShouldBe([1, 1, 1, 1, 1]);
        var first = report.Pods.OrderBy(pod => pod.AcceptedAt).Take(2).ToList();
        first.ShouldAllBe(pod => world.AcceptedEvictions().Take(2).Contains(pod.Pod.ToString()));
        first.ShouldAllBe(pod => pod.AcceptedAt >= since!.Value.AddSeconds(-1) && pod.AcceptedAt <= since.Value);

        // Nothing else happens on the node before the first has shut down.
        var next = world.Api.RequestLog.Of("create", "pods", "eviction").First(request => request.Time > since!.Value);
        (next.Time - since!.Value).ShouldBeLessThan(TimeSpan.FromSeconds(seconds == 0 ? 2 : 20));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_hundred_pods_without_a_budget_cost_three_requests_each_at_the_most_and_go_at_once()
    {
        await using var world = await StartAsync([Web("web") with { Replicas = 100, On = [.. Enumerable.Repeat("node-1", 100)], TerminateAfter = TimeSpan.FromSeconds(2) }]);

        var report = await world.MaintainAsync(Request(world, Default));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        DrainTook(report).ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(4));
        RequestsPerPod(world, report).ShouldBeLessThanOrEqualTo(3);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(8, "1", 8)]
    [InlineData(30, "1", 30)]
    [InlineData(100, "10%", 10)]
    public async Task Under_a_budget_a_drain_takes_little_longer_than_its_replacements_take(int pods, string maxUnavailable, int replacements)
    {
        await using var world = await StartAsync(
            [Web("web") with { Replicas = pods, On = [.. Enumerable.Repeat("node-1", pods)], StartAfter = TimeSpan.FromSeconds(1), TerminateAfter = TimeSpan.FromSeconds(0.5) }],
            new BudgetSpec("shop", "web", "web") { MaxUnavailable = maxUnavailable });

        var report = await world.MaintainAsync(Request(world, Default));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        DrainTook(report).ShouldBeLessThanOrEqualTo(1.2 * TimeSpan.FromSeconds(replacements));
        RequestsPerPod(world, report).ShouldBeLessThanOrEqualTo(6);
        world.Api.RequestLog.Of("create", "pods", "eviction").Count(request => request.Code == 429).ShouldBe(0);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task No_more_evictions_of_a_node_are_under_way_at_once_than_its_request_allows()
    {
        await using var world = await World.StartAsync(new Scenario
        {
            Name = "drain",
            Nodes = [.. Enumerable.Range(1, 5).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
            Workloads = [new WorkloadSpec("deployment", "shop", "web") { Replicas = 60, On = ["node-1", "node-2", "node-3"] }],
            Maintain = "node-1",
        });
        var nodeOf = world.Cluster.Store.List(ResourceTypes.Pods, "shop").ToDictionary(pod => (string)pod["metadata"]!["name"]!, pod => (string?)pod["spec"]!["nodeName"]);
        var underWay = new Dictionary<string, int> { ["node-1"] = 0, ["node-2"] = 0, ["node-3"] = 0 };
        var most = 0;
        world.Api.Intercept = async request =>
        {
            if (request.Subresource == "eviction" && nodeOf[request.Name!] is { } node)
            {
                lock (underWay)
                {
                    underWay[node] += request.IsDone ? -1 : 1;
                    most = Math.Max(most, underWay[node]);
                }

                if (!request.IsDone)
                {
                    // Those that are sent together meet.
                    await world.WhenStillAsync();
                }
            }
        };

        foreach (var node in underWay.Keys.ToList())
        {
            await world.BeginAsync(Request(world, Default with { MaxParallelEvictions = 3 }) with { Node = node }, node);
        }

        foreach (var node in underWay.Keys.ToList())
        {
            (await world.EndAsync(node)).Outcome.ShouldBe(MaintenanceOutcome.Completed);
        }

        most.ShouldBe(3);
        world.AcceptedEvictions().ShouldBeUnique();
    }

    private static Task<World> StartAsync(IReadOnlyList<WorkloadSpec> workloads, params BudgetSpec[] budgets) => World.StartAsync(new Scenario
    {
        Name = "drain",
        Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
        Workloads = workloads,
        Budgets = budgets,
        Maintain = "node-1",
    });

    private static WorkloadSpec Web(string name) => new("deployment", "shop", name) { On = ["node-1"] };

    private static MaintenanceRequest Request(World world, DrainPolicy drain) =>
        world.Request() with { Drain = drain, Health = new HealthPolicy { StableFor = TimeSpan.Zero } };

    private static void Change(World world, string app, Action<JsonObject> change)
    {
        var pod = world.Cluster.Store.List(ResourceTypes.Pods, "shop").Single(found => (string?)found["metadata"]!["labels"]!["app"] == app && (string?)found["spec"]!["nodeName"] == "node-1");
        world.Cluster.Store.Update(ResourceTypes.Pods, "shop", (string)pod["metadata"]!["name"]!, found =>
        {
            change(found);
            return true;
        });
    }

    private static TimeSpan DrainTook(MaintenanceReport report)
    {
        var drain = report.Steps.Single(step => step.Step == MaintenanceStep.Drain);
        return report.Pods.Max(pod => pod.GoneAt!.Value) - drain.From;
    }

    /// <summary>Everything that was asked about pods, budgets and the lease, from when the drain's watches began to its end; watches apart.</summary>
    private static double RequestsPerPod(World world, MaintenanceReport report)
    {
        var drain = world.Api.RequestLog.All.SkipWhile(request => request is not { Verb: "watch", Resource: "pods" })
            .TakeWhile(request => request is not { Verb: "patch", Resource: "nodes" });
        return (double)drain.Count(request => request is { Verb: not "watch", Resource: "pods" or "poddisruptionbudgets.policy" or "leases.coordination.k8s.io" })
            / report.Pods.Count;
    }
}
