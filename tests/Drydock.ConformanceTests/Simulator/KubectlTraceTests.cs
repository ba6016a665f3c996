using System.Text.Json.Nodes;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>What kubectl 1.32 and 1.36 sent to a real API server is answered by the simulated one with the same status and kind.</summary>
public sealed class KubectlTraceTests
{
    private static readonly string _folder = Path.Combine(AppContext.BaseDirectory, "Simulator", "Recorded", "kubectl");

    private static readonly Dictionary<string, string> _outOfScope = File
        .ReadAllLines(Path.Combine(_folder, "..", "out-of-scope.txt"))
        .Where(l => l.StartsWith("kubectl/", StringComparison.Ordinal))
        .Select(l => l["kubectl/".Length..].Split(' ', 2))
        .ToDictionary(l => l[0], l => l[1].Trim());

    public static TheoryData<string> Traces => [.. Names().Where(name => !_outOfScope.ContainsKey(name))];

    public static TheoryData<string> Excused => [.. _outOfScope.Keys];

    [Theory]
    [MemberData(nameof(Traces))]
    public async Task Every_request_of_a_command_is_answered_as_recorded(string name) => (await PlayAsync(name)).ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(Excused))]
    public async Task A_command_on_the_list_still_differs(string name) =>
        (await PlayAsync(name)).ShouldNotBeEmpty("it answers as recorded now: take it off the list");

    private static IEnumerable<string> Names() =>
        Directory.GetFiles(_folder, "*.json").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal);

    private static async Task<string> PlayAsync(string name)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(_folder, $"{name}.json"), TestContext.Current.CancellationToken);
        await using var trace = new KubectlTrace(JsonNode.Parse(text)!.AsObject());

        return await trace.PlayAsync();
    }
}
