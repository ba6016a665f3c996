using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>
/// A foreign SDK against our endpoint: <c>@microsoft/durabletask-js</c> as worker and client, beside a worker of ours on the same hub.
/// All scenarios run at once, in one process of Node; each is a case here.
/// </summary>
public sealed partial class JavaScriptSdkTests(JavaScriptRun run) : IClassFixture<JavaScriptRun>
{
    public static TheoryData<string> Scenarios =>
        [.. ScenarioPattern().Matches(File.ReadAllText(Path.Combine(JavaScriptRun.Folder(), "scenarios.js"))).Select(match => match.Groups["name"].Value)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public void The_JavaScript_SDK_finds_the_hub_as_it_expects_one(string scenario)
    {
        run.Results.ContainsKey(scenario).ShouldBeTrue(run.Complaint);

        run.Results[scenario].ShouldBeNull();
    }

    [GeneratedRegex("^  (?<name>[a-z][A-Za-z]+): async", RegexOptions.ExplicitCapture | RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ScenarioPattern();
}

/// <summary>One run of all scenarios.</summary>
public sealed class JavaScriptRun : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(400);
    private readonly Dictionary<string, string?> _results = new(StringComparer.Ordinal);

    /// <summary>How each scenario went: null, or what went wrong.</summary>
    public IReadOnlyDictionary<string, string?> Results => _results;

    /// <summary>What the process said besides.</summary>
    public string Complaint { get; private set; } = "";

    public static string Folder([CallerFilePath] string file = "") =>
        Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(file))!, "JavaScript");

    public async ValueTask InitializeAsync()
    {
        if (!Directory.Exists(Path.Combine(Folder(), "node_modules")))
        {
            Complaint = "Run 'npm ci' in tests/Drydock.ConformanceTests/JavaScript first; tests/run.sh does.";
            return;
        }

        await using var served = await ServedHub.StartAsync();
        using var ours = OurWorker(served);
        await ours.StartAsync(TestContext.Current.CancellationToken);
        await RunAsync(served.Server.Address.Authority);
        await ours.StopAsync(TestContext.Current.CancellationToken);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static IHost OurWorker(ServedHub served)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddLogging(static logging => logging.SetMinimumLevel(LogLevel.Warning));
        builder.Services.AddDurableTaskWorker(worker => worker
            .AddTasks(static tasks => tasks
                .AddActivityFunc<int, int>("CsSquare", static (_, number) => number * number)
                .AddOrchestratorFunc<int, int>("CsParent", static (context, number) => context.CallActivityAsync<int>("CsSquare", number))
                .AddOrchestratorFunc<string, string>("CsCallsJs", static async (context, text) =>

                    // Our input comes as an array of one: the official .NET SDK writes it so, and JavaScript reads it as it is.
                    (await context.CallActivityAsync<string[]>("jsEcho", text))[0])
                .AddOrchestratorFunc<int, int>("CsCallsJsSub", static (context, number) => context.CallSubOrchestratorAsync<int>("jsChain", number)))
            .UseWorkItemFilters()
            .UseRemoteTaskHub(served.Server.Address.ToString()));
        return builder.Build();
    }

    private async Task RunAsync(string address)
    {
        var start = new ProcessStartInfo("node")
        {
            WorkingDirectory = Folder(), UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, ArgumentList = { "main.js", address },
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            while (await process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
            {
                var result = JsonSerializer.Deserialize<Line>(line, JsonSerializerOptions.Web)!;
                _results[result.Scenario] = result.Error;
            }

            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            Complaint = "Node did not end in time. ";
        }

        Complaint += await errors;
    }

    private sealed record Line(string Scenario, string? Error);
}
