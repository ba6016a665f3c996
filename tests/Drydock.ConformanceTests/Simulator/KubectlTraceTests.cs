using System.Text.Json.Nodes;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>What kubectl 1.32 and 1.36 sent to a real API server is answered by the simulated one with the same status and kind.</summary>
public sealed class KubectlTraceTests
{
    private static readonly string _folder = Path.Combine(AppContext.BaseDirectory, "Simulator", "Recorded", "kubectl");

    public static TheoryData<string> Traces => [.. Names()];

    [Theory]
    [MemberData(nameof(Traces))]
    public async Task Every_request_of_a_command_is_answered_as_recorded(string name) => (await PlayAsync(name)).ShouldBeEmpty();

    [Fact]
    public void Each_command_was_recorded_with_both_versions()
    {
        var versions = Names().ToLookup(
            name => name.Replace(".v1.32", "", StringComparison.Ordinal).Replace(".v1.36", "", StringComparison.Ordinal),
            name => JsonNode.Parse(File.ReadAllText(Path.Combine(_folder, $"{name}.json")))!["kubectl"]!.AsArray().Select(version => version!.ToString()[.."kubectl/v1.32".Length]));

        foreach (var command in versions.Where(each => each.Key != "drain-30"))
        {
            command.SelectMany(each => each).ShouldBe(["kubectl/v1.32", "kubectl/v1.36"], ignoreOrder: true, customMessage: command.Key);
        }

        // That of thirty pods was recorded with the newer one only.
        versions["drain-30"].ShouldHaveSingleItem().ShouldBe(["kubectl/v1.36"]);
    }

    private static IEnumerable<string> Names() =>
        Directory.GetFiles(_folder, "*.json").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal);

    private static async Task<string> PlayAsync(string name)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(_folder, $"{name}.json"), TestContext.Current.CancellationToken);
        await using var trace = new KubectlTrace(JsonNode.Parse(text)!.AsObject());

        return await trace.PlayAsync();
    }
}
