using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Drydock.Benchmarks;
using Drydock.Benchmarks.Engine;

const string Usage = """
    The numbers the README claims, from the program itself: dotnet run -c Release --project tests/Drydock.Benchmarks -- [WHAT]

      [ROUNDS]                       memory, 250 pods and 12 VMs, kill -9, and the drain beside kubectl; medians of 3 rounds, or of ROUNDS
      drain                          the drain beside kubectl alone
      simulator [NODES PODS VMS]     the simulated cluster; 5000 nodes, 100000 pods and 2000 VMs
      engine [ROUNDS] [ENGINE]...    the durable engine beside its peers; Peers/README.md says what to install
      profile                        where the engine spends its time, by method

    It ends with 1 if a figure misses its limit (all are written all the same), with 2 if it was asked for something else.
    """;

switch (args)
{
    case ["--help" or "-h" or "help"]:
        Console.WriteLine(Usage);
        return 0;
    case ["profile" or "drain"] or [] or ["engine", ..]:
    case [EngineProcess.Verb or EngineProcess.ServeVerb, _]:
    case ["simulator"]:
    case ["simulator", var aNode, var aPod, var aMachine] when new[] { aNode, aPod, aMachine }.All(IsNumber):
    case [var some] when IsNumber(some):
        break;
    default:
        Console.Error.WriteLine($"'{string.Join(' ', args)}' is not known.\n\n{Usage}");
        return 2;
}

switch (args)
{
    case [EngineProcess.Verb, var file]:
        await EngineProcess.RunAsync(file);
        return 0;
    case [EngineProcess.ServeVerb, var file]:
        await EngineProcess.ServeAsync(file);
        return 0;
    case ["profile"]:
        await new EngineProfile(Console.Out).MeasureAsync();
        return 0;
    case ["engine", .. var choice]:
        Console.WriteLine($"{Environment.ProcessorCount} processors, {RuntimeName()}");
        return await new EngineFigures(choice is [var first, ..] ? Number(first) : 3, Console.Out).MeasureAsync([.. choice.Skip(1)]) ? 0 : 1;
    default:
        break;
}

if (args is ["simulator", .. var size])
{
    var wanted = size is [var nodes, var pods, var machines] ? (int[])[Number(nodes), Number(pods), Number(machines)] : [5000, 100_000, 2000];
    return await Figure.WriteAsync(await new SimulatorFigures(wanted[0], wanted[1], wanted[2]).MeasureAsync(), Console.Out);
}

var onlyDrain = args is ["drain"];
var rounds = onlyDrain ? 0 : args is [var text] ? Number(text) : 3;
var program = Path.Combine(AppContext.BaseDirectory, "drydock.dll");
var full = Path.Combine(AppContext.BaseDirectory, "250-pods-12-vms.yaml");
Console.WriteLine($"{Environment.ProcessorCount} processors, {RuntimeName()}, {rounds} rounds, medians");

List<Figure> figures = [];
for (var round = 0; round < rounds; round++)
{
    var node = await RunAsync("demo", "--scenario", full, "-o", "json");
    var maintenance = Part(node, "summary").GetProperty("maintenance");
    var numbers = Part(node, "numbers");
    figures.Add(new("server memory at rest, MB", 150, numbers.GetProperty("memoryAtRestBytes").GetInt64() / 1e6));
    figures.Add(new("server memory after 250 pods and 12 VMs, MB", null, numbers.GetProperty("memoryAfterBytes").GetInt64() / 1e6));
    figures.Add(new("250 pods gone, seconds after the drain began (1 s termination)", 4, LastPodGone(maintenance)));
    figures.Add(new("own time of the orchestration, % of the wall time", 5, numbers.GetProperty("overheadPercent").GetDouble()));
    figures.Add(new("events in all histories", 2000, numbers.GetProperty("historyEvents").GetInt32()));

    var crashed = await RunAsync("demo", "--crash", "-o", "json");
    foreach (var crash in Part(crashed, "crashes").EnumerateArray())
    {
        figures.Add(new("after kill -9, seconds from serving to the first act", 3, Seconds(crash.GetProperty("movedAfter"))));
    }
}

if (!onlyDrain)
{
    figures.Add(new($"server memory {Drydock.Benchmarks.Rest.Time.TotalMinutes} minutes after 250 pods and 12 VMs, MB", null, await Drydock.Benchmarks.Rest.MeasureAsync(program, full)));
}

figures.AddRange(await new DrainNumbers(program).MeasureAsync());

return await Figure.WriteAsync(figures, Console.Out);

// Launcher pods of migrated machines go when their machine has gone: they are no part of "250 pods".
static double LastPodGone(JsonElement maintenance)
{
    var drain = maintenance.GetProperty("steps").EnumerateArray().First(step => step.GetProperty("step").GetString() == "Drain").GetProperty("from").GetDateTimeOffset();
    var pods = maintenance.GetProperty("report").GetProperty("pods").EnumerateArray()
        .Where(pod => pod.GetProperty("namespace").GetString() == "load");
    return pods.Max(pod => (pod.GetProperty("goneAt").GetDateTimeOffset() - drain).TotalSeconds);
}

async Task<IReadOnlyList<JsonElement>> RunAsync(params string[] arguments)
{
    var start = new ProcessStartInfo("dotnet", [program, .. arguments]) { UseShellExecute = false, RedirectStandardOutput = true };
    using var process = Process.Start(start)!;
    var output = await process.StandardOutput.ReadToEndAsync();
    await process.WaitForExitAsync();
    return process.ExitCode == 0
        ? [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)]
        : throw new InvalidOperationException($"drydock {string.Join(' ', arguments)} ended with {process.ExitCode}.\n{output}");
}

// A summary stands beside its type, the other parts under it.
static JsonElement Part(IReadOnlyList<JsonElement> lines, string type)
{
    var line = lines.Single(line => line.GetProperty("type").GetString() == type);
    return type == "summary" ? line : line.GetProperty(type);
}

static bool IsNumber(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0;

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

static double Seconds(JsonElement span) => TimeSpan.Parse(span.GetString()!, CultureInfo.InvariantCulture).TotalSeconds;

static string RuntimeName() => System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription;
