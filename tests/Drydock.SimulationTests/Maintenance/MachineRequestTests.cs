using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.KubeVirt;
using Shouldly;
using Xunit;
using static Drydock.SimulationTests.Maintenance.VirtualMachineWorld;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>What moving virtual machines asks of the API server, but for watches.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class MachineRequestTests
{
    private const int Count = 12;

    // KubeVirt keeps the last five of each instance.
    private const int Kept = 5;

    [Theory(Timeout = World.Timeout)]
    [InlineData(0)]
    [InlineData(400)]
    public async Task A_machine_costs_no_more_requests_where_the_cluster_keeps_thousands_of_migrations_that_have_finished(int elsewhere)
    {
        await using var world = await World.StartAsync(Machines([.. Enumerable.Range(1, Count).Select(number => Machine($"vm-{number}") with { Copy = TimeSpan.FromSeconds(8) })]));
        LimitPerNode(world, 4);
        for (var machine = 0; machine < elsewhere; machine++)
        {
            for (var number = 0; number < Kept; number++)
            {
                world.Cluster.Store.Create(KubeVirtTypes.Migrations, Finished($"other-{machine}", number));
            }
        }

        await world.BeginAsync(Request(world));
        while (await world.StatusAsync<MaintenanceStatus>() is not { Step: MaintenanceStep.Done })
        {
            // Bit by bit: each has a minute of real time.
            await world.RunForAsync(TimeSpan.FromSeconds(5));
        }

        (await world.EndAsync()).Outcome.ShouldBe(MaintenanceOutcome.Completed);
        var requests = world.Api.RequestLog.All.Where(static request => request.Verb != "watch").ToList();
        var ofAll = requests.Count(static request => request is { Verb: "list", Resource: "virtualmachineinstancemigrations.kubevirt.io", Namespace: null });
        var said = string.Join('\n', requests.GroupBy(static request => $"{request.Verb} {request.Resource}").Select(static group => $"{group.Count()} {group.Key}"));

        // All pages, when the watch begins and for a look or two of each machine before it has.
        ofAll.ShouldBeLessThanOrEqualTo((1 + (2 * Count)) * (1 + (elsewhere * Kept / 500)), said);
        ((double)requests.Count / Count).ShouldBeLessThanOrEqualTo(110, said);
    }

    private static JsonObject Finished(string machine, int number) => new()
    {
        ["apiVersion"] = "kubevirt.io/v1",
        ["kind"] = "VirtualMachineInstanceMigration",
        ["metadata"] = new JsonObject
        {
            ["namespace"] = machine, ["name"] = $"kubevirt-evacuation-{number}", ["labels"] = new JsonObject { ["kubevirt.io/vmi-name"] = machine },
        },
        ["spec"] = new JsonObject { ["vmiName"] = machine },
        ["status"] = new JsonObject { ["phase"] = "Succeeded" },
    };
}
