using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Instances of a replica set, of a pool, and of nobody: what the plan says of them is what then happens to them.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class VirtualMachineOwnersTests
{
    private const string Set = "VirtualMachineInstanceReplicaSet";
    private const string Pool = "VirtualMachinePool";
    private const string Bare = "VirtualMachineInstance";

    [Theory(Timeout = World.Timeout)]
    [InlineData(Set, "LiveMigrate", true, VmFate.Migrates, VmOutcome.Migrated, "It migrates")]
    [InlineData(Set, "None", true, VmFate.RestartsElsewhere, VmOutcome.RestartedElsewhere, "its VirtualMachineInstanceReplicaSet replaces it")]
    [InlineData(Set, "LiveMigrate", false, VmFate.RestartsElsewhere, VmOutcome.RestartedElsewhere, "its VirtualMachineInstanceReplicaSet web makes another")]
    [InlineData(Pool, "LiveMigrate", true, VmFate.Migrates, VmOutcome.Migrated, "It belongs to VirtualMachinePool web")]
    [InlineData(Pool, "None", true, VmFate.RestartsElsewhere, VmOutcome.RestartedElsewhere, "run strategy Always starts it elsewhere. It belongs to VirtualMachinePool web")]
    [InlineData(Pool, "LiveMigrate", false, VmFate.StoppedAndRestored, VmOutcome.Stopped, "It belongs to VirtualMachinePool web")]
    [InlineData(Bare, "LiveMigrate", true, VmFate.Migrates, VmOutcome.Migrated, "It migrates")]
    [InlineData(Bare, "None", true, VmFate.Blocks, VmOutcome.StillThere, "Eviction strategy None would shut it down. It has no VirtualMachine: stopping it would delete it for good")]
    [InlineData(Bare, "LiveMigrateIfPossible", false, VmFate.Blocks, VmOutcome.StillThere, "LiveMigrateIfPossible would shut it down. It has no VirtualMachine: stopping it would delete it for good")]
    [InlineData(Bare, "LiveMigrate", false, VmFate.Blocks, VmOutcome.StillThere, "It has no VirtualMachine: stopping it would delete it for good")]
    public async Task What_the_plan_says_of_an_instance_by_its_owner_is_what_then_happens(
        string owner, string strategy, bool canMigrate, VmFate fate, VmOutcome outcome, string reason)
    {
        await using var world = await WorldAsync(owner, strategy, canMigrate);
        var before = Instances(world).ShouldHaveSingleItem();
        var request = Request(world, DeadlinePolicy.Fail);

        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        var report = await world.MaintainAsync(request);
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        var planned = plan.VirtualMachines.ShouldHaveSingleItem();
        (planned.Fate, report.VirtualMachines.ShouldHaveSingleItem().Outcome).ShouldBe((fate, outcome), $"{report.Message} {report.VirtualMachines[0].Message}");
        planned.Reason.ShouldContain(reason);
        var after = Instances(world).SingleOrDefault(vmi => vmi.InstancePhase() == "Running");
        (after?.UidOf() == before.UidOf(), after.InstanceNode() is { } node && node != "node-1").ShouldBe(fate switch
        {
            VmFate.Migrates => (true, true),
            VmFate.RestartsElsewhere => (false, true),
            VmFate.Blocks => (true, false),
            _ => (false, after.InstanceNode() != "node-1"),
        });
        world.Api.RequestLog.Of("delete", "virtualmachineinstances.kubevirt.io").Count.ShouldBe(owner == Set && !canMigrate ? 1 : 0);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(Set, DeadlinePolicy.Fail, VmOutcome.RestartedElsewhere, "within 1m, the policy deletes it; its VirtualMachineInstanceReplicaSet web makes another.")]
    [InlineData(Bare, DeadlinePolicy.Fail, VmOutcome.StillThere, "stopping it would delete it for good. The maintenance fails at the deadline of the drain.")]
    [InlineData(Bare, DeadlinePolicy.Force, VmOutcome.StaysDown, "At the deadline of the drain it is deleted by force, for good.")]
    public async Task What_the_plan_says_of_an_instance_that_nobody_moves_is_what_then_happens(string owner, DeadlinePolicy onTimeout, VmOutcome outcome, string reason)
    {
        await using var world = await WorldAsync(owner, "External", canMigrate: true);
        var request = Request(world, onTimeout) with
        {
            VirtualMachines = new VirtualMachinePolicy { OnStuck = StuckVmPolicy.ShutDown, ExternalTimeout = TimeSpan.FromMinutes(1) },
        };

        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        var report = await world.MaintainAsync(request);

        plan.VirtualMachines.ShouldHaveSingleItem().Reason.ShouldEndWith(reason);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(outcome, report.Message);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("LiveMigrate", false)]
    [InlineData("LiveMigrateIfPossible", false)]
    [InlineData("None", true)]
    public async Task A_bare_instance_that_cannot_migrate_is_deleted_only_by_force_and_only_at_the_deadline(string strategy, bool canMigrate)
    {
        await using var world = await WorldAsync(Bare, strategy, canMigrate);
        var request = Request(world, DeadlinePolicy.Force);
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);
        await world.BeginAsync(request);

        await world.RunForAsync(TimeSpan.FromSeconds(110));
        Instances(world).ShouldHaveSingleItem().InstancePhase().ShouldBe("Running");
        var blocker = (await world.StatusAsync<VmStatus>(InstanceIds.Vm("m1", new("vms", "web"))))!.Blocker!;
        blocker.NextStep.ShouldBe("Delete it by hand, or let the drain force it at its deadline (on-timeout: Force).");
        var report = await world.EndAsync();

        var planned = plan.VirtualMachines.ShouldHaveSingleItem();
        (planned.Fate, report.VirtualMachines.ShouldHaveSingleItem().Outcome).ShouldBe((VmFate.StaysDown, VmOutcome.StaysDown), planned.Reason);
        planned.Reason.ShouldEndWith("At the deadline of the drain it is deleted by force, for good.");
        plan.Findings.ShouldHaveSingleItem().Kind.ShouldBe("vm-deleted-by-force");
        world.Api.RequestLog.Of("delete", "virtualmachineinstances.kubevirt.io").Count.ShouldBe(1);
        Instances(world).ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("None", true)]
    [InlineData("LiveMigrate", false)]
    public async Task What_a_replica_set_makes_in_place_of_an_instance_is_followed_until_it_runs(string strategy, bool canMigrate)
    {
        await using var world = await WorldAsync(Set, strategy, canMigrate);
        var before = Instances(world).ShouldHaveSingleItem();

        // Nothing else is open when it is shut down; the node it could go to opens five minutes later.
        Cordon(world, true);
        await world.BeginAsync(Request(world, DeadlinePolicy.Wait) with { Drain = new DrainPolicy { OnTimeout = DeadlinePolicy.Wait } });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var waiting = (await world.StatusAsync<MaintenanceStatus>())!;
        var told = (await world.StatusAsync<VmStatus>(InstanceIds.Vm("m1", new("vms", before.NameOf()))))!;
        Cordon(world, false);
        var report = await world.EndAsync();

        waiting.Step.ShouldBe(MaintenanceStep.Drain);
        (told.Progress, told.Blocker?.Kind).ShouldBe((VmProgress.Starting, "vm-pending-after-restart"), told.Message);
        told.Message.ShouldContain("nodes are available");
        var after = Instances(world).ShouldHaveSingleItem();
        var moved = report.VirtualMachines.ShouldHaveSingleItem();
        (moved.Outcome, moved.Node).ShouldBe((VmOutcome.RestartedElsewhere, after.InstanceNode()), moved.Message);
        moved.Message.ShouldBe($"It was shut down; its {Set} web made {after.NameOf()}, which runs on {after.InstanceNode()}.");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task What_a_replica_set_makes_is_followed_also_if_the_process_was_away_while_the_instance_went()
    {
        await using var world = await WorldAsync(Set, "None", canMigrate: true);
        var before = Instances(world).ShouldHaveSingleItem();
        world.KillAtRequest(static request => request.Method == HttpMethod.Post && request.RequestUri!.AbsolutePath.EndsWith("/eviction", StringComparison.Ordinal), 1, after: true);
        await world.BeginAsync(Request(world, DeadlinePolicy.Wait));
        await world.RunUntilAsync(() => world.IsDead);
        await world.CrashAsync();

        // It comes back, and reaches the API server only when the launcher is gone.
        var back = world.Time.GetUtcNow() + TimeSpan.FromMinutes(2);
        world.Api.Intercept = request => !request.IsDone && world.Time.GetUtcNow() < back ? throw new ApiException(503, "ServiceUnavailable", "It is away.") : Task.CompletedTask;
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        Instances(world).ShouldNotContain(vmi => vmi.UidOf() == before.UidOf());
        var report = await world.EndAsync();

        var moved = report.VirtualMachines.ShouldHaveSingleItem();
        (moved.Outcome, moved.Node).ShouldBe((VmOutcome.RestartedElsewhere, Instances(world).ShouldHaveSingleItem().InstanceNode()), moved.Message);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_plan_that_may_delete_an_instance_is_refused_where_that_is_not_granted_and_no_other_plan_is()
    {
        await using var world = await WorldAsync(Set, "LiveMigrate", canMigrate: false);
        var reader = new PlanReader(LimitedCluster.Without(world.Kubernetes, static rule => rule is { Verb: "delete", Resource: "virtualmachineinstances" }), world.Time, world.Planner);

        var refused = await reader.ReadAsync(Request(world, DeadlinePolicy.Wait), CancellationToken.None);
        var waits = await reader.ReadAsync(Request(world, DeadlinePolicy.Wait) with { VirtualMachines = new VirtualMachinePolicy() }, CancellationToken.None);

        var finding = refused.Findings.Single(static finding => finding.Severity == FindingSeverity.Refuses);
        (finding.Kind, finding.Message).ShouldBe(("missing-permission", "The account may not delete virtualmachineinstances.kubevirt.io."));
        finding.NextStep.ShouldBe("Grant it the verb delete on virtualmachineinstances: infra/kubernetes/components/force does.");
        (refused.CanStart, waits.CanStart).ShouldBe((false, true));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task What_a_replica_set_makes_and_nobody_can_place_is_told_as_not_running_again()
    {
        await using var world = await WorldAsync(Set, "None", canMigrate: true);
        Cordon(world, true);

        var report = await world.MaintainAsync(Request(world, DeadlinePolicy.Wait) with { Drain = new DrainPolicy { OnTimeout = DeadlinePolicy.Wait } });

        var moved = report.VirtualMachines.ShouldHaveSingleItem();
        moved.Outcome.ShouldBe(VmOutcome.NotRunningAgain);
        moved.Message.ShouldStartWith("It was shut down and is not Running after 10m (0/");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task An_instance_whose_replica_set_is_scaled_down_meanwhile_is_not_waited_for()
    {
        await using var world = await WorldAsync(Set, "None", canMigrate: true);
        Cordon(world, true);
        await world.BeginAsync(Request(world, DeadlinePolicy.Wait) with { Drain = new DrainPolicy { OnTimeout = DeadlinePolicy.Wait } });
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var before = (await world.StatusAsync<MaintenanceStatus>())!;

        world.Cluster.Store.Update(KubeVirtTypes.ReplicaSets, "vms", "web", set =>
        {
            set["spec"]!["replicas"] = 0;
            return true;
        });
        var report = await world.EndAsync();

        before.Step.ShouldBe(MaintenanceStep.Drain, "it waits until what was made in its place runs");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var moved = report.VirtualMachines.ShouldHaveSingleItem();
        (moved.Outcome, moved.Message).ShouldBe((
            VmOutcome.StaysDown,
            "It was shut down; its VirtualMachineInstanceReplicaSet web wants no more than 0 by now: none is made in its place."));
        (world.Time.GetUtcNow() - World.Start).ShouldBeLessThan(TimeSpan.FromMinutes(6), "ten minutes are what it would have waited");
    }

    /// <summary>One instance, on node-1: the other nodes are open only after it has started there.</summary>
    private static async Task<World> WorldAsync(string owner, string strategy, bool canMigrate)
    {
        var world = await World.StartAsync(new Scenario
        {
            Name = "owners",
            EvictionStrategy = "None",
            Nodes = [.. Enumerable.Range(1, 3).Select(n => new NodeSpec($"node-{n}"))],
            VirtualMachines = [new VirtualMachineSpec("vms", "elsewhere") { On = "node-3" }],
            Maintain = "node-1",
        });
        Cordon(world, true);
        var (type, item) = Owner(owner, Template(strategy, canMigrate));
        world.Cluster.Store.Create(type, item);
        await world.RunUntilAsync(() => Instances(world) is [var one] && one.InstancePhase() == "Running");
        await world.RunForAsync(TimeSpan.FromSeconds(5));
        Cordon(world, false);
        return world;
    }

    private static void Cordon(World world, bool unschedulable)
    {
        foreach (var node in (string[])["node-2", "node-3"])
        {
            world.Cluster.Store.Update(ResourceTypes.Nodes, null, node, each =>
            {
                each["spec"]!["unschedulable"] = unschedulable;
                return true;
            });
        }
    }

    private static (ResourceType Type, JsonObject Item) Owner(string kind, JsonObject template)
    {
        JsonObject Item(string apiVersion, JsonObject spec) => new()
        {
            ["apiVersion"] = apiVersion,
            ["kind"] = kind,
            ["metadata"] = new JsonObject { ["name"] = "web", ["namespace"] = "vms", ["annotations"] = template["metadata"]!["annotations"]!.DeepClone() },
            ["spec"] = spec,
        };

        return kind switch
        {
            Set => (KubeVirtTypes.ReplicaSets, Item("kubevirt.io/v1", new() { ["replicas"] = 1, ["template"] = template })),
            Pool => (KubeVirtTypes.Pools, Item("pool.kubevirt.io/v1beta1", new()
            {
                ["replicas"] = 1,
                ["virtualMachineTemplate"] = new JsonObject { ["spec"] = new JsonObject { ["runStrategy"] = "Always", ["template"] = template } },
            })),
            _ => (KubeVirtTypes.Instances, Item("kubevirt.io/v1", template["spec"]!.DeepClone().AsObject())),
        };
    }

    private static JsonObject Template(string strategy, bool canMigrate) => new()
    {
        ["metadata"] = new JsonObject
        {
            ["labels"] = new JsonObject { ["app"] = "web" },
            ["annotations"] = canMigrate ? [] : new JsonObject { ["fake-virt-handler/not-migratable"] = "HostDeviceNotLiveMigratable" },
        },
        ["spec"] = new JsonObject { ["evictionStrategy"] = strategy, ["domain"] = new JsonObject { ["memory"] = new JsonObject { ["guest"] = "1Gi" } } },
    };

    private static List<JsonObject> Instances(World world) =>
        [.. world.Cluster.Store.List(KubeVirtTypes.Instances).Where(vmi => vmi.NameOf().StartsWith("web", StringComparison.Ordinal))];

    private static MaintenanceRequest Request(World world, DeadlinePolicy onTimeout) => world.Request() with
    {
        Drain = new DrainPolicy { Timeout = TimeSpan.FromMinutes(2), OnTimeout = onTimeout },
        VirtualMachines = new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown },
        Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) },
    };
}
