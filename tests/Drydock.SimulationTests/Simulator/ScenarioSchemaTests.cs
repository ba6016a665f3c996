using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>The committed schema says what the reader reads, no more and no less; every scenario and example keeps to it and starts.</summary>
public sealed class ScenarioSchemaTests
{
    private static readonly JsonNode Schema = JsonNode.Parse(Scenario.Schema)!;

    public static TheoryData<string> All => [.. Scenario.Names, .. Scenario.Examples];

    // The reader says which fields it knows when it meets one it does not know.
    [Theory]
    [InlineData("", "bogus: 1")]
    [InlineData("nodes", "nodes: [{name: a, bogus: 1}]")]
    [InlineData("workloads", "workloads: [{deployment: a, bogus: 1}]")]
    [InlineData("workloads", "workloads: [{pod: a, bogus: 1}]")]
    [InlineData("budgets", "budgets: [{name: a, minAvailable: 1, bogus: 1}]")]
    [InlineData("virtualMachines", "virtualMachines: [{name: a, bogus: 1}]")]
    [InlineData("storage", "storage: {bogus: 1}")]
    [InlineData("migrations", "migrations: {bogus: 1}")]
    [InlineData("nodeHealthChecks", "nodeHealthChecks: [{name: a, bogus: 1}]")]
    [InlineData("machineHealthChecks", "machineHealthChecks: [{name: a, bogus: 1}]")]
    [InlineData("users", "users: [{name: a, token: t, bogus: 1}]")]
    [InlineData("expect", "expect: {bogus: 1}")]
    public void The_schema_has_the_fields_that_the_reader_knows(string section, string text)
    {
        var message = Should.Throw<ScenarioException>(() => Scenario.Load($"name: x\n{text}")).Message;

        var known = Regex.Match(message, "Allowed here: (?<known>.*)\\.$", RegexOptions.NonBacktracking).Groups["known"].Value.Split(", ");
        var properties = Properties(section);
        known.ShouldBeSubsetOf(properties);
        properties.Except(known).ShouldBe(section == "workloads" ? KindsAfter(known) : []);
    }

    [Fact]
    public void The_schema_has_the_faults_that_the_reader_knows()
    {
        var other = Properties("faults").Except(FaultReader.Names);

        FaultReader.Names.ShouldBeSubsetOf(Properties("faults"));
        other.Order().ShouldBe(["after", "answer", "count", "every", "for", "jitter", "latency", "retryAfter", "share", "since", "takes"]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_scenario_keeps_to_the_schema_names_it_and_is_explained(string name)
    {
        var text = Scenario.Text(name);
        var problems = new List<string>();
        SchemaCheck.Run(Schema, Schema, SchemaCheck.Yaml(text), name, problems);

        problems.ShouldBeEmpty();
        text.ShouldMatch("^# yaml-language-server: \\$schema=(\\.\\./)?scenario\\.schema\\.json\n# ");
        Scenario.Named(name).Name.ShouldBe(name);
        Scenario.Named(name).Description.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("name: x\nnodes: [{name: a, rebootTakes: soon}]")]
    [InlineData("name: x\nfaults: [{kubeletDies: a, kubeletNeverTerminates: a}]")]
    [InlineData("name: x\nvirtualMachines: [{name: a, runStrategy: Sometimes}]")]
    [InlineData("name: x\nnode: []")]
    public void What_the_reader_refuses_the_schema_refuses_too(string text)
    {
        var problems = new List<string>();
        SchemaCheck.Run(Schema, Schema, SchemaCheck.Yaml(text), "file", problems);

        problems.ShouldNotBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void An_example_starts_with_every_node_ready(string name)
    {
        var cluster = new TestCluster(Scenario.Named(name));

        cluster.Store.List(ResourceTypes.Nodes).Where(node => !node.IsTrue("Ready")).ShouldBeEmpty();
        cluster.Store.List(ResourceTypes.Pods).Count(pod => pod.IsReady()).ShouldBeGreaterThan(0);
    }

    public static TheoryData<string> Examples => [.. Scenario.Examples];

    [Fact]
    public void There_are_enough_examples() => Scenario.Examples.Count.ShouldBeGreaterThanOrEqualTo(8);

    private static List<string> Properties(string section)
    {
        var node = section.Length == 0 ? Schema : Schema["properties"]![section]!;
        return [.. (node["items"] ?? node)["properties"]!.AsObject().Select(each => each.Key)];
    }

    // The kinds of workloads are asked for one after the other until one is there.
    private static IEnumerable<string> KindsAfter(string[] known) =>
        ((string[])["deployment", "statefulSet", "daemonSet", "pod"]).Where(kind => !known.Contains(kind));
}
