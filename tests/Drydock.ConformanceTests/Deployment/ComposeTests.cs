using System.Diagnostics;
using Shouldly;
using YamlDotNet.RepresentationModel;

namespace Drydock.ConformanceTests.Deployment;

/// <summary>The compose file as <c>docker-compose config</c> reads it, for every profile that its first lines name.</summary>
public sealed class ComposeTests
{
    [Theory]
    [InlineData("", "drydock grafana postgresql prometheus simulator")]
    [InlineData("replicas", "drydock drydock-2 grafana postgresql prometheus simulator")]
    [InlineData("scheduler", "drydock grafana postgresql prometheus scheduler simulator")]
    public async Task Each_profile_is_read_without_a_complaint_and_starts_what_it_says(string profile, string services)
    {
        var (read, complaints) = await ConfigAsync(profile);

        complaints.ShouldBeEmpty();
        var running = Services(read).Where(each => Profiles(each.Value) is not { Count: > 0 } only || only.Contains(profile)).ToList();
        string.Join(' ', running.Select(static each => each.Key).Order(StringComparer.Ordinal)).ShouldBe(services);
        foreach (var (name, service) in running)
        {
            var needed = service.Children.TryGetValue("depends_on", out var found) ? ((YamlMappingNode)found).Children.Keys.Select(static each => each.ToString()) : [];
            needed.Except(running.Select(static each => each.Key)).ShouldBeEmpty(name);
        }
    }

    [Fact]
    public async Task Nothing_is_published_beyond_this_machine()
    {
        var (read, _) = await ConfigAsync("replicas");

        var published = Services(read).SelectMany(static each => each.Value.Children.TryGetValue("ports", out var ports) ? ((YamlSequenceNode)ports).Select(static port => port.ToString()) : []).ToList();

        published.ShouldNotBeEmpty();
        published.ShouldAllBe(static port => port.StartsWith("127.0.0.1:"));
    }

    private static async Task<(YamlMappingNode Read, string Complaints)> ConfigAsync(string profile)
    {
        var start = new ProcessStartInfo("docker-compose") { WorkingDirectory = AdmissionTests.Root(), UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[.. profile.Length == 0 ? Array.Empty<string>() : ["--profile", profile], "config"])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Remove("DRYDOCK_DB");
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        process.ExitCode.ShouldBe(0, await error);
        var yaml = new YamlStream();
        yaml.Load(new StringReader(await output));
        return ((YamlMappingNode)yaml.Documents.Single().RootNode, await error);
    }

    private static IEnumerable<(string Key, YamlMappingNode Value)> Services(YamlMappingNode read) =>
        ((YamlMappingNode)read["services"]).Children.Select(static each => (each.Key.ToString(), (YamlMappingNode)each.Value));

    private static List<string> Profiles(YamlMappingNode service) =>
        service.Children.TryGetValue("profiles", out var profiles) ? [.. ((YamlSequenceNode)profiles).Select(static each => each.ToString())] : [];
}
