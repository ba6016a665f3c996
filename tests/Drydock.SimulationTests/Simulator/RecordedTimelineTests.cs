using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>
/// The time lines in which somebody did more than evict: what was done is done again at its second, and every machine and every migration
/// has to go through the recorded phases.
/// </summary>
public sealed class RecordedTimelineTests
{
    /// <summary>The virtual machines as they were set up: their strategy, and what the simulated virt-handlers did to them.</summary>
    private static readonly Dictionary<string, string[]> _steering = new()
    {
        ["vm-hfail"] = ["failing-migrations=2"],
        ["vm-hhang"] = ["copy-never-ends=true"],
        ["vm-hnoab"] = ["copy-never-ends=true", "abort-never-ends=true"],
        ["vm-htgt"] = ["target-never-ready=true"],
        ["vm-jev"] = ["target-never-ready=true"],
    };

    [Theory]
    [InlineData("c")]
    [InlineData("e")]
    [InlineData("h")]
    [InlineData("j")]
    public async Task What_was_done_again_has_the_recorded_phases_follow(string name)
    {
        var recorded = new RecordedTimeline(name);
        var cluster = SetUp(name, recorded);
        var migrations = new PhaseHistory();
        var instances = new PhaseHistory();
        foreach (var vmi in recorded.Machines.Select(machine => cluster.Vmi(machine.Name)!))
        {
            instances.Add(vmi.UidOf(), vmi.NameOf(), vmi.InstancePhase());
        }

        using var watch = cluster.Store.Subscribe(change =>
        {
            var of = change.Type.Equals(KubeVirtTypes.Migrations) ? migrations : change.Type.Equals(KubeVirtTypes.Instances) ? instances : null;
            if (change.Kind != ChangeKind.Deleted && (change.Object.Text("spec", "vmiName") ?? change.Name) is var machine && machine != "vm-elong")
            {
                of?.Add(change.Object.UidOf(), machine, change.Object.Text("status", "phase"));
            }
        });
        var begin = cluster.Now;
        var before = double.NegativeInfinity;
        foreach (var (at, what, machine) in recorded.Deeds)
        {
            // Real controllers need a tenth of a second to answer: what was done within it was done before they did.
            if (at - before > 0.1)
            {
                cluster.Pass(Math.Max(0, at - (cluster.Now - begin).TotalSeconds));
            }

            before = at;
            await DoAsync(cluster, name, what, machine);
        }

        cluster.Pass(recorded.End + 1 - (cluster.Now - begin).TotalSeconds);

        migrations.Lines.ShouldBe(recorded.Migrations.Lines);
        instances.Lines.ShouldBe(recorded.Instances.Lines);
    }

    private static TestCluster SetUp(string name, RecordedTimeline recorded)
    {
        var machines = recorded.Machines.Select(each => (each.Name, each.Node)).ToList();
        if (name == "e")
        {
            machines.Add(("vm-elong", "node-1"));
        }

        var fault = name == "j" ? "faults: [{kubeletDies: node-2, for: 445s}]\n" : "";
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}evictionStrategy: None\n{fault}virtualMachines: ["
            + string.Join(", ", machines.Select(each => $"{{name: {each.Name}, on: {each.Node}{Strategy(each.Name)}}}")) + "]\n");
        foreach (var (machine, annotations) in _steering.Where(each => cluster.Vmi(each.Key) is not null))
        {
            cluster.Store.Update(KubeVirtTypes.Instances, "default", machine, vmi =>
            {
                foreach (var annotation in annotations.Select(each => each.Split('=')))
                {
                    vmi.Ensure("metadata", "annotations")["fake-virt-handler/" + annotation[0]] = annotation[1];
                }

                return true;
            });
        }

        if (name == "e")
        {
            // The machine of e_long had been evicted six seconds before and held one of the node's two places.
            cluster.Cordon("node-2");
            cluster.Cordon("node-3");
            cluster.Mark("vm-elong");
            cluster.Pass(6);
        }

        return cluster;
    }

    // In c the name tells the strategy, and nm that it cannot be migrated.
    private static string Strategy(string machine) => machine.Split('-') switch
    {
        ["nm" or "ok", "unset"] => "",
        ["nm" or "ok", var strategy] => $", evictionStrategy: {strategy switch
        {
            "livemigrate" => "LiveMigrate",
            "ifpossible" => "LiveMigrateIfPossible",
            "external" => "External",
            _ => "None",
        }}",
        [_, "jnone"] => "",
        _ => ", evictionStrategy: LiveMigrate",
    } + (machine.StartsWith("nm-", StringComparison.Ordinal) ? ", notMigratable: DisksNotLiveMigratable" : "");

    private static async Task DoAsync(TestCluster cluster, string timeline, string what, string machine)
    {
        using var http = new HttpClient(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        var token = TestContext.Current.CancellationToken;
        switch (what)
        {
            case "evict":
                var (code, _) = await ObservedTests.EvictAsync(cluster, cluster.Launcher(machine), dryRun: false);
                code.ShouldBe(cluster.Vmi(machine).Text("status", "evacuationNodeName") is null ? 201 : 429);

                // Set while the migration ran, as the recorded request did.
                if (machine == "vm-e1")
                {
                    cluster.Pass(0.4);
                    cluster.Store.Update(KubeVirtTypes.Migrations, "default", cluster.Migrations(machine).Single().NameOf(), current =>
                    {
                        current.Ensure("metadata", "annotations")["kubevirt.io/migrationUnschedulablePodTimeoutSeconds"] = "10";
                        return true;
                    });
                }

                break;
            case "delete":
                cluster.Delete(KubeVirtTypes.Migrations, cluster.Migrations(machine).Last(each => !each.IsFinal()));
                break;
            default:
                // In e without */*: not acceptable, and nothing happens.
                using (var request = new HttpRequestMessage(HttpMethod.Put, $"/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/{machine}/evacuate/cancel"))
                {
                    request.Headers.Add("Accept", timeline == "e" ? "application/json" : "application/json, */*");
                    request.Content = JsonContent.Create(new JsonObject { ["evacuationNodeName"] = cluster.Vmi(machine).Text("status", "evacuationNodeName") });
                    using var answer = await http.SendAsync(request, token);
                    ((int)answer.StatusCode).ShouldBe(timeline == "e" ? 406 : 200);
                }

                break;
        }
    }
}
