using System.Xml.Linq;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Architecture;

/// <summary>The walls between the parts: which project may reference which, and who may name which package.</summary>
public sealed class WallTests
{
    // The table of src/README.md. A new arrow is a decision, so it is written here first.
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Drydock.DurableTask.Abstractions"] = [],
        ["Drydock.DurableTask"] = ["Drydock.DurableTask.Abstractions"],
        ["Drydock.DurableTask.TaskHub"] = ["Drydock.DurableTask"],
        ["Drydock.Kubernetes"] = [],
        ["Drydock.Maintenance"] = ["Drydock.DurableTask.Abstractions", "Drydock.Kubernetes"],
        ["Drydock.Api"] = [],
        ["Drydock.Operator"] = ["Drydock.DurableTask.Abstractions", "Drydock.Kubernetes", "Drydock.Maintenance"],
        ["Drydock.Server"] =
            ["Drydock.Api", "Drydock.DurableTask", "Drydock.DurableTask.Abstractions", "Drydock.DurableTask.TaskHub", "Drydock.Kubernetes", "Drydock.Maintenance", "Drydock.Operator"],
        ["Drydock.Simulator"] = [],
        ["Drydock.Cli"] = ["Drydock.Api", "Drydock.Server", "Drydock.Simulator"],
    };

    public static TheoryData<string> Projects => [.. Allowed.Keys];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_references_only_what_the_design_allows(string project)
    {
        var references = Load(project).Descendants("ProjectReference")
            .Where(reference => reference.Attribute("Condition") is null)
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));

        references.Except(Allowed[project], StringComparer.Ordinal).ShouldBeEmpty();
    }

    [Fact]
    public void Every_project_of_the_product_stands_in_the_table()
    {
        var projects = Repository.Files("src", "*.csproj").Concat(Repository.Files("workflows", "*.csproj"));

        projects.Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal).ShouldBe(Allowed.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Only_the_Kubernetes_project_names_a_type_of_the_Kubernetes_client()
    {
        var users = Repository.Files("src", "*.cs").Concat(Repository.Files("workflows", "*.cs"))
            .Where(path => !path.Contains("/src/Drydock.Kubernetes/", StringComparison.Ordinal))
            .Where(path => File.ReadLines(path).Any(line => line.StartsWith("using k8s", StringComparison.Ordinal)));

        users.ShouldBeEmpty();
    }

    [Fact]
    public void Verbs_that_ask_a_server_know_only_its_API()
    {
        // Those work without a server, or are one.
        string[] local = ["DemoVerb", "PlanVerb", "MaintainVerb", "RestoreVerb", "SimulateVerb", "ServeVerb", "HubVerb", "ScenarioOption"];
        string[] known = ["Drydock.Api", "Drydock.Cli.CommandLine", "Drydock.Cli.Following", "Drydock.Cli.Output", "Drydock.Cli.Processes"];
        var remote = Repository.Files("src", "*.cs").Where(static path => path.Contains("/src/Drydock.Cli/Verbs/", StringComparison.Ordinal) || path.Contains("/src/Drydock.Cli/Following/", StringComparison.Ordinal))
            .Where(path => !local.Contains(Path.GetFileNameWithoutExtension(path))).ToList();

        remote.Count.ShouldBeGreaterThan(15);
        foreach (var path in remote)
        {
            var text = File.ReadAllText(path);
            text.Split('\n').Where(static line => line.StartsWith("using Drydock.", StringComparison.Ordinal)).Select(static line => line["using ".Length..].TrimEnd(';', '\r'))
                .Except(known).ShouldBeEmpty(path);
            text.ShouldNotContain("new HttpClient", Case.Sensitive, path);
        }
    }

    [Fact]
    public void Orchestrators_and_activities_use_the_official_members_only()
    {
        // They compile against the official SDK too: one file of global usings chooses, so nobody else may name our namespace.
        var offenders = Repository.Files("workflows", "*.cs").Concat(Repository.Files("src", "*.cs").Where(IsOfTheOperator))
            .Where(path => !path.EndsWith("/DurableTaskSdk.cs", StringComparison.Ordinal))
            .Where(path => File.ReadLines(path).Any(line => line.Contains("Drydock.DurableTask", StringComparison.Ordinal)));

        offenders.ShouldBeEmpty();
    }

    private static bool IsOfTheOperator(string path) => path.Contains("/src/Drydock.Operator/", StringComparison.Ordinal);

    private static XDocument Load(string project) =>
        XDocument.Load(Repository.Files("src", project + ".csproj").Concat(Repository.Files("workflows", project + ".csproj")).Single());
}
