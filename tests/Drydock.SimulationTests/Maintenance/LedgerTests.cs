using System.Text.Json.Nodes;
using Drydock.Maintenance;
using Drydock.Simulator.Hardware;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// Everything that a maintenance writes on a node and around it had another value before, of somebody else: it is there again afterwards,
/// wherever the process died, and while the maintenance lasts nobody takes ours off for long.
/// </summary>
[Collection(VirtualTimeTests.Name)]
public sealed class LedgerTests
{
    private const string Excluded = "remediation.medik8s.io/exclude-from-remediation";

    private const string ScaleDown = "cluster-autoscaler.kubernetes.io/scale-down-disabled";

    private const string Paused = "cluster.x-k8s.io/paused";

    private const string Skipped = "cluster.x-k8s.io/skip-remediation";

    private static readonly string[] Written =
        ["nodes", "nodehealthchecks.remediation.medik8s.io", "machinehealthchecks.machine.openshift.io", "machines.cluster.x-k8s.io"];

    [Theory(Timeout = World.Timeout)]
    [InlineData(MachineApis.OpenShift, true, false)]
    [InlineData(MachineApis.OpenShift, true, true)]
    [InlineData(MachineApis.Cluster, true, false)]
    [InlineData(MachineApis.Cluster, true, true)]
    [InlineData(MachineApis.OpenShift, false, true)]
    [InlineData(MachineApis.Cluster, false, true)]
    public async Task What_was_there_before_is_there_again_wherever_the_process_dies(string api, bool hadValues, bool after)
    {
        var wrong = new List<string>();
        for (var nth = 1; ; nth++)
        {
            await using var world = await World.StartAsync(Around(api));
            if (hadValues)
            {
                WriteForeignValues(world, api);
            }

            var before = Ledger(world, api);
            var crash = RequestCrash.Arm(world, request => Written.Contains(request.Resource), nth, after);
            await world.BeginAsync(Quick(world));
            var report = await world.EndAsync();
            var end = Ledger(world, api);
            if (report.Outcome != MaintenanceOutcome.Completed || report.LeftBehind.Count > 0 || end != before)
            {
                wrong.Add($"killed {nth} {crash.At}: {report.Outcome} {report.Message} {string.Join(' ', report.LeftBehind)}\n{before}\n{end}");
            }

            if (crash.At is null)
            {
                nth.ShouldBeGreaterThan(6, "node, health check and machine are marked and put back");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(MachineApis.OpenShift)]
    [InlineData(MachineApis.Cluster)]
    public async Task What_others_take_off_during_it_is_put_on_again_and_the_prior_values_come_back_all_the_same(string api)
    {
        await using var world = await World.StartAsync(Around(api));
        WriteForeignValues(world, api);
        var before = Ledger(world, api);
        await world.BeginAsync(Quick(world) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(5));
        var held = Ledger(world, api);

        TakeEverythingOff(world, api);
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        var again = Ledger(world, api);
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        held.ShouldNotBe(before);
        again.ShouldBe(held);
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Findings.Single(finding => finding.Kind == "marks-reasserted").Message.ShouldContain(
            $"the cordon, taint node.kubernetes.io/unschedulable, taint medik8s.io/drain, label {Excluded}, annotation {ScaleDown}");
        Ledger(world, api).ShouldBe(before);
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(MachineApis.OpenShift, false)]
    [InlineData(MachineApis.OpenShift, true)]
    [InlineData(MachineApis.Cluster, false)]
    [InlineData(MachineApis.Cluster, true)]
    public async Task What_others_take_off_is_put_on_again_wherever_the_process_dies_while_it_does(string api, bool after)
    {
        var wrong = new List<string>();
        for (var nth = 1; ; nth++)
        {
            await using var world = await World.StartAsync(Around(api));
            WriteForeignValues(world, api);
            var before = Ledger(world, api);
            await world.BeginAsync(Quick(world) with { Action = MaintenanceAction.Hold });
            await world.RunForAsync(TimeSpan.FromMinutes(5));
            var held = Ledger(world, api);

            var crash = RequestCrash.Arm(world, request => Written.Contains(request.Resource), nth, after);
            TakeEverythingOff(world, api);
            await world.LiveForAsync(TimeSpan.FromMinutes(3));
            var at = crash.At;
            var again = Ledger(world, api);
            world.Api.Intercept = null;
            await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
            var report = await world.EndAsync();
            if (report.Outcome != MaintenanceOutcome.Completed || again != held || Ledger(world, api) != before)
            {
                wrong.Add($"killed {nth} {at}: {report.Outcome} {report.Message}\n{held}\n{again}\n{before}\n{Ledger(world, api)}");
            }

            if (at is null)
            {
                nth.ShouldBeGreaterThan(2, "the node and what stands around it are changed again");
                break;
            }
        }

        wrong.ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task What_others_changed_during_it_is_theirs()
    {
        await using var world = await World.StartAsync(Around(MachineApis.OpenShift));
        await world.BeginAsync(Quick(world) with { Action = MaintenanceAction.Hold });
        await world.RunForAsync(TimeSpan.FromMinutes(5));

        Change(world, HardwareTypes.OpenShiftHealthChecks, "metal", "workers", check => check["metadata"]!["annotations"]![Paused] = "theirs");
        Change(world, HardwareTypes.NodeHealthChecks, null, "workers", check => check["spec"]!["pauseRequests"]!.AsArray().Add("an admin, later"));
        await world.RunForAsync(TimeSpan.FromMinutes(2));
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Complete, new Complete("ann"), CancellationToken.None);
        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        Get(world, HardwareTypes.OpenShiftHealthChecks, "metal", "workers")["metadata"]!["annotations"]!.ToJsonString().ShouldBe("""{"cluster.x-k8s.io/paused":"theirs"}""");
        Get(world, HardwareTypes.NodeHealthChecks, null, "workers")["spec"]!["pauseRequests"]!.ToJsonString().ShouldBe("""["an admin, later"]""");
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_others_write_between_the_reading_of_a_node_and_its_mark_was_there_before_too(bool crash)
    {
        await using var world = await World.StartAsync(Around(MachineApis.OpenShift));
        var isWritten = false;
        world.Api.Intercept = async request =>
        {
            // The last reading before the mark.
            if (!isWritten && request is { Resource: "leases.coordination.k8s.io", Verb: "get", IsDone: true } && Readings(world) > 0)
            {
                isWritten = true;
                Change(world, ResourceTypes.Nodes, null, "node-1", node =>
                {
                    node["spec"]!["unschedulable"] = true;
                    Annotations(node)[ScaleDown] = "theirs";
                });
                if (crash)
                {
                    await world.KillAsync();
                }
            }
        };

        var report = await world.MaintainAsync(Quick(world));

        isWritten.ShouldBeTrue();
        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var node = Get(world, ResourceTypes.Nodes, null, "node-1");
        ((bool?)node["spec"]!["unschedulable"], (string?)Annotations(node)[ScaleDown]).ShouldBe((true, "theirs"));
        Annotations(node).ContainsKey("drydock.dev/held-by").ShouldBeFalse();
    }

    // Only the reading before the mark asks for the drivers of the node.
    private static int Readings(World world) => world.Api.RequestLog.Of("get", "csinodes.storage.k8s.io").Count;

    private static Scenario Around(string api) => new()
    {
        Name = "around",
        MachineApi = api,
        Nodes = [.. Enumerable.Range(1, 2).Select(number => new NodeSpec($"node-{number}") { Machine = $"metal/m-{number}" })],
        NodeHealthChecks = [new NodeHealthCheckSpec("workers")],
        MachineHealthChecks = [new MachineHealthCheckSpec("metal", "workers")],
        Maintain = "node-1",
    };

    private static MaintenanceRequest Quick(World world) => world.Request() with { Health = new HealthPolicy { StableFor = TimeSpan.FromSeconds(1) } };

    private static void WriteForeignValues(World world, string api)
    {
        Change(world, ResourceTypes.Nodes, null, "node-1", node =>
        {
            Annotations(node)[ScaleDown] = "false";
            node["metadata"]!["labels"]![Excluded] = "no";
            node["spec"]!["taints"] = new JsonArray(new JsonObject { ["key"] = "medik8s.io/drain", ["effect"] = "NoSchedule", ["value"] = "theirs" });
        });
        Change(world, HardwareTypes.NodeHealthChecks, null, "workers", check => check["spec"]!["pauseRequests"] = new JsonArray("an admin"));
        if (api == MachineApis.OpenShift)
        {
            Change(world, HardwareTypes.OpenShiftHealthChecks, "metal", "workers", check => Annotations(check)[Paused] = "");
        }
        else
        {
            Change(world, HardwareTypes.ClusterMachines, "metal", "m-1", machine => Annotations(machine)[Skipped] = "theirs");
        }
    }

    private static void TakeEverythingOff(World world, string api)
    {
        Change(world, ResourceTypes.Nodes, null, "node-1", node =>
        {
            Annotations(node).Remove(ScaleDown);
            node["metadata"]!["labels"]!.AsObject().Remove(Excluded);
            node["spec"]!.AsObject().Remove("taints");
            node["spec"]!.AsObject().Remove("unschedulable");
        });
        Change(world, HardwareTypes.NodeHealthChecks, null, "workers", check => check["spec"]!["pauseRequests"] = new JsonArray("an admin"));
        if (api == MachineApis.OpenShift)
        {
            Change(world, HardwareTypes.OpenShiftHealthChecks, "metal", "workers", check => Annotations(check).Remove(Paused));
        }
        else
        {
            Change(world, HardwareTypes.ClusterMachines, "metal", "m-1", machine => Annotations(machine).Remove(Skipped));
        }
    }

    /// <summary>All that a maintenance may write on, as text.</summary>
    private static string Ledger(World world, string api)
    {
        var node = Get(world, ResourceTypes.Nodes, null, "node-1");
        var check = Get(world, HardwareTypes.NodeHealthChecks, null, "workers");
        var other = api == MachineApis.OpenShift
            ? Get(world, HardwareTypes.OpenShiftHealthChecks, "metal", "workers")
            : Get(world, HardwareTypes.ClusterMachines, "metal", "m-1");
        return string.Join(
            '\n', Sorted(node["metadata"]!["labels"]), Sorted(node["metadata"]!["annotations"]), node["spec"]!["unschedulable"]?.ToJsonString() ?? "false",
            string.Join(' ', (node["spec"]!["taints"] as JsonArray ?? []).Select(taint => $"{taint!["key"]}={taint["value"]}:{taint["effect"]}").Order()),
            string.Join(' ', (check["spec"]!["pauseRequests"] as JsonArray ?? []).Select(request => (string?)request)),
            Sorted(check["metadata"]!["annotations"]), Sorted(other["metadata"]!["annotations"]));
    }

    private static string Sorted(JsonNode? map) => string.Join(
        ' ', (map as JsonObject ?? []).Where(pair => !pair.Key.EndsWith("/heartbeat", StringComparison.Ordinal)).Select(pair => $"{pair.Key}={pair.Value}").Order());

    private static JsonObject Annotations(JsonObject found)
    {
        if (found["metadata"]!["annotations"] is not JsonObject annotations)
        {
            found["metadata"]!["annotations"] = annotations = [];
        }

        return annotations;
    }

    private static JsonObject Get(World world, ResourceType type, string? @namespace, string name) => world.Cluster.Store.Get(type, @namespace, name)!;

    private static void Change(World world, ResourceType type, string? @namespace, string name, Action<JsonObject> change) =>
        world.Cluster.Store.Update(type, @namespace, name, found =>
        {
            change(found);
            return true;
        });
}
