using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>When the deadline of a drain passes, by each policy, and what is said of what is left; and pods that come after it.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class DrainDeadlineTests
{
    private static readonly BudgetSpec Never = new("shop", "held", "held") { MaxUnavailable = "0" };

    [Fact(Timeout = World.Timeout)]
    public async Task A_drain_that_fails_counts_all_pods_that_are_held()
    {
        await using var world = await StartAsync([Web("held") with { Replicas = 25, On = [.. Enumerable.Repeat("node-1", 25)] }], Never);

        var report = await world.MaintainAsync(Request(world, new DrainPolicy { Timeout = TimeSpan.FromMinutes(5) }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldNotBeNull().ShouldStartWith("Node node-1 was not empty within 5m: 25 pods are held (the longest shop/held-");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_drain_that_fails_while_a_pod_still_shuts_down_says_so_and_since_when()
    {
        await using var world = await StartAsync([Web("slow") with { TerminateAfter = TimeSpan.FromMinutes(9) }]);

        var report = await world.MaintainAsync(Request(world, new DrainPolicy { Timeout = TimeSpan.FromMinutes(5), GracePeriod = TimeSpan.FromMinutes(10) }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldNotBeNull().ShouldStartWith("Node node-1 was not empty within 5m: 1 pod is still terminating (the longest shop/slow-");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_volume_that_stays_attached_until_the_deadline_is_called_a_volume()
    {
        await using var world = await StartAsync([Web("web")]);
        Attach(world);

        var report = await world.MaintainAsync(Request(world, new DrainPolicy { Timeout = TimeSpan.FromMinutes(5), WaitForVolumeDetach = true }));

        report.Message.ShouldNotBeNull().ShouldStartWith("Node node-1 was not empty within 5m: 1 volume is still attached.");
        report.Findings.ShouldContain(finding => finding.Kind == "volume-attached" && finding.Message.StartsWith("Volume csi-1:", StringComparison.Ordinal));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(DeadlinePolicy.Wait, 0)]
    [InlineData(DeadlinePolicy.Force, 1)]
    public async Task At_the_deadline_what_a_budget_holds_is_waited_for_or_deleted_as_asked(DeadlinePolicy policy, int deleted)
    {
        await using var world = await StartAsync([Web("held"), Web("web")], Never);
        await world.BeginAsync(Request(world, new DrainPolicy { Timeout = TimeSpan.FromMinutes(5), OnTimeout = policy }));
        await world.RunForAsync(TimeSpan.FromMinutes(4.9));
        Deletions(world, "held-").ShouldBe(0);

        await world.RunForAsync(TimeSpan.FromMinutes(5));
        Deletions(world, "held-").ShouldBe(deleted);
        if (policy == DeadlinePolicy.Wait)
        {
            var drain = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!;
            (drain.Deadline, drain.Blockers.ShouldHaveSingleItem().Kind).ShouldBe((null, "budget-can-never-be-met"));
            world.Cluster.Store.Delete(ResourceTypes.PodDisruptionBudgets, "shop", "held", new Deletion());
        }

        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_pod_whose_own_deadline_has_passed_is_waited_for_if_that_is_asked()
    {
        await using var world = await StartAsync([Web("held"), Web("web")], Never);
        await world.BeginAsync(Request(
            world, new DrainPolicy { Timeout = TimeSpan.FromHours(1), PodTimeout = TimeSpan.FromMinutes(5), OnTimeout = DeadlinePolicy.Wait }));
        await world.RunForAsync(TimeSpan.FromMinutes(50));

        var blocker = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers.ShouldHaveSingleItem();
        blocker.Deadline.ShouldNotBeNull().ShouldBe(World.Start.AddMinutes(5), TimeSpan.FromSeconds(10));
        Deletions(world, "held-").ShouldBe(0);
        world.Cluster.Store.Delete(ResourceTypes.PodDisruptionBudgets, "shop", "held", new Deletion());
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(DeadlinePolicy.Fail)]
    [InlineData(DeadlinePolicy.Wait)]
    public async Task What_a_rule_waits_for_is_waited_for_until_the_deadline_and_longer_only_if_that_is_asked(DeadlinePolicy policy)
    {
        await using var world = await StartAsync([Web("batch")]);
        await world.BeginAsync(Request(world, new DrainPolicy
        {
            Timeout = TimeSpan.FromMinutes(5),
            OnTimeout = policy,
            Rules = [new DrainRule(DrainBehavior.WaitForCompletion) { PodSelector = "app=batch" }],
        }));
        await world.RunForAsync(TimeSpan.FromMinutes(4.9));
        (await world.StatusAsync<MaintenanceStatus>())!.Step.ShouldBe(MaintenanceStep.Drain);
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        if (policy == DeadlinePolicy.Wait)
        {
            var drain = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!;
            (drain.Deadline, drain.Blockers.ShouldHaveSingleItem().Kind).ShouldBe((null, "await-completion"));
            var name = (string)world.Cluster.Store.List(ResourceTypes.Pods, "shop").Single()["metadata"]!["name"]!;
            world.Cluster.Store.Update(ResourceTypes.Pods, "shop", name, pod =>
            {
                pod["status"]!["phase"] = "Succeeded";
                return true;
            });
        }

        var report = await world.EndAsync();
        report.Outcome.ShouldBe(policy == DeadlinePolicy.Wait ? MaintenanceOutcome.Completed : MaintenanceOutcome.Failed, report.Message);
        if (policy == DeadlinePolicy.Fail)
        {
            report.Message.ShouldMatch(@"^Node node-1 was not empty within 5m: 1 pod is held \(the longest shop/batch-\S+ \(await-completion\)\)\.");
            world.AcceptedEvictions().ShouldBeEmpty();
        }
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(DeadlinePolicy.Wait)]
    [InlineData(DeadlinePolicy.Force)]
    public async Task A_volume_that_stays_attached_past_the_deadline_is_waited_for_and_never_forced(DeadlinePolicy policy)
    {
        await using var world = await StartAsync([Web("web")]);
        Attach(world);
        await world.BeginAsync(Request(world, new DrainPolicy { Timeout = TimeSpan.FromMinutes(5), OnTimeout = policy, WaitForVolumeDetach = true }));
        await world.RunForAsync(TimeSpan.FromMinutes(8));

        (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers.ShouldHaveSingleItem().Kind.ShouldBe("volume-attached");
        world.Api.RequestLog.Of("delete", "volumeattachments.storage.k8s.io").ShouldBeEmpty();
        world.Cluster.Store.Delete(ResourceTypes.VolumeAttachments, null, "csi-1", new Deletion());
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_volume_of_a_pod_that_stays_is_not_waited_for()
    {
        await using var world = await StartAsync([Web("web") with { Volume = "1Gi" }, new WorkloadSpec("daemonSet", "shop", "agent") { Volume = "1Gi" }]);
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var before = Attached(world);
        await world.BeginAsync(Request(world, new DrainPolicy { WaitForVolumeDetach = true }));
        await world.RunUntilAsync(() => !world.Cluster.Store.List(ResourceTypes.Pods, "shop").Any(static pod =>
            (string?)pod["metadata"]!["labels"]!["app"] == "web" && (string?)pod["spec"]!["nodeName"] == "node-1"));
        await world.RunForAsync(TimeSpan.FromSeconds(1));
        var blockers = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers;

        var report = await world.EndAsync();

        before.Count.ShouldBe(2, "of the pod that goes and of the one that stays");
        blockers.ShouldHaveSingleItem().Kind.ShouldBe("volume-attached");
        before.ShouldContain(blockers[0].Pod);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        Attached(world).ShouldBe(before.Where(name => name != blockers[0].Pod));
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Force_does_not_delete_data_that_the_request_did_not_give_up()
    {
        await using var world = await StartAsync([Web("held")], Never);
        await world.BeginAsync(Request(world, new DrainPolicy { Timeout = TimeSpan.FromMinutes(5), OnTimeout = DeadlinePolicy.Force }));
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        Land(world, "data", owner: "held", emptyDir: true);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldNotBeNull().ShouldContain("1 pod is held (the longest shop/data (denied))");
        (Deletions(world, "held-"), Deletions(world, "data")).ShouldBe((1, 0));
        world.Cluster.Store.Get(ResourceTypes.Pods, "shop", "data").ShouldNotBeNull();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_delete_by_force_that_was_refused_is_asked_for_again_after_ten_seconds_also_of_a_pod_that_was_waited_for()
    {
        await using var world = await StartAsync([Web("batch")]);
        using var refused = world.Api.Fail(new Fault { Verb = "delete", Resource = "pods", Code = 503, Count = 2 });

        var report = await world.MaintainAsync(Request(world, new DrainPolicy
        {
            Timeout = TimeSpan.FromMinutes(5),
            OnTimeout = DeadlinePolicy.Force,
            Rules = [new DrainRule(DrainBehavior.WaitForCompletion) { PodSelector = "app=batch" }],
        }));

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var deletes = world.Api.RequestLog.Of("delete", "pods").Where(request => request.User != "system:kubelet").Select(request => request.Time).ToList();
        deletes.Count.ShouldBe(3);
        deletes.Zip(deletes.Skip(1)).ShouldAllBe(pair => pair.Second - pair.First < TimeSpan.FromSeconds(12));
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(DeadlinePolicy.Fail)]
    [InlineData(DeadlinePolicy.Force)]
    public async Task A_pod_that_comes_to_a_held_node_is_asked_politely_however_the_drain_ended_and_fails_nothing(DeadlinePolicy policy)
    {
        // The drain itself was only over by force, if it may.
        await using var world = await StartAsync(policy == DeadlinePolicy.Force ? [Web("held")] : [Web("web")], Never);
        var drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(20), PodTimeout = TimeSpan.FromMinutes(10), OnTimeout = policy, EvictUnmanaged = true };
        await world.BeginAsync(Request(world, drain) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(30));
        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();
        Budget(world, "late");
        Land(world, "late");

        await world.RunForAsync(TimeSpan.FromMinutes(9));
        Deletions(world, "late").ShouldBe(0, "it has ten minutes of its own");

        await world.RunForAsync(TimeSpan.FromHours(2));
        (await world.StatusAsync<MaintenanceStatus>())!.IsHolding.ShouldBeTrue();
        Deletions(world, "late").ShouldBe(policy == DeadlinePolicy.Force ? 1 : 0);
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_workload_that_tolerates_the_cordon_is_not_evicted_in_a_circle_and_somebody_is_told()
    {
        await using var world = await StartAsync([Web("web")]);
        await world.BeginAsync(Request(world, new DrainPolicy()) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        var number = 0;
        world.Api.Intercept = request =>
        {
            if (request is { Subresource: "eviction", IsDone: true })
            {
                Land(world, $"pinned-{++number}", owner: "web");
            }

            return Task.CompletedTask;
        };
        Land(world, "pinned-0", owner: "web");

        await world.RunForAsync(TimeSpan.FromMinutes(30));

        var blocker = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!.Blockers.ShouldHaveSingleItem();
        (blocker.Kind, blocker.Object).ShouldBe(("comes-back", "deployment/shop/web"));
        world.AcceptedEvictions().Count(name => name.Contains("pinned-")).ShouldBeInRange(8, 14);
        world.Api.Intercept = null;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
    }

    private static Task<World> StartAsync(IReadOnlyList<WorkloadSpec> workloads, params BudgetSpec[] budgets) => World.StartAsync(new Scenario
    {
        Name = "drain-deadline",
        Nodes = [.. Enumerable.Range(1, 3).Select(number => new NodeSpec($"node-{number}") { Cpu = "64", Memory = "256Gi" })],
        Workloads = workloads,
        Budgets = budgets,
        Maintain = "node-1",
    });

    private static List<string> Attached(World world) =>
        [.. world.Cluster.Store.List(ResourceTypes.VolumeAttachments).Where(static one => (string?)one["spec"]!["nodeName"] == "node-1").Select(static one => (string)one["metadata"]!["name"]!)];

    private static void Attach(World world) => world.Cluster.Store.Create(ResourceTypes.VolumeAttachments, new JsonObject
    {
        ["apiVersion"] = "storage.k8s.io/v1",
        ["kind"] = "VolumeAttachment",
        ["metadata"] = new JsonObject { ["name"] = "csi-1" },
        ["spec"] = new JsonObject { ["attacher"] = "csi.example.com", ["nodeName"] = "node-1", ["source"] = new JsonObject { ["persistentVolumeName"] = "pv-1" } },
    });

    private static WorkloadSpec Web(string name) => new("deployment", "shop", name) { On = ["node-1"] };

    private static MaintenanceRequest Request(World world, DrainPolicy drain) =>
        world.Request() with { Drain = drain, Health = new HealthPolicy { StableFor = TimeSpan.Zero } };

    private static int Deletions(World world, string name) => world.Api.RequestLog.Of("delete", "pods")
        .Count(request => request.User != "system:kubelet" && request.Name!.StartsWith(name, StringComparison.Ordinal));

    private static void Budget(World world, string app) => world.Cluster.Store.Create(ResourceTypes.PodDisruptionBudgets, new JsonObject
    {
        ["metadata"] = new JsonObject { ["namespace"] = "shop", ["name"] = app },
        ["spec"] = new JsonObject { ["maxUnavailable"] = 0, ["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["app"] = app } } },
    });

    /// <summary>A pod on the node past its cordon: of an owner that nobody looks after, or of none.</summary>
    private static void Land(World world, string name, string? owner = null, bool emptyDir = false)
    {
        var metadata = new JsonObject { ["namespace"] = "shop", ["name"] = name, ["labels"] = new JsonObject { ["app"] = name } };
        if (owner is not null)
        {
            // One that exists, or the garbage collector takes the pod; and one that makes ReplicaSets, so that it does not count it.
            var uid = (string)world.Cluster.Store.Get(ResourceTypes.Deployments, "shop", owner)!["metadata"]!["uid"]!;
            metadata["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "apps/v1", ["kind"] = "Deployment", ["name"] = owner, ["uid"] = uid, ["controller"] = true,
            });
        }

        var spec = new JsonObject { ["nodeName"] = "node-1", ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "i" }) };
        if (emptyDir)
        {
            spec["volumes"] = new JsonArray(new JsonObject { ["name"] = "data", ["emptyDir"] = new JsonObject() });
        }

        world.Cluster.Store.Create(ResourceTypes.Pods, new JsonObject
        {
            ["metadata"] = metadata,
            ["spec"] = spec,
            ["status"] = new JsonObject { ["phase"] = "Running", ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }) },
        });
    }
}
