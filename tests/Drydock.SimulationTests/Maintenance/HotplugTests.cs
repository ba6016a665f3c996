using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>A volume that was plugged into a running machine has a pod of its own beside the launcher: it goes when its machine goes, and is never evicted.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class HotplugTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task It_goes_with_its_machine_is_never_evicted_and_the_plan_says_so()
    {
        await using var world = await World.StartAsync(Machines(Plugged));
        var request = Request(world);
        var plan = await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadAsync(request, CancellationToken.None);

        var report = await world.MaintainAsync(request);

        plan.Pods.Single(pod => pod.Pod.Name.StartsWith("hp-volume-", StringComparison.Ordinal)).Rule.ShouldBe("hotplug-volume");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.Migrated);
        Asked(world).ShouldBeEmpty();
        AttachmentPods(world).ShouldHaveSingleItem()["spec"]!["nodeName"]!.ToString().ShouldNotBe("node-1");
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task The_node_is_not_empty_before_it_is_gone()
    {
        await using var world = await World.StartAsync(Machines(Plugged));
        var pod = AttachmentPods(world).Single();
        Change(world, pod, found => found["metadata"]!["finalizers"] = new JsonArray("example.com/hold"));
        await world.BeginAsync(Request(world));
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var there = AttachmentPods(world).Count(one => (string?)one["spec"]!["nodeName"] == "node-1");
        var meanwhile = (await world.StatusAsync<MaintenanceStatus>())!;
        Change(world, pod, found => found["metadata"]!.AsObject().Remove("finalizers"));

        var report = await world.EndAsync();

        (there, meanwhile.Step).ShouldBe((1, MaintenanceStep.Drain));
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        (report.Steps.Single(step => step.Step == MaintenanceStep.Drain).To - World.Start).ShouldBeInRange(TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(5.5));
        Asked(world).ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task That_of_a_machine_that_stays_stays_and_holds_nothing_up(bool byRule)
    {
        await using var world = await World.StartAsync(Machines(byRule ? Plugged : Plugged with { NotMigratable = "HostDeviceNotLiveMigratable" }));
        var uid = (string?)AttachmentPods(world).Single()["metadata"]!["uid"];
        var request = Request(world, new VirtualMachinePolicy { OnNotMigratable = StuckVmPolicy.Skip });

        var report = await world.MaintainAsync(byRule
            ? request with { Drain = new DrainPolicy { Rules = [new DrainRule(DrainBehavior.Skip) { PodSelector = "kubevirt.io=virt-launcher" }] } }
            : request);

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        (world.Time.GetUtcNow() - World.Start).ShouldBeLessThan(TimeSpan.FromMinutes(5));
        ((string?)AttachmentPods(world).ShouldHaveSingleItem()["metadata"]!["uid"]).ShouldBe(uid);
        Asked(world).ShouldBeEmpty();
    }

    private static VirtualMachineSpec Plugged => Machine("one") with { Hotplug = true };

    private static List<JsonObject> AttachmentPods(World world) =>
        [.. world.Cluster.Store.List(ResourceTypes.Pods, "vms").Where(static pod => pod["metadata"]!["name"]!.ToString().StartsWith("hp-volume-", StringComparison.Ordinal))];

    /// <summary>Evictions and deletes of attachment pods, but by those whose they are.</summary>
    private static IEnumerable<string> Asked(World world) => world.Api.RequestLog.All
        .Where(static request => request is { Resource: "pods", Verb: "create" or "delete" } && request.User != "system:kubelet"
            && request.Name?.StartsWith("hp-volume-", StringComparison.Ordinal) == true)
        .Select(static request => $"{request.Verb} {request.Name}");

    private static void Change(World world, JsonObject pod, Action<JsonObject> change) => world.Cluster.Store.Update(ResourceTypes.Pods, "vms", (string)pod["metadata"]!["name"]!, found =>
    {
        change(found);
        return true;
    });
}
