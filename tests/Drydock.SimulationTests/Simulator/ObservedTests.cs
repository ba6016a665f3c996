using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>The tables and time lines that were observed with a real KubeVirt, row by row; those of start and stop are in <see cref="SubresourceTests"/>.</summary>
public sealed class ObservedTests
{
    private const string Denied = "admission webhook \"virt-launcher-eviction-interceptor.kubevirt.io\" denied the request: ";

    public static TheoryData<string> Requests => [.. Table("a)").Select(row => row[0])];

    public static TheoryData<string, bool> Strategies
    {
        get
        {
            var cases = new TheoryData<string, bool>();
            foreach (var row in Table("c)"))
            {
                foreach (var strategy in row[0].StartsWith("None or unset", StringComparison.Ordinal) ? ["None", ""] : new[] { row[0] })
                {
                    foreach (var migratable in row[1] is "any" or "yes/no" ? [true, false] : new[] { row[1] == "yes" })
                    {
                        cases.Add(strategy, migratable);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task An_eviction_of_a_launcher_is_answered_as_observed(string request)
    {
        var row = Table("a)").Single(each => each[0] == request);
        var cluster = new TestCluster(Machine("LiveMigrate", migratable: true));
        var source = cluster.Launcher("vm");
        var pod = request switch
        {
            "first" or "dryRun=All" => source,
            "again while migrating" => await MigratingAsync(cluster, source, "Running", pods => pods.First(each => each.NameOf() == source.NameOf())),
            "the *target* pod while migrating" => await MigratingAsync(cluster, source, "Running", pods => pods.First(each => each.NameOf() != source.NameOf())),
            "the source pod after it Completed" => await MigratingAsync(cluster, source, "Succeeded", pods => pods.First(each => each.NameOf() == source.NameOf())),
            _ => throw new InvalidDataException($"The table has a row nobody knows how to ask: {request}"),
        };

        var (code, answer) = await EvictAsync(cluster, pod, dryRun: request == "dryRun=All");

        code.ShouldBe(int.Parse(row[1]));
        if (code == 429)
        {
            answer.Text("message").ShouldBe(Denied + (request is "first" or "dryRun=All" ? "" : "Evacuation in progress: ") + "Eviction triggered evacuation of VMI \"default/vm\"");
            (answer["reason"], answer["details"]).ShouldBe((null, null));
        }

        (cluster.Vmi("vm").Text("status", "evacuationNodeName") is not null).ShouldBe(request is not ("dryRun=All" or "the source pod after it Completed"));
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public async Task What_follows_an_eviction_is_what_was_observed_of_the_strategy(string strategy, bool migratable)
    {
        var row = Table("c)").Single(each => (each[0] == strategy || (strategy is "None" or "" && each[0].StartsWith("None", StringComparison.Ordinal)))
            && (each[1] is "any" or "yes/no" || (each[1] == "yes") == migratable));
        var cluster = new TestCluster(Machine(strategy, migratable));
        var before = cluster.Vmi("vm")!;

        var (code, answer) = await EvictAsync(cluster, cluster.Launcher("vm"), dryRun: false);

        code.ShouldBe(int.Parse(row[2][..3]));
        if (row[2].Split('`') is [_, var exact, _])
        {
            answer.Text("message").ShouldBe(Denied + exact.Replace("nm-livemigrate", "vm", StringComparison.Ordinal));
        }
        else if (code == 429)
        {
            answer.Text("message").ShouldBe(Denied + "Eviction triggered evacuation of VMI \"default/vm\"");
        }

        cluster.Pass(30);
        var (marked, moved, restarted) = row[3] switch
        {
            "VMIM" => (false, true, false),
            ['n', 'o', 't', 'h', ..] => (false, false, false),
            ['o', 'n', 'l', 'y', ..] => (true, false, false),
            _ => (false, false, true),
        };
        (cluster.Vmi("vm").Text("status", "evacuationNodeName") is not null).ShouldBe(marked);
        (cluster.Migrations("vm").Count > 0).ShouldBe(moved);
        (cluster.Vmi("vm")!.UidOf() != before.UidOf()).ShouldBe(restarted);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("b")]
    [InlineData("b3")]
    [InlineData("e_long")]
    public async Task Migrations_go_through_the_recorded_phases_and_as_many_at_once(string name)
    {
        var recorded = new RecordedTimeline(name);
        var machines = string.Join(", ", recorded.Machines.Select(each => $"{{name: {each.Name}, on: {each.Node}}}"));
        var cluster = new TestCluster($"name: recorded\nnodes: [{{name: 'node-{{n}}', count: 10}}]\nevictionStrategy: LiveMigrate\nvirtualMachines: [{machines}]\n");
        var seen = new PhaseHistory();
        using var watch = cluster.Store.Subscribe(change =>
        {
            if (change.Type.Equals(KubeVirtTypes.Migrations) && change.Kind != ChangeKind.Deleted)
            {
                seen.Add(change.Name, change.Object.Text("spec", "vmiName"), change.Object.Text("status", "phase"));
            }
        });
        foreach (var node in recorded.HasNoTarget ? Enumerable.Range(1, 10).Select(i => $"node-{i}") : recorded.Evictions.Select(each => each.Node).Distinct())
        {
            cluster.Cordon(node);
        }

        foreach (var (at, machine, _) in recorded.Evictions)
        {
            cluster.Pass(Math.Max(0, at - (cluster.Now - cluster.Started).TotalSeconds));
            (await EvictAsync(cluster, cluster.Launcher(machine), dryRun: false)).Code.ShouldBe(429);
        }

        // A copy may take longer here than the recorded ones; what failed for want of a node was recorded up to the next try.
        cluster.Pass(recorded.End + (recorded.HasNoTarget ? 2 : 60) - (cluster.Now - cluster.Started).TotalSeconds);

        seen.Lines.ShouldBe(recorded.Migrations.Lines);
        seen.MostAtOnce.ShouldBe(recorded.Migrations.MostAtOnce);
    }

    private static string Machine(string strategy, bool migratable) => $"{TestCluster.ThreeNodes}virtualMachines: [{{name: vm, on: node-1"
        + $"{(strategy.Length > 0 ? $", evictionStrategy: {strategy}" : "")}{(migratable ? "" : ", notMigratable: DisksNotLiveMigratable")}}}]\n";

    /// <summary>The rows of the first table of a section of what was observed.</summary>
    internal static IEnumerable<string[]> Table(string section)
    {
        using var stream = typeof(ObservedTests).Assembly.GetManifestResourceStream("observed.md")!;
        using var reader = new StreamReader(stream);

        return [.. reader.ReadToEnd().Split('\n')
            .SkipWhile(line => !line.StartsWith($"## {section}", StringComparison.Ordinal))
            .SkipWhile(line => !line.StartsWith('|'))
            .TakeWhile(line => line.StartsWith('|'))
            .Skip(2)
            .Select(line => line.Split('|')[1..^1].Select(cell => cell.Trim()).ToArray())];
    }

    private static async Task<JsonObject> MigratingAsync(TestCluster cluster, JsonObject source, string phase, Func<IEnumerable<JsonObject>, JsonObject> choose)
    {
        (await EvictAsync(cluster, source, dryRun: false)).Code.ShouldBe(429);
        cluster.PassUntil(() => cluster.Migrations("vm") is [var migration] && migration.InstancePhase() == phase);
        cluster.Pass(phase == "Succeeded" ? 1 : 0);

        return choose(cluster.Store.List(ResourceTypes.Pods).Where(pod => pod.IsLauncher()));
    }

    internal static async Task<(int Code, JsonObject Answer)> EvictAsync(TestCluster cluster, JsonObject pod, bool dryRun)
    {
        using var http = new HttpClient(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        var eviction = new JsonObject
        {
            ["apiVersion"] = "policy/v1",
            ["kind"] = "Eviction",
            ["metadata"] = new JsonObject { ["name"] = pod.NameOf(), ["namespace"] = "default" },
        };
        using var answer = await http.PostAsJsonAsync(
            $"/api/v1/namespaces/default/pods/{pod.NameOf()}/eviction{(dryRun ? "?dryRun=All" : "")}", eviction, TestContext.Current.CancellationToken);

        return ((int)answer.StatusCode, (await answer.Content.ReadFromJsonAsync<JsonObject>(TestContext.Current.CancellationToken))!);
    }
}
