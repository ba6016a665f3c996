using System.Text.Json.Nodes;
using Drydock.Simulator.Store;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>The simulated API server answers as a recorded real one did.</summary>
public sealed class RecordedAnswersTests
{
    private static readonly string _folder = Path.Combine(AppContext.BaseDirectory, "Simulator", "Recorded");
    private static readonly SemaphoreSlim _playing = new(1);
    private static Dictionary<string, string>? _played;

    private static readonly Dictionary<string, string> _outOfScope = File
        .ReadAllLines(Path.Combine(_folder, "out-of-scope.txt"))
        .Where(l => l.Length > 0 && l[0] != '#')
        .Select(l => l.Split(' ', 2))
        .ToDictionary(l => l[0], l => l.Length > 1 ? l[1].Trim() : "");

    public static TheoryData<string> Cases => [.. Names().Where(n => !_outOfScope.ContainsKey(n))];

    public static TheoryData<string> Excused => [.. _outOfScope.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task The_answer_is_the_recorded_one(string name)
    {
        var differences = await PlayedAsync(name);

        differences.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Excused))]
    public async Task What_stands_on_the_list_still_differs_and_says_why(string name)
    {
        _outOfScope[name].ShouldNotBeEmpty();

        var differences = await PlayedAsync(name);

        differences.ShouldNotBeEmpty("it answers as recorded now: take it off the list");
    }

    [Fact]
    public void The_list_is_short_and_has_nothing_that_maintenance_lives_on()
    {
        // The sections of what must not be excused, by their numbers and by the words of their names.
        string[] words = ["node", "pod", "evict", "pdb", "budget", "drain", "lease", "watch", "patch", "apply", "kubevirt", "vm"];

        (_outOfScope.Count * 10).ShouldBeLessThan(Names().Count());
        _outOfScope.Keys.ShouldBeSubsetOf(Names());
        _outOfScope.Keys.Where(name => int.Parse(name[..3]) < 480).ShouldBeEmpty();
        _outOfScope.Keys.Where(name => words.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase))).ShouldBeEmpty();
        _outOfScope.Keys.Select(Load).Where(excused => excused.Text("request", "method") == "PATCH" || excused["watches"] is not null || excused.At("response", "lines") is not null)
            .ShouldBeEmpty();
    }

    private static IEnumerable<string> Names() =>
        Directory.GetFiles(_folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal);

    /// <summary>All cases are one sequence on one cluster: it is played once, whoever asks first.</summary>
    private static async Task<string> PlayedAsync(string name)
    {
        await _playing.WaitAsync();
        try
        {
            _played ??= await PlayAllAsync();

            return _played[name];
        }
        finally
        {
            _playing.Release();
        }
    }

    private static async Task<Dictionary<string, string>> PlayAllAsync()
    {
        await using var replayer = new Replayer();
        replayer.Furnish(Load("101-nodes-get")["response"]!["body"]!.AsObject());
        var results = new Dictionary<string, string>();
        var foreign = ForeignState.Load(Path.Combine(_folder, "foreign-state.txt"));
        var cases = Names().Select(Load).ToList();
        foreach (var (index, recorded) in cases.Index())
        {
            var name = recorded.Text("name")!;
            try
            {
                await replayer.PrepareAsync(name, foreign);
                var upcoming = cases.Skip(index + 1).TakeWhile(other => other.Text("section") == recorded.Text("section")).ToList();
                results[name] = await replayer.PlayAsync(recorded, upcoming);
            }
            catch (Exception failure)
            {
                results[name] = failure.ToString();
            }
        }

        return results;
    }

    private static JsonObject Load(string name) => JsonNode.Parse(File.ReadAllText(Path.Combine(_folder, $"{name}.json")))!.AsObject();
}
