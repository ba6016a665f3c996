using System.Text.Json.Nodes;
using Drydock.Maintenance;
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
    public async Task Of_two_control_plane_nodes_at_the_same_time_never_two_are_drained_and_the_refusal_says_why(int seed)
    {
        await using var world = await World.StartAsync(ControlPlane, seed);
        var drained = new List<string>();
        var together = false;
        world.Api.Intercept = request =>
        {
            lock (drained)
            {
                if (request is { Verb: "create", Resource: "pods", Subresource: "eviction", IsDone: true })
                {
                    drained.Add(request.Name!);
                    together |= world.Cluster.Store.List(ResourceTypes.Nodes).Count(node => node["spec"]!["unschedulable"] is not null) > 1;
                }
            }

            return Task.CompletedTask;
        };

        await world.BeginAsync(Request(world, "cp-1"), "m1");
        await world.BeginAsync(Request(world, "cp-2"), "m2");
        var (one, two) = (await world.EndAsync("m1"), await world.EndAsync("m2"));

        together.ShouldBeFalse("two control-plane nodes were out when a pod was evicted");
        MaintenanceReport[] both = [one, two];
        both.ShouldAllBe(report => report.Outcome == MaintenanceOutcome.Completed || report.Outcome == MaintenanceOutcome.Refused);
        both.Count(report => report.Outcome == MaintenanceOutcome.Refused).ShouldBeGreaterThan(0);
        foreach (var refused in both.Where(report => report.Outcome == MaintenanceOutcome.Refused))
        {
            refused.Findings.ShouldContain(finding => finding.Kind == "control-plane-busy");
            refused.Message.ShouldContain("never two at once");
        }

        world.Cluster.Store.List(ResourceTypes.Nodes).ShouldAllBe(node => node["spec"]!["unschedulable"] == null);
        world.Cluster.Store.List(ResourceTypes.Leases).ShouldAllBe(lease => Holder(lease) == null || !Holder(lease)!.StartsWith("drydock/"));
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_rollout_takes_control_plane_nodes_one_after_the_other_also_when_somebody_is_faster()
    {
        await using var world = await World.StartAsync(ControlPlane);
        await world.BeginAsync(Request(world, "cp-3") with { Action = MaintenanceAction.Hold });
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

    private static string? Holder(JsonObject lease) => (string?)lease["spec"]?["holderIdentity"];

    private static Scenario ControlPlane { get; } = Scenario.Named("healthy") with
    {
        Nodes = [.. Scenario.Named("healthy").Nodes, .. Enumerable.Range(1, 3).Select(n => new NodeSpec($"cp-{n}") { ControlPlane = true })],
    };

    private static MaintenanceRequest Request(World world, string node) => world.Request() with { Node = node };
}
