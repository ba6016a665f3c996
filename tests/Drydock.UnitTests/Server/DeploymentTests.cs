using System.Text.Json;
using System.Text.RegularExpressions;
using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Server;
using Drydock.Server.Callers;
using Drydock.Server.Notifications;
using Drydock.UnitTests.Architecture;
using Shouldly;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Drydock.UnitTests.Server;

/// <summary>What is deployed says the same as the code: roles, metrics in alerts and dashboard, the explained configuration, the compose file.</summary>
public sealed partial class DeploymentTests
{
    [Theory]
    [InlineData(Role.Viewer)]
    [InlineData(Role.Operator)]
    [InlineData(Role.Admin)]
    public void The_roles_grant_the_permissions_of_the_table_and_nothing_else(Role role)
    {
        var rules = (YamlSequenceNode)Document(File("infra", $"clusterrole-{role.ToString().ToLowerInvariant()}.yaml"))["rules"];
        var granted = rules.Cast<YamlMappingNode>().SelectMany(Grants).ToList();

        granted.ShouldBe(Permissions.All.Where(permission => permission.Role <= role).Select(static permission => permission.ToString()), ignoreOrder: true);
    }

    [Fact]
    public void Alerts_and_the_dashboard_ask_for_metrics_that_there_are()
    {
        var made = Repository.Files("src", "*.cs").Where(static path => path.EndsWith("ServerMeter.cs", StringComparison.Ordinal) || path.EndsWith("HubMeter.cs", StringComparison.Ordinal))
            .SelectMany(static path => Instrument().Matches(System.IO.File.ReadAllText(path))).Select(static match => match.Groups[1].Value.Replace('.', '_')).ToList();
        var asked = Repository.Files("infra", "prometheusrule.yaml").Concat(Repository.Files("infra", "drydock.json"))
            .SelectMany(static path => Series().Matches(System.IO.File.ReadAllText(path))).Select(static match => match.Value).Distinct().ToList();

        made.Count.ShouldBeGreaterThan(8);
        asked.ShouldNotBeEmpty();
        asked.Where(series => !made.Any(name => Regex.IsMatch(series, $"^{name}(_seconds)?(_bucket|_count|_sum|_total)?$", RegexOptions.None, TimeSpan.FromSeconds(1)))).ShouldBeEmpty();
    }

    [Fact]
    public void No_query_sums_up_over_replicas_what_each_of_them_measures()
    {
        // What each replica measures for itself may be summed up: its own commits, and what it holds and writes.
        string[] own = ["drydock_hub_commit_duration_seconds", "drydock_hub_items{state=~\\\"outstanding|committing\\\"}"];
        var queries = Repository.Files("infra", "prometheusrule.yaml").Concat(Repository.Files("infra", "drydock.json"))
            .SelectMany(static path => Query().Matches(System.IO.File.ReadAllText(path))).Select(static match => match.Groups["query"].Value).ToList();
        var shared = queries.Where(query => query.Contains("drydock_", StringComparison.Ordinal) && !own.Any(query.Contains)).ToList();

        shared.Count.ShouldBeGreaterThan(15);
        shared.Where(static query => !HighestFirst().IsMatch(query)).ShouldBeEmpty();
    }

    [Fact]
    public void Alerts_wait_for_what_there_is()
    {
        var text = System.IO.File.ReadAllText(File("infra", "prometheusrule.yaml"));
        var kinds = BlockedKind().Matches(text).Select(static match => match.Groups["kind"].Value).ToList();

        kinds.ShouldNotBeEmpty();
        kinds.Except(Enum.GetNames<EvictionAnswer>().Select(Kebab.Of)).ShouldBeEmpty();
        RunningState().Matches(text).Select(static match => match.Groups["state"].Value).Except(Enum.GetNames<MaintenanceState>()).ShouldBeEmpty();
    }

    [Fact]
    public void The_explained_configuration_has_every_field_and_says_the_defaults()
    {
        var path = File("infra", "drydock.yaml");
        var defaults = new DrydockOptions { Access = new AccessOptions { Mode = AccessMode.Kubernetes } };

        var read = SettingsFile.Read(path, new Dictionary<string, string>(), new DrydockOptions());

        Fields(Document(path), "").ShouldBe(Fields(typeof(Settings), ""), ignoreOrder: true);
        (read with { Urls = [], Access = defaults.Access, Notifications = defaults.Notifications }).ShouldBe(
            new DrydockOptions() with { Urls = [], Access = defaults.Access, Notifications = defaults.Notifications });
        JsonSerializer.Serialize(read.Notifications).ShouldBe(JsonSerializer.Serialize(new NotificationOptions()));
        read.Urls.ShouldBe([DrydockOptions.DefaultUrl]);
        read.Access.Mode.ShouldBe(AccessMode.Kubernetes);
        read.Access.RequestsPerSecond.ShouldBe(new AccessOptions().RequestsPerSecond);
    }

    [Fact]
    public void The_examples_of_targets_are_right()
    {
        var examples = System.IO.File.ReadLines(File("infra", "drydock.yaml")).Where(static line => line.StartsWith("  #   - {", StringComparison.Ordinal)).Select(static line => line.Replace("  #", "")).ToList();
        var folder = Directory.CreateTempSubdirectory("drydock-examples-");
        try
        {
            System.IO.File.WriteAllText(Path.Combine(folder.FullName, "slack-url"), "x");
            System.IO.File.WriteAllText(Path.Combine(folder.FullName, "itsm-key"), "x");
            var path = Path.Combine(folder.FullName, "drydock.yaml");
            System.IO.File.WriteAllText(path, $"notifications:\n  allowedUrls: [\"https://itsm.example.com/hooks\"]\n  smtp: {{host: mail.example.com, from: drydock@example.com}}\n  targets:\n{string.Join('\n', examples)}\n");

            SettingsFile.Read(path, new Dictionary<string, string>(), new DrydockOptions { SecretsFolder = folder.FullName })
                .Notifications.Targets.Select(static target => target.Form).ShouldBe([NotificationForm.Slack, NotificationForm.Webhook, NotificationForm.Email]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_image_brings_the_time_zones_that_windows_need() =>
        System.IO.File.ReadLines(Path.Combine(Repository.Root, "infra", "Dockerfile")).Last(static line => line.StartsWith("FROM ", StringComparison.Ordinal))
            .ShouldEndWith("-chiseled-extra", Case.Sensitive, "Without -extra a chiselled image has no /usr/share/zoneinfo.");

    [Fact]
    public void The_compose_file_names_its_images_by_tag_and_mounts_what_there_is()
    {
        var path = Path.Combine(Repository.Root, "docker-compose.yml");
        var services = (YamlMappingNode)Document(path)["services"];
        foreach (var (name, service) in services.Children)
        {
            service["image"].ToString().ShouldMatch(":[^:/]*[0-9][^:/]*$", name.ToString());
            foreach (var volume in service is YamlMappingNode mapping && mapping.Children.TryGetValue("volumes", out var volumes) ? (YamlSequenceNode)volumes : [])
            {
                var source = volume.ToString().Split(':')[0];
                if (source.StartsWith('.'))
                {
                    Path.Exists(Path.Combine(Path.GetDirectoryName(path)!, source)).ShouldBeTrue(source);
                }
            }
        }
    }

    private static string File(string folder, string name) => Repository.Files(folder, name).Single();

    private static YamlMappingNode Document(string path)
    {
        var yaml = new YamlStream();
        using var text = new StreamReader(path);
        yaml.Load(text);
        return (YamlMappingNode)yaml.Documents.Single().RootNode;
    }

    private static IEnumerable<string> Grants(YamlMappingNode rule)
    {
        IEnumerable<string> Texts(string field) => ((YamlSequenceNode)rule[field]).Select(static each => each.ToString());
        return rule.Children.ContainsKey("nonResourceURLs")
            ? from verb in Texts("verbs") from url in Texts("nonResourceURLs") select $"{verb} {url}"
            : from verb in Texts("verbs") from resource in Texts("resources") from @group in Texts("apiGroups") select $"{verb} {resource}{(@group.Length == 0 ? "" : "." + @group)}";
    }

    private static IEnumerable<string> Fields(YamlMappingNode mapping, string prefix) => mapping.Children.SelectMany(each =>
        each.Value is YamlMappingNode section ? Fields(section, $"{prefix}{each.Key}.") : [$"{prefix}{each.Key}"]);

    private static IEnumerable<string> Fields(Type type, string prefix) => type.GetProperties().SelectMany(property =>
    {
        var name = prefix + JsonNamingPolicy.CamelCase.ConvertName(property.Name);
        return property.PropertyType.Assembly == typeof(Settings).Assembly ? Fields(property.PropertyType, name + ".") : [name];
    });

    [GeneratedRegex("\"(?<name>drydock\\.[a-z_.]+)\"", RegexOptions.NonBacktracking)]
    private static partial Regex Instrument();

    [GeneratedRegex("^\\s*\"?expr\"?: \"?(?<query>.*?)\"?,?$", RegexOptions.Multiline | RegexOptions.NonBacktracking)]
    private static partial Regex Query();

    // The innermost aggregation over the series, or over its rate, takes the highest; sums may stand around it.
    [GeneratedRegex("max(?: by \\([a-z, ]+\\) )?\\((?:rate\\(|increase\\()?drydock_[a-z_]+", RegexOptions.NonBacktracking)]
    private static partial Regex HighestFirst();

    [GeneratedRegex("drydock_blocked\\{kind=\"(?<kind>[^\"]+)\"\\}", RegexOptions.NonBacktracking)]
    private static partial Regex BlockedKind();

    [GeneratedRegex("drydock_maintenances_running\\{state=\"(?<state>[^\"]+)\"\\}", RegexOptions.NonBacktracking)]
    private static partial Regex RunningState();

    [GeneratedRegex("drydock_[a-z_]+", RegexOptions.NonBacktracking)]
    private static partial Regex Series();
}
