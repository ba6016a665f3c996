using System.Text.Json.Nodes;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>
/// What KubeVirt refused and what it took beside it, asked again over HTTP. The recording is one sequence: each test asks everything up to
/// its own request.
/// </summary>
public sealed class RecordedRefusalsTests
{
    private const string After = "_after";

    private static readonly JsonObject _recorded = RecordedExchange.Read("g_rejections.json").AsObject();

    public static TheoryData<string> Requests => [.. RecordedExchange.Names(_recorded)];

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task Each_request_is_answered_as_recorded(string name)
    {
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}virtualMachines: [{{name: g-nm, evictionStrategy: LiveMigrate, notMigratable: HostDeviceNotLiveMigratable}}]\n");
        foreach (var before in RecordedExchange.Names(_recorded).TakeWhile(each => each != name))
        {
            await RecordedExchange.AskAsync(cluster, _recorded[before]!["request"]!.AsObject());
            cluster.Pass(5);
        }

        await RecordedExchange.ShouldBeAnsweredAsRecordedAsync(cluster, _recorded[name]!);
        cluster.Pass(5);

        if (_recorded[name + After] is JsonObject later)
        {
            var vm = cluster.Vm(_recorded[name].Text("response", "body", "metadata", "name") ?? "g-run")!;
            (vm.Text("spec", "runStrategy"), (bool?)vm.At("spec", "running"), vm.Text("status", "printableStatus"), cluster.Vmi(vm.NameOf())?.Text("status", "phase"))
                .ShouldBe((later.Text("runStrategy"), (bool?)later["running"], later.Text("printable"), later.Text("vmi")));
        }
    }
}
