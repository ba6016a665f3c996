using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>What the plan says of room elsewhere, read from the cluster's own objects.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RoomElsewhereTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_pod_whose_volume_stays_with_its_node_finds_no_room_and_one_whose_volume_can_follow_does()
    {
        await using var world = await World.StartAsync(Scenario.Named("healthy") with
        {
            Workloads =
            [
                .. Scenario.Named("healthy").Workloads.Where(workload => workload.Name == "queue").Select(workload => workload with { Volume = "1Gi", Replicas = 1, On = ["node-1"] }),
            ],
        });
        await world.RunForAsync(TimeSpan.FromSeconds(30));

        var free = await FindingsAsync(world);
        var volume = world.Cluster.Store.List(ResourceTypes.Of("persistentvolumes")).ShouldHaveSingleItem();
        world.Cluster.Store.Update(ResourceTypes.Of("persistentvolumes"), null, (string)volume["metadata"]!["name"]!, each =>
        {
            each["spec"]!["nodeAffinity"] = JsonNode.Parse(
                """{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In","values":["node-1"]}]}]}}""");
            return true;
        });
        var bound = await FindingsAsync(world);

        free.ShouldNotContain(finding => finding.Kind == "no-room");
        bound.ShouldHaveSingleItem().Message.ShouldEndWith(": 0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.");
    }

    private static async Task<IReadOnlyList<PlanFinding>> FindingsAsync(World world) =>
        (await new PlanReader(world.Kubernetes, world.Time, world.Planner).ReadTogetherAsync([world.Request()], CancellationToken.None)).Findings;
}
