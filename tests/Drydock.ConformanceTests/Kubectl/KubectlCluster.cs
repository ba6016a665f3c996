using System.Diagnostics;
using Drydock.Simulator;
using Drydock.Simulator.Api;
using Drydock.Simulator.Scenarios;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Drydock.ConformanceTests.Kubectl;

/// <summary>What one run of kubectl came to.</summary>
internal sealed record KubectlRun(int Code, string Output, string Error)
{
    /// <summary>The lines of its output, each in words.</summary>
    public List<string[]> Rows =>
        [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
}

/// <summary>A simulated cluster over HTTP, by default the healthy scenario, and a kubectl with a home of its own.</summary>
public sealed class KubectlCluster : IAsyncLifetime
{
    private readonly string _home = Directory.CreateTempSubdirectory("drydock-kubectl-").FullName;

    public KubectlCluster()
        : this(Scenario.Named("healthy"), speed: 10)
    {
    }

    internal KubectlCluster(Scenario scenario, double speed) =>
        Simulation = SimulatedCluster.Create(scenario, TimeProvider.System, NullLoggerFactory.Instance, seed: 1, speed);

    /// <summary>The kubectl that judges: Debian's, which <c>tests/run.sh</c> names, if there is one.</summary>
    internal string Program { get; init; } = Environment.GetEnvironmentVariable("DRYDOCK_TEST_KUBECTL") is { Length: > 0 } program ? program : "kubectl";

    internal SimulatedCluster Simulation { get; }

    public async ValueTask InitializeAsync()
    {
        await Simulation.StartAsync(CancellationToken.None);
        var address = await Simulation.ListenAsync(0, CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(_home, "kubeconfig"), SimulatedApiServer.Kubeconfig(address));
    }

    public async ValueTask DisposeAsync()
    {
        await Simulation.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }

    /// <summary>Runs kubectl; it must succeed.</summary>
    internal async Task<KubectlRun> RunAsync(params string[] arguments)
    {
        var run = await TryAsync(null, arguments);
        run.Code.ShouldBe(0, $"kubectl {string.Join(' ', arguments)}: {run.Error}{run.Output}");

        return run;
    }

    /// <summary>Runs kubectl with a manifest on its standard input; it must succeed.</summary>
    internal async Task<KubectlRun> SendAsync(string manifest, params string[] arguments)
    {
        var run = await TryAsync(manifest, [.. arguments, "-f", "-"]);
        run.Code.ShouldBe(0, $"kubectl {string.Join(' ', arguments)}: {run.Error}{run.Output}");

        return run;
    }

    /// <summary>Waits with kubectl until the pods of a label in the namespace shop are gone, as some or all may be before it looks.</summary>
    internal async Task WaitUntilGoneAsync(string label)
    {
        var waited = await TryAsync(null, "wait", "--for=delete", "pod", "-l", label, "-n", "shop", "--timeout=50s");

        // What kubectl 1.20 says if there is nothing left to wait for.
        (waited.Code == 0 || waited.Error.Contains("no matching resources found", StringComparison.Ordinal)).ShouldBeTrue(waited.Error + waited.Output);
    }

    /// <summary>Runs kubectl, whatever comes of it.</summary>
    internal async Task<KubectlRun> TryAsync(string? input, params string[] arguments)
    {
        using var kubectl = Start(arguments);
        if (input is not null)
        {
            await kubectl.StandardInput.WriteAsync(input);
        }

        kubectl.StandardInput.Close();
        var output = kubectl.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = kubectl.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        try
        {
            await kubectl.WaitForExitAsync(TestContext.Current.CancellationToken)
                .WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System, TestContext.Current.CancellationToken);
        }
        finally
        {
            if (!kubectl.HasExited)
            {
                kubectl.Kill();
            }
        }

        return new KubectlRun(kubectl.ExitCode, await output, await error);
    }

    internal Process Start(params string[] arguments) =>
        Process.Start(new ProcessStartInfo(Program, arguments)
        {
            Environment = { ["KUBECONFIG"] = Path.Combine(_home, "kubeconfig"), ["HOME"] = _home },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
}
