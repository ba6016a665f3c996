using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>A drain by force is over as long after its deadline as it was given, whatever is left then and whatever keeps it.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class ForceEndTests
{
    private static readonly DrainPolicy Force = new() { Timeout = TimeSpan.FromMinutes(5), OnTimeout = DeadlinePolicy.Force };

    private static readonly IReadOnlyList<DrainRule> HeldLast = [new DrainRule(DrainBehavior.Evict) { PodSelector = "app=held", Order = 10 }];

    private const string Denied = "admission webhook \"guard.example.com\" denied the request: not today";

    private static readonly BudgetSpec Never = new("shop", "held", "held") { MaxUnavailable = "0" };

    [Theory(Timeout = World.Timeout)]
    [InlineData(true, 10, "1 pod is held (the longest shop/hangs-")]
    [InlineData(false, 5, "1 pod is held (the longest shop/data (denied))")]
    public async Task What_hangs_or_is_refused_keeps_no_pod_of_a_higher_order_on_the_node(bool hangs, int minutes, string left)
    {
        await using var world = await World.StartAsync(Pods(Web("held"), Web("hangs") with { NeverTerminates = hangs, TerminateAfter = TimeSpan.FromMinutes(2) }));
        await world.BeginAsync(Request(world) with { Drain = Force with { Rules = HeldLast, GracePeriod = TimeSpan.FromMinutes(3) } });
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        if (!hangs)
        {
            Refused(world);
        }

        await world.RunForAsync(TimeSpan.FromMinutes(3));
        var asked = world.Api.RequestLog.Of("create", "pods", "eviction").Count(static one => one.Name!.StartsWith("held-", StringComparison.Ordinal));
        var report = await world.EndAsync();

        asked.ShouldBe(0, "its turn has not come");
        Deleted(world, "held-").ShouldBe(1);
        Failed(report, minutes, left);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_pod_whose_deletion_is_refused_for_good_is_given_up_in_time()
    {
        await using var world = await World.StartAsync(Pods(Web("held")));
        Deny(world);

        var report = await world.MaintainAsync(Request(world) with { Drain = Force });

        Deleted(world, "held-").ShouldBeInRange(5, 40);
        Failed(report, 10, "1 pod is held (the longest shop/held-");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_pod_that_still_shuts_down_in_the_time_that_it_was_given_is_waited_for()
    {
        await using var world = await World.StartAsync(Pods(Web("held") with { TerminateAfter = TimeSpan.FromMinutes(8) }));

        var report = await world.MaintainAsync(Request(world) with { Drain = Force with { GracePeriod = TimeSpan.FromMinutes(9) } });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        Drained(report).ShouldBe(TimeSpan.FromMinutes(13), TimeSpan.FromSeconds(30));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_may_neither_be_stopped_nor_deleted_is_given_up_in_time()
    {
        await using var world = await World.StartAsync(Machines(Machine("one") with { NotMigratable = "HostDeviceNotLiveMigratable" }));
        Deny(world);

        var report = await world.MaintainAsync(Request(world, Quick with { OnNotMigratable = StuckVmPolicy.Wait }) with { Drain = Force });

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldStartWith("Virtual machine vms/one: It did not leave by force within 5m of the deadline either: ");
        report.Message.ShouldContain("denied the request");
        report.VirtualMachines.ShouldHaveSingleItem().Outcome.ShouldBe(VmOutcome.StillThere);
        Drained(report).ShouldBe(TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(30));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_was_not_asked_yet_because_something_before_it_stays_keeps_nobody_waiting()
    {
        await using var world = await World.StartAsync(Machines(Machine("one")) with { Workloads = [Web("held")], Budgets = [Never] });
        Deny(world);

        var report = await world.MaintainAsync(Request(world) with { Drain = Force with { Rules = [new DrainRule(DrainBehavior.Evict) { PodSelector = "kubevirt.io=virt-launcher", Order = 10 }] } });

        Failed(report, 10, "1 pod is held (the longest shop/held-");
        Vmi(world, "one")!["status"]!["nodeName"]!.ToString().ShouldBe("node-1");
    }

    private static void Failed(MaintenanceReport report, int minutes, string left)
    {
        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldStartWith($"Node node-1 was not empty within 5m: {left}");
        Drained(report).ShouldBe(TimeSpan.FromMinutes(minutes), TimeSpan.FromSeconds(30));
    }

    private static TimeSpan Drained(MaintenanceReport report) => report.Steps.Single(static step => step.Step == MaintenanceStep.Drain) is var drain ? drain.To - drain.From : default;

    private static int Deleted(World world, string name) => world.Api.RequestLog.Of("delete", "pods")
        .Count(request => request.User != "system:kubelet" && request.Name!.StartsWith(name, StringComparison.Ordinal));

    /// <summary>No pod is deleted, and no virtual machine stopped.</summary>
    private static void Deny(World world) => world.Api.Intercept = static request => request switch
    {
        { Verb: "delete", Resource: "pods", IsDone: false } => throw new ApiException(403, "Forbidden", Denied),
        { Subresource: "stop", IsDone: false } => throw new ApiException(500, "InternalError", Denied),
        _ => Task.CompletedTask,
    };

    /// <summary>A pod of an owner, with data that the request does not give up.</summary>
    private static void Refused(World world)
    {
        var uid = (string)world.Cluster.Store.Get(ResourceTypes.Deployments, "shop", "hangs")!["metadata"]!["uid"]!;
        var owner = new JsonObject { ["apiVersion"] = "apps/v1", ["kind"] = "Deployment", ["name"] = "hangs", ["uid"] = uid, ["controller"] = true };
        world.Cluster.Store.Create(ResourceTypes.Pods, new JsonObject
        {
            ["metadata"] = new JsonObject { ["namespace"] = "shop", ["name"] = "data", ["ownerReferences"] = new JsonArray(owner) },
            ["spec"] = new JsonObject
            {
                ["nodeName"] = "node-1",
                ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "i" }),
                ["volumes"] = new JsonArray(new JsonObject { ["name"] = "data", ["emptyDir"] = new JsonObject() }),
            },
            ["status"] = new JsonObject { ["phase"] = "Running", ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }) },
        });
    }

    private static Scenario Pods(params WorkloadSpec[] workloads) => Machines() with { Workloads = workloads, Budgets = [Never] };

    private static WorkloadSpec Web(string name) => new("deployment", "shop", name) { On = ["node-1"] };
}
