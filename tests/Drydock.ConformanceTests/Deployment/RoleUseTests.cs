using Shouldly;
using YamlDotNet.RepresentationModel;

namespace Drydock.ConformanceTests.Deployment;

/// <summary>The deployed roles beside what the whole suite called: nothing is missing, and nothing is granted that is never used.</summary>
public sealed class RoleUseTests
{
    // Every authenticated user has it, by the role system:basic-user.
    private static readonly string[] _everybody = ["create selfsubjectaccessreviews.authorization.k8s.io"];

    /// <summary>What no test can call, and why.</summary>
    private static readonly string[] _unseen = [];

    [Fact(Explicit = true)]
    public async Task The_roles_grant_what_the_suite_called_and_nothing_else()
    {
        var folder = RecordedCalls.Folder ?? throw new InvalidOperationException("DRYDOCK_CALLS names the folder with the calls of the suite; tests/run.sh does it.");
        var called = Directory.GetFiles(folder, "*.txt").SelectMany(File.ReadLines).Distinct(StringComparer.Ordinal).Except(_everybody).Order(StringComparer.Ordinal).ToList();
        var granted = await GrantsAsync(["operator", "force", "actions", "bare-metal", "node-conditions"]);

        called.Count.ShouldBeGreaterThan(20, "The suite did not run.");
        called.Except(granted).ShouldBeEmpty("Called, and not granted.");
        granted.Except(called).Except(_unseen).ShouldBeEmpty("Granted, and never called.");
    }

    [Theory]
    [InlineData("")]
    [InlineData("operator")]
    [InlineData("force")]
    [InlineData("actions")]
    [InlineData("actions actions-openshift")]
    [InlineData("bare-metal")]
    [InlineData("node-conditions")]
    [InlineData("operator force actions bare-metal node-conditions")]
    public async Task A_feature_brings_its_rights_and_without_it_they_are_not_there(string components)
    {
        var granted = await GrantsAsync(components.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        granted.ShouldContain("create pods/eviction");
        (granted.Contains("patch nodemaintenances.nodemaintenance.medik8s.io/status"), granted.Contains("patch maintenancerollouts.drydock.dev/status"))
            .ShouldBe((components.Contains("operator"), components.Contains("operator")));
        granted.Contains("delete pods").ShouldBe(components.Contains("force"));
        granted.Contains("create jobs.batch").ShouldBe(components.Contains("actions"));
        granted.Contains("patch baremetalhosts.metal3.io").ShouldBe(components.Contains("bare-metal"));
        granted.Contains("patch nodes/status").ShouldBe(components.Contains("node-conditions"));
        granted.ShouldAllBe(static grant => !grant.Contains('*'));
    }

    /// <summary>What the service account may do with the base and these components, by the roles that are bound to it.</summary>
    private static async Task<IReadOnlySet<string>> GrantsAsync(string[] components) => Bound(Documents(await ManifestTests.KustomizeAsync("base", components)));

    private static HashSet<string> Bound(List<YamlMappingNode> objects)
    {
        var bound = objects.Where(static each => each["kind"].ToString() is "ClusterRoleBinding" or "RoleBinding").Select(static each => each["roleRef"]["name"].ToString()).ToHashSet();
        return
        [
            .. from role in objects
               where role["kind"].ToString() is "ClusterRole" or "Role" && bound.Contains(role["metadata"]["name"].ToString())
               from rule in (YamlSequenceNode)role["rules"]
               from verb in Texts(rule, "verbs")
               from @group in Texts(rule, "apiGroups")
               from resource in Texts(rule, "resources")
               let parts = resource.Split('/', 2)
               select RecordedCalls.Name(verb, parts[0] + (@group.Length == 0 ? "" : "." + @group), parts.Length == 1 ? null : parts[1]),
        ];
    }

    private static IEnumerable<string> Texts(YamlNode rule, string field) => ((YamlSequenceNode)rule[field]).Select(static each => each.ToString());

    private static List<YamlMappingNode> Documents(string text)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(text));
        return [.. yaml.Documents.Select(static document => (YamlMappingNode)document.RootNode)];
    }
}
