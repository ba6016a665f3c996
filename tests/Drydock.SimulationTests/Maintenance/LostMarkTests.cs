using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// Marks of ours that somebody takes off just before the restore: it goes by the ledger of the maintenance then, says what it left because
/// it is somebody else's by now, and never says "restored" of a node that stays cordoned.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class LostMarkTests
{
    private const string Excluded = "remediation.medik8s.io/exclude-from-remediation";

    private const string ScaleDown = "cluster-autoscaler.kubernetes.io/scale-down-disabled";

    public static TheoryData<string, string?> Cases => new()
    {
        { "nothing else", null },
        { "changes the label", $"label {Excluded} is 'theirs'" },
        { "uncordons", null },
    };

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(Cases))]
    public async Task A_node_whose_mark_somebody_took_off_before_the_restore_is_put_back_and_told(string theirs, string? left)
    {
        await using var world = await World.StartAsync(Small);
        var before = Written(world);
        AtTheRestore(world, node => TakeOffMark(node, theirs));

        var report = await world.MaintainAsync(Quick(world));

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        var told = report.Findings.Single(finding => finding.Kind == "changed-by-others").Message;
        told.ShouldStartWith("Node node-1: somebody had taken our mark off it, so that it was put back by the ledger of the maintenance");
        told.ShouldEndWith(left is null ? "maintenance." : $"; left as somebody else set it: {left}.");
        Written(world).ShouldBe(theirs == "changes the label" ? before with { Label = "theirs" } : before);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_process_that_dies_while_it_puts_such_a_node_back_puts_it_back_in_its_next_life(bool after)
    {
        await using var world = await World.StartAsync(Small);
        var before = Written(world);
        var patches = 0;
        var crash = RequestCrash.Arm(world, request => IsPatch(request) && patches > 1, 1, after, request =>
        {
            if (IsPatch(request) && !request.IsDone && ++patches == 2)
            {
                Change(world, node => TakeOffMark(node, "nothing else"));
            }
        });

        var report = await world.MaintainAsync(Quick(world));

        crash.At.ShouldNotBeNull();
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        Written(world).ShouldBe(before);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_cordon_that_may_be_somebody_elses_stays_and_the_maintenance_does_not_say_that_it_restored_the_node()
    {
        await using var world = await World.StartAsync(Small);
        AtTheRestore(world, node =>
        {
            TakeOffMark(node, "nothing else");
            node["metadata"]!["annotations"]!.AsObject().Remove(ScaleDown);
            node["metadata"]!["labels"]!.AsObject().Remove(Excluded);
            node["spec"]!["taints"] = new JsonArray();
        });

        var report = await world.MaintainAsync(Quick(world));

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, false));
        report.LeftBehind.ShouldHaveSingleItem().ShouldBe(
            "Node node-1 is still cordoned. Our mark and all else that this maintenance had set is gone from it, so that somebody else may have cordoned it: it is left so. If nobody wants that: kubectl uncordon node-1");
        Written(world).IsCordoned.ShouldBeTrue();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_a_failed_maintenance_keeps_cordoned_is_marked_again_so_that_a_restore_by_hand_finds_what_it_was()
    {
        await using var world = await World.StartAsync(Small);
        var before = Written(world);
        await BeginOneThatFailsInASecondAsync(world);

        Change(world, node => TakeOffMark(node, "nothing else"));
        var report = await world.EndAsync();
        var byHand = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        byHand.Done.ShouldContain("Node node-1: uncordoned, taints and label removed.");
        Written(world).ShouldBe(before);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_process_that_dies_while_it_marks_a_node_again_that_is_kept_cordoned_does_so_in_its_next_life(bool after)
    {
        await using var world = await World.StartAsync(Small);
        var before = Written(world);
        await BeginOneThatFailsInASecondAsync(world);
        var kept = Written(world);

        var crash = RequestCrash.Arm(world, IsPatch, 1, after);
        Change(world, node => TakeOffMark(node, "nothing else"));
        var report = await world.EndAsync();
        var atTheEnd = Written(world);
        var byHand = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);

        crash.At.ShouldNotBeNull();
        (report.Outcome, atTheEnd).ShouldBe((MaintenanceOutcome.Failed, kept));
        byHand.Done.ShouldContain("Node node-1: uncordoned, taints and label removed.");
        Written(world).ShouldBe(before);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_is_gone_when_it_is_to_be_kept_cordoned_is_named_and_not_called_kept()
    {
        await using var world = await World.StartAsync(Small);
        await BeginOneThatFailsInASecondAsync(world);

        world.Cluster.Store.Delete(ResourceTypes.Nodes, null, "node-1", new Deletion());
        var report = await world.EndAsync();

        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Failed, false));
        report.LeftBehind.ShouldHaveSingleItem().ShouldBe(
            "Node node-1 is gone and is not kept cordoned: one that comes back under its name takes pods. If it must take no pods: kubectl cordon node-1");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_node_that_is_kept_cordoned_is_marked_again_once_the_lease_is_ours_and_what_is_missing_is_told_if_it_stays_lost(bool comesBack)
    {
        await using var world = await World.StartAsync(Small);
        var before = Written(world);
        await BeginOneThatFailsInASecondAsync(world);
        var kept = Written(world);

        LeaseTests.Take(world, "drydock/other/m9");
        Change(world, node => TakeOffMark(node, "uncordons"));
        await world.RunForAsync(TimeSpan.FromMinutes(9));
        if (comesBack)
        {
            world.Cluster.Store.Delete(ResourceTypes.Leases, "medik8s-leases", "node-node-1", new Deletion());
        }

        var report = await world.EndAsync();
        var atTheEnd = Written(world);
        var byHand = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: true, CancellationToken.None);

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        if (comesBack)
        {
            report.LeftBehind.ShouldHaveSingleItem().ShouldBe("Node node-1 is still cordoned, tainted and marked. When it is fit: drydock restore node-1");
            atTheEnd.ShouldBe(kept);
            byHand.Done.ShouldContain("Node node-1: uncordoned, taints and label removed.");
            Written(world).ShouldBe(before);
        }
        else
        {
            (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(15));
            report.LeftBehind.ShouldHaveSingleItem().ShouldBe(
                "Somebody took our mark, the cordon, taint node.kubernetes.io/unschedulable off node node-1, and it was not put on again: The lease of node node-1 is held by maintenance m9. If it must take no pods: kubectl cordon node-1");
            atTheEnd.IsCordoned.ShouldBeFalse("the node is somebody else's by its lease");
        }
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("Always")]
    [InlineData("RerunOnFailure")]
    public async Task A_machine_that_we_stopped_and_whose_mark_somebody_took_off_runs_again_as_before(string strategy)
    {
        await using var world = await World.StartAsync(Small with
        {
            EvictionStrategy = "LiveMigrate",
            VirtualMachines = [new VirtualMachineSpec("vms", "db") { On = "node-1", RunStrategy = strategy, NotMigratable = "HostDeviceNotLiveMigratable" }],
        });
        await world.BeginAsync(Quick(world) with
        {
            Action = MaintenanceAction.Hold, VirtualMachines = new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.ShutDown },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        world.Cluster.Store.Get(KubeVirtTypes.Instances, "vms", "db").ShouldBeNull("it was stopped");

        world.Cluster.Store.Update(KubeVirtTypes.VirtualMachines, "vms", "db", vm => RemoveMark(vm));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().IsRestored.ShouldBe(true);
        report.Findings.Single(finding => finding.Kind == "changed-by-others").Message.ShouldStartWith("Virtual machine vms/db: somebody had taken our mark off it");
        ((string?)world.Cluster.Store.Get(KubeVirtTypes.VirtualMachines, "vms", "db")!["spec"]!["runStrategy"]).ShouldBe(strategy);
        world.Cluster.Store.Get(KubeVirtTypes.Instances, "vms", "db").InstancePhase().ShouldBe("Running");
    }

    private static async Task BeginOneThatFailsInASecondAsync(World world)
    {
        var action = new ActionOptions { Timeout = TimeSpan.FromSeconds(20) };
        await world.BeginAsync(Quick(world) with { Action = MaintenanceAction.Hold, ActionOptions = action, OnFailure = FailurePolicy.KeepCordoned });
        await world.RunForAsync(TimeSpan.FromSeconds(19));
    }

    /// <summary>Just before the patch that puts the node back.</summary>
    private static void AtTheRestore(World world, Action<JsonObject> change)
    {
        var patches = 0;
        world.Api.Intercept = request =>
        {
            if (IsPatch(request) && !request.IsDone && ++patches == 2)
            {
                Change(world, change);
            }

            return Task.CompletedTask;
        };
    }

    private static bool IsPatch(InterceptedRequest request) => request is { Verb: "patch", Resource: "nodes", Subresource: null };

    private static void TakeOffMark(JsonObject node, string theirs)
    {
        RemoveMark(node);
        switch (theirs)
        {
            case "changes the label":
                node["metadata"]!["labels"]![Excluded] = "theirs";
                break;
            case "uncordons":
                node["spec"]!.AsObject().Remove("unschedulable");
                break;
            default:
                break;
        }
    }

    private static bool RemoveMark(JsonObject found)
    {
        var annotations = found["metadata"]!["annotations"]!.AsObject();
        return annotations.Remove("drydock.dev/held-by") & annotations.Remove("drydock.dev/prior");
    }

    private static NodeState Written(World world)
    {
        var node = world.Cluster.Store.Get(ResourceTypes.Nodes, null, "node-1")!;
        return new NodeState(
            (bool?)node["spec"]!["unschedulable"] == true,
            string.Join(' ', (node["spec"]!["taints"] as JsonArray ?? []).Select(taint => (string?)taint!["key"]).Order()),
            (string?)node["metadata"]!["labels"]?[Excluded],
            (string?)node["metadata"]!["annotations"]?[ScaleDown],
            (string?)node["metadata"]!["annotations"]?["drydock.dev/held-by"]);
    }

    private static void Change(World world, Action<JsonObject> change) => world.Cluster.Store.Update(ResourceTypes.Nodes, null, "node-1", node =>
    {
        change(node);
        return true;
    });

    private static MaintenanceRequest Quick(World world) => world.Request() with { Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) } };

    private static Scenario Small { get; } = new()
    {
        Name = "small",
        Nodes = [new NodeSpec("node-1"), new NodeSpec("node-2")],
        Maintain = "node-1",
    };

    private sealed record NodeState(bool IsCordoned, string Taints, string? Label, string? ScaleDown, string? HeldBy);
}
