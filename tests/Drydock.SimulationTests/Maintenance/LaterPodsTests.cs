using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Pods that land on a node after it was drained, past its cordon: whatever it waits for, they are found and evicted.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class LaterPodsTests
{
    private const string Slow = """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"1200"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";

    private static readonly MaintenancePolicy Policy = new("p")
    {
        Jobs = new Dictionary<string, JobTemplate> { ["slow"] = new("default", Slow) },
        Webhooks = new Dictionary<string, WebhookTemplate> { ["change"] = new("https://hooks.example/{node}", "key") },
    };

    public enum Waiting
    {
        Hold,
        Gate,
        GateBeforeReboot,
        Job,
        Hook,
        Webhook,
    }

    public static TheoryData<Waiting> All => [.. Enum.GetValues<Waiting>()];

    [Theory(Timeout = World.Timeout)]
    [MemberData(nameof(All))]
    public async Task A_pod_that_lands_on_a_drained_node_is_evicted_whatever_the_maintenance_waits_for(Waiting waiting)
    {
        await using var world = await World.StartAsync(ActionTests.Hardware, configure: Policies.Of(Policy, new Targets()));
        await world.BeginAsync(Request(world, waiting));
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        (await world.StatusAsync<MaintenanceStatus>())!.Step.ShouldNotBe(MaintenanceStep.Drain);

        Land(world, "late");
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var evicted = world.AcceptedEvictions().Count(pod => pod == "default/late");
        await LetGoAsync(world, waiting);
        var report = await world.EndAsync();

        evicted.ShouldBe(1);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Pods.Single(pod => pod.Pod.Name == "late").IsGone.ShouldBeTrue();
        world.AcceptedEvictions().ShouldBeUnique();
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_later_pod_that_a_rule_refuses_is_told_as_a_blocker_and_does_not_fail_a_held_node()
    {
        await using var world = await World.StartAsync(ActionTests.Hardware);
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(10));

        Land(world, "bare");
        await world.RunForAsync(TimeSpan.FromHours(3));
        var drain = (await world.StatusAsync<DrainStatus>(InstanceIds.Pods("m1")))!;
        var isHolding = (await world.StatusAsync<MaintenanceStatus>())!.IsHolding;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        isHolding.ShouldBeTrue();
        drain.Blockers.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            blocker => (blocker.Kind, blocker.Pod).ShouldBe(("denied", "default/bare")), blocker => blocker.Message.ShouldNotBeNull());
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Pods.Single(pod => pod.Pod.Name == "bare").IsGone.ShouldBeFalse();
    }

    private static MaintenanceRequest Request(World world, Waiting waiting)
    {
        var request = world.Request() with { Policy = "p", Drain = new DrainPolicy { EvictUnmanaged = true } };
        var gate = new ApprovalPolicy { Gates = [ApprovalGate.Action] };
        return waiting switch
        {
            Waiting.Hold => request with { Action = MaintenanceAction.Hold },
            Waiting.Gate => request with { Approval = gate },
            Waiting.GateBeforeReboot => request with { Action = MaintenanceAction.Reboot, Approval = gate },
            Waiting.Job => request with { Action = MaintenanceAction.Job, ActionOptions = new ActionOptions { Template = "slow" } },
            Waiting.Hook => request with
            {
                Hooks = new MaintenanceHooks { AfterDrain = [new ActionStep(MaintenanceAction.Job, new ActionOptions { Template = "slow" })] },
            },
            _ => request with { Action = MaintenanceAction.Webhook, ActionOptions = new ActionOptions { Template = "change" } },
        };
    }

    private static Task LetGoAsync(World world, Waiting waiting) => waiting switch
    {
        Waiting.Hold => world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None),
        Waiting.Gate or Waiting.GateBeforeReboot => world.Client.RaiseEventAsync(
            "m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ann", null), CancellationToken.None),
        Waiting.Webhook => world.Client.RaiseEventAsync(
            InstanceIds.Action("m1", "action"), ActionEvents.Callback, new WebhookCallback(true, "done"), CancellationToken.None),
        _ => Task.CompletedTask,
    };

    /// <summary>Somebody binds a pod to the node: the scheduler and the cordon are not asked.</summary>
    internal static void Land(World world, string name) => world.Cluster.Store.Create(ResourceTypes.Pods, new JsonObject
    {
        ["metadata"] = new JsonObject { ["namespace"] = "default", ["name"] = name },
        ["spec"] = new JsonObject
        {
            ["nodeName"] = "node-1",
            ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "i" }),
        },
    });
}
