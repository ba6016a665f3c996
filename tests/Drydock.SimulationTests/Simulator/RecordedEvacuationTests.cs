using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>
/// Evacuations as a real KubeVirt was asked for them: under each eviction strategy of the cluster, called off, with a strategy that changed
/// meanwhile, with a node that came free, and without virt-api. Each request is asked again over HTTP, in the order of the recording.
/// </summary>
public sealed class RecordedEvacuationTests
{
    private static readonly JsonObject _strategies = RecordedExchange.Read("d_cluster_strategy.json").AsObject();
    private static readonly JsonObject _cancelled = RecordedExchange.Read("e5_cancel.json").AsObject();
    private static readonly JsonObject _changed = RecordedExchange.Read("k_misc.json").AsObject();
    private static readonly JsonObject _down = RecordedExchange.Read("i_virt_api_down.json").AsObject();

    public static TheoryData<string, string> MachinesByStrategy =>
        [.. _strategies.Select(each => each.Key.Split(':')).Where(words => words[1] != "set").Select(words => (words[0], words[1]))];

    public static TheoryData<string> Cancelling => [.. _cancelled.Select(each => each.Key)];

    public static TheoryData<string> WithoutVirtApi => [.. RecordedExchange.Names(_down)];

    [Theory]
    [MemberData(nameof(MachinesByStrategy))]
    public async Task An_instance_is_made_and_evicted_with_the_strategy_of_the_cluster_unless_its_machine_has_one(string strategy, string machine)
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + """
            virtualMachines:
              - {name: vm-d, runStrategy: Manual}
              - {name: vm-dnm, runStrategy: Manual, notMigratable: DisksNotLiveMigratable}
              - {name: vm-dnone, runStrategy: Manual, evictionStrategy: None}

            """);
        cluster.Vmi(machine).ShouldBeNull();
        await RecordedExchange.ShouldBeAnsweredAsRecordedAsync(cluster, _strategies[$"{strategy}:set"]!);
        await RecordedExchange.AskAsync(cluster, Put($"virtualmachines/{machine}/start"));
        cluster.Pass(5);

        var recorded = _strategies[$"{strategy}:{machine}"];
        (cluster.Vmi(machine).Text("spec", "evictionStrategy"), cluster.Vm(machine).Text("spec", "template", "spec", "evictionStrategy"))
            .ShouldBe((recorded.Text("vmi_spec_evictionStrategy"), recorded.Text("vm_template_evictionStrategy")));
        await RecordedExchange.ShouldBeAnsweredAsRecordedAsync(cluster, recorded!["evict"]!);
    }

    [Theory]
    [MemberData(nameof(Cancelling))]
    public async Task An_evacuation_is_called_off_as_recorded(string step)
    {
        var cluster = new TestCluster("name: recorded\nnodes: [{name: 'node-{n}', count: 5}]\nvirtualMachines: [{name: vm-e5, on: node-1, evictionStrategy: LiveMigrate}]\n");
        foreach (var elsewhere in (string[])["node-2", "node-3", "node-4", "node-5"])
        {
            cluster.Cordon(elsewhere);
        }

        foreach (var (_, before) in _cancelled.TakeWhile(each => each.Key != step).Where(each => each.Value is JsonObject exchange && exchange["request"] is not null))
        {
            await RecordedExchange.AskAsync(cluster, before!["request"]!.AsObject());
            cluster.Pass(1);
        }

        if (step == "target_pod")
        {
            var waiting = _cancelled[step]![0]!["status"];
            var target = cluster.Store.List(ResourceTypes.Pods).Single(pod => pod.IsLauncher() && pod.Node() is null);
            target.Text("status", "phase").ShouldBe(waiting.Text("phase"));
            Waits(target["status"]).ShouldBe(Waits(waiting));
        }
        else if (_cancelled[step]!["request"] is null)
        {
            State(cluster, "vm-e5", _cancelled[step]!.AsObject()).ShouldBe(_cancelled[step]!.ToJsonString());
        }
        else
        {
            await RecordedExchange.ShouldBeAnsweredAsRecordedAsync(cluster, _cancelled[step]!);
        }
    }

    [Fact]
    public async Task An_instance_keeps_its_strategy_when_that_of_the_cluster_changes()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "virtualMachines: [{name: vm-k1, on: node-1}]\n");
        await RecordedExchange.ShouldBeAnsweredAsRecordedAsync(cluster, _strategies["LiveMigrate:set"]!);
        cluster.Pass(5);

        cluster.Vmi("vm-k1").Text("spec", "evictionStrategy").ShouldBe(_changed.Text("k1_spec"));
        await RecordedExchange.ShouldBeAnsweredAsRecordedAsync(cluster, _changed["k1_evict"]!);
    }

    [Fact]
    public async Task A_migration_that_found_no_node_goes_on_when_one_comes_free()
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes + "virtualMachines: [{name: vm-k2, on: node-1, evictionStrategy: LiveMigrate}]\n");
        cluster.Cordon("node-2");
        cluster.Cordon("node-3");
        await RecordedExchange.ShouldBeAnsweredAsRecordedAsync(cluster, _changed["k2_evict"]!);
        cluster.Pass(5);
        cluster.Migrations("vm-k2").ShouldHaveSingleItem().InstancePhase().ShouldBe("Scheduling");

        cluster.Cordon("node-3", cordon: false);
        cluster.Pass(20);

        var end = _changed["k2_end"]!.AsArray();
        cluster.Migrations("vm-k2").Select(each => each.InstancePhase()).ShouldBe(end[0]!.AsArray().Select(each => (string?)each![1]));
        cluster.Vmi("vm-k2").InstanceNode().ShouldBe((string?)end[1]);
    }

    [Theory]
    [MemberData(nameof(WithoutVirtApi))]
    public async Task Without_virt_api_each_request_is_answered_as_recorded(string name)
    {
        var cluster = new TestCluster(TestCluster.ThreeNodes
            + "workloads: [{pod: plain}]\nvirtualMachines: [{name: vm-i1, on: node-1, evictionStrategy: LiveMigrate}]\nfaults: [{virtApiDown: true}]\n");
        cluster.Pass(1);

        await RecordedExchange.ShouldBeAnsweredAsRecordedAsync(cluster, _down[name]!);
    }

    private static JsonObject Put(string path) => new() { ["method"] = "PUT", ["path"] = $"/apis/subresources.kubevirt.io/v1/namespaces/default/{path}" };

    // What the simulated scheduler says of preemption is not what a real one says: there is none.
    private static string? Waits(JsonNode? status)
    {
        var scheduled = status.Objects("conditions").Single(each => each.Text("type") == "PodScheduled");

        return $"{scheduled.Text("status")} {scheduled.Text("reason")}: {scheduled.Text("message")!.Split(". ")[0]}";
    }

    // In the form of the recording, with its generated names.
    private static string State(TestCluster cluster, string machine, JsonObject recorded)
    {
        var state = new JsonObject
        {
            ["evac"] = cluster.Vmi(machine).Text("status", "evacuationNodeName"),
            ["vmims"] = Named(recorded["vmims"]!, cluster.Migrations(machine).Select(each => each.InstancePhase())),
        };
        if (recorded["vmi"] is not null)
        {
            state["vmi"] = cluster.Vmi(machine).InstancePhase();
            state["pods"] = Named(recorded["pods"]!, cluster.Store.List(ResourceTypes.Pods).Where(pod => pod.IsLauncher()).Select(pod => pod.Text("status", "phase")));
        }

        return state.ToJsonString();
    }

    private static JsonArray Named(JsonNode recorded, IEnumerable<string?> phases) =>
        [.. phases.Select((phase, at) => new JsonArray(at < recorded.AsArray().Count ? (string?)recorded[at]![0] : "one too many", phase))];
}
