using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Simulator.Api;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Two that want the same at the same time, after both have looked and found nothing in the way.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RaceTests
{
    [Theory(Timeout = World.Timeout)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Of_two_control_plane_nodes_at_the_same_time_one_is_maintained_and_the_other_refused_in_words(int seed)
    {
        await using var world = await World.StartAsync(ControlPlane, seed);
        var watch = new Watch(world);

        await world.BeginAsync(Request(world, "cp-1"), "m1");
        await world.BeginAsync(Request(world, "cp-2"), "m2");
        MaintenanceReport[] both = [await world.EndAsync("m1"), await world.EndAsync("m2")];

        watch.SawTwo.ShouldBeFalse("two control-plane nodes were out at once");
        both.Select(report => report.Outcome).Order().ShouldBe([MaintenanceOutcome.Completed, MaintenanceOutcome.Refused]);
        var refused = both.Single(report => report.Outcome == MaintenanceOutcome.Refused);
        refused.Findings.ShouldContain(finding => finding.Kind == "control-plane-busy");
        refused.Message.ShouldContain("never two at once");
        NothingIsLeft(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Of_two_control_plane_nodes_at_the_same_time_the_other_waits_if_that_is_asked()
    {
        await using var world = await World.StartAsync(ControlPlane);
        var watch = new Watch(world);

        await world.BeginAsync(Request(world, "cp-1") with { LeaseWait = TimeSpan.FromHours(1) }, "m1");
        await world.BeginAsync(Request(world, "cp-2") with { LeaseWait = TimeSpan.FromHours(1) }, "m2");
        MaintenanceReport[] both = [await world.EndAsync("m1"), await world.EndAsync("m2")];

        watch.SawTwo.ShouldBeFalse("two control-plane nodes were out at once");
        both.ShouldAllBe(report => report.Outcome == MaintenanceOutcome.Completed);
        NothingIsLeft(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_is_asked_to_wait_for_the_other_control_plane_node_is_not_refused_by_the_plan_and_not_for_ever()
    {
        await using var world = await World.StartAsync(ControlPlane);
        await world.BeginAsync(Request(world, "cp-1") with { Action = MaintenanceAction.Hold }, "m1");
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        await world.BeginAsync(Request(world, "cp-2") with { LeaseWait = TimeSpan.FromHours(2) }, "m2");
        await world.RunForAsync(TimeSpan.FromHours(1));
        var waiting = (await world.StatusAsync<MaintenanceStatus>("m2"))!;
        var report = await world.EndAsync("m2");

        (waiting.Step, waiting.Message).ShouldBe((MaintenanceStep.Mark, "Control-plane node cp-1 is under maintenance by maintenance m1: never two at once."));
        report.Outcome.ShouldBe(MaintenanceOutcome.Refused);
        (report.Steps[^1].From - World.Start).ShouldBeInRange(TimeSpan.FromHours(2), TimeSpan.FromHours(2.5));
        (await world.HistoryEventsAsync("m2")).ShouldBeLessThan(700);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(MaintenanceAction.Reboot, false)]
    [InlineData(MaintenanceAction.Reboot, true)]
    [InlineData(MaintenanceAction.PowerCycle, false)]
    [InlineData(MaintenanceAction.PowerCycle, true)]
    public async Task A_machine_of_the_control_plane_does_not_go_down_while_another_is_away_since_it_was_cordoned(MaintenanceAction kind, bool isLate)
    {
        await using var world = await ActsWhileAnotherIsAwayAsync(kind);
        if (isLate)
        {
            var late = await world.EndAsync();
            (late.Outcome, late.Message, late.Actions.ShouldHaveSingleItem().Outcome).ShouldBe(
                (MaintenanceOutcome.Failed, "Control-plane node cp-2 is not Ready: never two at once.", ActionOutcome.Failed));
            (late.Actions[0].To - late.Actions[0].From).ShouldBe(TimeSpan.FromMinutes(30));
            WentDown().ShouldBeFalse();
            return;
        }

        var waiting = (await world.StatusAsync<ActionStatus>(InstanceIds.Action("m1", "action")))!.Message;
        var wentDown = WentDown();
        Annotate(world, "cp-2", []);
        var report = await world.EndAsync();

        waiting.ShouldBe("Control-plane node cp-2 is not Ready: never two at once. The machine does not go down before that is over.");
        wentDown.ShouldBeFalse();
        WentDown().ShouldBeTrue();
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        NothingIsLeft(world);

        bool WentDown() => world.Api.RequestLog.Of("create", "jobs.batch").Concat(world.Api.RequestLog.Of("patch", "baremetalhosts.metal3.io")).Any(static one => one.Code is 200 or 201);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_machine_that_waits_for_the_control_plane_is_given_longer_also_in_the_last_second()
    {
        await using var world = await ActsWhileAnotherIsAwayAsync(MaintenanceAction.Reboot);
        var deadline = (await world.StatusAsync<MaintenanceStatus>())!.Deadline!.Value;
        await world.RunForAsync(deadline - world.Time.GetUtcNow() - TimeSpan.FromSeconds(1));

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Steer, new Steer(SteerKind.Extend, "ann") { From = deadline, To = deadline.AddHours(1) }, CancellationToken.None);
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        Annotate(world, "cp-2", []);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        NothingIsLeft(world);
    }

    /// <summary>A maintenance of cp-1 whose action is approved when cp-2 is down.</summary>
    private static async Task<World> ActsWhileAnotherIsAwayAsync(MaintenanceAction kind)
    {
        var world = await World.StartAsync(ControlPlane with
        {
            Nodes = [.. ControlPlane.Nodes.Select(static node => node with { BareMetalHost = $"metal/{node.Name}", Machine = $"metal/m-{node.Name}" })],
        });
        await world.BeginAsync(Request(world, "cp-1") with { Action = kind, Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] } });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        Annotate(world, "cp-2", new JsonObject { ["reboot.metal3.io/somebody"] = "" });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ann", null));
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        return world;
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Of_two_nodes_that_have_nothing_but_a_member_of_etcd_one_is_maintained_and_the_other_refused()
    {
        await using var world = await World.StartAsync(Scenario.Named("healthy") with
        {
            Nodes =
            [
                .. Scenario.Named("healthy").Nodes,
                .. Enumerable.Range(1, 3).Select(static n => new NodeSpec($"etcd-{n}") { Labels = new Dictionary<string, string> { ["node-role.kubernetes.io/etcd"] = "true" } }),
            ],
        });
        await world.BeginAsync(Request(world, "etcd-1") with { Action = MaintenanceAction.Hold }, "m1");
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        var report = await world.MaintainAsync(Request(world, "etcd-2"), "m2");

        (report.Outcome, report.Message).ShouldBe((MaintenanceOutcome.Refused, "Control-plane node etcd-1 is under maintenance by maintenance m1: never two at once."));
    }

    private static void Annotate(World world, string host, JsonObject annotations) => world.Cluster.Store.Update(HardwareTypes.Hosts, "metal", host, one =>
    {
        one["metadata"]!["annotations"] = annotations;
        return true;
    });

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_two_control_plane_nodes_one_goes_on_wherever_the_process_dies_while_they_race(bool after)
    {
        var wrong = new List<string>();
        for (var nth = 1; ; nth++)
        {
            await using var world = await World.StartAsync(ControlPlane, seed: nth);
            var watch = new Watch(world);
            var crash = RequestCrash.Arm(world, request => request.Resource is "nodes" or "leases.coordination.k8s.io", nth, after, watch.See);
            await world.BeginAsync(Request(world, "cp-1"), "m1");
            await world.BeginAsync(Request(world, "cp-2"), "m2");
            MaintenanceOutcome[] both = [(await world.EndAsync("m1")).Outcome, (await world.EndAsync("m2")).Outcome];
            if (watch.SawTwo || !both.Order().SequenceEqual([MaintenanceOutcome.Completed, MaintenanceOutcome.Refused]))
            {
                wrong.Add($"killed {nth} {crash.At}: {string.Join(", ", both)}, {(watch.SawTwo ? "two were out" : "never two")}");
            }

            NothingIsLeft(world);
            if (crash.At is null)
            {
                nth.ShouldBeGreaterThan(8, "there were changes to die at");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Who_died_for_good_before_it_took_a_control_plane_node_out_is_in_nobodys_way_after_a_minute()
    {
        await using var world = await World.StartAsync(ControlPlane);
        (await world.Kubernetes.AcquireTurnAsync(ClusterTurn.ControlPlane, "drydock/other/m9", TimeSpan.FromMinutes(1), CancellationToken.None)).IsOurs.ShouldBeTrue();

        await world.BeginAsync(Request(world, "cp-1"), "m1");
        await world.RunForAsync(TimeSpan.FromSeconds(30));
        var waiting = (await world.StatusAsync<MaintenanceStatus>("m1"))!;
        var report = await world.EndAsync("m1");

        (waiting.Step, waiting.Message).ShouldBe(
            (MaintenanceStep.Mark, "maintenance m9 is about to take out a control-plane node: never two at once."));
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        NothingIsLeft(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_turn_that_somebody_keeps_for_ever_refuses_a_control_plane_node_in_words_after_ten_minutes()
    {
        await using var world = await World.StartAsync(ControlPlane);
        Task KeepAsync() => world.Kubernetes.AcquireTurnAsync(ClusterTurn.ControlPlane, "drydock/other/m9", TimeSpan.FromMinutes(1), CancellationToken.None);
        await KeepAsync();
        await world.BeginAsync(Request(world, "cp-1"), "m1");
        var since = world.Time.GetUtcNow();
        while (world.Time.GetUtcNow() < since.AddMinutes(12))
        {
            await world.RunForAsync(TimeSpan.FromSeconds(20));
            await KeepAsync();
        }

        var report = await world.EndAsync("m1");
        await world.Kubernetes.ReleaseTurnAsync(ClusterTurn.ControlPlane, "drydock/other/m9", CancellationToken.None);

        report.Outcome.ShouldBe(MaintenanceOutcome.Refused);
        report.Message.ShouldBe("maintenance m9 is about to take out a control-plane node: never two at once.");
        (report.Steps[^1].To - since).ShouldBeInRange(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));
        NothingIsLeft(world);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_has_waited_in_vain_for_another_control_plane_node_says_what_brings_that_back()
    {
        await using var world = await World.StartAsync(ControlPlane);
        await world.BeginAsync(Request(world, "cp-3") with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(1));

        var report = await world.MaintainAsync(Request(world, "cp-1") with { LeaseWait = TimeSpan.FromMinutes(10) }, "m2");

        report.Outcome.ShouldBe(MaintenanceOutcome.Refused);
        var busy = report.Findings.Where(static finding => finding is { Kind: "control-plane-busy", Severity: FindingSeverity.Refuses }).ShouldHaveSingleItem();
        busy.NextStep.ShouldBe("See maintenance m1 to its end; if it is over: drydock restore cp-3");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_rollout_takes_control_plane_nodes_one_after_the_other_also_when_somebody_is_faster()
    {
        await using var world = await World.StartAsync(ControlPlane);
        await world.BeginAsync(Request(world, "cp-3") with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(1));
        await RolloutTests.BeginAsync(world, new RolloutRequest(["cp-1", "cp-2"]) { Template = Request(world, ""), MaxUnavailable = 2 });
        await world.RunForAsync(TimeSpan.FromMinutes(30));
        var waiting = (await world.StatusAsync<RolloutStatus>("r1"))!;

        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ada"));
        var end = await RolloutTests.EndAsync(world);

        (waiting.Done, waiting.Failed, waiting.IsPaused).ShouldBe((0, 0, false), waiting.Message);
        end.Nodes.ShouldAllBe(node => node.Outcome == MaintenanceOutcome.Completed);
        (end.Nodes[0].EndedAt <= end.Nodes[1].StartedAt || end.Nodes[1].EndedAt <= end.Nodes[0].StartedAt).ShouldBeTrue("never two at once");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_lease_that_somebody_takes_after_the_plan_is_a_refusal_in_words_and_no_failure_of_a_rollout()
    {
        await using var world = await World.StartAsync("healthy");
        var isTaken = false;
        world.Api.Intercept = request =>
        {
            // The plan has found it free; the other is faster by one request.
            if (!isTaken && request is { Resource: "leases.coordination.k8s.io", IsChange: true, IsDone: false })
            {
                isTaken = true;
                world.Cluster.Store.Create(ResourceTypes.Leases, new JsonObject
                {
                    ["metadata"] = new JsonObject { ["namespace"] = "medik8s-leases", ["name"] = "node-node-1" },
                    ["spec"] = new JsonObject
                    {
                        ["holderIdentity"] = "node-maintenance",
                        ["leaseDurationSeconds"] = 600,
                        ["renewTime"] = world.Time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'"),
                    },
                });
            }

            return Task.CompletedTask;
        };

        await RolloutTests.BeginAsync(world, new RolloutRequest(["node-1"]) { Template = world.Request() });
        await world.RunForAsync(TimeSpan.FromSeconds(30));
        var waiting = (await world.StatusAsync<RolloutStatus>("r1"))!;
        var lost = (await world.Client.GetInstanceAsync("r1:node-1", true))!.ReadOutputAs<MaintenanceReport>()!;
        var end = await RolloutTests.EndAsync(world);

        isTaken.ShouldBeTrue();
        lost.Outcome.ShouldBe(MaintenanceOutcome.Refused);
        lost.Findings.ShouldHaveSingleItem().Kind.ShouldBe("lease-held");
        lost.Message.ShouldStartWith("The lease of node node-1 is held by the Node Maintenance Operator until ");
        (waiting.IsPaused, waiting.Failed).ShouldBe((false, 0), waiting.Message);
        end.Nodes.Single().ShouldSatisfyAllConditions(
            node => node.Outcome.ShouldBe(MaintenanceOutcome.Completed), node => node.Attempt.ShouldBeGreaterThan(1));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task Whoever_waits_for_a_lease_for_hours_is_refused_on_time_and_has_a_short_history()
    {
        await using var world = await World.StartAsync("healthy");
        await world.BeginAsync(world.Request() with { Action = MaintenanceAction.Hold }, "m1");
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        await world.BeginAsync(world.Request() with { LeaseWait = TimeSpan.FromHours(2) }, "m2");
        var report = await world.EndAsync("m2");

        (report.Outcome, report.Findings[^1].Kind).ShouldBe((MaintenanceOutcome.Refused, "lease-held"));
        (world.Time.GetUtcNow() - World.Start).ShouldBeInRange(TimeSpan.FromHours(2), TimeSpan.FromHours(2.2));
        (await world.HistoryEventsAsync("m2")).ShouldBeLessThan(700);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_rollout_that_is_paused_with_nothing_waiting_takes_a_node_again_when_told_so()
    {
        await using var world = await World.StartAsync("healthy");
        await RolloutTests.BeginAsync(world, new RolloutRequest(["node-1"])
        {
            // A pod in the way refuses it, until somebody lets it go.
            Template = world.Request() with { Drain = new DrainPolicy { IgnoreDaemonSets = false } },
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var paused = (await world.StatusAsync<RolloutStatus>("r1"))!;
        foreach (var pod in world.Cluster.Store.List(ResourceTypes.Pods).Where(IsOfDaemonSetOnNode1).ToList())
        {
            await world.Kubernetes.EvictPodAsync(
                new(new((string)pod["metadata"]!["namespace"]!, (string)pod["metadata"]!["name"]!), (string)pod["metadata"]!["uid"]!, "node-1"), null, CancellationToken.None);
        }

        await world.Client.RaiseEventAsync("r1", RolloutEvents.Retry, new RolloutNodeOrder("node-1", "ada"));
        await world.Client.RaiseEventAsync("r1", RolloutEvents.Resume, "ada");
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var again = (await world.StatusAsync<RolloutStatus>("r1"))!;
        await world.Client.RaiseEventAsync("r1", RolloutEvents.Cancel, new Cancel("ada"));
        var end = await RolloutTests.EndAsync(world);

        (paused.IsPaused, paused.Failed, paused.Waiting).ShouldBe((true, 1, 0), paused.Message);
        again.Nodes.Single().Attempt.ShouldBe(2);
        end.Nodes.Single().Attempt.ShouldBe(2);
    }

    private static bool IsOfDaemonSetOnNode1(JsonObject pod) =>
        (string?)pod["spec"]!["nodeName"] == "node-1" && (string?)pod["metadata"]!["ownerReferences"]?[0]?["kind"] == "DaemonSet";

    private static void NothingIsLeft(World world)
    {
        world.Cluster.Store.List(ResourceTypes.Nodes).ShouldAllBe(node => node["spec"]!["unschedulable"] == null);
        world.Cluster.Store.List(ResourceTypes.Leases).ShouldAllBe(lease => Holder(lease) == null || !Holder(lease)!.StartsWith("drydock/"));
    }

    private static string? Holder(JsonObject lease) => (string?)lease["spec"]?["holderIdentity"];

    private static Scenario ControlPlane { get; } = Scenario.Named("healthy") with
    {
        Nodes = [.. Scenario.Named("healthy").Nodes, .. Enumerable.Range(1, 3).Select(n => new NodeSpec($"cp-{n}") { ControlPlane = true })],
    };

    // Longer than anything the loser waits for before it has been told.
    private static MaintenanceRequest Request(World world, string node) =>
        world.Request() with { Node = node, Health = new HealthPolicy { StableFor = TimeSpan.FromMinutes(5) } };

    /// <summary>Looks, after each change, whether two nodes are cordoned.</summary>
    private sealed class Watch
    {
        private readonly World _world;

        public Watch(World world)
        {
            _world = world;
            world.Api.Intercept = request =>
            {
                See(request);
                return Task.CompletedTask;
            };
        }

        public bool SawTwo { get; private set; }

        public void See(InterceptedRequest request) => SawTwo |= request is { IsChange: true, IsDone: true }
            && _world.Cluster.Store.List(ResourceTypes.Nodes).Count(node => node["spec"]!["unschedulable"] is not null) > 1;
    }
}
