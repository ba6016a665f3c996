using System.Text.Json.Nodes;
using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// Somebody ends a maintenance by force at the hub, at each of its stages: nothing of it goes on, its lease is free within its duration, and
/// <c>drydock restore</c> finds all that it had changed.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class EndedByForceTests
{
    private const string Leases = "leases.coordination.k8s.io";

    private static readonly Scenario Hardware = ActionTests.Hardware with
    {
        EvictionStrategy = "LiveMigrate",
        VirtualMachines = [new VirtualMachineSpec("vms", "db") { On = "node-1", RunStrategy = "Always", NotMigratable = "HostDeviceNotLiveMigratable" }],
    };

    internal static readonly JobTemplate NineHours = new(
        "default",
        """{"spec":{"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"32400"}},"spec":{"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""");

    [Theory(Timeout = World.Timeout)]
    [InlineData("approval of the start", false)]
    [InlineData("lease", false)]
    [InlineData("mark", false)]
    [InlineData("mark", true)]
    [InlineData("eviction", false)]
    [InlineData("stop of a machine", false)]
    [InlineData("stop of a machine", true)]
    [InlineData("job", false)]
    [InlineData("power-off", false)]
    [InlineData("power-off", true)]
    [InlineData("approval of the uncordon", false)]
    [InlineData("restore", false)]
    [InlineData("restore", true)]
    public async Task Nothing_of_it_goes_on_and_a_restore_by_hand_finds_all_that_it_had_changed(string stage, bool recursive)
    {
        await using var world = await World.StartAsync(Hardware);
        await EndAtAsync(world, stage, recursive);

        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var running = await LeftRunningTests.RunningAsync(world);
        var evicted = world.AcceptedEvictions().Count;
        var restore = new NodeRestore(world.Kubernetes, world.Neighbours, world.Time);
        var restored = await restore.RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        if (stage == "power-off")
        {
            // It boots: what was told that it is off for hours must not remediate it meanwhile.
            restored.LeftBehind.ShouldHaveSingleItem().ShouldEndWith(
                "must not remediate node node-1 yet: its machine was switched on just now, and the node is not Ready. Try again: drydock restore node-1");
            restored = await restore.RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        }


        running.ShouldBeEmpty();
        (restored.IsRefused, restored.LeftBehind.Count).ShouldBe((false, 0));
        world.AcceptedEvictions().Count.ShouldBe(evicted);
        await NothingIsLeftAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_is_ended_in_the_moment_of_its_lease_is_known_by_the_lease_alone_and_whoever_says_so_gives_it_up()
    {
        await using var world = await World.StartAsync(Hardware);
        await EndAtAsync(world, "lease", recursive: false);
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        var restore = new NodeRestore(world.Kubernetes, world.Neighbours, world.Time);
        var refused = await restore.RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        var restored = await restore.RestoreAsync("node-1", evenIfRunning: true, CancellationToken.None);
        var report = await world.MaintainAsync(world.Request(), "m2");

        refused.LeftBehind.ShouldHaveSingleItem().ShouldContain("is under maintenance by maintenance m1");
        restored.Done.ShouldBe(["Node node-1: the lease of maintenance m1 is given up."]);
        report.Message.ShouldNotContain("lease");
        report.Outcome.ShouldNotBe(MaintenanceOutcome.Refused);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_machine_that_the_restore_switches_on_is_remediated_by_nobody_while_it_boots(bool isTriedAgain)
    {
        await using var world = await World.StartAsync(Hardware);
        await EndAtAsync(world, "power-off", recursive: true);
        await world.RunForAsync(TimeSpan.FromHours(2));
        var uid = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.Uid;
        var (isOn, refused) = (false, false);
        world.Api.Intercept = request =>
        {
            isOn |= request is { Verb: "patch", Resource: "baremetalhosts.metal3.io", IsDone: true };
            if (!isTriedAgain || refused || !isOn || request is not { Verb: "list", Resource: "nodehealthchecks.remediation.medik8s.io", IsDone: false })
            {
                return Task.CompletedTask;
            }

            refused = true;
            throw new ApiException(503, "ServiceUnavailable", "not now");
        };

        await world.Client.ScheduleNewOrchestrationInstanceAsync(
            Orchestrations.Restore, new RestoreRequest("node-1") { Holder = "drydock/hub/m1", EvenIfRunning = true, TellsToStay = true },
            new StartOrchestrationOptions("m1:undo"), CancellationToken.None);
        var restored = await world.EndOrDieAsync<RestoreResult>("m1:undo");
        var node = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!;
        await world.RunForAsync(TimeSpan.FromMinutes(10));

        (restored!.LeftBehind.Count, refused).ShouldBe((0, isTriedAgain));
        (node.Uid, node.IsReady).ShouldBe((uid, true));
        world.Api.RequestLog.All.ShouldNotContain(static request => request.User.Contains("remediation", StringComparison.OrdinalIgnoreCase) && request.Verb == "delete");
        await ActionTests.NothingIsHeldAsync(world);
        world.Cluster.Store.Get(ResourceTypes.Leases, "medik8s-leases", "node-node-1")?["spec"]?["holderIdentity"]?.ToString().ShouldNotStartWith("NodeHealthCheck");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task What_puts_the_node_back_already_keeps_the_lease_and_is_seen_to_its_end()
    {
        await using var world = await World.StartAsync(Hardware);
        var until = DateTimeOffset.MaxValue;
        await EndAtAsync(world, "restore", recursive: false, request => request is { IsChange: true, IsDone: false } && world.Time.GetUtcNow() < until
            && request.Resource.StartsWith("virtualmachines.", StringComparison.Ordinal)
            ? throw new ApiException(503, "ServiceUnavailable", "not now")
            : Task.CompletedTask);
        until = world.Time.GetUtcNow() + TimeSpan.FromMinutes(5);

        await world.RunForAsync(TimeSpan.FromMinutes(4));
        var isDown = world.Cluster.Store.Get(KubeVirtTypes.Instances, "vms", "db") is null;
        await world.RunForAsync(TimeSpan.FromMinutes(16));

        isDown.ShouldBeTrue("longer than the lease goes without being renewed");
        (await LeftRunningTests.RunningAsync(world)).ShouldBeEmpty();
        await NothingIsLeftAsync(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_restore_by_hand_leaves_the_Job_whose_logs_the_report_has_promised()
    {
        const string Fails = """{"spec":{"backoffLimit":0,"template":{"metadata":{"annotations":{"fake-kubelet/complete-after":"1","fake-kubelet/exit-code":"3"}},"spec":{"restartPolicy":"Never","tolerations":[{"operator":"Exists"}],"containers":[{"name":"c","image":"i","command":["true"]}]}}}}""";
        await using var world = await World.StartAsync("healthy");
        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.Job, ActionOptions = new ActionOptions { Job = new JobTemplate("default", Fails) }, OnFailure = FailurePolicy.KeepCordoned,
        });

        var restored = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);

        report.Message.ShouldContain("Its logs are kept for a day: kubectl logs");
        (restored.IsRefused, restored.LeftBehind.Count, restored.Done.Count).ShouldBe((false, 0, 1));
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldHaveSingleItem();
    }

    /// <summary>Begins a maintenance with everything in it and ends it at the hub just when that was done; every request after that goes through here.</summary>
    private static async Task EndAtAsync(World world, string stage, bool recursive, Func<InterceptedRequest, Task>? afterwards = null)
    {
        var isEnded = false;
        var patches = 0;
        Task End()
        {
            isEnded = true;
            return world.Client.TerminateInstanceAsync("m1", new TerminateInstanceOptions("enough", recursive), CancellationToken.None);
        }

        world.Api.Intercept = request =>
        {
            patches += request is { Verb: "patch", Resource: "nodes", Subresource: null, IsDone: true } ? 1 : 0;
            return isEnded ? afterwards?.Invoke(request) ?? Task.CompletedTask
                : request.IsDone && IsAt(stage, request, patches) ? End() : Task.CompletedTask;
        };
        await world.BeginAsync(Request(world, stage));
        if (stage.StartsWith("approval", StringComparison.Ordinal))
        {
            await world.RunForAsync(TimeSpan.FromMinutes(30));
            (await world.StatusAsync<MaintenanceStatus>())!.AwaitsApproval.ShouldNotBeNull();
            await End();
        }

        await world.RunUntilAsync(() => isEnded);
    }

    private static MaintenanceRequest Request(World world, string stage)
    {
        var request = world.Request();
        return request with
        {
            LeaseDuration = TimeSpan.FromMinutes(6),
            VirtualMachines = request.VirtualMachines with { OnNotMigratable = StuckVmPolicy.ShutDown },
            Action = stage switch
            {
                "job" => MaintenanceAction.Job,
                "power-off" => MaintenanceAction.PowerCycle,
                _ => MaintenanceAction.None,
            },
            ActionOptions = new ActionOptions { Job = stage == "job" ? NineHours : null, Timeout = TimeSpan.FromHours(12), PowerOffFor = TimeSpan.FromHours(9) },
            Approval = new ApprovalPolicy
            {
                Gates = stage == "approval of the start" ? [ApprovalGate.Start] : stage == "approval of the uncordon" ? [ApprovalGate.Uncordon] : [],
                RemindEvery = TimeSpan.FromMinutes(3),
            },
        };
    }

    private static bool IsAt(string stage, InterceptedRequest request, int nodePatches) => stage switch
    {
        "lease" => request is { Verb: "create", Resource: Leases },
        "mark" => nodePatches == 1,
        "eviction" => request is { Verb: "create", Subresource: "eviction" },
        "stop of a machine" => request is { Verb: "update", Subresource: "stop" },
        "job" => request is { Verb: "create", Resource: "jobs.batch" },
        "power-off" => request is { Verb: "patch", Resource: "baremetalhosts.metal3.io" },
        "restore" => nodePatches == 2,
        _ => false,
    };

    private static async Task NothingIsLeftAsync(World world)
    {
        var node = world.Cluster.Store.Get(ResourceTypes.Nodes, null, "node-1")!;
        (node["spec"]!["unschedulable"], (node["spec"]!["taints"] as JsonArray ?? []).Count, IsMarked(node)).ShouldBe((null, 0, false));
        world.Cluster.Store.List(KubeVirtTypes.VirtualMachines).Where(IsMarked).ShouldBeEmpty();
        world.Cluster.Store.List(KubeVirtTypes.Instances).ShouldHaveSingleItem().InstancePhase().ShouldBe("Running");
        world.Cluster.Store.List(ResourceTypes.Jobs).ShouldBeEmpty();
        world.Cluster.Store.List(ResourceTypes.Leases)
            .Where(lease => ((string?)lease["spec"]!["holderIdentity"])?.StartsWith("drydock/", StringComparison.Ordinal) == true).ShouldBeEmpty();
        await ActionTests.NothingIsHeldAsync(world);
    }

    private static bool IsMarked(JsonNode item) => item["metadata"]!["annotations"]?["drydock.dev/held-by"] is not null;
}
