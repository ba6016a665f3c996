using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>Health checks and machines that come and go while a maintenance holds them.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class NeighbourTests
{
    private const string Checks = "nodehealthchecks.remediation.medik8s.io";

    private const string MachineChecks = "machinehealthchecks.machine.openshift.io";

    private const string Machines = "machines.cluster.x-k8s.io";

    [Theory(Timeout = World.Timeout)]
    [InlineData(Checks, 1)]
    [InlineData(Checks, 2)]
    [InlineData(MachineChecks, 1)]
    [InlineData(MachineChecks, 2)]
    [InlineData(Machines, 1)]
    [InlineData(Machines, 2)]
    public async Task One_that_is_deleted_just_before_it_is_paused_or_let_go_holds_nothing_up(string resource, int nth)
    {
        await using var world = await World.StartAsync(Around(resource == Machines ? MachineApis.Cluster : MachineApis.OpenShift));
        var patches = 0;
        world.Api.Intercept = request =>
        {
            if (request.Verb == "patch" && request.Resource == resource && !request.IsDone && ++patches == nth)
            {
                Delete(world, TypeOf(resource), request.Namespace, request.Name!);
            }

            return Task.CompletedTask;
        };

        var report = await world.MaintainAsync(Quick(world));

        patches.ShouldBeGreaterThanOrEqualTo(nth, "it was there when it was read");
        world.Api.RequestLog.Of("patch", resource).ShouldContain(request => request.Code == 404);
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        report.Findings.Count(finding => finding.Message.EndsWith("was deleted meanwhile: there is nothing to pause.", StringComparison.Ordinal)).ShouldBe(nth == 1 ? 1 : 0);
        Node(world)["spec"]!["unschedulable"].ShouldBeNull();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(Checks, false)]
    [InlineData(Checks, true)]
    [InlineData(MachineChecks, false)]
    [InlineData(MachineChecks, true)]
    public async Task A_health_check_that_comes_up_during_a_maintenance_is_paused_too_and_let_go_at_its_end(string resource, bool crash)
    {
        await using var world = await World.StartAsync(Around(MachineApis.OpenShift));
        await world.BeginAsync(Quick(world) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        var later = Later(world, resource);
        if (crash)
        {
            world.KillAtRequest(request => request.Method == HttpMethod.Patch && request.RequestUri!.AbsolutePath.EndsWith("/later", StringComparison.Ordinal), 1, after: true);
            await world.RunUntilAsync(() => world.IsDead);
            await world.CrashAsync();
        }

        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var held = Pause(world, resource, "later");
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        held.ShouldContain("drydock");
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        if (!crash)
        {
            report.Findings.ShouldContain(finding => finding.Message.EndsWith("came up during the maintenance of node node-1: it is paused too.", StringComparison.Ordinal));
        }

        Pause(world, resource, "later").ShouldBe(later);
        Pause(world, resource, "workers").ShouldBe(later);
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_request_that_leaves_health_checks_alone_leaves_those_alone_that_come_up_later()
    {
        await using var world = await World.StartAsync(Around(MachineApis.OpenShift));
        await world.BeginAsync(Quick(world) with { Action = MaintenanceAction.Hold, Remediation = RemediationPolicy.LabelOnly });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        var later = Later(world, Checks);
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        Pause(world, Checks, "later").ShouldBe(later);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(422, false)]
    [InlineData(403, false)]
    [InlineData(422, true)]
    [InlineData(503, true)]
    public async Task One_that_refuses_to_be_let_go_keeps_nothing_else_held_and_is_told(int code, bool byHand)
    {
        await using var world = await World.StartAsync(Around(MachineApis.OpenShift));
        await world.BeginAsync(Quick(world) with { Action = MaintenanceAction.Hold, LeaseDuration = TimeSpan.FromMinutes(1) });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        world.Api.Intercept = request => request is { Verb: "patch", Resource: Checks, IsDone: false }
            ? throw new ApiException(code, "Refused", "checks are not to be changed")
            : Task.CompletedTask;

        var left = byHand ? await RestoreByHandAsync(world) : await CompleteAsync(world);
        var others = (Pause(world, MachineChecks, "workers"), (bool?)Node(world)["spec"]!["unschedulable"]);
        var paused = Pause(world, Checks, "workers");
        world.Api.Intercept = null;
        var again = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);

        others.ShouldBe(("", null));
        paused.ShouldContain("drydock");
        left.ShouldHaveSingleItem().ShouldContain("NodeHealthCheck workers is not let go: ");
        left[0].ShouldContain("drydock restore node-1");
        again.LeftBehind.ShouldBeEmpty();
        Pause(world, Checks, "workers").ShouldBe("");
    }

    [Fact(Timeout = World.Timeout)]
    public async Task One_that_cannot_be_let_go_for_a_while_is_let_go_after_all_the_others()
    {
        await using var world = await World.StartAsync(Around(MachineApis.OpenShift));
        await world.BeginAsync(Quick(world) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var away = world.Time.GetUtcNow().AddMinutes(20);
        world.Api.Intercept = request => request is { Verb: "patch", Resource: Checks, IsDone: false } && world.Time.GetUtcNow() < away
            ? throw new ApiException(503, "ServiceUnavailable", "not now")
            : Task.CompletedTask;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);

        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var meanwhile = (Pause(world, MachineChecks, "workers"), Pause(world, Checks, "workers").Length > 0);
        var report = await world.EndAsync();

        meanwhile.ShouldBe(("", true));
        (report.Outcome, report.IsRestored).ShouldBe((MaintenanceOutcome.Completed, true), report.Message);
        Pause(world, Checks, "workers").ShouldBe("");
    }

    private static async Task<IReadOnlyList<string>> CompleteAsync(World world)
    {
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        return (await world.EndAsync()).LeftBehind;
    }

    private static async Task<IReadOnlyList<string>> RestoreByHandAsync(World world)
    {
        await world.LoseHubAsync();
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var restored = await new NodeRestore(world.Kubernetes, world.Neighbours, world.Time).RestoreAsync("node-1", evenIfRunning: false, CancellationToken.None);
        restored.Done.ShouldNotBeEmpty();
        return restored.LeftBehind;
    }

    // At once: of a machine that is deleted in an orderly way the node goes too.
    private static void Delete(World world, ResourceType type, string? @namespace, string name)
    {
        world.Cluster.Store.Update(type, @namespace, name, found => found["metadata"]!.AsObject().Remove("finalizers"));
        world.Cluster.Store.Delete(type, @namespace, name, new Deletion());
    }

    private static ResourceType TypeOf(string resource) => resource switch
    {
        Checks => HardwareTypes.NodeHealthChecks,
        MachineChecks => HardwareTypes.OpenShiftHealthChecks,
        _ => HardwareTypes.ClusterMachines,
    };

    private static string? NamespaceOf(string resource) => resource == Checks ? null : "metal";

    /// <summary>Creates another of that kind, called later, and gives how it is paused: not at all.</summary>
    private static string Later(World world, string resource)
    {
        var type = TypeOf(resource);
        var item = world.Cluster.Store.Get(type, NamespaceOf(resource), "workers")!.DeepClone().AsObject();
        var metadata = new JsonObject { ["name"] = "later" };
        if (NamespaceOf(resource) is { } @namespace)
        {
            metadata["namespace"] = @namespace;
        }

        item["metadata"] = metadata;
        item["spec"]!.AsObject().Remove("pauseRequests");
        item.Remove("status");
        world.Cluster.Store.Create(type, item);
        return Pause(world, resource, "later");
    }

    private static string Pause(World world, string resource, string name)
    {
        var check = world.Cluster.Store.Get(TypeOf(resource), NamespaceOf(resource), name)!;
        return resource == Checks
            ? string.Join(' ', (check["spec"]!["pauseRequests"] as JsonArray ?? []).Select(one => (string?)one))
            : string.Join(' ', (check["metadata"]!["annotations"] as JsonObject ?? []).Select(one => $"{one.Key}={one.Value}").Order());
    }

    private static JsonObject Node(World world) => world.Cluster.Store.Get(ResourceTypes.Nodes, null, "node-1")!;

    private static MaintenanceRequest Quick(World world) => world.Request() with { Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) } };

    private static Scenario Around(string api) => new()
    {
        Name = "around",
        MachineApi = api,
        Nodes = [.. Enumerable.Range(1, 2).Select(number => new NodeSpec($"node-{number}") { Machine = $"metal/m-{number}" })],
        NodeHealthChecks = [new NodeHealthCheckSpec("workers")],
        MachineHealthChecks = [new MachineHealthCheckSpec("metal", "workers")],
        Maintain = "node-1",
    };
}
