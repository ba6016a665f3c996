using System.CommandLine;
using System.Net;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Demo;
using Drydock.Simulator.Scenarios;

namespace Drydock.Cli.Verbs;

/// <summary><c>simulate</c>: only the cluster.</summary>
internal static class SimulateVerb
{
    public static Command Create(Terminal terminal)
    {
        var scenario = ScenarioOption.Create();
        var listen = Listen();
        var kubeconfigOut = new Option<string>("--kubeconfig-out") { Description = "Where to write the kubeconfig.", HelpName = "file", DefaultValueFactory = _ => "drydock-simulated.kubeconfig" };
        var state = new Option<string?>("--state") { Description = "Where to keep its objects over restarts; a file that exists is where it goes on from, with the same scenario.", HelpName = "file" };
        var speed = ScenarioOption.Speed();
        var seed = new Option<int>("--seed")
        {
            Description = "The same seed gives the same names, durations and faults. Default 1.",
            HelpName = "n",
            DefaultValueFactory = _ => 1,
        };
        var show = Show();
        var output = CommonOptions.Output();
        var verb = new Verb(
            "simulate",
            "Run a simulated Kubernetes cluster with KubeVirt behind a real Kubernetes API until Ctrl-C, and write a kubeconfig for it.",
            "drydock simulate",
            "drydock simulate --scenario disruption-budget --listen 127.0.0.1:6443 --kubeconfig-out /tmp/kubeconfig",
            "drydock simulate --scenario three-zones --speed 10  # a fleet whose time passes ten times faster",
            "drydock simulate --show shop > mine.yaml; drydock simulate --scenario mine.yaml  # a cluster of your own",
            "kubectl --kubeconfig drydock-simulated.kubeconfig get nodes,pods,vmi -A",
            "curl -d '{\"kubeletDies\": \"node-2\", \"for\": \"2m\"}' http://127.0.0.1:6443/simulator/faults  # more goes wrong while it runs; GET lists, DELETE ends",
            "curl -d '{\"requests\": \"create pods/eviction\", \"answer\": 429, \"retryAfter\": 5, \"share\": 50}' http://127.0.0.1:6443/simulator/faults",
            "curl 'http://127.0.0.1:6443/simulator/requests?verb=create&subresource=eviction&limit=20'  # who asked for what, and how it was answered") { scenario, listen, kubeconfigOut, state, speed, seed, show, output };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            if (parsed.GetValue(show) is { } name)
            {
                await terminal.Output.WriteAsync(ScenarioOption.Text(name));
                return ExitCodes.Done;
            }

            var chosen = ScenarioOption.Read(parsed.GetValue(scenario)!);
            var file = Path.GetFullPath(parsed.GetValue(kubeconfigOut)!);
            var kept = parsed.GetValue(state);
            await using var cluster = await KeptAsync(kept, () => DemoCluster.StartAsync(
                chosen, parsed.GetValue(listen)!.Port, parsed.GetValue(speed), parsed.GetValue(seed), terminal.Clock, kept, cancellationToken));
            await WriteAsync(cluster, file, cancellationToken);
            terminal.Paper(parsed.GetValue(output)).Say(
                "listening", Greeting(cluster, file, kept), new { address = cluster.Address, kubeconfig = file, scenario = chosen.Name });
            await cancellationToken.WhenCancelledAsync();
            return ExitCodes.Done;
        });
        return verb;
    }

    private static string Greeting(DemoCluster cluster, string file, string? state) =>
        $"""
        Simulated cluster '{cluster.Scenario.Name}' at {cluster.Address}: {cluster.Scenario.Description.ReplaceLineEndings(" ").Trim()}
        Try, in another terminal:
          export KUBECONFIG={file}
          kubectl get nodes,pods,vmi -A
          drydock plan {cluster.Scenario.Maintain ?? "NODE"}
          drydock maintain {cluster.Scenario.Maintain ?? "NODE"}
          kubectl drain {cluster.Scenario.Maintain ?? "NODE"} --ignore-daemonsets --delete-emptydir-data
          curl {cluster.Address}simulator/faults
          curl {cluster.Address}simulator/requests
        Ctrl-C ends it; {(state is null ? "nothing is kept" : $"{state} keeps it")}.
        """;

    private static Option<IPEndPoint> Listen() => new("--listen")
    {
        Description = "Where its API server listens; port 0 takes a free one.",
        HelpName = "127.0.0.1:port",
        DefaultValueFactory = _ => new IPEndPoint(IPAddress.Loopback, 0),
        CustomParser = result =>
        {
            if (IPEndPoint.TryParse(result.Tokens[0].Value, out var endpoint) && endpoint.Address.Equals(IPAddress.Loopback))
            {
                return endpoint;
            }

            result.AddError($"'{result.Tokens[0].Value}' is not allowed for --listen; give 127.0.0.1:PORT (there is no login, so only this machine may connect).");
            return null;
        },
    };

    private static Option<string?> Show() => new("--show")
    {
        Description = $"Only print the file of a scenario ({string.Join(", ", Scenario.Names)}) or example ({string.Join(", ", Scenario.Examples)}), "
            + "or 'schema': the JSON schema of such files, for your editor.",
        HelpName = "name|schema",
    };

    private static async Task<DemoCluster> KeptAsync(string? state, Func<Task<DemoCluster>> start)
    {
        try
        {
            return await start();
        }
        catch (Exception exception) when (state is not null && exception is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new CommandFailedException(ExitCodes.BadInput, $"The state cannot be kept in {state}: {exception.Message}", "Name another file with --state.", exception);
        }
    }

    private static async Task WriteAsync(DemoCluster cluster, string file, CancellationToken cancellationToken)
    {
        try
        {
            await cluster.WriteKubeconfigAsync(file, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.BadInput, $"The kubeconfig cannot be written to {file}: {exception.Message}", "Name another with --kubeconfig-out.", exception);
        }
    }
}
